"""A second line of the header is refused with the command that deletes it; a line of totals is warned of."""

import re
import subprocess

import numpy as np
import pytest

from linreg_cli.errors import DataError
from linreg_cli.starter.draft import draft

N = 40
STREAM = np.random.default_rng(7)
X = STREAM.uniform(10, 90, size=N).round(2)
Z = STREAM.integers(1, 9, size=N)
Y = (3 * X - 2 * Z + STREAM.normal(size=N) + 50).round(2)
ROWS = [f"{row},{x},{z},{y}" for row, (x, z, y) in enumerate(zip(X, Z, Y, strict=True), 1)]


def written(tmp_path, monkeypatch, *lines):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("".join(f"{line}\n" for line in ("no,x,z,y", *lines)))


def command_in(message):
    return re.search(r"such as by: (sed .* > t_changed\.csv); then set", message)[1]


def warned(path="t.csv"):
    found = draft(path, ["y"])
    return [each for each in found.choices.warnings(found.load().config) if each.kind == "total_row"]


def test_a_line_of_units_below_the_header_is_refused_and_deleted_by_the_command(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch, ",m,pieces,kg", *ROWS)
    with pytest.raises(DataError) as error:
        draft("t.csv", ["y"])
    message = str(error.value)
    assert "row 1 has words where the rows below have numbers: 'm' (x), 'pieces' (z), 'kg' (y)" in message
    subprocess.run(command_in(message), shell=True, check=True)
    assert draft("t_changed.csv", ["y"]).choices.n_rows == N


@pytest.mark.parametrize("first", ["1,n/a,3,5.0", "1,2.0,abc,5.0"])
def test_a_row_with_numbers_beside_a_word_is_no_header(tmp_path, monkeypatch, first):
    written(tmp_path, monkeypatch, first, *ROWS)
    assert draft("t.csv", ["y"]).choices.n_rows == N + 1


@pytest.mark.parametrize("label", ["Total", ""])
def test_a_line_of_totals_is_warned_of_and_deleted_by_the_command(tmp_path, monkeypatch, label):
    written(tmp_path, monkeypatch, *ROWS, f"{label},{X.sum():.1f},{Z.sum()},{Y.sum():.0f}")
    (found,) = warned()
    assert f"row {N + 1}, the last one, has the sums of the rows above (x, z, y), and counts" in found.message
    subprocess.run(command_in(found.message), shell=True, check=True)
    assert warned("t_changed.csv") == []
    assert draft("t_changed.csv", ["y"]).choices.n_rows == N


def test_a_last_row_that_is_no_sum_is_not_warned_of(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch, *ROWS, f"41,{X.sum() * 1.01:.2f},1,{Y.max() * 3}")
    assert warned() == []
    signs = [f"{row},{1 - 2 * (row % 2)},2,{row}.5" for row in range(30)]  # the last one is the sum of the others
    written(tmp_path, monkeypatch, *signs, "30,-1,2,7.5", "31,-1,2,8.5", "32,-2,2,9.5")
    assert warned() == []

"""Tables of few rows and very many columns: the cost grows with the columns, and what costs more is refused first.

Work is counted, not timed, except for one ratio of processor times with a wide margin.
"""

import math
import time

import numpy as np
import pytest

from linreg_cli.convergence.affordable import MOST_PARAMETERS, too_costly

ROWS = 12


def wide_table(path, n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, n_columns)).round(4)
    y = X[:, :3].sum(axis=1)
    names = [*(f"c{j}" for j in range(n_columns)), "y"]
    lines = [",".join(map(str, row)) for row in np.column_stack([X, y]).tolist()]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return path


def arguments(table, lr="1e-5"):
    config = table.with_suffix(".yaml")
    config.write_text(
        f"data: {{path: {table}, target: y}}\npreprocess: {{standardize: true}}\noptimizer: {{lr: {lr}}}\n"
        "train: {epochs: 2, batch_size: full}\nplots: false\n"
    )
    return "-c", config


@pytest.fixture
def work(monkeypatch):
    """The operations of numpy's decompositions, m n min(m, n) each, as they are called."""
    counted = []
    for name in ("svd", "qr", "eigh", "eigvalsh", "norm", "solve", "inv"):
        plain = getattr(np.linalg, name)

        def counting(A, *args, plain=plain, **kwargs):
            shape = np.shape(A)
            if len(shape) >= 2:
                counted.append(math.prod(shape) * min(shape[-2:]))
            return plain(A, *args, **kwargs)

        monkeypatch.setattr(np.linalg, name, counting)
    return counted


def test_eight_times_the_columns_take_about_eight_times_as_long(linreg, tmp_path):
    # Columns that are put one by one into a new Arrow table would take 64 times as long.
    seconds = []
    for n_columns in (1_000, 8_000):
        table = wide_table(tmp_path / f"{n_columns}.csv", n_columns)
        begun = time.process_time()
        run = linreg("train", *arguments(table), "--json").json["run"]
        assert linreg("predict", run, "--data", table, "-o", tmp_path / "out.csv").code == 0
        assert linreg("report", run, "-o", tmp_path / "out.html").code == 0
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 20 * seconds[0], seconds
    assert (tmp_path / "out.html").stat().st_size < 3_000_000


def test_a_table_that_is_too_wide_is_refused_before_any_decomposition(linreg, tmp_path, work):
    table = wide_table(tmp_path / "wide.csv", MOST_PARAMETERS)
    refused = linreg("inspect", *arguments(table))
    assert refused.code == 3
    assert f"up to {MOST_PARAMETERS:,} parameters, and there are {MOST_PARAMETERS + 1:,}" in refused.err
    assert linreg("inspect", *arguments(table, lr="auto")).code == 2
    run = linreg("train", *arguments(table), "--json").json
    assert run["metrics"]["optimum"] is None
    assert f"{MOST_PARAMETERS:,} parameters" in run["metrics"]["optimum_reason"]
    assert not work


def test_fewer_rows_than_parameters_are_decomposed_in_the_space_of_the_rows(linreg, tmp_path, work):
    p = 800
    found = linreg("inspect", *arguments(wide_table(tmp_path / "wide.csv", p)), "--json").json
    assert found["rank"] == ROWS
    # Each of some thirty decompositions is of at most p x p with 12 columns, or of 12 x p; one of p x p would be p^3.
    assert max(work) < p**3 / 2, max(work)
    assert sum(work) < p**3, sum(work)


def test_the_terminal_shows_some_parameters_and_counts_the_others(linreg, tmp_path):
    table = wide_table(tmp_path / "wide.csv", 300)
    shown = linreg("train", *arguments(table)).out
    assert "  c99 " in shown
    assert "  c100 " not in shown
    assert "(bias)" in shown
    assert "... and 200 more; metrics.json has them all" in shown
    assert len(linreg("evaluate", "latest").out.splitlines()) < 125
    assert len(linreg("runs", "show", "latest").out.splitlines()) < 135


def test_what_is_missing_from_another_table_is_named_and_counted(linreg, tmp_path):
    linreg("train", *arguments(wide_table(tmp_path / "wide.csv", 300)))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    error = linreg("predict", "latest", "--data", tmp_path / "other.csv", "-o", "x.csv").err
    assert "c0, c1, c2" in error
    assert "and 280 more; it has a, b" in error


@pytest.mark.parametrize(
    ("n", "p", "is_refused"), [(10**7, 2, False), (12, 2_000, False), (12, 2_001, True), (10**6, 101, True)]
)
def test_the_rule_of_what_is_too_costly(n, p, is_refused):
    assert (too_costly(n, p) is not None) == is_refused

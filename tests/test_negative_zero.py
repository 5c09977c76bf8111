"""A negative zero is printed nowhere: not in tables, files, JSON or the report."""

import re

import pytest

from linreg_cli.wording import exact, json_text, number, p_value, percent, without_negative_zero

#: -0 as a number of its own, such as -0, -0.0 or -0.00.
NEGATIVE_ZERO = re.compile(r"(?<![\w.+-])-0(\.0*)?(?![\w.])")


@pytest.mark.parametrize("write", [number, exact, percent, p_value, lambda value: json_text([value])])
def test_numbers_are_written_without_it(write):
    assert NEGATIVE_ZERO.search(write(-0.0)) is None
    assert NEGATIVE_ZERO.search("x -0.0, y") is not None


def test_everything_else_stays_as_it_is():
    values = {"a": [1, -1.5, 0.0, True, None, "-0.0", float("inf")], "b": {"c": (5e-324, -5e-324)}}
    assert without_negative_zero(values) == {**values, "b": {"c": [5e-324, -5e-324]}}
    assert without_negative_zero(True) is True


def test_a_run_shows_and_writes_none(linreg, tmp_path):
    """The weight of a constant column is 0 times the initial -1; the target and a feature are -0.0."""
    (tmp_path / "t.csv").write_text("c,x,y\n5,-0.0,-0.0\n5,1,2\n5,2,4\n5,3,6.5\n")
    (tmp_path / "c.yaml").write_text(
        "data: {path: t.csv, target: y}\npreprocess: {standardize: true}\nmodel: {init: {weight: -1.0}}\n"
        "probe: [[5, 0.0]]\noptimizer: {lr: auto, momentum: auto}\ntrain: {epochs: 60, batch_size: full}\n"
        "plots: false\n"
    )
    shown = [linreg("train", "-c", "c.yaml").out, linreg("evaluate", "c").out, linreg("evaluate", "c", "--json").out]
    shown += [linreg("inspect", "-c", "c.yaml").out, linreg("inspect", "-c", "c.yaml", "--json").out]
    shown += [linreg("explain", "-c", "c.yaml").out, linreg("explain", "-c", "c.yaml", "--json").out]
    shown += [linreg("predict", "c", "--data", "t.csv", "--json").out, linreg("runs", "show", "c").out]
    assert linreg("report", "c", "-o", "r.html").code == 0
    run = tmp_path / "outputs" / "c-0001"
    files = [
        tmp_path / "r.html",
        *(run / name for name in ("metrics.json", "run.json", "history.csv", "predictions.csv")),
    ]
    for text in [*shown, *(file.read_text() for file in files)]:
        assert text
        body = re.sub(r"(?s)<(style|svg|script).*?</\1>|base64,[^\"]*", "", text)
        assert NEGATIVE_ZERO.search(body) is None, NEGATIVE_ZERO.search(body)

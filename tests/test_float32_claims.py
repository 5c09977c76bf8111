"""What is said of a table in float32 is true: rank, lowest loss, certificates, and the advice, which is followed.

Expected losses come from orthogonalisation in 100 digits (mpmath), which shares no code with the package.
"""

import json
import shlex

import mpmath
import numpy as np
import pytest

STREAM = np.random.default_rng(3)
N = 40
A, B, E = STREAM.normal(size=(3, N))
NET, TAX = (np.abs(STREAM.normal(size=(2, N))) * 30).round(2)

TABLES = {
    "near 1e-5": ({"a": A, "b": A + 1e-5 * B}, A + 3 * B + 0.1 * E),
    "near 1e-7": ({"a": A, "b": A + 1e-7 * B}, A + 3 * B + 0.1 * E),
    "near 1e-9": ({"a": A, "b": A + 1e-9 * B}, A + 3 * B + 0.1 * E),
    "cents": ({"net": NET, "tax": TAX, "gross": NET + TAX}, NET + 2 * TAX + E),
    "stamp": ({"t": 1.7e9 + np.arange(N) * 60.0, "a": A, "b": B}, A + B + 0.1 * E),
    "tiny": ({"a": A * 1e-12, "b": B}, A + B + 0.1 * E),
    "large weights": ({"a": 1e4 + A, "b": 1e4 + A + 1e-3 * B}, 3e3 * B + 0.1 * E),
    "line": ({"x": np.arange(N) * 1.0}, 2 * np.arange(N) + 1.0),
    "line of cents": ({"x": (10 * A).round(2)}, 2 * (10 * A).round(2) + 0.1),
    "target far from zero": ({"a": A, "b": B}, 2000 + 0.01 * (A + E)),
}


def lowest_loss(X, y):
    """The mean squared residual of least squares with an intercept, in 100 digits."""
    with mpmath.workdps(100):
        columns = [[mpmath.mpf(1)] * len(y), *([mpmath.mpf(float(v)) for v in x] for x in X.T)]
        basis, rest = [], [mpmath.mpf(float(v)) for v in y]
        for column in columns:
            found = _orthogonal(column, basis)
            length = mpmath.sqrt(mpmath.fsum(v * v for v in found))
            if length > mpmath.mpf(10) ** -60:
                basis.append([v / length for v in found])
        return float(mpmath.fsum(v * v for v in _orthogonal(rest, basis)) / len(y))


def _orthogonal(column, basis):
    for _ in range(2):
        for q in basis:
            inner = mpmath.fdot(column, q)
            column = [a - inner * b for a, b in zip(column, q, strict=True)]
    return column


@pytest.fixture
def said(linreg, tmp_path):
    """Everything that `train`, `inspect` and `report` say of a table with some settings."""

    def call(columns, y, **settings):
        rows = np.column_stack([*columns.values(), y]).tolist()
        text = "\n".join(",".join(map(repr, row)) for row in rows)
        (tmp_path / "t.csv").write_text(",".join([*columns, "y"]) + "\n" + text + "\n")
        config = {"name": "f", "data": {"path": "t.csv", "target": "y"}, "plots": False}
        config |= {"optimizer": {"lr": "auto", "momentum": "auto"}, "train": {"epochs": 300, "batch_size": "full"}}
        (tmp_path / "f.yaml").write_text(json.dumps(config))
        options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        run = linreg("train", "-c", "f.yaml", "--json", *options).json
        inspected = linreg("inspect", "-c", "f.yaml", "--json", *options).json
        linreg("report", run["run"], "-o", "r.html")
        page = " ".join(linreg("evaluate", run["run"]).out.split())
        return run, inspected, (tmp_path / "r.html").read_text(), page

    return call


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_one_rank_and_a_lowest_loss_that_is_true(said, name, standardize):
    columns, y = TABLES[name]
    run, inspected, report, _ = said(columns, y, **{"preprocess.standardize": str(standardize).lower()})
    optimum, p = run["metrics"]["optimum"], len(columns) + 1
    assert optimum["numbers"] == "rounded to float32"
    assert inspected["rank"] == optimum["rank"]
    assert inspected["rank_as_given"] == optimum["as_given"]["rank"]
    assert optimum["is_unique"] == (optimum["rank"] == p)
    assert f"{optimum['rank']} of {p}" in report
    if "refused" in run["metrics"]["inference"] and not optimum["is_unique"]:
        assert f"rank {optimum['rank']} of {p}" in run["metrics"]["inference"]["refused"]
    X = np.column_stack(list(columns.values()))
    if standardize:
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    lowest = lowest_loss(X.astype(np.float32), y.astype(np.float32))
    if optimum["gap_relative_to"] == "constant":
        assert lowest <= 1e-6 * np.var(y)
        assert lowest <= (2e-7 * np.abs(y).max()) ** 2
    elif optimum["rank"] == p:
        assert optimum["train_loss"] == pytest.approx(lowest, rel=1e-4)
    else:
        assert optimum["train_loss"] >= lowest * (1 - 1e-9)
    given = optimum["as_given"]
    if given["rank"] == p and given["gap_relative_to"] == "optimum":
        assert given["train_loss"] == pytest.approx(lowest_loss(np.column_stack(list(columns.values())), y), rel=1e-6)


@pytest.mark.parametrize("name", ["near 1e-7", "near 1e-9"])
def test_both_lowest_losses_are_said_where_they_differ(said, name):
    run, _, _, page = said(*TABLES[name])
    assert "for the table rounded to float32" in page
    assert "for the table as given" in page
    [warning] = [each["message"] for each in run["warnings"] if each["kind"] == "collinear"]
    assert "not unique in float32 (rank 2 of 3, and 3 as given): within its rounding, b = a" in warning
    assert warning.endswith("set train.dtype: float64")
    followed, _, _, page = said(*TABLES[name], **{"train.dtype": "float64"})
    assert not [each for each in followed["warnings"] if each["kind"] == "collinear"]
    assert "rounded" not in page


def test_a_gap_is_certified_for_the_table_as_given(said):
    settings = {"train.stop_gap": 0.01, "preprocess.standardize": "true"}
    run = said(*TABLES["near 1e-9"], **settings)[0]
    [warning] = [each["message"] for each in run["warnings"] if each["kind"] == "stop_gap"]
    assert "can never be certified" in warning
    assert len(run["metrics"]["optimum"]["as_given"]) == 5
    assert run["metrics"]["optimum"]["gap"] < 0.01 < run["metrics"]["optimum"]["as_given"]["gap"]
    sound = said({"a": A, "b": B}, A + B + 0.1 * E, **settings)[0]
    assert not [each for each in sound["warnings"] if each["kind"] == "stop_gap"]
    assert sound["metrics"]["optimum"]["as_given"]["gap"] < 0.01


@pytest.mark.parametrize("name", ["stamp", "tiny", "large weights", "near 1e-9"])
def test_the_advice_leads_to_inference_in_one_go_or_says_that_nothing_does(said, name):
    run = said(*TABLES[name])[0]
    [message] = [each["message"] for each in run["warnings"] if each["kind"] == "not_converged"]
    assert message.partition(" from the exact fit")[2].lstrip(":; ") in run["metrics"]["inference"]["refused"]
    if name == "near 1e-9":
        assert "too multicollinear for gradient descent" in message
        return
    options = shlex.split(message.partition("train with ")[2])
    settings = dict(each.split("=", 1) for each in options if each != "--set")
    assert "coefficients" in said(*TABLES[name], **settings)[0]["metrics"]["inference"], message


def test_the_digits_of_rounding_errors_are_not_printed(linreg, said):
    said(*TABLES["line"])
    page = " ".join(linreg("inspect", "-c", "f.yaml").out.split())
    assert "0 within rounding error on the train split, 0 by" in page
    assert "e-1" not in page.split("RMSE")[1]

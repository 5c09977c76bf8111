"""Targets that are computed from a few features are reported, and targets that are only explained well are not."""

import numpy as np
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset

N_ROWS = 200


def columns(n_others=3):
    stream = np.random.default_rng(9)
    names = ["a", "b", "c", *(f"other{number}" for number in range(n_others))]
    return {name: np.round(stream.lognormal(2, 1, N_ROWS), 2) for name in names}


def found(tmp_path, y, table, **preprocess):
    lines = [
        ",".join([*table, "y"]),
        *(",".join(f"{cell!r}" for cell in map(float, row)) for row in zip(*table.values(), y, strict=True)),
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    data = {"path": str(tmp_path / "t.csv"), "target": "y"}
    dataset = load_dataset(Config.model_validate({"data": data, "preprocess": preprocess}))
    return [each.message for each in dataset.summary.warnings if each.kind == "leak"]


EXACT = {
    "a sum": (lambda t: t["a"] + t["b"], "a + b", "a, b"),
    "a difference": (lambda t: t["a"] - t["b"], "a - b", "a, b"),
    "other weights": (lambda t: 2 * t["a"] - 0.5 * t["b"] + 3, "2 a - 0.5 b + 3", "a, b"),
    "three": (lambda t: t["a"] + t["b"] + t["c"], "a + b + c", "a, b, c"),
}


@pytest.mark.parametrize(("rule", "formula", "used"), EXACT.values(), ids=EXACT)
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_an_exact_combination_of_some_features_is_a_leak(rule, formula, used, scale, tmp_path):
    table = columns()
    y = rule(table)
    if scale != 1.0:  # far from zero, and large
        table = {name: values * scale for name, values in table.items()}
        y = y * scale
        formula = formula.replace("+ 3", "+ 3,000,000")
    (message,) = found(tmp_path, y, table)
    assert message == (
        f"y is {formula} within rounding error (target leakage); "
        f"if it is computed from them, leave them out with data.ignore: [{used}]"
    )


def test_a_target_that_is_rounded_is_exact_to_its_digits(tmp_path):
    table = columns()
    (message,) = found(tmp_path, np.round(1.25 * table["a"] + table["b"], 2), table)
    assert message.startswith("y is 1.25 a + b within rounding error")
    stream = np.random.default_rng(1)  # as small as the rounding, but with digits
    assert found(tmp_path, 1.25 * table["a"] + table["b"] + 0.02 * stream.normal(size=N_ROWS), table) == []


def test_where_all_features_take_part_only_sums_are_reported(tmp_path):
    table = {name: values for name, values in columns(0).items() if name != "c"}
    assert found(tmp_path, 2 * table["a"] - 3.4 * table["b"] + 4.2, table) == []  # an exact linear model
    assert len(found(tmp_path, table["a"] + table["b"], table)) == 1


def test_copies_of_the_parts_do_not_hide_the_sum(tmp_path):
    table = columns()
    table |= {"a2": 2 * table["a"], "total of b and c": table["b"] + table["c"]}
    assert len(found(tmp_path, table["a"] + table["b"], table)) == 1


INEXACT = {
    "noise": lambda t, stream: t["a"] + t["b"] + 0.01 * stream.normal(size=N_ROWS),
    "a product": lambda t, _: t["a"] * t["b"],
    "a part that is not there": lambda t, stream: t["a"] + t["b"] + stream.integers(0, 2, N_ROWS),
    "six parts": lambda t, _: sum(t.values()),
}


@pytest.mark.parametrize("rule", INEXACT.values(), ids=INEXACT)
def test_what_is_not_exact_or_not_of_few_features_is_not_reported(rule, tmp_path):
    table = columns(5)
    assert found(tmp_path, rule(table, np.random.default_rng(1)), table) == []


def test_a_feature_that_alone_determines_the_target_is_reported_alone(tmp_path):
    table = columns()
    for y in (2 * table["a"], 100 * table["a"] + 0.01 * table["b"]):
        messages = found(tmp_path, y, table)
        assert [message.split(" (")[0] for message in messages] == ["a alone determines y"]


@pytest.mark.parametrize("missing", ["mean", "median", "drop"])
def test_missing_cells_do_not_hide_a_leak(missing, tmp_path):
    """A filled cell is no part of the sum, or of the column, that the target was computed from."""
    table = columns()
    y, copy = table["a"] + table["b"], 1.19 * (table["a"] + table["b"])
    gaps = {**table, "a": np.where(np.arange(N_ROWS) % 40 == 3, np.nan, table["a"])}
    (message,) = found(tmp_path, y, gaps, missing=missing)
    assert message.startswith("y is a + b within rounding error")
    gaps = {**table, "copy": np.where(np.arange(N_ROWS) % 20 == 3, np.nan, copy)}
    messages = found(tmp_path, y, gaps, missing=missing)
    assert any(message.startswith("copy alone determines y") for message in messages)

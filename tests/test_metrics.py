"""Metrics against scikit-learn, and what is said where one is undefined."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from linreg_cli.evaluation.metrics import ErrorSums, parameters, probe, split_metrics
from linreg_cli.model import LinearFormula

TOO_LARGE = "overflow in float64"


def metrics_of(actual: np.ndarray, predicted: np.ndarray) -> dict:
    return ErrorSums().add(actual, predicted).metrics()


def summed(blocks) -> ErrorSums:
    errors = ErrorSums()
    for actual, predicted in blocks:
        errors.add(actual, predicted)
    return errors


def pairs(n_samples: int, n_targets: int) -> tuple[np.ndarray, np.ndarray]:
    stream = np.random.default_rng(6)
    actual = stream.normal(5, 2, (n_samples, n_targets)) * [10.0**k for k in range(n_targets)]
    return actual, actual + stream.normal(0.1, 0.5, (n_samples, n_targets))


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("n_samples", [2, 1000])
def test_metrics_are_those_of_scikit_learn(n_samples, n_targets):
    actual, predicted = pairs(n_samples, n_targets)
    found = metrics_of(actual, predicted)
    mse = sk.mean_squared_error(actual, predicted)
    # sums of up to 3000 float64 terms in another order: 3000 eps = 7e-13 at most
    assert found == {
        "mse": pytest.approx(mse, rel=1e-12),
        "rmse": pytest.approx(np.sqrt(mse), rel=1e-12),
        "mae": pytest.approx(sk.mean_absolute_error(actual, predicted), rel=1e-12),
        "r2": pytest.approx(sk.r2_score(actual, predicted), rel=1e-12),
        "n": n_samples,
    }


@pytest.mark.parametrize("sizes", [[1000], [1, 999], [400, 400, 200], [1] * 1000])
def test_metrics_do_not_depend_on_the_blocks_that_rows_come_in(sizes):
    actual, predicted = pairs(1000, 2)
    actual[:, 1] += 1e8  # a mean square less a squared mean would have no digit left
    cuts = np.cumsum(sizes)[:-1]
    blocks = zip(np.split(actual, cuts), np.split(predicted, cuts), strict=True)
    found = split_metrics(("a", "b"), summed(blocks), loss=1.5)
    for k, name in enumerate("ab"):
        # the values near 1e8 have an error of 1e8 eps = 1e-8 each, which stays below 1e-9 of the sum of squares
        assert found["by_target"][name]["r2"] == pytest.approx(sk.r2_score(actual[:, k], predicted[:, k]), rel=1e-9)
    assert found["mse"] == pytest.approx(sk.mean_squared_error(actual, predicted), rel=1e-12)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(actual, predicted), rel=1e-12)
    assert found["n"] == 1000


def test_a_target_that_is_constant_in_each_block_is_not_constant():
    found = split_metrics(("y",), summed([(np.full((3, 1), v), np.full((3, 1), v + 1)) for v in (1.0, 2.0)]), loss=1.0)
    assert found["r2"] == pytest.approx(1 - 6 / 1.5)  # by hand: six errors of 1, spread 6 x 0.25


def test_each_target_has_its_own_metrics_and_the_mean_of_r2_is_the_whole():
    actual, predicted = pairs(50, 2)
    found = split_metrics(("a", "b"), summed([(actual, predicted)]), loss=1.5)
    assert found["loss"] == 1.5
    for k, name in enumerate("ab"):
        assert found["by_target"][name]["r2"] == pytest.approx(sk.r2_score(actual[:, k], predicted[:, k]), rel=1e-12)
        assert found["by_target"][name]["mse"] == pytest.approx(np.mean((actual - predicted)[:, k] ** 2), rel=1e-12)
    assert found["r2"] == pytest.approx(np.mean([found["by_target"][name]["r2"] for name in "ab"]))
    assert "by_target" not in split_metrics(("a",), summed([(actual[:, :1], predicted[:, :1])]), loss=1.5)


def test_perfect_and_useless_predictions():
    actual = np.array([[1.0], [2.0], [6.0]])
    assert metrics_of(actual, actual)["r2"] == 1.0
    assert metrics_of(actual, np.full((3, 1), 3.0))["r2"] == 0.0
    assert metrics_of(actual, actual + 10)["r2"] < 0


@pytest.mark.parametrize(
    ("actual", "reason"),
    [
        ([[2.0], [2.0], [2.0]], "the target is constant in this split"),
        ([[0.1]] * 10, "the target is constant in this split"),  # the mean of ten times 0.1 is not 0.1
        ([[2.0]], "a single row has no variance"),
        ([[1.0, 2.0], [3.0, 2.0]], "the target is constant in this split"),
    ],
)
@pytest.mark.parametrize("error", [0.0, 0.5])
def test_r2_of_a_constant_target_is_null_with_the_reason(actual, reason, error):
    found = metrics_of(np.array(actual), np.array(actual) + error)
    assert found["r2"] is None
    assert found["r2_reason"] == reason
    assert found["mae"] == pytest.approx(error)


def test_overflow_is_null_with_the_reason():
    actual = np.array([[1e200], [2e200]])
    found = split_metrics(("y",), summed([(actual, -actual)]), loss=np.inf)
    assert [found[name] for name in ("loss", "mse", "rmse", "r2")] == [None] * 4
    assert [found[f"{name}_reason"] for name in ("loss", "mse", "rmse", "r2")] == [TOO_LARGE] * 4
    assert found["mae"] == 3e200
    json.dumps(found, allow_nan=False)


def test_a_spread_that_underflows_is_no_division_by_zero():
    found = metrics_of(np.array([[1e-200], [2e-200]]), np.array([[1.0], [1.0]]))
    assert found["r2"] is None
    assert found["r2_reason"] == TOO_LARGE


def test_parameters_are_named_and_nested_by_target():
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    several = LinearFormula(("a", "b"), ("u", "v"), weights, np.array([5.0, 6.0]))
    assert parameters(several) == {
        "units": "original",
        "weights": {"u": {"a": 1.0, "b": 3.0}, "v": {"a": 2.0, "b": 4.0}},
        "bias": {"u": 5.0, "v": 6.0},
    }
    single = LinearFormula(("a", "b"), ("u",), weights[:, :1], None)
    assert parameters(single) == {"units": "original", "weights": {"a": 1.0, "b": 3.0}, "bias": None}


def test_probes_are_in_the_order_of_the_features():
    formula = LinearFormula(("a", "b"), ("y",), np.array([[1.0], [10.0]]), np.array([0.5]))
    assert probe(formula, ((1.0, 2.0), (0.0, 0.0))) == [[21.5], [0.5]]
    assert probe(formula, ()) == []


def test_a_loss_that_overflows_on_a_test_row_is_null_in_the_json(linreg, config_file):
    """In float32 1e38 times 1000 overflows; in float64, where metrics are taken, it does not."""
    config = config_file(
        "data: {source: inline, columns: [x, y], rows: [[0.001, 2], [0.002, 3]], test_rows: [[1e38, -1e38]]}\n"
        "model: {init: {weight: 1000}}\nplots: false\n"
    )
    result = linreg("train", "-c", config, "--json")
    assert result.code == 0, result.err
    assert result.json["metrics"]["test"]["loss"] is None
    assert result.json["metrics"]["test"]["loss_reason"] == TOO_LARGE
    assert result.json["metrics"]["test"]["mae"] > 9e40

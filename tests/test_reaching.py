"""What is said to lead to the exact fit leads there: the expected coefficients are numpy's, by lstsq.

Distances are in standard errors of the exact fit, by the textbook's formula s sqrt(diag(inv(Z'Z))).
"""

import dataclasses
import shlex

import numpy as np
import pytest

from linreg_cli.config import load_config
from linreg_cli.convergence.recipe import Recipe, recipe
from linreg_cli.pipeline.prepare import prepare
from linreg_cli.wording import ratio

STREAM = np.random.default_rng(8)
A, B, E = STREAM.normal(size=(3, 60))
WIDE = STREAM.normal(size=(80, 60))
NEW = {
    "preprocess.standardize": "true",
    "preprocess.standardize_target": "true",
    "optimizer.lr": "auto",
    "optimizer.momentum": "auto",
    "train.batch_size": "full",
}


class Silent:
    """A reporter that shows nothing."""

    def _nothing(self, *_):
        pass

    stage = detail = warn = data = training = event = done = _nothing


def written(path, X, y, names=None):
    names = names or [f"x{j + 1}" for j in range(X.shape[1])]
    rows = [",".join([*names, "y"]), *(",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist())]
    path.write_text("\n".join(rows) + "\n")
    return {"data.path": str(path), "data.target": "y", "plots": "false"}


def expressions(settings):
    return [f"{key}={value}" for key, value in settings.items()]


def made(settings) -> Recipe:
    """The recipe of a table, and the settings that it makes."""
    loaded = load_config((), expressions({**settings, **NEW}))
    found = prepare(loaded, Silent())
    return recipe(loaded.config, found.problem, found.dataset, found.preprocessor)


def followed(linreg, settings, config_file):
    config = config_file("{data: {path: none, target: y}}")
    result = linreg("train", "-c", config, "--json", *(p for e in expressions(settings) for p in ("--set", e)))
    assert result.code == 0, (result.out, result.err)
    return result.json["metrics"]


def chosen(found: Recipe):
    values = {"lr": "optimizer.lr", "momentum": "optimizer.momentum"}
    values |= {key: f"train.{key}" for key in ("epochs", "stop_gap")}
    given = dataclasses.asdict(found)
    return {"train.dtype": "float64"} | {key: given[name] for name, key in values.items() if given[name] is not None}


def distance(X, y, metrics):
    """The largest |trained - exact| / standard error of a slope, and the R2 of the exact fit."""
    center, spread = X.mean(axis=0), X.std(axis=0)
    Z = np.column_stack([(X - center) / spread, np.ones(len(X))])
    exact, *_ = np.linalg.lstsq(Z, y - y.mean(), rcond=None)
    residuals = y - y.mean() - Z @ exact
    variance = residuals @ residuals / (len(X) - Z.shape[1]) * np.diag(np.linalg.inv(Z.T @ Z))
    trained = np.array(list(metrics["parameters"]["weights"].values())) * spread
    away = np.abs(trained - exact[:-1]) / np.sqrt(variance[:-1])
    return away.max(), 1 - residuals @ residuals / np.sum((y - y.mean()) ** 2)


TABLES = {
    "independent": (np.column_stack([A, B]), A - B + E),
    "one feature": (A[:, None], 2 * A + E),
    "nearly the same": (np.column_stack([A, A + 1e-2 * B]), A + B + E),
    "far from zero": (np.column_stack([2000 + np.arange(60), 1e5 + A]), 1e6 + A + 0.1 * np.arange(60) + E),
    "tiny and large": (np.column_stack([1e-9 * A, 1e9 * B]), A + B + E),
    "a polynomial": (np.linspace(0, 5, 60)[:, None] ** np.arange(1, 5), np.sin(np.linspace(0, 5, 60)) + E),
    "many columns": (WIDE, WIDE @ np.ones(60) + STREAM.normal(size=80)),
    "hardly any noise": (np.column_stack([A, B]), 1 + A - B + 1e-6 * E),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_new_config_reaches_the_exact_fit(linreg, config_file, tmp_path, name):
    X, y = TABLES[name]
    settings = written(tmp_path / "t.csv", X, y)
    found = made(settings)
    assert found.outlook is None
    metrics = followed(linreg, {**settings, **NEW, **chosen(found)}, config_file)
    away, r2 = distance(X, y, metrics)
    assert away < 1e-3
    assert metrics["train"]["r2"] == pytest.approx(r2, abs=1e-6)
    assert "coefficients" in metrics["inference"]


@pytest.mark.parametrize("load", ["longley", "stackloss", "scotland"])
def test_tables_of_statsmodels(linreg, config_file, tmp_path, load):
    import statsmodels.datasets

    table = getattr(statsmodels.datasets, load).load_pandas()
    X, y = table.exog.to_numpy(float), table.endog.to_numpy(float)
    settings = written(tmp_path / "t.csv", X, y)
    away, r2 = distance(X, y, metrics := followed(linreg, {**settings, **NEW, **chosen(made(settings))}, config_file))
    assert away < 1e-3
    assert metrics["train"]["r2"] == pytest.approx(r2, abs=1e-6)


WITHOUT = {
    "exactly dependent": (np.column_stack([A, B, A + B]), A + E, "not unique (rank 3 of 4)"),
    "fewer rows than parameters": (WIDE[:20], WIDE[:20, 0] + E[:20], "no residual degrees of freedom"),
    "no residuals": (A[:, None].round(2), 2 * A.round(2), "exact within rounding error"),
    "a constant target": (A[:, None], np.full(60, 3.0), "exact within rounding error"),
    "one row": (np.array([[1.0]]), np.array([2.0]), "no residual degrees of freedom"),
    "too multicollinear": (
        np.column_stack([A, A + 1e-7 * B]),
        A + E,
        "without x2 the exact fit is reached: train with",
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_where_there_is_no_exact_fit_to_reach_the_reason_is_said_and_the_lowest_loss_reached(
    linreg, config_file, tmp_path, name
):
    X, y, reason = WITHOUT[name]
    settings = written(tmp_path / "t.csv", X, y)
    found = made(settings)
    assert reason in found.outlook.message
    assert found.outlook.kind == ("not_converged" if name == "too multicollinear" else "no_exact_fit")
    metrics = followed(linreg, {**settings, **NEW, **chosen(found)}, config_file)
    Z = np.column_stack([X - X.mean(axis=0), np.ones(len(X))])
    lowest = np.mean((y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]) ** 2)
    if name != "too multicollinear":  # which takes more epochs than are practical
        assert metrics["train"]["mse"] <= lowest * (1 + 1e-9) + 1e-9 * np.var(y) + 1e-24


NEAR = 0.01
#: Settings by hand. A rate is in units of one over the largest sum of squares of a row.
HAND = {
    "the defaults": {"optimizer.lr": 1e-2},
    "a tiny rate": {"optimizer.lr": 1e-9},
    "full, by hand": {"train.batch_size": "full", "optimizer.lr": 0.1, "optimizer.momentum": "0.5"},
    "auto, and few epochs": {"train.batch_size": "full", "optimizer.lr": "auto", "train.epochs": "2"},
    "standardised, mini-batches": {"preprocess.standardize": "true", "optimizer.lr": "auto"},
    "a schedule": {"optimizer.schedule": "{kind: exponential, gamma: 0.5}", "optimizer.lr": 1e-2},
    "stopped early": {
        "train.batch_size": "full",
        "optimizer.lr": "auto",
        "train.epochs": "50",
        "train.early_stopping": "{monitor: train.loss, patience: 1, min_delta: 1e9}",
    },
    "a loose gap": {
        "preprocess.standardize": "true",
        "train.batch_size": "full",
        "optimizer.lr": "auto",
        "train.epochs": "500",
        "train.stop_gap": "0.5",
        "train.dtype": "float64",
    },
    "Nesterov": {"optimizer.momentum": "0.9", "optimizer.nesterov": "true", "optimizer.lr": 1e-3},
    "sums": {"loss": "sse", "optimizer.lr": 1e-3},
    "no bias": {"model.bias": "false", "optimizer.lr": 1e-2},
    "a log target": {"preprocess.target_transform": "log1p", "optimizer.lr": 1e-2},
}


def worst(metrics):
    """The largest distance that the metrics have, over all targets."""
    found, numbers = [metrics["optimum"]["distance"]], []
    while found:
        each = found.pop()
        if isinstance(each, dict):
            found += each.values()
        elif each is not None:
            numbers.append(abs(each))
    return max(numbers)


def advice(run):
    """The options that the warning about the fit has, as a shell reads them; None without such a warning."""
    [message] = [each["message"] for each in run["warnings"] if each["kind"] == "not_converged"] or [None]
    if message is None:
        return None
    assert f"{ratio(worst(run['metrics']))} standard errors from the exact fit" in message
    return shlex.split(message.partition("train with ")[2])


def trained(linreg, config_file, settings, more=()):
    config = config_file("{data: {path: none, target: y}}")
    given = [part for each in expressions(settings) for part in ("--set", each)]
    result = linreg("train", "-c", config, "--json", "--force", *given, *more)
    assert result.code == 0, (result.out, result.err)
    return result.json


@pytest.mark.parametrize(
    ("name", "hand"),
    [
        *(("far from zero", hand) for hand in HAND),
        *((name, "the defaults") for name in TABLES if name != "far from zero"),
    ],
)
def test_following_the_warning_leads_to_the_exact_fit_in_one_go(linreg, config_file, tmp_path, name, hand):
    X, y = TABLES[name]
    settings = {**written(tmp_path / "t.csv", X, np.abs(y)), **HAND[hand]}
    if isinstance(settings["optimizer.lr"], float):
        settings["optimizer.lr"] /= float(np.square(X).sum(axis=1).max())
    first = trained(linreg, config_file, settings)
    options = advice(first)
    if options is None:
        assert worst(first["metrics"]) < NEAR
        return
    assert options, first["warnings"]
    second = trained(linreg, config_file, settings, options)
    assert worst(second["metrics"]) < NEAR, options
    assert advice(second) is None
    # The config of the run has numbers where the first one has auto, and the same options lead there too. It also names
    # the executor that suits a few steps, by which 72,000 take a minute.
    again = ["-c", f"{first['path']}/config.yaml", "--json", *options, "--set", "train.engine=auto"]
    result = linreg("train", *again)
    assert result.code == 0, (result.out, result.err)
    assert worst(result.json["metrics"]) < NEAR, options

"""`linreg inspect` on tables as people have them, the optimum's errors on rows left out, and the rate of `auto`."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict


def config_of(path, **sections):
    config = {
        "data": {"path": str(path), "target": "y"}, "name": "t", "plots": False,
        "train": {"epochs": 30, "batch_size": "full", "dtype": "float64"},
    }  # fmt: skip
    for key, value in sections.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    return json.dumps(config)


def mixed(path):
    rng = np.random.default_rng(0)
    kind = rng.choice(["house", "flat", "hut"], 40).tolist()
    size, old = rng.normal(100, 20, 40), rng.random(40) < 0.3
    columns = {
        "kind": ["", *kind[1:]], "size": ["", "NA", *map(repr, size[2:].tolist())],
        "old": ["true" if value else "false" for value in old],
        "y": [repr(value) for value in (2 * size + rng.normal(size=40)).tolist()],
    }  # fmt: skip
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return kind, size, old


def test_categories_and_gaps_are_those_of_the_table(linreg, config_file, tmp_path):
    kind, size, old = mixed(tmp_path / "t.csv")
    preprocess = {"categorical": "one_hot", "missing": "drop", "columns": {"size": {"missing": "mean"}}}
    path = config_file(config_of(tmp_path / "t.csv", preprocess=preprocess))
    values = linreg("inspect", "-c", path, "--json").json
    columns = {column["name"]: column for column in values["columns"]}
    assert list(columns) == ["kind", "size", "old", "y"]
    assert values["n_samples"] == 39
    assert columns["kind"]["kind"] == columns["old"]["kind"] == "category"
    assert columns["kind"]["levels"] == {level: kind[1:].count(level) for level in ("flat", "house", "hut")}
    assert columns["old"]["levels"] == {"false": int((~old[1:]).sum()), "true": int(old[1:].sum())}
    assert (columns["kind"]["missing"], columns["kind"]["treatment"]) == (1, "drop")
    assert (columns["size"]["missing"], columns["size"]["treatment"]) == (2, "mean")
    assert columns["size"]["mean"] == pytest.approx(size[2:].mean(), rel=1e-12)  # without the filled cell
    assert columns["size"]["max"] == size[2:].max()
    assert columns["y"]["role"] == "target"
    page = linreg("inspect", "-c", path).out
    assert "3 levels" in page
    assert "2 (mean)" in page
    cells = [line for line in page.splitlines() if len(re.findall(r"\S {2,}(?=\S)", line)) >= 3]
    assert max(map(len, cells)) <= 80  # of the tables; prose is not wrapped in a pipe


def test_targets_with_a_function_parquet_and_no_bias(linreg, config_file, tmp_path):
    rng = np.random.default_rng(1)
    X, noise = rng.uniform(1, 2, (50, 2)), rng.normal(size=50) * 0.01
    y, z = np.exp(X @ [1.0, 0.5] + noise), np.exp(X @ [0.2, 0.3] + noise)
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "y": y, "z": z}), tmp_path / "t.parquet")
    data = {"target": ["y", "z"]}
    path = config_file(
        config_of(tmp_path / "t.parquet", data=data, model={"bias": False}, preprocess={"target_transform": "log"})
    )
    values = linreg("inspect", "-c", path, "--json").json
    columns = {column["name"]: column for column in values["columns"]}
    assert columns["y"]["max"] == y.max()  # in its own units
    found = values["optimum"]["parameters"]
    exact = np.linalg.lstsq(X, np.log(np.column_stack([y, z])), rcond=None)[0]
    for k, target in enumerate(("y", "z")):
        assert found[target]["bias"] is None
        assert list(found[target]["weights"].values()) == pytest.approx(exact[:, k].tolist(), rel=1e-10)
    model, both = LinearRegression(fit_intercept=False), np.log(np.column_stack([y, z]))
    predicted = cross_val_predict(model, X, both, cv=LeaveOneOut())
    squares = (np.exp(predicted) - np.column_stack([y, z])) ** 2
    assert values["optimum"]["leave_one_out"]["mse"] == pytest.approx(np.mean(squares), rel=1e-9)
    assert (values["optimum"]["units"], values["optimum"]["parameters_units"]) == ("original", "transformed")
    assert linreg("inspect", "-c", path).code == 0


@pytest.mark.parametrize("standardize", [False, True])
def test_errors_on_rows_left_out_are_those_of_refitting(linreg, config_file, tmp_path, standardize):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 3)) * [1, 10, 100]
    y = X @ [1, 0.1, 0.01] + rng.normal(size=30)
    rows = "\n".join(",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist())
    (tmp_path / "t.csv").write_text(f"a,b,c,y\n{rows}\n")
    folds = {"evaluate": {"cross_validation": {"folds": 3}}, "data": {"split": {"shuffle": False}}}
    path = config_file(config_of(tmp_path / "t.csv", preprocess={"standardize": standardize}, **folds))
    found = linreg("inspect", "-c", path, "--json").json["optimum"]
    model = LinearRegression()
    for key, cv in (("leave_one_out", LeaveOneOut()), ("k_fold", 3)):
        squares = (cross_val_predict(model, X, y, cv=cv) - y) ** 2
        assert found[key]["mse"] == pytest.approx(squares.mean(), rel=1e-9)
        assert found[key]["r2"] == pytest.approx(1 - squares.mean() / y.var(), rel=1e-9)
    assert found["folds"] == 3
    page = " ".join(linreg("inspect", "-c", path).out.split())
    assert f"{found['leave_one_out']['rmse']:.6g} by leave-one-out" in page
    assert "by 3-fold cross-validation" in page


@pytest.mark.parametrize("size", [1, 7, "full"])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_auto_ends_where_the_rate_that_inspect_proposes_does_or_lower(linreg, config_file, tmp_path, size, momentum):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 2))
    y = X @ [1, 2] + 0.1 * rng.normal(size=60)
    rows = "\n".join(",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist())
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    given = {"train": {"batch_size": size}, "optimizer": {"lr": 1e-9, "momentum": momentum}}
    path = config_file(config_of(tmp_path / "t.csv", **given))
    ways = linreg("inspect", "-c", path, "--json").json["alternatives"]
    [best] = [way for way in ways if way["label"] == "best rate"]
    gaps = [
        linreg("train", "-c", path, "--json", *("--set", f"optimizer.lr={lr}")).json["metrics"]["optimum"]["gap"]
        for lr in ("auto", best["lr"])
    ]
    assert gaps[0] <= max(1.2 * gaps[1], 1e-6)  # the choice that has a formula is kept where it is as good


@pytest.mark.parametrize("size", [5, 8])
def test_mini_batches_reach_the_gap_that_inspect_promises(linreg, config_file, tmp_path, size):
    """More epochs, or a rate that falls: either ends near 1e-6 where the rate of a few epochs levels off far above."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 2)) @ [[1, 0.8], [0, 0.6]]
    y = X @ [1, 2] + 0.3 * rng.normal(size=60)
    rows = "\n".join(",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist())
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    path = config_file(config_of(tmp_path / "t.csv", train={"batch_size": size}, optimizer={"lr": "auto"}))
    values = linreg("inspect", "-c", path, "--json").json
    assert values["forecast"]["1e-6"] is None
    assert "level off near a gap of" in values["advice"][0]
    ways = [way for way in values["alternatives"] if any("train.epochs" in change for change in way["set"])]
    assert ways
    for way in ways:
        epochs = next(int(change.split("=")[1]) for change in way["set"] if change.startswith("train.epochs"))
        if epochs > 5000:
            continue
        options = [part for change in way["set"] for part in ("--set", change)]
        result = linreg("train", "-c", path, "--json", *options)
        assert result.code == 0, result.err
        with open(f"{result.json['path']}/history.csv") as file:
            names = file.readline().strip().split(",")
            gaps = [float(line.split(",")[names.index("gap")]) for line in file]
        assert np.mean(gaps[-5:]) < 5e-6, way
        first = next(epoch for epoch, gap in enumerate(gaps) if gap <= 2e-6)
        assert way["forecast"]["1e-6"] / 2 <= first <= 2 * way["forecast"]["1e-6"]

"""Cross-validation against the same folds by hand, with scikit-learn's exact solution."""

from array import array

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score

from linreg_cli import seeds
from linreg_cli.config import Config
from linreg_cli.data import Dataset
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.evaluation.cross_validation import cross_validate, fold_numbers, folds
from linreg_cli.model import LinearFormula
from linreg_cli.seeds import numpy_stream

STREAM = np.random.default_rng(3)
X = STREAM.normal(size=(60, 2))
Y = np.exp(0.5 * X[:, 0] - 0.2 * X[:, 1] + 1 + 0.1 * STREAM.normal(size=60))
CONFIG = """
name: t
data: {path: t.csv, target: y, split: {train: 0.8, test: 0.2, shuffle: SHUFFLE}}
preprocess: {standardize: true, target_transform: log}
optimizer: {lr: 0.3}
train: {epochs: 200, batch_size: full, dtype: float64}
evaluate: {cross_validation: {folds: 4}}
plots: false
"""


@pytest.fixture
def train(linreg, config_file, tmp_path):
    rows = "".join(f"{a!r},{b!r},{y!r}\n" for (a, b), y in zip(X.tolist(), Y.tolist(), strict=True))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)

    def call(*more, shuffle="false"):
        return linreg("train", "-c", config_file(CONFIG.replace("SHUFFLE", shuffle)), *more)

    return call


def test_each_fold_is_predicted_by_a_model_of_the_others_in_original_units(train):
    found = train("--json").json["metrics"]["cross_validation"]
    expected = []
    for held_out in np.array_split(np.arange(48), 4):
        others = np.setdiff1d(np.arange(48), held_out)
        model = LinearRegression().fit(X[others], np.log(Y[others]))
        errors = Y[held_out] - np.exp(model.predict(X[held_out]))
        expected.append(np.sqrt(np.mean(errors**2)))
    assert found["folds"] == 4
    assert found["rmse"]["values"] == pytest.approx(expected, rel=1e-9)
    assert found["rmse"]["mean"] == pytest.approx(np.mean(expected), rel=1e-9)
    assert found["rmse"]["std"] == pytest.approx(np.std(expected, ddof=1), rel=1e-9)


def test_people_see_it_and_gates_may_ask_for_it(train):
    result = train("--fail-if", "cross_validation.r2.mean < 0.5")
    assert result.code == 0, result.err
    assert "\n  4 folds: rmse " in result.out
    assert train("--fail-if", "cross_validation.r2.mean > 0.5").code == 5


def test_folds_are_drawn_from_the_seed(train):
    first, again = (train("--json", shuffle="true").json["metrics"]["cross_validation"] for _ in range(2))
    other = train("--json", "--set", "seed=1", shuffle="true").json["metrics"]["cross_validation"]
    assert first == again != other


def test_every_row_is_held_out_once():
    rows: Rows = np.arange(10, 33)
    parts = folds(rows, 5, shuffle=True, seed=2)
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    assert {len(part) for part in parts} == {4, 5}


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    "rows", [np.arange(10, 33), np.random.default_rng(1).permutation(40)[:23], RowSet.where(np.arange(40) % 2 == 1)]
)
def test_the_fold_of_each_row_says_what_the_rows_of_each_fold_do(rows, shuffle):
    found, ascending = fold_numbers(rows, 5, shuffle=shuffle, seed=2), np.sort(np.asarray(rows))
    assert found.dtype == np.uint8
    for number, fold in enumerate(folds(np.asarray(rows), 5, shuffle=shuffle, seed=2)):
        assert ascending[found == number].tolist() == sorted(fold.tolist())


@pytest.mark.parametrize("n_rows", [1, 2, 40, 41, 42, 1_000])
@pytest.mark.parametrize("draws", [40, 65_536])
def test_a_shuffle_is_undone(n_rows, draws, monkeypatch):
    monkeypatch.setattr(seeds, "_DRAWS", draws)
    order, drawn = numpy_stream(7, "folds").permutation(n_rows), np.random.default_rng(1).integers(0, 256, n_rows)
    expected, cells = np.empty(n_rows), array("B", drawn.tolist())
    expected[order] = drawn
    seeds.unshuffle(cells, numpy_stream(7, "folds"))
    assert cells.tolist() == expected.tolist()


def test_many_folds_have_the_number_type_that_holds_them():
    found = fold_numbers(np.arange(900), 300, shuffle=True, seed=0)
    assert found.dtype == np.uint16
    assert np.bincount(found).tolist() == [3] * 300


def test_a_level_that_a_fold_lacks_stops_nothing(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text(
        "c,x,y\n" + "".join(f"{'rare' if k == 3 else 'ab'[k % 2]},{k},{k + k % 2}\n" for k in range(12))
    )
    config = config_file(
        "name: t\ndata: {path: t.csv, target: y}\npreprocess: {categorical: one_hot, standardize: true}\n"
        "evaluate: {cross_validation: {folds: 3}}\nplots: false\n"
    )
    result = linreg("train", "-c", config, "--json")
    assert result.code == 0, result.err
    assert len(result.json["metrics"]["cross_validation"]["mae"]["values"]) == 3


def test_a_fold_that_diverges_leaves_the_metrics_undefined_and_says_why():
    rows = np.arange(6)
    splits = {"train": rows, "validation": rows[:0], "test": rows[:0]}
    dataset = Dataset("rows", ("x",), ("y",), {"x": np.arange(6.0), "y": np.arange(6.0)}, splits)
    config = Config.model_validate(
        {"data": {"path": "t.csv", "target": "y"}, "evaluate": {"cross_validation": {"folds": 3}}}
    )
    answers = iter([LinearFormula(("x",), ("y",), np.ones((1, 1)), None), "it diverged"])
    found = cross_validate(dataset, config, lambda _: next(answers))
    assert (found["rmse"], found["rmse_reason"]) == (None, "fold 2: it diverged")


def test_a_spread_beyond_a_float_is_null_with_its_reason():
    rows = np.arange(4)
    splits = {"train": rows, "validation": rows[:0], "test": rows[:0]}
    dataset = Dataset("rows", ("x",), ("y",), {"x": np.arange(4.0), "y": np.arange(4.0)}, splits)
    config = Config.model_validate(
        {"data": {"path": "t.csv", "target": "y"}, "evaluate": {"cross_validation": {"folds": 2}}}
    )
    slopes = iter([1e153, 1.0])  # squares of errors near 1e306 are finite, the square of their spread is not
    found = cross_validate(dataset, config, lambda _: LinearFormula(("x",), ("y",), np.array([[next(slopes)]]), None))
    assert (found["mse"], "overflows float64" in found["mse_reason"]) == (None, True)


AUTO = """
name: t
data: {path: t.csv, target: y, split: {train: 1.0, validation: 0.0, test: 0.0, shuffle: false}}
preprocess: {standardize: true, standardize_target: true}
optimizer: {lr: auto, momentum: MOMENTUM}
train: {epochs: 20000, batch_size: full, dtype: float64, stop_gap: 1.0e-15}
evaluate: {cross_validation: {folds: 5}}
plots: false
"""


@pytest.fixture
def steep(tmp_path):
    """Rows whose curvature changes from fold to fold, so that a rate of the whole split diverges on some."""
    stream = np.random.default_rng(5)
    X = stream.normal(size=(60, 3)) * np.where(np.arange(60) < 12, 30.0, 1.0)[:, None]
    X[12:, 2] = X[12:, 1] + 0.2 * X[12:, 2]
    y = X @ [1.0, -2.0, 3.0] + stream.normal(size=60)
    lines = (",".join(repr(float(v)) for v in (*row, target)) for row, target in zip(X, y, strict=True))
    (tmp_path / "t.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    return X, y


@pytest.mark.parametrize("momentum", ["auto", "0"])
def test_auto_is_chosen_anew_for_each_fold(linreg, config_file, steep, momentum):
    result = linreg("train", "-c", config_file(AUTO.replace("MOMENTUM", momentum)), "--json")
    assert result.code == 0, result.err
    found = result.json["metrics"]["cross_validation"]
    for name, scoring in (("r2", "r2"), ("mse", "neg_mean_squared_error"), ("mae", "neg_mean_absolute_error")):
        theirs = cross_val_score(LinearRegression(), *steep, cv=KFold(5), scoring=scoring)
        expected = theirs if name == "r2" else -theirs
        assert found[name]["values"] == pytest.approx(expected, rel=1e-6), name
        assert found[name]["std"] == pytest.approx(np.std(expected, ddof=1), rel=1e-6)


def test_a_run_that_goes_on_chooses_anew_too(linreg, config_file, steep):
    short = ("--set", "train.epochs=2", "--set", "train.stop_gap=null", "--json")
    begun = linreg("train", "-c", config_file(AUTO.replace("MOMENTUM", "auto")), *short).json
    on = linreg("train", "--resume", begun["run"], "--set", "train.epochs=1000", "--json").json
    theirs = cross_val_score(LinearRegression(), *steep, cv=KFold(5))
    assert on["metrics"]["cross_validation"]["r2"]["values"] == pytest.approx(theirs, rel=1e-6)


def test_a_rate_above_the_limit_of_a_fold_is_named_with_the_remedy(linreg, config_file, steep):
    config = config_file(AUTO.replace("MOMENTUM", "0"))
    whole = linreg("inspect", "-c", config, "--json").json["stable_lr"]["full_batch"]
    result = linreg("train", "-c", config, "--set", f"optimizer.lr={0.99 * whole}", "--json")
    assert result.code == 0, result.err
    found = result.json["metrics"]["cross_validation"]
    assert found["r2"] is None
    assert ". Set optimizer.lr: " in found["r2_reason"]
    assert " times the limit " in found["r2_reason"]


@pytest.mark.parametrize(
    ("count", "code", "message"),
    [
        ("1", 2, "evaluate.cross_validation.folds must be at least 2, found 1"),
        ("49", 2, "evaluate.cross_validation.folds: 49 folds are more than the 48 rows of the train split; lower it"),
        ("half", 2, "evaluate.cross_validation.folds: expected a whole number"),
    ],
)
def test_a_count_that_makes_no_sense(train, count, code, message):
    result = train("--set", f"evaluate.cross_validation.folds={count}")
    assert (result.code, message in result.err) == (code, True), result.err


def test_folds_in_order_are_those_of_scikit_learn():
    rows = np.arange(23)
    expected = [held_out.tolist() for _, held_out in KFold(5).split(rows)]
    assert [fold.tolist() for fold in folds(rows, 5, shuffle=False, seed=0)] == expected

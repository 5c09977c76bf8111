"""Sums over the rows of a table are those of its parts, so any number of processes finds the same bits."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.preprocessing import StandardScaler
from thread_ranks import Several, divided

from linreg_cli.config.schema import Config, PreprocessConfig
from linreg_cli.data.columns import row_file
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.data.roles import RowWeights
from linreg_cli.data.train_moments import standard_deviations
from linreg_cli.errors import DataError
from linreg_cli.evaluation import prediction_lines, predictions
from linreg_cli.evaluation.row_sample import split_samples
from linreg_cli.evaluation.smearing import estimating
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.residual_checks import chance_of_durbin_watson, chance_of_hc3
from linreg_cli.least_squares.solve import of_rows
from linreg_cli.model import LinearFormula
from linreg_cli.ranks.shards import Shards

STANDARD = PreprocessConfig(standardize=True, standardize_target=True, ddof=1)
SIZES = (1, 2, 3, 4)


def table(n=53, *, weighted=False, targets=1):
    """Rows in splits of random order; rows 0 to 9 are dropped, so that a part of eight has no train rows."""
    rng = np.random.default_rng(n)
    features = {"a": rng.lognormal(size=n), "b": rng.normal(1e6, 1e-2, n), "c": np.full(n, 0.1)}
    answers = {f"y{k}": 5 + features["a"] * (k + 2) + rng.lognormal(size=n) for k in range(targets)}
    order = rng.permutation(np.arange(10, n)).astype(np.int32)
    splits = {"train": order[:30], "validation": order[:0], "test": order[30:]}
    weights = RowWeights.of(rng.uniform(0.5, 2, n), "w", splits["train"]) if weighted else None
    return Dataset("t.csv", tuple(features), tuple(answers), features | answers, splits, weights=weights)


def of_each_size(dataset, function, shards=8):
    """What a function of the dataset returns in 1, 2, 3 and 4 processes."""
    found = []
    for size in SIZES:
        several = Several(size)
        with several:
            found.append(function(divided(dataset, several.ranks, shards)))
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_scaling_has_the_same_bits_in_any_number_of_processes(weighted):
    dataset = table(weighted=weighted)

    def fitted(given):
        found = Preprocessor.fit(given, STANDARD, bias=True)
        return found.as_json(), standard_deviations(given)

    found = of_each_size(dataset, fitted)
    assert found[0] == found[1] == found[2] == found[3]
    scaling = Preprocessor.fit(divided(dataset, [None], 8), STANDARD, bias=True).features
    train, n = dataset.splits["train"], 30
    X = np.column_stack([dataset.columns[name][train] for name in "ab"])
    scaler = StandardScaler().fit(X, sample_weight=None if dataset.weights is None else dataset.weights[train])
    np.testing.assert_allclose(scaling.center[:2], scaler.mean_, rtol=1e-14)
    # 'b' has a spread of 1e-8 of its size: rounding of the mean, eps 1e6 = 2e-10, is 2e-8 of the spread.
    np.testing.assert_allclose(scaling.scale[:2], scaler.scale_ * np.sqrt(n / (n - 1)), rtol=1e-7)
    assert (scaling.center[2], scaling.scale[2]) == (0.1, 0.0)  # as it stands in the table, without rounding error


def test_a_column_is_passed_over_once_for_its_scaling_and_its_standard_deviation():
    dataset, reads = table(), []

    class Counted(np.ndarray):
        def __getitem__(self, rows):
            reads.append(rows)
            return np.asarray(super().__getitem__(rows))

    dataset = replace(dataset, columns=dataset.columns | {"a": dataset.columns["a"].view(Counted)})
    scaling = Preprocessor.fit(dataset, STANDARD, bias=True).features
    n_reads = len(reads)
    deviations = standard_deviations(dataset)
    assert (n_reads, len(reads)) == (2, 2)  # the sum, and the squares about the mean
    assert deviations["a"] == pytest.approx(scaling.scale[0] * np.sqrt(29 / 30), rel=1e-14)  # ddof: 1, and 30 rows
    other = dataset.resplit(dataset.splits | {"train": dataset.splits["train"][:20]})
    assert standard_deviations(other)["a"] == np.std(dataset.columns["a"].view(np.ndarray)[other.splits["train"]])


@pytest.mark.parametrize("weighted", [False, True])
def test_one_part_has_the_bits_of_a_table_without_parts(weighted):
    dataset = table(weighted=weighted)
    rows = replace(dataset, splits={split: np.sort(rows) for split, rows in dataset.splits.items()})
    of_part, whole = (Preprocessor.fit(each, STANDARD, bias=True) for each in (divided(rows, [None], 1), rows))
    assert of_part.as_json() == whole.as_json()


def test_the_first_value_outside_a_domain_is_named_whichever_process_has_it():
    dataset = table(targets=2)
    for name, row in (("y0", 44), ("y0", 20), ("y1", 12)):
        dataset.columns[name][row] = -3.0
    splits = dataset.splits | {"train": np.concatenate([dataset.splits["train"], dataset.splits["test"]])}
    logs = STANDARD.model_copy(update={"target_transform": "log"})

    def refused(given):
        with pytest.raises(DataError) as error:
            Preprocessor.fit(given, logs, bias=True)
        return str(error.value)

    found = of_each_size(replace(dataset, splits=splits), refused)
    expected = "t.csv, row 21, column 'y0': preprocess.target_transform: log needs values above 0, found -3"
    assert set(found) == {expected}
    dataset.columns["y0"][:] = np.linspace(0, 1.7e308, 53)
    assert len(set(of_each_size(dataset, lambda given: _overflow(given)))) == 1


def _overflow(dataset):
    with pytest.raises(DataError, match="cannot be standardised in float64") as error:
        Preprocessor.fit(dataset, STANDARD, bias=True)
    return str(error.value)


def formula_of(dataset, transform="none", weight=1.5):
    features, targets = dataset.features, dataset.targets
    weights = np.full((len(features), len(targets)), weight) + np.arange(len(targets))
    return LinearFormula(features, targets, weights, np.arange(len(targets)) - 0.5, transform)


def single(dataset):
    """The same table with one feature, which predictions.csv has as a column."""
    return replace(dataset, features=("a",))


@pytest.mark.parametrize("kept", ["all", "sample", "none"])
@pytest.mark.parametrize(("weighted", "targets", "few"), [(False, 1, True), (True, 2, False)])
def test_predictions_and_metrics_are_those_of_one_process(kept, weighted, targets, few, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_lines, "BLOCK_ROWS", 5)
    monkeypatch.setattr(prediction_lines, "PIECE", 100)
    monkeypatch.setattr(split_samples, "__defaults__", (30,))
    dataset = table(weighted=weighted, targets=targets)
    dataset = single(dataset) if few else dataset
    formula = formula_of(dataset)

    def of(given):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        errors = predictions.write_predictions(path, formula, given, kept=kept, seed=3)
        metrics = {split: sums.metrics() for split, sums in errors.items()}
        return metrics, path.read_bytes() if path.exists() else b""

    found = of_each_size(dataset, of)
    assert found[0] == found[1] == found[2] == found[3]
    whole = of(dataset)
    assert found[0][1] == whole[1], "the file is that without parts"
    assert (found[0][1] != b"") == (kept != "none")
    metrics = found[0][0]
    assert metrics == {split: sums.metrics() for split, sums in summed(dataset, formula).items()}
    for split, rows in (("train", dataset.splits["train"]), ("test", dataset.splits["test"])):
        actual = np.column_stack([dataset.columns[name][rows] for name in dataset.targets])
        predicted, weights = formula.predict(dataset.columns, rows), dataset.weights_of(rows)
        assert metrics[split]["n"] == len(rows)
        assert metrics[split]["mse"] == pytest.approx(sk.mean_squared_error(actual, predicted, sample_weight=weights))
        assert metrics[split]["mae"] == pytest.approx(sk.mean_absolute_error(actual, predicted, sample_weight=weights))
        assert metrics[split]["r2"] == pytest.approx(sk.r2_score(actual, predicted, sample_weight=weights), rel=1e-12)


def summed(dataset, formula):
    """The errors in parts without a file."""
    return predictions.summed_errors(formula, divided(dataset, [None], 8))


def test_a_disk_that_is_full_is_reported_with_the_remedy(tmp_path, monkeypatch):
    class Full:
        def __init__(self, size, dir):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(prediction_lines.tempfile, "SpooledTemporaryFile", Full)
    dataset, several = table(), Several(2)
    with several, pytest.raises(DataError, match="No space left on device; set TMPDIR to a folder on another disk"):
        predictions.write_predictions(tmp_path / "p.csv", formula_of(dataset), divided(dataset, several.ranks, 4))
    assert list(tmp_path.iterdir()) == []


def test_the_smearing_factor_is_that_of_the_parts():
    dataset = single(table(targets=2))
    preprocess = {"target_transform": "log", "target_estimate": "mean"}
    config = Config.model_validate({"data": {"source": "synthetic", "weights": [1.0]}, "preprocess": preprocess})
    formula = formula_of(dataset, "log", 0.1)
    found = of_each_size(dataset, lambda given: estimating(formula, given, config).smearing.tobytes())
    assert found[0] == found[1] == found[2] == found[3]
    rows = dataset.splits["train"]
    y = np.column_stack([dataset.columns[name][rows] for name in dataset.targets])
    expected = np.exp(np.log(y) - formula.linear(dataset.columns, rows)).mean(axis=0)
    np.testing.assert_allclose(np.frombuffer(found[0]), expected, rtol=1e-13)


def as_kept(part):
    """A pass that keeps the rows of a part, with their positions among all train rows."""
    for rows in part.blocks(4):
        at = part.among_all(rows)
        weights = np.ones(rows.stop - rows.start) if part.weight_n is None else part.weight_n[rows]
        part.keep(np.arange(at.start, at.stop), part.X_nd[rows][:, 0], part.y_nk[rows][:, 0], weights)
    return part.last - part.first


@pytest.mark.parametrize(("units", "weighted"), [("given_rows", True), ("original_rows", False)])
def test_passes_over_train_rows_see_them_in_the_order_of_the_table(units, weighted, monkeypatch):
    dataset = table(weighted=weighted)
    logs = STANDARD.model_copy(update={"target_transform": "log"})
    ascending = np.sort(dataset.splits["train"])

    def passed(given):
        rows = getattr(Preprocessor.fit(given, logs, bias=True), units)(given)
        kept, again = [], []
        counts = rows.of_parts(as_kept, keep=lambda *columns: kept.append(np.stack(columns)))
        assert rows.of_parts(as_kept, keep=lambda *columns: again.append(np.stack(columns))) == counts
        assert np.hstack(kept).tobytes() == np.hstack(again).tobytes()
        assert counts == [each for each in np.histogram(ascending, Shards(53, 8).bounds)[0].tolist() if each]
        return np.hstack(kept), rows

    monkeypatch.setattr(row_file, "LARGEST_ARRAY", 150)  # the processes with most rows keep them in a file
    found = of_each_size(dataset, lambda given: passed(given)[0])
    assert len({each.tobytes() for each in found}) == 1
    position, x, y, weights = found[0]
    np.testing.assert_array_equal(position, np.arange(len(ascending)))
    preprocessor = Preprocessor.fit(divided(dataset, [None], 8), logs, bias=True)
    expected = dataset.columns["a"][ascending], np.log(dataset.columns["y0"][ascending])
    if units == "given_rows":
        scalings = preprocessor.features, preprocessor.targets
        expected = [(each - of.center[0]) / of.scale[0] for each, of in zip(expected, scalings, strict=True)]
    np.testing.assert_array_equal(x, expected[0])
    np.testing.assert_array_equal(y, expected[1])
    np.testing.assert_array_equal(weights, dataset.weights_of(ascending) if weighted else 1.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_exact_fit_of_the_table_has_the_same_bits_in_any_number_of_processes(weighted):
    dataset = table(weighted=weighted, targets=2)
    dataset = replace(dataset, features=("a", "b"))
    clusters = Clusters.of(np.arange(30) % 7)

    def solved(given):
        rows = Preprocessor.fit(given, PreprocessConfig(), bias=True).original_rows(given)
        optimum = of_rows(rows, bias=True)
        about = {"covariance": "cluster", "clusters": clusters, "divided": rows}
        fits = [infer(optimum, rows.X_nd, rows.y_nk, names="ab", target=k, **about) for k in range(2)]
        found = [optimum.weights, optimum.bias, optimum.factor.R_pp]
        for fit in fits:
            found += [fit.std_err, fit.std_err_hc3, fit.std_err_cluster, fit.leverage[:], fit.residuals[:], fit.r2]
            found += [chance_of_hc3(optimum, rows, fit, [0, 1]), chance_of_durbin_watson(optimum, rows, fit)]
        return [np.asarray(each).tobytes() for each in found], optimum

    found = of_each_size(dataset, lambda given: solved(given)[0])
    assert found[0] == found[1] == found[2] == found[3]
    one, rows = solved(divided(dataset, [None], 8))[1], np.sort(dataset.splits["train"])
    root = np.ones(30) if dataset.weights is None else np.sqrt(dataset.weights_of(rows))
    # about 1e6, from which numpy's own solution would lose the digits of 'b'
    A = np.column_stack([dataset.columns["a"][rows], dataset.columns["b"][rows] - 1e6, np.ones(30)]) * root[:, None]
    y = np.column_stack([dataset.columns[name][rows] for name in dataset.targets]) * root[:, None]
    np.testing.assert_allclose(one.weights, np.linalg.lstsq(A, y)[0][:2], rtol=1e-6)

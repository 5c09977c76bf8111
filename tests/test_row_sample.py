"""`evaluate.predictions`: which rows `predictions.csv` has, and what is said and drawn of a sample."""

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from drawings import legend_texts

from linreg_cli.evaluation import row_sample
from linreg_cli.evaluation.row_sample import SplitSample, outermost, split_samples
from linreg_cli.figures.epochs import Axes
from linreg_cli.figures.kinds import KINDS
from linreg_cli.figures.material import Material
from linreg_cli.runs.find import find_run

CONFIG = {
    "name": "p", "plots": False, "evaluate": {"predictions": "sample"},
    "data": {"path": "t.csv", "target": "y", "split": {"train": 0.8, "validation": 0.05, "test": 0.15}},
    "preprocess": {"standardize": True}, "optimizer": {"lr": "auto", "momentum": "auto"},
    "train": {"epochs": 200, "batch_size": "full", "dtype": "float64"},
}  # fmt: skip


def table(n=2_000, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    return pd.DataFrame({"a": a, "b": b, "y": 2 * a - b + rng.standard_t(3, n)})


@pytest.fixture
def train(linreg, config_file, tmp_path, monkeypatch):
    """Train with some `evaluate.predictions`, a sample being 400 rows; the run."""
    monkeypatch.setattr(split_samples, "__defaults__", (400,))

    def call(kept, frame=None):
        (table() if frame is None else frame).to_csv(tmp_path / "t.csv", index=False)
        text = json.dumps(CONFIG | {"evaluate": {"predictions": kept}})
        result = linreg("train", "-c", config_file(text), "--quiet", "--json")
        assert result.code == 0, result.err
        return find_run(tmp_path / "outputs", "latest")

    return call


def test_a_sample_has_lines_of_the_whole_file_and_the_metrics_are_of_all_rows(train):
    whole, some = train("all"), train("sample")
    everything, sample = (pd.read_csv(run.path / "predictions.csv", dtype=str) for run in (whole, some))
    assert (len(everything), len(sample)) == (2_000, 400)
    assert len(sample.merge(everything)) == 400  # each of its lines, digit by digit
    assert sample["split"].drop_duplicates().tolist() == ["train", "validation", "test"]
    for split, found in sample.groupby("split"):
        rows = found["row"].astype(int)
        assert rows.is_monotonic_increasing, split
    assert whole.read_json("metrics.json") == some.read_json("metrics.json")


def test_the_extremes_of_each_split_are_in_the_sample(train):
    everything, sample = (pd.read_csv(train(kept).path / "predictions.csv") for kept in ("all", "sample"))
    for split, rows in everything.groupby("split"):
        kept = set(sample["row"][sample["split"] == split])
        for values in (rows["target"], rows["prediction"], rows["target"] - rows["prediction"]):
            ordered = rows["row"].to_numpy()[np.argsort(values.to_numpy())]
            assert {*ordered[:10], *ordered[-10:]} <= kept, split


def test_a_table_with_fewer_rows_than_a_sample_is_kept_whole(train):
    frame = table(300)
    assert (train("all", frame).read("predictions.csv")) == train("sample", frame).read("predictions.csv")


def test_pictures_say_of_how_many_rows_the_points_are_a_sample(train):
    run = Material.of(train("sample"))
    for kind in ("predicted", "residuals"):
        texts = legend_texts(KINDS[kind].draw(run, "y", Axes()))
        counts = {split: int((run.predictions["split"].to_pandas() == split).sum()) for split in ("train", "test")}
        assert f"train ({counts['train']} of 1,600)" in texts
        assert f"test ({counts['test']} of 300)" in texts
    title = KINDS["residuals_by_feature"].draw(run, "y", Axes()).get_suptitle().replace("\n", " ")
    assert f"{counts['train']} of 1,600 rows" in title


def test_pictures_of_the_exact_fit_do_not_depend_on_what_is_kept(train):
    frame = table()
    for kept in ("all", "sample", "none"):
        run = Material.of(train(kept, frame))
        residuals, rows = run.standardized("y")
        split = np.sort(run.train_rows().dataset.splits["train"])
        fit = sm.OLS(frame["y"][split], sm.add_constant(frame[["a", "b"]].iloc[split])).fit()
        np.testing.assert_array_equal(rows, split + 1)
        np.testing.assert_allclose(residuals, fit.get_influence().resid_studentized_internal, rtol=1e-8)
        np.testing.assert_allclose(run.exactly_fitted("y"), fit.fittedvalues, rtol=1e-8)


def test_without_predictions_there_is_no_file_and_what_needs_it_says_why(train, linreg, tmp_path):
    whole, run = train("all"), train("none")
    assert not run.has("predictions.csv")
    assert run.read_json("metrics.json") == whole.read_json("metrics.json")
    result = linreg("plot", "latest", "--kind", "residuals")
    assert result.code == 2
    assert "it was trained with evaluate.predictions: none" in result.err
    assert linreg("plot", "latest", "--kind", "all", "-o", tmp_path / "p").code == 0
    drawn = {path.stem for path in (tmp_path / "p").iterdir()}
    assert {"qq", "scale_location", "leverage", "coefficients", "gap"} <= drawn
    assert not {"predicted", "residuals", "residuals_by_feature"} & drawn
    assert linreg("report", "latest", "-o", tmp_path / "r.html").code == 0
    assert "not kept" in (tmp_path / "r.html").read_text()


def sample_of(values, blocks, drawn, extremes=3):
    sample = SplitSample(np.asarray(drawn), extremes, lambda values: values)
    for start in range(0, len(values), blocks):
        sample.add(start, values[start : start + blocks])
    return sample.chosen()


@pytest.mark.parametrize("blocks", [1, 7, 100])
def test_the_sample_does_not_depend_on_the_blocks(blocks):
    values = np.random.default_rng(0).integers(0, 9, (500, 2)).astype(float)  # many ties
    drawn = np.random.default_rng(1).choice(500, 60, replace=False)
    rows, found = sample_of(values, blocks, drawn)
    expected, _ = sample_of(values, 500, drawn)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(found, values[rows])
    assert len(rows) == 60
    assert set(outermost(values, 3)) <= set(rows)


def test_a_sample_is_of_the_size_that_is_asked_for_whatever_the_splits():
    for sizes in ({"train": 10_001}, {"train": 10**6, "test": 3}, {"train": 9_990, "validation": 11, "test": 5}):
        for n_measures in (3, 301, 3_001):
            samples = split_samples(sizes, n_measures, 0, lambda values: values)
            assert sum(len(sample._drawn) for sample in samples.values()) == row_sample.MOST_ROWS
            assert all(len(sample._drawn) <= sizes[split] for split, sample in samples.items())

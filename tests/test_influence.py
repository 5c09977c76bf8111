"""Leverage, standardised residuals and Cook's distance of a run: the table, the picture, and why there is none."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from drawings import legend_texts, line

from linreg_cli.figures.epochs import Axes
from linreg_cli.figures.influence import MOST_NAMED, leverage_figure
from linreg_cli.figures.kinds import KINDS
from linreg_cli.figures.material import Material
from linreg_cli.least_squares.influence import MOST_ROWS, chosen, largest_rows
from linreg_cli.runs.store import RunFolder


def write(path, columns):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(np.column_stack([*columns.values()]).tolist())
    return path


@pytest.fixture
def train(linreg, config_file, tmp_path):
    """Train on columns; `target` is the last of them unless said otherwise."""

    def run(columns, *arguments, target=None, **sections):
        path = write(tmp_path / "t.csv", columns)
        config = {
            "data": {"path": str(path), "target": target or list(columns)[-1]}, "name": "t", "plots": False,
            "optimizer": {"lr": "auto", "momentum": "auto"}, "preprocess": {"standardize": True},
            "train": {"epochs": 400, "batch_size": "full", "dtype": "float64"},
        }  # fmt: skip
        for key, value in sections.items():
            config[key] = {**config.get(key, {}), **value}
        result = linreg("train", "-c", config_file(json.dumps(config)), "--json", *arguments)
        assert result.code == 0, result.err
        return result.json

    return run


def table(n=30, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n) * 1e3 + 5e3, rng.exponential(size=n)
    return {"a": a, "b": b, "y": 2e-3 * a - b + rng.normal(size=n)}


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def test_the_table_is_that_of_statsmodels(train):
    columns = table()
    found = read(f"{train(columns)['path']}/influence.csv")
    theirs = sm.OLS(columns["y"], sm.add_constant(np.column_stack([columns["a"], columns["b"]]))).fit().get_influence()
    np.testing.assert_array_equal(found["row"], np.arange(1, 31))
    np.testing.assert_allclose(found["leverage"], theirs.hat_matrix_diag, rtol=1e-8)
    np.testing.assert_allclose(found["standardized_residual"], theirs.resid_studentized_internal, rtol=1e-8)
    np.testing.assert_allclose(found["cooks_distance"], theirs.cooks_distance[0], rtol=1e-8)


def test_the_rows_are_those_of_the_train_split(train):
    split = {"split": {"train": 0.7, "test": 0.3}}
    run = train(table(), data={"path": "t.csv", "target": "y", **split})
    with open(f"{run['path']}/predictions.csv", newline="") as file:
        trained = sorted(int(row["row"]) for row in csv.DictReader(file) if row["split"] == "train")
    assert sorted(read(f"{run['path']}/influence.csv")["row"].astype(int)) == trained


def test_the_picture_is_drawn_from_the_folder_alone(train, linreg, tmp_path):
    columns = {**table(), "z": table(seed=1)["y"]}
    run = train(columns, target=["y", "z"])
    (tmp_path / "t.csv").unlink()
    result = linreg("plot", "latest", "--kind", "leverage", "--json")
    assert result.code == 0, result.err
    assert [path.rsplit("/", 1)[1] for path in result.json["pictures"]] == ["leverage-y.png", "leverage-z.png"]
    assert "standardized_residual:z" in read(f"{run['path']}/influence.csv")


def test_a_run_that_stopped_early_has_the_table_and_the_pictures_of_its_exact_fit(train, linreg):
    columns = table()
    run = train(columns, "--set", "train.epochs=1")
    assert "refused" in run["metrics"]["inference"]
    fit = sm.OLS(columns["y"], sm.add_constant(np.column_stack([columns["a"], columns["b"]]))).fit()
    theirs = fit.get_influence()
    found = read(f"{run['path']}/influence.csv")
    np.testing.assert_allclose(found["standardized_residual"], theirs.resid_studentized_internal, rtol=1e-8)
    material = Material.of(RunFolder(Path(run["path"])))
    predicted = material.exactly_fitted("y")
    np.testing.assert_allclose(predicted, fit.fittedvalues, rtol=1e-9)
    for kind in ("leverage", "qq", "scale_location"):
        title = KINDS[kind].draw(material, "y", Axes()).get_suptitle().replace("\n", " ")
        assert f"exact fit of {run['run']}" in title
    assert linreg("plot", "latest", "--kind", "leverage").code == 0


def test_a_run_at_the_exact_fit_is_named_alone(train):
    material = Material.of(RunFolder(Path(train(table())["path"])))
    assert "exact fit" not in KINDS["qq"].draw(material, "y", Axes()).get_suptitle()


def test_why_there_is_no_picture_is_said(train, linreg):
    train(table(), "--set", "optimizer.weight_decay=0.1")
    assert "weight decay biases the coefficients" in linreg("plot", "latest", "--kind", "leverage").err


def test_going_on_replaces_the_table(train, linreg):
    path = train(table())["path"]
    before = read(f"{path}/influence.csv")
    assert linreg("train", "--resume", "latest", "--set", "train.epochs=500").code == 0
    np.testing.assert_allclose(read(f"{path}/influence.csv")["cooks_distance"], before["cooks_distance"], rtol=1e-9)


def test_a_large_table_keeps_the_strongest_rows_and_an_even_sample():
    measures = np.random.default_rng(0).exponential(size=(3, 25_000))
    measures[0, 17] = np.nan
    kept = chosen(25_000, lambda rows: measures[:, rows])
    assert len(kept) == len(set(kept)) == MOST_ROWS
    assert 17 in kept
    ranked = np.argsort(-np.nan_to_num(measures, nan=np.inf), axis=1)
    for rows, most in zip(ranked, (4_000, 1_000, 250), strict=True):  # Cook's distance, residual, leverage
        assert set(rows[:most]) <= set(kept)
    strongest = largest_rows(*measures)
    rest = np.setdiff1d(kept, strongest)
    assert np.diff(rest).max() < 20  # 20,000 rows evenly thinned to 5,000, but for the gaps of the strongest
    assert (np.diff(kept) > 0).all()


def test_a_sample_of_normal_residuals_lies_on_the_line_and_has_every_extreme(train, linreg, tmp_path):
    """The extreme rows that `influence.csv` keeps stand for themselves, the others for several."""
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=60_000), "y": rng.normal(size=60_000)}
    columns["y"] += columns["a"]
    columns["y"][31_415] = -25.0
    run = Material.of(RunFolder(Path(train(columns)["path"])))
    n = run.of_target_inference("y")["n"]
    weights = run.influence_weights("y")
    assert len(weights) == MOST_ROWS
    assert weights.sum() == pytest.approx(n)
    figure = KINDS["qq"].draw(run, "y", Axes())
    x, y = line(figure, "train").get_data()
    inner = np.abs(x) < 3.5
    assert np.abs(y[inner] - x[inner]).max() < 0.15  # of equal weights, the quantile at x = 3 would be above 4
    assert y.min() < -24
    assert "31416" in [text.get_text() for text in figure.axes[0].texts]
    assert legend_texts(figure)[0] == f"train (5,000 of {n:,})"
    curve = line(KINDS["scale_location"].draw(run, "y", Axes()), "smooth").get_ydata()
    # sqrt(|z|) of normal residuals has the mean 2^(1/4) Gamma(3/4) / sqrt(pi) = 0.822.
    assert np.abs(np.median(curve) - 0.822) < 0.05


def test_the_picture_names_the_strongest_rows_and_draws_cooks_curves():
    rng = np.random.default_rng(0)
    h, r = rng.uniform(0.02, 0.2, 40), rng.normal(size=40)
    h[7], r[7] = 0.6, 2.5
    p = 3
    cooks = r**2 * h / (p * (1 - h))
    figure = leverage_figure(h, r, cooks, np.arange(1, 41), n_samples=40, n_parameters=p, title="t")
    [axes] = figure.axes
    named = [text.get_text() for text in axes.texts]
    assert named == [str(row + 1) for row in np.argsort(-cooks)[:MOST_NAMED]]
    assert named[0] == "8"
    for drawn in axes.lines:
        if drawn.get_color() in ("#D55E00", "#B00020"):
            x, y = drawn.get_data()
            distance = 0.5 if drawn.get_color() == "#D55E00" else 1.0
            np.testing.assert_allclose(y**2 * x / (p * (1 - x)), distance, rtol=1e-9)
    assert {"mean 0.075", "twice the mean 0.15"} <= {text.get_text() for text in figure.legends[0].get_texts()}


@pytest.mark.parametrize("n", [40, 6_366, 10_000])
def test_the_picture_draws_every_row_that_it_names(n):
    rng = np.random.default_rng(n)
    h, r = rng.uniform(0.1, 0.2, n) * 30 / n, rng.normal(size=n)
    cooks = r**2 * h / (3 * (1 - h))
    figure = leverage_figure(h, r, cooks, np.arange(1, n + 1), n_samples=n, n_parameters=3, title="t")
    [axes] = figure.axes
    [cloud] = [line for line in axes.lines if line.get_gid() == "train"]
    drawn = set(zip(*(values.tolist() for values in cloud.get_data()), strict=True))
    assert len(drawn) == min(n, 5_000)
    assert len(axes.texts) == MOST_NAMED
    for text in axes.texts:
        assert text.xy in drawn
        assert text.xy == (h[int(text.get_text()) - 1], r[int(text.get_text()) - 1])

"""Every kind of picture of a run: which runs have it, what it shows, and the rows that it is drawn from."""

import itertools
import json

import numpy as np
import pytest
import statsmodels.api as sm
from drawings import assert_legible, legend_texts, line, unwrapped
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import stats

from linreg_cli.data.columns.row_file import StoredMatrix
from linreg_cli.figures import subsets
from linreg_cli.figures.by_feature import Against, by_feature_figure
from linreg_cli.figures.coefficients import MOST, CoefficientSet, coefficient_figure
from linreg_cli.figures.correlation import correlation_figure
from linreg_cli.figures.epochs import Axes
from linreg_cli.figures.kinds import KINDS, coefficient_set
from linreg_cli.figures.learning_curve import learning_curve_figure
from linreg_cli.figures.material import Material
from linreg_cli.figures.residuals import MOST_NAMED, qq_figure, scale_location_figure
from linreg_cli.figures.subsets import columns_against, correlations, learning_curve
from linreg_cli.runs.find import find_run
from linreg_cli.runs.store import RunFolder

TABLE = {
    "data": {"path": "t.csv", "target": "price", "split": {"train": 0.8, "test": 0.2}}, "name": "t", "plots": False,
    "preprocess": {"standardize": True, "standardize_target": True, "categorical": "one_hot"},
    "optimizer": {"lr": "auto", "momentum": "auto"},
    "train": {"epochs": 400, "batch_size": "full", "dtype": "float64"},
}  # fmt: skip


def columns(n=200, seed=0):
    rng = np.random.default_rng(seed)
    area, rooms = rng.uniform(30, 200, n), rng.integers(1, 7, n).astype(float)
    city = np.array(["Berlin", "Hamburg", "Rostock"])[rng.integers(0, 3, n)]
    price = 3.0 * area + 10 * rooms - 40 * (city == "Rostock") + rng.normal(0, 20, n) + 200
    return {"area": area, "rooms": rooms, "city": city, "price": price}


@pytest.fixture
def material(linreg, config_file, tmp_path):
    """Train on the table and give the material of its run."""

    def run(table, *arguments, **sections):
        names = list(table)
        lines = [",".join(names)] + [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
        (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
        config = {
            key: {**value, **sections.get(key, {})} if isinstance(value, dict) else value
            for key, value in TABLE.items()
        }
        result = linreg("train", "-c", config_file(json.dumps(config)), "--quiet", *arguments)
        assert result.code == 0, result.err
        return Material.of(find_run(tmp_path / "outputs", "latest"))

    return run


def train_rows(run: Material):
    rows = run.train_rows()
    dataset = rows.dataset
    chosen = np.sort(dataset.splits["train"])
    return np.column_stack([dataset.columns[name][chosen] for name in dataset.features]), dataset.columns["price"][
        chosen
    ]


def test_every_kind_is_drawn_and_legible(material):
    run = material(columns())
    for name, kind in KINDS.items():
        if name == "fit":
            assert kind.why_not(run) == "it has more than one feature"
        elif name in ("residuals_by_feature", "correlation", "path"):
            FigureCanvasAgg(kind.draw(run, "price", Axes())).draw()
        else:
            assert_legible(kind.draw(run, "price", Axes()))


def test_standardised_residuals_are_those_of_statsmodels_row_by_row(material):
    run = material(columns())
    (residuals, rows), predicted = run.standardized("price"), run.exactly_fitted("price")
    X, y = train_rows(run)
    fit = sm.OLS(y, sm.add_constant(X)).fit()
    np.testing.assert_allclose(residuals, fit.get_influence().resid_studentized_internal, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(predicted, fit.fittedvalues, rtol=1e-6)
    np.testing.assert_array_equal(rows, np.sort(run.train_rows().dataset.splits["train"]) + 1)


@pytest.mark.parametrize("estimate", ["median", "mean"])
def test_residuals_of_a_transformed_target_are_on_the_fitted_scale(material, estimate):
    table = columns()
    table["price"] = np.exp(table["price"] / 300)
    run = material(table, preprocess={"target_transform": "log", "target_estimate": estimate})
    X, y = train_rows(run)
    fit = sm.OLS(np.log(y), sm.add_constant(X)).fit()
    (train,) = (p for p in run.points("price", fitted=True) if p.split == "train")
    np.testing.assert_allclose(train.actual - train.predicted, fit.resid, atol=1e-6)
    figure = KINDS["residuals"].draw(run, "price", Axes())
    assert figure.axes[0].get_ylabel().startswith("residual of log of price")


def test_coefficients_are_per_standard_deviation_with_the_intervals_of_statsmodels(material):
    run = material(columns())
    found = coefficient_set(run, "price", "t")
    X, y = train_rows(run)
    fit = sm.OLS(y, sm.add_constant(X)).fit()
    np.testing.assert_allclose(found.trained, fit.params[1:] * X.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.exact, fit.params[1:] * X.std(axis=0), rtol=1e-9)
    ends = fit.conf_int()[1:] * X.std(axis=0)[:, None]
    np.testing.assert_allclose(np.column_stack([found.low, found.high]), ends, rtol=1e-8)
    assert np.isnan(found.true).all()


def test_generated_data_shows_its_true_coefficients(linreg, config_file, tmp_path):
    text = "data: {source: synthetic, n_samples: 50, weights: {a: 2, b: -3}, noise_std: 1}\nname: g\nplots: false\n"
    assert linreg("train", "-c", config_file(text), "--quiet").code == 0
    run = Material.of(find_run(tmp_path / "outputs", "g"))
    found = coefficient_set(run, "y", "g")
    std = np.array([run.record()["data"]["std"][name] for name in ("a", "b")])
    np.testing.assert_allclose(found.true, std * [2, -3])


def made(n: int, seed: int = 0, label: str = "t") -> CoefficientSet:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    names = tuple(f"column_{k}" for k in range(n))
    return CoefficientSet(label, names, values, values + 0.1, values - 1, values + 1, np.full(n, np.nan))


def test_coefficients_are_sorted_by_size_and_the_rest_are_counted():
    figure = coefficient_figure([made(70)], target="price", title="Coefficients")
    axes = figure.axes[0]
    x = np.abs(line(figure, "trained-0").get_xdata())
    assert len(x) == MOST
    size = np.maximum(np.abs(made(70).trained), np.abs(made(70).exact))
    np.testing.assert_array_equal(x, np.abs(made(70).trained)[np.argsort(-size, kind="stable")[:MOST]])
    assert axes.get_title() == "the 40 largest of 70"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the largest is on top
    assert_legible(figure)


def test_several_runs_stand_beside_each_other():
    sets = [made(5, label="lr 0.1"), made(5, seed=1, label="lr 0.01")]
    figure = coefficient_figure(sets, target="price", title="Coefficients")
    texts = legend_texts(figure)
    assert "lr 0.1, trained" in texts
    assert "lr 0.01, exact" in texts
    rows = [line(figure, f"trained-{k}").get_ydata() for k in (0, 1)]
    assert (np.abs(rows[0] - rows[1]) < 0.5).all()
    assert (rows[0] != rows[1]).all()


def test_the_quantiles_of_the_qq_picture_are_those_of_r():
    # ppoints() of R: (i - a) / (n + 1 - 2 a), with a = 3/8 up to n = 10 and 1/2 above.
    for n, a in ((9, 3 / 8), (100, 1 / 2)):
        y = np.random.default_rng(n).normal(size=n)
        figure = qq_figure(y, np.arange(1, n + 1), what="residual", title="t")
        x, drawn = line(figure, "train").get_data()
        np.testing.assert_allclose(x, stats.norm.ppf((np.arange(1, n + 1) - a) / (n + 1 - 2 * a)), atol=1e-12)
        np.testing.assert_array_equal(drawn, np.sort(y))
        assert len(figure.axes[0].texts) == MOST_NAMED


def test_the_band_of_the_qq_picture_is_that_of_the_order_statistics():
    # The i-th of n uniform numbers has the distribution Beta(i, n - i + 1).
    n = 60
    y = np.random.default_rng(0).normal(size=n)
    figure = qq_figure(y, np.arange(1, n + 1), what="r", title="t")
    drawn = figure.axes[0].collections[0].get_paths()[0].vertices
    low, high = np.quantile(y, [0.25, 0.75])
    slope, level = (high - low) / (2 * stats.norm.ppf(0.75)), (high + low) / 2
    for i in (1, 7, 30, 60):
        x = stats.norm.ppf((i - 0.5) / n)
        for share in (0.025, 0.975):
            edge = level + slope * stats.norm.ppf(stats.beta.ppf(share, i, n - i + 1))
            assert np.abs(drawn - [x, edge]).max(axis=1).min() < 1e-9


def test_scale_location_has_the_root_of_the_absolute_residual_and_names_the_largest():
    rng = np.random.default_rng(0)
    predicted, residuals = rng.uniform(0, 10, 60), rng.normal(size=60)
    residuals[17] = -5.0
    residuals[3] = np.nan
    figure = scale_location_figure(predicted, residuals, np.arange(1, 61), target="y", title="t")
    drawn = line(figure, "train").get_xydata()
    assert [predicted[17], np.sqrt(5.0)] in drawn.tolist()
    assert len(drawn) == 59
    assert figure.axes[0].texts[0].get_text() == "18"
    assert legend_texts(figure)[0] == "train (1 not finite)"


@pytest.mark.parametrize(
    ("levels", "turned"),
    [
        (("不详", "否，需要换乘公共汽车", "是，步行可达"), True),
        (("no answer given", "within walking distance"), False),
        (("a", "b", "c"), False),
        (tuple("123456789"), False),
        (("东西", "南", "北", "南北通透"), False),
        (("Berlin", "Hamburg", "Rostock", "Bremen", "Munich"), True),
    ],
)
def test_names_of_levels_are_turned_where_they_would_meet(levels, turned):
    codes = np.arange(60) % len(levels)
    given = [Against(name, codes, levels) for name in "xyz"]
    figure = by_feature_figure(np.linspace(-1, 1, 60), given, target="y", title="t")
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for axes in figure.axes for label in axes.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {90 if turned else 0}


def test_a_bend_that_the_model_missed_is_the_first_of_the_small_multiples():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    residuals = X[:, 13] ** 2 - 1 + 0.1 * rng.normal(size=300)
    levels = rng.integers(0, 30, 300)
    given = [
        *(Against(f"x{k}", X[:, k]) for k in range(20)),
        Against("city", levels, tuple(f"c{k}" for k in range(30))),
    ]
    figure = by_feature_figure(residuals, given, target="y", title="t")
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == 12
    assert "x13" in [axes.get_xlabel() for axes in figure.axes]
    assert (
        "the 12 with the strongest patterns of 21" in unwrapped(figure.get_suptitle()) or "12" in figure.get_suptitle()
    )


def test_columns_are_those_of_the_train_split_and_categories_keep_their_levels(material):
    run = material(columns())
    residuals, found = columns_against(run, "price")
    X, y = train_rows(run)
    by_name = {each.name: each for each in found}
    assert set(by_name) == {"area", "rooms", "city"}
    np.testing.assert_array_equal(by_name["area"].values, X[:, 0])
    levels = by_name["city"].levels
    assert levels == ("Berlin", "Hamburg", "Rostock")
    np.testing.assert_array_equal(by_name["city"].values == 2, X[:, -1] == 1)
    np.testing.assert_allclose(residuals, sm.OLS(y, sm.add_constant(X)).fit().resid, atol=1e-4)


def test_correlations_are_pearsons(material):
    run = material(columns())
    matrix, names = correlations(run)
    X, y = train_rows(run)
    assert names == [*run.record()["data"]["features"], "price"]
    np.testing.assert_allclose(matrix, np.corrcoef(np.column_stack([X, y]).T), atol=1e-12)
    figure = correlation_figure(matrix, names, title="t")
    FigureCanvasAgg(figure).draw()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == names
    assert figure.axes[0].texts[0].get_text() == "1.00"


def test_correlations_need_a_block_of_rows_at_a_time_and_no_scaled_rows(material, monkeypatch):
    table = columns()
    run = material(table)
    X, y = train_rows(run)
    fresh = Material.of(RunFolder(run.path))
    monkeypatch.setattr(subsets, "_BLOCK_CELLS", 40)
    monkeypatch.setattr("linreg_cli.figures.train_rows.problem_within_limit", None)  # is not called
    matrix, _ = correlations(fresh)
    np.testing.assert_allclose(matrix, np.corrcoef(np.column_stack([X, y]).T), atol=1e-12)


def test_a_column_that_is_constant_in_the_train_split_has_no_correlations(material, monkeypatch):
    monkeypatch.setattr(subsets, "_BLOCK_CELLS", 40)
    table = columns()
    matrix, names = correlations(material({"same": [0.1] * len(table["price"]), **table}))
    at = names.index("same")
    assert np.isnan(matrix[at]).all()
    assert np.isfinite(np.delete(np.delete(matrix, at, 0), at, 1)).all()


def test_the_rows_of_a_streamed_run_stay_on_the_disk_for_pictures_too(material):
    run = material(columns(), "--set", "data.stream=true", "--set", "data.split={train: 1.0, by: hash}")
    X = run.train_rows().problem.X_nd
    assert isinstance(X, StoredMatrix)
    expected = material(columns(), "--set", "data.split={train: 1.0, by: hash}").train_rows().problem
    np.testing.assert_array_equal(np.asarray(X), expected.X_nd)
    assert run.train_rows().problem.spectrum.eigenvalues.tolist() == expected.spectrum.eigenvalues.tolist()


def test_many_columns_are_reduced_to_the_most_correlated():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 60))
    X[:, 59] = X[:, 3] + 0.1 * rng.normal(size=300)
    figure = correlation_figure(np.corrcoef(X.T), [f"x{k}" for k in range(60)], title="t")
    FigureCanvasAgg(figure).draw()
    shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(shown) == 40
    assert {"x3", "x59"} <= set(shown)
    assert figure.axes[0].get_title() == "the 40 most correlated of 60 columns"


def test_the_learning_curve_ends_at_the_errors_of_least_squares_on_all_rows(material):
    run = material(columns())
    curve = learning_curve(run, "price", "t")
    X, y = train_rows(run)
    fit = sm.OLS(y, sm.add_constant(X)).fit()
    dataset = run.train_rows().dataset
    test = np.sort(dataset.splits["test"])
    X_test = np.column_stack([dataset.columns[name][test] for name in dataset.features])
    error = dataset.columns["price"][test] - fit.predict(sm.add_constant(X_test, has_constant="add"))
    assert (curve.sizes[0], curve.sizes[-1], curve.held_out_name) == (X.shape[1] + 3, len(X), "test")
    np.testing.assert_allclose(curve.train[:, -1], np.sqrt(np.mean(fit.resid**2)), rtol=1e-9)
    np.testing.assert_allclose(curve.held_out[:, -1], np.sqrt(np.mean(error**2)), rtol=1e-9)
    assert np.median(curve.train, axis=0)[0] < np.median(curve.train, axis=0)[-1]
    assert_legible(learning_curve_figure([curve], target="price", title="t"))


def test_the_learning_curve_of_a_long_table_is_that_of_some_rows(material, monkeypatch):
    monkeypatch.setattr(subsets, "_MOST_ROWS", 20)
    assert learning_curve(material(columns()), "price", "t").sizes[-1] == 20


def test_a_table_that_is_gone_or_has_changed_is_said_and_the_other_pictures_are_drawn(material, linreg, tmp_path):
    material(columns())
    (tmp_path / "t.csv").unlink()
    result = linreg("plot", "t", "--kind", "correlation")
    assert result.code == 2
    assert "needs the rows of the table, which cannot be read" in result.err
    result = linreg("plot", "t", "--kind", "all")
    assert result.code == 0
    assert "path: t-0001: the picture needs the rows of the table" in result.err
    assert "outputs/t-0001/plots/qq.png" in result.out
    assert "correlation" not in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "qq", "--scale", "log"], "error: --scale: it is about the pictures loss and gap"),
        (["--kind", "fit", "--x", "step"], "error: --x: it is about the pictures loss and gap"),
        (["--scale", "logarithmic"], "error: --scale: unknown value 'logarithmic'"),
    ],
)
def test_axes_that_a_picture_does_not_have_are_refused(material, linreg, arguments, message):
    material(columns(n=40))
    result = linreg("plot", "t", *arguments)
    assert result.code == 2
    assert result.err.startswith(message)


def test_scale_and_steps_of_the_loss(material):
    run = material(columns(n=40), "--set", "train.batch_size=8", "--set", "optimizer.momentum=0")
    axes = KINDS["loss"].draw(run, "", Axes("linear", "step")).axes[0]
    assert (axes.get_yscale(), axes.get_xlabel()) == ("linear", "step")
    assert axes.get_xlim()[1] > 1_600  # 4 batches of 8 of the 32 rows, 400 times
    assert KINDS["gap"].draw(run, "", Axes()).axes[0].get_yscale() == "log"


@pytest.mark.parametrize("covariance", ["classic", "HC3"])
def test_the_bands_of_a_fitted_line_are_the_intervals_of_statsmodels(material, covariance):
    table = {name: values for name, values in columns().items() if name in ("area", "price")}
    run = material(table, "--set", f"evaluate.covariance={covariance}")
    X, y = train_rows(run)
    kind = "nonrobust" if covariance == "classic" else covariance
    fit = sm.OLS(y, sm.add_constant(X)).fit(cov_type=kind, use_t=True)
    figure = KINDS["fit"].draw(run, "price", Axes())
    for name, end in (("prediction", "obs_ci_upper"), ("confidence", "mean_ci_upper")):
        edge = line(figure, f"band-{name}")
        expected = fit.get_prediction(sm.add_constant(edge.get_xdata())).summary_frame()[end]
        np.testing.assert_allclose(edge.get_ydata(), expected, rtol=1e-5)


def test_a_line_that_is_not_the_exact_fit_has_no_bands(material):
    table = {name: values for name, values in columns().items() if name in ("area", "price")}
    run = material(table, "--set", "train.epochs=1", "--set", "optimizer.lr=0.1", "--set", "optimizer.momentum=0")
    assert run.read_json("metrics.json")["inference"]["refused"]
    texts = legend_texts(KINDS["fit"].draw(run, "price", Axes()))
    assert not [text for text in texts if "band" in text]


def test_missing_cells_are_a_level_and_two_values_are_two_boxes(material):
    table = columns()
    table["city"] = ["" if k % 5 == 0 else city for k, city in enumerate(table["city"])]
    table["rooms"] = [float(k % 2) for k in range(len(table["rooms"]))]
    run = material(table, "--set", "preprocess.columns.city={categorical: one_hot, missing: level}")
    _, found = columns_against(run, "price")
    by_name = {each.name: each for each in found}
    assert by_name["city"].levels == ("Berlin", "Hamburg", "Rostock", "(missing)")
    n_missing = sum(city == "" for city in table["city"])
    assert 0 < (by_name["city"].values == 3).sum() <= n_missing
    assert by_name["rooms"].levels == ("0", "1")
    assert by_name["area"].levels is None


def test_a_single_row_has_no_gap_and_no_correlations(linreg, config_file):
    path = config_file(
        "data: {source: inline, columns: [a, b], rows: [[1, 0]]}\nmodel: {bias: false, init: {weight: 0.5}}\n"
        "train: {epochs: 2, batch_size: full, dtype: float64}\noptimizer: {lr: 0.1}\nplots: false\n"
    )
    assert linreg("train", "-c", path, "-q").code == 0
    assert "its optimum is 0" in linreg("plot", "latest", "--kind", "gap").err
    result = linreg("plot", "latest", "--kind", "all")
    assert (result.code, "a single row has no correlations" in result.err) == (0, True)
    assert "1 row and 1 parameter leave no subsets" in result.err
    assert "RuntimeWarning" not in result.err


def test_pictures_whose_table_is_gone_are_named_in_one_warning(material, linreg, tmp_path):
    material(columns())
    (tmp_path / "t.csv").unlink()
    result = linreg("plot", "latest", "--kind", "all")
    assert result.code == 0
    [line] = [line for line in result.err.splitlines() if "not drawn" in line]
    assert line.startswith("warning: not drawn: residuals_by_feature, correlation, learning_curve")


def test_correlations_that_round_to_zero_have_no_sign():
    matrix = np.array([[1.0, -0.002], [-0.002, 1.0]])
    figure = correlation_figure(matrix, ["a", "b"], title="t")
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "0.00", "0.00", "1.00"]


def test_a_constant_feature_has_no_place_among_the_coefficients(material):
    table = columns()
    table["one"] = [1.0] * len(table["rooms"])
    price = table.pop("price")
    run = material({**table, "price": price})
    assert "one" in run.record()["data"]["features"]
    found = coefficient_set(run, "price", "r")
    assert "one" not in found.names
    assert len(found.trained) == len(found.names) == len(run.record()["data"]["features"]) - 1


def test_a_run_of_constant_features_has_no_picture_of_coefficients(linreg, config_file):
    path = config_file(
        "data: {source: inline, columns: [a, b], rows: [[1, 0], [1, 3]]}\nmodel: {bias: false, init: {weight: 0.5}}\n"
        "train: {epochs: 2, batch_size: full}\noptimizer: {lr: 0.1}\nplots: false\n"
    )
    assert linreg("train", "-c", path, "-q").code == 0
    result = linreg("plot", "latest", "--kind", "coefficients")
    assert (result.code, "its features are constant" in result.err) == (2, True)

"""Cluster-robust standard errors against statsmodels' OLS with `cov_type="cluster"`."""

import json
import tracemalloc
from html import unescape
from io import StringIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy
import statsmodels.api as sm
from scipy.stats import t

from linreg_cli.data.columns import codes
from linreg_cli.data.columns.kinds import MISSING
from linreg_cli.data.roles import _of_numbers, read_roles
from linreg_cli.data.tables.table import Cells
from linreg_cli.least_squares import clusters as clusters_module
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.intervals import IntervalFactor
from linreg_cli.least_squares.solve import least_squares

#: Investments of 11 firms in 20 years (statsmodels' data).
GRUNFELD = sm.datasets.grunfeld.load_pandas().data
#: The quantiles of t of scipy 1.13 have ten digits.
ERROR = 1e-10 if np.lib.NumpyVersion(scipy.__version__) >= "1.14.0" else 1e-9
FULL = "{lr: auto, momentum: auto}\ntrain: {batch_size: full, dtype: float64, epochs: 3000}\nplots: false\n"


def numbers(bias):
    X, y = GRUNFELD[["value", "capital"]].to_numpy(), GRUNFELD[["invest"]].to_numpy()
    return X, y, (np.column_stack([X, np.ones(len(X))]) if bias else X)


@pytest.mark.parametrize("by", ["firm", "year"])
@pytest.mark.parametrize("bias", [True, False])
def test_everything_agrees_with_statsmodels(by, bias):
    X, y, design = numbers(bias)
    theirs = sm.OLS(y[:, 0], design).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(GRUNFELD[by])[0]}, use_t=True
    )
    ours = infer(
        least_squares(X, y, bias=bias), X, y, names=["value", "capital"], covariance="cluster",
        clusters=Clusters.of(GRUNFELD[by]),
    )  # fmt: skip
    interval = theirs.conf_int()
    expected = {
        "std_err_cluster": theirs.bse, "t": theirs.tvalues, "p": theirs.pvalues, "ci_low": interval[:, 0],
        "ci_high": interval[:, 1], "f": theirs.fvalue, "f_p": theirs.f_pvalue,
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(ours, name), values, rtol=ERROR, err_msg=name)
    assert ours.degrees == theirs.df_resid_inference == GRUNFELD[by].nunique() - 1
    # The others stay what they are.
    np.testing.assert_allclose(ours.std_err, sm.OLS(y[:, 0], design).fit().bse, rtol=1e-10)


def test_the_order_of_the_rows_is_no_matter():
    X, y, _ = numbers(True)
    order = np.random.default_rng(0).permutation(len(X))
    errors = [
        infer(
            least_squares(X[rows], y[rows], bias=True), X[rows], y[rows], names=["value", "capital"],
            covariance="cluster", clusters=Clusters.of(GRUNFELD["firm"].to_numpy()[rows]),
        ).std_err_cluster
        for rows in (np.arange(len(X)), order)
    ]  # fmt: skip
    np.testing.assert_allclose(*errors, rtol=1e-12)


def test_intervals_of_predictions_are_of_the_clusters():
    X, y, design = numbers(True)
    groups = pd.factorize(GRUNFELD["firm"])[0]
    theirs = sm.OLS(y[:, 0], design).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    optimum = least_squares(X, y, bias=True)
    names = ["value", "capital"]
    fit = infer(optimum, X, y, names=names, covariance="cluster", clusters=Clusters.of(groups))
    stored = IntervalFactor.of(optimum, [fit]).tensors()
    factor = IntervalFactor.from_tensors(stored, 2)
    assert (factor.covariance, factor.degrees) == ("cluster", 10)
    frame = theirs.get_prediction(design[:7]).summary_frame()
    half = t.ppf(0.95, 10) * frame["mean_se"]  # statsmodels takes n - p degrees here, and G - 1 for the coefficients
    np.testing.assert_allclose(factor.half_widths(X[:7], "confidence", 0.9)[:, 0], half, rtol=1e-10)


def test_more_coefficients_than_clusters_have_no_f():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 1))
    clusters = Clusters.of(np.arange(40) % 5)
    found = infer(least_squares(X, y, bias=True), X, y, names=list("abcde"), covariance="cluster", clusters=clusters)
    said = found.as_json()
    assert said["f"] is None
    assert (
        said["f_reason"] == "5 clusters cannot test 5 coefficients at once; that needs more clusters than coefficients"
    )
    assert said["coefficients"]["a"]["std_err_cluster"] > 0


def grunfeld(tmp_path, name="t.csv", **columns):
    table = GRUNFELD.assign(log=np.log(GRUNFELD["capital"] + 1), **columns)
    table.to_csv(tmp_path / name, index=False) if name.endswith("csv") else table.to_parquet(tmp_path / name)
    return table


def config(by, target="invest", ignore="year", covariance="cluster", data=""):
    return (
        f"data: {{path: t.csv, target: {target}, ignore: [{ignore}]{data}}}\npreprocess: {{standardize: true}}\n"
        f"evaluate: {{covariance: {covariance}, cluster: {by}}}\noptimizer: {FULL}"
    )


def fitted(table, by, target="invest", columns=("value", "capital", "log")):
    design = sm.add_constant(table[list(columns)], prepend=False)
    groups = pd.factorize(table[by])[0]
    return sm.OLS(table[target], design).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)


def test_a_run_shows_them(linreg, config_file, tmp_path):
    table = grunfeld(tmp_path)
    result = linreg("train", "-c", config_file(config("firm")), "--json", "--fail-if", "warnings.few_clusters > 0")
    assert result.code == 5  # 11 firms are few
    run = result.json
    found, theirs = run["metrics"]["optimum"]["inference"], fitted(table, "firm")
    assert list(found["coefficients"]) == ["value", "capital", "log", "bias"]  # firm is no feature
    assert (found["covariance"], found["n_clusters"]) == ("cluster", 11)
    for ours, name in zip(found["coefficients"].values(), theirs.params.index, strict=True):
        assert ours["std_err_cluster"] == pytest.approx(theirs.bse[name], rel=1e-9)
        assert ours["t"] == pytest.approx(theirs.tvalues[name], rel=1e-9)
        assert ours["p"] == pytest.approx(theirs.pvalues[name], rel=1e-8)
        assert ours["std_err"] < ours["std_err_cluster"]  # what firms have in common is not counted twice
    assert "firm has 11 clusters in the train split; with fewer than 20, cluster-robust" in result.err
    shown = " ".join(linreg("runs", "show", run["run"]).out.split())
    assert "with cluster-robust standard errors (11 clusters):" in shown
    assert "F(3, 10)" in shown
    assert "on 216 degrees of freedom" in shown
    assert linreg("evaluate", run["run"], "--json").json["optimum"]["inference"] == found
    page = linreg("report", run["run"], "-o", "-").out
    assert "cluster-robust standard errors (11 clusters)" in page
    table.head(3).to_csv(tmp_path / "new.csv", index=False)
    predicted = linreg("predict", run["run"], "--data", "new.csv", "--interval", "confidence")
    assert predicted.code == 0, predicted.err
    columns = pd.read_csv(StringIO(predicted.out))
    frame = theirs.get_prediction(sm.add_constant(table, prepend=False).head(3)[theirs.params.index]).summary_frame()
    half = t.ppf(0.975, 10) * frame["mean_se"]
    np.testing.assert_allclose((columns["prediction_high"] - columns["prediction_low"]) / 2, half, rtol=1e-6)


@pytest.mark.parametrize("by", ["year", "day", "firm"])
def test_text_numbers_and_dates_are_clusters(linreg, config_file, tmp_path, by):
    day = pd.to_datetime("2020-01-01") + pd.to_timedelta(GRUNFELD["year"] // 3, unit="D")
    table = grunfeld(tmp_path, "t.parquet", day=day)
    text = config(by, ignore="year, day, firm", covariance="classic").replace("t.csv", "t.parquet")
    found = linreg("train", "-c", config_file(text), "--json").json["metrics"]["optimum"]["inference"]
    theirs = fitted(table, by)
    for name, error in zip(found["coefficients"], theirs.bse, strict=True):
        assert found["coefficients"][name]["std_err_cluster"] == pytest.approx(error, rel=1e-9)
    # t, p and the interval are those of `covariance`.
    assert found["coefficients"]["value"]["t"] == pytest.approx(
        theirs.params["value"] / found["coefficients"]["value"]["std_err"]
    )


def test_a_cluster_that_is_named_is_a_feature_too_and_several_targets_have_their_own_errors(
    linreg, config_file, tmp_path
):
    table = grunfeld(tmp_path)
    text = config("year", target="[invest, value]", ignore="", data=", features: [capital, year]")
    found = linreg("train", "-c", config_file(text), "--json").json["metrics"]["optimum"]["inference"]
    for target in ("invest", "value"):
        theirs = fitted(table, "year", target, ("capital", "year"))
        for name, error in zip(found[target]["coefficients"], theirs.bse, strict=True):
            assert found[target]["coefficients"][name]["std_err_cluster"] == pytest.approx(error, rel=1e-8)


def test_one_cluster_is_refused(linreg, config_file, tmp_path):
    grunfeld(tmp_path, all=1)
    metrics = linreg("train", "-c", config_file(config("all", ignore="year, firm")), "--json").json["metrics"]
    reason = "all train rows are in one cluster of all, and standard errors need several"
    assert metrics["optimum"]["inference"] == {"refused": f"{reason}; set evaluate.covariance: classic"}
    set_ = ["--set", "evaluate.covariance=classic", "--json"]
    metrics = linreg("train", "-c", config_file(config("all", ignore="year, firm")), *set_).json["metrics"]
    value = metrics["optimum"]["inference"]["coefficients"]["value"]
    assert (value["std_err_cluster"], value["std_err_cluster_reason"]) == (None, reason)
    assert value["std_err"] > 0


@pytest.mark.parametrize(("features", "kept"), [("[firm]", []), ("[capital, firm]", ["capital"])])
def test_levels_of_the_clusters_have_no_errors_by_them(linreg, config_file, tmp_path, features, kept):
    """The residuals of a firm add up to zero where it is a level: statsmodels gives errors of 1e-15 and p of 1e-70."""
    grunfeld(tmp_path)
    text = config("firm", ignore="", data=f", features: {features}").replace(
        "standardize: true", "standardize: true, categorical: one_hot"
    )
    found = linreg("train", "-c", config_file(text), "--json").json["metrics"]["optimum"]["inference"]
    zero = (
        "zero within rounding error: the residuals of each cluster add up to zero for this coefficient, as where the "
        "clusters are levels of a feature"
    )
    if not kept:
        said = f"the cluster standard error of each coefficient is not defined: it is {zero}"
        assert found == {"refused": f"{said}; set evaluate.covariance: classic"}
    set_ = ["--set", "evaluate.covariance=classic", "--json"]
    found = linreg("train", "-c", config_file(text), *set_).json["metrics"]["optimum"]["inference"]["coefficients"]
    for name, each in found.items():
        has = bool(kept)
        assert (each["std_err_cluster"] is not None, each["std_err"] > 0) == (has, True), name
        assert has or each["std_err_cluster_reason"] == f"it is {zero}"


def test_levels_without_an_error_leave_those_of_the_other_coefficients(linreg, config_file, tmp_path):
    """Firms and years of a balanced panel, clustered by firm: the years have the errors that statsmodels gives."""
    table = grunfeld(tmp_path).astype({"year": "int64"})
    table.assign(year=table["year"].map("y{}".format)).to_csv(tmp_path / "t.csv", index=False)
    text = config("firm", ignore="", data=", features: [firm, year]")
    text = text.replace("standardize: true", "standardize: true, categorical: one_hot")
    run = linreg("train", "-c", config_file(text), "--json").json
    found = run["metrics"]["optimum"]["inference"]
    design = pd.get_dummies(table[["firm", "year"]].astype({"year": str}), drop_first=True, dtype=float)
    groups = pd.factorize(table["firm"])[0]
    fit = sm.OLS(table["invest"], sm.add_constant(design)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    years = [name for name in found["coefficients"] if name.startswith("year")]
    for name in years:
        theirs, ours = name.replace("year=y", "year_"), found["coefficients"][name]
        assert ours["std_err_cluster"] == pytest.approx(fit.bse[theirs], rel=1e-8)
        assert ours["p"] == pytest.approx(fit.pvalues[theirs], rel=1e-7)
    firms = [each for name, each in found["coefficients"].items() if name.startswith("firm")]
    assert (len(years), len(firms)) == (19, 10)
    for each in firms:
        assert [each[key] for key in ("std_err_cluster", "t", "p", "ci_low", "ci_high")] == [None] * 5
        assert "zero within rounding error" in each["std_err_cluster_reason"]
    shown = linreg("runs", "show", run["run"]).out
    [line] = [line for line in shown.splitlines() if "firm=US Steel" in line]
    assert line.split()[-4:] == ["-"] * 4
    said = "o standard error where '-' stands: it is zero within rounding error"
    assert f"n{said}" in " ".join(shown.split())
    linreg("report", run["run"], "-o", "r.html")
    assert f"N{said}" in unescape((tmp_path / "r.html").read_text(encoding="utf-8"))


def test_faults_have_their_place(linreg, config_file, tmp_path):
    table = grunfeld(tmp_path)
    table.loc[[4, 9], "firm"] = None
    table.to_csv(tmp_path / "t.csv", index=False)
    result = linreg("train", "-c", config_file(config("firm")))
    assert result.code == 3
    assert "t.csv, row 5, column 'firm': the cell is missing (2 such train rows)" in result.err
    result = linreg("train", "-c", config_file(config("frim")))
    assert (result.code, "evaluate.cluster: there is no column 'frim'; did you mean 'firm'?" in result.err) == (3, True)
    result = linreg("train", "-c", config_file(config("invest")))
    assert (result.code, "evaluate.cluster: 'invest' is also the target" in result.err) == (3, True)


def test_train_of_a_table_takes_them(linreg, tmp_path):
    table = grunfeld(tmp_path)
    result = linreg(
        "train", "t.csv", "--target", "invest", "--ignore", "year", "--set", "evaluate.cluster=firm", "--set",
        "data.split.train=1.0", "--json", "-q",
    )  # fmt: skip
    found = result.json["metrics"]["optimum"]["inference"]["coefficients"]
    assert list(found) == ["value", "capital", "log", "bias"]
    assert found["value"]["std_err_cluster"] == pytest.approx(fitted(table, "firm").bse["value"], rel=1e-9)
    assert json.loads(json.dumps(found)) == found


def test_the_codes_of_clusters_take_the_bytes_that_their_number_needs():
    labels = np.random.default_rng(0).integers(0, 40_000, 1_000_000).astype(np.int32)
    for count, size in ((6, 1), (300, 2), (40_000, 4)):
        tracemalloc.start()
        found = Clusters.of(labels % count)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (found.codes.itemsize, found.count) == (size, count)
        assert np.array_equal(found.codes, labels % count)
        # the labels are sorted (4 bytes each, twice); positions of all rows as int64 would be 8 more
        assert peak < len(labels) * (8 + 2 * size + 1)


@pytest.mark.parametrize(("n", "count"), [(5, 7), (200_000, 7), (200_000, 150_000)])
def test_clusters_that_are_numbers_are_those_of_numpy(n, count):
    values = np.random.default_rng(1).integers(-3, count - 3, n) / 2
    values[n // 2] = np.nan
    found = _of_numbers(values)
    _, positions = np.unique(values[~np.isnan(values)], return_inverse=True)
    assert found[n // 2] == MISSING
    assert np.array_equal(np.delete(found, n // 2), positions)


def test_values_of_many_blocks_are_sorted_in_a_few_times(monkeypatch):
    """Each value in a block of its own: 1,024 values are sorted into the others 11 times, not 1,024."""
    sizes, unique = [], np.unique
    monkeypatch.setattr(codes.np, "unique", lambda values: sizes.append(len(values)) or unique(values))
    found = codes.distinct(np.full(3, value) for value in range(1024, 0, -1))
    assert found.tolist() == list(range(1, 1025))
    assert len([size for size in sizes if size != 3]) <= 11


@pytest.mark.parametrize("most", [3, 7, 20])
def test_scores_of_clusters_that_are_added_up_a_group_at_a_time_are_those_of_statsmodels(monkeypatch, most):
    """Of 11 firms and 3 parameters, one, two or six firms at a time."""
    monkeypatch.setattr(clusters_module, "SCORES", most)
    X, y, design = numbers(bias=True)
    firms = Clusters.of(GRUNFELD["firm"])
    assert len(firms.groups(3)) == {3: 11, 7: 6, 20: 2}[most]
    fit = infer(least_squares(X, y, bias=True), X, y, names=["value", "capital"], covariance="cluster", clusters=firms)
    groups = pd.factorize(GRUNFELD["firm"])[0]
    expected = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": groups}).bse
    np.testing.assert_allclose(fit.std_err_cluster, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        (pa.array([7, None, 10, -2, 10], pa.int64()), 3),
        (pa.array([7, None, 10, 2**53 + 1, 2**53], pa.int64()), 4),  # of the last two, float64 has one
        (pa.array([0.5, None, 10.0, -2.0, 10.0]), 3),
        (pa.array([0.5, None, np.inf, -2.0, 10.0]), 4),
    ],
    ids=["whole", "beyond", "fractions", "infinite"],
)
def test_clusters_that_are_numbers_in_a_format_with_types_are_those_of_their_texts(cells, count):
    """The texts of a CSV are sorted by value where all are numbers, and each one is a cluster."""
    text = pa.array([None if cell is None else str(cell) for cell in cells.to_pylist()])
    found = [
        read_roles(Cells({}, pa.table({"k": each})), {"evaluate.cluster": "k"}, ["-999"], "t").clusters
        for each in (cells, text)
    ]
    np.testing.assert_array_equal(*found)
    assert found[0][1] == MISSING
    assert len({*found[0].tolist()} - {MISSING}) == count

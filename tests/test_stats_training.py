"""`train --stats` and `inspect --stats`: as on the rows, within rounding error; what needs rows is null or refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from summarised import differences, of_both, parts, placed, table

import linreg_cli
from linreg_cli.config import load_config
from linreg_cli.pipeline.measured import prepared_from
from linreg_cli.pipeline.silent import Silent
from linreg_cli.ranks.group import Ranks

VARIANTS = {
    "standardised, gaps as a level": (),
    "original units, the mean": (
        "--set", "data.ignore=[x, p]", "--set", "preprocess.standardize=false", "--set", "preprocess.missing=mean",
    ),
    "medians": ("--set", "preprocess.missing=median", "--set", "preprocess.standardize_target=true"),
    "float32, penalty, auto": (
        "--set", "train.dtype=float32", "--set", "optimizer.weight_decay=0.01", "--set", "optimizer.lr=auto",
    ),
    "no bias": ("--set", "model.bias=false", "--set", "data.ignore=[x, p]"),
    "sse, ddof, momentum": (
        "--set", "loss=sse", "--set", "optimizer.lr=1e-3", "--set", "optimizer.momentum=0.5",
        "--set", "preprocess.ddof=1",
    ),
    "log of the target, rows dropped": (
        "--set", "preprocess.target_transform=log1p", "--set", "preprocess.missing=drop", "--set", "data.target=p",
        "--set", "data.ignore=[y]",
    ),
    "two targets": ("--set", "data.target=[y, p]", "--set", "preprocess.missing=drop", "--set", "data.ignore=[]"),
    "a hash": ("--set", "data.split={train: 0.8, test: 0.2, by: hash}"),
}  # fmt: skip


@pytest.fixture
def place(linreg, tmp_path: Path) -> Path:
    frame = table()
    frame["p"] = np.exp(frame.y / 4)
    return placed(tmp_path, frame, ignore="[p]")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_from_statistics_is_that_on_the_rows(linreg, place, variant):
    options = VARIANTS[variant]
    found, expected = of_both(linreg, *options)
    if variant.startswith("log"):  # metrics in original units need the rows
        assert "original units need the rows" in found["train"]["r2_reason"]
        found["train"], expected["train"] = ({"loss": each["train"]["loss"]} for each in (found, expected))
    # A unit in the last place of the column about a billion is 1e-7 of its spread: so far rows and sums may differ.
    rtol = 1e-5 if "train.dtype=float32" in options else 1e-9 if "data.ignore=[x, p]" in options else 2e-6
    assert differences(found, expected, rtol) == []
    history = [np.loadtxt(f"outputs/s-000{run}/history.csv", delimiter=",", skiprows=1) for run in (1, 2)]
    names = Path("outputs/s-0001/history.csv").read_text().splitlines()[0].split(",")
    rows = [each[:, [at for at, name in enumerate(names) if name not in ("seconds", "gap")]] for each in history]
    np.testing.assert_allclose(*rows, rtol=rtol, atol=1e-7)


def test_the_optimum_and_its_inference_are_those_of_statsmodels(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    done = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", "--set", "train.epochs=20000", "--json")
    frame = table()
    X = pd.DataFrame({"x": frame.x - 1e9, "z": frame.z.fillna(frame.z.mean()), "z=(missing)": frame.z.isna() * 1.0})
    for level in ("c1", "c2", "c3", "c4"):
        X[f"city={level}"] = (frame.city == level) * 1.0
    expected = sm.OLS(frame.y, sm.add_constant(X)).fit()
    found = json.loads(done.out)["metrics"]["optimum"]["inference"]
    for name in X.columns:
        mine = found["coefficients"][name]
        numbers = [mine[key] for key in ("estimate", "std_err", "t", "p", "ci_low", "ci_high")]
        ends = expected.conf_int().loc[name]
        theirs = [expected.params[name], expected.bse[name], expected.tvalues[name], expected.pvalues[name], *ends]
        np.testing.assert_allclose(numbers, theirs, rtol=1e-6)
        assert "needs the rows" in mine["std_err_hc3_reason"]
    scalars = [found[key] for key in ("residual_std", "r2", "r2_adjusted", "f", "aic", "bic")]
    theirs = [
        np.sqrt(expected.mse_resid), expected.rsquared, expected.rsquared_adj, expected.fvalue, expected.aic,
        expected.bic,
    ]  # fmt: skip
    np.testing.assert_allclose(scalars, theirs, rtol=1e-7)


@pytest.mark.parametrize(("features", "definition"), [("[x]", "uncentred"), ("[x, one]", "centred")])
def test_a_column_about_a_billion_is_no_constant(linreg, tmp_path, features, definition):
    """Of the sums about zero, its square is that of a constant but for 5e-19; R2 by its definition, in longdouble."""
    placed(tmp_path, table().assign(one=1.0))
    options = ("--set", f"data.features={features}", "--set", "model.bias=false", "--set", "optimizer.lr=auto")
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors", *options)
    done = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", "--json", *options)
    found = json.loads(done.out)["metrics"]["optimum"]["inference"]
    x, y = table().x.to_numpy(np.longdouble), table().y.to_numpy(np.longdouble)
    rss = y @ y - (x @ y) ** 2 / (x @ x)
    total = y @ y
    if definition == "centred":
        x, total = x - x.mean(), (y - y.mean()) @ (y - y.mean())
        rss = total - (x @ y) ** 2 / (x @ x)
    assert found["r2_definition"] == definition
    assert found["r2"] == pytest.approx(float(1 - rss / total), rel=1e-6)


@pytest.mark.parametrize("variant", ["standardised, gaps as a level", "original units, the mean", "no bias"])
def test_an_inspection_from_statistics_is_that_of_the_rows(linreg, place, variant):
    options = VARIANTS[variant]
    linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors")
    found = linreg("inspect", "-c", "c.yaml", *options, "--stats", "s.safetensors", "--json")
    expected = linreg("inspect", "-c", "c.yaml", *options, "--json")
    first, second = json.loads(found.out), json.loads(expected.out)
    assert differences(first, second, 1e-6) == []
    assert "need the rows" in linreg("inspect", "-c", "c.yaml", *options, "--stats", "s.safetensors").out


def test_the_target_of_a_transform_is_inspected_in_the_units_that_are_said(linreg, place):
    options = VARIANTS["log of the target, rows dropped"]
    linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors")
    found = linreg("inspect", "-c", "c.yaml", *options, "--stats", "s.safetensors", "--json").json
    [target] = [each for each in found["columns"] if each["role"] == "target"]
    used = pd.read_csv("t.csv").dropna()
    np.testing.assert_allclose([target["min"], target["max"]], [used.p.min(), used.p.max()], rtol=1e-13)
    assert (target["mean"], target["std"]) == (None, None)  # those of the transformed values say nothing of these
    X = pd.get_dummies(used[["x", "z", "city"]], columns=["city"], drop_first=True, dtype=float)
    expected = sm.OLS(np.log1p(used.p), sm.add_constant(X.assign(x=X.x - 1e9))).fit()
    assert found["optimum"]["units"] == "transformed"
    np.testing.assert_allclose(found["optimum"]["rmse"], np.sqrt(expected.ssr / len(used)), rtol=1e-6)


def test_the_loss_of_near_copies_of_a_column_is_that_of_the_rows(linreg, tmp_path):
    # the exact fit is 1e7 and -1e7 of the two, and no step leads there
    rng = np.random.default_rng(0)
    x, noise, error = rng.standard_normal((3, 2_000))
    placed(tmp_path, pd.DataFrame({"x": x, "near": x + 1e-9 * noise, "y": x + error}))
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    train = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", "--json").json["metrics"]["train"]
    on_rows = linreg("train", "-c", "c.yaml", "--json").json["metrics"]["train"]
    np.testing.assert_allclose([train["loss"], train["mse"]], on_rows["mse"], rtol=1e-9)


def test_clusters_that_are_no_features_have_no_standard_errors_and_a_reason(linreg, place):
    options = ("--set", "evaluate.cluster=city")
    assert linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors").code == 0
    done = linreg("train", "-c", "c.yaml", *options, "--stats", "s.safetensors", "--json")
    each = json.loads(done.out)["metrics"]["optimum"]["inference"]["coefficients"]["z"]
    assert each["std_err"] > 0
    assert (each["std_err_cluster"], "'linreg evaluate RUN' reads them" in each["std_err_cluster_reason"]) == (
        None,
        True,
    )
    again = json.loads(linreg("evaluate", "s-0001", "--json").out)
    assert again["optimum"]["inference"]["coefficients"]["z"]["std_err_cluster"] > 0


def test_gates_of_such_a_run_compare_with_other_runs_also_when_it_goes_on(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    train = ("train", "-c", "c.yaml", "--stats", "s.safetensors", "-q")
    assert linreg(*train).code == 0
    unknown = [option for run in "ab" for option in ("--fail-if", f"train.rmse > run({run}).train.rmse")]
    refused = linreg(*train, *unknown)
    assert (refused.code, refused.err.count("error:")) == (2, 2)
    gate = "gates=[train.rmse <= 1.5 * run(s-0001).train.rmse]"
    assert linreg(*train, "--set", gate).code == 0
    assert linreg("train", "--resume", "s-0002", "-q", "--set", "train.epochs=29").code == 0


def test_what_is_done_with_such_a_run_works_or_says_why(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    options = ("--set", "train.epochs=5000", "--set", "plots=true")
    assert linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", *options, "-q").code == 0
    record = json.loads(Path("outputs/s-0001/run.json").read_text())
    assert (record["statistics"], record["data"]["rows"]["train"]) == (str(place / "s.safetensors"), 61)
    predicted = linreg("predict", "s-0001", "--data", "t.csv", "-o", "o.csv", "--interval", "prediction")
    assert (predicted.code, "prediction_low" in Path("o.csv").read_text()) == (0, True)
    assert json.loads(linreg("evaluate", "s-0001", "--data", "t.csv", "--json").out)["data"]["n"] == 61
    assert json.loads(linreg("evaluate", "s-0001", "--json").out)["train"]["mae"] > 0
    assert linreg("report", "s-0001", "-o", "r.html").code == 0
    assert linreg("export", "s-0001", "--format", "json", "-o", "m.json").code == 0
    assert linreg("plot", "s-0001", "--kind", "coefficients", "-o", "p").code == 0
    drawn = linreg("plot", "s-0001", "--kind", "residuals", "-o", "p")
    assert (drawn.code, "evaluate.predictions: none" in drawn.err) == (2, True)
    assert drawn.err.strip().endswith("it has: loss, gap, coefficients")
    assert linreg("plot", "s-0001", "--kind", "all", "-o", "q").err == ""
    drawn = linreg("plot", "s-0001", "--kind", "correlation", "-o", "p")
    assert (drawn.code, "trained from statistics" in drawn.err) == (2, True)


def test_python_trains_from_statistics_as_the_command_line_does(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    linreg("train", "-c", "c.yaml", "--stats", "s.safetensors")
    Path("t.csv").unlink()
    run = linreg_cli.train("c.yaml", statistics=Path("s.safetensors"))
    one, other = (Path(f"outputs/s-000{run}/model.safetensors").read_bytes() for run in (1, 2))
    assert (one == other, run.record["statistics"]) == (True, str(place / "s.safetensors"))
    with pytest.raises(linreg_cli.errors.UsageError, match="statistics stand for the rows"):
        linreg_cli.train("c.yaml", data={"x": [1.0]}, statistics="s.safetensors")


@pytest.mark.parametrize(("unit", "known"), [(1e142, True), (1e-160, False)])
def test_a_target_whose_squares_are_out_of_range_has_no_optimum_as_on_the_rows(linreg, tmp_path, unit, known):
    """Its R2 is a ratio of squares that underflow to 0 at 1e-160 on the rows, and in the factor of the statistics."""
    x = np.linspace(-1.0, 1.0, 9)
    placed(tmp_path, pd.DataFrame({"x": x, "y": (x**2 + x) * unit}))
    of_statistics, of_rows = of_both(linreg)
    assert not differences(of_statistics["optimum_reason"], of_rows["optimum_reason"], 0)
    assert "beyond the range of float64" in of_statistics["inference"]["refused"]
    found, expected = of_statistics["train"], of_rows["train"]
    assert (found["r2"] is not None) == (expected["r2"] is not None) == known
    if known:
        assert found["r2"] == pytest.approx(expected["r2"], rel=1e-12)


def test_rows_and_processes_that_would_have_no_part_in_the_run_are_refused(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    run = linreg_cli.train("c.yaml", statistics="s.safetensors")
    with pytest.raises(linreg_cli.errors.UsageError, match="the run is one of statistics, which stand for"):
        run.resume({"train.epochs": 30}, rows={"x": [1.0]})
    loaded = load_config(["c.yaml"])
    for given in ({"known": object()}, {"ranks": Ranks(0, 2, None, None)}):
        with pytest.raises(linreg_cli.errors.UsageError):
            prepared_from("s.safetensors", loaded, Silent(), **given)
    assert prepared_from("s.safetensors", loaded, Silent()).fingerprint == run.record["data"]["fingerprint"]


def test_more_epochs_go_on_from_the_statistics_that_the_run_began_with(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    linreg("train", "-c", "c.yaml", "--stats", "s.safetensors")
    linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", "--set", "train.epochs=30")
    done = linreg("train", "--resume", "s-0001", "--set", "train.epochs=30")
    assert done.code == 0, done.err
    one, other = (Path(f"outputs/s-000{run}/model.safetensors").read_bytes() for run in (1, 2))
    assert one == other
    assert linreg("train", "--resume", "s-0001", "--stats", "s.safetensors").code == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("loss=mae", "loss: mae needs the rows; set loss: mse"),
        ("train.batch_size=10", "set train.batch_size: full"),
        ("train.engine=native", "set train.engine: auto"),
        ("evaluate.cross_validation={folds: 3}", "folds are made of rows"),
        ("evaluate.covariance=HC3", "set evaluate.covariance: classic"),
        ("evaluate.predictions=all", "set evaluate.predictions: none"),
        ("gates=[train.mae < 1]", "statistics hold no rows"),
        ("gates=[optimum.leave_one_out.rmse < 1]", "statistics hold no rows"),
        ("gates=[optimum.inference.coefficients.z.std_err_hc3 < 1]", "statistics hold no rows"),
        ("gates=[inference.durbin_watson < 3]", "statistics hold no rows"),
    ],
)
def test_settings_and_gates_that_need_rows_are_refused_before_training(linreg, place, setting, said):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    done = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", "--set", setting)
    assert (done.code, Path("outputs").exists()) == (2, False)
    assert said in done.err


def test_shards_have_no_effect_on_statistics_which_a_warning_says(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    for more in ((), ("--set", "train.shards=3")):
        linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", *more)
    without, shards = (Path(f"outputs/s-000{run}") for run in (1, 2))
    assert (shards / "model.safetensors").read_bytes() == (without / "model.safetensors").read_bytes()
    (said,) = [each for each in json.loads((shards / "run.json").read_text())["warnings"] if each["kind"] == "config"]
    assert said["message"] == "train.shards has no effect: statistics have no rows to add up shard by shard"
    assert "shards: null" in (shards / "config.yaml").read_text()
    assert linreg("inspect", "-c", "c.yaml", "--stats", "s.safetensors", "--set", "train.shards=3").code == 0


def test_several_processes_are_refused_with_what_to_leave_out(linreg, place, monkeypatch):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    train = ("train", "-c", "c.yaml", "--stats", "s.safetensors", "-q")
    done = linreg(*train, "--nproc", "1")
    assert (done.code, done.err.strip().endswith("; leave --nproc out")) == (2, True), done.err
    with monkeypatch.context() as patched:  # as if torchrun had started it
        patched.setattr("linreg_cli.cli.ranks.join", lambda _: Ranks.alone(None))
        done = linreg(*train)
    assert (done.code, done.err.strip().endswith("start it without torchrun, or unset WORLD_SIZE")) == (2, True)
    assert linreg(*train).code == 0


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("preprocess.missing=error", 3, "7 cells are missing"),
        ("preprocess.missing=median", 3, "its values are not kept"),
        ("preprocess.missing=drop", 2, "the config is not that of the statistics: preprocess.missing: drop is"),
        ("data.target=z", 2, "data.target is"),
        ("data.encoding=latin-1", 2, "data.encoding is"),
        (f"data.sha256={'ab' * 32}", 2, "data.sha256 is"),
        ("train.dtype=float32", 0, ""),
    ],
)
def test_statistics_of_another_config_are_refused(linreg, place, setting, code, said):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    done = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", "--set", setting)
    assert (done.code, said in done.err) == (code, True), done.err


def test_statistics_of_another_table_are_refused_where_the_table_is_there(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    train = ("train", "-c", "c.yaml", "--stats", "s.safetensors", "-q")
    Path("copy.csv").write_bytes(Path("t.csv").read_bytes())
    assert linreg(*train, "--set", "data.path=copy.csv").code == 0
    content = Path("t.csv").read_text()
    digit = content.index(".", len(content) // 2) + 1
    changed = content[:digit] + str((int(content[digit]) + 1) % 10) + content[digit + 1 :]
    for other in (content[: content.rindex("\n", 0, -1) + 1], changed):
        Path("t.csv").write_text(other)
        for command in (train, ("inspect", "-c", "c.yaml", "--stats", "s.safetensors")):
            done = linreg(*command)
            assert (done.code, "the statistics are not those of t.csv as it is now" in done.err) == (3, True)
    assert linreg("train", "--resume", "s-0001", "--set", "train.epochs=21", "-q").code == 0
    Path("t.csv").unlink()
    assert linreg(*train).code == 0


@pytest.mark.parametrize(
    ("cell", "settings", "said"),
    [
        ("city", (), "1 level of held-out rows that the train split does not have: 'new'"),
        ("city", ("--set", "preprocess.unknown=ignore"), ""),
        ("z", ("--set", "preprocess.columns={z: {missing: error}}"), "1 cell is missing"),
    ],
)
def test_held_out_rows_are_judged_as_on_the_rows(linreg, place, cell, settings, said):
    frame = pd.read_csv("t.csv").assign(fold=["train"] * 55 + ["test"] * 6)
    frame.z = frame.z.fillna(0.0)
    frame.loc[58, cell] = {"city": "new", "z": None}[cell]
    frame.to_csv("t.csv", index=False)
    options = ("--set", "data.split={column: fold}", "--set", "train.epochs=2")
    made = linreg("stats", "-c", "c.yaml", *options, "-o", "s.safetensors")
    assert made.code == 0, made.err
    done = linreg("train", "-c", "c.yaml", *options, *settings, "--stats", "s.safetensors")
    assert (done.code, said in done.err) == (3 if said else 0, True), done.err
    assert linreg("train", "-c", "c.yaml", *options, *settings).code == done.code


def test_a_part_is_not_the_table_and_float32_needs_a_spread(linreg, place):
    one, _ = parts(linreg, 2)
    done = linreg("train", "-c", "c.yaml", "--stats", one)
    assert (done.code, "merge all parts with" in done.err) == (3, True)
    linreg("stats", "-c", "c.yaml", "-o", "s.safetensors")
    settings = ("--set", "train.dtype=float32", "--set", "preprocess.standardize=false")
    done = linreg("train", "-c", "c.yaml", "--stats", "s.safetensors", *settings)
    assert (done.code, "column 'x'" in done.err, "preprocess.standardize: true" in done.err) == (3, True, True)
    assert linreg("train", "t.csv", "--target", "y", "--stats", "s.safetensors").code == 2
    assert linreg("inspect", "-c", "c.yaml", "--stats", "s.safetensors", "--ridge").code == 2

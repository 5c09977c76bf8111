"""Weights of the rows: statsmodels' WLS, scikit-learn's `sample_weight`, and rows that stand in the table twice."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from left_out import errors_of_folds, errors_of_rows
from scipy.stats import t
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from statsmodels.stats.stattools import durbin_watson

from linreg_cli.convergence.batch_curvature import any_batch, mean_square_curvature, ordered_batches
from linreg_cli.convergence.gradient_noise import batch_noise
from linreg_cli.convergence.spectrum import curvature
from linreg_cli.data import Dataset
from linreg_cli.data.checks.effective_rows import effective_rows, few_effective_rows
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.roles import RowWeights
from linreg_cli.evaluation.metrics import ErrorSums
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.inference import infer
from linreg_cli.least_squares.resampling import leave_one_out, ridge_path
from linreg_cli.least_squares.robust import robust_optimum
from linreg_cli.least_squares.solve import least_squares
from linreg_cli.optim.losses import Loss

#: Monthly expenses of 72 cardholders (statsmodels' data); their variance grows with the square of the income.
CARDS = sm.datasets.ccard.load_pandas().data
CARDS = CARDS.assign(trust=1 / CARDS["INCOME"] ** 2, street=np.arange(72) % 24)
NAMES = ["AGE", "INCOME", "OWNRENT"]
X, Y = CARDS[NAMES].to_numpy().copy(), CARDS[["AVGEXP"]].to_numpy().copy()
RAW = CARDS["trust"].to_numpy()
W = RAW / RAW.mean()
#: Whole numbers, whose rows can be repeated; scaled to mean 1.
TIMES = np.random.default_rng(0).integers(1, 5, 72)
TIMES_1 = TIMES / TIMES.mean()


def design(X, bias=True):
    return np.column_stack([X, np.ones(len(X))]) if bias else X


@pytest.mark.parametrize("bias", [True, False])
def test_inference_is_that_of_wls(bias):
    A, groups = design(X, bias), CARDS["street"]
    theirs = sm.WLS(Y[:, 0], A, weights=RAW).fit()
    robust = theirs.get_robustcov_results("HC3")
    clustered = sm.WLS(Y[:, 0], A, weights=RAW).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    ours = infer(least_squares(X, Y, bias=bias, weights=W), X, Y, names=NAMES, clusters=Clusters.of(groups))
    interval = theirs.conf_int()
    expected = {
        "estimate": theirs.params, "std_err": theirs.bse, "std_err_hc3": robust.bse, "std_err_cluster": clustered.bse,
        "t": theirs.tvalues, "ci_low": interval[:, 0], "ci_high": interval[:, 1], "r2": theirs.rsquared,
        "r2_adjusted": theirs.rsquared_adj, "f": theirs.fvalue, "aic": theirs.aic, "bic": theirs.bic,
        "durbin_watson": durbin_watson(theirs.wresid),
        # The same fit with weights of mean 1: s^2 is that of a row of average weight.
        "residual_std": np.sqrt(theirs.mse_resid / RAW.mean()),
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(ours, name), values, rtol=1e-10, err_msg=name)
    np.testing.assert_allclose(ours.p, theirs.pvalues, rtol=1e-9)
    # 1 / (1 - R2) of each column on the others, weighted too.
    vif = [
        1 / (1 - sm.WLS(A[:, j], np.delete(A, j, axis=1), weights=RAW, hasconst=bias).fit().rsquared) for j in range(3)
    ]
    np.testing.assert_allclose(ours.vif[:3], vif, rtol=1e-8)


def test_leverage_and_influence_are_those_of_rows_times_the_root_of_their_weights():
    """R's hatvalues, rstandard and cooks.distance of a weighted lm are these."""
    root = np.sqrt(W)
    theirs = sm.OLS(Y[:, 0] * root, design(X) * root[:, None]).fit().get_influence()
    ours = infer(least_squares(X, Y, bias=True, weights=W), X, Y, names=NAMES)
    np.testing.assert_allclose(ours.leverage, theirs.hat_matrix_diag, rtol=1e-9)
    np.testing.assert_allclose(ours.cooks(), theirs.cooks_distance[0], rtol=1e-8)
    np.testing.assert_allclose(ours.standardized_residuals(), theirs.resid_studentized_internal, rtol=1e-8)


def without(rows):
    kept = np.setdiff1d(np.arange(72), rows)
    fit = sm.WLS(Y[kept, 0], design(X)[kept], weights=RAW[kept]).fit()
    return Y[rows, 0] - design(X)[rows] @ fit.params


def test_leave_one_out_and_folds_are_those_of_refitting():
    optimum = least_squares(X, Y, bias=True, weights=W)
    errors = np.concatenate([without(np.array([row])) for row in range(72)])
    np.testing.assert_allclose(errors_of_rows(optimum, X, Y, W)[:, 0], errors, rtol=1e-8)
    found = leave_one_out(optimum, DividedRows(X, Y, W))
    assert found.mse == pytest.approx(np.average(errors**2, weights=RAW), rel=1e-9)
    folds = np.array_split(np.random.default_rng(1).permutation(72), 5)
    found = errors_of_folds(optimum, X, Y, folds, W)
    for fold in folds:
        np.testing.assert_allclose(found[fold, 0], without(fold), rtol=1e-8)


def test_a_ridge_path_is_that_of_scikit_learn():
    optimum = least_squares(X, Y, bias=True, loss="sse", weights=W)
    path = ridge_path(optimum.factor, X, Y, [0.5, 20.0], loss="sse", penalise_bias=False)
    for position, penalty in enumerate((0.5, 20.0)):
        theirs = Ridge(alpha=penalty / 2).fit(X, Y[:, 0], sample_weight=W)
        np.testing.assert_allclose(path.weights[position, :, 0], theirs.coef_, rtol=1e-8)
        assert path.bias[position, 0] == pytest.approx(theirs.intercept_, rel=1e-8)


def repeated(*arrays):
    return tuple(np.repeat(each, TIMES, axis=0) for each in arrays)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_the_optimum_of_a_robust_loss_is_that_of_repeated_rows(loss):
    options = {"bias": True, "loss": loss, "huber_delta": 150.0}
    ours, _ = robust_optimum(X, Y, weights=TIMES_1, **options)
    theirs, _ = robust_optimum(*repeated(X, Y), **options)
    assert (ours.train_loss, ours.constant_loss) == pytest.approx((theirs.train_loss, theirs.constant_loss), rel=1e-9)
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=1e-6)
    assert ours.is_unique is theirs.is_unique


@pytest.mark.parametrize("loss", ["mse", "half_mse", "mae", "huber"])
def test_a_loss_and_its_best_constant_are_those_of_repeated_rows(loss):
    found = Loss(loss, 150.0).of_best_constant(torch.from_numpy(Y), torch.from_numpy(TIMES_1))
    again = Loss(loss, 150.0).of_best_constant(torch.from_numpy(repeated(Y)[0]))
    assert found == pytest.approx(again, rel=1e-9)
    model = torch.nn.Linear(3, 1, dtype=torch.float64)
    ours = Loss(loss, 150.0).over(model, torch.from_numpy(X), torch.from_numpy(Y), torch.from_numpy(TIMES_1))
    assert ours == pytest.approx(Loss(loss, 150.0).over(model, *map(torch.from_numpy, repeated(X, Y))), rel=1e-12)


def test_metrics_are_those_of_scikit_learn():
    predicted = Y + np.random.default_rng(2).normal(size=Y.shape) * 100
    sums = ErrorSums().add(Y[:50], predicted[:50], RAW[:50]).add(Y[50:], predicted[50:], RAW[50:])
    found = sums.metrics()
    options = {"y_true": Y, "y_pred": predicted, "sample_weight": RAW}
    assert found["mse"] == pytest.approx(mean_squared_error(**options), rel=1e-12)
    assert found["mae"] == pytest.approx(mean_absolute_error(**options), rel=1e-12)
    assert found["r2"] == pytest.approx(r2_score(**options), rel=1e-12)
    assert found["n"] == 72


def test_curvature_and_noise_are_those_of_the_weighted_gradients():
    scaled, y = (X - X.mean(axis=0)) / X.std(axis=0), (Y - Y.mean()) / Y.std()
    optimum, A = least_squares(scaled, y, bias=True, weights=W), design(scaled)
    factor = optimum.factor
    H = 2 / 72 * (A * W[:, None]).T @ A
    assert curvature(factor, "mse").largest == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-12)
    single = 2 * W * np.sum(A**2, axis=1)
    assert any_batch(factor, scaled, loss="mse", batch_size=1).largest == pytest.approx(single.max(), rel=1e-12)
    batches = [
        2 / 7 * np.linalg.eigvalsh((A[at : at + 7] * W[at : at + 7, None]).T @ A[at : at + 7])[-1]
        for at in range(0, 70, 7)
    ]
    last = 2 / 2 * np.linalg.eigvalsh((A[70:] * W[70:, None]).T @ A[70:])[-1]
    found = ordered_batches(factor, scaled, loss="mse", batch_size=7)
    assert found.largest == pytest.approx(max(*batches, last), rel=1e-10)
    # E[h_i^2] <= R E[h_i] over single rows, for a batch of one.
    fourth = sum(2 * w * a @ a * (2 * w * np.outer(a, a)) for w, a in zip(W, A, strict=True)) / 72
    R = np.linalg.eigvals(np.linalg.solve(H, fourth)).real.max()
    assert mean_square_curvature(factor, scaled, loss="mse", batch_size=1) == pytest.approx(R, rel=1e-9)
    spectrum = curvature(factor, "mse")
    noise = batch_noise(spectrum, optimum, scaled, y, loss="mse", batch_size=1)
    gradients = 2 * W[:, None] * (A @ np.append(optimum.weights, optimum.bias)[:, None] - y) * A
    along = gradients @ spectrum.eigenvectors
    np.testing.assert_allclose(noise.variances[:, 0], along.var(axis=0), rtol=1e-9)


# Runs


SHORT = "train: {batch_size: full, dtype: float64, epochs: 400}\noptimizer: {lr: auto, momentum: auto}\nplots: false\n"


def config(data="weight: trust, ", rest="", train=SHORT):
    table = f"data: {{path: t.csv, target: AVGEXP, {data}ignore: [INCOMESQ, street]}}\n"
    return f"{table}preprocess: {{standardize: true}}\n{rest}{train}"


@pytest.fixture
def cards(tmp_path):
    CARDS.to_csv(tmp_path / "t.csv", index=False)
    return CARDS


def exact_fit(rows=slice(None)):
    return sm.WLS(CARDS["AVGEXP"][rows], sm.add_constant(CARDS[NAMES], prepend=False)[rows], weights=RAW[rows]).fit()


def test_a_run_and_every_command_take_them(linreg, config_file, tmp_path, cards):
    path, theirs = config_file(config(), "c.yaml"), exact_fit()
    result = linreg("train", "-c", path, "--json", "--set", "plots=true")
    assert result.code == 0, result.err
    run, metrics = result.json["run"], result.json["metrics"]
    inference = metrics["inference"]["coefficients"]
    assert list(inference) == [*NAMES, "bias"]  # the weights are no feature
    for ours, name in zip(inference.values(), theirs.params.index, strict=True):
        assert ours["estimate"] == pytest.approx(theirs.params[name], rel=1e-7)
        assert ours["std_err"] == pytest.approx(theirs.bse[name], rel=1e-8)
        assert ours["p"] == pytest.approx(theirs.pvalues[name], rel=1e-6)
    mse = np.average(theirs.resid**2, weights=RAW)
    assert metrics["train"]["mse"] == pytest.approx(mse, rel=1e-7)
    assert (metrics["train"]["n"], metrics["inference"]["n"]) == (72, 72)
    predictions = pd.read_csv(tmp_path / "outputs" / run / "predictions.csv")
    np.testing.assert_allclose(predictions["weight"], W, rtol=1e-12)
    again = linreg("evaluate", run, "--json").json
    assert again["train"] == metrics["train"]
    assert again["optimum"]["inference"] == metrics["optimum"]["inference"]
    assert linreg("plot", run, "--kind", "all", "-o", tmp_path / "pictures").code == 0
    assert "rows weighted by" in linreg("report", run, "-o", "-").out
    assert linreg("export", run, "--format", "json", "-o", "-").code == 0
    assert linreg("validate", path).code == 0
    shown = linreg("inspect", "-c", path)
    assert shown.code == 0
    assert "weighted by trust" in shown.out
    loo = np.sqrt(np.average([without(np.array([row]))[0] ** 2 for row in range(72)], weights=RAW))
    assert linreg("inspect", "-c", path, "--json").json["optimum"]["leave_one_out"]["rmse"] == pytest.approx(
        loo, rel=1e-6
    )
    shown = linreg("explain", "-c", path, "--set", "train.batch_size=2", "--set", "optimizer={lr: 0.01, momentum: 0}")
    assert "loss = mean of weight * error^2" in shown.out
    assert linreg("stats", "-c", path, "-o", "s.npz").code == 0
    measured = linreg("inspect", "-c", path, "--stats", "s.npz", "--json").json["condition_number"]
    assert measured == pytest.approx(linreg("inspect", "-c", path, "--json").json["condition_number"], rel=1e-9)


def test_another_table_may_have_weights_or_not(linreg, config_file, tmp_path, cards):
    run = linreg("train", "-c", config_file(config()), "--json").json["run"]
    theirs, part = exact_fit(), CARDS.iloc[:20]
    part.to_csv(tmp_path / "with.csv", index=False)
    part.drop(columns="trust").to_csv(tmp_path / "without.csv", index=False)
    errors = theirs.resid[:20] ** 2
    found = linreg("evaluate", run, "--data", "with.csv", "--json").json["data"]
    assert found["mse"] == pytest.approx(np.average(errors, weights=RAW[:20]), rel=1e-6)
    assert found["weight"] == "trust"
    found = linreg("evaluate", run, "--data", "without.csv", "--json").json["data"]
    assert found["mse"] == pytest.approx(errors.mean(), rel=1e-6)
    assert (found["weight"], found["weight_reason"]) == (
        None,
        "the table has no column 'trust', so every row counts alike",
    )
    # The variance of an observation is that of the residuals over its weight.
    at = sm.add_constant(part[NAMES], prepend=False, has_constant="add")
    mean = theirs.get_prediction(at).se_mean
    for name, weights in (("with.csv", W[:20]), ("without.csv", np.ones(20))):
        out = pd.read_csv(StringIO(linreg("predict", run, "--data", name, "--interval", "prediction").out))
        half = t.ppf(0.975, 68) * np.sqrt(mean**2 + theirs.mse_resid / RAW.mean() / weights)
        np.testing.assert_allclose((out["prediction_high"] - out["prediction_low"]) / 2, half, rtol=1e-6)
    part.assign(trust=np.where(np.arange(20) == 6, 0.0, part["trust"])).to_csv(tmp_path / "bad.csv", index=False)
    for words in (
        ("evaluate", run, "--data", "bad.csv"),
        ("predict", run, "--data", "bad.csv", "--interval", "prediction"),
    ):
        failed = linreg(*words)
        assert (failed.code, "bad.csv, row 7, column 'trust': the weight is 0" in failed.err) == (3, True), failed.err


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse", "mae", "huber"])
def test_a_weight_is_so_many_equal_rows_for_a_full_batch(linreg, config_file, tmp_path, loss):
    table = CARDS.assign(trust=TIMES)
    table.to_csv(tmp_path / "t.csv", index=False)
    table.loc[np.repeat(table.index, TIMES)].to_csv(tmp_path / "twice.csv", index=False)
    # The loss of sse is that of weights with mean 1, so its rate is larger by the mean of the repetitions.
    rate = {"sse": 2e-3, "mae": 5.0}.get(loss, 0.1)
    train = (
        f"loss: {loss}\nhuber_delta: 150\noptimizer: {{lr: {rate}}}\n"
        "train: {batch_size: full, dtype: float64, epochs: 30}\nplots: false\n"
    )
    weighted = linreg("train", "-c", config_file(config(train=train), "a.yaml"), "--json").json["metrics"]
    plain = config("", train=train).replace("t.csv", "twice.csv").replace("INCOMESQ", "INCOMESQ, trust")
    plain = plain.replace(f"lr: {rate}", f"lr: {rate / TIMES.mean()}") if loss == "sse" else plain
    again = linreg("train", "-c", config_file(plain, "b.yaml"), "--json").json["metrics"]
    if loss != "mae":  # whose residuals of zero may be on either side
        for name, value in again["parameters"]["weights"].items():
            assert weighted["parameters"]["weights"][name] == pytest.approx(value, rel=1e-8)
    for name in ("mse", "mae", "r2"):
        assert weighted["train"][name] == pytest.approx(again["train"][name], rel=1e-6 if loss == "mae" else 1e-9)
    if loss != "sse":
        assert weighted["optimum"]["train_loss"] == pytest.approx(again["optimum"]["train_loss"], rel=1e-8)
        assert weighted["optimum"]["gap"] == pytest.approx(again["optimum"]["gap"], rel=1e-5)
    # What counts rows is another: n, and with it standard errors and degrees of freedom.
    assert (weighted["train"]["n"], again["train"]["n"]) == (72, TIMES.sum())


def test_mini_batches_validation_and_folds(linreg, config_file, cards):
    train = (
        "train: {batch_size: 8, epochs: 60, dtype: float64, early_stopping: {patience: 60}}\n"
        "optimizer: {lr: auto}\nevaluate: {cross_validation: {folds: 4}}\nplots: false\n"
    )
    text = config(train=train).replace("ignore:", "split: {train: 0.7, validation: 0.3}, ignore:")
    result = linreg("train", "-c", config_file(text), "--json")
    assert result.code == 0, result.err
    run = result.json["run"]
    rows = pd.read_csv(f"outputs/{run}/predictions.csv")
    for split in ("train", "validation"):
        part = rows[rows["split"] == split]
        mse = np.average((part["target"] - part["prediction"]) ** 2, weights=part["weight"])
        assert result.json["metrics"][split]["mse"] == pytest.approx(mse, rel=1e-12)
        assert result.json["metrics"][split]["loss"] == pytest.approx(mse, rel=1e-9)
    assert rows["weight"][rows["split"] == "train"].mean() == pytest.approx(1.0, rel=1e-12)
    assert result.json["metrics"]["cross_validation"]["rmse"]["mean"] > 0
    assert result.json["metrics"]["train"]["loss"] < 2 * result.json["metrics"]["optimum"]["train_loss"]


def test_float32(linreg, config_file, cards):
    result = linreg("train", "-c", config_file(config()), "--json", "--set", "train.dtype=float32")
    assert result.code == 0, result.err
    theirs = exact_fit()
    found = result.json["metrics"]["optimum"]["inference"]["coefficients"]
    assert found["INCOME"]["std_err"] == pytest.approx(theirs.bse["INCOME"], rel=1e-9)
    assert result.json["metrics"]["train"]["mse"] == pytest.approx(np.average(theirs.resid**2, weights=RAW), rel=1e-5)


@pytest.mark.parametrize("engine", ["affine", "native"])
def test_a_faster_engine_gives_the_run_of_the_reference(linreg, config_file, cards, engine):
    text = config(train="train: {batch_size: 8, epochs: 3, dtype: float64}\noptimizer: {lr: 0.02}\nplots: false\n")
    found, expected = (
        linreg("train", "-c", config_file(text), "--json", "--set", f"train.engine={name}").json["metrics"]
        for name in (engine, "reference")
    )
    for name in ("loss", "mse", "mae", "r2"):
        assert found["train"][name] == pytest.approx(expected["train"][name], rel=1e-10)
    assert found["parameters"]["weights"] == pytest.approx(expected["parameters"]["weights"], rel=1e-9)


def test_train_of_a_table_takes_them(linreg, cards):
    result = linreg(
        "train", "t.csv", "--target", "AVGEXP", "--ignore", "INCOMESQ,street", "--set", "data.weight=trust", "--set",
        "data.split.train=1.0", "--json", "-q",
    )  # fmt: skip
    found = result.json["metrics"]["optimum"]["inference"]["coefficients"]
    assert list(found) == [*NAMES, "bias"]
    assert found["AGE"]["std_err"] == pytest.approx(exact_fit().bse["AGE"], rel=1e-8)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("0", "t.csv, row 3, column 'trust': the weight is 0; a weight must be a finite number above 0"),
        ("-1.5", "t.csv, row 3, column 'trust': the weight is -1.5; a weight must be"),
        ("", "t.csv, row 3, column 'trust': the weight is missing; a weight must be"),
        ("inf", "t.csv, row 3, column 'trust': the value is infinite or overflows float64; a weight must be"),
        ("heavy", "t.csv, row 3, column 'trust': 'heavy' is not a number, and the column is mostly numbers; a weight"),
    ],
)
def test_a_weight_that_is_none_is_an_error_with_its_row(linreg, config_file, tmp_path, cell, said):
    CARDS.assign(trust=CARDS["trust"].astype(object).mask(CARDS.index == 2, cell)).to_csv(
        tmp_path / "t.csv", index=False
    )
    result = linreg("train", "-c", config_file(config()))
    assert result.code == 3
    assert said in " ".join(result.err.split())


@pytest.mark.parametrize("weight", [1e308, 1e-320])
def test_weights_whose_sum_is_out_of_range_are_refused(linreg, config_file, tmp_path, weight):
    CARDS.assign(trust=weight).to_csv(tmp_path / "t.csv", index=False)
    result = linreg("train", "-c", config_file(config()))
    assert (result.code, "t.csv, column 'trust': the sum of the weights" in result.err) == (3, True), result.err


def test_settings_that_do_not_go_with_them(linreg, config_file, cards):
    smeared = config(rest="").replace(
        "standardize: true", "standardize: true, target_transform: log, target_estimate: mean"
    )
    result = linreg("validate", config_file(smeared))
    assert (result.code, "one smearing factor does not fit all" in " ".join(result.err.split())) == (2, True)
    result = linreg("train", "-c", config_file(config("weight: AVGEXP, ")))
    assert (result.code, "data.weight: 'AVGEXP' is also the target" in result.err) == (3, True)


def test_weights_with_a_unit_are_told_how_they_are_read(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,w,y\n" + "".join(f"{x},{1 + x % 3} kg,{2 * x + x % 2}\n" for x in range(20)))
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y, weight: w}\noptimizer: {lr: 1e-3}\nplots: false\n")
    refused = linreg("train", "-c", "c.yaml")
    assert refused.err.endswith("column 'w': '1 kg' is a number with the unit kg; set data.units: {w: kg}\n")
    assert linreg("train", "-c", "c.yaml", "--set", "data.units={w: kg}").code == 0


def test_weights_with_decimal_commas_are_told_how_they_are_read(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x;w;y\n" + "".join(f"{x};{1 + x % 3},5;{2 * x + x % 2}\n" for x in range(20)))
    (tmp_path / "c.yaml").write_text(
        "data: {path: t.csv, target: y, weight: w, delimiter: ';'}\noptimizer: {lr: 0.001}\nplots: false\n"
    )
    words = ("train", "-c", "c.yaml", "-q")
    assert "the column has decimal commas, such as '1,5'; set data.decimal: \",\"" in linreg(*words).err
    assert linreg(*words, "--set", 'data.decimal=","').code == 0
    (tmp_path / "t.csv").write_text("x;w;y\n" + "".join(f"{x}.5;{1 + x % 3},5;{2 * x}\n" for x in range(20)))
    assert "data.decimal" not in linreg(*words).err, "the other columns have points"


@pytest.mark.parametrize(
    ("weights", "warned"),
    [([1e9] + [1.0] * 199, True), ([1.0] * 200, False), ([20.0] * 10 + [1.0] * 190, False), ([1.0, 1e-9, 1e-9], True)],
    ids=["one huge", "equal", "ten heavy", "three rows"],
)
def test_a_few_rows_with_nearly_all_weight_are_warned_of(weights, warned):
    """Kish's effective sample size, by its formula."""
    n, w = len(weights), np.array(weights)
    rows = {"train": np.arange(n), "validation": np.arange(0), "test": np.arange(0)}
    columns = {"x": np.arange(n, dtype=float), "y": np.arange(n, dtype=float) ** 2}
    found = [
        *few_effective_rows(Dataset("t", ("x",), ("y",), columns, rows, weights=RowWeights.of(w, "w", rows["train"])))
    ]
    assert [each.kind for each in found] == ["few_effective_rows"] * warned
    assert effective_rows(RowWeights.of(w, "w", rows["train"]), rows["train"])[0] == pytest.approx(
        w.sum() ** 2 / (w**2).sum()
    )
    assert all("row 1 alone has 100 %" in each.message for each in found)


def test_a_key_of_another_source_is_compared_with_those_of_this_one(linreg, config_file):
    error = linreg("validate", config_file("data: {path: t.csv, target: y, weights: w}\n")).err
    assert "it belongs to source: synthetic; did you mean 'weight'? Else remove it" in error

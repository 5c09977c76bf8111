"""The sentences that a report opens with say what the run has shown, and no more."""

import csv
import json
import re
from html import unescape

import numpy as np
import pytest
from scipy import stats

from linreg_cli.cli.app import run as run_command
from linreg_cli.report.contents import contents_of
from linreg_cli.report.found import findings_of, sentences
from linreg_cli.report.results import pictures
from linreg_cli.runs.store import RunFolder

EXACT = {"optimizer": {"lr": "auto"}, "train": {"epochs": 400, "batch_size": "full", "dtype": "float64"}}
STANDARD = {"preprocess": {"standardize": True, "standardize_target": True}}


def rows_of(n: int = 80) -> list[list[float]]:
    """Rows a, b, y, z, in which a matters twice as much to y as b, and nothing matters to z."""
    chance = np.random.default_rng(5)
    a, b, z = chance.normal(size=(3, n))
    y = 4 * a + 2 * b + chance.normal(size=n)
    return np.column_stack([a, b, np.exp(y / 4), y, z]).round(6).tolist()


def inline(target: object, features: list[str], **more: object) -> dict[str, object]:
    data = {"source": "inline", "columns": ["a", "b", "grown", "y", "z"], "rows": rows_of()}
    return {"data": {**data, "target": target, "features": features}, "plots": False, **EXACT, **STANDARD, **more}


def on_halves(config: dict) -> dict:
    config["data"]["split"] = {"train": 0.5, "test": 0.5}
    return config


RUNS = {
    "tested": on_halves(inline("y", ["a", "b"])),
    "untested": inline("y", ["a", "b"]),
    "several": on_halves(inline(["y", "z"], ["a", "b"])),
    "logged": inline("grown", ["a", "b"], preprocess={**STANDARD["preprocess"], "target_transform": "log"}),
    "short": inline("y", ["a", "b"], train={"epochs": 1, "batch_size": "full"}, optimizer={"lr": 0.1}),
    "absolute": inline("y", ["a", "b"], loss="mae", optimizer={"lr": 0.05}),
    "nothing": inline("z", ["a", "b"]),
    "folded": inline("y", ["a"], evaluate={"cross_validation": {"folds": 4}}),
    "exact": {
        "data": {"source": "inline", "columns": ["x", "y"], "rows": [[1, 3], [2, 5], [3, 7], [4, 9], [5, 11]]},
        "plots": False,
        **EXACT,
        **STANDARD,
    },
    "saturated": {
        "data": {"source": "inline", "columns": ["x", "y"], "rows": [[1, 3], [2, 7]]},
        "plots": False,
        **EXACT,
        **STANDARD,
    },
    "diverged": inline("y", ["a", "b"], optimizer={"lr": 50.0}, preprocess={"standardize": False}),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    for name, config in RUNS.items():
        (folder / f"{name}.yaml").write_text(json.dumps(config))
        code = run_command(
            ["train", "-c", str(folder / f"{name}.yaml"), "-q", "--force", "--outputs", str(folder / "outputs")]
        )
        assert code == (4 if name == "diverged" else 0), name
    return folder / "outputs"


def read(runs, name):
    contents = contents_of(RunFolder(runs / f"{name}-0001"))
    return contents.record(), contents.metrics


def said(record, metrics) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", "", sentence)) for sentence in sentences(record, metrics))


def test_what_was_fitted_how_good_it_is_and_what_matters_most_with_its_interval(runs):
    record, metrics = read(runs, "tested")
    found = said(record, metrics)
    train = sorted(set(range(80)) - set(test_rows(runs, "tested")))
    rows = np.array(rows_of())
    X = np.column_stack([rows[train][:, :2], np.ones(40)])
    y = rows[train][:, 3]
    inverse = np.linalg.inv(X.T @ X)
    weights = inverse @ X.T @ y
    error = np.sqrt(np.sum((y - X @ weights) ** 2) / 37 * inverse[0, 0])
    half = stats.t.ppf(0.975, 37) * error
    shown = re.search(r"a matters most; its coefficient is (\S+) \(95 % interval (\S+) to ([\d.]+)\)", found)
    assert [float(each) for each in shown.groups()] == pytest.approx(
        [weights[0], weights[0] - half, weights[0] + half], abs=0.002
    )
    assert found.startswith(
        "y was regressed on a and b, using 40 rows. On 40 test rows, which training has not seen, R² is "
    )
    r2 = 1 - metrics["test"]["mse"] / np.var(rows[test_rows(runs, "tested")][:, 3])
    assert f"R² is {r2:.3g} and the error (RMSE) {np.sqrt(metrics['test']['mse']):.4g}" in found
    assert found.endswith("None of the checks found anything odd.")


def test_rows(runs, name):
    lines = (runs / f"{name}-0001" / "predictions.csv").read_text().splitlines()[1:]
    return [int(line.split(",")[1]) - 1 for line in lines if line.startswith("test")]


test_rows.__test__ = False


def test_without_rows_kept_apart_it_says_so(runs):
    found = said(*read(runs, "untested"))
    assert "test rows" not in found
    assert "No rows were kept apart; by leave-one-out of the exact fit, R² is 0.9" in found
    folded = said(*read(runs, "folded"))
    assert "On rows left out by 4-fold cross-validation, R² has mean " in folded
    record, metrics = read(runs, "absolute")
    metrics["optimum"] = None
    assert (
        "No rows were kept apart, so it is not known how good it is on others; on the rows of the fit R² is "
        in said(record, metrics)
    )


def test_few_test_rows_and_a_fit_that_is_worse_than_the_mean_are_said(runs):
    record, metrics = read(runs, "tested")
    few = {**metrics, "test": {**metrics["test"], "n": 6, "r2": -0.25, "rmse": 9.0}}
    found = said(record, few)
    assert "against 0.9" in found or "against 1" in found  # the error on the rows of the fit
    assert "predicting their mean would be better; so few rows say little about others." in found


def test_several_targets_have_their_own_words(runs):
    found = said(*read(runs, "several"))
    assert found.startswith(
        "y and z were regressed on a and b, using 40 rows. On 40 test rows, which training has not seen, "
    )
    assert re.search(r"R² is 0\.9\d* for y and -?0\.\d+ for z", found)
    assert "For y, compared per standard deviation, a matters most" in found
    assert "For z, no column clearly matters: every interval contains 0." in found


def test_a_transformed_target_is_named_with_its_transform(runs):
    found = said(*read(runs, "logged"))
    assert found.startswith("Log of grown was regressed on a and b, using 80 rows. ")
    assert "R² and the error are in original units, not in log units. " in found
    shown = str(pictures(contents_of(RunFolder(runs / "logged-0001"))))
    captions = [unescape(each) for each in re.findall("<figcaption>(.*?)</figcaption>", shown)]
    assert [each.partition(" against")[0] for each in captions] == [
        "The loss after each epoch.", "Predicted", "Residuals of log of grown (actual − predicted)",
        "Standardised residuals of log of grown", "The size of the standardised residuals of log of grown",
        "Standardised residuals of log of grown",
        "Coefficients for log of grown per standard deviation of each feature, with 95 % intervals of the exact fit.",
    ]  # fmt: skip


def test_a_caption_names_only_what_is_drawn_and_the_text_for_the_blind_the_rows_that_are_named(runs):
    shown = str(pictures(contents_of(RunFolder(runs / "absolute-0001"))))  # mae: there is no inference
    captions = [unescape(each) for each in re.findall("<figcaption>(.*?)</figcaption>", shown)]
    assert captions[-1].endswith("per standard deviation of each feature.")
    assert "interval" not in shown
    with open(runs / "absolute-0001" / "predictions.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -abs(float(row["target"]) - float(row["prediction"])))
    largest = ", ".join(row["row"] for row in rows[:3])
    assert f"against predicted values, with a smooth curve. Named: rows {largest}." in shown


def test_a_run_that_is_far_from_the_exact_fit_says_whose_interval_it_is(runs):
    record, metrics = read(runs, "short")
    found = said(record, metrics)
    assert "Training has not reached the exact fit, and the following is about that fit. Compared per standard" in found
    exact = metrics["optimum"]["inference"]["coefficients"]["a"]["estimate"]
    assert f"a matters most; its coefficient is {exact:.3f} " in found


def test_without_inference_it_says_why(runs):
    found = said(*read(runs, "absolute"))
    assert "on a and b, using 80 rows and the loss mae." in found
    assert "There are no intervals, so which column matters most is not said: " in found
    assert "None of the checks that could be made found anything odd." in found
    assert "matters most; " not in found


def test_where_no_interval_excludes_0_no_column_matters(runs):
    found = said(*read(runs, "nothing"))
    assert "no column clearly matters: every interval contains 0, also that of the largest" in found.lower()
    assert "matters most" not in found


def test_an_exact_and_a_saturated_fit_are_no_evidence_of_intervals(runs):
    exact = said(*read(runs, "exact"))
    assert exact.startswith(
        "y was regressed on x, using 5 rows. The fit is exact: no row is off by more than rounding error."
    )
    saturated = said(*read(runs, "saturated"))
    assert "The fit is saturated: 2 parameters fit these rows whatever the target is." in saturated
    assert "95 %" not in exact + saturated


def test_a_diverged_run_has_no_model_and_nothing_is_known_but_its_rate(runs):
    record, metrics = read(runs, "diverged")
    limit, instead = record["diverged"]["limit"], record["diverged"]["lr_instead"]
    assert said(record, metrics) == (
        "This run diverged: its loss grew without bound. There is no model, so nothing is known about y. "
        f"The learning rate 50 is {50 / limit:.3g} times the limit of full-batch training; {instead:g} is below it."
    )
    assert instead < limit
    assert said({**record, "diverged": None}, metrics).endswith("nothing is known about y.")


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_a_run_without_results_has_no_others(runs, status):
    record, _ = read(runs, "tested")
    found = said({**record, "status": status}, None)
    assert found.endswith("There is no model, so nothing is known about y.")
    assert "R²" not in found


def test_overlapping_intervals_and_what_may_be_chance_are_said(runs):
    record, metrics = read(runs, "tested")
    both = json.loads(json.dumps(metrics))
    both["inference"]["coefficients"]["b"] |= {"ci_low": 1.0, "ci_high": 9.0}
    assert "but its interval overlaps that of b." in said(record, both)
    rare = json.loads(json.dumps(metrics))
    rare["inference"]["coefficients"]["a"]["p"] = 0.03
    assert "but among 2 coefficients one such interval may be chance." in said(record, rare)


def test_unequal_variances_bring_the_intervals_that_allow_for_them(runs):
    record, metrics = read(runs, "tested")
    warned = {**record, "warnings": [{"kind": "heteroskedastic", "message": "…"}]}
    values = metrics["inference"]["coefficients"]["a"]
    half = (values["ci_high"] - values["ci_low"]) / 2 * values["std_err_hc3"] / values["std_err"]
    shown = re.search(r"interval by HC3 (\S+) to ([\d.]+)\)", said(warned, metrics))
    assert [float(each) for each in shown.groups()] == pytest.approx(
        [values["estimate"] - half, values["estimate"] + half], abs=0.002
    )


def test_what_is_odd_is_said_in_the_words_of_the_kinds(runs):
    record, metrics = read(runs, "tested")
    kinds = ["autocorrelation", "influential", "font", "leak", "collinear", "duplicate"]
    odd = {**record, "warnings": [{"kind": kind, "message": kind} for kind in kinds]}
    odd["gates"] = [{"gate": "test.r2 > 2", "passed": False}]
    assert said(odd, metrics).endswith(
        "Odd: 1 gate failed; the residuals of neighbouring rows are alike, or opposite; a row has a Cook's distance "
        "above 1; and 3 more."
    )


@pytest.mark.parametrize(("found", "word"), [(0.9, "alike"), (3.1, "opposite"), (None, "alike, or opposite")])
def test_it_is_said_whether_neighbours_are_alike_or_opposite(runs, found, word):
    record, metrics = read(runs, "tested")
    odd = {**record, "warnings": [{"kind": "autocorrelation", "message": "…"}]}
    inference = {**metrics["inference"], "durbin_watson": found}
    shown = said(odd, {**metrics, "inference": inference})
    assert shown.endswith(f"Odd: the residuals of neighbouring rows are {word}.")


def test_warnings_of_earlier_versions_have_no_kind():
    old = {"data": {"warnings": ["a", "b"]}, "warnings": [{"kind": "leak", "message": "a"}]}
    assert [each["kind"] for each in findings_of(old)] == ["leak", "table"]

"""The values on the page are those of the files of the run, and what has none says why."""

import pytest
import report_pages
from report_pages import NAMES, STEMS, TARGETS, page, run_of

from linreg_cli.decimals import place_of
from linreg_cli.evaluation.optimum_in_words import gap_in_words
from linreg_cli.wording import number, p_value

# Fixtures of report_pages.py: pytest finds them by their names in this module.
outputs = report_pages.outputs
copy = report_pages.copy
undrawn = report_pages.undrawn


def test_metrics_are_those_of_the_run_as_the_terminal_has_them(outputs, undrawn):
    run = run_of(outputs, "hostile")
    metrics, read = run.read_json("metrics.json"), page(run)
    shown = read.table("Metrics of all targets")
    keys = ["n", "r2", "rmse", "mse", "mae", "loss"]
    assert set(shown) == {"", "train", "test"}
    for split in ("train", "test"):
        assert shown[split] == [number(metrics[split][key]) for key in keys]
        for target in TARGETS:
            own = metrics[split]["by_target"][target]
            assert read.table(f"Metrics of {target}")[split] == [number(own[key]) for key in keys if key != "loss"]


def test_cross_validation_has_mean_spread_and_folds(outputs, undrawn):
    run = run_of(outputs, "hostile")
    found = run.read_json("metrics.json")["cross_validation"]
    shown = page(run).table("Cross-validated metrics: mean, standard deviation and each fold")
    keys = ["mse", "rmse", "mae", "r2"]
    assert shown["mean"] == [number(found[key]["mean"]) for key in keys]
    assert shown["standard deviation"] == [number(found[key]["std"]) for key in keys]
    for fold in range(3):
        assert shown[f"fold {fold + 1}"] == [number(found[key]["values"][fold]) for key in keys]


def test_cross_validation_without_a_value_says_why(copy, undrawn):
    run = copy("hostile")
    metrics = run.read_json("metrics.json")
    keys = ("mse", "rmse", "mae", "r2")
    metrics["cross_validation"] = {"folds": 3, **dict.fromkeys(keys), **{f"{key}_reason": "it <burst>" for key in keys}}
    run.write_json("metrics.json", metrics)
    read = page(run)
    assert read.table("Cross-validated metrics: mean, standard deviation and each fold")["mean"] == ["undefined"] * 4
    assert read.shown.count("undefined: it <burst>") == 1


def test_parameters_stand_beside_the_optimum_and_their_errors(outputs, undrawn):
    run = run_of(outputs, "hostile")
    metrics, read = run.read_json("metrics.json"), page(run)
    assert f"{gap_in_words(metrics)[1:]}." in read.shown
    for target in TARGETS:
        shown = read.table(f"Coefficients of {target}, in original units, classic standard errors")
        assert shown[""] == ["coefficient", "estimate", "95 % interval", "p", "std err"]
        assert read.table(f"Further statistics of {target}")[""] == ["coefficient", "t", "HC3 std err", "VIF"]
        for key, label in (("a&b", "a&b"), ("bias", "(bias)")):
            errors = metrics["inference"][target]["coefficients"][key]
            trained = metrics["parameters"]
            estimate = trained["bias"][target] if key == "bias" else trained["weights"][target][key]
            ends = [estimate, errors["ci_low"], errors["ci_high"]]
            unit = 10.0 ** place_of(errors["std_err"], largest=max(map(abs, ends)))
            shown_estimate, shown_interval, p, std_err = shown[label]
            cells = [float(cell.replace(",", "")) for cell in (shown_estimate, *shown_interval.split(" to "))]
            assert cells == pytest.approx(ends, abs=unit * 0.501)
            assert float(std_err.replace(",", "")) == pytest.approx(errors["std_err"], rel=6e-4)
            assert p == p_value(errors["p"])


def test_where_inference_was_refused_the_reason_stands_in_its_place(outputs, undrawn):
    run = run_of(outputs, "known")
    read = page(run)
    refused = run.read_json("metrics.json")["inference"]["refused"]
    assert f"The statistics below are those of the exact fit, not of the trained model: {refused}." in read.shown
    [caption] = [caption for caption in read.captions if caption.startswith("Coefficients of y")]
    assert caption == "Coefficients of y, in original units, classic standard errors of the exact fit"
    header = ["coefficient", "exact fit", "95 % interval", "trained", "distance in std err", "p", "std err"]
    assert read.table(caption)[""] == header


def test_leave_one_out_and_the_truth_are_those_of_evaluate(outputs, linreg, undrawn):
    run = run_of(outputs, "known")
    read = page(run)
    found = run.read_json("metrics.json")["optimum"]["leave_one_out"]
    [row] = [cells for key, cells in read.table("Leave-one-out error of the optimum, in original units").items() if key]
    assert row == [number(found[key]) for key in ("mse", "rmse", "r2")]
    truth = linreg("evaluate", run.path, "--json").json["truth"]
    shown = read.table("The true parameters and the trained ones")
    for key, label in (("a", "a"), ("b", "b"), ("bias", "(bias)")):
        values = truth["coefficients"][key]
        numbers = [number(values[part]) for part in ("true", "estimate", "error")]
        assert shown[label] == [*numbers, "✓ yes" if values["covered"] else "✗ no"]
    assert ["MSE of the noise", number(truth["noise_mse"])] in read.facts


def test_undefined_metrics_say_why_and_a_model_without_an_intercept_has_none(outputs, undrawn):
    read = page(run_of(outputs, "undefined"))
    assert read.table("Metrics of y")["test"][1] == "undefined"
    assert "test R² is undefined: a single row has no variance" in read.shown
    [caption] = [caption for caption in read.captions if caption.startswith("Coefficients of y")]
    assert list(read.table(caption)) == ["", "x"]


def test_gates_say_passed_or_failed_in_words(outputs, undrawn):
    run = run_of(outputs, "hostile")
    read = page(run)
    passed, failed = run.record()["gates"]
    shown = read.table("Gates of the run")
    assert shown["test.r2 >= 0.1"] == ["✓ passed", number(passed["measured"]), ""]
    assert shown["test.rmse < 1e-9"] == ["✗ failed", number(failed["measured"]), failed["reason"]]
    assert "✗ 1 gate failed" in read.shown.split("Metrics")[0]


def test_probes_stand_before_and_after(outputs, undrawn):
    run = run_of(outputs, "known")
    shown = page(run).table("Predictions before and after training")
    for point, label in zip(run.read_json("metrics.json")["probe"], ("1, 2", "30,000, 4"), strict=True):
        assert shown[label] == [number(point["before"][0]), number(point["after"][0])]


def test_what_was_done_to_the_table_is_told(outputs, undrawn):
    read = page(run_of(outputs, "hostile"))
    columns = read.table("Columns used")
    assert columns[NAMES[0]][:5] == ["feature", "number", "10", "-", "1"]
    assert columns[NAMES[0]][5].startswith("filled with the mean, ")
    assert columns["kind"] == ["feature", "text", "0", "4", "3", ""]
    assert ["rows", "63 train, 27 test"] in read.facts


def test_the_rate_is_held_against_its_limit(outputs, copy, undrawn):
    told = {stem: dict(page(run_of(outputs, stem)).facts)["stability"] for stem in STEMS}
    limit = run_of(outputs, "known").record()["lr"]["limit"]
    assert told["known"] == f"stable: 0.05 is below the limit {limit['rate']:.3g} of {limit['covers']}"
    assert told["noisy_line"].startswith("not safe: 0.0004 is 1.34 times the limit 0.000298 of full-batch training; ")
    assert told["old"].startswith("not recorded")
    run = copy("known")
    record = run.read_json("run.json")
    for changed, said in (
        ({**limit, "safe": False}, f"0.05 is below the limit {limit['rate']:.3g} of {limit['covers']}; with momentum"),
        (None, "no limit is known"),  # as for mae
    ):
        record["lr"]["limit"] = changed
        run.write_json("run.json", record)
        assert dict(page(run).facts)["stability"].startswith(said)

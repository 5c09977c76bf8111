"""What a comparison opens with: which run is better on what, and when that cannot be said."""

import re
import shutil
from html import unescape

import pytest
import report_pages

from linreg_cli.report.ranking import ranking
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

# Fixture of report_pages.py: pytest finds it by its name in this module.
outputs = report_pages.outputs


@pytest.fixture
def made(outputs, tmp_path):
    """Makes a copy of a run whose test predictions are moved, and whose record and metrics are changed."""

    def make(name: str, moved: float = 0.0, *, metrics=None, record=None) -> RunContents:
        run = RunFolder(shutil.copytree(outputs / "known-0001", tmp_path / f"{name}-0001"))
        header, *lines = (run.path / "predictions.csv").read_text().splitlines()
        rows = [line.split(",") for line in lines]
        for row in rows:
            row[3] = repr(float(row[3]) + moved * (row[0] == "test"))
        (run.path / "predictions.csv").write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
        errors = [(float(row[2]) - float(row[3])) ** 2 for row in rows if row[0] == "test"]
        found = run.read_json("metrics.json")
        found["test"]["rmse"] = (sum(errors) / len(errors)) ** 0.5
        run.write_json("metrics.json", {**found, **(metrics or {})})
        run.write_json("run.json", {**run.read_json("run.json"), "seconds": 1.0, "label": None, **(record or {})})
        return RunContents(run.path)

    return make


def said(*runs) -> str:
    return unescape(re.sub("<[^>]*>", "", ranking(runs)))


def test_the_best_on_unseen_rows_is_named_with_its_error(made):
    runs = made("a"), made("b", 30.0), made("c", 40.0)
    errors = [run.splits["test"]["rmse"] for run in runs]
    span = f"{errors[1]:.4g} to {errors[2]:.4g}"
    assert said(*runs) == f"On 6 test rows a-0001 has the lowest error (RMSE), {errors[0]:.4g} against {span}."


def test_a_difference_that_may_be_chance_is_called_so(made):
    found = said(made("a"), made("b", 0.02))
    assert found.startswith("On 6 test rows ")
    assert "; the difference from " in found
    assert found.endswith("-0001 may be chance.")


def test_a_sample_of_the_predictions_says_nothing_about_chance(made):
    run = made("a")
    lines = (run.path / "predictions.csv").read_text().splitlines()
    lines.remove(next(line for line in lines if line.startswith("test,")))
    (run.path / "predictions.csv").write_text("\n".join(lines) + "\n")
    assert "chance" not in said(run, made("b", 0.02))


def test_equal_runs_are_alike(made):
    found = said(made("a"), made("b"))
    assert re.fullmatch(r"On 6 test rows the runs are alike: the error \(RMSE\) is [\d.]+\.", found)


def test_the_closest_to_its_optimum_and_the_fastest_are_named(made):
    near = made("near").metrics["optimum"] | {"gap": 1e-6}
    runs = made("a", record={"seconds": 9.0}), made("b", metrics={"optimum": near}, record={"seconds": 2.0})
    found = said(*runs)
    assert "b-0001 is the closest to its optimum (gap " in found
    assert found.endswith("b-0001 took the least time, 2.00 s against up to 9.00 s.")


def test_runs_of_other_data_are_not_compared(made, outputs):
    found = said(made("a"), RunContents(outputs / "undefined-0001"))
    assert found.startswith("The runs were trained on different data, so their metrics are not directly comparable.")
    assert "lowest" not in found


def test_a_run_without_a_model_is_named_and_does_not_win(made, outputs):
    found = said(made("a"), RunContents(outputs / "noisy_line-0001"))
    assert found == "noisy_line-0001 diverged, and has no model. a-0001 alone has results."


def test_runs_without_rows_kept_apart_are_compared_on_those_of_the_fit_and_it_is_said(made):
    train = made("c").metrics["train"]
    runs = made("a", metrics={"test": None}), made("b", metrics={"test": None, "train": {**train, "rmse": 99.0}})
    assert "train rows, on which they were fitted, a-0001 has the lowest error (RMSE), " in said(*runs)

"""Diagnostics in words: warnings as they are, and ticks only for figures that are usual."""

import re

import report_pages
from report_pages import TARGETS, page, run_of

# Fixtures of report_pages.py: pytest finds them by their names in this module.
outputs = report_pages.outputs
copy = report_pages.copy
undrawn = report_pages.undrawn


def lines_of(read) -> list[str]:
    shown = read.shown.split("Diagnostics", 2)[2]
    return re.findall(r"[✓✗–] [^✓✗–]*", shown.partition("\nPictures")[0])


def test_each_target_has_its_checks_with_the_figures_of_the_run(outputs, undrawn):
    run = run_of(outputs, "hostile")
    metrics, found = run.read_json("metrics.json"), "".join(lines_of(page(run)))
    for target in TARGETS:
        value = metrics["inference"][target]["durbin_watson"]
        assert f"neighbouring rows of {target}: Durbin-Watson is {value:.3g}, and about 2" in found
        assert f"✓ convergence of {target}: no coefficient is 0.01 standard errors or more from the exact fit" in found
    header, *rows = (run.path / "influence.csv").read_text().splitlines()
    at = header.split(",").index(f"cooks_distance:{TARGETS[0]}")
    most = max((float(row.split(",")[at]), int(row.split(",")[0])) for row in rows)
    assert f"influence of {TARGETS[0]}: the largest Cook's distance is {most[0]:.3g}, of row {most[1]}" in found


def test_a_warning_takes_the_place_of_its_check_and_says_what_helps(copy, undrawn):
    run = copy("hostile")
    record = run.read_json("run.json")
    message = "row 7 has a Cook's distance above 1. Check its cells"
    run.write_json("run.json", record | {"warnings": [{"kind": "influential", "message": message}]})
    found = lines_of(page(run))
    assert found[0].strip() == f"✗ influential: {message}"
    assert not any("largest Cook's distance" in line for line in found)


def test_an_unusual_figure_without_a_warning_has_no_tick(copy, undrawn):
    run = copy("hostile")
    metrics = run.read_json("metrics.json")
    metrics["inference"][TARGETS[0]]["durbin_watson"] = 1.2
    run.write_json("metrics.json", metrics)
    [line] = [line for line in lines_of(page(run)) if f"neighbouring rows of {TARGETS[0]}" in line]
    assert line.startswith("– neighbouring rows")
    assert "chance or few rows may give that, so it is no warning" in line


def test_without_inference_nothing_is_checked_and_the_reason_is_there(copy, undrawn):
    run = copy("known")
    metrics = run.read_json("metrics.json")
    metrics["optimum"]["inference"] = metrics["inference"] = {"refused": "there are no residuals"}
    metrics["optimum"] |= {"distance": None}
    run.write_json("metrics.json", metrics)
    assert [line.strip() for line in lines_of(page(run)) if line.startswith("–")] == [
        "– not checked: residuals and coefficients: there are no residuals"
    ]

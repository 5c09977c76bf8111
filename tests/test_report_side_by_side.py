"""The coefficients of several runs side by side: the numbers of metrics.json, and a dash where a run lacks a term."""

import json
import shutil

import pytest
import report_pages

from linreg_cli.report.contents import contents_of
from linreg_cli.report.document import page_of
from linreg_cli.report.side_by_side import side_by_side
from linreg_cli.runs.store import RunFolder

outputs = report_pages.outputs
CONFIG = """
name: {name}
data:
  source: synthetic
  n_samples: 80
  weights: {weights}
  noise_std: 0.5
{more}
train: {{epochs: {epochs}, batch_size: full, dtype: float64}}
optimizer: {{lr: auto}}
plots: false
"""


@pytest.fixture
def trained(linreg, config_file, tmp_path):
    """A function that trains a run and gives its folder."""

    def train(name, weights, epochs=200, more=""):
        config = config_file(CONFIG.format(name=name, weights=weights, epochs=epochs, more=more), f"{name}.yaml")
        assert linreg("train", "-c", config, "-q").code == 0
        return RunFolder(tmp_path / "outputs" / f"{name}-0001")

    return train


def rows_of(page):
    """Term -> the text of its cells."""
    return {
        row.split("</th>")[0].rpartition(">")[0].rpartition("<bdi>")[2].partition("<")[0] or "(bias)": [
            cell.partition("</td>")[0] for cell in row.split("<td")[1:]
        ]
        for row in page.split("<tr>")[2:]
    }


def test_terms_are_rows_and_runs_are_columns(trained):
    runs = [trained("two", "{a: 2, b: -3}"), trained("three", "{a: 2, c: 1, b: -3}")]
    page = side_by_side([contents_of(run) for run in runs])
    assert page.count("<table") == 1
    found = rows_of(page)
    assert list(found) == ["a", "b", "c", "(bias)"]
    assert ">-" in found["c"][0]
    for position, run in enumerate(runs):
        metrics = json.loads((run.path / "metrics.json").read_text())
        for term, weight in metrics["parameters"]["weights"].items():
            cell = found[term][position]
            shown = float(cell.partition('class="estimate">')[2].partition("<")[0])
            low, high = (float(each.partition("<")[0].removesuffix(" to")) for each in cell.split("<span>")[1:])
            interval = metrics["inference"]["coefficients"][term]
            assert (shown, low, high) == pytest.approx((weight, interval["ci_low"], interval["ci_high"]), abs=1e-3)


def test_an_interval_of_the_exact_fit_is_in_brackets_and_said(trained):
    runs = [contents_of(trained("far", "{a: 2, b: -3}", epochs=3)), contents_of(trained("near", "{a: 2, b: -3}"))]
    page = side_by_side(runs)
    far, near = rows_of(page)["a"]
    assert "<span>[" in far
    assert "[" not in near
    assert "of the exact fit, not of the trained model: <bdi>far-0001</bdi>" in page


def test_other_targets_units_and_runs_without_a_model_share_no_table(trained, outputs, tmp_path):
    plain = trained("plain", "{a: 0.1}")
    lognormal = "preprocess: {target_transform: log}\n"
    logged = trained("logged", "{a: 0.1}", more="  bias: 40\n" + lognormal)
    known = contents_of(RunFolder(outputs / "known-0001"))
    assert side_by_side([contents_of(plain), contents_of(logged)]) is None
    shutil.copytree(outputs / "noisy_line-0001", tmp_path / "outputs" / "noisy_line-0001")
    diverged = RunFolder(tmp_path / "outputs" / "noisy_line-0001")
    assert side_by_side([contents_of(diverged), known]) is None
    assert "Coefficients side by side" not in page_of([plain, logged])

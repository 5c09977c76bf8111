"""The page of a run, of every status, and of several: whole, self-contained, the same twice."""

import base64
import hashlib
import itertools
import json
import re

import numpy as np
import pytest
import report_pages
from report_pages import STEMS, Page, page, run_of

from linreg_cli.cli.app import run as run_command
from linreg_cli.report.document import page_of
from linreg_cli.runs.lock import hold
from linreg_cli.runs.store import RunFolder
from linreg_cli.wording import number

# Fixtures of report_pages.py: pytest finds them by their names in this module.
outputs = report_pages.outputs
copy = report_pages.copy
undrawn = report_pages.undrawn


# ----------------------------------------------------------------------------------------------- whole and contained


@pytest.mark.parametrize("stems", [*((stem,) for stem in STEMS), STEMS], ids=lambda stems: "+".join(stems))
def test_a_page_is_well_formed_and_has_what_assistive_technology_needs(outputs, stems):
    read = page(*(run_of(outputs, stem) for stem in stems))
    [html], [_] = read.all("html"), read.all("title")
    assert html["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(read.captions) == len(read.tables) == len([caption for caption in read.captions if caption.strip()])
    for rows in read.tables:
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(cell.strip() for cell in rows[0])
    assert {attributes.get("scope") for attributes in read.all("th")} <= {"row", "col"}
    assert all(attributes["alt"].strip() for attributes in read.all("img"))
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"] for attributes in read.all("a")} <= {f"#{anchor}" for anchor in ids}


@pytest.mark.parametrize("stems", [("hostile",), STEMS], ids=["one", "several"])
def test_a_page_needs_no_other_file_and_no_network_and_has_one_script_that_its_policy_names(outputs, stems):
    source = page_of([run_of(outputs, stem) for stem in stems])
    read = Page(source)
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"link", "iframe", "object", "embed", "base", "form", "video", "audio", "svg", "input"}
    for tag, attributes in read.elements:
        assert not [key for key in attributes if key.startswith("on") or key in ("srcset", "style", "action")], tag
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert attributes.get("href", "#").startswith("#")
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    [policy] = [each["content"] for each in read.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    [script] = re.findall("<script>(.*?)</script>", source, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy


def test_pictures_are_in_the_page_and_are_pictures(outputs):
    read = page(run_of(outputs, "hostile"))
    images = read.all("img")
    # The loss, and of each of two targets predictions, residuals, Q-Q, scale-location, influence and coefficients.
    assert len(images) == 1 + 2 * 6
    for image in images:
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert png.endswith(b"IEND\xaeB`\x82")
        size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
        assert size == (int(image["width"]), int(image["height"]))
    assert len({image["src"] for image in images}) == len(images)
    assert len({image["alt"] for image in images}) == len(images)


def test_ten_pictures_of_20000_rows_are_below_a_megabyte(tmp_path):
    chance = np.random.default_rng(4)
    x = chance.normal(size=(20_000, 3))
    targets = x @ chance.normal(size=(3, 2)) + chance.standard_t(3, size=(20_000, 2))
    np.savetxt(tmp_path / "t.csv", np.column_stack([x, targets]), "%.5f", ",", header="a,b,c,y,z", comments="")
    config = {
        "data": {"path": str(tmp_path / "t.csv"), "target": ["y", "z"], "split": {"train": 0.8, "test": 0.2}},
        "preprocess": {"standardize": True},
        "optimizer": {"lr": "auto"},
        "train": {"epochs": 40, "batch_size": "full", "dtype": "float64"},
        "plots": False,
    }
    (tmp_path / "large.yaml").write_text(json.dumps(config))
    assert run_command(["train", "-c", str(tmp_path / "large.yaml"), "-q", "--outputs", str(tmp_path)]) == 0
    source = page_of([RunFolder(tmp_path / "large-0001")])
    n = source.count("<figure>")
    assert n >= 13
    assert 100_000 < len(source.encode()) < 1_000_000 * n / 10


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(outputs, copy):
    assert page_of([copy("known")]) == page_of([run_of(outputs, "known")])


def test_the_same_words_of_every_kind_of_run_and_of_several(outputs, copy, undrawn):
    for stem in ("hostile", "noisy_line", "undefined"):
        assert page_of([copy(stem)]) == page_of([run_of(outputs, stem)])
    both = [run_of(outputs, "known"), run_of(outputs, "undefined")]
    assert page_of(both) == page_of(both)


# ------------------------------------------------------------------------------------------------- every status


def test_a_diverged_run_says_so_first_with_the_diagnosis_and_its_loss(outputs):
    read = page(run_of(outputs, "noisy_line"))
    assert read.shown.index("This run diverged") < read.shown.index("Pictures")
    assert "training diverged at step 81" in read.shown
    assert {"limit", "dominant column", "stable rate"} <= {term for term, _ in read.facts}
    assert len(read.all("img")) == 1
    assert not any(caption.startswith("Metrics") for caption in read.captions)


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_run_that_was_stopped_says_so_first_and_how_it_goes_on(copy, undrawn, status):
    run = copy("noisy_line")
    record = {**run.read_json("run.json"), "status": status, "error": "no space left", "diverged": None}
    run.write_json("run.json", record)
    read = page(run)
    assert read.shown.index("no space left") < read.shown.index("pictures")
    assert "80 of 1,000 epochs done" in read.shown
    assert "linreg train --resume noisy_line-0001" in read.shown
    run.remove("history.csv")
    assert "epochs done" not in page(run).shown


def test_a_run_that_goes_on_has_a_report_of_what_there_is(copy, undrawn):
    run = copy("known")
    run.remove("metrics.json", "predictions.csv", "model.safetensors")
    record = run.read_json("run.json")
    run.write_json("run.json", {**record, "status": "running", "seconds": None, "finished": None, "gates": None})
    lock = hold(run.path)
    try:
        read = page(run)
    finally:
        lock.release()
    assert "This run was still in progress when this report was written." in read.shown
    assert read.captions == []


def test_a_run_of_the_first_format_is_reported(outputs):
    read = page(run_of(outputs, "old"))
    assert "Not known (an older run)." in read.shown
    assert "the run was trained by an older version of linreg" in read.shown
    assert len(read.all("img")) == 4


# ------------------------------------------------------------------------------------------------------- comparison


def test_a_comparison_has_the_runs_their_differences_and_their_losses(outputs, copy):
    other = copy("known")
    renamed = RunFolder(other.path.rename(other.path.with_name("other-0001")))
    config = (renamed.path / "config.yaml").read_text()
    assert "lr: 0.05" in config
    (renamed.path / "config.yaml").write_text(config.replace("lr: 0.05", "lr: 0.02"))
    record = renamed.read_json("run.json")
    record["engine"]["why"] = "estimates are never the same twice"
    renamed.write_json("run.json", record)
    read = page(run_of(outputs, "known"), renamed)
    metrics = renamed.read_json("metrics.json")
    overview = read.table("Results of the runs")
    assert overview[""] == [
        "run", "status", "test RMSE", "test R²", "train RMSE", "train R²", "gap", "seconds", "data",
    ]  # fmt: skip
    reached = [number(metrics[split][key]) for split in ("test", "train") for key in ("rmse", "r2")]
    assert overview["other-0001 lr 0.02"][1:5] == reached
    assert overview["other-0001 lr 0.02"][5] == f"{metrics['optimum']['gap']:.3g}"
    assert read.table("Differences in config, data and machine") == {
        "": ["key", "known-0001", "other-0001"],
        "optimizer.lr": ["0.05", "0.02"],
    }
    assert "different data" not in read.shown
    # the overlay, and of each run loss, predictions, residuals, Q-Q, scale-location, influence and coefficients
    assert len(read.all("img")) == 1 + 2 * 7


def test_runs_that_differ_in_nothing_and_runs_of_different_data_are_told(outputs, copy, undrawn):
    assert "The runs have the same config" in page(run_of(outputs, "known"), copy("known")).shown
    assert "different data" in page(run_of(outputs, "known"), run_of(outputs, "undefined")).shown

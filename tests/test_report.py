"""The page of a run: whole, safe, self-contained, the same twice, and true to the files of the run."""

import base64
import csv
import itertools
import json
import random
import re
import shutil
from html.parser import HTMLParser

import pytest
from conftest import CONFIGS, REPOSITORY

from linreg_cli.cli.app import run as run_command
from linreg_cli.errors import StoreError
from linreg_cli.report import results
from linreg_cli.report.document import page_of
from linreg_cli.report.markup import MOST_ROWS, element, facts, name, table, text
from linreg_cli.runs.lock import hold
from linreg_cli.runs.store import RunFolder
from linreg_cli.wording import gap_in_words, number, p_value, short

NAMES = [
    "<script>alert(1)</script>",
    "a&b",
    '"x"',
    "שלום עולם",
    "🙂 emoji 👩‍💻",
    "価格（円）",
    "'onload=alert(1) x='",
    "long_" * 40,
    "]]> <!-- </td></table>",
    "\u202egnp.exe",
]
LEVELS = ["<b>", "c&d", "ordinary", "日本"]
TARGETS = ["y & co", "<i>z</i>"]
HOSTILE = {
    "name": "hostile",
    "data": {"source": "table", "path": "t.csv", "target": TARGETS, "split": {"train": 0.7, "test": 0.3}},
    "preprocess": {"standardize": True, "standardize_target": True, "categorical": "one_hot", "missing": "mean"},
    "optimizer": {"lr": "auto", "momentum": "auto"},
    "train": {"epochs": 500, "batch_size": "full", "dtype": "float64"},
    "evaluate": {"cross_validation": {"folds": 3}},
    "gates": ["test.r2 >= 0.1", "test.rmse < 1e-9"],
    "plots": False,
}
KNOWN = """
name: known
data:
  {source: synthetic, n_samples: 60, weights: {a: 2, b: -3}, bias: 4, noise_std: 0.5, split: {train: 0.9, test: 0.1}}
optimizer: {lr: 0.05}
train: {epochs: 3, batch_size: 10}
probe: [[1, 2], [30000, 4]]
plots: false
"""
UNDEFINED = """
name: undefined
data: {source: inline, columns: [x, y], rows: [[1, 2], [2, 4.5], [3, 6]], test_rows: [[4, 8]]}
model: {bias: false}
plots: false
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A folder with a run of each kind; tests that change one change a copy."""
    folder = tmp_path_factory.mktemp("report")
    chance = random.Random(1)
    with open(folder / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES, "kind", *TARGETS])
        for row in range(90):
            x = [chance.gauss(0, 1) for _ in NAMES]
            cells = ["" if row % 9 == 3 else x[0], *x[1:], chance.choice(LEVELS)]
            writer.writerow([*cells, 1000 * x[1] + chance.gauss(0, 1), x[2] - x[3] + 1e6 + chance.gauss(0, 1)])
    HOSTILE["data"]["path"] = str(folder / "t.csv")
    for stem, content in (("hostile", json.dumps(HOSTILE)), ("known", KNOWN), ("undefined", UNDEFINED)):
        (folder / f"{stem}.yaml").write_text(content, encoding="utf-8")
    diverging = [CONFIGS / "noisy_line.yaml", "--set", "optimizer.lr=4e-4", "--force"]
    for arguments, code in (
        ([folder / "hostile.yaml"], 5),
        ([folder / "known.yaml"], 0),
        ([folder / "undefined.yaml"], 0),
        (diverging, 4),
    ):
        command = ["train", "-c", *arguments, "--quiet", "--outputs", folder / "outputs"]
        assert run_command([str(argument) for argument in command]) == code
    shutil.copytree(REPOSITORY / "tests" / "data" / "run-format-1", folder / "outputs" / "old-0001")
    return folder / "outputs"


@pytest.fixture
def copy(outputs, tmp_path):
    def make(stem: str) -> RunFolder:
        return RunFolder(shutil.copytree(outputs / f"{stem}-0001", tmp_path / f"{stem}-0001"))

    return make


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures take a second; what is not about them need not wait."""
    monkeypatch.setattr(results, "pictures", lambda run: text("pictures"))
    monkeypatch.setattr(results, "overlaid", lambda runs: text("loss"))


class Page(HTMLParser):
    """A page, checked while it is read: every tag closed in order, every table regular."""

    VOID = ("img", "meta", "wbr")

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.captions: list[str] = []
        self.facts: list[list[str]] = []
        self.shown = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [key for key, _ in attributes]
        assert len(names) == len(set(names)), attributes
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
            self.captions.append("")
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("dt", "dd"):
            self.facts += [["", ""]] if tag == "dt" else []

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.shown += data
        if "caption" in self.open:
            self.captions[-1] += data
        elif {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
        elif "dt" in self.open or "dd" in self.open:
            self.facts[-1]["dd" in self.open] += data

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_pi(self, data):
        raise AssertionError(data)

    def table(self, caption: str) -> dict[str, list[str]]:
        """The rows of a table by their first cell; the header is under ''."""
        header, *rows = self.tables[self.captions.index(caption)]
        return {"": header, **{row[0]: row[1:] for row in rows}}

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name_, attributes in self.elements if name_ == tag]


def page(*runs: RunFolder) -> Page:
    return Page(page_of(runs))


def run_of(outputs, stem: str) -> RunFolder:
    return RunFolder(outputs / f"{stem}-0001")


STEMS = ("hostile", "known", "undefined", "noisy_line", "old")


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
def test_a_page_needs_no_other_file_no_script_and_no_network(outputs, stems):
    source = page_of([run_of(outputs, stem) for stem in stems])
    read = Page(source)
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "video", "audio", "svg", "input"}
    for tag, attributes in read.elements:
        assert not [key for key in attributes if key.startswith("on") or key in ("srcset", "style", "action")], tag
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert attributes.get("href", "#").startswith("#")
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    [policy] = [each["content"] for each in read.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_pictures_are_in_the_page_and_are_pictures(outputs):
    read = page(run_of(outputs, "hostile"))
    images = read.all("img")
    # The loss, and of each of two targets predictions, residuals and influence.
    assert len(images) == 7
    for image in images:
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert png.endswith(b"IEND\xaeB`\x82")
        size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
        assert size == (int(image["width"]), int(image["height"]))
    assert len({image["src"] for image in images}) == 7
    assert len({image["alt"] for image in images}) == 7


def test_a_report_of_a_usual_run_is_below_a_megabyte(outputs, tmp_path):
    command = ["train", "-c", str(CONFIGS / "housing.yaml"), "-q", "--set", "plots=false", "--outputs", str(tmp_path)]
    assert run_command(command) == 0
    source = page_of([RunFolder(tmp_path / "housing-0001")])
    assert 100_000 < len(source.encode()) < 1_000_000


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(outputs, copy):
    assert page_of([copy("known")]) == page_of([run_of(outputs, "known")])


def test_the_same_words_of_every_kind_of_run_and_of_several(outputs, copy, undrawn):
    for stem in ("hostile", "noisy_line", "undefined"):
        assert page_of([copy(stem)]) == page_of([run_of(outputs, stem)])
    both = [run_of(outputs, "known"), run_of(outputs, "undefined")]
    assert page_of(both) == page_of(both)


# ------------------------------------------------------------------------------------------------------------ escaping


def test_whatever_columns_are_called_they_are_shown_as_text(outputs, undrawn):
    read = page(run_of(outputs, "hostile"))
    shown = [each.replace("\u202e", "\\u202e") for each in NAMES]
    for target in TARGETS:
        rows = list(read.table(f"Parameters of {target}, in original units"))
        levels = [f"kind={level}" for level in sorted(LEVELS)[1:]]
        assert rows == ["", *shown, *levels, "(bias)"]
    assert list(read.table("Columns used")) == ["", *shown, "kind", *TARGETS]
    assert "\u202e" not in read.shown  # would turn around what follows it


def test_texts_of_run_and_config_are_shown_as_text(copy, undrawn):
    run = copy("noisy_line")
    record = json.loads((run.path / "run.json").read_text())
    record |= {"label": "<b>the</b> & only", "command": "linreg '</code><script>'", "git_commit": "<img src=x>"}
    record |= {"error": "first <line>\nsecond & line\x00\x1b[31m", "platform": "</dd>", "created": "<time>"}
    record["data"] |= {"name": "</h1>", "warnings": ["<u>"], "fingerprint": '"><script>'}
    record["versions"] = {"<a>": "</a>"}
    (run.path / "run.json").write_text(json.dumps(record))
    config = (run.path / "config.yaml").read_text()
    (run.path / "config.yaml").write_text(f"# </pre></details><script>alert(1)</script>\n{config}")
    read = page(run)
    for said in ("<b>the</b> & only", "linreg '</code><script>'", "<img src=x>", "</dd>", "<time>", "</h1>", "<u>"):
        assert said in read.shown
    assert "first <line>\nsecond & line\\x00\\x1b[31m" in read.shown
    assert "# </pre></details><script>alert(1)</script>" in read.shown
    assert "script" not in {tag for tag, _ in read.elements}


def test_what_is_not_html_becomes_html_only_as_text():
    assert text('<a href="x">') == "&lt;a href=&quot;x&quot;&gt;"
    assert element("p", text("&"), aria_label='"', class_="c") == '<p aria-label="&quot;" class="c">&amp;</p>'
    assert name("\ud800\n") == "<bdi>\\ud800\\n</bdi>"
    assert Page(facts([("<dt>", text("<dd>")), ("none", None)])).facts == [["<dt>", "<dd>"]]


def test_long_tables_keep_their_order_and_fold_what_is_beyond_forty_rows():
    rows = [[text(f"r{row}"), text(str(row))] for row in range(MOST_ROWS + 3)]
    assert "details" not in table("t", ["a", "b"], rows[:MOST_ROWS])
    read = Page(table("t", ["a", "b"], rows))
    assert read.captions == ["t", "t, continued"]
    assert [row[0] for row in read.tables[0][1:]] == [f"r{row}" for row in range(MOST_ROWS)]
    assert [row[0] for row in read.tables[1][1:]] == ["r40", "r41", "r42"]
    assert "The other 3 of 43 rows" in read.shown


# ------------------------------------------------------------------------------------------- true to the files


def test_metrics_are_those_of_the_run_as_the_terminal_has_them(outputs, undrawn):
    run = run_of(outputs, "hostile")
    metrics, read = run.read_json("metrics.json"), page(run)
    shown = read.table("Metrics of all targets")
    keys = ["n", "loss", "mse", "rmse", "mae", "r2"]
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
        shown = read.table(f"Parameters of {target}, in original units")
        assert shown[""] == [
            "parameter", "trained", "at the optimum", "std err", "HC3", "t", "p", "2.5 %", "97.5 %", "VIF",
        ]  # fmt: skip
        for key, label in (("a&b", "a&b"), ("bias", "(bias)")):
            errors = metrics["inference"][target]["coefficients"][key]
            values = [metrics["parameters"], metrics["optimum"]["parameters"]]
            each = [value["bias"][target] if key == "bias" else value["weights"][target][key] for value in values]
            each += [errors["std_err"], errors["std_err_hc3"]]
            intervals = [number(errors["ci_low"]), number(errors["ci_high"])]
            tests = [short(errors["t"], 4), p_value(errors["p"])]
            assert shown[label] == [*map(number, each), *tests, *intervals, short(errors["vif"], 3)]


def test_where_inference_was_refused_the_reason_stands_in_its_place(outputs, undrawn):
    run = run_of(outputs, "known")
    read = page(run)
    refused = run.read_json("metrics.json")["inference"]["refused"]
    assert f"No standard errors: {refused}." in read.shown
    assert read.table("Parameters of y, in original units")[""] == ["parameter", "trained", "at the optimum"]


def test_leave_one_out_and_the_truth_are_those_of_evaluate(outputs, linreg, undrawn):
    run = run_of(outputs, "known")
    read = page(run)
    found = run.read_json("metrics.json")["optimum"]["leave_one_out"]
    [row] = [cells for key, cells in read.table("Leave-one-out error of the optimum").items() if key]
    assert row == [number(found[key]) for key in ("mse", "rmse", "r2")]
    truth = linreg("evaluate", run.path, "--json").json["truth"]
    shown = read.table("The true parameters and the trained ones")
    for key, label in (("a", "a"), ("b", "b"), ("bias", "(bias)")):
        assert shown[label] == [number(truth["coefficients"][key][part]) for part in ("true", "estimate", "error")]
    assert ["MSE of the noise", number(truth["noise_mse"])] in read.facts


def test_undefined_metrics_say_why_and_a_model_without_an_intercept_has_none(outputs, undrawn):
    read = page(run_of(outputs, "undefined"))
    assert read.table("Metrics of y")["test"][-1] == "undefined"
    assert "test R² is undefined: a single row has no variance" in read.shown
    assert list(read.table("Parameters of y, in original units")) == ["", "x"]


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
        "run", "status", "data", "train RMSE", "train R²", "test RMSE", "test R²", "gap", "seconds",
    ]  # fmt: skip
    reached = [number(metrics[split][key]) for split in ("train", "test") for key in ("rmse", "r2")]
    assert overview["other-0001"][2:6] == reached
    assert overview["other-0001"][6] == f"{metrics['optimum']['gap']:.3g}"
    assert read.table("Differences in config, data and machine") == {
        "": ["key", "known-0001", "other-0001"],
        "optimizer.lr": ["0.05", "0.02"],
    }
    assert "different data" not in read.shown
    assert len(read.all("img")) == 1 + 2 * 3  # the overlay, and of each run loss, predictions and residuals


def test_runs_that_differ_in_nothing_and_runs_of_different_data_are_told(outputs, copy, undrawn):
    assert "The runs have the same config" in page(run_of(outputs, "known"), copy("known")).shown
    assert "different data" in page(run_of(outputs, "known"), run_of(outputs, "undefined")).shown


# ------------------------------------------------------------------------------------------------------------ damage


def test_a_picture_that_cannot_be_drawn_is_told_and_the_rest_is_there(copy):
    run = copy("known")
    (run.path / "history.csv").write_text("epoch\n1\n")
    run.remove("predictions.csv")
    read = page(run)
    assert "A picture could not be drawn: history.csv: the run is damaged" in read.shown
    assert "the run has no predictions.csv" in read.shown
    assert read.all("img") == []
    assert "Parameters of y, in original units" in read.captions
    both = page(run, copy("undefined"))
    assert both.shown.count("history.csv: the run is damaged") == 2  # for the overlay and for the run


@pytest.mark.parametrize("missing", ["run.json", "config.yaml", "metrics.json"])
def test_a_run_without_its_files_is_damaged(copy, undrawn, missing):
    run = copy("known")
    run.remove(missing)
    with pytest.raises(StoreError, match=missing):
        page_of([run])


def leaves(values, path=()):
    if isinstance(values, dict | list) and values:
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from leaves(value, (*path, key))
    yield path


@pytest.mark.parametrize("file", ["run.json", "metrics.json"])
def test_whatever_a_value_is_replaced_by_the_page_is_whole_or_the_run_is_damaged(
    outputs, copy, undrawn, monkeypatch, file
):
    monkeypatch.setattr("linreg_cli.report.parameters._truth", lambda run: None)  # loads torch each time
    run, ends = copy("hostile"), set()
    good = run.read_json(file)
    paths = [path for path in leaves(good) if path]
    chance = random.Random(file)
    for path in chance.sample(paths, min(len(paths), 120)):
        values = json.loads(json.dumps(good))
        inner = values
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = chance.choice([None, "<b>", [], {}, -1, True, [[1]], {"x": {}}])
        run.write_json(file, values)
        try:
            page(*chance.choice([[run], [run_of(outputs, "known"), run]]))
            ends.add("whole")
        except StoreError:
            ends.add("damaged")
    assert ends == {"whole", "damaged"}

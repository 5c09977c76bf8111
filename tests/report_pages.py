"""Runs of every kind to report, and a reader that checks a page while it reads it."""

import csv
import functools
import json
import random
import shutil
from html.parser import HTMLParser

import pytest
from conftest import CONFIGS, REPOSITORY

from linreg_cli.cli.app import run as run_command
from linreg_cli.report import results
from linreg_cli.report.document import page_of
from linreg_cli.report.markup import text
from linreg_cli.runs.store import RunFolder

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


@pytest.fixture(scope="session")
def outputs(tmp_path_factory):
    """A folder with a run of each kind; tests that change one change a copy."""
    return _trained(tmp_path_factory.getbasetemp() / "report")


@functools.cache  # for pytest, each module that imports the fixture has one of its own
def _trained(folder):
    folder.mkdir()
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
    monkeypatch.setattr(results, "pictures", lambda run, **_: text("pictures"))
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
        if {"style", "script"} & set(self.open):
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

"""Reports in a real browser: nothing overflows, glares or is cut, tables sort, and axe-core finds no fault."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import report_pages
from browser import BROWSER, Browser, axe_source, browser
from PIL import Image

from linreg_cli.cli.app import run as run_command
from linreg_cli.report.document import page_of
from linreg_cli.runs.store import RunFolder

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: `make test-browser` installs it")
AXE = axe_source()

# Fixture of report_pages.py: pytest finds it by its name in this module.
outputs = report_pages.outputs

PAGES = ("hostile", "known", "noisy_line", "wide", "sales", "hostile+known+noisy_line")
WIDTHS = (1280, 768, 375)
#: A hundred columns, one with 70 levels, names of 300 characters and in Chinese.
WIDE = {
    "name": "wide",
    "data": {"source": "table", "path": "", "target": "价格", "split": {"train": 0.8, "test": 0.2}},
    "preprocess": {"standardize": True, "standardize_target": True, "categorical": "one_hot"},
    "optimizer": {"lr": "auto", "momentum": "auto"},
    "train": {"epochs": 300, "batch_size": "full", "dtype": "float64"},
    "plots": False,
}


#: Names that are made of words: of columns, functions and levels.
SALES = {
    "name": "sales",
    "data": {
        "source": "table",
        "path": "",
        "target": "selling_price",
        "features": ["living_area_m2", "neighbourhood", "weekday(sold)", "living_area_m2:number_of_rooms"],
    },
    "preprocess": {"standardize": True, "standardize_target": True, "categorical": "one_hot"},
    "train": {"epochs": 5, "batch_size": "full", "dtype": "float64"},
    "plots": False,
}


def sales_table(path: Path) -> None:
    chance = np.random.default_rng(3)
    lines = ["living_area_m2,neighbourhood,sold,number_of_rooms,selling_price"]
    for row in range(60):
        area, level = chance.normal(90, 20), ("Riverside", "Old Town", "Hill")[row % 3]
        day = f"2026-{1 + row // 28:02d}-{1 + row % 28:02d}"
        lines.append(f"{area:.1f},{level},{day},{row % 5 + 1},{area * 2100 + chance.normal(0, 9e3):.0f}")
    path.write_text("\n".join(lines), encoding="utf-8")


def wide_table(path: Path) -> None:
    chance = np.random.default_rng(3)
    names = [*(f"sensor_{at:03d}" for at in range(96)), "面积", "x" * 300, "long_name_" * 30, "district"]
    numbers = chance.normal(size=(900, 99))
    price = numbers @ chance.normal(size=99) * 1e6 + chance.normal(size=900)
    lines = [",".join([*names, "价格"])]
    for row, target in zip(numbers, price, strict=True):
        level = f"district no. {int(row[0] * 1e6) % 70:02d}"
        lines.append(",".join([*(f"{value:.6f}" for value in row), level, f"{target:.2f}"]))
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def pages(outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of each kind of run."""
    folder = tmp_path_factory.mktemp("pages")
    for stem, config, write in (("wide", WIDE, wide_table), ("sales", SALES, sales_table)):
        write(folder / f"{stem}.csv")
        config["data"]["path"] = str(folder / f"{stem}.csv")
        (folder / f"{stem}.yaml").write_text(json.dumps(config), encoding="utf-8")
        assert run_command(["train", "-c", str(folder / f"{stem}.yaml"), "-q", "--outputs", str(outputs)]) == 0
    for name in PAGES:
        runs = [RunFolder(outputs / f"{stem}-0001") for stem in name.split("+")]
        (folder / f"{name}.html").write_text(page_of(runs), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


#: The elements that reach beyond the right edge of the page, but for what is scrolled in a box of its own.
BEYOND = """[...document.querySelectorAll("body *")].filter(each =>
  each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
  && !each.closest(".scroll, pre, details:not([open])")).map(each => each.outerHTML.slice(0, 80))"""
#: The intervals of the tables of coefficients that are shown and cut at the right edge.
CUT = """[...document.querySelectorAll("td.i span")].filter(each => each.offsetParent
  && each.getBoundingClientRect().right > each.closest(".scroll").getBoundingClientRect().right + 1
  ).map(each => each.textContent)"""


@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows_no_interval_is_cut_and_the_console_is_silent(chromium, pages, name):
    chromium.open(pages / f"{name}.html")
    for width in WIDTHS:
        for dark in (False, True):
            chromium.view(width, dark=dark)
            assert chromium.ask("document.documentElement.scrollWidth") <= width
            assert chromium.ask(BEYOND) == []
            if width >= 768 or name in ("known", "wide"):
                assert chromium.ask(CUT) == []
    assert chromium.complaints == []


#: The words of names in tables that stand on two lines.
BROKEN = r"""[...document.querySelectorAll("tbody bdi")].filter(each => each.offsetParent).flatMap(each => {
  const walk = document.createTreeWalker(each, NodeFilter.SHOW_TEXT), range = document.createRange(), found = [];
  for (let node; node = walk.nextNode();)
    for (const word of node.textContent.matchAll(/[\p{L}\p{N}]+/gu)) {
      range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) found.push(word[0]);
    }
  return found; })"""


@pytest.mark.parametrize("name", ["known", "sales"])
def test_no_name_is_broken_inside_a_word(chromium, pages, name):
    chromium.open(pages / f"{name}.html")
    for width in WIDTHS:
        chromium.view(width)
        assert chromium.ask(BROKEN) == []
    shown = chromium.ask("[...document.querySelectorAll('tbody bdi')].map(each => each.textContent)")
    assert name == "known" or {"weekday(sold)=2", "living_area_m2:number_of_rooms"} <= set(shown)


def test_the_dashes_of_an_option_stand_beside_its_name(chromium, pages):
    chromium.open(pages / "sales.html")
    parted = """[...document.querySelectorAll(".option")].filter(each => each.getClientRects().length > 1).length"""
    assert chromium.ask("document.querySelectorAll('.option').length") >= 1
    for width in range(320, 1300, 70):
        chromium.view(width)
        assert chromium.ask(parted) == 0


@pytest.mark.skipif(AXE is None, reason="no axe-core: `make test-browser` installs it")
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_axe_finds_no_fault(chromium, pages, name, width, dark):
    chromium.open(pages / f"{name}.html")
    chromium.view(width, dark=dark)
    chromium.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    chromium.ask(f"{AXE};0")
    faults = chromium.ask(
        "axe.run(document).then(found => found.violations.map(each => [each.id, each.nodes[0].html]))"
    )
    assert faults == []


def first_cells(chromium: Browser, column: int = 0) -> list[str]:
    shown = (
        f"[...document.querySelector('table[data-sort]').tBodies[0].rows].map(row => row.cells[{column}].textContent)"
    )
    return chromium.ask(shown)


def test_a_table_sorts_by_keyboard_and_says_so(chromium, pages):
    chromium.open(pages / "wide.html")
    before = first_cells(chromium)
    assert len(before) == 40
    chromium.ask("document.querySelectorAll('table[data-sort] th button')[1].focus()")
    state = "document.querySelectorAll('table[data-sort] thead th')[1].getAttribute('aria-sort')"
    orders = []
    for key, code in (("Enter", 13), (" ", 32), ("Enter", 13)):
        chromium.press(key, code)
        numbers = [float(cell.replace(",", "")) for cell in first_cells(chromium, 1)]
        orders.append((chromium.ask(state), numbers == sorted(numbers), numbers == sorted(numbers, reverse=True)))
    assert orders == [("ascending", True, False), ("descending", False, True), (None, False, False)]
    # the folded rows were sorted, too, and are back in their order
    after = first_cells(chromium)
    assert (after[:40], len(after)) == (before, 99 + 69 + 1)
    assert chromium.complaints == []


def test_without_script_the_page_is_whole_and_promises_no_sorting(chromium, pages):
    chromium.open(pages / "wide.html", script=False)
    source = chromium.ask("document.documentElement.outerHTML")
    assert "<button" not in source
    assert chromium.ask("document.querySelector('table[data-sort]').tBodies[0].rows.length") == 40
    assert chromium.complaints == []


def test_in_the_dark_pictures_do_not_glare(chromium, pages, tmp_path):
    chromium.open(pages / "known.html")
    shares = {}
    for dark in (False, True):
        chromium.view(768, dark=dark)
        (tmp_path / "page.png").write_bytes(chromium.photograph())
        with Image.open(tmp_path / "page.png") as picture:
            grey = np.asarray(picture.convert("L"))
        shares[dark] = float(np.mean(grey > 180))
    assert shares[False] > 0.8
    assert shares[True] < 0.05


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext (poppler-utils)")
def test_on_paper_everything_is_there(chromium, pages, tmp_path):
    chromium.open(pages / "wide.html")
    (tmp_path / "page.pdf").write_bytes(chromium.print_a4())
    command = ["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    about = subprocess.run(["pdfinfo", str(tmp_path / "page.pdf")], capture_output=True, text=True, check=True).stdout
    width, height = map(float, re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", about).groups())
    assert (round(width), round(height)) == (595, 842)  # A4 in points
    # what is folded on a screen: the rows after the 40th, the further statistics, the config
    for said in ("sensor_095", "Further statistics of", "batch_size: full", "district=district no. 69"):
        assert said in shown
    assert "↕" not in shown

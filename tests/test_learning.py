"""Every file, command, block of code, number and picture of docs/learning.md, from its beginning to its end."""

import re
import runpy

import pytest
from conftest import CONFIGS, REPOSITORY

from linreg_cli.config import load_config

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "learning.md").read_text(encoding="utf-8")
LESSONS = runpy.run_path(str(DOCS / "learning_pictures.py"))
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
#: The time that something took, or will take.
TIME = re.compile(r"  (in \S+ s|[\w ]+ left)$")


def numbers(text):
    return [float(found.replace(",", "").rstrip(",")) for found in NUMBER.findall(text)]


def same(shown, printed):
    """The same words, and numbers that agree to a few digits, or to a few units in the last place of a parameter.

    Single precision rounds otherwise on another processor: 1e-6 is two units in the last place of the largest one, 4.2.

    What ends in `...` is the beginning of a line.
    """
    wanted, found = shown.split(), TIME.sub("", printed).split()
    if wanted[-1:] == ["..."]:
        wanted, found = wanted[:-1], found[: len(wanted) - 1]
    words = [NUMBER.sub("#", " ".join(line)) for line in (wanted, found)]
    values = [numbers(" ".join(line)) for line in (wanted, found)]
    return words[0] == words[1] and values[0] == pytest.approx(values[1], rel=2e-3, abs=1e-6)


def test_the_page_does_what_it_shows(linreg, monkeypatch):
    """Every block in its order; each shown line is among the printed ones, after the line shown before it."""
    monkeypatch.setattr("linreg_cli.pipeline.results.draw", lambda *_: [])  # the page draws by `linreg plot`

    def run(arguments, code):
        result = linreg(*arguments)
        assert result.code == code, (arguments, result.err)
        return result.err + result.out

    checked, pictures = 0, {}
    for block, printed, drawn in LESSONS["follow"](PAGE, run, {}):
        pictures |= drawn
        rest = iter(printed.splitlines())
        for line in block.shown.splitlines():
            if line not in ("...", ""):
                assert any(same(line, candidate) for candidate in rest), (line, printed)
                checked += 1
    assert checked > 100
    assert len(pictures) >= 12
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    shown = re.findall(r"!\[[^]]+\]\(images/([^)]+)\)", PAGE)
    assert shown == [*dict.fromkeys(shown)]
    assert sorted(shown) == sorted([*pictures, LESSONS["NETWORK"]])


def test_the_files_of_the_page_are_the_shipped_configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = []
    for block in LESSONS["blocks"](PAGE):
        if block.language == "yaml":
            name = block.content.splitlines()[0].removeprefix("# ")
            (tmp_path / name).write_text(block.content, encoding="utf-8")
            if (CONFIGS / name).exists():
                shipped.append(name)
                assert load_config([name]).config == load_config([CONFIGS / name]).config
            else:
                assert name == "batches.yaml"
    assert len(shipped) == 7


def test_pictures_are_there_and_small():
    shown = re.findall(r"!\[[^]]+\]\(images/([^)]+)\)", PAGE)
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    assert all(f"images/{path.name})" in pages for path in (DOCS / "images").glob("*.png"))
    for name in shown:
        content = (DOCS / "images" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 400_000
    assert LESSONS["network"]().startswith(b"\x89PNG")


def test_every_number_in_the_text_is_one_that_was_checked():
    found = LESSONS["blocks"](PAGE)
    checked = "\n".join(block.content + block.shown for block in found)
    pool = {abs(value) for value in numbers(re.sub(r"[=\[\]]", " ", checked))}
    # The ratio of the two curvatures, and the limits that follow from the largest ones.
    pool |= {round(6702 / 0.5074), 2 / 33.28, 2 / 6702}
    prose = re.sub(r"```(\w+)\n(.*?)```", "", PAGE, flags=re.DOTALL)
    texts = [value.rstrip(",") for value in NUMBER.findall(re.sub(r"\(images/[^)]*\)|`[^`]*`", "", prose))]
    assert len(texts) > 60
    unknown = []
    for text in texts:
        value = abs(float(text.replace(",", "")))
        digits = len(text.lstrip("-0.").replace(",", "").replace(".", "")) or 1
        if not any(value == known or f"{known:.{digits}g}" == f"{value:.{digits}g}" for known in pool):
            unknown.append(text)
    assert unknown == []

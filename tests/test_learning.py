"""Every block of code, every number and every picture of docs/learning.md."""

import contextlib
import csv
import io
import re
import runpy
import shlex

import pytest
from conftest import CONFIGS, REPOSITORY

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "learning.md").read_text(encoding="utf-8")
PICTURES = runpy.run_path(str(DOCS / "learning_pictures.py"))
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", flags=re.DOTALL)


def blocks():
    """(language, code, the output shown below it)."""
    found = BLOCK.findall(PAGE)
    return [
        (language, code, found[position + 1][1] if found[position + 1 : position + 2] else None)
        for position, (language, code) in enumerate(found)
        if language != "text"
    ]


def numbers(text):
    return [float(found.replace(",", "").rstrip(",")) for found in NUMBER.findall(text)]


def same(shown, printed):
    """The same words, and numbers that agree to a few digits: single precision may round otherwise elsewhere."""
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (shown, printed)]
    return words[0] == words[1] and numbers(shown) == pytest.approx(numbers(printed), rel=2e-3, abs=1e-12)


def test_python_prints_what_is_shown():
    names: dict[str, object] = {}
    checked = 0
    for language, code, shown in blocks():
        if language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, names)
            assert out.getvalue() == shown
            checked += 1
    assert checked == 3


def test_commands_print_what_is_shown(linreg, tmp_path):
    (tmp_path / "configs").symlink_to(CONFIGS)
    checked = 0
    for language, code, shown in blocks():
        if language != "sh":
            continue
        printed = []
        for command in code.splitlines():
            program, *arguments = shlex.split(command)
            result = linreg(*arguments)
            assert (program, result.code) == ("linreg", 0), result.err
            printed += result.out.splitlines()
        # Each shown line is among those printed, after the one before it.
        rest = iter(printed)
        for line in shown.splitlines():
            if line not in ("...", ""):
                assert any(same(line, candidate) for candidate in rest), line
                checked += 1
    assert checked > 20


def test_tables_say_what_training_does(linreg, tmp_path):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    shown = {row[0].strip("`"): [numbers(cell) for cell in row[1:]] for row in rows if row[0].startswith("`")}
    runs = {**PICTURES["RATES"], **PICTURES["BATCHES"], **PICTURES["POINTS"]}
    assert list(shown) == [*PICTURES["POINTS"], *PICTURES["RATES"], *PICTURES["BATCHES"]]
    for name, (config, *settings) in runs.items():
        options = [part for setting in (*settings, "plots=false") for part in ("--set", setting)]
        result = linreg("train", "-c", CONFIGS / f"{config}.yaml", *options, "--name", name, "-q", "--force")
        assert result.code == (4 if name == "lr-3.1e-4" else 0), result.err  # above the limit: it diverges
        with open(tmp_path / "outputs" / f"{name}-0001" / "history.csv") as file:
            last = list(csv.DictReader(file))[-1]
        loss, steps = float(last["train_loss"]), float(last["step"])
        if name in PICTURES["POINTS"]:
            assert shown[name] == [[float(last["weight:x"])], [float(last["bias"])]]
        elif name in PICTURES["RATES"]:
            assert shown[name][0] == pytest.approx([loss], rel=2e-3)
        else:
            assert shown[name][0] == [steps]
            assert shown[name][1] == pytest.approx([loss], rel=2e-3)
    # The same runs, drawn; other versions of matplotlib draw other bytes.
    for picture in ("rates", "batches"):
        names = [f"{name}-0001" for name in PICTURES[picture.upper()]]
        assert linreg("plot", *names, "-o", picture).code == 0
        assert len(list((tmp_path / picture).glob("*.png"))) == 1


def test_pictures_are_there_and_small():
    shown = re.findall(r"!\[[^]]+\]\((images/[^)]+)\)", PAGE)
    pages = "".join(page.read_text() for page in DOCS.glob("*.md"))
    assert all(f"(images/{path.name})" in pages for path in (DOCS / "images").glob("*.png"))
    assert [f"images/{name}" for name in ("batches.png", "points.png", "rates.png")] == sorted(shown)
    for name in shown:
        content = (DOCS / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 100_000


def test_every_number_in_the_text_is_one_that_was_checked():
    checked = "".join(content for _, content in BLOCK.findall(PAGE))
    checked += "".join(line + "\n" for line in PAGE.splitlines() if line.startswith("|"))
    settings = " ".join(
        setting for run in (*PICTURES["RATES"].values(), *PICTURES["BATCHES"].values()) for setting in run
    )
    pool = {abs(value) for value in numbers(checked.replace("=", " ") + settings.replace("=", " "))}
    # The ratio of the two curvatures.
    pool.add(round(6702 / 0.5074))
    prose = BLOCK.sub("", "\n".join(line for line in PAGE.splitlines() if not line.startswith("|")))
    found = [value.rstrip(",") for value in NUMBER.findall(re.sub(r"\(images/[^)]*\)|`[^`]*`", "", prose))]
    assert len(found) > 20
    unknown = []
    for text in found:
        value = abs(float(text.replace(",", "")))
        digits = len(text.lstrip("-0.").replace(",", "").replace(".", "")) or 1
        if not any(value == known or f"{known:.{digits}g}" == f"{value:.{digits}g}" for known in pool):
            unknown.append(text)
    assert unknown == []

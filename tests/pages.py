"""The pages of the documentation: their paragraphs, links and blocks of code, and what running them gives.

A page is read from its top to its bottom, in a folder that has `configs/`, `docs/`, a `houses.csv`
and a `new_houses.csv`:

- `sh`: each line is run. A comment `# exit code 4` at its end says how it ends, if not with 0. To save time, `train`
  and `sweep` draw no pictures where the page shows no path of one.
- `text`: what the block before it printed, but for the lines at `...`. Times may differ.
- `yaml`: a config, or a part of one, which must be valid. A first line `# NAME.yaml` makes it that file.
- `python`: is run, in one program for the page.
- `json`: is JSON.
"""

import contextlib
import io
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFIGS, REPOSITORY

from linreg_cli.config.load import load_config
from linreg_cli.config.source import ConfigText

DOCS = REPOSITORY / "docs"
#: Every page, by its path in the repository.
PAGES = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("README*.md")])
}
#: What a block may run beside linreg: programs that every system has, which take no time.
SMALL_PROGRAMS = ("cat", "head", "ls", "mkdir", "rm")

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", flags=re.DOTALL | re.MULTILINE)
_TIME = re.compile(r"\b\d[\d,]*(?:\.\d+)? s\b")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
_EXIT_CODE = re.compile(r"# exit code (\d+)$")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and the output that is shown below it (None: none)."""

    language: str
    code: str
    shown: str | None


def blocks(page: str) -> list[Block]:
    """The blocks of a page; a `text` block that shows an output is a part of the block before it."""
    found = [(match[2], re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)) for match in _FENCE.finditer(page)]
    paired: list[Block] = []
    for language, code in found:
        if language == "text" and paired and paired[-1].language in ("sh", "python") and paired[-1].shown is None:
            paired[-1] = Block(paired[-1].language, paired[-1].code, code)
        else:
            paired.append(Block(language, code, None))
    return paired


def paragraphs(page: str) -> list[str]:
    """The runs of text outside tables and code; each item of a list is one."""
    found: list[str] = []
    joined = False
    for line in (each.strip() for each in _FENCE.sub("\n\n", page).splitlines()):
        if not line or line.startswith(("|", "#", "<!--")):
            joined = False
        elif joined and not re.match(r"([-*]|\d+\.) ", line):
            found[-1] += f" {line}"
        else:
            found.append(line)
            joined = True
    return found


def prose(page: str) -> str:
    """What a page says in words: without code, and the targets of links."""
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", _FENCE.sub("", page))


def links(page: str) -> list[str]:
    """Where a page leads to, without other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page)))
    return [link for link in found if not re.match(r"https?://", link)]


def anchors(page: str) -> set[str]:
    """The names of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def numbers(text: str) -> list[float]:
    """The numbers in a text but those of times."""
    return [float(number.replace(",", "").replace("−", "-")) for number in _NUMBER.findall(_TIME.sub("", text))]


def same(shown: str, printed: str, rel: float = 1e-4) -> bool:
    """Whether a line has the same words, and the same numbers but for rounding errors and times."""
    first, second = (" ".join(_NUMBER.sub("#", _TIME.sub("# s", line)).split()) for line in (shown, printed))
    return first == second and numbers(shown) == pytest.approx(numbers(printed), rel=rel, abs=1e-12)


def assert_shown(shown: str, printed: str, rel: float = 1e-4) -> None:
    """The lines that are shown are those printed, in their order; `...` leaves some out, and so do empty ones."""
    lines = [line for line in printed.splitlines() if line.strip()]
    start = 0
    for part in re.split(r"^ *\.\.\.\n", shown, flags=re.MULTILINE):
        wanted = [line for line in part.splitlines() if line.strip()]
        places = range(start, len(lines) - len(wanted) + 1)
        fits = [place for place in places if all(map(same, wanted, lines[place:], [rel] * len(wanted)))]
        assert fits or not wanted, f"not printed:\n{part}\nbut:\n" + "\n".join(lines[start:])
        start = fits[0] + len(wanted) if wanted else start


def play(page: str, linreg: Callable[..., Any], folder: Path, *, skip: Callable[[str], bool] = lambda _: False) -> int:
    """Do what a page says, and compare what it shows; gives the number of blocks that were run or read.

    Args:
        page: its text.
        linreg: the fixture.
        folder: the current folder.
        skip: the blocks that cannot be run, by their code.
    """
    for name, target in (("configs", CONFIGS), ("docs", DOCS)):
        (folder / name).symlink_to(target)
    for table, seed in (("houses.csv", 0), ("new_houses.csv", 1)):
        settings = ("--set", f"seed={seed}", "-o", table)
        assert table not in page or linreg("generate-data", "-c", "configs/housing.yaml", *settings).code == 0
    quick = () if "/plots/" in page else ("--set", "plots=false")
    names: dict[str, object] = {}
    done = 0
    for block in blocks(page):
        if skip(block.code):
            continue
        done += 1
        if block.language == "sh":
            printed = "".join(_run(line, linreg, folder, quick) for line in _commands(block.code))
        elif block.language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(block.code, names)
            printed = out.getvalue()
        elif block.language == "yaml":
            _read_config(block.code, folder)
        elif block.language == "json":
            json.loads(block.code)
        if block.shown is not None:
            assert_shown(block.shown, printed)
    return done


def _commands(code: str) -> list[str]:
    joined = code.replace("\\\n", " ").splitlines()
    return [line for line in joined if line.strip() and not line.lstrip().startswith("#")]


def _run(line: str, linreg: Callable[..., Any], folder: Path, quick: Sequence[str]) -> str:
    """What one command prints: warnings and errors, then results."""
    expected = int(found[1]) if (found := _EXIT_CODE.search(line)) else 0
    program, *arguments = shlex.split(line, comments=True)
    if program in SMALL_PROGRAMS:
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        assert program == "linreg", f"a page runs {program}"
        starts = arguments[0] in ("train", "sweep") and "--resume" not in arguments
        result = linreg(*arguments, *(quick if starts else ()))
        code, out, err = result.code, result.out, result.err
    assert code == expected, f"{line}\n{err}"
    return f"{err}{out}"


def _read_config(code: str, folder: Path) -> None:
    if name := re.match(r"# ([\w-]+\.yaml)\n", code):
        (folder / name[1]).write_text(code, encoding="utf-8")
    table = ConfigText("a table", "data: {path: houses.csv, target: price, split: {train: 0.8, test: 0.2}}\n", "page")
    load_config([table, ConfigText("the page", code, "page")])

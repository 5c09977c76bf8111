"""Follows docs/learning.md from its beginning to its end and draws its pictures: `python docs/learning_pictures.py`.

The page is what is run: its files are saved, its commands and its Python are run in their order in one folder, and each
picture is the one that the block before it has drawn.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
PAGE = DOCS / "learning.md"
#: The picture that no command draws: the model as a network.
NETWORK = "network.png"

_PART = re.compile(
    r"^```(?P<language>\w+)\n(?P<content>.*?)^```$|^!\[[^]]*\]\(images/(?P<picture>[^)]+)\)$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A block of code of the page.

    Attributes:
        language: `sh`, `python` or `yaml`.
        content: its text.
        shown: the output below it; "" where none is shown.
        pictures: the names of the pictures below it.
    """

    language: str
    content: str
    shown: str
    pictures: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """The blocks of a page, in their order."""
    found: list[Block] = []
    for part in _PART.finditer(text):
        if (picture := part["picture"]) is not None:
            if picture != NETWORK:
                last = found.pop()
                found.append(Block(last.language, last.content, last.shown, (*last.pictures, picture)))
        elif part["language"] == "text":
            last = found.pop()
            found.append(Block(last.language, last.content, last.shown + part["content"], last.pictures))
        else:
            found.append(Block(part["language"], part["content"], "", ()))
    return found


def commands(block: Block) -> Iterator[tuple[list[str], int]]:
    """The arguments of each command of a block, without the program, and its exit code: the digit of its comment."""
    for line in block.content.replace("\\\n", " ").splitlines():
        words, comment = shlex.split(line, comments=True), line.partition("#")[2]
        code = re.search(r"\d", comment)
        assert words[0] == "linreg", line
        yield words[1:], int(code[0]) if code else 0


def follow(
    text: str, run: Callable[[list[str], int], str], names: dict[str, Any]
) -> Iterator[tuple[Block, str, dict[str, bytes]]]:
    """Do in the current folder what a page says.

    Args:
        text: of the page.
        run: takes the arguments of `linreg` and the expected exit code; returns what was printed.
        names: those of Python, which the blocks share.

    Yields:
        each block, what it printed, and its pictures by name.
    """
    for block in blocks(text):
        printed, drawn = "", []
        if block.language == "yaml":
            name = block.content.splitlines()[0].removeprefix("# ").split(":")[0]
            Path(name).write_text(block.content, encoding="utf-8")
        elif block.language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(block.content, names)
            printed = out.getvalue()
            drawn = re.findall(r'savefig\("([^"]+)"', block.content)
        else:
            for arguments, code in commands(block):
                output = run(arguments, code)
                printed += output
                drawn += [line for line in output.splitlines() if arguments[0] == "plot" and line.endswith(".png")]
        pictures = (
            {name: Path(path).read_bytes() for name, path in zip(block.pictures, drawn, strict=True)}
            if block.pictures
            else {}
        )
        yield block, printed, pictures


def network() -> bytes:
    """The model as a network: one layer, an input for each feature and one output."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.6), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 7), ylim=(0, 2.6))
    axes.axis("off")
    places = {"x1": (1.5, 2.1), "x2": (1.5, 1.3), "1": (1.5, 0.5), "ŷ": (5.0, 1.3)}
    colours = {"x1": "#BFD9EA", "x2": "#BFD9EA", "1": "#E5E5E5", "ŷ": "#F6C9A5"}
    for name, weight in (("x1", "w1"), ("x2", "w2"), ("1", "b")):
        (x, y), (to, at) = places[name], places["ŷ"]
        axes.annotate("", (to - 0.33, at + (y - at) * 0.09), (x + 0.31, y - (y - at) * 0.09),
                      arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.4})  # fmt: skip
        axes.text(3.1, at + (y - at) * 0.53 + 0.14, weight, fontsize=15, ha="center", color="#0B5A8A",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
    for name, (x, y) in places.items():
        axes.plot(x, y, "o", markersize=40, color=colours[name], markeredgecolor="black", markeredgewidth=1.3)
        axes.text(x, y - 0.02, name, fontsize=16, ha="center", va="center")
    axes.text(0.95, 1.7, "inputs", fontsize=14, ha="right", va="center")
    axes.text(0.95, 0.5, "constant", fontsize=14, ha="right", va="center")
    axes.text(5.5, 1.3, "prediction", fontsize=14, ha="left", va="center")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _run(arguments: list[str], code: int) -> str:
    """Run a command in this process, which loads torch once."""
    from linreg_cli.cli.app import run

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        if run(arguments) != code:
            raise RuntimeError(f"{shlex.join(arguments)}: {out.getvalue()}")
    return out.getvalue()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        drawn = {NETWORK: network()}
        for _, printed, pictures in follow(PAGE.read_text(encoding="utf-8"), _run, {}):
            drawn |= pictures
            if "-v" in sys.argv:
                print(printed)
    for name, content in drawn.items():
        (IMAGES / name).write_bytes(content)
        print(os.path.relpath(IMAGES / name))

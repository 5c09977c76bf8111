"""What the three sections have in common: options, and results that are saved after every cell."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, machine, save

RESULTS = ROOT / "benchmarks" / "results"

#: The cells of a section, as they become known.
Section = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Attributes:
        share: of the rows of every table.
        rounds: measurements of each figure, after one that does not count.
        results: where the results go.
    """

    share: float
    rounds: int
    results: Path

    def rows(self, full: int) -> int:
        """Rows of a table that has `full` rows."""
        return max(min(full, 500), round(full * self.share))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a section and of the whole."""
    parser.add_argument("--share", type=float, default=1.0, help="of the rows; less than 1 to try the benchmark itself")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each figure")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")


def run_section(name: str, measured: Callable[[Options], Section], description: str | None) -> None:
    """A section as a command: the results are saved as `NAME.json` after every cell."""
    parser = argparse.ArgumentParser(prog=f"benchmarks.{name}", description=(description or "").splitlines()[0])
    add_options(parser)
    given = parser.parse_args()
    options = Options(given.share, given.rounds, given.results)
    about = {"machine": machine(), "share": options.share, "complete": False}
    cells: list[dict[str, Any]] = []
    for cell in measured(options):
        cells.append(cell)
        save(options.results / f"{name}.json", {**about, "cells": cells})
    save(options.results / f"{name}.json", {**about, "complete": True, "cells": cells})

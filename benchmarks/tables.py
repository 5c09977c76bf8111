"""Writes the tables of docs/performance.md from the results that `make bench` saved."""

import json
from pathlib import Path
from typing import Any

RESULTS, PAGE = Path("benchmarks/results/steps.json"), Path("docs/performance.md")
BEGIN, END = "<!-- begin: written by benchmarks/tables.py -->\n", "<!-- end -->\n"


def row(*cells: Any) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def number(figure: dict[str, float]) -> str:
    return f"{figure['ms']:,.1f} ({figure['low']:,.1f} to {figure['high']:,.1f})"


def tables(results: dict[str, Any]) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    text = f"Milliseconds, median and middle half of at least five runs, float32; {machine}.\n\n### Floors\n\n"
    cells = results["epochs"]
    text += row("table", "one read of X", "gather of X and y", "randperm") + row(*["---"] * 4)
    for cell in cells:
        if "floors" in cell:
            text += row(f"{cell['rows']:,} x {cell['features']}", *(number(f) for f in cell["floors"].values()))
    text += (
        "\nBest runs: "
        + "; ".join(
            f"{c['rows']:,} x {c['features']}: "
            + ", ".join(f"{name} {f['best']:.1f}" for name, f in c["floors"].items())
            for c in cells
            if "floors" in c
        )
        + ".\n"
    )
    text += "\n### One epoch of the native executor, its order drawn beforehand\n\n"
    text += row(
        "table",
        "batch",
        "order",
        "native",
        "target",
        "native / target",
        "the same of the best runs",
        "gap to float64 torch",
    )
    text += row(*["---"] * 8)
    for cell in (cell for cell in cells if "native" in cell):
        order = "shuffled" if cell["shuffle"] else "as given"
        target = cell["target"]
        median, best = (f"{cell['native'][kind] / target[kind]:.2f}" for kind in ("ms", "best"))
        text += row(
            f"{cell['rows']:,} x {cell['features']}", cell["batch"], order, number(cell["native"]),
            f"{target['ms']:.1f}", median, best, f"{cell['gap']:.0e}",
        )  # fmt: skip
    text += "\n### The same steps by other means\n\n"
    text += row("means", "batch", "order", "ms", "times native") + row(*["---"] * 5)
    for cell in (cell for cell in cells if "native" in cell):
        order = "shuffled" if cell["shuffle"] else "as given"
        for name in ("textbook loop", "tensor slices", "by hand", "reference", "SGDRegressor", "prefix products"):
            if name in cell:
                times = cell[name]["ms"] / cell["native"]["ms"]
                text += row(name, cell["batch"], order, number(cell[name]), f"{times:,.1f}")
    full = results["full"]
    text += f"\n### Full batch, {full['rows']:,} x {full['features']}\n\n" + row("what", "ms") + row("---", "---")
    for name, figure in full.items():
        if isinstance(figure, dict):
            text += row(name, number(figure))
    return text


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    written = tables(json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(before + BEGIN + written + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()

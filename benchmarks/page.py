"""The results as Markdown, between the marks of docs/performance.md."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import picture
from benchmarks.measure import ROOT

PAGE, PICTURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "images" / "performance.png"
BEGIN, END = "<!-- begin: written by `make bench` -->\n", "<!-- end: written by `make bench` -->\n"
Cell = dict[str, Any]


def write(results: Path) -> None:
    """The page and the picture anew, from the results that are there."""
    steps = _load(results, "same_steps")
    drawn = picture.draw(steps["cells"]) if steps else None
    if drawn is not None:
        PICTURE.write_bytes(drawn)
    PAGE.write_text(between_marks(PAGE.read_text(encoding="utf-8"), tables(results)), encoding="utf-8")


def between_marks(text: str, written: str) -> str:
    """The page's text with what stands between its marks replaced.

    Raises:
        ValueError: if the page does not have each mark once.
    """
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + written + END + after


def tables(results: Path) -> str:
    """The three tables; one that was not measured is said to be missing."""
    text = ""
    makers = {"same_steps": same_steps, "time_to_gap": time_to_gap, "end_to_end": end_to_end}
    for name, maker in makers.items():
        found = _load(results, name)
        text += maker(found) + "\n" if found else f"`{name}` was not measured.\n\n"
    return text


def _load(results: Path, name: str) -> dict[str, Any] | None:
    path = results / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def number(value: float) -> str:
    """Three digits, two below 1, or a whole number."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 9.995 else 2}f}" if value >= 0.9995 else f"{value:.2g}"


def time_of(figure: Mapping[str, Any], unit: float = 1.0) -> str:
    """`median ± half the width of the middle half`, with ≈ where it was scaled up, or why there is none."""
    if "skipped" in figure:
        return f"skipped: {figure['skipped']}"
    if "ms" not in figure:
        return str(figure.get("setting", "—"))
    about = "≈ " if figure["scale"] != 1 else ""
    spread = f" ± {number((figure['high'] - figure['low']) / 2 / unit)}" if figure["runs"] > 1 else ""
    return f"{about}{number(figure['ms'] / unit)}{spread}"


def rows_of(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table and an empty line."""
    header = list(header)
    lines = [header, ["---"] * len(header), *map(list, rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"


def machine_of(results: Mapping[str, Any]) -> str:
    """One sentence: cores, versions, load; whether the section was interrupted."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = "" if machine["load"] is None else f", load {machine['load']:.1f} at the start"
    text = (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['threads']} threads{load}; Python {machine['python']}, "
    )
    text += f"{versions}."
    text += "" if results["share"] == 1 else f" **Only a share of {results['share']} of the rows: a trial.**"
    return text + ("" if results["complete"] else " **Interrupted: the last cells are missing.**") + "\n\n"


def same_steps(results: Mapping[str, Any]) -> str:
    """Table 1."""
    text = "### 1. The same steps\n\n"
    if (PICTURE.parent / PICTURE.name).exists():
        text += "![One epoch by each engine, as bars on a logarithmic scale](images/performance.png)\n\n"
    text += (
        "Milliseconds an epoch: median ± half the width of the middle half of the runs. ≈: timed on a part of the rows "
        "(or epochs) and scaled up. Every engine gets the same order of rows. Target: 3 reads of X, and 1.5 gathers "
        "where rows are shuffled. " + machine_of(results)
    )
    tables: dict[str, list[Cell]] = {}
    for cell in results["cells"]:
        tables.setdefault(cell["table"], []).append(cell)
    for name, cells in tables.items():
        text += f"**{name}**\n\n" + rows_of(["ms", *map(_column, cells)], _step_rows(cells))
    text += "Largest difference of a parameter from float64 `torch.optim.SGD` after the same steps, relative to the "
    text += "largest parameter (on up to 16,384 rows):\n\n"
    engines = _names(cell["engines"] for cell in results["cells"])
    return (
        text
        + rows_of(["", *tables], ([e, *(_difference(e, cells) for cells in tables.values())] for e in engines))
        + (_first_runs(results["cells"]))
    )


def _column(cell: Cell) -> str:
    epochs = f", {cell['epochs']:,} epochs" if cell["epochs"] > 1 else ""
    batch = "full batch" if cell["batch"] == "full" else f"batch {cell['batch']}"
    return f"{batch}{', shuffled' if cell['shuffle'] else ''}{epochs}"


def _step_rows(cells: list[Cell]) -> Iterable[list[str]]:
    floors = cells[0]["floors"]
    words = {"read": "*floor: one read of X*", "gather": "*floor: gather of X and y*", "randperm": "*drawing an order*"}
    for floor, word in words.items():
        yield [word, *(time_of(floors[floor]) if floor == "read" or cell["shuffle"] else "" for cell in cells)]
    for engine in _names(cell["engines"] for cell in cells):
        yield [engine, *(time_of(cell["engines"].get(engine, {})) for cell in cells)]
    yield ["*linreg native / target*", *map(_of_target, cells)]


def _of_target(cell: Cell) -> str:
    native = cell["engines"].get("linreg native", {})
    return f"{native['ms'] / cell['target']:.2f}" if cell["target"] and "ms" in native else ""


def _difference(engine: str, cells: list[Cell]) -> str:
    found = [cell["engines"].get(engine, {}).get("difference") for cell in cells]
    known = [value for value in found if value is not None]
    return f"{max(known):.0e}" if known else "—"


def _first_runs(cells: list[Cell]) -> str:
    more = [
        e["first"] - e["ms"] for cell in cells for name, e in cell["engines"].items() if "JAX" in name and "ms" in e
    ]
    if not more:
        return ""
    return f"A first run of JAX takes {number(min(more))} to {number(max(more))} ms more, for compiling.\n"


def _names(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))


def time_to_gap(results: Mapping[str, Any]) -> str:
    """Table 2."""
    text = (
        "### 2. Time to a gap\n\nMilliseconds until (loss - optimum) / optimum is below 1e-3 and 1e-6, data in memory, "
        "each tool with the setting that was fastest for it; searching for it, compiling and loading are not counted. "
        "≈: the steps times the cost of one. Columns about an offset are standardised first, which is counted. "
    )
    text += machine_of(results)
    for cell in results["cells"]:
        condition = f", condition of the Hessian {cell['condition']:,.3g}" if cell["condition"] else ""
        text += f"**{cell['table']}**{condition}\n\n"
        rows = (
            [name, *(part for gap in tool.values() for part in _gap_cells(gap))] for name, tool in cell["tools"].items()
        )
        text += rows_of(["", "ms to 1e-3", "with", "ms to 1e-6", "with"], rows)
    return text


def _gap_cells(entry: Mapping[str, Any]) -> tuple[str, str]:
    return (time_of(entry), entry["setting"]) if "ms" in entry else ("—", entry["setting"])


def end_to_end(results: Mapping[str, Any]) -> str:
    """Table 3."""
    text = (
        "### 3. From a CSV to a model\n\nA fresh process each; files in the page cache. ≈: one epoch was run, and the "
    )
    text += "other nine added. " + machine_of(results)
    for cell in results["cells"]:
        text += f"**{cell['title']}**\n\n"
        floor = cell["programs"][cell["floor"]]
        rows = []
        for name, entry in cell["programs"].items():
            if "skipped" in entry:
                rows.append([name, time_of(entry), "—", "—"])
            else:
                scaled = entry | {"scale": 1 if entry.get("epochs", 10) == 10 else 10}
                rows.append([name, time_of(scaled, 1e3), f"{entry['ms'] / floor['ms']:.2f}", number(entry["mib"])])
        text += rows_of(["", "seconds", "of the floor", "peak MiB"], rows)
    return text

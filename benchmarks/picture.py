"""docs/images/performance.png: milliseconds an epoch by each engine, with the floors of the machine as lines."""

from collections.abc import Iterable, Mapping
from typing import Any

from linreg_cli.figures.canvas import render

#: The cell that is drawn.
DRAWN = {"rows": 1_000_000, "features": 8, "kind": "plain", "batch": 32, "shuffle": True, "epochs": 1}
# Okabe and Ito's palette; linreg's bar is also the only one without hatching.
OURS, OTHERS, RIM = "#0072B2", "#E8D7B0", "#4D4D4D"
FLOORS = {"read": ("one read of X", (0, (1, 1.2))), "gather": ("gather of X and y in random order", (0, (6, 2)))}
_LOOK = {
    "font.size": 15.0,
    "text.parse_math": False,
    "axes.grid": False,
    "hatch.linewidth": 0.8,
    "hatch.color": "#9A8B62",
}


def draw(cells: Iterable[Mapping[str, Any]]) -> bytes | None:
    """The picture as PNG, from the cells of the same steps; None if the cell that it shows was not measured."""
    chosen = next((cell for cell in cells if all(cell[key] == value for key, value in DRAWN.items())), None)
    return render(figure(chosen), "png") if chosen else None


def figure(cell: Mapping[str, Any]) -> Any:
    """Bars, the fastest on top, with their values; lines for the floors, which the legend below names."""
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    measured = {name: entry["ms"] for name, entry in cell["engines"].items() if "ms" in entry}
    names = sorted(measured, key=measured.__getitem__, reverse=True)
    floors = {name: cell["floors"][name]["ms"] for name in FLOORS}
    low = min(*floors.values(), *measured.values()) / 2
    with style.context(["default", _LOOK]):
        drawn = Figure(
            figsize=(10, 2.1 + 0.52 * len(names)), dpi=120, layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.1)
        )
        axes = drawn.add_subplot()
        for position, name in enumerate(names):
            ours = name.startswith("linreg")
            (bar,) = axes.barh(position, measured[name] - low, left=low, height=0.66, zorder=2)
            bar.set(facecolor=OURS if ours else OTHERS, hatch="" if ours else "///", edgecolor=RIM, linewidth=1.0)
            # A white rim keeps a value legible where it stands on a floor's line.
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.annotate(
                f"{short(measured[name])}", (measured[name], position), (7, 0), textcoords="offset points",
                va="center", fontweight="bold" if ours else "normal", bbox=box, zorder=4,
            )  # fmt: skip
        lines = []
        for name, (word, dashes) in FLOORS.items():
            line = axes.axvline(floors[name], color="black", linestyle=dashes, linewidth=2.2, zorder=3)
            lines.append((line, f"floor: {word}, {short(floors[name])} ms"))
        axes.set_yticks(range(len(names)), names)
        axes.set_xscale("log")
        high = max(measured.values())
        axes.set_xlim(low, high * (high / low) ** 0.18)  # room for the longest bar's value
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axes.set_xlabel("milliseconds an epoch (log scale; shorter is faster)")
        axes.spines[["top", "right"]].set_visible(False)
        drawn.suptitle(f"The same steps: {cell['table']}, batch {cell['batch']}, shuffled", fontsize=19)
        drawn.legend(*zip(*lines, strict=True), loc="outside lower center", ncols=1, frameon=False, handlelength=3)
    return drawn


def short(value: float) -> str:
    """Three digits or a whole number."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}"

"""The report of a sweep: what was found, the picture, a table of its points, and what it was."""

from pathlib import Path
from typing import Any

from linreg_cli.errors import PlotError
from linreg_cli.figures.sweep import sweep_picture
from linreg_cli.remedies import flow
from linreg_cli.report.about import status
from linreg_cli.report.markup import (
    Html,
    element,
    facts,
    figure_of,
    message,
    name,
    paragraph,
    picture,
    stack,
    table,
    text,
)
from linreg_cli.report.page import Part, links, section, whole
from linreg_cli.report.private import command_without_folders, is_absolute, without_folders
from linreg_cli.report.results import not_drawn
from linreg_cli.sweeps.found import called, sentences, shown
from linreg_cli.sweeps.store import Point, Sweep, SweepFolder
from linreg_cli.wording import duration, gap, number

_FOOT = (
    "Written by linreg report from the files of the sweep alone. Metrics are in the original units of the columns, and "
    "losses as they were trained; times are in UTC; folders are left out of paths."
)


def sweep_page(folder: SweepFolder) -> str:
    """The report of a sweep as one HTML document, which loads nothing else. The same sweep gives the same bytes.

    Raises:
        StoreError: if the sweep is damaged. A picture that cannot be drawn is reported in the document instead.
    """
    sweep = folder.read()
    known = [path for values in sweep.grid.values() for path in values if isinstance(path, str) and is_absolute(path)]
    lead = Html(" ".join(text(without_folders(each, known)) for each in sentences(sweep)))
    parts = [
        Part("picture", "Picture", _picture(sweep)),
        Part("points", "Points", _points(sweep, known)),
        Part("failures", "Points without a result", _failures(sweep, known)),
        Part("origin", "Provenance", _origin(sweep, known)),
    ]
    parts = [part for part in parts if part.body]
    head = element("header", element("h1", text(f"Sweep {sweep.id}")), Html("\n"), paragraph(lead, class_="lead"))
    body = stack(head, links(parts), *(section(part, "h2") for part in parts))
    return whole(f"Sweep {sweep.id}, {sweep.status}", body, _FOOT)


def _picture(sweep: Sweep) -> Html:
    try:
        png = sweep_picture(sweep)
    except PlotError as error:
        return stack(not_drawn([str(error)]))
    of = " and ".join(sweep.grid)
    shows = f"{sweep.metric} of every point, against {of}; points without a result are marked."
    return element("div", picture(png, f"Picture: {shows}", shows), class_="pictures")


def _points(sweep: Sweep, known: list[str]) -> Html:
    """A table with a row for each point; its name, what is the winner and what it has reached come first."""
    with_gates = any(each.gates is not None for each in sweep.points)
    header = ["point", sweep.metric, *sweep.grid, "gap", "status", *(["gates"] if with_gates else []), "run", "seconds"]
    rows = [_row(each, sweep, known, with_gates=with_gates) for each in sweep.points]
    n = len(sweep.grid)
    words = [0, *range(2, n + 2), n + 3, n + 4, *([n + 5] if with_gates else [])]
    return table("Points of the grid", header, rows, words=words)


def _row(point: Point, sweep: Sweep, known: list[str], *, with_gates: bool) -> list[Html]:
    is_winner = sweep.winner is point
    first = element("strong", text(f"{point.point} (winner)")) if is_winner else text(str(point.point))
    values = [name(without_folders(shown(point.overrides[key]), known)) for key in sweep.grid]
    gates = {True: "passed", False: "failed", None: "-"}[point.gates]
    return [
        first,
        figure_of(point.metric),
        *values,
        text("-" if point.gap is None else gap(point.gap)),
        text("not begun") if point.status == "waiting" else status({"status": point.status}),
        *([text(gates)] if with_gates else []),
        name(point.run or "-"),
        text("-" if point.seconds is None else duration(point.seconds).removesuffix(" s")),
    ]


def _failures(sweep: Sweep, known: list[str]) -> Html:
    """Why points have no result, each reason once."""
    reasons: dict[str, list[Point]] = {}
    for each in sweep.points:
        if each.error and each.status != "finished":
            reasons.setdefault(each.error.partition("\n")[0], []).append(each)
    rows = [
        [
            text(", ".join(str(each.point) for each in points)),
            name(without_folders("; ".join(map(called, points)), known)),
            text(without_folders(why, known)),
        ]
        for why, points in reasons.items()
    ]
    header = ["points", "settings", "reason"]
    return table("Why points have no result", header, rows, words=(0, 1, 2)) if rows else Html("")


def _origin(sweep: Sweep, known: list[str]) -> Html:
    grid = "; ".join(f"{key}: {', '.join(map(_value, values))}" for key, values in sweep.grid.items())
    chosen = (sweep.auto or {}).get("lr")
    limits = ", ".join(f"{number(each['rate'])} ({each['covers']})" for each in sweep.limits)
    return facts([
        ("grid", name(without_folders(grid, known))),
        ("compared by", text(f"{sweep.metric}, best when {'highest' if sweep.highest else 'lowest'}")),
        ("limits of the rate", text(limits) if limits else None),
        ("auto would choose", text(f"{number(chosen['value'])} ({chosen['why']})") if chosen else None),
        ("begun", text(sweep.created[:19].replace("T", " "))),
        ("processes", text(str(sweep.jobs))),
        ("command", element("code", message(command_without_folders(sweep.command)))),
    ])  # fmt: skip


def _value(value: Any) -> str:
    return Path(value).name if isinstance(value, str) and is_absolute(value) else flow(value)

"""A comparison of several runs: their results, and what differs between them."""

import json
from collections.abc import Sequence
from typing import Any

from linreg_cli import wording
from linreg_cli.report.about import status
from linreg_cli.report.markup import Html, element, figure_of, name, names, paragraph, table, text
from linreg_cli.report.private import is_absolute, without_folders
from linreg_cli.runs.compare import settings, varying
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.labels import differences_of
from linreg_cli.wording import METRICS, duration, number

#: What says nothing beside the rest: estimates of executors in seconds, and statistics of each column.
_LEFT_OUT = ("engine.why", "engine.value", "data.std", "data.columns")
#: Longer values, such as a list of columns, are cut.
_MOST_CHARACTERS = 160
#: The most names of a list that are shown.
_MOST_NAMES = 8
_METRICS = [(name, METRICS[name]) for name in ("rmse", "r2")]


def overview(runs: Sequence[RunContents], anchors: Sequence[str]) -> Html:
    """A table with one row per run: its label or the settings that differ, status, data, metrics, gap and seconds.

    Args:
        runs: in the order of the table.
        anchors: for each run, the id of its section, which its name links to.
    """
    present = [split for split in ("test", "validation", "train") if any(split in run.splits for run in runs)]
    header = ["run", "status", *(f"{split} {title}" for split in present for _, title in _METRICS)]
    header += ["gap", "seconds", "data"]
    rows = []
    for run, anchor, label in zip(runs, anchors, differences_of(runs), strict=True):
        link = element("a", text(run.id), href=f"#{anchor}")
        named = [link, text(" "), element("span", name(label), class_="label")] if label else [link]
        reached = [figure_of(run.splits.get(split, {}).get(key)) for split in present for key, _ in _METRICS]
        gap = ((run.metrics or {}).get("optimum") or {}).get("gap")
        seconds = run.record().get("seconds")
        rows.append(
            [
                element("span", *named),
                status(run.record()),
                *reached,
                text("-" if gap is None else wording.gap(gap)),
                text("-" if seconds is None else duration(seconds).removesuffix(" s")),
                name(run.record()["data"]["name"]),
            ]
        )
    return table("Results of the runs", header, rows, words=(0, 1, len(header) - 1))


def differences(runs: Sequence[RunContents]) -> Html:
    """A table of the config, data, machine and versions that are not the same in all runs."""
    found = [each for each in varying([settings(run) for run in runs]) if not each[0].startswith(_LEFT_OUT)]
    if not found:
        return paragraph(text("The runs have the same config, data, machine and versions."))
    rows = [[_key(key), *_values(values)] for key, values in found]
    header = ["key", *(run.id for run in runs)]
    return table("Differences in config, data and machine", header, rows, words=range(len(header)))


def _key(key: str) -> Html:
    """A dotted key, with possible line breaks between its words."""
    may_break = element("wbr")
    broken = text(key).replace(".", f".{may_break}").replace("_", f"_{may_break}")
    return element("code", Html(broken), class_="key")


def _values(values: Sequence[Any]) -> list[Html]:
    """The values of one key; of paths the names of the files, and that the folders differ where the names do not."""
    shown = [without_folders(value, [value]) if _is_path(value) else value for value in values]
    if shown != list(values) and len(set(map(str, shown))) == 1:
        folders = list(dict.fromkeys(values))
        shown = [f"{file} (folder {folders.index(value) + 1})" for file, value in zip(shown, values, strict=True)]
    return [_value(value) for value in shown]


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and is_absolute(value)


def _value(value: Any) -> Html:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return text(number(value))
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return names(
            [*value[:_MOST_NAMES], *([f"{len(value) - _MOST_NAMES} more"] if len(value) > _MOST_NAMES else [])]
        )
    shown = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text(shown if len(shown) <= _MOST_CHARACTERS else f"{shown[: _MOST_CHARACTERS - 1]}…")

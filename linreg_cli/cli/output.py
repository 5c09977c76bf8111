"""Results on stdout, errors on stderr. Nothing else in the package prints, and no text acts on a terminal."""

import contextlib
import csv
import itertools
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TextIO

from linreg_cli.cli.annotations import annotation
from linreg_cli.decimals import at_mark, at_right, text_width
from linreg_cli.errors import Fault
from linreg_cli.findings import Finding
from linreg_cli.wording import ON_TERMINAL, escaped, json_text, metrics_notes, number, one_line

#: What TERM says where neither the cursor moves nor colours show, such as the shell within an editor.
_NO_CURSOR = ("dumb", "unknown")
_STYLES, _PLAIN = {"red": "\x1b[1;31m", "yellow": "\x1b[1;33m", "bold": "\x1b[1m"}, "\x1b[0m"
#: Around a heading until it is printed: `show` escapes every control character, and nobody can guess these marks, so
#: that no name of a column is taken for one.
_BEGIN, _END = (f"<{secrets.token_hex(8)}>" for _ in range(2))

#: Whether the command prints its result and errors only.
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextlib.contextmanager
def silenced(quiet: bool) -> Iterator[None]:
    """A block without notes, warnings and progress, which is what `--quiet` means; results and errors are printed.

    Args:
        quiet: whether to be silent; a block within a silent one is.
    """
    token = _quiet.set(quiet or is_quiet())
    try:
        yield
    finally:
        _quiet.reset(token)


def is_quiet() -> bool:
    """Whether notes, warnings and progress are left out."""
    return _quiet.get()


def show(*lines: object) -> None:
    """Print a result on stdout, line by line. Control characters other than line breaks are escaped."""
    text = escaped("\n".join(map(str, lines)))
    print(text.replace(_BEGIN, _STYLES["bold"]).replace(_END, _PLAIN))


def tell(text: str) -> None:
    """Print a message on stderr, such as `note: ...`; as `show`."""
    if not is_quiet():
        _print_on_stderr(text)


def prompt(text: str) -> None:
    """Say on stderr what the user is to type, with `--quiet` too: a program that waits without a word seems to hang."""
    _print_on_stderr(f"note: {text}")


def _print_on_stderr(text: str) -> None:
    print(escaped(text), file=sys.stderr)


def moves_cursor(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which a line can be written again."""
    stream = getattr(stream, "rich_proxied_file", stream)  # while there is a bar, stderr stands behind it
    return stream.isatty() and os.environ.get("TERM", "") not in _NO_CURSOR


def styled(text: str, style: str, stream: TextIO) -> str:
    """Text in a style, `red`, `yellow` or `bold`, where the stream is a terminal with colours and NO_COLOR is not set.

    Args:
        text: harmless; what is printed by `show` loses its style.
        style: its name.
        stream: that the text is printed on.
    """
    coloured = moves_cursor(stream) and not os.environ.get("NO_COLOR")
    return f"{_STYLES[style]}{text}{_PLAIN}" if coloured else text


def warn(text: str) -> None:
    """Print a warning on stderr, on one line."""
    if is_quiet():
        return
    print(f"{styled('warning:', 'yellow', sys.stderr)} {one_line(text)}", file=sys.stderr)
    _annotate("warning", Fault(text))


def warn_of(finding: Finding) -> None:
    """Print a warning that has a kind."""
    warn(finding.message)


def _annotate(level: str, fault: Fault) -> None:
    """Print the annotation of an error or a warning on stderr, where a job of GitHub Actions reads it."""
    found = annotation(level, fault)
    if found is not None:
        print(one_line(found), file=sys.stderr)


@contextlib.contextmanager
def warning_of_fonts() -> Iterator[None]:
    """A context that draws, and a warning at its end if there are characters that no installed font has."""
    from linreg_cli.figures.fonts import warning_of_lacking

    with warning_of_lacking(warn_of):
        yield


#: The width that tables keep to if names are short.
WIDTH = 80

#: The most parameters of a table on the terminal; the others are counted.
MOST_PARAMETERS = 100


def print_json(values: Any) -> None:
    """Print one JSON object, and nothing else, on stdout.

    Raises:
        ValueError: for NaN or an infinity, which JSON does not have.
    """
    text = json_text(values, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # the encoding of the terminal, or a file name that is not UTF-8
        text = json.dumps(values, indent=2, allow_nan=False, default=str)
    print(text)


def show_csv(rows: Iterable[Iterable[object]]) -> None:
    """Print rows as CSV on stdout; control characters and line breaks in text are escaped."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([one_line(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


def show_error(kind: str, faults: Sequence[Fault], *, as_json: bool, result: dict[str, Any] | None = None) -> None:
    """Print an `error:` line for each fault on stderr, with what stands below it; with `--json` an object on stdout.

    Args:
        kind: the kind of the error, such as `config`.
        faults: at least one.
        as_json: whether the command prints JSON on stdout.
        result: the result to print beside the error, if there is one in spite of it.
    """
    for fault in faults:
        print(f"{styled('error:', 'red', sys.stderr)} {one_line(str(fault))}", file=sys.stderr)
        if fault.excerpt:
            _print_on_stderr("\n".join(f"    {line}" for line in fault.excerpt.split("\n")))
        if fault.block:
            _print_on_stderr(fault.block)
        _annotate("error", fault)
    if as_json:
        error: dict[str, Any] = {
            "kind": kind,
            "message": "\n".join(fault.message for fault in faults),
            "where": faults[0].where if faults else None,
        }
        if len(faults) > 1 or any(fault.columns for fault in faults):
            error["faults"] = [_as_json(fault) for fault in faults]
        print_json({**(result or {}), "error": error})


def _as_json(fault: Fault) -> dict[str, Any]:
    values: dict[str, Any] = {"message": fault.message, "where": fault.where}
    values |= {} if fault.kind is None else {"kind": fault.kind}
    values |= {"columns": list(fault.columns)} if fault.columns else {}
    return values if fault.settings is None else {**values, "settings": dict(fault.settings)}


def prose(text: str, *, indent: str = "", label: str = "") -> str:
    """A sentence or several, wrapped at the width of the terminal; one line where stdout is none.

    Args:
        text: control characters are escaped.
        indent: text before each line.
        label: text before the first line; further lines begin below what follows it.
    """
    text = one_line(text)
    if not sys.stdout.isatty():
        return f"{indent}{label}{text}"
    width = max(shutil.get_terminal_size().columns, 20)
    rest = indent + " " * text_width(label)
    lines, line = [], indent + label
    for word in text.split(" "):
        if text_width(line) + text_width(word) > width and line.strip():
            lines.append(line.rstrip())
            line = rest
        line += f"{word} "
    return "\n".join([*lines, line.rstrip()])


def heading(text: str) -> str:
    """A line above a table or a list, for `show`: bold on a terminal, elsewhere as it is."""
    return f"{_BEGIN}{text}{_END}" if styled("", "bold", sys.stdout) else text


def aligned(rows: Sequence[Sequence[str]], *, left: int = 1, indent: str = "") -> str:
    """A table of text in aligned columns. Control characters in cells are escaped.

    Args:
        rows: the cells of each row; at least one row, all of the same length.
        left: the first so many columns are left-aligned; in the others decimal marks stand below each other,
            or where this takes more than 80 columns, the cells end at the right.
        indent: text before each line.

    >>> print(aligned([["n", "100"], ["rmse", "2.5"]]))
    n     100
    rmse    2.5
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    columns = [at_mark([row[position] for row in rows]) for position in range(left, len(rows[0]))]
    widths = [max(text_width(row[position]) for row in rows) for position in range(left)]
    if len(indent) + sum(widths) + sum(2 + text_width(column[0]) for column in columns) > WIDTH:
        columns = [at_right([row[position] for row in rows]) for position in range(left, len(rows[0]))]
    lines = []
    for number_of_row, row in enumerate(rows):
        cells = [cell + " " * (width - text_width(cell)) for cell, width in zip(row, widths, strict=False)]
        cells += [column[number_of_row] for column in columns]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def metrics_table(metrics: dict[str, Any], record: dict[str, Any], *, indent: str = "") -> str:
    """The metrics as a table with one line per split, their units, and the reason for each undefined one.

    Args:
        metrics: the content of `metrics.json`.
        record: that of `run.json`.
        indent: text before each line.
    """
    names = ["n", "loss", *ON_TERMINAL]
    rows = [["", *names]]
    notes = []
    for split in ("train", "validation", "test", "data"):
        values = metrics.get(split)
        if values is not None:
            rows.append([split, *(number(values.get(name)) for name in names)])
            notes += [
                one_line(f"{indent}{split} {key.removesuffix('_reason')}: {reason}")
                for key, reason in values.items()
                if key.endswith("_reason")
            ]
    said = [f"{indent}{one_line(note)}" for note in metrics_notes(metrics, record)]
    return "\n".join([aligned(rows, indent=indent), *said, *notes])


def first_names(values: Iterable[str]) -> list[str]:
    """The names of the parameters that a table on the terminal shows: the first `MOST_PARAMETERS`."""
    return list(itertools.islice(values, MOST_PARAMETERS))


def left_out(more: int, indent: str = "", where: str = "metrics.json") -> list[str]:
    """The line below a table that does not show all of its rows."""
    return [f"{indent}... and {more:,} more; {where} has them all"] if more > 0 else []


def cross_validation_lines(metrics: dict[str, Any], *, indent: str = "") -> list[str]:
    """A line with mean and standard deviation over the folds, and reasons; empty without cross-validation."""
    found = metrics.get("cross_validation")
    if not found:
        return []
    parts = []
    for name in ON_TERMINAL:
        summary = found[name]
        shown = f"{number(summary['mean'])} +- {number(summary['std'])}" if summary else "-"
        parts.append(f"{name} {shown}")
    reasons = dict.fromkeys(reason for key, reason in found.items() if key.endswith("_reason"))
    return [
        f"{indent}{found['folds']} folds: {', '.join(parts)}",
        *(one_line(f"{indent}{reason}") for reason in reasons),
    ]

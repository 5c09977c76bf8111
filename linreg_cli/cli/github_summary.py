"""The summary of a run in Markdown, for the page of a job: appended to the file that `GITHUB_STEP_SUMMARY` names."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from linreg_cli.cli import output
from linreg_cli.errors import LinregError
from linreg_cli.paths import expanded
from linreg_cli.wording import ON_TERMINAL, number, one_line, plural

if TYPE_CHECKING:
    from linreg_cli.gates import GateResult

VARIABLE = "GITHUB_STEP_SUMMARY"
#: Rows of a table and warnings that are shown; GitHub shows at most 1 MiB.
_MOST = 30


def append_run(
    run: str,
    metrics: dict[str, Any],
    record: dict[str, Any],
    gates: "Sequence[GateResult]",
) -> None:
    """Append the metrics, gates, coefficients and warnings of a run, where the variable is set.

    Args:
        run: its id.
        metrics: `metrics.json`, or those of another table.
        record: `run.json`.
        gates: the results.
    """
    if not os.environ.get(VARIABLE, "").strip():
        return
    failed = sum(not gate.passed for gate in gates)
    passed = f"{plural(len(gates), 'gate')} passed" if gates else ""
    verdict = f"**{failed} of {plural(len(gates), 'gate')} failed**" if failed else passed
    warnings = [each["message"] for each in record.get("warnings") or [] if isinstance(each, dict)]
    parts = [f"### linreg: {_text(run)}", verdict, _gates(gates), _metrics(metrics), _coefficients(metrics, record)]
    _append([*parts, _list("Warnings", warnings)])


@contextlib.contextmanager
def recording_failure(command: str) -> Iterator[None]:
    """A context; if it ends with a user error, that is appended, and raised again.

    Args:
        command: its name.
    """
    try:
        yield
    except LinregError as error:
        _append([f"### linreg {command}: failed", _list("", [str(fault) for fault in error.faults])])
        raise


def _append(parts: Sequence[str]) -> None:
    """Append paragraphs to the file; that it cannot be written is a warning."""
    path = os.environ.get(VARIABLE, "").strip()
    if not path:
        return
    text = "\n\n".join(part for part in parts if part) + "\n\n"
    try:  # a pipe that nobody reads is an error and no wait
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(expanded(path), flags, 0o666)
        with open(descriptor, "ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except (OSError, LinregError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        output.warn(f"the summary cannot be written to {VARIABLE}={path}: {reason}")


def _metrics(metrics: dict[str, Any]) -> str:
    names = ["n", "loss", *ON_TERMINAL]
    rows = [["split", *names]]
    for split in ("train", "validation", "test", "data"):
        if metrics.get(split) is not None:
            rows.append([split, *(number(metrics[split].get(name)) for name in names)])
    return _table(rows)


def _gates(gates: "Sequence[GateResult]") -> str:
    rows = [["gate", "result", "measured", "against"]]
    for gate in gates:
        result = "passed" if gate.passed else "**failed**"
        reason = gate.reason if gate.measured is None else number(gate.measured)
        rows.append([_text(gate.gate), result, _text(reason), _text(gate.against)])
    return _table(rows) if len(rows) > 1 else ""


def _coefficients(metrics: dict[str, Any], record: dict[str, Any]) -> str:
    """The table of each target that the terminal and the report have, shortened."""
    from linreg_cli.evaluation.coefficients import coefficient_tables, errors_in_words, shown_columns

    targets = (record.get("data") or {}).get("targets") or []
    parts = []
    for table in coefficient_tables(metrics, targets) if metrics.get("parameters") else ():
        rows = table.first(_MOST)
        columns = shown_columns(table, rows)
        names = ["(bias)" if row.is_bias else _text(row.name) for row in rows]
        cells = [[names[at], *(column[at] for column in columns.values())] for at in range(len(rows))]
        hidden = len(table.rows) - len(rows)
        about = f", {errors_in_words(table)}" if table.of is not None else ""
        parts += [f"**{_text(table.target)}**{about}", _table([["term", *columns], *cells])]
        parts += [f"... and {hidden:,} more"] if hidden else []
    return "\n\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    marks = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *body))


def _list(title: str, messages: Sequence[str]) -> str:
    more = [f"- ... and {len(messages) - _MOST:,} more"] if len(messages) > _MOST else []
    lines = [f"- {_text(message)}" for message in messages[:_MOST]]
    return "\n".join([*([f"**{title}**", ""] if title and lines else []), *lines, *more])


def _text(text: str) -> str:
    r"""Text that Markdown shows as it is, also in a table.

    >>> _text("city=<New|York>_*")
    'city=\\<New\\|York\\>\\_\\*'
    """
    return re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", one_line(text))

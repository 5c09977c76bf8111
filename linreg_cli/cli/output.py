"""Results on stdout, errors on stderr."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from linreg_cli.errors import Fault
from linreg_cli.wording import number, one_line


def print_json(values: Any) -> None:
    """Exactly one JSON object."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal that cannot show it, or the name of a file that is not UTF-8
        text = json.dumps(values, indent=2, allow_nan=False, default=str)
    print(text)


def show_error(kind: str, faults: Sequence[Fault], *, as_json: bool, result: dict[str, Any] | None = None) -> None:
    """One `error:` line a fault on stderr, with its source line below; with `--json` also the object on stdout.

    Args:
        kind: of the error.
        faults: what is wrong.
        as_json: whether stdout carries JSON.
        result: what the command would have printed, when there is a result in spite of the error.
    """
    for fault in faults:
        print(f"error: {one_line(str(fault))}", file=sys.stderr)
        if fault.excerpt:
            print("\n".join(f"    {line}" for line in fault.excerpt.splitlines()), file=sys.stderr)
    if as_json:
        error: dict[str, Any] = {
            "kind": kind,
            "message": "\n".join(fault.message for fault in faults),
            "where": faults[0].where if faults else None,
        }
        if len(faults) > 1:
            error["faults"] = [{"message": fault.message, "where": fault.where} for fault in faults]
        print_json({**(result or {}), "error": error})


def columns(rows: Sequence[Sequence[str]], *, left: int = 1, indent: str = "") -> str:
    """Rows of text in aligned columns; the first `left` columns to the left, the others to the right."""
    widths = [max(len(row[position]) for row in rows) for position in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if position < left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def metrics_table(metrics: dict[str, Any], *, indent: str = "") -> str:
    """The metrics of each split, a line a split."""
    names = ["n", "loss", "rmse", "mae", "r2"]
    rows = [["", *names]]
    notes = []
    for split in ("train", "validation", "test", "data"):
        values = metrics.get(split)
        if values is not None:
            rows.append([split, *(number(values.get(name)) for name in names)])
            notes += [
                f"{indent}{split} {key.removesuffix('_reason')}: {reason}"
                for key, reason in values.items()
                if key.endswith("_reason")
            ]
    return "\n".join([columns(rows, indent=indent), *notes])


def parameters_table(parameters: dict[str, Any], *, indent: str = "") -> str:
    """Weights and bias in original units; a column a target."""
    weights, bias = parameters["weights"], parameters["bias"]
    if isinstance(bias, dict):
        targets = list(weights)
        rows = [["", *targets]] + [
            [name, *(number(weights[target][name]) for target in targets)] for name in weights[targets[0]]
        ]
        rows += [["(bias)", *(number(bias[target]) for target in targets)]] if bias[targets[0]] is not None else []
        return columns(rows, indent=indent)
    rows = [[name, number(value)] for name, value in weights.items()]
    rows += [["(bias)", number(bias)]] if bias is not None else []
    return columns(rows, indent=indent)


def cross_validation_lines(metrics: dict[str, Any], *, indent: str = "") -> list[str]:
    """Mean and spread over the folds, a line; nothing where there was no cross-validation."""
    found = metrics.get("cross_validation")
    if not found:
        return []
    parts = []
    for name in ("rmse", "mae", "r2"):
        summary = found[name]
        shown = f"{number(summary['mean'])} +- {number(summary['std'])}" if summary else "-"
        parts.append(f"{name} {shown}")
    reasons = dict.fromkeys(reason for key, reason in found.items() if key.endswith("_reason"))
    return [f"{indent}{found['folds']} folds: {', '.join(parts)}", *(f"{indent}{reason}" for reason in reasons)]

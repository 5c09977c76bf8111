"""Metrics of other runs on the right side of gates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from linreg_cli.errors import LinregError
from linreg_cli.findings import counts
from linreg_cli.gates import Reference, ReferenceValue, parse_comparison
from linreg_cli.metric_paths import Missing, metric_at, parse_path
from linreg_cli.runs.find import find_run


def of_record(record: dict[str, Any]) -> dict[str, Any]:
    """What gates can name besides `metrics.json`: the seconds of a run and its number of warnings of each kind.

    Args:
        record: `run.json`.
    """
    kinds = [each["kind"] for each in record.get("warnings") or [] if isinstance(each, dict) and "kind" in each]
    return {"seconds": record.get("seconds"), "warnings": counts(kinds)}


def references_of(
    expressions: Sequence[str], outputs: Path, known: Mapping[str, ReferenceValue] | None = None
) -> tuple[dict[str, ReferenceValue], list[tuple[int, str]]]:
    """The metrics of other runs that conditions name.

    Args:
        expressions: conditions; one that is none is passed over.
        outputs: the folder of the run folders.
        known: those that were looked up before, which stay as they were.

    Returns:
        `str(reference)` -> its value; and (position in `expressions`, what is wrong) for each that has none.
    """
    found = dict(known or {})
    faults: list[tuple[int, str]] = []
    for position, expression in enumerate(expressions):
        try:
            reference = parse_comparison(expression).reference
        except ValueError:
            continue
        if reference is None or str(reference) in found:
            continue
        try:
            found[str(reference)] = _value(reference, outputs)
        except LinregError as error:
            faults += [(position, f"{reference}: {fault.message}") for fault in error.faults]
        except ValueError as error:
            faults.append((position, f"{reference}: {error}"))
    return found, faults


def as_json(references: Mapping[str, ReferenceValue]) -> dict[str, dict[str, Any]]:
    """For `run.json`.

    >>> as_json({"run(prod).test.r2": ReferenceValue("prod-0007", 0.9)})
    {'run(prod).test.r2': {'run': 'prod-0007', 'value': 0.9}}
    """
    return {text: asdict(value) for text, value in references.items()}


def _value(reference: Reference, outputs: Path) -> ReferenceValue:
    """Look up one metric.

    Raises:
        StoreError: if there is no such run, or it is damaged or has no metrics.
        ValueError: if it has no such metric, or no finite one.
    """
    run = find_run(outputs, reference.run)
    metrics = {**run.read_json("metrics.json"), **of_record(run.record())}
    value = metric_at(metrics, parse_path(reference.metric))
    if isinstance(value, Missing):
        raise ValueError(f"in {run.id}, {value.why(reference.metric)}")
    if not math.isfinite(value):
        raise ValueError(f"in {run.id}, {reference.metric} is {value}")
    return ReferenceValue(run.id, float(value))

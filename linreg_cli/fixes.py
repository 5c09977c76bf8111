"""Several changes of a config that together make a table usable, as settings and as lines to paste."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linreg_cli.remedies import LONGEST_KEY, dated, exceptions, flow, given, setting, without


@dataclass(frozen=True)
class Step:
    """One of the changes of a config that together make a table usable.

    Attributes:
        key: `ignore` (leave a column out), `days` (take it as a date), `categorical` or `missing` (of a column),
            `missing_values` or `unknown`.
        value: of the key; of `missing_values` a mark more. `ignore` and `days` have none.
        column: that it is about, or None.
    """

    key: str
    value: str | None = None
    column: str | None = None


def together(steps: Sequence[Step]) -> dict[str, Any]:
    """The settings of several changes: dotted key -> value, with what the config has already.

    What is an error for all columns is changed for all, unless the config has an exception for the column.

    >>> together([Step("missing", "level", "x"), Step("missing", "drop", "y"), Step("ignore", column="id")])
    {'data.ignore': ['id'], 'preprocess.missing': 'level', 'preprocess.columns': {'y': {'missing': 'drop'}}}
    """
    out = dict[str, Any]()
    columns = dict(given("preprocess.columns", {}))
    marks = [step.value for step in steps if step.key == "missing_values"]
    days = {f"days({step.column})": step.column for step in steps if step.key == "days" and step.column is not None}
    ignored = [days.pop(each, each) for each in (step.column for step in steps if step.key == "ignore") if each]
    if ignored:
        out |= without(*ignored)
    if days:
        out["data.features"] = dated(out.get("data.features", given("data.features", None)), [*days.values()])
    for step in steps:
        if step.key in ("categorical", "missing") and step.column is not None:
            general = f"preprocess.{step.key}"
            exception = step.key in exceptions(step.column) or given(general, "error") != "error"
            if exception or step.value == "drop":  # for all columns it would drop many rows
                columns[step.column] = {**columns.get(step.column, {}), step.key: step.value}
            else:
                out[general] = step.value
        elif step.key == "unknown":
            out["preprocess.unknown"] = step.value
    if marks:
        out["preprocess.missing_values"] = [*dict.fromkeys([*given("preprocess.missing_values", ()), *marks])]
    return out if columns == given("preprocess.columns", {}) else {**out, "preprocess.columns": columns}


def block(settings: Mapping[str, Any]) -> str:
    """Settings as lines of a config, section by section.

    >>> print(block({"data.ignore": ["id"], "preprocess.columns": {"a b": {"missing": "drop"}, "c": {}}}))
    data:
      ignore: [id]
    preprocess:
      columns:
        'a b': {missing: drop}
        c: {}
    """
    lines: list[str] = []
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if f"{section}:" not in lines:
            lines.append(f"{section}:")
        long = isinstance(value, Mapping) and any(len(each) > LONGEST_KEY for each in value)
        if isinstance(value, Mapping) and len(value) > 1 and not long:
            lines += [f"  {name}:", *(f"    {flow({each: own})[1:-1]}" for each, own in value.items())]
        else:
            lines.append(f"  {setting(name, value)}")
    return "\n".join(lines)

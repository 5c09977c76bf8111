"""The inputs of the model that one column of a table becomes, and how `preprocess.json` holds them."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from linreg_cli.config.preprocess import FILLS, Missing
from linreg_cli.data.columns.kinds import MISSING, UNKNOWN, Categories, Codes
from linreg_cli.data.encoding.levels import matches

KINDS = ("text", "boolean", "number")
MISSING_WAYS = get_args(Missing)


@dataclass(frozen=True)
class NumberInput:
    """A column of numbers, which is one input.

    Attributes:
        column: its name.
        missing: what is done with a missing cell: `error`, `drop`, `mean` or `median`.
        fill: the value of a missing cell, in original units; None if it is not filled in.
    """

    column: str
    missing: str = "error"
    fill: float | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.column,)

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        return {"column": self.column, "kind": "number", "missing": self.missing, "fill": self.fill}


@dataclass(frozen=True)
class CategoryInput:
    """A category, encoded as one indicator for each level, with or without the reference level.

    Attributes:
        column: its name.
        kind: `text`, `boolean` or `number`: when a cell is one of the levels; see `levels.matches`.
        levels: levels of the train split, in order.
        drop_first: whether the first level is the reference level, without an indicator.
        missing: what is done with a missing cell: `error` or `drop`.
        unknown: what is done with a level that is not in `levels`: `error` or `ignore`.
    """

    column: str
    kind: str
    levels: tuple[str, ...]
    drop_first: bool
    missing: str
    unknown: str

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs: `column=level`."""
        return tuple(f"{self.column}={level}" for level in self.levels[self.drop_first :])

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        return {
            "column": self.column,
            "kind": "category",
            "of": self.kind,
            "levels": list(self.levels),
            "drop_first": self.drop_first,
            "missing": self.missing,
            "unknown": self.unknown,
        }

    @property
    def ignores_gaps(self) -> bool:
        """Whether a missing cell is none of the levels once a model was trained, as for scikit-learn's encoder."""
        return self.unknown == "ignore" and self.missing != "drop"

    def codes(self, raw: Categories) -> Codes:
        """The position in `levels` of each cell, shape (n_samples,), int32; or `MISSING`, or `UNKNOWN`."""
        found = matches(raw.levels, raw.kind, self.levels, self.kind)
        lookup = [UNKNOWN if code is None else code for code in found]
        return np.array([*lookup, MISSING], dtype=np.int32)[raw.codes]


Input = NumberInput | CategoryInput


def input_from_json(entry: dict[str, Any]) -> Input:
    """The inverse of `as_json` of an input.

    Raises:
        ValueError, KeyError, TypeError: if the entry is not what `as_json` writes.
    """
    if entry["missing"] not in MISSING_WAYS or entry["kind"] not in ("number", "category"):
        raise ValueError(f"unknown input {entry['kind']}, {entry['missing']}")
    if entry["kind"] == "number":
        fill = None if entry["fill"] is None else float(entry["fill"])
        if (fill is None) == (entry["missing"] in FILLS) or not np.isfinite(fill or 0.0):
            raise ValueError(f"a fill of {fill} for {entry['missing']}")
        return NumberInput(str(entry["column"]), entry["missing"], fill)
    levels = tuple(str(level) for level in entry["levels"])
    if entry["of"] not in KINDS or not isinstance(entry["drop_first"], bool) or len(set(levels)) != len(levels):
        raise ValueError("duplicate levels, or an unknown kind")
    if entry["unknown"] not in ("error", "ignore"):
        raise ValueError(f"unknown: {entry['unknown']}")
    return CategoryInput(
        str(entry["column"]), entry["of"], levels, entry["drop_first"], entry["missing"], entry["unknown"]
    )

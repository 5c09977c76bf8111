"""The inputs of the model that one column of a table becomes, and how `preprocess.json` holds them."""

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from linreg_cli.config.preprocess import FILLS, Missing
from linreg_cli.data.columns.kinds import MISSING, UNKNOWN, Categories, Recoded
from linreg_cli.data.encoding.levels import MISSING_LEVEL, matches

KINDS = ("text", "boolean", "number")
MISSING_WAYS = get_args(Missing)


@dataclass(frozen=True)
class NumberInput:
    """A column of numbers, which is one input, or two where `(missing)` is a level.

    Attributes:
        column: its name.
        missing: what is done with a missing cell: `error`, `drop`, `mean`, `median` or `level`.
        fill: the value of a missing cell, in original units; None if it is not filled in.
        indicator: whether there is an indicator of missing cells: with `level`, if the train split has some.
        gaps_of: the earlier column whose indicator stands for these missing cells too; see `shared_gaps`.
    """

    column: str
    missing: str = "error"
    fill: float | None = None
    indicator: bool = False
    gaps_of: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs: the column, then `column=(missing)` if there is an indicator."""
        return (self.column, *filter(None, [self.of_gaps]))

    @property
    def of_gaps(self) -> str | None:
        """The name of the indicator of missing cells, if there is one."""
        return f"{self.column}={MISSING_LEVEL}" if self.indicator else None

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        values = {"column": self.column, "kind": "number", "missing": self.missing, "fill": self.fill}
        return {**values, "indicator": self.indicator, **_shared(self)} if self.missing == "level" else values

    def sharing(self, column: str) -> "NumberInput":
        """The same without an indicator of its own: that of an earlier column stands for its missing cells too."""
        return replace(self, indicator=False, gaps_of=column)


@dataclass(frozen=True)
class CategoryInput:
    """A category, encoded as one indicator for each level, with or without the reference level.

    Attributes:
        column: its name.
        kind: `text`, `boolean` or `number`: when a cell is one of the levels; see `levels.matches`.
        levels: levels of the train split, in order; `(missing)` is the last one if missing cells are a level.
        drop_first: whether the first level is the reference level, without an indicator.
        missing: what is done with a missing cell: `error`, `drop` or `level`.
        unknown: what is done with a level that is not in `levels`: `error` or `ignore`.
        gaps_are_level: whether missing cells are a level: with `missing: level`, if the train split has some.
        gaps_of: the earlier column whose indicator stands for these missing cells too; see `shared_gaps`.
    """

    column: str
    kind: str
    levels: tuple[str, ...]
    drop_first: bool
    missing: str
    unknown: str
    gaps_are_level: bool = False
    gaps_of: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs: `column=level`."""
        return tuple(f"{self.column}={level}" for level in self.levels[self.drop_first :])

    def as_json(self) -> dict[str, Any]:
        """For `preprocess.json`."""
        values = {
            "column": self.column,
            "kind": "category",
            "of": self.kind,
            "levels": list(self.levels),
            "drop_first": self.drop_first,
            "missing": self.missing,
            "unknown": self.unknown,
        }
        return {**values, "gaps_are_level": self.gaps_are_level, **_shared(self)} if self.missing == "level" else values

    def sharing(self, column: str) -> "CategoryInput":
        """The same without a level of missing cells: the indicator of an earlier column stands for them too."""
        return replace(self, levels=self.own_levels, gaps_are_level=False, gaps_of=column)

    @property
    def of_gaps(self) -> str | None:
        """The name of the indicator of missing cells, if there is one."""
        return f"{self.column}={MISSING_LEVEL}" if self.gaps_are_level else None

    @property
    def own_levels(self) -> tuple[str, ...]:
        """The levels that cells have, without that of missing cells."""
        return self.levels[:-1] if self.gaps_are_level else self.levels

    @property
    def ignores_gaps(self) -> bool:
        """Whether a missing cell is none of the levels once a model was trained, as for scikit-learn's encoder."""
        return self.unknown == "ignore" and self.missing != "drop" and not self.gaps_are_level and not self.gaps_of

    def codes(self, raw: Categories) -> Recoded:
        """The position in `levels` of each cell, shape (n_samples,), int32; or `MISSING`, or `UNKNOWN`.

        With `missing: level`, a missing cell has the last level, or is unknown if the train split has no such cell.
        Where an earlier column's indicator stands for it, it has no indicator, as the reference level has none.
        """
        found = matches(raw.levels, raw.kind, self.levels, self.kind)
        lookup = [UNKNOWN if code is None else code for code in found]
        gap = MISSING if self.missing != "level" else len(self.levels) - 1 if self.gaps_are_level else UNKNOWN
        gap = 0 if self.gaps_of is not None else gap
        return Recoded(raw.codes, np.array([*lookup, gap], dtype=np.int32))


Input = NumberInput | CategoryInput


def input_from_json(entry: dict[str, Any]) -> Input:
    """The inverse of `as_json` of an input.

    Raises:
        ValueError, KeyError, TypeError: if the entry is not what `as_json` writes.
    """
    if entry["missing"] not in MISSING_WAYS or entry["kind"] not in ("number", "category"):
        raise ValueError(f"unknown input {entry['kind']}, {entry['missing']}")
    column, missing = str(entry["column"]), entry["missing"]
    if entry["kind"] == "number":
        fill = None if entry["fill"] is None else float(entry["fill"])
        if (fill is None) == (missing in FILLS) or not np.isfinite(fill or 0.0):
            raise ValueError(f"a fill of {fill} for {missing}")
        return NumberInput(column, missing, fill, missing == "level" and _truth(entry["indicator"]), _gaps_of(entry))
    levels = tuple(str(level) for level in entry["levels"])
    if entry["of"] not in KINDS or len(set(levels)) != len(levels):
        raise ValueError("duplicate levels, or an unknown kind")
    if entry["unknown"] not in ("error", "ignore"):
        raise ValueError(f"unknown: {entry['unknown']}")
    gaps_are_level = missing == "level" and _truth(entry["gaps_are_level"])
    if gaps_are_level and levels[-1:] != (MISSING_LEVEL,):
        raise ValueError(f"the last level is not {MISSING_LEVEL}")
    drop_first, gaps_of = _truth(entry["drop_first"]), _gaps_of(entry)
    if gaps_of is not None and not drop_first:
        raise ValueError("missing cells have no indicator, and there is no reference level")
    return CategoryInput(column, entry["of"], levels, drop_first, missing, entry["unknown"], gaps_are_level, gaps_of)


def _shared(given: Input) -> dict[str, Any]:
    return {} if given.gaps_of is None else {"gaps_of": given.gaps_of}


def _gaps_of(entry: dict[str, Any]) -> str | None:
    """The column whose indicator stands for the missing cells of another."""
    if "gaps_of" not in entry:
        return None
    has_own = entry.get("indicator") or entry.get("gaps_are_level")
    if not isinstance(entry["gaps_of"], str) or has_own or entry["missing"] != "level":
        raise ValueError(f"missing cells that are those of {entry['gaps_of']!r}")
    return str(entry["gaps_of"])


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value} is not true or false")
    return value

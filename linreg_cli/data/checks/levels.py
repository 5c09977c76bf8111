"""Levels of categories that may not be what they seem: placeholders, and levels that look the same."""

from collections.abc import Iterator

import numpy as np

from linreg_cli.data.columns.kinds import Categories
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.encode import CategoryInput
from linreg_cli.data.encoding.levels import value_of
from linreg_cli.data.encoding.placeholders import is_placeholder
from linreg_cli.findings import Finding
from linreg_cli.remedies import also_missing, quoted


def placeholders(dataset: Dataset, marks: tuple[str, ...]) -> Iterator[Finding]:
    """A warning for each category with levels such as NULL or #N/A, which stand for a missing cell in many files.

    Args:
        dataset: a table, encoded.
        marks: cells that mean 'missing' already.
    """
    for each in dataset.inputs:
        raw = (dataset.raw or {}).get(each.column)
        if not (isinstance(each, CategoryInput) and isinstance(raw, Categories)):
            continue
        words = [level for level in each.levels if value_of(level) is None]
        numbers = len(words) < len(each.levels)
        among_numbers = numbers and all(is_placeholder(word, among_numbers=True) for word in words)
        found = [word for word in words if is_placeholder(word, among_numbers=among_numbers)]
        if found:
            counts = [int(np.sum(raw.codes == raw.levels.index(level))) for level in found if level in raw.levels]
            cells = ", ".join(f"{quoted(level)} ({n:,} cells)" for level, n in zip(found, counts, strict=False))
            levels = "a level" if len(found) == 1 else "levels"
            remedy = also_missing(found[-1], each.column, [*marks, *found[:-1]])
            yield Finding("placeholder", f"{each.column} has {levels} {cells}; if it means 'missing', set {remedy}")

"""Levels of categories that may not be what they seem: placeholders, and levels that look the same."""

from collections.abc import Iterable, Iterator

import numpy as np

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.data.columns.kinds import Categories, Codes, blocks_of_codes
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.encoding.levels import value_of
from linreg_cli.data.encoding.placeholders import is_placeholder
from linreg_cli.findings import Finding
from linreg_cli.lookalike import appearance, difference
from linreg_cli.remedies import also_missing, quoted


def placeholders(dataset: Dataset, marks: tuple[str, ...]) -> Iterator[Finding]:
    """A warning for each category with levels such as NULL or #N/A, which stand for a missing cell in many files.

    Args:
        dataset: a table, encoded.
        marks: cells that mean 'missing' already. Those of the default that are not among them were left out, so that
            they are levels.
    """
    kept = {mark for mark in PreprocessConfig().missing_values if mark not in marks}
    for each in dataset.plain_inputs:
        raw = (dataset.raw or {}).get(each.column)
        if not (isinstance(each, CategoryInput) and isinstance(raw, Categories)):
            continue
        words = [level for level in each.own_levels if value_of(level) is None]
        numbers = len(words) < len(each.own_levels)
        among_numbers = numbers and all(is_placeholder(word, among_numbers=True) for word in words)
        found = [word for word in words if word not in kept and is_placeholder(word, among_numbers=among_numbers)]
        if found:
            counts = [_count(raw.codes, raw.levels.index(level)) for level in found if level in raw.levels]
            cells = ", ".join(f"{quoted(level)} ({n:,} cells)" for level, n in zip(found, counts, strict=False))
            levels = "a level" if len(found) == 1 else "levels"
            remedy = also_missing(found[-1], each.column, [*marks, *found[:-1]])
            yield Finding("placeholder", f"{each.column} has {levels} {cells}; if it means 'missing', set {remedy}")


def _count(codes: Codes, code: int) -> int:
    return sum(int(np.count_nonzero(part == code)) for _, part in blocks_of_codes(codes))


def lookalikes(dataset: Dataset) -> Iterator[Finding]:
    """A warning for names of columns, and for levels of one category, that look the same and are not."""
    names = [*(each.column for each in dataset.plain_inputs), *dataset.targets]
    for one, other in _pairs(names):
        yield Finding("lookalike", f"two columns look the same and are not: {difference(one, other)}; rename one")
    for each in dataset.plain_inputs:
        if isinstance(each, CategoryInput):
            for one, other in _pairs(each.levels):
                message = f"{each.column} has two levels that look the same and are not: {difference(one, other)}"
                yield Finding("lookalike", f"{message}; if they are one level, write them alike")


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of texts that look the same, the unusual one first."""
    first: dict[str, str] = {}
    for text in texts:
        other = first.setdefault(appearance(text), text)
        if other != text and not (other.isascii() and text.isascii()):
            yield (text, other) if other.isascii() else (other, text)

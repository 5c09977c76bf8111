"""What is suspicious about the columns of a table, in words: found in a sample of rows, confirmed in all of them."""

import hashlib
from collections.abc import Collection, Iterator

import numpy as np

from linreg_cli.data.checks.leaks import MIN_ROWS, identifiers, leaks
from linreg_cli.data.checks.wording import equal, listed
from linreg_cli.data.columns.kinds import Column, Rows, take
from linreg_cli.data.columns.rows import in_order, pick
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.encode import CategoryInput

SAMPLE_ROWS, _RUN = 10_000, 250
_SHOWN = 10


def warnings(dataset: Dataset, *, bias: bool) -> tuple[str, ...]:
    """Constant and duplicate inputs, identifiers, and features that determine the target.

    Inputs that are combinations of others are found by the factor of the train split, before training.

    Args:
        dataset: a table, split and encoded; only its train split is looked at.
        bias: whether the model has an intercept, which duplicates a constant.
    """
    rows = in_order(dataset.splits["train"])
    n_train = len(dataset.splits["train"])
    sample = pick(rows, _sample(n_train))
    constant, doubled = _screened(dataset, sample, rows)
    found = [
        f"{target}: one value in every row to train on, so R2 is undefined and there is nothing to learn"
        for target in dataset.targets
        if _is_constant(dataset, target, take(dataset.columns, target, sample), rows)
    ]
    found += _flat(dataset, constant)
    column_of = {feature: each.column for each in dataset.inputs for feature in each.features}
    found += equal(doubled.items(), column_of)
    whole = _whole_sets(dataset, bias=bias)
    why = "which the bias duplicates" if bias else "as another category has"
    found += [
        f"every level of {column} has an input of its own, {why}; set preprocess.drop_first: auto" for column in whole
    ]
    if n_train >= MIN_ROWS:
        found += identifiers(dataset, sample)
        found += leaks(dataset, sample)
    return tuple(found[:_SHOWN]) + ((f"and {len(found) - _SHOWN} more such findings",) if len(found) > _SHOWN else ())


def _flat(dataset: Dataset, constant: Collection[str]) -> Iterator[str]:
    """Columns of one number or one level, of which the first has no input where it is dropped."""
    names = [
        each.column
        for each in dataset.inputs
        if (len(each.levels) == 1 if isinstance(each, CategoryInput) else each.column in constant)
    ]
    if names:
        remedy = "leave out with data.ignore" if len(names) < len(dataset.inputs) else "there is nothing to learn from"
        yield f"{listed(names)}: one value in every row to train on; {remedy}"


def _sample(n_rows: int) -> Rows:
    """Positions of at most `SAMPLE_ROWS` rows: runs of neighbours, which are read at once, all over the table."""
    if n_rows <= SAMPLE_ROWS:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _RUN, SAMPLE_ROWS // _RUN).astype(np.int64)
    return (starts[:, None] + np.arange(_RUN)).reshape(-1)


def _is_constant(dataset: Dataset, name: str, sample: Column, rows: Rows | slice) -> bool:
    if sample.min() != sample.max():
        return False
    values = take(dataset.columns, name, rows)
    return bool(values.min() == values.max())


def _screened(dataset: Dataset, sample: Rows, rows: Rows | slice) -> tuple[set[str], dict[str, str]]:
    """Inputs of one value, and those that equal another: input -> the first such one."""
    constant: set[str] = set()
    doubled: dict[str, str] = {}
    first: dict[bytes, str] = {}  # digests: the samples of thousands of inputs would be hundreds of megabytes
    for name in dataset.features:
        values = take(dataset.columns, name, sample)
        if _is_constant(dataset, name, values, rows):
            constant.add(name)
            continue
        other = first.setdefault(hashlib.blake2b((values + 0.0).tobytes()).digest(), name)  # -0.0 + 0.0 is 0.0
        if other != name and np.array_equal(take(dataset.columns, name, rows), take(dataset.columns, other, rows)):
            doubled[name] = other
    return constant, doubled


def _whole_sets(dataset: Dataset, *, bias: bool) -> dict[str, tuple[str, ...]]:
    """Categories whose indicators add up to 1, as the bias or those of a category before them do."""
    inputs = dataset.encoder.inputs if dataset.encoder is not None else ()
    whole = [
        each for each in inputs if isinstance(each, CategoryInput) and not each.drop_first and len(each.levels) > 1
    ]
    return {each.column: each.levels for each in whole[not bias :]}

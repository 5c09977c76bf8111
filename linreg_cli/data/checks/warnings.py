"""Warnings about the columns of a table: found in a sample of the rows, confirmed in all of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from linreg_cli.data.checks.combinations import combinations
from linreg_cli.data.checks.duplicate_rows import duplicate_rows
from linreg_cli.data.checks.effective_rows import few_effective_rows
from linreg_cli.data.checks.leaks import MIN_ROWS, identifiers, leaks
from linreg_cli.data.checks.thousands import thousands
from linreg_cli.data.checks.wording import equal, listed
from linreg_cli.data.columns.fetched import at_hand
from linreg_cli.data.columns.kinds import Column, Rows, take
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.columns.rows import in_order, pick, row_blocks
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.tables.text_format import AsText
from linreg_cli.findings import Finding
from linreg_cli.remedies import leave_out, setting

SAMPLE_ROWS, _RUN_ROWS = 10_000, 250


def warnings(dataset: Dataset, *, bias: bool, source: AsText | None = None) -> tuple[Finding, ...]:
    """Constant and duplicate inputs, identifiers, features that determine the target, and rows of several splits.

    Linear combinations are found later, from the factor of the train split.

    Args:
        dataset: a table, split and encoded; its train split is checked, and rows of others that are in it, too.
        bias: whether the model has an intercept, which is collinear with a constant column.
        source: the cells of a text file as text.
    """
    n_train = len(dataset.splits["train"])
    sample = pick(in_order(dataset.splits["train"]), _sample(n_train))
    with at_hand(dataset.columns_read, sample):
        return tuple(_found(dataset, sample, n_train, source, bias=bias))


def _found(dataset: Dataset, sample: RowArray, n_train: int, source: AsText | None, *, bias: bool) -> Sequence[Finding]:
    """As `warnings`, with the train rows that are looked at first, and the number of all."""
    constant, duplicates = _constants_and_duplicates(dataset, sample)
    found = [
        Finding(
            "constant_target",
            f"{target} is constant in the train split: R2 is undefined, and there is nothing to learn",
        )
        for target in dataset.targets
        if _is_constant(dataset, target, take(dataset.columns, target, sample))
    ]
    found += _constant_warning(dataset, constant, bias=bias)
    column_of = {feature: each.column for each in dataset.inputs for feature in each.features}
    found += [Finding("duplicate", text) for text in equal(list(duplicates.items()), column_of)]
    complete = _complete_categories(dataset, bias=bias)
    other = "the bias" if bias else "those of another category"
    found += [
        Finding(
            "collinear",
            f"the indicators of {column} are collinear with {other}: every level has one; "
            f"set {setting('preprocess.drop_first', 'auto')}",
        )
        for column in complete
    ]
    found += thousands(dataset, source, sample)
    found += few_effective_rows(dataset)
    if n_train >= MIN_ROWS:
        found += identifiers(dataset, sample)
        found += leaks(dataset, sample)
        found += combinations(dataset, sample)
        found += duplicate_rows(dataset)
    return found


def _constant_warning(dataset: Dataset, constant: Mapping[str, float], *, bias: bool) -> Iterator[Finding]:
    """A warning for constant columns: those of one number or one level.

    Without an intercept only those of zeros: another one stands for the intercept.
    """
    idle = {name for name, value in constant.items() if bias or not value}
    names = [
        each.column
        for each in dataset.inputs
        if (not isinstance(each, CategoryInput) or len(each.levels) == 1) and idle.issuperset(each.features)
    ]
    if names:
        verb = "is a constant column" if len(names) == 1 else "are constant columns"
        all_of_them = len(names) == len(dataset.inputs)
        remedy = "there is nothing to learn from" if all_of_them else f"leave out with {leave_out(*names)}"
        yield Finding("constant", f"{listed(names)} {verb} in the train split; {remedy}")


def _sample(n_rows: int) -> RowArray:
    """Positions of at most `SAMPLE_ROWS` rows: runs of adjacent rows, evenly spaced over the table."""
    if n_rows <= SAMPLE_ROWS:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _RUN_ROWS, SAMPLE_ROWS // _RUN_ROWS).astype(np.int64)
    return (starts[:, None] + np.arange(_RUN_ROWS)).reshape(-1)


def _is_constant(dataset: Dataset, name: str, sample: Column) -> bool:
    return bool(sample.min() == sample.max()) and _are_equal(dataset, name, float(sample[0]))


def _are_equal(dataset: Dataset, name: str, other: str | float) -> bool:
    """Whether a column equals another one, or one number, in the train rows."""
    return all(dataset.of_parts(_are_equal_in_part, name, other))


def _are_equal_in_part(dataset: Dataset, first: int, last: int, name: str, other: str | float) -> bool:
    for _, block in row_blocks(dataset.rows_of("train", first, last), dataset.n_samples):
        values = take(dataset.columns, name, block)
        if not (values == (take(dataset.columns, other, block) if isinstance(other, str) else other)).all():
            return False
    return True


def _constants_and_duplicates(dataset: Dataset, sample: Rows) -> tuple[dict[str, float], dict[str, str]]:
    """Constant inputs -> their value, and duplicates: input -> the first input that it equals."""
    constant: dict[str, float] = {}
    duplicates: dict[str, str] = {}
    first: dict[bytes, str] = {}  # of digests, since samples of thousands of inputs take hundreds of megabytes
    for name in dataset.features:
        values = take(dataset.columns, name, sample)
        if _is_constant(dataset, name, values):
            constant[name] = float(values[0])
            continue
        other = first.setdefault(hashlib.blake2b((values + 0.0).tobytes()).digest(), name)  # -0.0 + 0.0 is 0.0
        if other != name and _are_equal(dataset, name, other):
            duplicates[name] = other
    return constant, duplicates


def _complete_categories(dataset: Dataset, *, bias: bool) -> dict[str, tuple[str, ...]]:
    """Category -> levels, where the indicators add up to 1 as the bias or an earlier category's indicators do."""
    inputs = dataset.encoder.inputs if dataset.encoder is not None else ()
    complete = [
        each for each in inputs if isinstance(each, CategoryInput) and not each.drop_first and len(each.levels) > 1
    ]
    return {each.column: each.levels for each in complete[not bias :]}

"""Columns as they were read become a `Dataset`: incomplete rows dropped, rows split, columns encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.columns.kinds import (
    BLOCK_ROWS,
    DividedValues,
    EncodedColumns,
    Numbers,
    RawColumn,
    Rows,
    Values,
    n_cells,
    of_processes,
)
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.cell_faults import missing_fault
from linreg_cli.data.encoding.derived import Together
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.split import Split
from linreg_cli.data.summary import DataSummary, used_columns
from linreg_cli.errors import DataError, Fault
from linreg_cli.fixes import Step
from linreg_cli.remedies import for_columns, leave_out, missing, setting
from linreg_cli.wording import plural


def assemble(
    name: str,
    raw: Mapping[str, RawColumn],
    targets: tuple[str, ...],
    config: Config,
    split: Split,
    treated: Mapping[str, Treatment],
    encoder: Encoder | None = None,
    terms: Sequence[Term] | None = None,
    together: Together | None = None,
) -> Dataset:
    """Drop incomplete rows, split, fit the encoding on the train split, encode.

    Args:
        name: the source, for messages.
        raw: the columns and parts of dates that features are made of, in order, and the targets; each of shape
            (n_samples,).
        targets: names of the columns to predict.
        config: how categories are encoded.
        split: numbers of the kept rows -> split -> row numbers.
        treated: column -> what the config says about it.
        encoder: a fitted one; None fits one on the train split.
        terms: the features; None: those of the encoder, or the columns.
        together: as for `Encoder.fit`.

    Raises:
        DataError: for missing cells and levels that the config does not allow, and if no row is left.
    """
    features = {column: values for column, values in raw.items() if column not in targets}
    if terms is None:
        terms = tuple(map(Term.of_column, features)) if encoder is None else encoder.terms
    n_rows = _n_rows(raw)
    kept = complete_rows(raw, [column for column in raw if treated[column].missing == "drop"])
    if not len(kept):
        raise DataError(
            _no_row_left(raw, [column for column in raw if treated[column].missing == "drop"], targets), name
        )
    splits = split(kept)
    trained = encoder is not None
    if encoder is None:
        drop_first, unknown = config.preprocess.drop_first, config.preprocess.unknown
        encoder = Encoder.fit(
            features,
            treated,
            splits["train"],
            drop_first=drop_first is not False,
            # The indicators of a category add up to 1, as the bias is. Two such sums would be collinear.
            keep_one=drop_first == "auto" and not config.model.bias,
            unknown=unknown,
            name=name,
            terms=terms,
            together=together,
        )
    whole = sum(map(len, splits.values())) == len(kept)
    used = kept if whole else RowSet.of(splits.values(), n_rows)
    columns = _encoded(encoder, raw, targets, used, name, trained=trained)
    gaps = {target: treated[target].missing for target in targets}
    summary = DataSummary(name, n_rows, n_rows - len(kept), used_columns(raw, encoder, gaps, used))
    return Dataset(name, encoder.features, targets, columns, splits, encoder, raw, summary, treated)


def resplit(dataset: Dataset, config: Config, splits: Mapping[str, Rows]) -> Dataset:
    """The same rows in other splits, with the encoding fitted on the new train split."""
    if dataset.raw is None:
        return dataset.resplit(splits)
    terms = None if dataset.encoder is None else dataset.encoder.terms
    raw, targets, treated = dataset.raw, dataset.targets, dataset.treated
    found = assemble(dataset.name, raw, targets, config, lambda _: splits, treated, terms=terms)
    found = replace(found, clusters=dataset.clusters, weights=dataset.weights, parts=dataset.parts)
    return found.resplit(splits)


def _encoded(
    encoder: Encoder,
    raw: Mapping[str, RawColumn],
    targets: tuple[str, ...],
    rows: Rows,
    name: str,
    *,
    trained: bool,
) -> EncodedColumns:
    """The encoded inputs and the targets.

    Raises:
        DataError: with every fault of both.
    """
    faults: list[Fault] = []
    for target in targets:
        values = raw[target]
        ways = dict.fromkeys([setting(*missing(target, "drop")), for_columns([target], "missing", "drop")])
        remedy = f"fill it in, or drop such rows with {' or '.join(ways)}"
        step: Step | None = Step("missing", "drop", target)
        if trained:
            remedy, step = "fill it in, or leave such rows out of the table", None
        elif values.n_missing == len(rows):
            remedy, step = "no cell of the column has a value; choose another target", None
        if fault := missing_fault(values, rows, target, name, remedy, step):
            faults.append(fault)
    try:
        columns = encoder.encode(raw, rows, name, trained=trained)
    except DataError as error:
        raise DataError([*error.faults, *faults]) from None
    if faults:
        raise DataError(faults)
    for target in targets:
        if target in columns:
            raise DataError(f"an indicator and the target are both named {target!r}; rename a column", name)
    return columns.with_numbers({target: _values(raw[target]) for target in targets})


def _no_row_left(raw: Mapping[str, RawColumn], columns: list[str], targets: tuple[str, ...]) -> str:
    """The message about a table without a complete row: the columns that leave none, and what to do."""
    n_rows = _n_rows(raw)
    gaps = {column: raw[column].n_missing for column in columns if raw[column].n_missing}
    empty = [column for column, count in gaps.items() if count == n_rows]
    if lost := [column for column in empty if column in targets]:
        return f"no row is left with missing: drop: every cell of {lost[0]} is missing; choose another target"
    # The columns with the most gaps are left out one by one, until a row is complete.
    out: list[str] = []
    rest = sorted(gaps, key=lambda column: -gaps[column])
    while rest and not len(complete_rows(raw, [column for column in columns if column not in out])):
        out.append(rest.pop(0))
    found = ", ".join(f"{column} ({gaps[column]:,} of {n_rows:,})" for column in out[:5])
    if any(column in targets for column in out):
        return f"no row is left with missing: drop: a cell of every row is missing, most often of {found}; fill them in"
    which = f"a cell of every row is missing, most often of {found}"
    if empty:
        which = f"every cell of {', '.join(out[:5])} is missing ({plural(n_rows, 'row')})"
    these = "it" if len(out) == 1 else "them"
    return f"no row is left with missing: drop: {which}; leave {these} out with {leave_out(*out)}"


def _values(raw: RawColumn) -> Values:
    assert isinstance(raw, Numbers)
    return raw.values


def _n_rows(raw: Mapping[str, RawColumn]) -> int:
    return n_cells(next(iter(raw.values())))


def complete_rows(raw: Mapping[str, RawColumn], columns: Sequence[str]) -> RowSet:
    """The rows without a missing cell in some columns.

    Args:
        raw: the columns of a table, at least one.
        columns: names of those that are looked at.
    """
    n_rows, gaps = _n_rows(raw), [raw[column] for column in columns if raw[column].n_missing]
    if not gaps:
        return RowSet.all(n_rows)
    divided = [each.values for each in gaps if isinstance(each, Numbers) and isinstance(each.values, DividedValues)]
    kept = RowSet.all(n_rows)
    if divided:  # only bits come from the processes that have the rows
        found: list[RowSet] = of_processes(divided[0], _complete, divided)
        kept = RowSet.of_blocks(each.mask(0, each.n_rows) for each in found)
    here = [each for each in gaps if not (isinstance(each, Numbers) and isinstance(each.values, DividedValues))]
    starts = range(0, n_rows, BLOCK_ROWS) if here else ()
    masks_here = (
        ~np.any([each.missing(slice(start, start + BLOCK_ROWS)) for each in here], axis=0) for start in starts
    )
    return kept & RowSet.of_blocks(masks_here) if here else kept


def _complete(values: Values, first: int, columns: Sequence[Values]) -> RowSet:
    """The rows of a process without a missing cell in some columns."""
    return RowSet.of_blocks(
        ~np.any([np.isnan(each[start : start + BLOCK_ROWS]) for each in columns], axis=0)
        for start in range(0, len(values), BLOCK_ROWS)
    )

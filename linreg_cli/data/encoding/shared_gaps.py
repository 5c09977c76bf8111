"""Columns that are missing in the same rows share one indicator, that of the first of them.

With one each, the indicators would be the same, so that their weights were not unique and had no standard errors. The
fitted values are those of all indicators.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.data.columns.kinds import Mask, RawColumn, Rows, n_cells
from linreg_cli.data.columns.rows import first_row, in_blocks, row_blocks
from linreg_cli.data.encoding.inputs import CategoryInput, Input


def with_shared_gaps(
    inputs: Sequence[Input], raw: Mapping[str, RawColumn], rows: Rows, in_products: Collection[str]
) -> list[Input]:
    """The inputs, without indicators of missing cells that equal an earlier column's in every train row.

    A category keeps its own where it has no reference level, and where products are made of its levels.

    Args:
        inputs: as they were fitted, one for each column that is a feature.
        raw: the columns.
        rows: numbers of the train rows.
        in_products: the columns that other features are made of.
    """
    first: dict[bytes, str] = {}
    found: list[Input] = []
    for each in inputs:
        if each.of_gaps is not None:
            other = first.setdefault(_digest_of_gaps(raw[each.column], rows), each.column)
            fixed = isinstance(each, CategoryInput) and (not each.drop_first or each.column in in_products)
            each = each if other == each.column or fixed else each.sharing(other)
        found.append(each)
    return found


def _digest_of_gaps(values: RawColumn, rows: Rows) -> bytes:
    digest = hashlib.blake2b()
    for _, block in row_blocks(in_blocks(rows), n_cells(values)):
        digest.update(np.packbits(values.missing(block)).data)
    return digest.digest()


@dataclass(frozen=True, eq=False)
class MissingAlone:
    """Which of some rows miss one column and not another, shape (n_rows,).

    Attributes:
        own: the one.
        other: the other.
    """

    own: RawColumn
    other: RawColumn

    def __call__(self, rows: Rows | slice) -> Mask:
        """Those of some rows."""
        return self.own.missing(rows) & ~self.other.missing(rows)


def missing_alone(each: Input, raw: Mapping[str, RawColumn]) -> MissingAlone | None:
    """Which rows miss a column and not the one with the indicator, as no train row does; None: no row does.

    Args:
        each: an input.
        raw: the columns.
    """
    if each.gaps_of is None or not raw[each.column].n_missing:
        return None
    # without what is for messages, so that it can be sent to other processes
    alone = MissingAlone(replace(raw[each.column], cell=None), replace(raw[each.gaps_of], cell=None))
    n_rows = n_cells(alone.own)
    return alone if first_row(slice(0, n_rows), n_rows, alone)[1] else None

"""The cells of columns with a use of their own: the labels of the splits, the clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from linreg_cli.config.roles import CLUSTER, SPLIT
from linreg_cli.data.columns.kinds import MISSING, Categories, Codes, Column, Rows
from linreg_cli.data.encoding.cells import text_column
from linreg_cli.data.encoding.levels import written
from linreg_cli.data.tables.table import Cells
from linreg_cli.errors import DataError


@dataclass(frozen=True)
class Roles:
    """What a table has besides features and targets.

    Attributes:
        labels: the split of each row; None for fractions.
        clusters: the cluster of each row; None without `evaluate.cluster`.
    """

    labels: Categories | None = None
    clusters: Categories | None = None


def text_of(roles: Mapping[str, str]) -> list[str]:
    """The columns that are read as text.

    Args:
        roles: of `column_roles`.
    """
    return [roles[key] for key in (SPLIT, CLUSTER) if key in roles]


def read_roles(cells: Cells, roles: Mapping[str, str], missing_values: Sequence[str], name: str) -> Roles:
    """The columns with a use of their own.

    Args:
        cells: in which they were read.
        roles: of `column_roles`.
        missing_values: cells that mean 'missing'.
        name: the table, for messages.

    Raises:
        DataError: for cells that cannot be written as text, such as lists.
    """
    labels = text_column(cells, roles[SPLIT], missing_values, name) if SPLIT in roles else None
    clusters = None
    if CLUSTER in roles:
        column = roles[CLUSTER]
        numbers = cells.numbers.get(column)
        clusters = _of_numbers(numbers.values[:]) if numbers else text_column(cells, column, missing_values, name)
    return Roles(labels, clusters)


def check_clusters(clusters: Categories, column: str, rows: Rows, name: str) -> None:
    """Refuse train rows without a cluster.

    Args:
        clusters: of the table.
        column: its name.
        rows: of the train split.
        name: the table, for messages.

    Raises:
        DataError: with the first such row, and how many there are.
    """
    of_train = np.asarray(rows)
    missing = of_train[clusters.codes[of_train] == MISSING]
    if len(missing):
        more = f" ({len(missing):,} such train rows)" if len(missing) > 1 else ""
        message = f"the cell is missing{more}, and evaluate.cluster needs the cluster of every train row; fill it in"
        message += ", or leave the row out of the table"
        raise DataError(message, f"{name}, row {int(missing.min()) + 1}, column {column!r}")


def _of_numbers(values: Column) -> Categories:
    """Clusters that are numbers: each value is one."""
    found, positions = np.unique(values, return_inverse=True)
    known = found[~np.isnan(found)]
    codes: Codes = positions.astype(np.int32)
    codes[np.isnan(values)] = MISSING
    return Categories("number", codes, tuple(map(written, known.tolist())))

"""What stands where the rows of a table would, when they were not read: names and shapes, and a refusal to read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

import numpy as np

from linreg_cli.data.columns.kinds import Column
from linreg_cli.errors import DataError
from linreg_cli.readers import without_statistics


def needs_rows() -> str:
    """Why what asks for rows has none, and what to do."""
    return f"statistics hold no rows; {without_statistics()}"


class NoRows(Mapping[str, Column]):
    """The columns of rows that were not read: their names are known, and reading one is refused.

    Args:
        names: of the columns.
        where: the file of statistics, for messages.
    """

    def __init__(self, names: Sequence[str], where: str) -> None:
        self._names, self._where = dict.fromkeys(names), where

    def __getitem__(self, name: str) -> NoReturn:
        if name not in self._names:
            raise KeyError(name)
        raise DataError(f"column {name!r} is to be read, but {needs_rows()}", self._where)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class NoMatrix:
    """A matrix of rows that were not read: it has a shape and a dtype, and reading it is refused.

    Args:
        shape: (n_rows, n_columns).
        dtype: of its numbers.
        where: the file of statistics, for messages.
    """

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: str, where: str) -> None:
        self.shape, self.dtype, self._where = shape, np.dtype(dtype), where

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Cells."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, rows: object) -> NoReturn:
        raise DataError(f"rows are to be read, but {needs_rows()}", self._where)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise DataError(f"rows are to be read, but {needs_rows()}", self._where)

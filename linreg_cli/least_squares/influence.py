"""The influence of each row of the train split on the fit: `influence.csv` of a run, and the data of its picture."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.rows import pick
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.inference import Inference

#: The rows that are kept of a larger table: half of them those with the largest Cook's distance, half evenly spaced.
MOST_ROWS = 10_000


def influence_table(rows: Rows | slice, fits: Mapping[str, Inference]) -> pa.Table:
    """A table with the columns `row`, `leverage`, `standardized_residual` and `cooks_distance`, one line for each row.

    With several targets the last two have the suffix `:<target>`. The standardised residual is e / (s sqrt(1 - h)),
    internally studentised. It is empty for a row of leverage 1, which alone determines a coefficient.

    Args:
        rows: the indices (from 0) of the rows of the train split, in the order of `fits`; `row` counts from 1.
        fits: target -> inference of the train split; at least one.
    """
    first = next(iter(fits.values()))
    kept = chosen(len(first.residuals), lambda rows: np.max([fit.cooks(rows) for fit in fits.values()], axis=0))
    columns = {"row": to_arrow(pick(rows, kept).astype(np.int64) + 1), "leverage": to_arrow(first.leverage[kept])}
    for target, fit in fits.items():
        suffix = f":{target}" if len(fits) > 1 else ""
        for name, values in (
            ("standardized_residual", fit.standardized_residuals(kept)),
            ("cooks_distance", fit.cooks(kept)),
        ):
            columns[f"{name}{suffix}"] = to_arrow(values, ~np.isnan(values))
    return pa.table(columns)


def chosen(n_rows: int, cooks: Callable[[slice], Array], most: int = MOST_ROWS) -> npt.NDArray[np.intp]:
    """The indices of the rows to keep, ascending; all rows if there are at most `most`.

    Args:
        n_rows: the number of rows.
        cooks: a slice of rows -> their Cook's distances, shape (n_rows of the slice,); NaN counts as the largest.
        most: the number of rows to keep.

    >>> distances = np.array([0.0, 9.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0])
    >>> chosen(8, lambda rows: distances[rows], most=4).tolist()
    [0, 1, 5, 7]
    """
    if n_rows <= most:
        return np.arange(n_rows)
    extreme, values = np.zeros(0, dtype=np.intp), np.zeros(0)
    for rows in blocks(n_rows):  # keeps the largest so far, so memory does not grow with the rows
        extreme = np.concatenate([extreme, np.arange(rows.start, rows.stop)])
        values = np.concatenate([values, cooks(rows)])
        largest = np.argpartition(values, -min(most // 2, len(values)))[-(most // 2) :]
        extreme, values = extreme[largest], values[largest]
    extreme = np.sort(extreme)
    evenly = np.linspace(0, n_rows - len(extreme) - 1, most - len(extreme)).astype(np.intp)
    # The i-th of the other rows has the index i + (the number of extreme rows before it).
    others = evenly + np.searchsorted(extreme - np.arange(len(extreme)), evenly, side="right")
    return np.sort(np.concatenate([extreme, others]))

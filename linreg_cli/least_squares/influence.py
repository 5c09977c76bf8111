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

#: The rows that are kept of a larger table: some are the most extreme ones, the others evenly spaced.
MOST_ROWS = 10_000
#: The extreme ones: so many with the largest Cook's distance, residual, and leverage.
_LARGEST = (4_000, 1_000, 250)


def influence_table(rows: Rows | slice, fits: Mapping[str, Inference]) -> pa.Table:
    """A table with the columns `row`, `leverage`, `standardized_residual` and `cooks_distance`, one line for each row.

    With several targets the last two have the suffix `:<target>`. The standardised residual is e / (s sqrt(1 - h)),
    internally studentised. It is empty for a row of leverage 1, which alone determines a coefficient.

    Args:
        rows: the indices (from 0) of the rows of the train split, in the order of `fits`; `row` counts from 1.
        fits: target -> inference of the train split; at least one.
    """
    first = next(iter(fits.values()))

    def measures(rows: slice) -> Array:
        cooks = np.max([fit.cooks(rows) for fit in fits.values()], axis=0)
        residuals = np.max([np.abs(fit.standardized_residuals(rows)) for fit in fits.values()], axis=0)
        return np.stack([cooks, residuals, first.leverage[rows]])

    kept = chosen(len(first.residuals), measures)
    columns = {"row": to_arrow(pick(rows, kept).astype(np.int64) + 1), "leverage": to_arrow(first.leverage[kept])}
    for target, fit in fits.items():
        suffix = f":{target}" if len(fits) > 1 else ""
        for name, values in (
            ("standardized_residual", fit.standardized_residuals(kept)),
            ("cooks_distance", fit.cooks(kept)),
        ):
            columns[f"{name}{suffix}"] = to_arrow(values, ~np.isnan(values))
    return pa.table(columns)


def largest_rows(
    cooks: Array, residuals: Array, leverage: Array, most: tuple[int, int, int] = _LARGEST
) -> npt.NDArray[np.intp]:
    """The indices of the extreme rows, ascending.

    Args:
        cooks: Cook's distances, shape (n,); NaN counts as the largest.
        residuals: absolute standardised residuals, shape (n,); NaN counts as the largest.
        leverage: shape (n,).
        most: the number of rows that each of the three has.

    >>> values = np.array([0.0, 9.0, 1.0, 2.0])
    >>> largest_rows(values, -values, values, most=(1, 1, 0)).tolist()
    [0, 1]
    """
    found = [
        np.argpartition(values, -min(n, len(values)))[-min(n, len(values)) :]
        for n, values in zip(most, (cooks, residuals, leverage), strict=True)
        if n
    ]
    return np.unique(np.concatenate(found))


def chosen(
    n_rows: int,
    measures: Callable[[slice], Array],
    most: int = MOST_ROWS,
    largest: tuple[int, int, int] = _LARGEST,
) -> npt.NDArray[np.intp]:
    """The indices of the rows to keep, ascending; all rows if there are at most `most`.

    Args:
        n_rows: the number of rows.
        measures: a slice of rows -> Cook's distances, absolute standardised residuals and leverage, shape (3, n_rows of
            the slice); NaN counts as the largest.
        most: the number of rows to keep.
        largest: of these, the number with the largest of each measure.

    >>> cooks = np.array([0.0, 9.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0])
    >>> measures = lambda rows: np.stack([cooks[rows], cooks[rows], cooks[rows]])
    >>> chosen(8, measures, most=4, largest=(2, 0, 0)).tolist()
    [0, 1, 5, 7]
    """
    if n_rows <= most:
        return np.arange(n_rows)
    extreme, values = np.zeros(0, dtype=np.intp), np.zeros((3, 0))
    for rows in blocks(n_rows):  # keeps the largest so far, so memory does not grow with the rows
        extreme = np.concatenate([extreme, np.arange(rows.start, rows.stop)])
        values = np.concatenate([values, measures(rows)], axis=1)
        kept = largest_rows(values[0], values[1], values[2], most=largest)
        extreme, values = extreme[kept], values[:, kept]
    evenly = np.linspace(0, n_rows - len(extreme) - 1, most - len(extreme)).astype(np.intp)
    # The i-th of the other rows has the index i + (the number of extreme rows before it).
    others = evenly + np.searchsorted(extreme - np.arange(len(extreme)), evenly, side="right")
    return np.sort(np.concatenate([extreme, others]))

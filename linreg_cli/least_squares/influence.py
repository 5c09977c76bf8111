"""How much each row of the train split pulls the fit: `influence.csv` of a run, which its picture is drawn from."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.columns.arrow import to_arrow
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.rows import pick
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.inference import Inference

#: Rows that are kept of a larger table: half of them those of greatest Cook's distance, half evenly spaced.
MOST_ROWS = 10_000


def influence_table(rows: Rows | slice, fits: Mapping[str, Inference]) -> pa.Table:
    """A line a row: `row,leverage,standardized_residual,cooks_distance`, the last two `:<target>` for several.

    The standardised residual is e / (s sqrt(1 - h)), internally studentised; empty for a row of leverage 1, which
    fixes a coefficient alone.

    Args:
        rows: numbers from 0 of the train split's rows, in the order of `fits`.
        fits: target -> inference of the train split.
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
    """Numbers of the rows to keep, rising: all of them up to `most`.

    Args:
        n_rows: rows there are.
        cooks: Cook's distance of some rows that follow each other; NaN, of leverage 1, counts as largest.
        most: how many rows to keep.

    >>> distances = np.array([0.0, 9.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0])
    >>> chosen(8, lambda rows: distances[rows], most=4).tolist()
    [0, 1, 5, 7]
    """
    if n_rows <= most:
        return np.arange(n_rows)
    extreme, values = np.zeros(0, dtype=np.intp), np.zeros(0)
    for rows in blocks(n_rows):  # the largest of the rows so far, so that nothing of the size of the table is made
        extreme = np.concatenate([extreme, np.arange(rows.start, rows.stop)])
        values = np.concatenate([values, cooks(rows)])
        largest = np.argpartition(values, -min(most // 2, len(values)))[-(most // 2) :]
        extreme, values = extreme[largest], values[largest]
    extreme = np.sort(extreme)
    evenly = np.linspace(0, n_rows - len(extreme) - 1, most - len(extreme)).astype(np.intp)
    # The i-th of the others is row i + (how many of the extreme rows come before it).
    others = evenly + np.searchsorted(extreme - np.arange(len(extreme)), evenly, side="right")
    return np.sort(np.concatenate([extreme, others]))

"""How much each row of the train split pulls the fit: `influence.csv` of a run, which its picture is drawn from."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linreg_cli.data.buffers import to_arrow
from linreg_cli.data.columns import Rows
from linreg_cli.data.rows import pick
from linreg_cli.evaluate.inference import Inference

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
    kept = chosen([fit.cooks() for fit in fits.values()])
    columns = {"row": to_arrow(pick(rows, kept).astype(np.int64) + 1), "leverage": to_arrow(first.leverage[kept])}
    for target, fit in fits.items():
        suffix = f":{target}" if len(fits) > 1 else ""
        for name, values in (("standardized_residual", fit.standardized_residuals()), ("cooks_distance", fit.cooks())):
            columns[f"{name}{suffix}"] = to_arrow(values[kept], ~np.isnan(values[kept]))
    return pa.table(columns)


def chosen(cooks: list[npt.NDArray[np.float64]], most: int = MOST_ROWS) -> npt.NDArray[np.intp]:
    """Numbers of the rows to keep, rising: all of them up to `most`.

    >>> chosen([np.array([0.0, 9.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0])], most=4).tolist()
    [0, 1, 5, 7]
    """
    n = len(cooks[0])
    if n <= most:
        return np.arange(n)
    strongest = cooks[0] if len(cooks) == 1 else np.max(cooks, axis=0)
    extreme = np.argpartition(strongest, n - most // 2)[n - most // 2 :]  # a NaN, of leverage 1, counts as largest
    left = np.ones(n, dtype=bool)
    left[extreme] = False
    rest = np.flatnonzero(left)
    evenly = rest[np.linspace(0, len(rest) - 1, most - len(extreme)).astype(np.intp)]
    return np.sort(np.concatenate([extreme, evenly]))

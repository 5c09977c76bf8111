"""The covariance of coefficients for residuals that are correlated within clusters of rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.codes import distinct, narrow, positions_in
from linreg_cli.data.columns.kinds import BLOCK_ROWS, Codes
from linreg_cli.least_squares.decompositions import Array

#: Whole numbers up to so many times their number are clusters that are looked up, and not sorted.
_SPARSE = 8
#: Scores of clusters that are in memory at once, 16 MiB.
SCORES = 2**21


@dataclass(frozen=True, eq=False)
class Clusters:
    """The cluster of each row.

    Attributes:
        codes: shape (n_samples,), from 0 to `count - 1`, as `narrow` has them; each of them occurs.
        count: the number of clusters, G.
    """

    codes: Codes
    count: int

    @classmethod
    def of(cls, labels: npt.ArrayLike) -> "Clusters":
        """From one label for each row.

        >>> found = Clusters.of(["b", "a", "b"])
        >>> found.codes.tolist(), found.count
        ([1, 0, 1], 2)
        """
        values = np.asarray(labels).reshape(-1)
        starts = range(0, len(values), BLOCK_ROWS)
        if values.dtype.kind == "i" and 0 <= values.min(initial=0) <= values.max(initial=0) < _SPARSE * len(values):
            return cls._of_codes(values)
        kinds = distinct(values[start : start + BLOCK_ROWS] for start in starts)
        codes = narrow(np.empty(len(values), np.int8), len(kinds))
        for start in starts:
            block = values[start : start + BLOCK_ROWS]
            codes[start : start + len(block)] = positions_in(kinds, block)
        return cls(codes, len(kinds))

    @classmethod
    def _of_codes(cls, values: Codes) -> "Clusters":
        """As `of`, of whole numbers from 0, which need not be sorted."""
        occurs = np.zeros(int(values.max()) + 1, dtype=bool)
        occurs[values] = True
        count = int(np.count_nonzero(occurs))
        if count == len(occurs):
            return cls(narrow(values, count), count)
        return cls(narrow(np.cumsum(occurs, dtype=np.int32) - 1, count)[values], count)

    def groups(self, n_parameters: int) -> list[range]:
        """Consecutive clusters whose scores are in memory at once, whatever memory there is.

        >>> [len(group) for group in Clusters(np.zeros(0, np.int8), 5_000_000).groups(1)]
        [2097152, 2097152, 805696]
        """
        most = max(1, SCORES // n_parameters)
        return [range(first, min(first + most, self.count)) for first in range(0, self.count, most)]

    @property
    def degrees(self) -> int:
        """The degrees of freedom of t: G - 1."""
        return self.count - 1

    def meat(self, squares_pp: Array, n_samples: int, n_parameters: int) -> Array:
        """G / (G - 1) (n - 1) / (n - p) S'S, shape (p, p), as statsmodels and Stata have it; G is at least 2.

        Args:
            squares_pp: S'S, shape (p, p), of S, the sums over the rows of each cluster of q e, shape (G, p).
            n_samples: n.
            n_parameters: p.

        Source: K.-Y. Liang, S. L. Zeger, Longitudinal data analysis using generalized linear models, 1986; A. C.
        Cameron, D. L. Miller, A practitioner's guide to cluster-robust inference, 2015 (the factor).
        """
        factor = self.count / (self.count - 1) * (n_samples - 1) / (n_samples - n_parameters)
        found: Array = factor * squares_pp
        return found

"""The curvature of a squared loss: the eigenvalues of its Hessian, from the triangular factor of the data.

The Hessian of the loss c * (sum of squared residuals) with respect to the (weights, bias) of one target, in scaled
units, is H = 2 c [X 1]'[X 1]. It is the same for every target. For mse with one target, 2 c = 2 / n.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.decompositions import solve_triangle, split
from linreg_cli.least_squares.factor import Array, Factor
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import loss_scale

#: The condition number up to which one decomposition is accurate enough for all singular values.
_MILD = 1e3


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The eigenvalues and eigenvectors of the Hessian of the loss on the whole train split, without the penalty.

    Attributes:
        eigenvalues: shape (n_parameters,), float64, in descending order, at least 0; exactly 0 from index `rank` on.
        eigenvectors: shape (n_parameters, n_parameters), float64, orthonormal; column i belongs to eigenvalue i. The
            entries of a column are in the order of the weights, the bias last.
        rank: the number of eigenvalues above 0.
        n_targets: the multiplicity of each eigenvalue in the Hessian with respect to the parameters of all targets.
        bias: whether the model has an intercept; it is the last parameter.
    """

    eigenvalues: Array
    eigenvectors: Array
    rank: int
    n_targets: int
    bias: bool

    @property
    def largest(self) -> float:
        """The largest curvature."""
        return float(self.eigenvalues[0])

    @property
    def smallest(self) -> float:
        """The smallest curvature above 0; 0 if the loss is constant."""
        return float(self.eigenvalues[self.rank - 1]) if self.rank else 0.0

    def scaled(self, factor: float) -> "Spectrum":
        """The spectrum of `factor` times the loss, such as batch_size / n_samples for mini-batches of sse."""
        return Spectrum(self.eigenvalues * factor, self.eigenvectors, self.rank, self.n_targets, self.bias)

    def distances(self, optimum: Optimum, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> Array:
        """The distance from the optimum along each eigenvector: V' (theta - theta*), shape (n_parameters, n_targets).

        Args:
            optimum: theta*, in the same units.
            weights: shape (n_features, n_targets).
            bias: shape (n_targets,); None without an intercept.
        """
        offset = np.asarray(weights, dtype=np.float64) - optimum.weights
        if self.bias:
            assert optimum.bias is not None
            offset = np.vstack([offset, np.asarray(bias, dtype=np.float64) - optimum.bias])
        projected: Array = self.eigenvectors.T @ offset
        return projected

    def loadings(self, names: Sequence[str], which: int = 0, most: int = 3) -> list[tuple[str, float]]:
        """The columns with the largest loadings of an eigenvector.

        The loading of a column is the square of its entry in the unit eigenvector, so all loadings sum to 1.

        Args:
            names: of the features.
            which: index of the eigenvalue; 0 is the largest, `rank - 1` the smallest above 0.
            most: the number of columns to return.

        Returns:
            Pairs of column and loading, the largest loading first.

        >>> spectrum = Spectrum(np.array([4.0, 1.0]), np.eye(2), 2, 1, True)
        >>> spectrum.loadings(["sqft"]), spectrum.loadings(["sqft"], 1, most=1)
        ([('sqft', 1.0), ('bias', 0.0)], [('bias', 1.0)])
        """
        labels = [*names, "bias"] if self.bias else list(names)
        squares = self.eigenvectors[:, which] ** 2
        order = np.argsort(-squares, kind="stable")[:most]
        return [(labels[i], float(squares[i])) for i in order]


def curvature(factor: Factor, loss: str) -> Spectrum:
    """The spectrum of the loss on the whole train split, from the triangular factor, without a pass over the rows.

    The eigenvalues are 2 c s^2, where s are the singular values of [X 1] and the loss is c times the sum of squared
    residuals. The larger s are computed from the factor of [X 1], the smaller ones (if any is 1,000 times smaller than
    the largest) from its inverse. Each SVD is
    accurate for its large singular values only, so a column with a large mean (a year, a longitude) does not swamp
    the smallest curvature, as it would in X'X.

    Args:
        factor: of the train split in scaled units, from `linreg_cli.least_squares.factorise.factorise`.
        loss: mse, sse or half_mse.

    Raises:
        ValueError: if the loss is not squared.

    >>> from linreg_cli.least_squares.factorise import factorise
    >>> curvature(factorise([[1.0], [-1.0]], [[1.0], [2.0]], bias=True), "mse").eigenvalues.round(12).tolist()
    [2.0, 2.0]
    """
    scale = loss_scale(loss, factor.n_samples, factor.n_targets)
    rank, p = factor.rank, factor.n_parameters
    given = factor.as_given()[: min(factor.n_samples, p)]
    if rank < p:
        kept, null = _split_parameters(factor)
        _, singular, Wt = np.linalg.svd(given @ kept, full_matrices=False)
        vectors = np.hstack([kept @ Wt.T, null])
        singular = np.append(singular, np.zeros(p - rank))
    else:
        _, singular, Vt = np.linalg.svd(given)
        vectors = Vt.T.copy()
        inverse = factor.to_parameters() @ solve_triangle(factor.R_pp, np.eye(p))
        U, reciprocal, _ = np.linalg.svd(inverse)
        cut = _widest_gap(singular)
        vectors[:, cut:] = U[:, ::-1][:, cut:]
        singular = np.append(singular[:cut], 1 / reciprocal[::-1][cut:])
    return Spectrum(2 * scale * singular**2, vectors, rank, factor.n_targets, factor.bias)


def _widest_gap(singular: Array) -> int:
    """Where the singular values, in descending order, are split into large and small ones; their number if all are.

    Both sides come from decompositions of their own, which agree on the span of some singular vectors only where a gap
    separates it from the rest: equal singular values have no vectors of their own. So the split is at the widest gap
    in the middle half of the range, on a logarithmic scale. A condition number below 1,000 costs three digits at most,
    and needs no split.
    """
    if not len(singular) or not singular[0] > _MILD * singular[-1]:
        return len(singular)
    depth = np.log(singular[0] / np.maximum(singular, np.finfo(np.float64).tiny))
    depth /= depth[-1]
    widths = np.where((depth[1:] > 0.25) & (depth[:-1] < 0.75), np.diff(depth), 0.0)
    return int(np.argmax(widths)) + 1


def _split_parameters(factor: Factor) -> tuple[Array, Array]:
    """Orthonormal bases of the parameters that the data determine, shape (p, rank), and of the null space."""
    rank, p = factor.rank, factor.n_parameters
    scales = np.where(factor.standard > 0, factor.standard, 1.0)[:, None]
    rows = factor.svd()[2]
    if 2 * rank > p:
        null = factor.to_parameters() @ (scales * rows[rank:].T)
        null, kept = split(null / np.linalg.norm(null, axis=0))
        return kept, null
    # The smaller of the two spaces: what is orthogonal to T D v for all null vectors v is spanned by inv(T)' inv(D) v.
    determined = rows[:rank].T / scales
    if factor.bias:
        determined[:-1] = determined[:-1] * factor.scale[:, None] + np.outer(factor.center, determined[-1])
    else:
        determined *= factor.scale[:, None]
    return split(determined / np.linalg.norm(determined, axis=0))

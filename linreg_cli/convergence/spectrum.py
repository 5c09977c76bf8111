"""The curvature of a squared loss: eigenvalues of its Hessian, from the triangle of its data.

The Hessian of c * (sum of squared residuals) with respect to one target's (weights, bias), in the units that are
trained, is H = 2 c [X 1]'[X 1]; every target has the same. With mse and one target 2 c = 2 / n.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.factor import Array, Factor, solve_triangle
from linreg_cli.least_squares.solve import Optimum
from linreg_cli.optim.losses import loss_scale


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Curvature of the loss of the whole train split, without a penalty.

    Attributes:
        eigenvalues: shape (n_parameters,), falling, at least 0; exactly 0 beyond `rank`.
        eigenvectors: shape (n_parameters, n_parameters); column i belongs to eigenvalue i; its entries are in the
            order of the weights, the bias last.
        rank: directions in which the loss is curved at all.
        n_targets: how often each eigenvalue occurs.
        bias: whether the last parameter is a bias.
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
        """The smallest curvature that is not zero; 0 if the loss is flat everywhere."""
        return float(self.eigenvalues[self.rank - 1]) if self.rank else 0.0

    def scaled(self, factor: float) -> "Spectrum":
        """The curvature of `factor` times the loss, such as batch_size / n_samples for the batches of sse."""
        return Spectrum(self.eigenvalues * factor, self.eigenvectors, self.rank, self.n_targets, self.bias)

    def distances(self, optimum: Optimum, weights: npt.ArrayLike, bias: npt.ArrayLike | None) -> Array:
        """Parameters minus the optimum's, along each eigenvector: shape (n_parameters, n_targets).

        Args:
            optimum: in the same units.
            weights: shape (n_features, n_targets).
            bias: shape (n_targets,), or None.
        """
        offset = np.asarray(weights, dtype=np.float64) - optimum.weights
        if self.bias:
            assert optimum.bias is not None
            offset = np.vstack([offset, np.asarray(bias, dtype=np.float64) - optimum.bias])
        projected: Array = self.eigenvectors.T @ offset
        return projected

    def loadings(self, names: Sequence[str], which: int = 0, most: int = 3) -> list[tuple[str, float]]:
        """The columns that carry an eigenvector, and the share of each: the square of its entry; shares add up to 1.

        Args:
            names: of the features.
            which: number of the eigenvalue; 0 is the largest, `rank - 1` the smallest that is not zero.
            most: how many columns to name, largest share first.

        >>> spectrum = Spectrum(np.array([4.0, 1.0]), np.eye(2), 2, 1, True)
        >>> spectrum.loadings(["sqft"]), spectrum.loadings(["sqft"], 1, most=1)
        ([('sqft', 1.0), ('bias', 0.0)], [('bias', 1.0)])
        """
        labels = [*names, "bias"] if self.bias else list(names)
        shares = self.eigenvectors[:, which] ** 2
        order = np.argsort(-shares, kind="stable")[:most]
        return [(labels[i], float(shares[i])) for i in order]


def curvature(factor: Factor, loss: str) -> Spectrum:
    """The spectrum of the whole loss, from the triangle of its data; no pass over the rows.

    The upper half comes from the singular values of the factor of [X 1], the lower half from those of its inverse:
    each is accurate for its own large ones, so a column far from zero (a year, a longitude) does not drown the
    smallest curvature, as it would in X'X.

    Args:
        factor: from `linreg_cli.least_squares.factor.factorise`, of the table in trained units.
        loss: mse, sse or half_mse.

    Raises:
        ValueError: for a loss that is not squared.

    >>> from linreg_cli.least_squares.factor import factorise
    >>> curvature(factorise([[1.0], [-1.0]], [[1.0], [2.0]], bias=True), "mse").eigenvalues.round(12).tolist()
    [2.0, 2.0]
    """
    scale = loss_scale(loss, factor.n_samples, factor.n_targets)
    rank, p = factor.rank, factor.n_parameters
    _, singular, Vt = np.linalg.svd(factor.as_given())
    vectors = Vt.T.copy()
    if rank == p:
        inverse = factor.to_parameters() @ solve_triangle(factor.R_pp, np.eye(p))
        U, reciprocal, _ = np.linalg.svd(inverse)
        lower = singular**2 < singular[0] / reciprocal[0]
        vectors[:, lower] = U[:, ::-1][:, lower]
        singular = np.where(lower, 1 / reciprocal[::-1], singular)
    singular[rank:] = 0.0
    return Spectrum(2 * scale * singular**2, vectors, rank, factor.n_targets, factor.bias)

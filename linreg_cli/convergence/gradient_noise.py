"""The noise of mini-batch gradients: its variance at the optimum, and its growth with the distance from the optimum.

Let a_i be the component of a row of the design matrix along eigenvector i, e the residual of the row at the optimum,
and z the distance from the optimum. The gradient of the row is s a_i (sum of a_j z_j + e). Its mean over the rows is
h_i z_i. The rest is noise, with the variance s^2 E[a_i^2 e^2] at the optimum and approximately sum over j of
K_ij z_j^2 more at the distance z, where K_ij = s^2 E[a_i^2 a_j^2] - h_i^2 [i = j].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.optim.losses import loss_scale

#: The most parameters for which the growth of the noise is computed: it takes a p x p eigendecomposition for each rate.
MOST_COUPLED = 300


@dataclass(frozen=True, eq=False)
class Noise:
    """The covariance of the noise of mini-batch gradients, for rows drawn without replacement in each epoch.

    An epoch uses every row once, so at fixed parameters the noise of all rows of an epoch sums to zero.

    Attributes:
        variances: shape (n_parameters, n_targets), float64: the variance of the gradient of one row at the optimum,
            s^2 (E[a_i^2 e^2] - E[a_i e]^2), along each eigenvector, in (loss / unit of the parameter)^2.
        coupling: K, shape (n_parameters, n_parameters), float64; None above `MOST_COUPLED` parameters.
        n_samples: the number of rows in an epoch.
        batch_size: the number of rows in a step; the last step of an epoch has the remaining ones.
        summed: whether the loss of a step is the sum over its rows (sse); otherwise it is the mean.
    """

    variances: Array
    coupling: Array | None
    n_samples: int
    batch_size: int
    summed: bool = False

    @property
    def complete_steps(self) -> int:
        """The number of steps of an epoch with `batch_size` rows."""
        return self.n_samples // self.batch_size

    @property
    def last_size(self) -> int:
        """The number of rows of the last step of an epoch if it is smaller than `batch_size`; otherwise 0."""
        return self.n_samples % self.batch_size

    @property
    def gain(self) -> float:
        """The variance of the noise of a step divided by that of a row, averaged over the steps of an epoch.

        For b of n rows without replacement it is (n - b) / (n - 1) / b for a mean, and b^2 times that for a sum.
        """
        sizes = [self.batch_size] * (self.complete_steps > 0) + [self.last_size] * (self.last_size > 0)
        counts = [self.complete_steps, 1][: len(sizes)]
        left = [(self.n_samples - size) / max(self.n_samples - 1, 1) for size in sizes]
        each = [part * size if self.summed else part / size for part, size in zip(left, sizes, strict=True)]
        return float(np.average(each, weights=counts))

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps of an epoch."""
        return self.complete_steps + (self.last_size > 0)

    def epoch_covariance(self, M: Array, u: Array, last_M: Array) -> Array:
        """The covariance of (z, v) that the noise of one epoch adds, for a variance of 1 of a row's gradient.

        The noise of batch j is the sum or mean of b_j rows drawn without replacement. Batches j and l have the
        covariance n / (n - 1) w_j w_l (b_j [j = l] - b_j b_l / n), with the weight w = 1 / b of a mean and 1 of a sum.
        The noise of step j is propagated to the end of the epoch by the matrices of the later steps.

        Args:
            M: shape (n_modes, 2, 2), the matrix of a step of `batch_size` rows for (z, v).
            u: shape (2,), the direction in which the noise of a step enters (z, v).
            last_M: as M, for the smaller last batch.

        Returns:
            Shape (n_modes, 2, 2).
        """
        n, b, r, complete = self.n_samples, self.batch_size, self.last_size, self.complete_steps
        whole, rest = (1.0, 1.0) if self.summed else (1 / b, 1 / r if r else 0.0)
        _, squares = accumulate(M, np.outer(u, u) + np.zeros_like(M), complete)
        # The sum of M^j u is a block of a power of a 3 x 3 matrix. Unlike (1 - M)^-1, it exists for every M.
        bordered = np.zeros((len(M), 3, 3))
        bordered[:, :2, :2], bordered[:, :2, 2], bordered[:, 2, 2] = M, u, 1.0
        reach = np.linalg.matrix_power(bordered, complete)[:, :2, 2:]
        diagonal, drift = b * whole**2 * squares, b * whole * reach
        if r:
            diagonal = last_M @ diagonal @ last_M.swapaxes(1, 2) + r * rest**2 * np.outer(u, u)
            drift = last_M @ drift + r * rest * u[:, None]
        together: Array = n / max(n - 1, 1) * (diagonal - drift @ drift.swapaxes(1, 2) / n)
        return together


def batch_noise(
    spectrum: Spectrum,
    optimum: Optimum,
    X_nd: npt.ArrayLike,
    y_nk: npt.ArrayLike,
    *,
    loss: str,
    batch_size: int,
    divided: DividedRows | None = None,
) -> Noise:
    """The noise of the gradients of random batches, from one pass over the rows.

    The gradient of a row is s e a, with its residual e = prediction - target and its row a of the design matrix. For k
    targets, s is 2 / k for mse, 1 / k for half_mse and 2 for sse. With weights, e and a are times the square root of
    that of the row.

    Args:
        spectrum: of the same rows; only its eigenvectors are used.
        optimum: the parameters at which the residuals are computed.
        X_nd: shape (n_samples, n_features), in scaled units, any float dtype.
        y_nk: shape (n_samples, n_targets), in scaled units.
        loss: mse, sse or half_mse.
        batch_size: b, from 1 to n_samples.
        divided: the rows in the parts by which sums are added up; None: one.
    """
    rows = DividedRows(X_nd, y_nk, root_n=optimum.factor.root_n) if divided is None else divided
    n, per_row = len(rows.X_nd), 2 * loss_scale(loss, 1, rows.y_nk.shape[1])
    found = rows.of_parts(_moments, spectrum.eigenvectors, optimum.weights, optimum.bias)
    first, second, square = (in_order(each) for each in zip(*(sums for *sums, _ in found), strict=True))
    coupled = [each for *_, each in found if each is not None]
    fourth = in_order(coupled) if coupled else None
    variances = np.maximum(second / n - (first / n) ** 2, 0.0) * per_row**2
    if optimum.is_zero:  # an exact fit: the residuals are rounding error
        variances = np.zeros_like(variances)
    if fourth is not None:
        fourth = np.maximum(fourth / n - np.diag(square / n) ** 2, 0.0) * per_row**2
    return Noise(variances, fourth, n, batch_size, loss == "sse")


def _moments(
    part: Part, eigenvectors: Array, weights: Array, bias: Array | None
) -> tuple[Array, Array, Array, Array | None]:
    """The sums over rows of a e, a^2 e^2, a^2 and, for few parameters, of a_i^2 a_j^2; a pass."""
    p, k = len(eigenvectors), weights.shape[1]
    first, second = np.zeros((2, p, k))
    square, fourth = np.zeros(p), np.zeros((p, p)) if p <= MOST_COUPLED else None
    for rows in part.blocks(BLOCK_ROWS):
        a = np.asarray(part.X_nd[rows], dtype=np.float64)
        e = a @ weights - np.asarray(part.y_nk[rows], dtype=np.float64)
        if bias is not None:
            e += bias
            a = np.column_stack([a, np.ones(len(a))])
        a, e = part.weighted(a, rows), part.weighted(e, rows)
        along = a @ eigenvectors
        first += along.T @ e
        along **= 2
        second += along.T @ e**2
        square += along.sum(axis=0)
        if fourth is not None:
            fourth += along.T @ along
    return first, second, square, fourth


def accumulate(M: Array, Q: Array, count: int) -> tuple[Array, Array]:
    """M^count and the sum over j < count of M^j Q (M^j)', for a stack of 2 x 2 matrices, by repeated doubling.

    Args:
        M: shape (n_modes, 2, 2).
        Q: shape (n_modes, 2, 2).
        count: at least 0.

    Returns:
        Both of shape (n_modes, 2, 2).
    """
    power, total = np.broadcast_to(np.eye(2), M.shape), np.zeros_like(M)
    while count:
        if count & 1:
            total = total + power @ Q @ power.swapaxes(1, 2)
            power = power @ M
        count >>= 1
        M, Q = M @ M, Q + M @ Q @ M.swapaxes(1, 2)
    return power, total

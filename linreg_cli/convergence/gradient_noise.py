"""What mini-batches add to the mean rule: the noise of their gradients, at the optimum and away from it.

Along eigenvector i of the curvature a row's design entry is a_i, its residual at the optimum e. With z the distance
from the optimum a row's gradient is s a_i (sum of a_j z_j + e): its mean over the rows is h_i z_i, and the rest is
noise, of variance s^2 E[a_i^2 e^2] at the optimum and about sum over j of K_ij z_j^2 more away from it, with
K_ij = s^2 E[a_i^2 a_j^2] - h_i^2 [i = j].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.convergence.spectrum import Spectrum
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.solve import Optimum
from linreg_cli.optim.losses import loss_scale

#: Eigenvectors up to which the noise away from the optimum is followed; it takes a p x p decomposition a rate.
MOST_COUPLED = 300


@dataclass(frozen=True, eq=False)
class Noise:
    """What mini-batches add: each epoch sees every row once, so the noises of an epoch's rows add up to zero.

    Attributes:
        variances: shape (n_parameters, n_targets): variance of the gradient of one row at the optimum, along each
            eigenvector, in the units of a step's gradient.
        coupling: shape (n_parameters, n_parameters), the K above; None above `MOST_COUPLED` parameters.
        n_samples: rows of an epoch.
        batch_size: rows a step; the last step of an epoch has the rest.
        summed: whether a step's loss is a sum over its rows (sse), and not their mean.
    """

    variances: Array
    coupling: Array | None
    n_samples: int
    batch_size: int
    summed: bool = False

    @property
    def full_steps(self) -> int:
        """Steps of an epoch with a whole batch."""
        return self.n_samples // self.batch_size

    @property
    def last_size(self) -> int:
        """Rows of the last step of an epoch if they are fewer; 0 if they are not."""
        return self.n_samples % self.batch_size

    @property
    def gain(self) -> float:
        """The variance of a step's noise beside that of a row's, on average over the steps of an epoch.

        Of b rows drawn without replacement from n it is (n - b) / (n - 1) / b for a mean, and b^2 times that for a sum.
        """
        sizes = [self.batch_size] * (self.full_steps > 0) + [self.last_size] * (self.last_size > 0)
        counts = [self.full_steps, 1][: len(sizes)]
        left = [(self.n_samples - size) / max(self.n_samples - 1, 1) for size in sizes]
        each = [part * size if self.summed else part / size for part, size in zip(left, sizes, strict=True)]
        return float(np.average(each, weights=counts))

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return self.full_steps + (self.last_size > 0)

    def epoch_covariance(self, M: Array, u: Array, last_M: Array) -> Array:
        """Covariance that an epoch adds to (z, v) per unit of a row's variance, shape (modes, 2, 2).

        The noise of batch j is the sum (or mean) of b_j rows drawn without replacement: batches j and l have the
        covariance n / (n - 1) w_j w_l (b_j [j = l] - b_j b_l / n) for weights w = 1 / b of a mean and 1 of a sum. Step
        j's noise reaches the end of the epoch through the later steps, all alike but for a smaller last batch.

        Args:
            M: shape (modes, 2, 2), what a step of a whole batch does to (z, v).
            u: shape (2,), where its noise enters.
            last_M: as M, for the smaller last batch.
        """
        n, b, r, full = self.n_samples, self.batch_size, self.last_size, self.full_steps
        whole, rest = (1.0, 1.0) if self.summed else (1 / b, 1 / r if r else 0.0)
        _, squares = accumulate(M, np.outer(u, u) + np.zeros_like(M), full)
        # The sum of M^j u as the corner of a 3 x 3 power, which unlike (1 - M)^-1 exists for any M.
        bordered = np.zeros((len(M), 3, 3))
        bordered[:, :2, :2], bordered[:, :2, 2], bordered[:, 2, 2] = M, u, 1.0
        reach = np.linalg.matrix_power(bordered, full)[:, :2, 2:]
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
) -> Noise:
    """The noise of random batches, from one pass over the rows.

    A row's gradient is s e a with its residual e and design row a, s = 2 / k for mse, 1 / k for half_mse and 2 for
    sse, whose batch is a sum.

    Args:
        spectrum: of the same table; of its eigenvectors only.
        optimum: where the residuals are taken.
        X_nd: shape (n_samples, n_features), in trained units.
        y_nk: shape (n_samples, n_targets).
        loss: mse, sse or half_mse.
        batch_size: b.
    """
    X, y, n, p = np.asarray(X_nd), np.asarray(y_nk), len(np.asarray(X_nd)), len(spectrum.eigenvalues)
    per_row = 2 * loss_scale(loss, 1, y.shape[1])
    first, second = np.zeros((2, p, y.shape[1]))
    square, fourth = np.zeros(p), np.zeros((p, p)) if p <= MOST_COUPLED else None
    for rows in blocks(n):
        part = np.asarray(X[rows], dtype=np.float64)
        e = part @ optimum.weights - np.asarray(y[rows], dtype=np.float64)
        if optimum.bias is not None:
            e += optimum.bias
            part = np.column_stack([part, np.ones(len(part))])
        along = part @ spectrum.eigenvectors
        first += along.T @ e
        along **= 2
        second += along.T @ e**2
        square += along.sum(axis=0)
        if fourth is not None:
            fourth += along.T @ along
    variances = np.maximum(second / n - (first / n) ** 2, 0.0) * per_row**2
    if optimum.objective <= optimum.rounding_loss:  # every row is met, and what is left is rounding
        variances = np.zeros_like(variances)
    if fourth is not None:
        fourth = np.maximum(fourth / n - np.diag(square / n) ** 2, 0.0) * per_row**2
    return Noise(variances, fourth, n, batch_size, loss == "sse")


def accumulate(M: Array, Q: Array, count: int) -> tuple[Array, Array]:
    """M^count and the sum over j < count of M^j Q M^j', for each 2 x 2 matrix, by doubling."""
    power, total = np.broadcast_to(np.eye(2), M.shape), np.zeros_like(M)
    while count:
        if count & 1:
            total = total + power @ Q @ power.swapaxes(1, 2)
            power = power @ M
        count >>= 1
        M, Q = M @ M, Q + M @ Q @ M.swapaxes(1, 2)
    return power, total

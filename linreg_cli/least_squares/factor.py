"""The triangular factor of a least-squares problem, and its coordinates; `factorise` makes one of any number of rows.

Suffixes are shapes: n samples, d features, k targets, p parameters (d, and 1 for the bias, which is last). An s before
them means the internal coordinates of `Factor`. "As given" means the units of the X and y that were factorised.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.kinds import Mask
from linreg_cli.data.columns.row_weights import Weights
from linreg_cli.data.columns.rows import matrix as matrix
from linreg_cli.least_squares.decompositions import Array as Array
from linreg_cli.least_squares.decompositions import filled_svd, solve_triangle, split, triangle

#: Positions of rows; None where they do not matter.
At = slice | npt.NDArray[np.integer[Any]] | None
#: The rows of one QR: few enough to fit into the cache, enough to amortise the cost of a call.
#: 1,000,000 x 8: 0.26 s, and 0.39 s with blocks of four times as many; 100,000 x 100: 0.55 s and 0.80 s.
BLOCK_ROWS = 8_192
EPS = float(np.finfo(np.float64).eps)
_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Factor:
    """The R of [A_s | y_s] = Q R, for A_s = [(X - center) / scale, 1] and y_s = (y - target_center) / target_scale.

    Scales are powers of two, so scaling is exact. R determines the sum of squared residuals for any parameters: it is
    |R_pp theta_s - R_pk|^2 + rest_k, in the units of y_s. No product A'A is formed, because its condition number is the
    square of that of A.

    Attributes:
        n_samples: n, the number of rows.
        eps: the machine epsilon of the values: that of float32 for a table that was cast to it.
        bias: whether the model has an intercept; it is the last parameter. Without one, nothing is centred.
        center: shape (d,), the column means within rounding error, as given; 0 without an intercept.
        scale: shape (d,), the power of two at or below the spread of each column; 1 where the spread is 0.
        spread: shape (d,), the standard deviation (n in the denominator), or the root mean square without an intercept;
            0 for a constant column (without an intercept: a column of zeros).
        largest: shape (d,), the largest absolute value of each column.
        target_center: shape (k,), as `center`.
        target_scale: shape (k,), as `scale`; without an intercept of the largest absolute value.
        target_largest: shape (k,), as `largest`.
        R_pp: shape (p, p), upper triangular.
        R_pk: shape (p, k).
        rest_k: shape (k,), the part of the residual sum of squares that no parameters reduce, in the units of y_s.
        constant_k: shape (k,), the sum of squares about the mean of each target, as given.
        root_n: shape (n,), the square roots of the weights of the rows, whose mean is 1; None: all are 1. With weights
            the rows of A_s and y_s are multiplied by them, and sums, means and spreads are weighted.
        log_roots: the sum of the logarithms of these square roots where the rows, and so `root_n`, were not kept.
    """

    n_samples: int
    eps: float
    bias: bool
    center: Array
    scale: Array
    spread: Array
    largest: Array
    target_center: Array
    target_scale: Array
    target_largest: Array
    R_pp: Array
    R_pk: Array
    rest_k: Array
    constant_k: Array
    root_n: Weights | None = None
    log_roots: float = 0.0

    @property
    def n_parameters(self) -> int:
        """p, the number of parameters of one target."""
        return len(self.R_pp)

    @property
    def n_targets(self) -> int:
        """k, the number of targets."""
        return len(self.target_center)

    def rows(self, X_nd: npt.ArrayLike, at: At = None) -> Array:
        """Rows of A_s from rows of X, shape (n_rows, p).

        Args:
            X_nd: some rows, as given.
            at: their positions among the rows that were factorised; needed where those have weights.
        """
        return self.weighted(self.unweighted_rows(X_nd), at)

    def weighted(self, values: Array, at: At) -> Array:
        """Rows, shape (n_rows, ...), times the square roots of their weights; the same ones without weights.

        Args:
            values: some rows.
            at: their positions.
        """
        if self.root_n is None:
            return values
        assert at is not None, "rows with weights need their positions"
        root = self.root_n[at]
        found: Array = values * root.reshape(-1, *[1] * (values.ndim - 1))
        return found

    def unweighted_rows(self, X_nd: npt.ArrayLike) -> Array:
        """`rows` before they are multiplied by the square roots of their weights."""
        X = np.asarray(X_nd, dtype=np.float64)
        A = np.empty((len(X), self.n_parameters))
        np.subtract(X, self.center, out=A[:, : len(self.scale)])
        A[:, : len(self.scale)] /= self.scale
        if self.bias:
            A[:, -1] = 1.0
        return A

    def target_rows(self, y_nk: npt.ArrayLike, at: At = None) -> Array:
        """Rows of y_s from rows of y, shape (n_rows, k); arguments as those of `rows`."""
        scaled: Array = (np.asarray(y_nk, dtype=np.float64) - self.target_center) / self.target_scale
        return self.weighted(scaled, at)

    def unscale(self, theta_spk: Array) -> tuple[Array, Array | None]:
        """Weights (d, k) and bias (k,) as given, from parameters theta_s of A_s, shape (p, k)."""
        n_features = len(self.scale)
        weights = theta_spk[:n_features] * self.target_scale / self.scale[:, None]
        if not self.bias:
            return weights, None
        return weights, self.target_center + self.target_scale * theta_spk[-1] - self.center @ weights

    def shift(self, weights_dk: Array, bias_k: Array | None) -> Array:
        """A difference of parameters d in the columns of A_s, shape (p, k): |R_pp shift|^2 = |[X 1] d|^2.

        Args:
            weights_dk: the difference of the weights, as given; several stacked, (..., d, k), give (..., p, k).
            bias_k: the difference of the biases; None without an intercept.
        """
        scaled = weights_dk * self.scale[:, None]
        if not self.bias:
            return scaled
        assert bias_k is not None
        return np.concatenate([scaled, (bias_k + self.center @ weights_dk)[..., None, :]], axis=-2)

    def to_parameters(self) -> Array:
        """T, shape (p, p): a difference of (weights, bias) is T times one of theta_s, up to the scale of the target."""
        T = np.diag(np.append(1 / self.scale, 1.0) if self.bias else 1 / self.scale)
        if self.bias:
            T[-1, :-1] = -self.center / self.scale
        return T

    def as_given(self) -> Array:
        """B = R_pp inv(T), shape (p, p), with B'B = [X 1]'[X 1]."""
        n_features = len(self.scale)
        B = self.R_pp.copy()
        B[:, :n_features] *= self.scale
        if self.bias:
            B[:, :n_features] += np.outer(self.R_pp[:, -1], self.center)
        return B

    @property
    def standard(self) -> Array:
        """D, shape (p,): R_pp diag(D) is the factor of columns with spread 1; 0 where the spread is 0."""
        D = np.divide(self.scale, self.spread, out=np.zeros_like(self.scale), where=self.spread > 0)
        return np.append(D, 1.0) if self.bias else D

    def svd(self) -> tuple[Array, Array, Array]:
        """U, S and V' of the standardised design matrix divided by sqrt(n), shapes (p, rank), (p,), (p, p).

        The first `rank` right singular vectors span the space in which the data determine the parameters, with S in
        descending order; the others are an orthonormal basis of the null space.
        """
        return self._decomposed[:3]

    @property
    def rank(self) -> int:
        """The numerical rank: how many singular values of `weighted_svd` are above 1.

        Everything that depends on a rank uses this one.
        """
        return self._decomposed[3]

    def standardized(self) -> Array:
        """The factor of the standardised design matrix, divided by sqrt(n), shape (p, p)."""
        scaled: Array = self.R_pp * self.standard / math.sqrt(self.n_samples)
        return scaled

    @cached_property
    def rounding(self) -> Array:
        """A bound on the rounding error of each standardised column, relative to its spread, shape (p,).

        That of the arithmetic, 64 EPS (p EPS if p > 64) times the largest singular value, plus that of storing the
        values, half a unit in the last place of the largest one. A column with a large mean and a small spread has few
        significant digits; other columns keep theirs.
        """
        stored = storing_error(self.largest, self.spread, self.eps)
        bounds = np.append(stored, 0.0) if self.bias else stored
        return np.maximum(arithmetic_error(self._filled()) + bounds, _SMALLEST)

    def weighted_svd(self) -> tuple[Array, Array]:
        """S and V' of the standardised design matrix with each column divided by its `rounding`, (p,) and (p, p).

        The rounding error of each column is then at most 1 (root mean square), so a singular value at or below 1 may be
        rounding error and nothing else. This does not depend on how singular vectors of similar singular values mix.
        """
        return self._weighted

    @cached_property
    def _weighted(self) -> tuple[Array, Array]:
        _, S, Vt = filled_svd(self._filled() / self.rounding)
        return S, Vt

    def _filled(self) -> Array:
        """The rows of `standardized` that are not 0 because there are fewer samples than parameters."""
        return self.standardized()[: min(self.n_samples, self.n_parameters)]

    @cached_property
    def _decomposed(self) -> tuple[Array, Array, Array, int]:
        """`svd` and `rank`."""
        Z, p = self._filled(), self.n_parameters
        if len(Z) == p:
            U, S, Vt = np.linalg.svd(Z)
            if p and S[-1] > self.rounding.max():  # then no weighted singular value is below 1
                return U, S, Vt, p
        weighted, rows = self.weighted_svd()
        rank = int(np.sum(weighted > 1))
        if rank == p:
            return U, S, Vt, p
        # Null vectors of the weighted columns, in the coordinates of the standardised ones, and their complement; the
        # complement is found first if it is smaller.
        if 2 * rank > p:
            null, kept = split((rows[rank:] / self.rounding).T)
        else:
            kept, null = split((rows[:rank] * self.rounding).T)
        U, S, Wt = np.linalg.svd(Z @ kept, full_matrices=False)
        U = np.vstack([U, np.zeros((p - len(U), rank))])
        rest = np.linalg.norm(Z @ null, axis=0)
        return U, np.append(S, rest), np.vstack([Wt @ kept.T, null.T]), rank

    def judged_by(self, eps: float) -> "Factor":
        """The same factor with another unit in the last place, as if the values were stored in another dtype."""
        return self if eps == self.eps else replace(self, eps=eps)

    def of_features(self, kept: Mask) -> "Factor":
        """The factor of the same rows with some of the columns of X.

        Args:
            kept: which ones, shape (d,).
        """
        parameters = np.append(kept, True) if self.bias else kept
        p, R = int(parameters.sum()), triangle(np.hstack([self.R_pp[:, parameters], self.R_pk]))
        return replace(
            self,
            center=self.center[kept],
            scale=self.scale[kept],
            spread=self.spread[kept],
            largest=self.largest[kept],
            R_pp=R[:p, :p],
            R_pk=R[:p, p:],
            rest_k=self.rest_k + np.sum(R[p:, p:] ** 2, axis=0),
        )

    @cached_property
    def bare(self) -> "Factor":
        """The same, with what was computed of it, but without weights: for a pass, whose parts have their own."""
        if self.root_n is None:
            return self
        found = copy.copy(self)
        object.__setattr__(found, "root_n", None)
        return found

    @cached_property
    def no_room(self) -> float:
        """A room 1 - h, for a leverage h, that is 0 within rounding error if it is not larger.

        Without such a row the columns are linearly dependent; likewise without a fold F of rows if the smallest
        eigenvalue of 1 - Q_F'Q_F is not larger. Rows of Q are off by about EPS times the condition number.
        """
        singular = self.svd()[1][: self.rank]
        condition = float(singular[0] / singular[-1]) if self.rank else 1.0
        return EPS * max(64.0, self.n_parameters, condition)

    @cached_property
    def inverse(self) -> Array:
        """inv(R_pp), shape (p, p); only for full rank."""
        return solve_triangle(self.R_pp, np.eye(self.n_parameters))

    def whiten(self, X_nd: npt.ArrayLike, at: At = None) -> Array:
        """Rows of an orthonormal basis Q of the column space, shape (n_rows, rank); QQ' is the hat matrix.

        Args:
            X_nd: some rows, as given.
            at: as that of `rows`.
        """
        return self.whiten_rows(self.rows(X_nd, at))

    def whiten_rows(self, A: Array) -> Array:
        """`whiten` for rows of A_s, as `rows` gives them.

        Multiplying by the inverse is as accurate as a substitution for each row: its columns solve (R + E) x = e with
        a small E, so A inv(R) is off by Q E inv(R).
        """
        if self.rank == self.n_parameters:
            return A @ self.inverse
        _, S, Vt = self.svd()
        reduced: Array = (A * self.standard) @ Vt[: self.rank].T / (S[: self.rank] * math.sqrt(self.n_samples))
        return reduced


def arithmetic_error(Z: Array) -> float:
    """A bound on the rounding error of the columns of a factor.

    64 EPS (p EPS if p > 64) times its largest singular value.

    Args:
        Z: shape (n_rows, p), of columns of one size; the bound is relative to that.
    """
    p = Z.shape[1]
    gram = Z.T @ Z if p <= len(Z) else Z @ Z.T  # its largest eigenvalue takes less than half the time of an SVD
    return EPS * max(64, p) * math.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0)) if gram.size else 0.0


def storing_error(largest: Array, spread: Array, eps: float) -> Array:
    """Half a unit in the last place of the largest value of each column, relative to its spread; 0 if that is 0."""
    half_unit = eps / 2 * power_of_two(largest)
    return np.divide(half_unit, spread, out=np.zeros_like(spread), where=spread > 0)


def blocks(n_rows: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of at most `size` rows that cover all rows once, in order."""
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def power_of_two(values: Array) -> Array:
    """The power of two at or below each value; 1 for 0."""
    _, exponent = np.frexp(values)
    return np.where(values > 0, np.ldexp(1.0, exponent - 1), 1.0)

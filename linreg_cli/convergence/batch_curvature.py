"""The curvature of mini-batches, which limits the learning rate if a step uses only some of the rows.

A row of the design matrix is a_i = (x_i, 1), times the square root of its weight where rows have weights. The loss of a
batch B of b rows and k targets has the Hessian H_B = 2 c_b (sum of a_i a_i' over B), where c_b is 1/(b k) for mse,
1/(2 b k) for half_mse and 1 for sse.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.least_squares.decompositions import triangle
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array, At, Factor, blocks, matrix
from linreg_cli.optim.losses import loss_scale

#: The number of rows in one batched SVD.
_CHUNK_ROWS = 16_384


@dataclass(frozen=True)
class BatchCurvature:
    """The largest curvature of the loss of a single batch.

    Attributes:
        largest: the largest eigenvalue of the Hessian of any batch, or an upper bound of it.
        is_exact: whether a batch attains `largest`; otherwise it is a bound.
        covers: the batches that it holds for, in words.
    """

    largest: float
    is_exact: bool
    covers: str


def any_batch(
    factor: Factor, X_nd: npt.ArrayLike, *, loss: str, batch_size: int, divided: DividedRows | None = None
) -> BatchCurvature:
    """An upper bound on the curvature of all batches of `batch_size` rows, and of the smaller last batch of an epoch.

    lambda_max(H_B) <= 2 c_b min(sum of |a_i|^2 over the b longest rows, lambda_max([X 1]'[X 1])), because the largest
    eigenvalue of a sum of positive semi-definite terms is at most its trace and at most that of the sum over all
    rows. The bound is exact for b = 1 and for b = n.

    Args:
        factor: of the train split.
        X_nd: the features of the train split in scaled units, shape (n_samples, n_features), any float dtype.
        loss: mse, sse or half_mse.
        batch_size: b, from 1 to n_samples.
        divided: the rows in parts, of which processes may have some each; None: one.
    """
    n, last = factor.n_samples, factor.n_samples % batch_size
    assert 1 <= batch_size <= n, (batch_size, n)
    rows = DividedRows(X_nd, X_nd, root_n=factor.root_n) if divided is None else divided
    each = rows.of_parts(_longest, bool(factor.bias), batch_size)
    longest = np.cumsum(np.sort(np.concatenate(each))[::-1][:batch_size])
    whole = float(np.linalg.norm(factor.as_given(), 2)) ** 2
    sizes = {batch_size, last or batch_size}
    largest = max(2 * loss_scale(loss, b, factor.n_targets) * min(float(longest[b - 1]), whole) for b in sizes)
    words = "every single row" if batch_size == 1 else f"every possible batch of {batch_size} rows"
    if last:
        words += f", and of the last {last} of an epoch"
    return BatchCurvature(largest, batch_size in (1, n), words)


def whole_batch(factor: Factor, *, loss: str) -> BatchCurvature:
    """The curvature of the full batch, exactly, from the factor alone; as `any_batch` with all rows."""
    whole = float(np.linalg.norm(factor.as_given(), 2)) ** 2
    largest = 2 * loss_scale(loss, factor.n_samples, factor.n_targets) * whole
    return BatchCurvature(largest, True, f"every possible batch of {factor.n_samples} rows")


def ordered_batches(factor: Factor, X_nd: npt.ArrayLike, *, loss: str, batch_size: int) -> BatchCurvature:
    """The largest curvature of the batches of the rows in the given order, exactly; the last batch may be smaller.

    The arguments are those of `any_batch`. Batches whose trace is below the largest eigenvalue so far are skipped.
    """
    X = matrix(X_nd)
    complete, last = divmod(factor.n_samples, batch_size)
    at_once, largest = max(1, _CHUNK_ROWS // batch_size), 0.0
    traces = np.empty(complete)
    for first in range(0, complete, at_once):  # the steepest of each few batches are likely to be the steepest of all
        part = traces[first : first + at_once]
        part[:] = _traces(factor, X, first, len(part), batch_size)
        likely = int(np.argmax(part))
        if part[likely] > largest:
            largest = max(largest, _largest_square(factor, X, np.array([first + likely]), batch_size))
            part[likely] = 0.0
    for first in range(0, complete, at_once):
        chosen = first + np.flatnonzero(traces[first : first + at_once] > largest)
        if len(chosen):
            largest = max(largest, _largest_square(factor, X, chosen, batch_size))
    found = 2 * loss_scale(loss, batch_size, factor.n_targets) * largest
    if last:
        tail = float(np.linalg.norm(_triangle(factor, X, slice(len(X) - last, len(X))), 2)) ** 2
        found = max(found, 2 * loss_scale(loss, last, factor.n_targets) * tail)
    return BatchCurvature(found, True, f"the batches of {batch_size} rows in the order given")


def _traces(factor: Factor, X: Any, first: int, count: int, batch_size: int) -> Array:
    """The sums of |a_i|^2 of `count` batches from one on, shape (count,); of a large batch piece by piece."""
    rows = range(first * batch_size, (first + count) * batch_size)
    if batch_size <= _CHUNK_ROWS:
        lengths = _squared_lengths(factor, X, slice(rows.start, rows.stop))
        each: Array = lengths.reshape(count, batch_size).sum(axis=1)
        return each
    pieces = (slice(start, min(start + _CHUNK_ROWS, rows.stop)) for start in rows[::_CHUNK_ROWS])
    return np.array([sum(float(_squared_lengths(factor, X, piece).sum()) for piece in pieces)])


def _largest_square(factor: Factor, X: Any, batches: npt.NDArray[np.intp], batch_size: int) -> float:
    """The largest squared singular value of the rows of one of some batches; of a large batch, of that alone."""
    if batch_size <= _CHUNK_ROWS:
        rows = (batches[:, None] * batch_size + np.arange(batch_size)).ravel()
        A = _design(factor, X[rows], rows).reshape(len(batches), batch_size, -1)
    else:
        (batch,) = batches.tolist()
        A = _triangle(factor, X, slice(batch * batch_size, (batch + 1) * batch_size))[None]
    return float(np.linalg.norm(A, 2, axis=(1, 2)).max()) ** 2


def _triangle(factor: Factor, X: Any, at: slice) -> Array:
    """The rows of [X 1] of a batch; of many rows a matrix with the same singular values, (p, p)."""
    found = np.empty((0, factor.n_parameters))
    for first in range(at.start, at.stop, _CHUNK_ROWS):
        rows = slice(first, min(first + _CHUNK_ROWS, at.stop))
        part = _design(factor, X[rows], rows)
        found = triangle(np.vstack([found, part])) if at.stop - at.start > _CHUNK_ROWS else part
    return found


def mean_square_curvature(
    factor: Factor, X_nd: npt.ArrayLike, *, loss: str, batch_size: int, divided: DividedRows | None = None
) -> float:
    """The curvature L of random batches in the mean square: below the rate 2 / L, E|theta - theta*|^2 decreases.

    E[H_B^2] <= L E[H_B] with L = R / b + (1 - 1/b) lambda_max(H), for rows drawn with replacement, where R is the
    smallest number with E[H_i^2] <= R E[H_i] over single rows. L is between the curvature of the whole train split
    and that of the worst batch. Below 2 / L, SGD without momentum converges in the mean square, up to the noise at the
    optimum. Above it, single runs may still converge.

    Args:
        factor: of the train split.
        X_nd: the features of the train split in scaled units, shape (n_samples, n_features), any float dtype.
        loss: mse, sse or half_mse; for sse, L is that of a batch's sum: b times that of its mean.
        batch_size: b.
        divided: the rows in the parts by which sums are added up; None: one.

    Source: P. Jain, S. Kakade, R. Kidambi, P. Netrapalli, A. Sidford, Parallelizing stochastic gradient descent
    for least squares regression, 2018.
    """
    rows = DividedRows(X_nd, X_nd, root_n=factor.root_n) if divided is None else divided
    fourth = in_order(rows.of_parts(_fourth_moments, factor.bare))
    per_row = 2 * loss_scale(loss, 1, factor.n_targets)
    single = per_row * float(np.linalg.eigvalsh(fourth)[-1])
    whole = per_row * float(np.linalg.norm(factor.as_given(), 2)) ** 2 / factor.n_samples
    mean = single / batch_size + (1 - 1 / batch_size) * whole
    return mean * (batch_size if loss == "sse" else 1)


def _fourth_moments(part: Part, factor: Factor) -> Array:
    """The sum over rows of |a|^2 q q', shape (rank, rank); a pass."""
    fourth = np.zeros((factor.rank, factor.rank))
    for rows in part.blocks(BLOCK_ROWS):
        X = part.X_nd[rows]
        q = factor.whiten_rows(part.weighted(factor.unweighted_rows(X), rows))
        lengths = part.weighted(part.weighted(_lengths(X, factor.bias), rows), rows)
        fourth += (q * lengths[:, None]).T @ q
    return fourth


def _squared_lengths(factor: Factor, X: Any, at: slice) -> Array:
    """|a_i|^2 of some rows, shape (n_rows,)."""
    return factor.weighted(factor.weighted(_lengths(X[at], factor.bias), at), at)


def _longest(part: Part, bias: bool, count: int) -> Array:
    """The `count` largest of |a_i|^2, in any order; a pass with no more of them in memory than twice as many."""
    found = np.empty(0)
    for rows in part.blocks(max(BLOCK_ROWS, count)):
        lengths = _lengths(part.X_nd[rows], bias)
        found = np.concatenate([found, part.weighted(part.weighted(lengths, rows), rows)])
        if len(found) > count:
            found.partition(len(found) - count)
            found = found[len(found) - count :]
    return found


def _lengths(X: Any, bias: bool) -> Array:
    """|a_i|^2 of some rows of X in memory, unweighted, shape (n_rows,)."""
    lengths = np.empty(len(X))
    for rows in blocks(len(X)):
        part = np.asarray(X[rows], dtype=np.float64)
        np.einsum("ij,ij->i", part, part, out=lengths[rows])
    lengths += bias
    return lengths


def _design(factor: Factor, X: npt.NDArray[np.generic], at: At) -> Array:
    A = np.asarray(X, dtype=np.float64)
    return factor.weighted(np.column_stack([A, np.ones(len(A))]) if factor.bias else A, at)

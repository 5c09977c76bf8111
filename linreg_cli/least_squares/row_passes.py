"""The passes over the rows that inference makes, part by part: what the rows have each, and sums over them.

Each pass takes a factor without weights (`Factor.bare`); those of the rows are the part's.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, Part, in_order
from linreg_cli.data.columns.kinds import BLOCK_ROWS as LARGE_BLOCK
from linreg_cli.data.columns.kinds import Codes, Values, pieces
from linreg_cli.data.columns.on_disk import NumberSink
from linreg_cli.least_squares.clusters import Clusters
from linreg_cli.least_squares.factor import BLOCK_ROWS, EPS, Array, Factor
from linreg_cli.least_squares.optimum import Optimum

#: The squared distance of a constant from the columns, relative to its own square, that is computed from the rows.
_NEARLY_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class Measured:
    """What inference needs of the rows, for one target; with weights, of the rows times the square roots of these.

    Attributes:
        residuals: of each row; empty where no rows were read.
        leverage: likewise.
        meats: the covariance of Q'y by HC3 and by clusters, for the orthonormal columns Q of `Factor.whiten`.
        has_constant: whether the columns add up to a constant, as an intercept or the indicators of all levels do.
        rss: the sum of squared residuals.
        squared_steps: the sum of the squared differences of residuals from row to row; nan where no rows were read.
        about_zero: the sum of the squares of the target, about zero; it may be a pass over the rows.
    """

    residuals: Values
    leverage: Values
    meats: Mapping[str, Array]
    has_constant: bool
    rss: float
    squared_steps: float
    about_zero: Callable[[], float]


def measure_rows(optimum: Optimum, rows: DividedRows, target: int, clusters: Clusters | None) -> Measured:
    """What inference needs, in one pass over the rows; without an intercept in up to two more."""
    factor, sink = optimum.factor, NumberSink(("residual", "leverage"))
    first, *further = [range(0)] if clusters is None else clusters.groups(factor.n_parameters)
    about, codes = (optimum.bare, target), None if clusters is None else clusters.codes
    found = rows.of_parts(_measures, *about, codes, first, keep=lambda *columns: sink.add(columns))
    meat, ones = (in_order(each) for each in list(zip(*found, strict=True))[:2])
    meats = {"HC3": meat}
    if clusters is not None and clusters.count > 1:
        squares = _squares([scores for *_, scores in found])
        del found  # whose scores take as much as those of the next group
        for group in further:
            squares += _squares(rows.of_parts(_scores, *about, codes, group))
        meats["cluster"] = clusters.meat(squares, factor.n_samples, factor.n_parameters)
    columns = sink.columns()
    residuals = columns["residual"]
    return Measured(
        residuals,
        columns["leverage"],
        meats,
        factor.bias or _spans_ones(optimum, rows, ones),
        sum(float(part @ part) for part in pieces(residuals)),
        _squared_steps(residuals),
        lambda: in_order(rows.of_parts(sum_of_squares, target)),
    )


def _measures(
    part: Part, optimum: Optimum, target: int, codes: Codes | None, group: range
) -> tuple[Array, Array, Array]:
    """Q' diag(e^2 / (1 - h)^2) Q, Q'1, and the sums of q e of each cluster of a group; keeps residual and leverage."""
    factor = optimum.factor
    meat, ones = np.zeros((factor.n_parameters,) * 2), np.zeros(factor.n_parameters)
    scores = np.zeros((len(group), factor.n_parameters))
    for rows in part.blocks(BLOCK_ROWS):
        q, residuals = _whitened_and_residuals(part, optimum, target, rows)
        leverage = np.einsum("ij,ij->i", q, q)
        part.keep(residuals, leverage)
        inflated = over_room(residuals, 1 - leverage, factor.no_room)
        weighted = q * inflated[:, None]
        meat += weighted.T @ weighted
        ones += q.sum(axis=0) if part.root_n is None else part.root_n[rows] @ q
        if codes is not None:
            _add_scores(scores, codes[part.among_all(rows)], group, q, residuals)
    return meat, ones, scores


def _scores(part: Part, optimum: Optimum, target: int, codes: Codes, group: range) -> Array:
    """The sums of q e of each cluster of a group, shape (len(group), p); a pass."""
    scores = np.zeros((len(group), optimum.factor.n_parameters))
    for rows in part.blocks(BLOCK_ROWS):
        own = codes[part.among_all(rows)]
        if np.any((own >= group.start) & (own < group.stop)):
            _add_scores(scores, own, group, *_whitened_and_residuals(part, optimum, target, rows))
    return scores


def _add_scores(scores: Array, codes: Codes, group: range, q: Array, residuals: Array) -> None:
    """Add q e of some rows to the scores of their clusters, of those that are in the group."""
    inside = (codes >= group.start) & (codes < group.stop)
    if not inside.all():
        codes, q, residuals = codes[inside], q[inside], residuals[inside]
    np.add.at(scores, codes - group.start if group.start else codes, q * residuals[:, None])


def _whitened_and_residuals(part: Part, optimum: Optimum, target: int, rows: slice) -> tuple[Array, Array]:
    """q and e of some rows, shapes (n_rows, p) and (n_rows,); with weights, times the roots of these."""
    factor, chosen = optimum.factor, slice(target, target + 1)
    scaled = factor.unweighted_rows(part.X_nd[rows])
    y = np.asarray(part.y_nk[rows][:, chosen], dtype=np.float64)
    residuals = part.weighted(optimum.residuals(y, scaled, chosen)[:, 0], rows)
    return factor.whiten_rows(part.weighted(scaled, rows)), residuals


def _squares(found: Sequence[Array]) -> Array:
    """S'S of the scores of some clusters, of which each part of the rows has found its own."""
    scores = in_order(found)
    squares: Array = scores.T @ scores
    return squares


def _spans_ones(optimum: Optimum, rows: DividedRows, ones: Array) -> bool:
    """Whether a constant column is a linear combination of the columns, within rounding error.

    Its length squared minus that of Q'1 would cancel: a column of 1e6 with a spread of 1 is not constant, and its
    difference of squares is 1e-12. So it is computed from the rows, where it may be small.

    Args:
        optimum: without an intercept.
        rows: those.
        ones: Q'1.
    """
    factor = optimum.factor
    if float(ones @ ones) < factor.n_samples * (1 - _NEARLY_CONSTANT):
        return False
    found = in_order(rows.of_parts(_distance_from_ones, factor.bare, factor.inverse @ ones))
    bound = 64 * EPS * optimum.condition_number
    return bool(math.sqrt(found / factor.n_samples) <= bound)


def _distance_from_ones(part: Part, factor: Factor, coefficients: Array) -> float:
    """The sum of w (1 - A c)^2 over the rows; a pass."""
    found = 0.0
    for rows in part.blocks(BLOCK_ROWS):
        rest = part.weighted(1 - factor.unweighted_rows(part.X_nd[rows]) @ coefficients, rows)
        found += float(rest @ rest)
    return found


def _squared_steps(residuals: Values) -> float:
    total, last = 0.0, np.zeros(0)
    for part in pieces(residuals):
        steps = np.diff(part, prepend=last)
        total += float(steps @ steps)
        last = part[-1:]
    return total


def over_room(residuals: Array, room: Array, no_room: float) -> Array:
    """Residuals over 1 - leverage; NaN (0 / 0) for a row of leverage 1, which alone determines a coefficient."""
    inflated: Array = np.divide(residuals, room, out=np.full_like(room, math.nan), where=room > no_room)
    return inflated


def sum_of_squares(part: Part, target: int) -> float:
    """The sum of the squares of a target about zero; a pass."""
    found = 0.0
    for rows in part.blocks(LARGE_BLOCK):
        some = part.weighted(np.asarray(part.y_nk[rows][:, target], dtype=np.float64), rows)
        found += float(some @ some)
    return found


def terms_of_variances(part: Part, factor: Factor, to_q: Array) -> tuple[Array, Array]:
    """The sums of w and of w^2 over the rows, w = c^2 / (1 - h), shapes (m,); a pass.

    Args:
        part: the rows.
        factor: of all rows.
        to_q: the coefficients are to_q Q'y = sum of c_i y_i, shape (m, p).
    """
    first, second = np.zeros(len(to_q)), np.zeros(len(to_q))
    for rows in part.blocks(BLOCK_ROWS):
        q = _whitened(part, factor, rows)
        w = (q @ to_q.T) ** 2 / np.maximum(1 - np.einsum("ij,ij->i", q, q), factor.no_room)[:, None]
        first += w.sum(axis=0)
        second += np.einsum("ij,ij->j", w, w)
    return first, second


def steps_of_basis(part: Part, factor: Factor) -> tuple[float, Array, Array]:
    """The sum of the squared steps of Q from row to row, and its first and last row, (1, p) each; a pass."""
    steps, last, first = 0.0, np.zeros((0, factor.n_parameters)), np.zeros((0, factor.n_parameters))
    for rows in part.blocks(BLOCK_ROWS):
        q = np.vstack([last, _whitened(part, factor, rows)])
        first = first if len(first) else q[:1]
        step = np.diff(q, axis=0)
        steps += float(np.einsum("ij,ij->", step, step))
        last = q[-1:]
    return steps, first, last


def _whitened(part: Part, factor: Factor, rows: slice) -> npt.NDArray[Any]:
    return factor.whiten_rows(part.weighted(factor.unweighted_rows(part.X_nd[rows]), rows))

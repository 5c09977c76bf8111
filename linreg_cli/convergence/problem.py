"""What gradient descent meets on one table: the optimum, the curvature, where it starts; and how a run will go.

Everything is worked out when first asked for, in trained units, from the very numbers that are trained on.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.convergence.batch_curvature import BatchCurvature, any_batch, mean_square_curvature, ordered_batches
from linreg_cli.convergence.forecast import Forecast, forecast
from linreg_cli.convergence.gradient_noise import Noise, batch_noise
from linreg_cli.convergence.rate_search import BatchProblem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.least_squares import solve
from linreg_cli.least_squares.dependence import Combination, combinations, dependent_columns
from linreg_cli.least_squares.factor import EPS, Array, Factor, factorise
from linreg_cli.least_squares.robust import RobustOptimum, robust_optimum
from linreg_cli.least_squares.solve import Optimum, least_squares
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.stopping import Distance

#: A decomposition takes about 2 n p^2 operations for n rows and p parameters: up to here it is a matter of seconds.
MOST_WORK = 1e10
MOST_PARAMETERS = 2_000
#: mae is a linear programme, which grows faster; larger tables get no optimum without being asked for one.
MOST_ROBUST_CELLS = 50_000
#: Squares of larger values leave the range of a float.
_LARGEST = 1e140


def too_costly(n_samples: int, n_parameters: int) -> str | None:
    """Why the optimum of a table is not worked out, or None: more than 2,000 parameters, or n p^2 above 1e10."""
    if n_parameters > MOST_PARAMETERS:
        return f"the optimum is worked out for up to {MOST_PARAMETERS:,} parameters, and there are {n_parameters:,}"
    if n_samples * n_parameters**2 > MOST_WORK:
        return (
            f"the optimum is worked out where rows x parameters^2 is at most {MOST_WORK:g}, and here it is "
            f"{n_samples * n_parameters**2:.3g}"
        )
    return None


@dataclass(eq=False)
class Problem:
    """A plan, the rows that it trains on, and where it starts.

    The cached values depend on neither the rate nor the momentum of the plan, which are arguments of what does.

    Attributes:
        plan: loss, batches, order of the rows, penalty, epochs; its rate and its momentum are read by `rule` alone.
        X_nd: the train split in trained units, shape (n_samples, n_features), of the dtype that is trained in.
        y_nk: shape (n_samples, n_targets), of the same dtype.
        features: names of the columns of X.
        start: initial weights, shape (n_features, n_targets), and bias, shape (n_targets,), or None without one.
        patient: whether a large table may take minutes; otherwise its optimum is not worked out, see `too_costly`.
        eps: the unit in the last place of the dtype that is trained in, which ranks and rounding are judged by; None:
            that of X's own.
    """

    plan: StepPlan
    X_nd: npt.NDArray[Any]
    y_nk: npt.NDArray[Any]
    features: tuple[str, ...]
    start: tuple[Array, Array | None]
    patient: bool = False
    eps: float | None = None

    def with_plan(self, plan: StepPlan) -> "Problem":
        """The same problem at another rate and momentum; what has been worked out is kept."""
        same = replace(
            plan,
            learning_rate=self.plan.learning_rate,
            momentum=self.plan.momentum,
            dampening=self.plan.dampening,
            nesterov=self.plan.nesterov,
        )
        assert same == self.plan, (same, self.plan)
        other = copy.copy(self)
        other.plan = plan
        return other

    @property
    def bias(self) -> bool:
        """Whether the model has an intercept."""
        return self.start[1] is not None

    @property
    def rule(self) -> SgdRule:
        """How SGD moves under the plan."""
        return SgdRule.of(self.plan)

    @property
    def batch_share(self) -> float:
        """A batch's expected loss as a share of the whole loss: 1, but for mini-batches of a sum (sse)."""
        return self.plan.batch_size / self.plan.n_samples if self.plan.loss.is_sum else 1.0

    @property
    def curvature_loss(self) -> str:
        """The squared loss whose curvature this is; of huber, that of half_mse is the most that it reaches."""
        return "half_mse" if self.plan.loss.name == "huber" else self.plan.loss.name

    # What can be known

    @cached_property
    def no_factor_reason(self) -> str | None:
        """Why the rows cannot be factorised, or None."""
        if not max(_largest(values) for values in (self.X_nd, self.y_nk)) < _LARGEST:
            return "the squares of the values are beyond the range of float64"
        return None if self.patient else too_costly(len(self.X_nd), self.X_nd.shape[1] + self.bias)

    @property
    def no_curvature_reason(self) -> str | None:
        """Why there is no curvature to speak of, or None."""
        if self.plan.loss.name == "mae":
            return "loss: mae has a kink and no curvature"
        return self.no_factor_reason

    @property
    def no_optimum_reason(self) -> str | None:
        """Why there is no exact optimum, or None."""
        return self.no_curvature_reason if self.plan.loss.is_squared else self._robust[1]

    @property
    def is_quadratic(self) -> bool:
        """Whether the loss is a quadratic whose curvature is known, so that limits and forecasts are exact."""
        return self.plan.loss.is_squared and self.no_curvature_reason is None

    # The optimum

    @cached_property
    def factor(self) -> Factor:
        """The train split as one triangle; only where `no_factor_reason` is None."""
        assert self.no_factor_reason is None
        return self.optimum.factor if self.optimum else factorise(self.X_nd, self.y_nk, bias=self.bias, eps=self.eps)

    @cached_property
    def optimum(self) -> Optimum | None:
        """The optimum of a squared loss, of its objective where there is weight decay."""
        if not self.is_quadratic:
            return None
        # Each batch of a sum adds the whole penalty to its share of the loss.
        penalty = self.plan.weight_decay / self.batch_share
        loss = self.plan.loss.name
        return least_squares(self.X_nd, self.y_nk, bias=self.bias, loss=loss, weight_decay=penalty, eps=self.eps)

    @property
    def robust(self) -> RobustOptimum | None:
        """The optimum of a loss that is not squared."""
        return None if self.plan.loss.is_squared else self._robust[0]

    @cached_property
    def _robust(self) -> tuple[RobustOptimum | None, str | None]:
        loss = self.plan.loss
        if self.X_nd.size > MOST_ROBUST_CELLS:
            return None, (
                f"for loss: {loss.name} the optimum is worked out for up to {MOST_ROBUST_CELLS:,} cells, and "
                f"there are {self.X_nd.size:,}"
            )
        if self.no_factor_reason:
            return None, self.no_factor_reason
        return robust_optimum(
            self.X_nd,
            self.y_nk,
            bias=self.bias,
            loss=loss.name,
            huber_delta=loss.huber_delta,
            weight_decay=self.plan.weight_decay,
        )

    def distance(self, weights: Array, bias: Array | None, train_loss: float) -> Distance | None:
        """How far parameters in trained units are from the optimum; None where none is known.

        Args:
            weights: shape (n_features, n_targets).
            bias: shape (n_targets,), or None.
            train_loss: over the train split.
        """
        if self.optimum is None:
            if self.robust is None:
                return None
            gap, base = solve.gap(train_loss, self.robust.train_loss, self.robust.constant_loss)
            return Distance(gap, None, base)
        with np.errstate(over="ignore", invalid="ignore"):
            excess = self.optimum.excess(weights, bias)
        zero, against = self.optimum.objective <= self.optimum.rounding_loss, self.optimum.relative_to
        base = "constant" if zero else "optimum"
        if against <= 0:
            return Distance(0.0 if excess <= self.optimum.rounding_loss else None, None, base)
        # Rounding of the optimum itself, and of the numbers that were trained on, counts against the run.
        rounding = math.sqrt(self.optimum.rounding_loss)
        certain = (math.sqrt(excess) + rounding) ** 2 / against if excess >= 0 else None
        return Distance(excess / against if math.isfinite(excess / against) else None, certain, base)

    # Columns

    @property
    def dependent_columns(self) -> tuple[str, ...]:
        """Every column that takes part in a linear dependence; see `least_squares.dependence.dependent_columns`."""
        return dependent_columns(self.factor, self.features)

    @property
    def combinations(self) -> list[Combination]:
        """The columns that others give, and how; see `least_squares.dependence.combinations`."""
        return combinations(self.factor, self.features)

    # The curvature

    @cached_property
    def spectrum(self) -> Spectrum:
        """The curvature of the whole loss, without the penalty; only where `no_curvature_reason` is None."""
        assert self.no_curvature_reason is None
        return curvature(self.factor, self.curvature_loss)

    @cached_property
    def step_spectrum(self) -> Spectrum:
        """The curvature that a step meets on average: `spectrum`, but for mini-batches of a sum."""
        return self.spectrum.scaled(self.batch_share)

    @cached_property
    def standardized_curvature(self) -> float:
        """The largest curvature that a step would meet with every column standardised."""
        n, k = self.factor.n_samples, self.factor.n_targets
        largest = float(self.factor.svd()[1].max(initial=0.0)) ** 2 * n
        return 2 * loss_scale(self.curvature_loss, n, k) * largest * self.batch_share

    @cached_property
    def batches(self) -> BatchCurvature:
        """The largest curvature of the batches of the plan."""
        measure = any_batch if self.plan.shuffle or self.plan.is_full_batch else ordered_batches
        return measure(self.factor, self.X_nd, loss=self.curvature_loss, batch_size=self.plan.batch_size)

    @cached_property
    def mean_square_curvature(self) -> float:
        """See `linreg_cli.convergence.batch_curvature`; 0 where nothing is curved."""
        if not self.factor.rank:
            return 0.0
        return mean_square_curvature(self.factor, self.X_nd, loss=self.curvature_loss, batch_size=self.plan.batch_size)

    # The way from the start

    def distances(self, weights: Array, bias: Array | None) -> Array:
        """Of parameters (d, k) and (k,) from the optimum, along each eigenvector of the curvature, shape (p, k)."""
        assert self.optimum is not None
        return self.spectrum.distances(self.optimum, weights, bias)

    @cached_property
    def start_distances(self) -> Array:
        """Of the initial parameters from the optimum, along each eigenvector, shape (n_parameters, n_targets)."""
        return self.distances(*self.start)

    @cached_property
    def noise(self) -> Noise | None:
        """What mini-batches add to the mean dynamics; None for a full batch."""
        if self.plan.is_full_batch:
            return None
        assert self.optimum is not None
        loss, size = self.plan.loss.name, self.plan.batch_size
        return batch_noise(self.spectrum, self.optimum, self.X_nd, self.y_nk, loss=loss, batch_size=size)

    @property
    def relative_to(self) -> float:
        """The loss that gaps are relative to, as a step sees it: `Optimum.relative_to` times `batch_share`."""
        assert self.optimum is not None
        return self.optimum.relative_to * self.batch_share

    def batch_problem(self, rule: SgdRule) -> BatchProblem:
        """What a choice of the rate for its mini-batches depends on."""
        assert self.noise is not None
        return BatchProblem(
            self.step_spectrum, self.start_distances, self.batches.largest, rule, self.noise, self.relative_to
        )

    def forecast(
        self, rate: float | Callable[[int], float], rule: SgdRule, targets: tuple[float, ...], *, full: bool = False
    ) -> Forecast:
        """When a run arrives; see `linreg_cli.convergence.forecast.forecast`.

        Args:
            rate: a learning rate, or epoch (from 0) -> learning rate.
            rule: how SGD moves.
            targets: relative gaps.
            full: whether to ask for a full batch, whatever the plan says.
        """
        assert self.optimum is not None
        return forecast(
            self.spectrum if full else self.step_spectrum,
            self.start_distances,
            rate=rate,
            rule=rule,
            relative_to=self.optimum.relative_to if full else self.relative_to,
            targets=targets,
            noise=None if full else self.noise,
        )

    def rounding_gap(self, lr: float, rule: SgdRule) -> float:
        """The gap near which steps get too small to change parameters of the trained dtype, roughly.

        A parameter p rests once lr |g| is below half a unit in its last place, at most eps |p| / 2. With gradients
        spread evenly up to there the objective is above its optimum by the sum of (v_i'd)^2 / 6 h_i over eigenvectors
        v_i of curvature h_i, with d = eps |p| / (2 lr).

        Args:
            lr: the rate.
            rule: how SGD moves.
        """
        optimum = self.optimum
        assert optimum is not None
        if rule.gain <= 0 or not self.spectrum.largest > 0:
            return 0.0
        eps = self.eps or float(np.finfo(self.X_nd.dtype).eps)
        h = self.step_spectrum.eigenvalues + rule.weight_decay
        parameters = optimum.weights if optimum.bias is None else np.vstack([optimum.weights, optimum.bias])
        rest = eps * np.abs(parameters) / 2 / (lr * rule.gain / (1 - rule.momentum))
        curved = h > EPS * h.max(initial=0.0)
        squares = (self.spectrum.eigenvectors[:, curved] ** 2).T @ rest**2
        excess = float(np.sum(squares / (6 * h[curved, None])))
        return excess / self.relative_to if self.relative_to > 0 else 0.0


def _largest(values: npt.NDArray[Any]) -> float:
    """The largest absolute value, without a copy of the array."""
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))

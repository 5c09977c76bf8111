"""The optimisation problem of one run: the optimum, the curvature, the initial distance, and the forecast of training.

Everything is computed on first access, in scaled units, from the values that are used for training.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from linreg_cli.convergence import affordable
from linreg_cli.convergence.batch_curvature import BatchCurvature, any_batch, ordered_batches, whole_batch
from linreg_cli.convergence.constant import best_constant_loss
from linreg_cli.convergence.dynamics import Modes
from linreg_cli.convergence.fixed_order import FixedOrder
from linreg_cli.convergence.fixed_order_forecast import fixed_order_forecast
from linreg_cli.convergence.forecast import Forecast, final_gap, forecast
from linreg_cli.convergence.gaps import measured
from linreg_cli.convergence.gradient_noise import Noise, batch_noise
from linreg_cli.convergence.rate_search import BatchProblem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.data.columns.divided import Divide, DividedRows
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess, in_memory
from linreg_cli.least_squares import solve
from linreg_cli.least_squares.dependence import Combination, combinations, dependent_columns
from linreg_cli.least_squares.factor import Array, Factor
from linreg_cli.least_squares.factorise import factorise_rows
from linreg_cli.least_squares.robust import RobustOptimum, robust_optimum
from linreg_cli.least_squares.solve import Optimum, of_factor, of_rows
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.stopping import Distance

#: Why something is not computed from rows on the disk.
ON_DISK = "the rows stay on the disk (data.stream)"


@dataclass(eq=False)
class Problem:
    """A plan, the train split, and the initial parameters.

    The cached values do not depend on the rate and the momentum of the plan. What depends on them takes them as
    arguments.

    Attributes:
        plan: loss, batches, order of the rows, penalty, epochs; its rate and its momentum are used by `rule` only.
        X_nd: the features of the train split in scaled units, shape (n_samples, n_features), in the dtype of training,
            in memory, or on the disk, where they are read in blocks.
        y_nk: the targets, shape (n_samples, n_targets), in the same dtype.
        features: the names of the columns of X.
        start: the initial weights, shape (n_features, n_targets), and bias, shape (n_targets,); None without an
            intercept.
        allow_slow: whether a table with many rows may take minutes; otherwise see `affordable.too_costly`. The limit on
            the parameters, whose cost is their cube in time and square in memory, stays.
        eps: the machine epsilon that rank and rounding error are judged by; None: that of the dtype of X.
        weight_n: the weights of the rows, with mean 1, in the precision of training, shape (n_samples,), float64; None:
            all are 1.
        given: X, y and the weights in float64, as the table has them and in its order, for a training in float32; None
            if they are those above.
        measured: the factor of X and y, where their rows were not read; those have a shape and a dtype only.
        divide: gives rows of the train split in the parts by which sums over them are added up.
        exact: exact fits that were computed, by what they are of; problems of the same rows may share them.
        results: what was computed, such as by `mean_square.mean_square`, by what it depends on.
    """

    plan: StepPlan
    X_nd: Matrix
    y_nk: Matrix
    features: tuple[str, ...]
    start: tuple[Array, Array | None]
    allow_slow: bool = False
    eps: float | None = None
    given: Callable[[], DividedRows] | None = None
    weight_n: Array | None = None
    measured: Factor | None = None
    divide: Divide = DividedRows
    exact: dict[str, Optimum] = field(default_factory=dict, init=False, repr=False)
    results: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def with_plan(self, plan: StepPlan) -> "Problem":
        """The same problem, with its cached values, at another rate and momentum; the rest of the plan must agree."""
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
        """The parameters of SGD of the plan."""
        return SgdRule.of(self.plan)

    @property
    def unit(self) -> float:
        """The machine epsilon that rank and rounding error are judged by."""
        return self.eps or float(np.finfo(self.X_nd.dtype).eps)

    @property
    def batch_share(self) -> float:
        """The expected loss of a batch divided by that of the train split: batch_size / n_samples for sse, else 1."""
        return self.plan.batch_size / self.plan.n_samples if self.plan.loss.is_sum else 1.0

    @property
    def curvature_loss(self) -> str:
        """The squared loss whose curvature is used: the loss itself; for huber half_mse, which is an upper bound."""
        return "half_mse" if self.plan.loss.name == "huber" else self.plan.loss.name

    # What can be computed

    @cached_property
    def range_reason(self) -> str | None:
        """Why nothing can be computed from squares of the values; None if it can."""
        if self.measured is not None:
            return affordable.out_of_range(self.measured.largest[None], self.measured.target_largest[None])
        X_Sd, y_Sk = map(np.stack, zip(*self.parts.of_parts(affordable.largest), strict=True))
        return affordable.out_of_range(X_Sd, y_Sk)

    @property
    def no_factor_reason(self) -> str | None:
        """Why the train split is not factorised; None if it is."""
        n_samples = 0 if self.allow_slow or self.measured is not None else len(self.X_nd)
        return self.range_reason or affordable.too_costly(n_samples, self.X_nd.shape[1] + self.bias)

    @property
    def no_curvature_reason(self) -> str | None:
        """Why the curvature is not available; None if it is."""
        if self.plan.loss.name == "mae":
            return "loss: mae is piecewise linear and has no curvature"
        return self.no_factor_reason

    @property
    def no_optimum_reason(self) -> str | None:
        """Why the exact optimum is not available; None if it is."""
        return self.no_curvature_reason if self.plan.loss.is_squared else self._robust[1]

    @property
    def is_quadratic(self) -> bool:
        """Whether the loss is quadratic and its curvature is available, so that limits and forecasts are exact."""
        return self.plan.loss.is_squared and self.no_curvature_reason is None

    # The optimum

    @cached_property
    def factor(self) -> Factor:
        """The triangular factor of the train split; only if `no_factor_reason` is None."""
        assert self.no_factor_reason is None
        if self.measured is not None:
            return self.measured
        if self.optimum:
            return self.optimum.factor
        return factorise_rows(self.parts, bias=self.bias, eps=self.eps)

    @cached_property
    def optimum(self) -> Optimum | None:
        """The optimum of a squared loss with the penalty of the weight decay; None if it is not available."""
        if not self.is_quadratic:
            return None
        # For sse, the step of a mini-batch has the whole penalty and batch_share of the loss.
        if "trained" not in self.exact:
            self.exact["trained"] = self._solved(lambda: self.parts, self.eps)
        return self.exact["trained"]

    @cached_property
    def parts(self) -> DividedRows:
        """The rows that are trained on, in the parts by which sums over them are added up."""
        return self.divide(self.X_nd, self.y_nk, self.weight_n)

    @cached_property
    def optimum_as_given(self) -> Optimum | None:
        """`optimum` of the table before its values were rounded to float32, in the same scaled units."""
        if self.given is None or self.optimum is None:
            return self.optimum
        return self._solved(lambda: self.given_rows, None)

    @cached_property
    def given_rows(self) -> DividedRows:
        """The rows of `given`, always the same ones; only if there are some."""
        assert self.given is not None
        return self.given()

    def _solved(self, of: Callable[[], DividedRows], eps: float | None) -> Optimum:
        penalty, loss = self.plan.weight_decay / self.batch_share, self.plan.loss.name
        if self.measured is not None:
            return of_factor(self.measured, loss=loss, weight_decay=penalty)
        return of_rows(of(), bias=self.bias, loss=loss, weight_decay=penalty, eps=eps)

    @property
    def robust(self) -> RobustOptimum | None:
        """The optimum of mae or huber; None for a squared loss, or if it is not available."""
        return None if self.plan.loss.is_squared else self._robust[0]

    @cached_property
    def _robust(self) -> tuple[RobustOptimum | None, str | None]:
        loss = self.plan.loss
        if self.range_reason:
            return None, self.range_reason
        if not in_memory(self.X_nd, self.y_nk):
            return None, f"for loss: {loss.name} the optimum is computed from rows in memory; {ON_DISK}"
        return robust_optimum(
            np.asarray(self.X_nd),
            np.asarray(self.y_nk),
            bias=self.bias,
            loss=loss.name,
            huber_delta=loss.huber_delta,
            weight_decay=self.plan.weight_decay,
            weights=self.weight_n,
        )

    def distance(
        self, weights: Array, bias: Array | None, train_loss: float, *, certify: bool = False
    ) -> Distance | None:
        """`distances_of` for one state: weights (n_features, n_targets), bias (n_targets,) or None."""
        return self.distances_of(weights[None], None if bias is None else bias[None], [train_loss], certify=certify)[0]

    def distances_of(
        self, weights: Array, bias: Array | None, losses: Sequence[float], *, certify: bool = False
    ) -> Sequence[Distance | None]:
        """The gaps of N parameters, in scaled units, to the optimum of the numbers that are trained on, if available.

        Args:
            weights: shape (N, n_features, n_targets).
            bias: shape (N, n_targets); None without an intercept.
            losses: on the train split, without the penalty, N numbers; used for mae and huber only.
            certify: whether an upper bound on the gap to the optimum of the table as given is wanted (squared losses).
        """
        if self.optimum is not None:
            return measured(self.optimum, self.optimum_as_given if certify else None, weights, bias)
        if self.robust is None:
            return [None] * len(losses)
        found = (solve.gap(loss, self.robust.train_loss, self.robust.constant_loss) for loss in losses)
        return [Distance(gap, None, base) for gap, base in found]

    @cached_property
    def constant_loss(self) -> float:
        """The lowest loss of a constant prediction; see `Loss.of_best_constant`."""
        if self.measured is not None:
            assert self.optimum is not None
            return self.optimum.constant_loss
        if in_memory(self.y_nk):
            weights = None if self.weight_n is None else torch.from_numpy(self.weight_n)
            return self.plan.loss.of_best_constant(torch.from_numpy(np.asarray(self.y_nk)), weights)
        assert isinstance(self.y_nk, RowsOnAccess)
        return best_constant_loss(self.plan.loss, self.y_nk, self.weight_n)

    # Columns

    @cached_property
    def dependent_columns(self) -> tuple[str, ...]:
        """The columns of all linear dependences; see `least_squares.dependence.dependent_columns`."""
        return dependent_columns(self.factor, self.features)

    @cached_property
    def combinations(self) -> list[Combination]:
        """Columns as linear combinations of others; see `least_squares.dependence.combinations`."""
        return combinations(self.factor, self.features)

    # The curvature

    @cached_property
    def spectrum(self) -> Spectrum:
        """The curvature of the loss on the train split, without the penalty; only if `no_curvature_reason` is None."""
        assert self.no_curvature_reason is None
        return curvature(self.factor, self.curvature_loss)

    @cached_property
    def step_spectrum(self) -> Spectrum:
        """The curvature of the expected loss of a batch: `spectrum` times `batch_share`."""
        return self.spectrum.scaled(self.batch_share)

    @cached_property
    def standardized_curvature(self) -> float:
        """The largest curvature of the expected loss of a batch if every column were standardised."""
        n, k = self.factor.n_samples, self.factor.n_targets
        largest = float(self.factor.svd()[1].max(initial=0.0)) ** 2 * n
        return 2 * loss_scale(self.curvature_loss, n, k) * largest * self.batch_share

    @cached_property
    def batches(self) -> BatchCurvature:
        """The largest curvature of any batch of the plan; see `linreg_cli.convergence.batch_curvature`."""
        if self.measured is not None:
            assert self.plan.is_full_batch
            return whole_batch(self.measured, loss=self.curvature_loss)
        size, loss = self.plan.batch_size, self.curvature_loss
        if self.plan.rows.is_random or self.plan.is_full_batch:
            return any_batch(self.factor, self.X_nd, loss=loss, batch_size=size, divided=self.parts)
        return ordered_batches(self.factor, self.X_nd, loss=loss, batch_size=size)

    # The dynamics

    def distances(self, weights: Array, bias: Array | None) -> Array:
        """The distance from the optimum along each eigenvector, shape (n_parameters, n_targets).

        Args:
            weights: shape (n_features, n_targets).
            bias: shape (n_targets,); None without an intercept.
        """
        assert self.optimum is not None
        return self.spectrum.distances(self.optimum, weights, bias)

    @cached_property
    def start_distances(self) -> Array:
        """The `distances` of the initial parameters, shape (n_parameters, n_targets)."""
        return self.distances(*self.start)

    @cached_property
    def noise(self) -> Noise | None:
        """The noise of the mini-batch gradients; None for a full batch."""
        if self.plan.is_full_batch:
            return None
        assert self.optimum is not None
        loss, size = self.plan.loss.name, self.plan.batch_size
        return batch_noise(
            self.spectrum, self.optimum, self.X_nd, self.y_nk, loss=loss, batch_size=size, divided=self.parts
        )

    @property
    def relative_to(self) -> float:
        """The loss that gaps are relative to, in the units of a step: `Optimum.relative_to` times `batch_share`."""
        assert self.optimum is not None
        return self.optimum.relative_to * self.batch_share

    @property
    def has_fixed_order(self) -> bool:
        """Whether the mini-batches are the same in every epoch."""
        return not (self.plan.is_full_batch or self.plan.rows.is_random)

    @cached_property
    def fixed_order(self) -> FixedOrder | None:
        """The exact dynamics of mini-batches in a fixed order; None for other plans."""
        if not self.has_fixed_order:
            return None
        assert self.optimum is not None
        data, plan = (self.spectrum, self.optimum, self.X_nd, self.y_nk, self.start_distances), self.plan
        return FixedOrder.of(*data, loss=plan.loss.name, batch_size=plan.batch_size, steepest=self.batches.largest)

    def batch_problem(self, rule: SgdRule) -> BatchProblem:
        """The data for the search of a mini-batch rate, with the momentum and weight decay of `rule`."""
        assert self.noise is not None
        return BatchProblem(
            self.step_spectrum, self.start_distances, self.batches.largest, rule, self.noise, self.relative_to
        )

    def forecast(
        self,
        rate: float | Callable[[int], float],
        rule: SgdRule,
        targets: tuple[float, ...],
        *,
        full_batch: bool = False,
        epochs: int | None = None,
    ) -> Forecast:
        """The number of epochs to each gap; see `forecast.forecast` and `fixed_order_forecast.fixed_order_forecast`.

        Args:
            rate: a learning rate, or a schedule: epoch (from 0) -> learning rate.
            rule: the parameters of SGD.
            targets: relative gaps.
            full_batch: forecast a full batch instead of the batches of the plan.
            epochs: the length of the run, for the final gap; None: that of the plan.
        """
        assert self.optimum is not None
        epochs = epochs or self.plan.epochs
        if self.fixed_order is not None and not full_batch:
            return fixed_order_forecast(self.fixed_order, rate=rate, rule=rule, targets=targets, epochs=epochs)
        return forecast(
            self.spectrum if full_batch else self.step_spectrum,
            self.start_distances,
            rate=rate,
            rule=rule,
            relative_to=self.optimum.relative_to if full_batch else self.relative_to,
            targets=targets,
            epochs=epochs,
            noise=None if full_batch else self.noise,
        )

    def final_gap(
        self, rate: float, rule: SgdRule, epochs: int, shape: Callable[[int], float] | None = None
    ) -> float | None:
        """The relative gap after the last epoch, for a comparison of rates: exact, or for random batches expected.

        It costs less than a `forecast`, and asks for no limit of the rate. For a constant target it is absolute. The
        arguments are those of `forecast.final_gap`.

        Returns:
            The gap, infinite if it overflows; None for a fixed order whose map is too costly.
        """
        if self.fixed_order is not None:
            return self.fixed_order.final_gap(rate, rule, epochs, shape)
        base = self.relative_to or 1.0
        modes = Modes.of(self.step_spectrum, self.start_distances, rule, self.noise)
        return final_gap(modes, rate, base, epochs, shape)

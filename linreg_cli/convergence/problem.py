"""The optimisation problem of one run: what is fitted, its curvature, the initial distance, the forecast of training.

Everything is computed on first access, in scaled units, from the values that are used for training.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from linreg_cli.convergence.batch_curvature import BatchCurvature, any_batch, ordered_batches, whole_batch
from linreg_cli.convergence.dynamics import Modes
from linreg_cli.convergence.fit_problem import FitProblem
from linreg_cli.convergence.fixed_order import FixedOrder
from linreg_cli.convergence.fixed_order_forecast import fixed_order_forecast
from linreg_cli.convergence.forecast import Forecast, final_gap, forecast
from linreg_cli.convergence.gradient_noise import Noise, batch_noise
from linreg_cli.convergence.rate_search import BatchProblem
from linreg_cli.convergence.rates import SgdRule
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.least_squares.factor import Array
from linreg_cli.optim.losses import loss_scale
from linreg_cli.optim.plan import StepPlan


@dataclass(eq=False)
class Problem(FitProblem):
    """A plan, the train split, and the initial parameters: how the steps of the plan approach the optimum.

    The cached values do not depend on the rate and the momentum of the plan. What depends on them takes them as
    arguments.
    """

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
    def rule(self) -> SgdRule:
        """The parameters of SGD of the plan."""
        return SgdRule.of(self.plan)

    @property
    def curvature_loss(self) -> str:
        """The squared loss whose curvature is used: the loss itself; for huber half_mse, which is an upper bound."""
        return "half_mse" if self.plan.loss.name == "huber" else self.plan.loss.name

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
        size, loss = self.plan.batch_size, self.curvature_loss
        if self.plan.is_full_batch:
            return whole_batch(self.factor, loss=loss)
        if self.plan.rows.is_random:
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

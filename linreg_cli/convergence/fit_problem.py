"""What is fitted: the train rows with a loss, and what linear algebra says of them, whatever the steps are.

Everything is computed on first access, in scaled units, from the values that are used for training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from linreg_cli.convergence import affordable
from linreg_cli.convergence.constant import best_constant_loss
from linreg_cli.convergence.gaps import measured
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.row_weights import Weights
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess, in_memory
from linreg_cli.least_squares.dependence import Combination, combinations, dependent_columns
from linreg_cli.least_squares.factor import Array, Factor
from linreg_cli.least_squares.factorise import factorise_rows
from linreg_cli.least_squares.optimum import Optimum, gap
from linreg_cli.least_squares.robust import RobustOptimum, robust_optimum
from linreg_cli.least_squares.solve import of_factor, of_rows
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.stopping import Distance


@dataclass(eq=False)
class FitProblem:
    """The train split, its loss and its penalty: which answers there are, the optimum, and the distance from it.

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
        divided: X, y and the weights in their shards, where several processes have them; None: they are here.
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
    weight_n: Weights | None = None
    measured: Factor | None = None
    divided: DividedRows | None = None
    exact: dict[str, Optimum] = field(default_factory=dict, init=False, repr=False)
    results: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def bias(self) -> bool:
        """Whether the model has an intercept."""
        return self.start[1] is not None

    @property
    def unit(self) -> float:
        """The machine epsilon that rank and rounding error are judged by."""
        return self.eps or float(np.finfo(self.X_nd.dtype).eps)

    @property
    def batch_share(self) -> float:
        """The expected loss of a batch divided by that of the train split: batch_size / n_samples for sse, else 1."""
        return self.plan.batch_size / self.plan.n_samples if self.plan.loss.is_sum else 1.0

    @property
    def mean_share(self) -> float:
        """The loss of a step divided by that of the train split, on average over an epoch: 1 / steps for sse, else 1.

        It is `batch_share` unless the last batch is smaller. Each step has the whole penalty of the weight decay.
        """
        return 1 / self.plan.steps_per_epoch if self.plan.loss.is_sum else 1.0

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
        # For sse, the step of a mini-batch has the whole penalty and, on average, mean_share of the loss.
        if "trained" not in self.exact:
            self.exact["trained"] = self._solved(lambda: self.parts, self.eps)
        return self.exact["trained"]

    @cached_property
    def parts(self) -> DividedRows:
        """The rows that are trained on, in the parts by which sums over them are added up."""
        if self.divided is not None:
            return self.divided
        shards = self.plan.shards
        return DividedRows(self.X_nd, self.y_nk, self.weight_n, None if shards is None else shards.bounds.tolist())

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
        penalty, loss = self.plan.weight_decay / self.mean_share, self.plan.loss.name
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
        return robust_optimum(
            self.X_nd,
            self.y_nk,
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
        found = (gap(loss, self.robust.train_loss, self.robust.constant_loss) for loss in losses)
        return [Distance(relative, None, base) for relative, base in found]

    @cached_property
    def constant_loss(self) -> float:
        """The lowest loss of a constant prediction; see `Loss.of_best_constant`."""
        if self.measured is not None:
            assert self.optimum is not None
            return self.optimum.constant_loss
        if in_memory(self.y_nk):
            weights = None if self.weight_n is None else torch.from_numpy(np.asarray(self.weight_n))
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

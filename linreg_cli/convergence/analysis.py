"""What is known exactly about a run from its train split: the optimum, the curvature, the limits of the rate.

Everything is worked out when first asked for, in trained units, from the numbers that the run trains on.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.config.schema import Config
from linreg_cli.convergence.batch_curvature import BatchCurvature, any_batch, mean_square_curvature, ordered_batches
from linreg_cli.convergence.rates import Motion
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.data.dataset import Dataset
from linreg_cli.least_squares import solve
from linreg_cli.least_squares.factor import Array, Factor, factorise
from linreg_cli.least_squares.robust import RobustOptimum, robust_optimum
from linreg_cli.least_squares.solve import Optimum, least_squares
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.stopping import Distance

SQUARED = ("mse", "sse", "half_mse")
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
class Analysis:
    """The exact side of a run.

    Attributes:
        X_nd: shape (n_samples, n_features), the train split in trained units, in the run's own number type.
        y_nk: shape (n_samples, n_targets).
        features: names of the columns of X.
        bias: whether the model has one.
        loss: the run's.
        weight_decay: of the optimiser.
        batch_size: rows a step.
        shuffle: whether their order changes.
    """

    X_nd: npt.NDArray[Any]
    y_nk: npt.NDArray[Any]
    features: tuple[str, ...]
    bias: bool
    loss: Loss
    weight_decay: float
    batch_size: int
    shuffle: bool

    @classmethod
    def of(cls, config: Config, dataset: Dataset, X_nd: npt.NDArray[Any], y_nk: npt.NDArray[Any]) -> "Analysis":
        """The analysis of a config's train split."""
        size = config.train.batch_size
        return cls(
            X_nd=X_nd,
            y_nk=y_nk,
            features=dataset.features,
            bias=config.model.bias,
            loss=Loss(config.loss, config.huber_delta),
            weight_decay=config.optimizer.weight_decay,
            batch_size=len(X_nd) if size == "full" else min(size, len(X_nd)),
            shuffle=config.train.shuffle,
        )

    @property
    def squared(self) -> bool:
        """Whether the loss is a quadratic of the parameters."""
        return self.loss.name in SQUARED

    @property
    def full_batch(self) -> bool:
        """Whether a step sees every row."""
        return self.batch_size == len(self.X_nd)

    @property
    def share(self) -> float:
        """What a step's own loss is on average, as a share of the whole loss: 1, but for the sum over a batch."""
        return self.batch_size / len(self.X_nd) if self.loss.name == "sse" else 1.0

    @cached_property
    def unknown(self) -> str | None:
        """Why there is no curvature to speak of, or None."""
        if self.loss.name == "mae":
            return "loss: mae has a kink and no curvature"
        largest = max(float(np.abs(values).max(initial=0.0)) for values in (self.X_nd, self.y_nk))
        if not largest < _LARGEST:
            return "the values are too large to square"
        return too_costly(len(self.X_nd), self.X_nd.shape[1] + self.bias)

    @cached_property
    def no_optimum(self) -> str | None:
        """Why there is no exact optimum, or None."""
        if self.squared:
            return self.unknown
        return self._robust[1]

    @cached_property
    def optimum(self) -> Optimum | None:
        """The optimum of a squared loss, of its objective where there is weight decay."""
        if not self.squared or self.unknown:
            return None
        return least_squares(
            self.X_nd,
            self.y_nk,
            bias=self.bias,
            loss=self.loss.name,
            # A step on a part of the sum meets the whole penalty.
            weight_decay=self.weight_decay / self.share,
            eps=float(np.finfo(self.X_nd.dtype).eps),
        )

    @property
    def robust(self) -> RobustOptimum | None:
        """The optimum of a loss that is not squared."""
        return None if self.squared else self._robust[0]

    @cached_property
    def _robust(self) -> tuple[RobustOptimum | None, str | None]:
        if self.X_nd.size > MOST_ROBUST_CELLS:
            return None, (
                f"for loss: {self.loss.name} the optimum is worked out for up to {MOST_ROBUST_CELLS:,} cells, and "
                f"there are {self.X_nd.size:,}"
            )
        if not max(float(np.abs(values).max(initial=0.0)) for values in (self.X_nd, self.y_nk)) < _LARGEST:
            return None, "the values are too large to square"
        return robust_optimum(
            self.X_nd,
            self.y_nk,
            bias=self.bias,
            loss=self.loss.name,
            huber_delta=self.loss.huber_delta,
            weight_decay=self.weight_decay,
        )

    @cached_property
    def factor(self) -> Factor:
        """The train split as one triangle; only where `unknown` is None."""
        assert self.unknown is None
        return self.optimum.factor if self.optimum else factorise(self.X_nd, self.y_nk, bias=self.bias)

    @property
    def curved_as(self) -> str:
        """The squared loss whose curvature this is; of huber, that of half_mse is the most that it reaches."""
        return "half_mse" if self.loss.name == "huber" else self.loss.name

    @cached_property
    def spectrum(self) -> Spectrum:
        """The curvature that a step meets on average, without the penalty; only where `unknown` is None."""
        return curvature(self.factor, self.curved_as).scaled(self.share)

    @cached_property
    def standardized_curvature(self) -> float:
        """The largest curvature that a step would meet with every column standardised."""
        singular = self.factor.svd()[1]
        largest = float(singular[0]) ** 2 / self.factor.n_targets
        return {"mse": 2 * largest, "half_mse": largest, "sse": 2 * self.batch_size * self.factor.n_targets * largest}[
            self.curved_as
        ]

    @cached_property
    def batches(self) -> BatchCurvature:
        """The largest curvature of the batches of the run."""
        measure = any_batch if self.shuffle or self.full_batch else ordered_batches
        return measure(self.factor, self.X_nd, loss=self.curved_as, batch_size=self.batch_size)

    @cached_property
    def mean_square_curvature(self) -> float:
        """See `linreg_cli.convergence.batch_curvature`."""
        return mean_square_curvature(self.factor, self.X_nd, loss=self.curved_as, batch_size=self.batch_size)

    def distances(self, weights: Array, bias: Array | None) -> Array:
        """Of parameters (d, k) and (k,) from the optimum, along each eigenvector of the curvature."""
        assert self.optimum is not None
        return self.spectrum.distances(self.optimum, weights, bias)

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

    def idle_columns(self) -> list[str]:
        """Columns of which others (or the bias) leave nothing: those of the directions in which the loss is flat."""
        factor = self.factor
        if factor.rank == factor.n_parameters:
            return []
        null = factor.svd()[2][factor.rank :]
        weight = np.sum(null**2, axis=0)[: len(self.features)]
        return [name for name, share in zip(self.features, weight, strict=True) if share > 1e-8]


def motion_of(config: Config) -> Motion:
    """How SGD moves under a config; a momentum of auto counts as 0."""
    optimizer = config.optimizer
    momentum = 0.0 if optimizer.momentum == "auto" else optimizer.momentum
    return Motion(momentum, optimizer.dampening, optimizer.nesterov and momentum > 0, optimizer.weight_decay)

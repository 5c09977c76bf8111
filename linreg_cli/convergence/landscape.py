"""The loss of one table as gradient descent meets it: its optimum, its curvature, its limits, and the way down."""

import math
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.convergence.batch_curvature import any_batch, mean_square_curvature, ordered_batches
from linreg_cli.convergence.forecast import Forecast, forecast
from linreg_cli.convergence.gradient_noise import Noise, batch_noise
from linreg_cli.convergence.rate_search import BatchProblem, best_batch_rate
from linreg_cli.convergence.rates import Motion, Rate, batch_safe_rate, best_rate, mean_square_rate, stable_rate
from linreg_cli.convergence.spectrum import Spectrum, curvature
from linreg_cli.errors import DataError
from linreg_cli.least_squares.factor import EPS, Array
from linreg_cli.least_squares.solve import Optimum, least_squares
from linreg_cli.optim.schedules import Schedule

#: The relative gaps that a forecast is about.
TARGETS = (1e-3, 1e-6)
#: The highest momentum that is proposed; beyond it a run takes millions of epochs anyway.
MOST_MOMENTUM = 0.999999


@dataclass(frozen=True)
class Setting:
    """How a table is trained, all but the rate.

    Attributes:
        loss: mse, sse or half_mse.
        motion: how SGD moves.
        n_samples: rows.
        batch_size: rows a step.
        shuffle: whether each epoch has a new order.
        epochs: that the run will have.
    """

    loss: str
    motion: Motion
    n_samples: int
    batch_size: int
    shuffle: bool
    epochs: int

    @property
    def full(self) -> bool:
        """Whether every step sees every row."""
        return self.batch_size >= self.n_samples

    @property
    def share(self) -> float:
        """A batch's expected loss as a share of the whole loss: below 1 for mini-batches of a sum."""
        return self.batch_size / self.n_samples if self.loss == "sse" else 1.0


@dataclass(frozen=True)
class Limit:
    """A learning rate that something holds below.

    Attributes:
        lr: the rate; None if there is none.
        covers: in words, what holds below it, or why there is none.
    """

    lr: float | None
    covers: str


@dataclass(frozen=True, eq=False)
class Landscape:
    """A squared loss on one table, in the units of that table.

    Attributes:
        setting: how it is trained.
        optimum: where the objective is lowest.
        spectrum: curvature of the loss of the whole train split.
        start: the initial parameters' distance from the optimum along each eigenvector.
        noise: of mini-batches; None for a full batch.
        batch_safe: see `batch_safe_rate`.
        mean_square: below it random batches bring a plain run nearer on average.
    """

    setting: Setting
    optimum: Optimum
    spectrum: Spectrum
    start: Array
    noise: Noise | None
    batch_safe: Limit
    mean_square: Limit
    batch_largest: float = 0.0  #: the largest curvature of any batch

    @classmethod
    def of(
        cls,
        X_nd: Array,
        y_nk: Array,
        weights_dk: Array,
        bias_k: Array | None,
        setting: Setting,
        known: Optimum | None = None,
    ) -> "Landscape":
        """Read a table: a few passes over the rows, all of them linear in their number.

        Args:
            X_nd: shape (n_samples, n_features), float64, in the units that are trained.
            y_nk: shape (n_samples, n_targets), float64.
            weights_dk: initial weights, shape (n_features, n_targets).
            bias_k: initial biases, shape (n_targets,), or None.
            setting: how it is trained.
            known: the optimum of the same numbers and the same penalty, where it has been worked out.

        Raises:
            DataError: if a curvature overflows or underflows.
        """
        loss, motion, size = setting.loss, setting.motion, setting.batch_size
        # Each batch of a sum adds the whole penalty to a share of the loss.
        penalty = motion.weight_decay / setting.share
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what comes of it is refused below
            optimum = known or least_squares(X_nd, y_nk, bias=bias_k is not None, loss=loss, weight_decay=penalty)
            spectrum = curvature(optimum.factor, loss)
        curved = spectrum.eigenvalues[: spectrum.rank]
        if not np.all((curved > 0) & np.isfinite(curved)):
            message = "the squares of the columns are beyond the range of float64"
            raise DataError(f"{message}; give the columns in another unit, or set preprocess.standardize: true")
        start = spectrum.distances(optimum, weights_dk, bias_k)
        if setting.full:
            sharp = _limit(stable_rate(spectrum.largest, motion), "the only batch is the whole train split")
            return cls(setting, optimum, spectrum, start, None, sharp, sharp)
        noise = batch_noise(spectrum, optimum, X_nd, y_nk, loss=loss, batch_size=size)
        batches = any_batch if setting.shuffle else ordered_batches
        worst = batches(optimum.factor, X_nd, loss=loss, batch_size=size)
        covers = f"{worst.covers}; safe in any order"
        if not worst.is_exact or motion.momentum:
            covers += " (sufficient, not necessary)"
        safe = _limit(batch_safe_rate(worst.largest, motion), covers)
        rank = optimum.factor.rank
        spread = mean_square_curvature(optimum.factor, X_nd, loss=loss, batch_size=size) if rank else 0.0
        if setting.shuffle:
            met = spectrum.scaled(setting.share)
            words = f"random {f'batches of {size:,} rows' if size > 1 else 'rows'} come nearer on average"
            words += " (sufficient, not necessary)" if motion.momentum else ""
            mean_square = _limit(mean_square_rate(spread, met.largest, met.smallest, size, motion), words)
        else:
            mean_square = Limit(None, "known for shuffled rows only")
        return cls(setting, optimum, spectrum, start, noise, safe, mean_square, worst.largest)

    @property
    def full_batch(self) -> Limit:
        """The sharp limit of a full-batch run."""
        words = "sharp: below it every start converges, above it almost none"
        return _limit(stable_rate(self.spectrum.largest, self.setting.motion), words)

    @property
    def average(self) -> float:
        """The limit of the mean motion of the batches; that of a full batch, but for mini-batches of a sum."""
        return stable_rate(self.spectrum.largest * self.setting.share, self.setting.motion)

    def expect(
        self,
        rate: float | Schedule,
        motion: Motion | None = None,
        *,
        full: bool = False,
        targets: tuple[float, ...] = TARGETS,
    ) -> Forecast:
        """When a run at this rate arrives; with `full`, if its batch were full."""
        share = 1.0 if full else self.setting.share
        told_only = full or self.setting.full or callable(rate) or self.setting.motion.momentum
        limit = None if told_only else self.mean_square.lr
        if limit is not None and not callable(rate) and limit <= rate < self.average:
            reason = f"{rate:g} is above {limit:.4g}, so the run may not settle: the noise of its batches may grow"
            told = self.expect(limit / 2, motion, targets=targets)  # of which only the start is of this rate too
            return replace(told, epochs=dict.fromkeys(targets), reasons=dict.fromkeys(targets, reason), floor_gap=None)
        return forecast(
            self.spectrum.scaled(share),
            self.start,
            rate=rate,
            motion=motion or self.setting.motion,
            relative_to=self.optimum.relative_to * share,
            targets=targets,
            noise=None if full else self.noise,
        )

    def best(self, *, momentum: float | None, full: bool = False) -> Rate:
        """The best rate, cut to four digits so that it can be written into a config.

        Full batch: that of `best_rate`. Mini-batches: that of `best_batch_rate`, with the config's momentum. Both are
        for a constant rate, and there what `optimizer.lr: auto` takes, but for the digits.

        Args:
            momentum: to use; None chooses it, for a full batch.
            full: as if the batch were full.
        """
        setting, spectrum = self.setting, self.spectrum
        if momentum is not None and setting.motion.gain <= 0:
            return Rate(1.0, momentum, "full dampening keeps every gradient but the first out, so no rate helps")
        if full or setting.full:
            rate = best_rate(spectrum.largest, spectrum.smallest, setting.motion, momentum=momentum)
            if momentum is not None:
                return Rate(rounded_down(rate.lr), momentum, rate.why)
            return Rate(rounded_down(rate.lr), min(1 - float(f"{1 - rate.momentum:.3g}"), MOST_MOMENTUM), rate.why)
        if not self.batch_largest > 0 or setting.motion.gain <= 0:
            return Rate(1.0, momentum or 0.0, "nothing is curved or nothing moves, so any rate does")
        found = best_batch_rate(self.problem, setting.epochs)
        return Rate(rounded_down(found.lr), found.momentum, found.why)

    @property
    def problem(self) -> BatchProblem:
        """What a choice for its mini-batches depends on."""
        assert self.noise is not None
        share = self.setting.share
        base, motion = self.optimum.relative_to * share, self.setting.motion
        return BatchProblem(self.spectrum.scaled(share), self.start, self.batch_largest, motion, self.noise, base)

    def rounding_gap(self, lr: float, eps: float) -> float:
        """The gap near which steps get too small to change parameters stored with this precision, roughly.

        A parameter p rests once lr |g| is below half a unit in its last place, at most eps |p| / 2. With gradients
        spread evenly up to there the objective is above its optimum by the sum of (v_i'd)^2 / 6 h_i over eigenvectors
        v_i of curvature h_i, with d = eps |p| / (2 lr).

        Args:
            lr: the rate.
            eps: the relative distance of two numbers of the parameters' type.
        """
        motion, optimum = self.setting.motion, self.optimum
        if motion.gain <= 0 or not self.spectrum.largest > 0:
            return 0.0
        h = self.spectrum.eigenvalues * self.setting.share + motion.weight_decay
        parameters = optimum.weights if optimum.bias is None else np.vstack([optimum.weights, optimum.bias])
        rest = eps * np.abs(parameters) / 2 / (lr * motion.gain / (1 - motion.momentum))
        curved = h > EPS * h.max(initial=0.0)
        squares = (self.spectrum.eigenvectors[:, curved] ** 2).T @ rest**2
        excess = float(np.sum(squares / (6 * h[curved, None])))
        base = optimum.relative_to * self.setting.share
        return excess / base if base > 0 else 0.0


def rounded_down(value: float, digits: int = 4) -> float:
    """The largest number of so many significant digits that is not above a positive value.

    >>> rounded_down(0.000298356), rounded_down(2.0)
    (0.0002983, 2.0)
    """
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded > value:
        unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
        rounded = float(f"{rounded - unit:.{digits - 1}e}")
    return rounded


def _limit(lr: float, covers: str) -> Limit:
    return (
        Limit(lr, covers)
        if 0 < lr < math.inf
        else Limit(None, "nothing is curved or nothing moves, so no rate is too large")
    )

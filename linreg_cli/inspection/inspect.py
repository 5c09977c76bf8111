"""inspect_config: what can be known about a training before its first step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config import LoadedConfig
from linreg_cli.config.schema import Config
from linreg_cli.convergence.forecast import Forecast
from linreg_cli.convergence.landscape import TARGETS, Landscape, Setting, rounded_down
from linreg_cli.convergence.rate_search import best_batch_rate, cosine, fewest_epochs, fewest_falling
from linreg_cli.convergence.rates import Motion, stable_rate
from linreg_cli.convergence.spectrum import curvature
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.rows import StackedRows, in_order
from linreg_cli.data.scaling import original_rows
from linreg_cli.errors import DataError
from linreg_cli.evaluation.cross_validation import folds
from linreg_cli.inspection.column_summary import ColumnSummary, summaries
from linreg_cli.least_squares.factor import Array, Factor, factorise
from linreg_cli.least_squares.resampling import HeldOut, RidgePath, k_fold, leave_one_out, ridge_path
from linreg_cli.least_squares.solve import Optimum, condition_numbers, least_squares
from linreg_cli.model import linear_layer
from linreg_cli.pipeline.prepare import Prepared, Reporter, prepare

#: Losses that have one curvature everywhere.
SQUARED = ("mse", "sse", "half_mse")
#: Parts of the k-fold error where `evaluate.cross_validation` says none.
FOLDS = 5


@dataclass(frozen=True)
class Course:
    """A way to train, and when it arrives.

    Attributes:
        label: what it changes, in words.
        overrides: the `--set` expressions that change the config into it; none for the config itself.
        lr: the rate, or that of the first epoch.
        momentum: the momentum.
        forecast: epochs to each gap.
    """

    label: str
    overrides: tuple[str, ...]
    lr: float
    momentum: float
    forecast: Forecast


@dataclass(frozen=True)
class Ridge:
    """Penalties on the weights, each judged by leaving rows out.

    Attributes:
        path: in the order of `weight_decays`, which are those of the config's loss and batches.
        weight_decays: torch.optim.SGD's `weight_decay`.
        unpenalised: the leave-one-out error without a penalty.
    """

    path: RidgePath
    weight_decays: tuple[float, ...]
    unpenalised: HeldOut


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of the optimum on rows left out of the fit, in original units (the target's transform applied).

    Attributes:
        optimum: of the whole train split, without weight decay.
        fitted: root mean square of its residuals.
        leave_one_out: each row predicted by the fit of the others.
        k_fold: each fold predicted by the fit of the others.
        folds: how many.
        spread: shape (n_targets,), standard deviation of each target, n in the denominator.
    """

    optimum: Optimum
    fitted: float
    leave_one_out: HeldOut
    k_fold: HeldOut | None
    folds: int
    spread: Array


@dataclass(frozen=True, eq=False)
class Inspection:
    """Everything that `inspect` knows.

    Attributes:
        config: as it would be trained.
        dataset: the rows.
        columns: of the table, features first, then targets.
        factor: of the train split's columns in original units.
        dependent: columns that a combination of the others gives, or that are constant beside the bias.
        condition_number: of [X 1] in original units; infinite where columns are dependent.
        condition_number_standardized: the same of standardised columns.
        motion: how SGD moves.
        setting: how the train split is trained.
        landscape: of the table that the config trains; None for a loss that is not squared.
        standardized: of the table with `preprocess.standardize: true`; None where the config says so already, where
            it cannot be, and for a loss that is not squared.
        courses: the config's own way first, then better ones.
        rounding_gap: the gap near which steps get lost in the rounding of the config's dtype, roughly.
        huber_lr: for huber, a rate below which a full batch without momentum converges, else None.
        ridge: where it was asked for and applies.
        held_out: what the optimum does on rows that it has not seen; None where it is not worked out.
    """

    config: Config
    dataset: Dataset
    columns: tuple[ColumnSummary, ...]
    factor: Factor
    dependent: tuple[str, ...]
    condition_number: float
    condition_number_standardized: float
    motion: Motion
    setting: Setting
    landscape: Landscape | None
    standardized: Landscape | None
    courses: tuple[Course, ...]
    rounding_gap: float
    huber_lr: float | None
    ridge: Ridge | None
    held_out: HeldOutErrors | None


def inspect_config(loaded: LoadedConfig, reporter: Reporter, *, ridge: bool = False) -> Inspection:
    """Read the data once and say what training it will be like. Nothing is trained and nothing is written.

    Args:
        loaded: the config; its device and its executor are not used, and its dtype only for what rounding does.
        reporter: where progress goes.
        ridge: whether to work out the ridge path too.

    Raises:
        ConfigError, DataError: as for `prepare`.
    """
    config = loaded.config
    # In float64, so that what is said is about the data and not about the rounding of it.
    exact = config.train.model_copy(update={"dtype": "float64", "device": "cpu", "engine": "reference"})
    prepared = prepare(replace(loaded, config=config.model_copy(update={"train": exact})), reporter)
    reporter.stage("finding the optimum and the curvature")
    plan, dataset = prepared.plan, prepared.dataset
    motion = Motion(plan.momentum, plan.dampening, plan.nesterov, plan.weight_decay)
    setting = Setting(config.loss, motion, plan.n_samples, plan.batch_size, plan.shuffle, plan.epochs)
    X_nd, y_nk = (tensor.numpy() for tensor in prepared.tensors["train"])
    squared = config.loss in SQUARED
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what comes of it is refused by the landscape
        known = prepared.analysis.optimum if squared else None  # of the same float64 numbers
    landscape = Landscape.of(X_nd, y_nk, *_start(prepared), setting, known) if squared else None
    factor = _as_given(prepared, landscape)
    given, standard = _condition_numbers(factor)
    standardized = _standardized(prepared, setting) if squared and not config.preprocess.standardize else None
    dtype = np.float64 if config.train.dtype == "float64" else np.float32
    rate = plan.learning_rate(0)
    return Inspection(
        config=config,
        dataset=dataset,
        columns=summaries(dataset),
        factor=factor,
        dependent=dependent_columns(factor, dataset.features),
        condition_number=given,
        condition_number_standardized=standard,
        motion=motion,
        setting=setting,
        landscape=landscape,
        standardized=standardized,
        courses=_courses(prepared, landscape, standardized) if landscape else (),
        rounding_gap=landscape.rounding_gap(rate, float(np.finfo(dtype).eps)) if landscape else 0.0,
        huber_lr=_huber_lr(X_nd, y_nk, prepared) if config.loss == "huber" else None,
        ridge=_ridge(X_nd, y_nk, landscape) if ridge and landscape else None,
        held_out=_held_out(prepared, landscape) if landscape else None,
    )


def dependent_columns(factor: Factor, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that say nothing of their own: constant beside a bias (or zero), or in a combination that vanishes.

    Args:
        factor: of the table.
        names: of the features.
    """
    if factor.rank == factor.n_parameters:
        return ()
    _, _, Vt = factor.svd()
    # A column that is constant is left out of the standardised design, so it is a vanishing combination by itself.
    involved = np.sqrt(np.sum(Vt[factor.rank :] ** 2, axis=0))[: len(names)] > 1e-6
    return tuple(name for name, is_in in zip(names, involved, strict=True) if is_in)


def _start(prepared: Prepared) -> tuple[Array, Array | None]:
    layer = linear_layer(prepared.state.model)
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy().T, bias


def _as_given(prepared: Prepared, landscape: Landscape | None) -> Factor:
    """The triangle of the columns in original units."""
    if landscape is not None and not prepared.config.preprocess.standardize:
        return landscape.optimum.factor
    dataset = prepared.dataset
    rows = in_order(dataset.splits["train"])
    X_nd, y_nk = (StackedRows(dataset.columns, names, rows) for names in (dataset.features, dataset.targets))
    return factorise(X_nd, y_nk, bias=prepared.config.model.bias)


def _condition_numbers(factor: Factor) -> tuple[float, float]:
    standardized, as_given = condition_numbers(factor)
    return as_given, standardized


def _standardized(prepared: Prepared, setting: Setting) -> Landscape | None:
    """The same training with `preprocess.standardize: true`, from the same initial parameters."""
    dataset, config = prepared.dataset, prepared.config
    options = config.preprocess.model_copy(update={"standardize": True})
    try:
        preprocessor = Preprocessor.fit(dataset, options, bias=config.model.bias)
    except DataError:  # values that cannot be standardised; training as configured still can be foretold
        return None
    y_nk = prepared.tensors["train"][1]
    X_nd = preprocessor.features.tensor(dataset, dataset.splits["train"], y_nk.dtype)
    return Landscape.of(X_nd.numpy(), y_nk.numpy(), *_start(prepared), setting)


def _courses(prepared: Prepared, landscape: Landscape, standardized: Landscape | None) -> tuple[Course, ...]:
    config, plan, setting = prepared.config, prepared.plan, landscape.setting
    scheduled = config.optimizer.schedule.kind != "constant"
    rate = plan.learning_rate if scheduled else plan.learning_rate(0)
    own = Course("as configured", (), plan.learning_rate(0), plan.momentum, landscape.expect(rate))
    courses, best = [own], _course(config, "best rate", (), landscape, plan.momentum)
    if scheduled or abs(best.lr / own.lr - 1) > 2e-3:  # lr: auto is that already, but for its digits
        courses.append(best)
    if setting.full:
        courses.append(_course(config, "best rate and momentum", (), landscape, None))
    else:
        courses += _patient(config, landscape, plan.momentum)
    if not setting.full and setting.share == 1:
        # A full batch of a sum is another loss beside the same penalty.
        courses.append(_course(config, "full batch, best rate", ("train.batch_size=full",), landscape, plan.momentum))
    if standardized is not None:
        change = ("preprocess.standardize=true",)
        courses.append(_course(config, "standardised, best rate", change, standardized, plan.momentum))
        if setting.full:
            courses.append(_course(config, "standardised, and momentum", change, standardized, None))
    return tuple(courses)


def _patient(config: Config, landscape: Landscape, momentum: float) -> list[Course]:
    """For mini-batches: the epochs with which a constant rate ends at a gap of 1e-6, and a falling rate if sooner.

    The noise of the batches keeps any constant rate at a distance that falls with the rate, so one that is low enough
    for the end is slow from the start. A schedule is proposed only where its own forecast arrives in two thirds of the
    epochs or fewer.
    """
    if (
        not landscape.batch_largest > 0
        or not landscape.setting.motion.gain > 0
        or not landscape.optimum.relative_to > 0
    ):
        return []
    problem, target, found = landscape.problem, TARGETS[-1], []
    constant = "optimizer.schedule={kind: constant}" if config.optimizer.schedule.kind != "constant" else ""
    epochs = fewest_epochs(problem, target)
    if epochs is not None and epochs != landscape.setting.epochs:
        rate = best_batch_rate(problem, epochs)
        change = [f"optimizer.lr={rounded_down(rate.lr):g}", f"train.epochs={epochs}", constant]
        told = landscape.expect(rounded_down(rate.lr))
        found.append(Course("best rate, more epochs", tuple(filter(None, change)), rate.lr, momentum, told))
    falling = fewest_falling(problem, cosine, target, int((epochs or 3_000) / 1.5))
    if falling is not None and landscape.noise is not None and landscape.noise.variances.any():
        lr = rounded_down(problem.highest.lr)
        told = landscape.expect(lambda epoch: lr * cosine(min(epoch, falling), falling))
        schedule = f"optimizer.schedule={{kind: cosine, T_max: {falling}}}"
        change = [f"optimizer.lr={lr:g}", schedule, f"train.epochs={falling}"]
        found.append(Course("falling rate (cosine)", tuple(change), lr, momentum, told))
    return found


def _course(
    config: Config, label: str, change: tuple[str, ...], landscape: Landscape, momentum: float | None
) -> Course:
    full = "train.batch_size=full" in change
    best = landscape.best(momentum=momentum, full=full)
    motion = landscape.setting.motion
    if momentum is None:
        motion = Motion(best.momentum, 0.0, False, motion.weight_decay)
        change = (*change, f"optimizer.momentum={best.momentum:.12g}")
        change += ("optimizer.nesterov=false",) if config.optimizer.nesterov else ()
        change += ("optimizer.dampening=0",) if config.optimizer.dampening else ()
    change = (*change, f"optimizer.lr={best.lr:g}")
    if config.optimizer.schedule.kind != "constant":
        change = (*change, "optimizer.schedule={kind: constant}")
    return Course(label, change, best.lr, best.momentum, landscape.expect(best.lr, motion, full=full))


def _held_out(prepared: Prepared, landscape: Landscape) -> HeldOutErrors:
    """Leave-one-out and K folds as `evaluate.cross_validation` cuts them, without refitting."""
    dataset, config = prepared.dataset, prepared.config
    given, rows = config.evaluate.cross_validation, dataset.splits["train"]
    _, X, given_y = original_rows(dataset, prepared.preprocessor)
    y = np.asarray(given_y)
    optimum = landscape.optimum
    if not _as_it_is(config) or optimum.weight_decay:
        optimum = least_squares(X, y, bias=config.model.bias, loss="mse")
    count = min(given.folds if given is not None else FOLDS, len(rows))
    k_folded = None
    if count > 1:
        cut = folds(rows, count, shuffle=config.data.split.shuffle, seed=config.seed)
        rising = np.sort(rows)
        k_folded = k_fold(optimum, X, y, [np.searchsorted(rising, np.sort(fold)) for fold in cut])
    fitted = math.sqrt(optimum.train_loss / (optimum.scale * y.size))
    return HeldOutErrors(optimum, fitted, leave_one_out(optimum, X, y), k_folded, count, y.std(axis=0))


def _as_it_is(config: Config) -> bool:
    """Whether the trained units are the original ones (after the target's transform)."""
    return not (config.preprocess.standardize or config.preprocess.standardize_target)


def _ridge(X_nd: Array, y_nk: Array, landscape: Landscape) -> Ridge:
    setting, factor = landscape.setting, landscape.optimum.factor
    spectrum = landscape.spectrum
    # From well below the flattest direction that the data can tell from rounding, to where everything is shrunk.
    low = min(1e-6 * spectrum.largest, max(1e-2 * spectrum.smallest, 1e-14 * spectrum.largest))
    penalties = np.geomspace(low, 10 * spectrum.largest, 25) if spectrum.largest else np.geomspace(1e-6, 10, 25)
    path = ridge_path(factor, X_nd, y_nk, penalties.tolist(), loss=setting.loss)
    plain = landscape.optimum
    if plain.weight_decay:
        plain = least_squares(X_nd, y_nk, bias=factor.bias, loss=setting.loss)
    decays = tuple(decay * setting.share for decay in path.weight_decays)
    return Ridge(path, decays, leave_one_out(plain, X_nd, y_nk))


def _huber_lr(X_nd: Array, y_nk: Array, prepared: Prepared) -> float | None:
    """2 / (largest curvature of half_mse + weight decay): the Huber loss is nowhere more curved, and it is convex."""
    steepest = curvature(factorise(X_nd, y_nk, bias=prepared.config.model.bias), "half_mse").largest
    lr = stable_rate(steepest, Motion(weight_decay=prepared.plan.weight_decay))
    return lr if math.isfinite(lr) else None

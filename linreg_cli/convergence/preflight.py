"""What the exact side says to the user: before the first step, and when a run diverged."""

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.convergence.analysis import Analysis, motion_of
from linreg_cli.convergence.limits import before_training, diagnosis, not_unique
from linreg_cli.data import Preprocessor
from linreg_cli.errors import DivergedError
from linreg_cli.optim.fit import Diverged
from linreg_cli.optim.plan import StepPlan


def check_before_training(
    loaded: LoadedConfig,
    config: Config,
    analysis: Analysis,
    plan: StepPlan,
    preprocessor: Preprocessor,
    *,
    force: bool = False,
) -> list[str]:
    """Refuse what must diverge or cannot stop, before anything is written.

    Args:
        loaded: where each setting was written.
        config: with numbers in place of `auto`.
        analysis: of the train split.
        plan: the steps.
        preprocessor: of the run; a column that it leaves at 0 is missed by nobody.
        force: warn of a rate that must diverge, and go on.

    Returns:
        What the user should know all the same.

    Raises:
        ConfigError: if `train.stop_gap` is set and no optimum is available.
        DivergedError: if the rate must diverge.
    """
    if config.train.stop_gap is not None and analysis.optimum is None:
        why = analysis.no_optimum or f"the optimum of loss: {config.loss} is found, and not certified"
        raise loaded.error("train.stop_gap", f"it needs the exact optimum of a squared loss: {why}; set it to null")
    verdict = before_training(
        analysis,
        plan,
        config.optimizer.schedule,
        motion_of(config),
        standardized=config.preprocess.standardize,
    )
    if verdict.refusal and not force:
        raise DivergedError(loaded.error("optimizer.lr", verdict.refusal).faults)
    features = preprocessor.features
    left_out = [name for name, scale in zip(features.columns, features.scale, strict=True) if not scale]
    warnings = [f"optimizer.lr: {verdict.refusal}" if verdict.refusal else None, *verdict.warnings]
    warnings += [not_unique(analysis, left_out), _never_certain(config, analysis)]
    return [text for text in warnings if text]


def _never_certain(config: Config, analysis: Analysis) -> str | None:
    """A gap that is asked for and below what the rounding of the numbers trained on lets anybody certify."""
    gap, optimum = config.train.stop_gap, analysis.optimum
    if gap is None or optimum is None or optimum.relative_to <= 0:
        return None
    least = optimum.rounding_loss / optimum.relative_to
    if gap > least:
        return None
    remedy = "set train.dtype: float64" if config.train.dtype == "float32" else "set a larger gap"
    return (
        f"train.stop_gap: {gap:g} can never be certified: the rounding of {config.train.dtype} alone may be worth "
        f"a gap of {least:.2g}; {remedy}, or all epochs will be trained"
    )


def risen_loss(first: float, last: float, config: Config, analysis: Analysis, plan: StepPlan) -> str:
    """Why a run may have ended above where it began, and what to do.

    Args:
        first: train loss before the first step.
        last: train loss at the end.
        config: with numbers in place of `auto`.
        analysis: of the train split.
        plan: the steps.
    """
    told, standardized = f"the train loss rose from {first:.6g} to {last:.6g}", config.preprocess.standardize
    verdict = before_training(analysis, plan, config.optimizer.schedule, motion_of(config), standardized=standardized)
    if not analysis.squared or analysis.unknown or verdict.refusal or verdict.warnings:
        remedy = "lower optimizer.lr" + ("" if standardized else " or set preprocess.standardize: true")
        return f"{told}: the learning rate is probably too large; {remedy}"
    if plan.momentum > 0:
        ways = "raise train.epochs, or set optimizer.momentum: 0"
        return f"{told}: the rate is stable, and momentum {plan.momentum:g} overshoots before it settles; {ways}"
    if plan.batch_size < plan.n_samples:
        ways = "lower optimizer.lr, or raise train.batch_size"
        return f"{told}: the rate is stable, and this is the noise of batches of {plan.batch_size:,} rows; {ways}"
    if plan.weight_decay > 0:
        ways = "lower optimizer.weight_decay if it should not have"
        return f"{told}: the rate is stable, and what fell is the loss with the penalty of the weight decay; {ways}"
    if analysis.optimum is not None and last - first <= analysis.optimum.rounding_loss:
        return f"{told}, by rounding; nothing is left to learn"
    return f"{told}, although the rate is stable"


def diverged_error(event: Diverged, config: Config, analysis: Analysis, where: str) -> DivergedError:
    """The error for a run that diverged: the step, how far the rate is above which limit, what to set instead."""
    standardized = config.preprocess.standardize
    if event.step == 0:
        remedy = "start from smaller values (model.init)" + (
            "" if standardized else ", or set preprocess.standardize: true"
        )
        return DivergedError(f"the loss is {event.loss} before the first step; {remedy}", where)
    details = diagnosis(analysis, motion_of(config), event.lr, standardized=standardized)
    remedy = "To go on, lower optimizer.lr" + ("" if standardized else ", or set preprocess.standardize: true")
    if details:
        remedy = details["message"]
        details = {"step": event.step, "epoch": event.epoch, **details}
    return DivergedError(
        f"training diverged at step {event.step} (epoch {event.epoch}): the loss is {event.loss} "
        f"at learning rate {event.lr:g}. The last finite state (step {event.finite_step}, train loss "
        f"{event.finite_loss:.6g}) is in the checkpoint; no model is published. {remedy}",
        where,
        details,
    )

"""What is said before the first step, from what is known exactly: refusals and warnings."""

from dataclasses import dataclass

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.convergence.diagnosis import at_fault, remedy_for, times
from linreg_cli.convergence.limits import exceeded, extreme_rates, must_diverge
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.uniqueness import not_unique
from linreg_cli.data import Preprocessor
from linreg_cli.errors import DivergedError


@dataclass(frozen=True)
class Verdict:
    """What is known of the rate before the first step.

    Attributes:
        refusal: why the run must diverge, or None.
        warning: what may go wrong, or None.
    """

    refusal: str | None = None
    warning: str | None = None


def check_before_training(
    loaded: LoadedConfig, config: Config, problem: Problem, preprocessor: Preprocessor, *, force: bool = False
) -> list[str]:
    """Refuse what must diverge or cannot stop, before anything is written.

    Args:
        loaded: where each setting was written.
        config: with numbers in place of `auto`.
        problem: the plan and the train split.
        preprocessor: of the run; a column that it leaves at 0 takes part in nothing.
        force: warn of a rate that must diverge, and go on.

    Returns:
        What the user should know all the same.

    Raises:
        ConfigError: if `train.stop_gap` is set and no optimum is available.
        DivergedError: if the rate must diverge.
    """
    if config.train.stop_gap is not None and problem.optimum is None:
        why = problem.no_optimum_reason or f"the optimum of loss: {config.loss} is found, and not certified"
        raise loaded.error("train.stop_gap", f"it needs the exact optimum of a squared loss: {why}; set it to null")
    verdict = judge_rate(problem, config)
    if verdict.refusal and not force:
        raise DivergedError(loaded.error("optimizer.lr", verdict.refusal).faults)
    warnings = [f"optimizer.lr: {verdict.refusal}" if verdict.refusal else None, verdict.warning]
    warnings += [not_unique(problem, preprocessor), _never_certain(config, problem)]
    return [text for text in warnings if text]


def judge_rate(problem: Problem, config: Config) -> Verdict:
    """Whether the rates of the plan can work.

    Refused is only what must diverge: a full batch whose rate is above the sharp limit in every epoch, and plain
    mini-batches whose steps expand volumes on average, for then some direction grows without bound. Everything
    else above a limit is a warning.

    Args:
        problem: the plan and the train split.
        config: of the run: its schedule, and whether the features are standardised.
    """
    rule, standardized = problem.rule, config.preprocess.standardize
    low, high = extreme_rates(problem, config.optimizer.schedule)
    limit = exceeded(problem, rule, high)
    if limit is None:
        return Verdict()
    assert limit.rate is not None
    remedy = remedy_for(problem, rule, standardized=standardized)
    if limit.is_exceeded_by(low) and must_diverge(problem, rule, low):
        found = f"{low:g} is {times(low, limit.rate)} the limit {limit.rate:.3g} of {limit.of}"
        return Verdict(
            f"{found}: the loss would grow without bound; {at_fault(problem)}. To go on, {remedy}; "
            "--force trains all the same"
        )
    rate = f"optimizer.lr: {high:g}" if low == high else f"the rate of optimizer.schedule, up to {high:g},"
    consequence = limit.consequence
    if problem.plan.is_full_batch:
        consequence = "the loss grows while the rate is above it"
    return Verdict(
        warning=f"{rate} is {times(high, limit.rate)} the limit {limit.rate:.3g} of {limit.of}: {consequence}; "
        f"{at_fault(problem)}. To be safe, {remedy}"
    )


def _never_certain(config: Config, problem: Problem) -> str | None:
    """A gap that is asked for and below what the rounding of the numbers trained on lets anybody certify."""
    gap, optimum = config.train.stop_gap, problem.optimum
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

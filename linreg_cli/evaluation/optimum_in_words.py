"""The optimum of a run, and how far the run is from it, in words."""

from typing import Any

from linreg_cli.remedies import setting
from linreg_cli.wording import number, percent, plural, ratio

#: A relative gap up to this is within the rounding error of float64.
ROUNDING = 1e-15
#: Lowest losses that differ by less than this, relatively, are not told apart in words.
_ALIKE = 1e-3


def gap_in_words(metrics: dict[str, Any], *, brief: bool = False) -> str:
    """The gap of a run to the optimum, in words.

    Args:
        metrics: the content of `metrics.json`.
        brief: leave out that the fit is saturated or the optimum not unique, where that was said.

    >>> gap_in_words({"optimum": {"train_loss": 2.0, "gap": 0.01, "gap_relative_to": "optimum"}})
    'the lowest possible train loss is 2; the train loss is 1 % above it'
    """
    optimum = metrics.get("optimum")
    if optimum is None:
        return f"not known ({metrics.get('optimum_reason', 'an older run')})"
    return "; ".join([_gap_in_words(optimum), *([] if brief else _warnings_of(optimum))])


def _warnings_of(optimum: dict[str, Any]) -> list[str]:
    """What the gap does not say: that the fit is saturated, that the optimum is one of several."""
    found = []
    if optimum.get("is_saturated"):
        found.append(
            f"the fit is saturated: {plural(optimum['n_parameters'], 'parameter')} fit every train row, whatever "
            "its target is"
        )
    if optimum.get("is_unique") is False:
        found.append(
            "the optimum is not unique: other parameters reach the same lowest loss, so those shown are one choice of "
            "several"
        )
    return found


def _gap_in_words(optimum: dict[str, Any]) -> str:
    zero = optimum["gap_relative_to"] == "constant"  # the loss of the optimum is zero within rounding error
    lowest = f"the lowest possible train loss is {'0 within rounding error' if zero else number(optimum['train_loss'])}"
    lowest += _of_rounded(optimum)
    gap = optimum["gap"]
    if gap is None:
        return lowest
    what = "train loss" if "objective" not in optimum else "loss with its penalty"
    if gap <= ROUNDING:
        return f"{lowest}; the run reached it within rounding error"
    if zero:
        return f"{lowest}; the {what} is {_of_constant(gap)} that of the best constant"
    return f"{lowest}; the {what} is {_excess(gap)}"


def _of_rounded(optimum: dict[str, Any]) -> str:
    """That a lowest loss is about the table rounded to float32, where that of the table as given is another one."""
    given = optimum.get("as_given")
    if given is None:
        return ""
    losses = optimum["train_loss"], given["train_loss"]
    zero = optimum["gap_relative_to"] == given["gap_relative_to"] == "constant"
    if optimum["rank"] == given["rank"] and (zero or abs(losses[0] - losses[1]) <= _ALIKE * max(losses)):
        return ""
    ranks = f" at rank {given['rank']:,} of {optimum['n_parameters']:,}" if optimum["rank"] != given["rank"] else ""
    lowest = "0 within rounding error" if given["gap_relative_to"] == "constant" else number(losses[1])
    remedy = setting("train.dtype", "float64")
    return f" for the table rounded to float32, and {lowest}{ranks} for the table as given (set {remedy})"


def _of_constant(gap: float) -> str:
    return f"{percent(gap)} of" if gap < 1 else f"{ratio(gap)} times"


def _excess(gap: float) -> str:
    if gap < 1:
        return f"{percent(gap)} above it"
    return f"{ratio(1 + gap)} times as large"

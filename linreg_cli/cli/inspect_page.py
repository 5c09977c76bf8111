"""The text of `linreg inspect`; tables are within 80 columns."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg_cli import wording
from linreg_cli.cli import output
from linreg_cli.cli.inspect_json import not_squared
from linreg_cli.cli.output import WIDTH, heading, prose
from linreg_cli.config.roles import WEIGHT, column_roles
from linreg_cli.decimals import cut, text_width
from linreg_cli.inspection.advice import rank_meaning
from linreg_cli.remedies import setting
from linreg_cli.wording import condition_number, number, percent

if TYPE_CHECKING:
    from linreg_cli.convergence.problem import Problem
    from linreg_cli.inspection.inspect import Inspection, OptimumErrors, Ridge
    from linreg_cli.inspection.training_plans import TrainingPlan

_INDENT = "  "
#: The most columns of the table that are listed; --json has all.
MOST_COLUMNS = 40
_LABEL = 20
#: What stands in place of a number of epochs, by the kind of the reason.
_CELLS = {"diverges": "diverges", "too long": "> 10^7", "noise": "noise", "order": "never", "other": "never"}


def page(found: "Inspection", sentences: Sequence[str], *, ridge: bool) -> str:
    """The text of `linreg inspect`: what to do, then what it follows from.

    Args:
        found: the result of `inspect_config`.
        sentences: the advice.
        ridge: whether the ridge path was requested.
    """
    dataset = found.dataset
    sizes = {split: len(rows) for split, rows in dataset.splits.items() if split != "train" and len(rows)}
    others = "".join(f", {size:,} {split}" for split, size in sizes.items())
    rows, features = found.problem.plan.n_samples, wording.plural(len(dataset.features), "feature")
    title = f"{wording.plural(rows, 'train row')}{others}; {features}, target {', '.join(dataset.targets)}"
    if (weight := column_roles(found.config).get(WEIGHT)) is not None:
        title += f", weighted by {wording.one_line(weight)}"
    advice = [heading("What to do:"), *(prose(sentence, indent=_INDENT) for sentence in sentences)]
    parts = [prose(f"{found.config.name}: {title}"), "\n".join(advice), _columns(found), _shape(found)]
    if found.is_squared:
        parts += [_limits(found), _plans(found)]
    if found.held_out is not None:
        parts.append(_held_out(found.held_out, found))
    if found.problem.measured is not None:
        parts.append(
            prose(
                "Leave-one-out and k-fold errors, ridge and diagnostics of residuals need the rows: leave --stats out."
            )
        )
    if ridge:
        parts.append(
            _ridge(found.ridge) if found.ridge is not None else f"Ridge: {found.config.loss} is not a squared loss."
        )
    return "\n\n".join(parts)


def _wrapped(text: str, indent: str = "", label: str = "") -> str:
    return prose(text, indent=indent, label=f"{label:<{_LABEL}}" if label else "")


def _columns(found: "Inspection") -> str:
    features = len(found.columns) - len(found.dataset.targets)
    shown = [*found.columns[: min(features, MOST_COLUMNS)], *found.columns[features:][:MOST_COLUMNS]]
    rows = [["column", "kind", "min", "mean", "max", "std", "missing"]]
    for column in shown:
        numbers = (column.minimum, column.mean, column.maximum, column.std)
        kind = column.kind if column.levels is None else _levels(column.levels)
        missing = f"{column.missing:,}" + (f" ({column.treatment})" if column.missing else "")
        rows.append([wording.one_line(column.name), kind, *(number(n, 4) for n in numbers), missing])
    text = output.aligned(rows, left=2, indent=_INDENT)
    room = WIDTH - max(map(text_width, text.split("\n")))
    if room < 0:
        longest = max(text_width(row[0]) for row in rows)
        rows = [[cut(wording.one_line(row[0]), max(longest + room, 6)), *row[1:]] for row in rows]
        text = output.aligned(rows, left=2, indent=_INDENT)
    left = len(found.columns) - len(shown)
    return "\n".join([heading("Columns:"), text, *output.left_out(left, _INDENT, "--json")])


def _levels(levels: dict[str, int]) -> str:
    return f"{len(levels):,} level{'s' * (len(levels) != 1)}"


def _shape(found: "Inspection") -> str:
    factor, problem = found.problem.factor, found.problem
    lines = [
        heading("Design matrix:"),
        _wrapped(f"{factor.rank:,} of {factor.n_parameters:,}: {rank_meaning(found)}", label="  rank"),
        _wrapped(
            f"{condition_number(found.condition_number)} as given, "
            f"{condition_number(found.condition_number_standardized)} standardised",
            label="  condition number",
        ),
    ]
    if not found.is_squared:
        return "\n".join([*lines, _wrapped(f"{not_squared(found)}", label="  curvature")])
    spectrum = problem.spectrum
    units = "as trained" if found.config.preprocess.standardize else "as given"
    text = f"{number(spectrum.largest, 4)} at most, {number(spectrum.smallest, 4)} at least ({units})"
    if found.standardized is not None:
        other = found.standardized.spectrum
        text += f"; {number(other.largest, 4)} and {number(other.smallest, 4)} standardised"
    lines.append(_wrapped(text, label="  curvature"))
    if spectrum.rank:
        for label, which in (("    steepest along", 0), ("    flattest along", spectrum.rank - 1)):
            lines.append(_wrapped(_loadings(problem, which), label=label))
    return "\n".join(lines)


def _loadings(problem: "Problem", which: int) -> str:
    loadings = problem.spectrum.loadings(problem.features, which)
    return ", ".join(f"{name} {percent(loading)}" for name, loading in loadings if loading >= 0.001)


def _limits(found: "Inspection") -> str:
    rule, limits = found.problem.rule, found.limits
    ways = [f"{'Nesterov ' if rule.nesterov else ''}momentum {number(rule.momentum)}"] if rule.momentum else ["plain"]
    ways += [f"dampening {number(rule.dampening)}"] if rule.dampening and rule.momentum else []
    ways += [f"weight decay {number(rule.weight_decay)}"] if rule.weight_decay else []
    lines = [heading(f"Limits of the learning rate ({', '.join(ways)}, {found.config.loss}):")]
    labels = {"full batch": "full_batch", "batch-safe": "batch_safe"}
    if not found.problem.plan.is_full_batch:
        labels |= {"in this order": "fixed_order"} if found.problem.has_fixed_order else {"on average": "mean_square"}
    for name, key in labels.items():
        limit = limits[key]
        lines.append(_wrapped(f"{number(limit.rate):<12} {limit.covers}", label=f"  {name}"))
    return "\n".join(lines)


def _plans(found: "Inspection") -> str:
    batch = "full batch" if found.problem.plan.is_full_batch else f"batches of {found.problem.plan.batch_size:,}"
    head = f"Epochs until the gap, (loss - optimum) / optimum, is at most 1e-3 and 1e-6 ({batch}"
    own = found.plans[0].forecast
    head += f", from a gap of {wording.gap(own.start_gap)}):" if math.isfinite(own.start_gap) else "):"
    rows = [["", "rate", "momentum", "to 1e-3", "to 1e-6", "final gap"]]
    for plan in found.plans:
        final = plan.forecast.final_gap
        end = wording.gap(final) if isinstance(final, float) and math.isfinite(final) else "-"
        rows.append([plan.label, number(plan.lr), number(plan.momentum), *_epochs(plan), end])
    lines = [heading(prose(head)), output.aligned(rows, indent="  ")]
    reasons = dict.fromkeys(reason.why for reason in own.reasons.values())
    lines += [_wrapped(f"as configured: {reason}", indent="  ") for reason in reasons]
    if not found.problem.plan.is_full_batch:
        scatter = "" if found.problem.has_fixed_order else "; single runs scatter around it"
        lines.append(_wrapped(f"{own.method}{scatter}", indent="  "))
        kind = "gap" if found.problem.has_fixed_order else "expected gap"
        lines.append(
            _wrapped(
                f"best rate: lowest {kind} after {wording.plural(found.problem.plan.epochs, 'epoch')}", indent="  "
            )
        )
    return "\n".join(lines)


def _epochs(plan: "TrainingPlan") -> list[str]:
    forecast = plan.forecast
    texts = []
    for target, epochs in forecast.epochs.items():
        if epochs is not None:
            texts.append(f"{epochs:,}")
            continue
        texts.append(_CELLS[forecast.reasons[target].kind])
    return texts


def _held_out(errors: "OptimumErrors", found: "Inspection") -> str:
    """The train and cross-validation errors of ordinary least squares."""
    # The digits of rounding errors mean nothing.
    zero, optimum = errors.optimum.is_zero, errors.optimum
    rounding = math.sqrt(optimum.zero_loss / (optimum.scale * optimum.factor.n_samples))
    fitted = "0 within rounding error" if zero else number(errors.fitted["rmse"], 6)
    parts = [f"{fitted} on the train split"]
    for words, error in (
        ("leave-one-out", errors.leave_one_out),
        (f"{errors.folds}-fold cross-validation", errors.k_fold),
    ):
        if error is None:
            continue
        if error["rmse"] is None:
            parts.append(f"none by {words} ({error['reason']})")
        elif zero and error["rmse"] <= 100 * rounding:
            parts.append(f"0 by {words}")
        else:
            parts.append(f"{number(error['rmse'])} by {words}")
    transform = found.config.preprocess.target_transform
    way = "" if transform == "none" else f", fitted to {transform}(target) and transformed back"
    return _wrapped(f"RMSE of ordinary least squares{way}, in original units: {', '.join(parts)}.")


def _ridge(ridge: "Ridge") -> str:
    path, plain = ridge.path, ridge.unpenalised
    rows = [["weight_decay", "leave-one-out mse", "|weights|", ""]]
    for position, decay in enumerate(ridge.weight_decays):
        error, size = float(path.leave_one_out[position]), float((path.weights[position] ** 2).sum()) ** 0.5
        mark = "*" if position == path.best else ""
        shown = number(error, 8) if math.isfinite(error) else "-"
        rows.append([number(decay, 4), shown, number(size), mark])
    lines = ["Ridge penalties, with leave-one-out errors (in scaled units):"]
    lines.append(output.aligned(rows, left=0, indent="  "))
    best = float(path.leave_one_out[path.best])
    if plain.mse is not None and plain.mse <= best:
        words = f"best without a penalty: {number(plain.mse, 8)}"
    else:
        best_decay = setting("optimizer.weight_decay", wording.rounded(ridge.weight_decays[path.best], 4))
        without = (
            f"{number(plain.mse, 8)} without a penalty" if plain.mse is not None else f"no penalty: {plain.reason}"
        )
        words = f"* best: {best_decay} ({without})"
    return "\n".join([*lines, _wrapped(words, indent="  "), *_of_the_mean(ridge)])


def _of_the_mean(ridge: "Ridge") -> list[str]:
    """What the penalty does to the mean of the predictions, where the model has a bias."""
    if ridge.path.bias is None:
        return []
    words = "weight_decay shrinks the bias too, as in torch"
    if not ridge.shrinks_mean:
        return [_wrapped(f"{words}; the columns are centred, so the mean prediction stays", indent="  ")]
    predicted, actual = (", ".join(map(number, values.tolist())) for values in ridge.means)
    words += (
        f", and so the mean prediction: with the best penalty it is {predicted}, and the mean of the target {actual}"
    )
    remedy = "preprocess.standardize and preprocess.standardize_target prevent that"
    return [_wrapped(f"{words}; {remedy}", indent="  ")]

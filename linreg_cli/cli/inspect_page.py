"""The text of `linreg inspect`, 80 columns wide."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg_cli import wording
from linreg_cli.cli import output
from linreg_cli.cli.inspect_json import not_squared
from linreg_cli.inspection.advice import rank_meaning

if TYPE_CHECKING:
    from linreg_cli.convergence.problem import Problem
    from linreg_cli.inspection.inspect import Inspection, OptimumErrors, Ridge
    from linreg_cli.inspection.training_plans import TrainingPlan

WIDTH = 80
#: The most columns of the table that are listed; --json has all.
MOST_COLUMNS = 40
_LABEL = 18
#: What stands in place of a number of epochs, by the kind of the reason.
_CELLS = {"diverges": "diverges", "too long": "> 10^7", "noise": "noise", "order": "never", "other": "never"}


def page(found: "Inspection", sentences: Sequence[str], *, ridge: bool) -> str:
    """The text of `linreg inspect`, with the advice at the end.

    Args:
        found: the result of `inspect_config`.
        sentences: the advice.
        ridge: whether the ridge path was requested.
    """
    dataset = found.dataset
    others = [f"{len(dataset.splits[split]):,} {split}" for split in dataset.splits if split != "train"]
    rows, features = found.problem.plan.n_samples, len(dataset.features)
    title = f"{rows:,} row{'s' * (rows != 1)} to train on ({', '.join(others)}), "
    title += f"{features:,} feature{'s' * (features != 1)}, target {', '.join(dataset.targets)}"
    parts = [_wrapped(f"{found.config.name}: {title}"), _columns(found), _shape(found)]
    if found.is_squared:
        parts += [_limits(found), _plans(found)]
    if found.held_out is not None:
        parts.append(_held_out(found.held_out, found))
    if ridge:
        parts.append(
            _ridge(found.ridge) if found.ridge is not None else f"Ridge: {found.config.loss} is not a squared loss."
        )
    parts.append(_wrapped(f"What to do: {' '.join(sentences)}"))
    return "\n\n".join(parts)


def _wrapped(text: str, indent: str = "", label: str = "") -> str:
    first = f"{indent}{label:<{_LABEL}}" if label else indent
    rest = " " * len(first) if label else indent
    return textwrap.fill(
        wording.one_line(text), WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _columns(found: "Inspection") -> str:
    features = len(found.columns) - len(found.dataset.targets)
    shown = [*found.columns[: min(features, MOST_COLUMNS)], *found.columns[features:][:MOST_COLUMNS]]
    rows = [["column", "kind", "min", "mean", "max", "std", "missing"]]
    for column in shown:
        numbers = (column.minimum, column.mean, column.maximum, column.std)
        kind = column.kind if column.levels is None else _levels(column.levels)
        missing = f"{column.missing:,}" + (f" ({column.treatment})" if column.missing else "")
        rows.append([column.name, kind, *(wording.number(n, 4) for n in numbers), missing])
    rest = sum(2 + max(len(row[at]) for row in rows) for at in range(1, 7))
    text = output.aligned([[_cut(row[0], WIDTH - rest), *row[1:]] for row in rows], left=2)
    left = len(found.columns) - len(shown)
    return f"{text}\n... and {left:,} more; --json has them all" if left else text


def _levels(levels: dict[str, int]) -> str:
    return f"{len(levels):,} level{'s' * (len(levels) != 1)}"


def _cut(name: str, width: int) -> str:
    name = wording.one_line(name)
    return name if len(name) <= width else f"{name[: width - 1]}…"


def _shape(found: "Inspection") -> str:
    factor, problem = found.problem.factor, found.problem
    lines = [
        _wrapped(f"{factor.rank:,} of {factor.n_parameters:,}: {rank_meaning(found)}", label="rank"),
        _wrapped(
            f"{_number(found.condition_number)} as given, {_number(found.condition_number_standardized)} standardised",
            label="condition number",
        ),
    ]
    if not found.is_squared:
        return "\n".join([*lines, _wrapped(f"{not_squared(found)}", label="curvature")])
    spectrum = problem.spectrum
    units = "as trained" if found.config.preprocess.standardize else "as given"
    text = f"{spectrum.largest:.4g} at most, {spectrum.smallest:.4g} at least ({units})"
    if found.standardized is not None:
        other = found.standardized.spectrum
        text += f"; {other.largest:.4g} and {other.smallest:.4g} standardised"
    lines.append(_wrapped(text, label="curvature"))
    if spectrum.rank:
        for label, which in (("  steepest along", 0), ("  flattest along", spectrum.rank - 1)):
            lines.append(_wrapped(_loadings(problem, which), label=label))
    return "\n".join(lines)


def _loadings(problem: "Problem", which: int) -> str:
    loadings = problem.spectrum.loadings(problem.features, which)
    return ", ".join(f"{name} {loading:.1%}" for name, loading in loadings if loading >= 0.001)


def _limits(found: "Inspection") -> str:
    rule, limits = found.problem.rule, found.limits
    ways = [f"{'Nesterov ' if rule.nesterov else ''}momentum {rule.momentum:g}"] if rule.momentum else ["plain"]
    ways += [f"dampening {rule.dampening:g}"] if rule.dampening and rule.momentum else []
    ways += [f"weight decay {rule.weight_decay:g}"] if rule.weight_decay else []
    lines = [_wrapped(f"Learning rates are stable below ({', '.join(ways)}, {found.config.loss}):")]
    labels = {"full batch": "full_batch", "batch-safe": "batch_safe"}
    if not found.problem.plan.is_full_batch:
        labels |= {"in this order": "fixed_order"} if found.problem.has_fixed_order else {"on average": "mean_square"}
    for name, key in labels.items():
        limit = limits[key]
        value = "-" if limit.rate is None else f"{limit.rate:.6g}"
        lines.append(_wrapped(f"{value:<12} {limit.covers}", indent="  ", label=name))
    return "\n".join(lines)


def _plans(found: "Inspection") -> str:
    batch = "full batch" if found.problem.plan.is_full_batch else f"batches of {found.problem.plan.batch_size:,}"
    head = f"Epochs until the gap, (loss - optimum) / optimum, is at most 1e-3 and 1e-6 ({batch}"
    own = found.plans[0].forecast
    head += f", from a gap of {own.start_gap:.3g}):" if math.isfinite(own.start_gap) else "):"
    rows = [["", "rate", "momentum", "1e-3", "1e-6", "final gap"]]
    for plan in found.plans:
        final = plan.forecast.final_gap
        end = f"{final:.3g}" if isinstance(final, float) and math.isfinite(final) else "-"
        rows.append([plan.label, f"{plan.lr:.6g}", f"{plan.momentum:.6g}", *_epochs(plan), end])
    lines = [_wrapped(head), output.aligned(rows, indent="  ")]
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
    fitted = "0 within rounding error" if zero else wording.number(errors.fitted["rmse"], 6)
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
            parts.append(f"{error['rmse']:.6g} by {words}")
    transform = found.config.preprocess.target_transform
    way = "" if transform == "none" else f", fitted to {transform}(target) and transformed back"
    return _wrapped(f"RMSE of ordinary least squares{way}, in original units: {', '.join(parts)}.")


def _ridge(ridge: "Ridge") -> str:
    path, plain = ridge.path, ridge.unpenalised
    rows = [["weight_decay", "leave-one-out mse", "|weights|"]]
    for position, decay in enumerate(ridge.weight_decays):
        error, size = float(path.leave_one_out[position]), float((path.weights[position] ** 2).sum()) ** 0.5
        mark = " *" if position == path.best else "  "
        rows.append([f"{decay:.4g}", f"{error:.8g}{mark}" if math.isfinite(error) else "-  ", f"{size:.6g}"])
    lines = ["Ridge penalties, with leave-one-out errors (in scaled units):"]
    lines.append(output.aligned(rows, left=0, indent="  "))
    best = float(path.leave_one_out[path.best])
    if plain.mse is not None and plain.mse <= best:
        words = f"best without a penalty: {plain.mse:.8g}"
    else:
        without = f"{plain.mse:.8g} without a penalty" if plain.mse is not None else f"no penalty: {plain.reason}"
        words = f"* best: optimizer.weight_decay: {ridge.weight_decays[path.best]:.4g} ({without})"
    return "\n".join([*lines, _wrapped(words, indent="  "), *_of_the_mean(ridge)])


def _of_the_mean(ridge: "Ridge") -> list[str]:
    """What the penalty does to the mean of the predictions, where the model has a bias."""
    if ridge.path.bias is None:
        return []
    words = "weight_decay shrinks the bias too, as in torch"
    if not ridge.shrinks_mean:
        return [_wrapped(f"{words}; the columns are centred, so the mean prediction stays", indent="  ")]
    predicted, actual = (", ".join(map(wording.number, values.tolist())) for values in ridge.means)
    words += (
        f", and so the mean prediction: with the best penalty it is {predicted}, and the mean of the target {actual}"
    )
    remedy = "preprocess.standardize and preprocess.standardize_target prevent that"
    return [_wrapped(f"{words}; {remedy}", indent="  ")]


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "infinite"

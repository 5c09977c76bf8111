"""What `linreg explain` prints: the rows of a step, its gradient in three ways, the update; the path of the steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linreg_cli.cli import output
from linreg_cli.decimals import cut
from linreg_cli.wording import number, one_line, plural

if TYPE_CHECKING:
    from linreg_cli.inspection.explain import ExplainedStep, Parameters

#: Of a step: rows and columns that are shown, and weights whose gradient is. The others are counted.
MAX_ROWS, MAX_COLUMNS, MAX_WEIGHTS = 10, 4, 10
#: Steps that have a page of their own; the path has all.
MAX_PAGES = 3
#: The width of a name in the head of a table, and in a line.
_HEAD, _NAME = 16, 30

_FORMULAS = {
    "mse": ("mean of error^2", "(2/n) sum of error * {x}"),
    "sse": ("sum of error^2", "2 sum of error * {x}"),
    "half_mse": ("mean of error^2 / 2", "(1/n) sum of error * {x}"),
    "mae": ("mean of |error|", "(1/n) sum of sign(error) * {x}"),
    "huber": ("mean of the Huber loss of error", "(1/n) sum of clip(error, -delta, delta) * {x}"),
}


@dataclass(frozen=True)
class Names:
    """The names of a model's inputs and outputs, and the loss that it is trained with.

    Attributes:
        features: in the order of the columns of X.
        targets: in the order of the columns of y.
        loss: a name of `loss` in the config.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    loss: str

    def weight(self, target: int, feature: int) -> str:
        """`w[feature]`, or `w[target, feature]` where there are several targets."""
        name = cut(one_line(self.features[feature]), _NAME)
        return f"w[{name}]" if len(self.targets) == 1 else f"w[{cut(one_line(self.targets[target]), _NAME)}, {name}]"

    def bias(self, target: int) -> str:
        """`b`, or `b[target]` where there are several targets."""
        return "b" if len(self.targets) == 1 else f"b[{cut(one_line(self.targets[target]), _NAME)}]"


def page(step: "ExplainedStep", names: Names) -> str:
    """One step: its rows, the loss, the gradient in three ways, and the update."""
    n_rows = len(step.rows)
    word, numbers = "row" if n_rows == 1 else "rows", ", ".join(str(row + 1) for row in step.rows[:MAX_ROWS])
    which = f"{word} {numbers}" if n_rows <= MAX_ROWS else f"{n_rows:,} rows"
    meaning, formula = _FORMULAS[names.loss]
    if step.weights is not None:
        meaning, formula = (each.replace(" of ", " of weight * ", 1) for each in (meaning, formula))
    lines = [
        f"Step {step.number}: {which} of the train split, learning rate {number(step.lr)}",
        "",
        *_rows(step, names),
        "",
        f"  loss = {meaning} = {_total(step, names)}",
        "",
        *_gradients(step, names),
        f"  by formula: {formula.format(x='x')} for a weight"
        + (f", {formula.format(x='1')} for b" if "bias" in step.before else ""),
        f"  with error = prediction - target and n = {n_rows * len(names.targets)}",
        "",
        *_update(step, names),
        "",
        f"  new loss of the same rows = {number(step.next_loss, 12)}",
    ]
    return "\n".join(lines)


def path(steps: Sequence["ExplainedStep"], names: Names) -> str:
    """The points that the steps visit, one a line: the loss over the train split, and the parameters that move most."""
    shown = _most_moved(steps[0], names, MAX_COLUMNS)
    points = [(steps[0].before, steps[0].train_loss), *((step.after, step.next_train_loss) for step in steps)]
    head = ["steps", "train loss", *(cut(name, _HEAD + 3) for name, _, _ in shown)]
    rows = [
        [
            f"{steps[0].number - 1 + position:,}",
            number(loss, 8),
            *(number(_at(point, key, at), 8) for _, key, at in shown),
        ]
        for position, (point, loss) in enumerate(points)
    ]
    lines = [f"Path: {plural(len(points), 'point')}", "", output.aligned([head, *rows], left=0, indent="  ")]
    more = steps[0].before["weight"].numel() + len(names.targets) * ("bias" in steps[0].before) - len(shown)
    lines += [f"  and {plural(more, 'more parameter')}; --json has them all"] if more else []
    return "\n".join(lines)


def _most_moved(step: "ExplainedStep", names: Names, most: int) -> list[tuple[str, str, int]]:
    """(name, key, position) of the weights that a step moves most, and of the biases as far as there is room."""
    d, sizes = len(names.features), step.direction["weight"].flatten().abs().tolist()
    largest = sorted(sorted(range(len(sizes)), key=lambda at: -sizes[at])[:most])
    shown = [(names.weight(*divmod(at, d)), "weight", at) for at in largest]
    biases = [(names.bias(k), "bias", k) for k in range(len(names.targets))] if "bias" in step.before else []
    return shown + biases[: max(1, most - len(shown))]


def _rows(step: "ExplainedStep", names: Names) -> list[str]:
    """The rows of the batch; of several targets for the first one."""
    columns = _columns(step)
    digits = 8 if len(columns) <= 2 else 6
    names_of_columns = [cut(one_line(names.features[at]), _HEAD) for at in columns]
    weighted = [] if step.weights is None else ["weight"]
    target = cut(one_line(names.targets[0]), _HEAD)
    table = [["row", *names_of_columns, target, "prediction", "error", *weighted, "loss"]]
    own = [] if step.weights is None else [step.weights[:, None]]
    values = (step.targets, step.predictions, step.predictions - step.targets, *own, step.terms)
    rest = zip(*(part[:MAX_ROWS, 0].tolist() for part in values), strict=True)
    inputs = step.inputs[:MAX_ROWS, columns].tolist()
    for row, cells, others in zip(step.rows, inputs, rest, strict=False):
        table.append([str(row + 1), *(number(value, digits) for value in (*cells, *others))])
    lines = [output.aligned(table, left=0, indent="  ")]
    if (more := len(step.rows) - MAX_ROWS) > 0:
        lines.append(f"  ... and {plural(more, 'more row')}")
    if (more := len(names.features) - len(columns)) > 0:
        lines.append(f"  and {plural(more, 'more column')}, whose weights this step moves less")
    if (more := len(names.targets) - 1) > 0:
        lines.append(f"  and {plural(more, 'more target')}, with a prediction each")
    return lines


def _columns(step: "ExplainedStep") -> list[int]:
    """The columns whose weights the step moves most, in their order."""
    sizes = step.direction["weight"].abs().amax(dim=0).tolist()
    return sorted(sorted(range(len(sizes)), key=lambda at: -sizes[at])[:MAX_COLUMNS])


def _total(step: "ExplainedStep", names: Names) -> str:
    """The loss as the sum of its terms, as far as these are shown."""
    total, terms = number(step.loss, 12), [number(term, 8) for term in step.terms.flatten().tolist()]
    if len(terms) == 1 or (len(names.targets) > 1 and len(terms) > MAX_ROWS):
        return total
    added = " + ".join(terms if len(terms) <= MAX_ROWS else [*terms[:2], "...", terms[-1]])
    return f"{added} = {total}" if names.loss == "sse" else f"({added}) / {len(terms):,} = {total}"


def _gradients(step: "ExplainedStep", names: Names) -> list[str]:
    rows = [["gradient", "autograd", "formula", "central difference", "largest difference"]]
    shown = _most_moved(step, names, MAX_WEIGHTS)
    for name, key, at in shown:
        values = [_at(step.gradients[way], key, at) for way in ("autograd", "formula", "finite_difference")]
        rows.append([name, *(number(value, 10) for value in values), number(max(values) - min(values), 2)])
    more = sum(part.numel() for part in step.before.values()) - len(shown)
    counted = [f"  and {plural(more, 'more parameter')}; --json has them all"] if more else []
    return [output.aligned(rows, indent="  "), *counted]


def _update(step: "ExplainedStep", names: Names) -> list[str]:
    shown = _most_moved(step, names, MAX_WEIGHTS)
    gradient, direction = step.gradients["autograd"], step.direction
    plain = all(bool(((direction[key] - gradient[key]).abs() <= 1e-9 * gradient[key].abs().clamp(min=1)).all())
                for key in direction)  # fmt: skip
    word = "gradient" if plain else "direction (the gradient with weight decay and momentum)"
    lines = [f"  update: parameter - rate * {word}"]
    for name, key, at in shown:
        old, way, new = (number(_at(part, key, at), 10) for part in (step.before, direction, step.after))
        lines.append(f"  {name} = {old} - {number(step.lr)} * ({way}) = {new}")
    return lines


def _at(parameters: "Parameters", key: str, position: int) -> float:
    return float(parameters[key].flatten()[position])

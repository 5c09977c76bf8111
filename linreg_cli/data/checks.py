"""What is suspicious about the columns of a table, in words: found in a sample of rows, confirmed in all of them."""

from collections.abc import Iterator

import numpy as np

from linreg_cli.data.columns import Column, Rows, take
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encode import CategoryInput
from linreg_cli.data.rows import in_order
from linreg_cli.data.suspects import MIN_ROWS, identifiers, leaks, standard

SAMPLE_ROWS = 10_000
MAX_FEATURES = 1_000
_SHOWN = 10


def warnings(dataset: Dataset, *, bias: bool) -> tuple[str, ...]:
    """Constant, duplicate and collinear inputs, identifiers, and features that determine the target.

    Args:
        dataset: a table, split and encoded; only its train split is looked at.
        bias: whether the model has an intercept, which duplicates a constant.
    """
    rows = in_order(dataset.splits["train"])
    n_train = len(dataset.splits["train"])
    sample = np.sort(dataset.splits["train"][:: -(-n_train // SAMPLE_ROWS)])
    columns = {name: take(dataset.columns, name, sample) for name in dataset.features[:MAX_FEATURES]}
    constant = [name for name in columns if _is_constant(dataset, name, columns[name], rows)]
    doubled = _duplicates(dataset, {name: columns[name] for name in columns if name not in constant}, rows)
    found = [
        f"{target}: one value in every row to train on, so R2 is undefined and there is nothing to learn"
        for target in dataset.targets
        if _is_constant(dataset, target, take(dataset.columns, target, sample), rows)
    ]
    found += _flat(dataset, constant)
    found += [f"{name} is the same as {first}; leave one of them out with data.ignore" for name, first in doubled]
    left = [name for name in columns if name not in constant and name not in dict(doubled)]
    whole = _whole_sets(dataset, bias=bias)
    why = "which the bias duplicates" if bias else "as another category has"
    found += [
        f"every level of {column} has an input of its own, {why}; set preprocess.drop_first: auto" for column in whole
    ]
    last = {f"{column}={whole[column][-1]}" for column in whole}
    if n_train < len(left) + bias:
        found.append(f"{n_train} rows to train on, and {len(left)} inputs: the weights are not unique")
    else:
        names = [name for name in left if name not in last]
        found += _collinear(dataset, names, {name: columns[name] for name in names}, rows, bias=bias)
    if n_train >= MIN_ROWS:
        found += identifiers(dataset, sample)
        found += leaks(dataset, sample)
    return tuple(found[:_SHOWN]) + ((f"and {len(found) - _SHOWN} more such findings",) if len(found) > _SHOWN else ())


def _flat(dataset: Dataset, constant: list[str]) -> Iterator[str]:
    """Columns of one number or one level, of which the first has no input where it is dropped."""
    inputs = dataset.encoder.inputs if dataset.encoder is not None else ()
    names = [
        each.column
        for each in inputs
        if (len(each.levels) == 1 if isinstance(each, CategoryInput) else each.column in constant)
    ]
    if names:
        remedy = "leave out with data.ignore" if len(names) < len(inputs) else "there is nothing to learn from"
        yield f"{_listed(names)}: one value in every row to train on; {remedy}"


def _is_constant(dataset: Dataset, name: str, sample: Column, rows: Rows | slice) -> bool:
    if sample.min() != sample.max():
        return False
    values = take(dataset.columns, name, rows)
    return bool(values.min() == values.max())


def _duplicates(dataset: Dataset, columns: dict[str, Column], rows: Rows | slice) -> list[tuple[str, str]]:
    first: dict[bytes, str] = {}
    found = []
    for name, values in columns.items():
        other = first.setdefault(values.tobytes(), name)
        if other != name and np.array_equal(take(dataset.columns, name, rows), take(dataset.columns, other, rows)):
            found.append((name, other))
    return found


def _whole_sets(dataset: Dataset, *, bias: bool) -> dict[str, tuple[str, ...]]:
    """Categories whose indicators add up to 1, as the bias or those of a category before them do."""
    inputs = dataset.encoder.inputs if dataset.encoder is not None else ()
    whole = [
        each for each in inputs if isinstance(each, CategoryInput) and not each.drop_first and len(each.levels) > 1
    ]
    return {each.column: each.levels for each in whole[not bias :]}


def _collinear(
    dataset: Dataset, names: list[str], columns: dict[str, Column], rows: Rows | slice, *, bias: bool
) -> Iterator[str]:
    """Columns that are combinations of those before them, by Gram-Schmidt on the standardised sample."""
    if not names:
        return
    scaled = {name: standard(values, bias=bias) for name, values in columns.items()}
    basis = np.zeros((len(scaled[names[0]]), len(names)))
    kept: list[str] = []
    for name in names:
        rest = scaled[name]
        for _ in range(2):  # once is not enough in floating point
            rest = rest - basis[:, : len(kept)] @ (basis[:, : len(kept)].T @ rest)
        size = np.linalg.norm(scaled[name])
        if np.linalg.norm(rest) > 1e-7 * size or not size:
            basis[:, len(kept)] = rest / max(float(np.linalg.norm(rest)), 1e-300)
            kept.append(name)
            continue
        matrix = np.column_stack([scaled[other] for other in kept])
        weights = np.linalg.lstsq(matrix, scaled[name])[0]
        spread = {other: _spread(columns[other], bias=bias) for other in (*kept, name)}
        terms = {
            other: float(weight * spread[name] / spread[other])
            for other, weight in zip(kept, weights, strict=True)
            if abs(weight) > 1e-6
        }
        rest = take(dataset.columns, name, rows) - sum(
            weight * take(dataset.columns, other, rows) for other, weight in terms.items()
        )
        if _spread(rest, bias=bias) <= 1e-6 * spread[name]:
            constant = float(rest.mean()) if abs(rest.mean()) > 1e-6 * spread[name] else 0.0
            message = f"{name}{_combination(terms, constant)}: the weights of these columns are not unique"
            yield f"{message}; leave one out with data.ignore"


def _spread(values: Column, *, bias: bool) -> float:
    return float(np.std(values) if bias else np.sqrt(np.mean(values**2)))


def _combination(terms: dict[str, float], constant: float) -> str:
    if len(terms) > 4:
        return f" is a combination of {_listed(list(terms))}"
    parts: list[str] = []
    for name, weight in terms.items():
        size = "" if abs(abs(weight) - 1) < 1e-6 else f"{abs(weight):.4g} "
        sign = "- " if weight < 0 else "+ " if parts else ""
        parts.append(f"{sign}{size}{name}")
    if constant:
        parts.append(f"{'-' if constant < 0 else '+'} {abs(constant):.4g}")
    return f" = {' '.join(parts)}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"

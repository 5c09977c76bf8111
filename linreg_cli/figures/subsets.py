"""Figures that need the rows: residuals by column, correlations, errors on subsets of the rows."""

import functools
from collections.abc import Iterator

import numpy as np

from linreg_cli.data import Dataset
from linreg_cli.data.columns.kinds import Categories, take
from linreg_cli.data.columns.rows import StackedRows, as_slice, in_order, part
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.transform import forward
from linreg_cli.errors import UsageError
from linreg_cli.figures.by_feature import Against
from linreg_cli.figures.learning_curve import LearningCurve
from linreg_cli.figures.material import Material
from linreg_cli.seeds import numpy_stream
from linreg_cli.wording import number

#: The most columns whose correlations are computed.
_MOST_COLUMNS = 2_000
#: The cells of the columns that are read at once.
_BLOCK_CELLS = 2**20
#: Sizes and orders of a learning curve, and the most cells of X and rows that it works on.
_SIZES, _ORDERS, _MOST_CELLS, _MOST_ROWS = 10, 8, 2_000_000, 250_000
#: The share of the rows that is held out where the run has neither a test nor a validation split.
_HELD_OUT = 0.2


def columns_against(run: Material, target: str) -> tuple[np.ndarray, list[Against]]:
    """Residuals of the train split, in the units of the fit, and the columns of the table in the same rows.

    The rows are those of `predictions.csv`.
    """
    points = next(p for p in run.points(target, fitted=True) if p.split == "train")
    dataset = run.train_rows().dataset
    rows = as_slice(run.rows_of("train") - 1)
    columns: list[Against] = []
    indicators: set[str] = set()
    for each in dataset.inputs:
        values = None if dataset.raw is None else dataset.raw.get(each.column)
        if isinstance(values, Categories):
            columns.append(_against_levels(each.column, values.codes[rows].astype(np.float64), tuple(values.levels)))
            indicators.update(each.features)
    others = (name for name in dataset.features if name not in indicators)
    columns += [_against_numbers(name, take(dataset.columns, name, rows)) for name in others]
    residuals = points.actual - points.predicted
    return residuals if points.root is None else residuals * points.root, columns


def _against_levels(name: str, codes: np.ndarray, levels: tuple[str, ...]) -> Against:
    """A category; missing cells, which have the code -1, are a level of their own."""
    if not (codes < 0).any():
        return Against(name, codes, levels)
    return Against(name, np.where(codes < 0, len(levels), codes), (*levels, MISSING_LEVEL))


def _against_numbers(name: str, values: np.ndarray) -> Against:
    """A column of numbers; one with two values is a category, such as an indicator."""
    found = np.unique(values)
    if len(found) != 2:
        return Against(name, values)
    return Against(name, np.searchsorted(found, values).astype(np.float64), tuple(number(float(x)) for x in found))


def correlations(run: Material) -> tuple[np.ndarray, list[str]]:
    """Pearson's correlations of features and targets (as they were fitted) over the train split, and the names.

    Raises:
        UsageError: for a run with too many columns.
    """
    dataset = run.train_rows().dataset
    names = [*dataset.features, *dataset.targets]
    if len(names) > _MOST_COLUMNS:
        raise UsageError(
            f"{len(names):,} columns are more than {_MOST_COLUMNS:,}, and have too many correlations", run.id
        )
    if len(dataset.splits["train"]) < 2:
        raise UsageError("a single row has no correlations", run.id)
    with np.errstate(all="ignore"):
        found = _covariances(run, dataset, names)
        deviations = np.sqrt(np.diag(found))
        found = np.clip(found / np.outer(deviations, deviations), -1, 1)
    return found, [*dataset.features, *map(run.fitted_name, dataset.targets)]


def _covariances(run: Material, dataset: Dataset, names: list[str]) -> np.ndarray:
    """Sums of products of columns about their means over the train split, weighted, in two passes over its blocks."""
    rows = in_order(dataset.splits["train"])
    transformed = [lambda values: values] * len(dataset.features)
    transformed += [functools.partial(forward, run.transform)] * len(dataset.targets)
    X_nd = StackedRows(dataset.columns, names, rows, transformed)
    size, mean = max(1, _BLOCK_CELLS // len(names)), X_nd[0:1].copy()

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(X_nd), size):
            away = X_nd[start : start + size] - mean
            weights = dataset.weights_of(part(rows, start, start + len(away)))
            yield away, np.ones(len(away)) if weights is None else weights

    # About the first row, the sums of a constant column are exactly 0.
    sums = [(weights @ away, weights.sum()) for away, weights in blocks()]
    mean += sum(each for each, _ in sums) / sum(weight for _, weight in sums)
    found: np.ndarray = sum((away.T * weights) @ away for away, weights in blocks())
    return found


def learning_curve(run: Material, target: str, label: str) -> LearningCurve:
    """Errors of least squares on nested subsets of the train split, in several random orders.

    They are of ordinary least squares, whatever the run was trained with, in the units of the fit. The held-out rows
    are those of the test split, else of the validation split, else a fifth of the rows.

    Raises:
        UsageError: with too few rows.
    """
    found = run.train_rows()
    dataset, preprocessor = found.dataset, found.preprocessor
    k, has_bias = dataset.targets.index(target), run.config.model.bias
    X, y, w = _arrays(run, "train", k)
    n_rows = len(X)
    held_out = next((split for split in ("test", "validation") if len(dataset.splits[split])), None)
    stream = numpy_stream(run.config.seed, "learning_curve")
    if held_out is None:
        order = stream.permutation(len(X))
        out = order[: max(1, round(_HELD_OUT * len(X)))]
        (X_out, y_out, w_out), keep = (X[out], y[out], w[out]), np.sort(order[len(out) :])
        X, y, w, held_out = X[keep], y[keep], w[keep], "held out"
    else:
        X_out, y_out, w_out = _arrays(run, held_out, k)
    p = X.shape[1] + has_bias
    if len(X) < p + 2:
        few = f"{n_rows:,} {'row' if n_rows == 1 else 'rows'} and {p:,} {'parameter' if p == 1 else 'parameters'}"
        raise UsageError(f"{few} leave no subsets to compare", run.id)
    centre, scale = X.mean(axis=0), X.std(axis=0)
    X, X_out = ((each - centre) / np.where(scale > 0, scale, 1.0) for each in (X, X_out)) if has_bias else (X, X_out)
    if has_bias:
        X, X_out = (np.column_stack([each, np.ones(len(each))]) for each in (X, X_out))
    sizes = np.unique(np.geomspace(min(p + 2, len(X)), len(X), _SIZES).round().astype(int))
    errors = np.empty((2, _ORDERS, len(sizes)))
    for row in range(_ORDERS):
        order = stream.permutation(len(X))
        for column, size in enumerate(sizes):
            some = order[:size]
            root = np.sqrt(w[some])
            theta = np.linalg.lstsq(X[some] * root[:, None], y[some] * root, rcond=None)[0]
            for which, (rows, actual, own) in enumerate(((X[some], y[some], w[some]), (X_out, y_out, w_out))):
                errors[which, row, column] = np.sqrt(np.average((actual - rows @ theta) ** 2, weights=own))
    errors *= preprocessor.targets.scale[k]
    return LearningCurve(label, sizes, errors[0], errors[1], held_out)


def _arrays(run: Material, split: str, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, one target and the weights of a split in scaled units, float64, thinned to `_MOST_CELLS` and `_MOST_ROWS`."""
    found = run.train_rows()
    rows = found.dataset.splits[split]
    most = min(max(_MOST_CELLS // max(len(found.dataset.features), 1), 2), _MOST_ROWS)
    if len(rows) > most:
        rows = rows[np.arange(most) * len(rows) // most]
    X, y = found.preprocessor.given(found.dataset, rows)
    weights = found.dataset.weights_of(rows)
    return X, y[:, k], np.ones(len(X)) if weights is None else weights

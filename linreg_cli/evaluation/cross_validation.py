"""k-fold cross-validation of a config: encoding, imputation, scaling and training, anew for each fold."""

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from linreg_cli.config import Config
from linreg_cli.data import Dataset
from linreg_cli.data.assemble import resplit
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.row_set import RowArray, RowSet
from linreg_cli.data.columns.rows import in_order
from linreg_cli.evaluation.metrics import IN_ORIGINAL_UNITS, ErrorSums, Metrics
from linreg_cli.evaluation.predictions import predicted_blocks
from linreg_cli.model import LinearFormula
from linreg_cli.seeds import numpy_stream, unshuffle
from linreg_cli.wording import METRICS

#: Trains on the train split of a dataset. Returns the model, or a text that says why there is none.
Fit = Callable[[Dataset], LinearFormula | str]


def folds(rows: RowArray, count: int, *, shuffle: bool, seed: int) -> list[RowArray]:
    """Split rows into `count` folds whose sizes differ by at most 1, as scikit-learn's KFold does.

    Args:
        rows: positions in the table, shape (n_rows,).
        count: number of folds.
        shuffle: whether rows are permuted first; else folds are consecutive.
        seed: of the permutation, which is drawn from the stream "folds".

    Returns:
        The rows of each fold.

    >>> [part.tolist() for part in folds(np.arange(5), 2, shuffle=False, seed=0)]
    [[0, 1, 2], [3, 4]]
    """
    order = _stream(seed).permutation(rows) if shuffle else rows
    return np.split(order, np.cumsum(_sizes(len(rows), count))[:-1])


def fold_numbers(rows: Rows, count: int, *, shuffle: bool, seed: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The fold of each row in ascending order, from 0, shape (n_rows,), in the smallest type that holds it.

    Folds of more rows than fit into memory are kept like this. They are those of `folds`, with its arguments: where
    that takes the permuted rows one fold after the other, this numbers their places so and undoes the permutation.

    >>> fold_numbers(np.array([7, 1, 4]), 2, shuffle=False, seed=0).tolist()
    [0, 1, 0]
    """
    kind = np.min_scalar_type(count - 1)
    cells = array(kind.char, bytes(kind.itemsize)) * len(rows)
    found, begin = np.frombuffer(cells, kind), 0
    for fold, size in enumerate(_sizes(len(rows), count)):
        found[begin : begin + size] = fold
        begin += size
    if shuffle:
        unshuffle(cells, _stream(seed))
    return found if isinstance(rows, RowSet) else found[np.argsort(rows)]


def _sizes(n_rows: int, count: int) -> list[int]:
    """The rows of each fold, in its order."""
    return [n_rows // count + (fold < n_rows % count) for fold in range(count)]


def _stream(seed: int) -> np.random.Generator:
    """What the rows are permuted by."""
    return numpy_stream(seed, "folds")


def cross_validate(dataset: Dataset, config: Config, fit: Fit) -> Metrics:
    """k-fold cross-validation on the train split; metrics in original units.

    Each fold is predicted by a model trained on the other folds. Encoding, imputation and scaling are fitted on those
    folds, too. A level that they lack is treated as none of theirs. The test split is not used.

    Args:
        dataset: the rows.
        config: with the number of folds in `evaluate.cross_validation`.
        fit: trains a model.

    Returns:
        `units`, `r2_definition`, `folds`, and for each of `METRICS` its `mean`, its standard deviation over the folds
        (`std`, n - 1 in the denominator), and its `values`. A metric that is undefined in some fold is None, with
        `<metric>_reason`; so are all metrics if a fold has no model.
    """
    assert config.evaluate.cross_validation is not None
    lenient = config.model_copy(update={"preprocess": config.preprocess.model_copy(update={"unknown": "ignore"})})
    count, train = config.evaluate.cross_validation.folds, np.asarray(dataset.splits["train"])
    parts = folds(train, count, shuffle=config.data.split.shuffle, seed=config.seed)
    measured: list[Metrics] = []
    for number, held_out in enumerate(parts):
        others = np.concatenate([part for position, part in enumerate(parts) if position != number])
        splits = {"train": others, "validation": dataset.splits["validation"], "test": held_out}
        fold = resplit(dataset, lenient, splits)
        formula = fit(fold)
        if isinstance(formula, str):
            reason = f"fold {number + 1}: {formula}"
            reasons = {f"{key}_reason": reason for key in METRICS}
            return {**IN_ORIGINAL_UNITS, "folds": count, **dict.fromkeys(METRICS), **reasons}
        sums = ErrorSums()
        for block, actual, predicted in predicted_blocks(formula, fold, in_order(held_out)):
            sums.add(actual, predicted, fold.weights_of(block))
        measured.append(sums.metrics())
    return {**IN_ORIGINAL_UNITS, "folds": count, **_summary(measured)}


def _summary(measured: list[Metrics]) -> Metrics:
    out: Metrics = {}
    for name in METRICS:
        values = [metrics[name] for metrics in measured]
        undefined = [number for number, value in enumerate(values, start=1) if value is None]
        if undefined:
            reason = measured[undefined[0] - 1].get(f"{name}_reason")
            out |= {name: None, f"{name}_reason": f"fold {undefined[0]}: {reason}"}
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            spread = {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
        if all(np.isfinite(value) for value in spread.values()):
            out[name] = {**spread, "values": values}
        else:
            out |= {name: None, f"{name}_reason": "its mean or standard deviation overflows float64"}
    return out

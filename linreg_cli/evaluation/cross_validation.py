"""How far the metrics of a model depend on the rows that it was trained on."""

from collections.abc import Callable

import numpy as np

from linreg_cli.config import Config
from linreg_cli.data import Dataset
from linreg_cli.data.assemble import resplit
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.rows import in_order
from linreg_cli.evaluation.metrics import ErrorSums, Metrics
from linreg_cli.evaluation.predictions import predicted_blocks
from linreg_cli.model import LinearFormula
from linreg_cli.seeds import numpy_stream

NAMES = ("mse", "rmse", "mae", "r2")

#: Trains on the train split of a dataset; a text says why there is no model.
Fit = Callable[[Dataset], LinearFormula | str]


def folds(rows: Rows, count: int, *, shuffle: bool, seed: int) -> list[Rows]:
    """The rows in `count` parts whose sizes differ by 1 at most.

    >>> [part.tolist() for part in folds(np.arange(5), 2, shuffle=False, seed=0)]
    [[0, 1, 2], [3, 4]]
    """
    order = numpy_stream(seed, "folds").permutation(rows) if shuffle else rows
    return np.array_split(order, count)


def cross_validate(dataset: Dataset, config: Config, fit: Fit) -> Metrics:
    """Each part of the train split predicted by a model that was trained on the other parts, in original units.

    Encoding, gaps and scaling are learnt again from those parts; a level that they lack counts as none of theirs.
    Rows of the test split take no part.

    Args:
        dataset: the rows.
        config: `evaluate.cross_validation` says how many parts.
        fit: trains a model.

    Returns:
        `folds`, and for each metric its `mean`, its standard deviation over the parts (`std`, n - 1), and `values`.
        A metric that is undefined in a part, or of a part without a model, is None, with `<metric>_reason`.
    """
    assert config.evaluate.cross_validation is not None
    lenient = config.model_copy(update={"preprocess": config.preprocess.model_copy(update={"unknown": "ignore"})})
    count, train = config.evaluate.cross_validation.folds, dataset.splits["train"]
    parts = folds(train, count, shuffle=config.data.split.shuffle, seed=config.seed)
    measured: list[Metrics] = []
    for number, held_out in enumerate(parts):
        others = np.concatenate([part for position, part in enumerate(parts) if position != number])
        splits = {"train": others, "validation": dataset.splits["validation"], "test": held_out}
        fold = resplit(dataset, lenient, splits)
        formula = fit(fold)
        if isinstance(formula, str):
            reason = f"fold {number + 1}: {formula}"
            return {"folds": count, **dict.fromkeys(NAMES), **{f"{key}_reason": reason for key in NAMES}}
        sums = ErrorSums()
        for _, actual, predicted in predicted_blocks(formula, fold, in_order(held_out)):
            sums.add(actual, predicted)
        measured.append(sums.metrics())
    return {"folds": count, **_summary(measured)}


def _summary(measured: list[Metrics]) -> Metrics:
    out: Metrics = {}
    for name in NAMES:
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
            out |= {name: None, f"{name}_reason": "its spread is too large for a floating-point number"}
    return out

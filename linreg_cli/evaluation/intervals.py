"""Intervals about the predictions of a run: what train keeps for them, and the ends for rows of another table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import save

from linreg_cli.data.columns.kinds import BLOCK_ROWS, Column, take
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.errors import DataError, StoreError, UsageError, did_you_mean
from linreg_cli.evaluation.exact_fit import ExactFit
from linreg_cli.evaluation.saved_model import SavedModel
from linreg_cli.least_squares.intervals import KINDS, IntervalFactor
from linreg_cli.model import LinearFormula
from linreg_cli.remedies import training
from linreg_cli.runs.checkpoint import load_tensors
from linreg_cli.runs.store import INFERENCE_FILE, RunFolder
from linreg_cli.stored_remedies import rewritten
from linreg_cli.wording import number


@dataclass(frozen=True)
class Asked:
    """The intervals that are asked for.

    Attributes:
        kind: `prediction` or `confidence`.
        level: the probability that they cover, above 0 and below 1.
    """

    kind: str
    level: float

    @classmethod
    def checked(cls, kind: str, level: float, where: str = "level") -> "Asked":
        """The intervals that a user asks for.

        Raises:
            UsageError: for another kind, or a level that is no probability; `where` names the level.
        """
        if kind not in KINDS:
            raise UsageError(f"unknown value {kind!r}{did_you_mean(kind, KINDS)}", "interval")
        if not 0 < level < 1:
            meant = f" (did you mean {number(level / 100)}?)" if 1 < level < 100 else ""
            raise UsageError(f"the level must be above 0 and below 1, found {number(level)}{meant}", where)
        return cls(kind, float(level))


def save_factor(run: RunFolder, exact: ExactFit) -> None:
    """Write `inference.safetensors`; nothing where the exact fit has no inference.

    Raises:
        StoreError: if it cannot be written.
    """
    if exact.optimum is not None and exact.fits:
        tensors = IntervalFactor.of(exact.optimum, list(exact.fits.values())).tensors()
        run.write(INFERENCE_FILE, save({name: np.ascontiguousarray(values) for name, values in tensors.items()}))


def load_factor(saved: SavedModel) -> IntervalFactor:
    """The factor of a run.

    Raises:
        DataError: if inference was refused for the trained model, with the reason and what helps.
        StoreError: if the file is missing or damaged.
    """
    run = saved.run
    inference = run.read_json("metrics.json").get("inference")
    refused = inference.get("refused") if isinstance(inference, dict) else None
    if isinstance(refused, str):
        raise DataError(
            f"there are no intervals about its predictions, because inference was refused: {rewritten(refused)}", run.id
        )
    return stored_factor(run, saved.record, len(saved.formula.features), len(saved.formula.targets))


def stored_factor(run: RunFolder, record: Mapping[str, Any], n_features: int, n_targets: int) -> IntervalFactor:
    """What `save_factor` wrote.

    Args:
        run: that wrote it.
        record: its `run.json`.
        n_features: of its model.
        n_targets: of its model.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    if not run.has(INFERENCE_FILE):
        again = training(str(run.path / "config.yaml"), {})
        raise StoreError(
            f"the run has no {INFERENCE_FILE}, which intervals need: an older version of linreg trained it; train it "
            f"again: {again}",
            str(run.path),
        )
    run.verify(dict(record), INFERENCE_FILE)
    tensors = {name: values.numpy() for name, values in load_tensors(run, INFERENCE_FILE).items()}
    try:
        factor = IntervalFactor.from_tensors(tensors, n_features)
    except (ValueError, KeyError) as error:
        raise run.damaged(INFERENCE_FILE, str(error)) from None
    if len(factor.residual_std) != n_targets:
        raise run.damaged(INFERENCE_FILE, f"it is not of {n_targets} targets")
    return factor


def ends(
    factor: IntervalFactor,
    formula: LinearFormula,
    columns: Mapping[str, Column],
    asked: Asked,
    weights: Column | None = None,
) -> tuple[Column, Column]:
    """The lower and the upper ends in original units, each of shape (n_rows, n_targets).

    They lie about the trained prediction in units of the transformed target and are transformed back. The mean of a
    transformed target (`preprocess.target_estimate: mean`) has the ends of a confidence interval multiplied by the
    smearing factor, as its prediction is; a prediction interval is of an observation, whatever is predicted.

    Args:
        factor: of the run.
        formula: the trained model.
        columns: feature -> values, shape (n_rows,).
        asked: what and how sure.
        weights: of the rows, scaled as those of the train split, shape (n_rows,); None: all are 1.
    """
    center = formula.linear(columns)
    if formula.smearing is not None and asked.kind == "confidence":
        center = center + np.log(formula.smearing)
    reach = np.empty_like(center)
    for start in range(0, len(center), BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, len(center)))
        X = np.column_stack([take(columns, feature, rows) for feature in formula.features])
        own = None if weights is None else weights[rows]
        reach[rows] = factor.half_widths(X, asked.kind, asked.level, own)
    with np.errstate(over="ignore", invalid="ignore"):
        return inverse(formula.transform, center - reach), inverse(formula.transform, center + reach)

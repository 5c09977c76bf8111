"""The factor and the second moments of the train split in the units of a scaling, from those in original units."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from linreg_cli.data import Preprocessor
from linreg_cli.data.scaling import Scaling
from linreg_cli.errors import DataError, Fault
from linreg_cli.least_squares.decompositions import Array
from linreg_cli.least_squares.factor import Factor
from linreg_cli.optim.rows import MeasuredRows
from linreg_cli.remedies import setting
from linreg_cli.statistics.design import Combination, Design

#: Where rounding to float32 may move the values of a column by more than this share of its spread, the rounded numbers
#: are others than those that statistics are of.
MOST_ROUNDING = 1e-3
#: The share of the largest singular value below which the fit has nothing of a direction. Losses are quadratic in the
#: distance from the fit, so a fit far out along such a direction, where no step leads, would cost their digits.
_FLATTEST = 1e-5


def scaled_factor(design: Design, preprocessor: Preprocessor, *, bias: bool, dtype: str) -> Factor:
    """The factor of [X 1 y] in scaled units, as `factorise` has it.

    Args:
        design: of the train split.
        preprocessor: its scaling.
        bias: whether the model has an intercept.
        dtype: of training, by whose epsilon rank is judged.
    """
    features, targets, factor = preprocessor.features, preprocessor.targets, design.factor(bias=bias)
    scale = np.where(features.scale > 0, features.scale, 1.0)
    kept = features.scale > 0  # others are set to 0, and are constant
    return replace(
        factor,
        eps=float(np.finfo(dtype).eps),
        center=np.where(kept, (factor.center - features.center) / scale, 0.0) if bias else factor.center,
        scale=factor.scale / scale,
        spread=np.where(kept, factor.spread / scale, 0.0),
        largest=np.where(kept, _largest(design.inputs, features), 0.0),
        target_center=(factor.target_center - targets.center) / targets.scale if bias else factor.target_center,
        target_scale=factor.target_scale / targets.scale,
        target_largest=_largest(design.targets, targets),
        constant_k=factor.constant_k / targets.scale**2,
        R_pp=factor.R_pp if bias else np.where(kept, factor.R_pp, 0.0),
    )


def _largest(columns: Mapping[str, Combination], scaling: Scaling) -> Array:
    ends = np.array([(each.low, each.high) for each in columns.values()])
    scale = np.where(scaling.scale > 0, scaling.scale, 1.0)
    found: Array = np.abs((ends - scaling.center[:, None]) / scale[:, None]).max(axis=1)
    return found


def measured_rows(design: Design, preprocessor: Preprocessor, dtype: str, *, bias: bool) -> MeasuredRows:
    """What the executor takes in place of rows.

    Args:
        design: of the train split.
        preprocessor: its scaling.
        dtype: of training.
        bias: whether the model has an intercept.
    """
    factor = scaled_factor(design, preprocessor, bias=True, dtype=dtype)
    d = len(factor.scale)
    R_pd, means = factor.R_pp[:, :d], np.concatenate([factor.center, factor.target_center])
    fit_dk = np.linalg.lstsq(R_pd, factor.R_pk, rcond=_FLATTEST)[0]
    rest_pk = factor.R_pk - R_pd @ fit_dk
    units, of_target = factor.scale, factor.target_scale
    return MeasuredRows(
        n_samples=factor.n_samples,
        mean_z=means,
        S_dd=(R_pd.T @ R_pd) * np.outer(units, units),
        fit_kd=(fit_dk * of_target / units[:, None]).T.copy(),
        q_kd=((R_pd.T @ rest_pk) * np.outer(units, of_target)).T.copy(),
        rr_k=(np.sum(rest_pk**2, axis=0) + factor.rest_k) * of_target**2,
        dtype=dtype,
        has_constant=bias or _spans_ones(design),
    )


def _spans_ones(design: Design) -> bool:
    """Whether the columns, which are linearly independent, are no longer so with a column of ones."""
    return design.factor(bias=True).rank == design.factor(bias=False).rank


def refuse_rounding(factor: Factor, features: tuple[str, ...], targets: tuple[str, ...], where: str) -> None:
    """Refuse a training in float32 on columns whose values are rounded by a part of their spread.

    Args:
        factor: in scaled units, judged by the epsilon of the dtype of training.
        features: names of the inputs.
        targets: names of the targets.
        where: the file of statistics, for messages.

    Raises:
        DataError: with each such column.
    """
    target_spread = np.sqrt(factor.constant_k / factor.n_samples)
    faults = []
    for names, largest, spread, key in (
        (features, factor.largest, factor.spread, "preprocess.standardize"),
        (targets, factor.target_largest, target_spread, "preprocess.standardize_target"),
    ):
        lost = (spread > 0) & (factor.eps / 2 * largest > MOST_ROUNDING * spread)
        for place in np.flatnonzero(lost):
            message = "float32 rounds its values by a part of their spread, which statistics do not hold"
            remedy = f"set {setting(key, True)} or {setting('train.dtype', 'float64')}"
            faults.append(Fault(f"{message}; {remedy}", f"{where}, column {names[place]!r}"))
    if faults:
        raise DataError(faults)

"""The mean of a transformed target: Duan's smearing estimate."""

import numpy as np

from linreg_cli.config.schema import Config
from linreg_cli.data import Dataset
from linreg_cli.data.columns.divided import in_order
from linreg_cli.data.columns.kinds import Column, take
from linreg_cli.data.columns.rows import row_blocks
from linreg_cli.data.encoding.transform import forward
from linreg_cli.errors import DataError
from linreg_cli.model import LinearFormula
from linreg_cli.remedies import setting


def estimating(formula: LinearFormula, dataset: Dataset, config: Config) -> LinearFormula:
    """The formula that predicts what `preprocess.target_estimate` asks for: as it is for the median.

    For the mean, the smearing estimate is the mean of f^-1(X w + b + e) over the residuals e of the train split, in
    units of f(y). For f = log that is exp(X w + b) times the factor s = mean of exp(e); for f = log1p it is
    exp(X w + b) s - 1, so the factor acts on 1 + y.

    Args:
        formula: the model.
        dataset: with its train split.
        config: with `preprocess.target_estimate`.

    Raises:
        DataError: if a factor overflows float64.

    Source: N. Duan, Smearing estimate: a nonparametric retransformation method, 1983.
    """
    if config.preprocess.target_estimate == "median":
        return formula
    with np.errstate(over="ignore", invalid="ignore"):
        factors = in_order(dataset.of_parts(_sums, formula)) / len(dataset.splits["train"])
    if not (np.isfinite(factors) & (factors > 0)).all():
        remedy = setting("preprocess.target_estimate", "median")
        message = f"the smearing factor of the residuals overflows float64; set {remedy}"
        raise DataError(message, dataset.name)
    return formula.smeared(factors)


def _sums(dataset: Dataset, first: int, last: int, formula: LinearFormula) -> Column:
    """The sums of exp(e) over the residuals e of the train rows of a part, shape (n_targets,)."""
    rows, sums = dataset.rows_of("train", first, last), np.zeros(len(formula.targets))
    with np.errstate(over="ignore", invalid="ignore"):
        for _, block in row_blocks(rows, dataset.n_samples):
            y = np.column_stack([take(dataset.columns, target, block) for target in formula.targets])
            residuals = forward(formula.transform, y) - formula.linear(dataset.columns, block)
            sums += np.exp(residuals).sum(axis=0)
    return sums

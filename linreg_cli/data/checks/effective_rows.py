"""A warning for weights of which a few rows have nearly all."""

import math
from collections.abc import Iterator

import numpy as np

from linreg_cli.data.columns.kinds import BLOCK_ROWS
from linreg_cli.data.columns.row_set import RowArray
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.roles import RowWeights
from linreg_cli.findings import Finding
from linreg_cli.wording import number, percent

#: Weights are warned of where they are worth fewer equally weighted rows than this share of the rows.
LEAST_SHARE = 0.1


def few_effective_rows(dataset: Dataset) -> Iterator[Finding]:
    """A warning where the weights are worth far fewer rows than there are, or fewer than a model has parameters.

    n_eff = (sum w)^2 / (sum w^2) equally weighted rows have a mean of the same variance as rows of weights w: Kish's
    effective sample size. Source: L. Kish, Survey Sampling, 1965, section 11.7.

    Args:
        dataset: split; its train split is checked.
    """
    rows = np.asarray(dataset.splits["train"])
    if dataset.weights is None or not len(rows):
        return
    worth, heaviest, share = effective_rows(dataset.weights, rows)
    enough = max(LEAST_SHARE * len(rows), min(len(dataset.features) + 1, len(rows) / 2))
    if worth >= enough:
        return
    yield Finding(
        "few_effective_rows",
        f"the weights in {dataset.weights.column} are worth {number(worth, 3)} equally weighted rows, (sum w)^2 / "
        f"(sum w^2), where the train split has {len(rows):,}; row {heaviest + 1:,} alone has {percent(share)} of all "
        "weight. Check it, or give the weights a ceiling",
    )


def effective_rows(weights: RowWeights, rows: RowArray) -> tuple[float, int, float]:
    """How many equally weighted rows weights are worth; the row of the largest one; its share of all weight.

    Args:
        weights: of a table, scaled to mean 1 over the rows, above 0.
        rows: positions, at least one.

    >>> effective_rows(RowWeights(np.array([1.0, 3.0, 0.0]), 0.5, "w"), np.array([0, 1]))
    (1.6, 1, 0.75)
    """
    squares, largest, heaviest = [], 0.0, int(rows[0])
    for at in range(0, len(rows), BLOCK_ROWS):
        part = rows[at : at + BLOCK_ROWS]
        shares = weights[part] / len(rows)  # their sum is 1
        squares.append(math.fsum(np.square(shares)))
        position = int(np.argmax(shares))
        if shares[position] > largest:
            largest, heaviest = float(shares[position]), int(part[position])
    return 1 / math.fsum(squares), heaviest, largest

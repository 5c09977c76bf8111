"""A warning for weights of which a few rows have nearly all."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.rows import count, in_order, row_blocks
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
    n_rows = len(dataset.splits["train"])
    if dataset.weights is None or not n_rows:
        return
    worth, heaviest, share = _together(dataset.of_parts(_of_part, n_rows))
    enough = max(LEAST_SHARE * n_rows, min(len(dataset.features) + 1, n_rows / 2))
    if worth >= enough:
        return
    yield Finding(
        "few_effective_rows",
        f"the weights in {dataset.weights.column} are worth {number(worth, 3)} equally weighted rows, (sum w)^2 / "
        f"(sum w^2), where the train split has {n_rows:,}; row {heaviest + 1:,} alone has {percent(share)} of all "
        "weight. Check it, or give the weights a ceiling",
    )


def effective_rows(weights: RowWeights, rows: Rows) -> tuple[float, int, float]:
    """How many equally weighted rows weights are worth; the first row of the largest one; its share of all weight.

    Args:
        weights: of a table, scaled to mean 1 over the rows, above 0.
        rows: positions, at least one.

    >>> effective_rows(RowWeights(np.array([1.0, 3.0, 0.0]), 0.5, "w"), np.array([0, 1]))
    (1.6, 1, 0.75)
    """
    return _together([_of_rows(weights, in_order(rows), len(rows))])


#: The sum of the squares of the shares of all weight that rows have; the largest share, and its row.
_Found = tuple[float, float, int]


def _of_rows(weights: RowWeights, rows: Rows | slice, n_rows: int) -> _Found:
    """Of some rows among `n_rows`, in ascending order."""
    squares, largest, heaviest = [0.0], 0.0, 0
    for _, block in row_blocks(rows, len(weights.values)):
        shares = weights[block] / n_rows  # their sum over all rows is 1
        squares.append(math.fsum(np.square(shares)))
        position = int(np.argmax(shares))
        if shares[position] > largest:
            row = block.start + position if isinstance(block, slice) else block[position]
            largest, heaviest = float(shares[position]), int(row)
    return math.fsum(squares), largest, heaviest


def _of_part(dataset: Dataset, first: int, last: int, n_rows: int) -> _Found:
    assert dataset.weights is not None
    rows = dataset.rows_of("train", first, last)
    if not count(rows, dataset.n_samples):
        return 0.0, 0.0, 0
    squares, largest, heaviest = _of_rows(dataset.weights, rows, n_rows)
    return squares, largest, heaviest + dataset.before


def _together(parts: Sequence[_Found]) -> tuple[float, int, float]:
    """As `effective_rows`, from what is found in parts, in their order."""
    largest = max(each[1] for each in parts)
    heaviest = next(each[2] for each in parts if each[1] == largest)
    return 1 / math.fsum(each[0] for each in parts), heaviest, largest

"""Facts of columns of numbers that come block by block: those of numpy for all rows at once."""

import numpy as np
import pytest

from linreg_cli.statistics.facts import ColumnFacts
from linreg_cli.statistics.number_facts import NumberFacts

RNG = np.random.default_rng(3)
N = 900


def with_gaps(values: np.ndarray) -> np.ndarray:
    values = values.astype(float)
    values[RNG.random(N) < 0.2] = np.nan
    return values


COLUMNS = {
    "normal": RNG.standard_normal(N),
    "whole": RNG.integers(-9, 9, N).astype(float),
    "whole with gaps": with_gaps(RNG.integers(3, 9, N)),
    "whole but for the last": np.append(np.arange(N - 1.0), 0.5),
    "gaps": with_gaps(RNG.standard_normal(N)),
    "gaps in the last rows": np.where(np.arange(N) < 800, 2.0, np.nan),
    "no cell": np.full(N, np.nan),
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("n_blocks", [1, 7])
def test_ends_gaps_and_whole_numbers_are_those_of_all_rows(column, n_blocks):
    found, names = NumberFacts(), [*COLUMNS]
    for block in np.array_split(np.vstack([*COLUMNS.values()]), n_blocks, axis=1):
        for name, values in zip(names, block, strict=True):
            n_missing = int(np.isnan(values).sum())
            found.add_cells(name, len(values), n_missing, n_missing)
        found.add_values([name if name != "normal" or column == name else None for name in names], block)
    facts = found.added_to(ColumnFacts(column, "feature", "empty", False))
    present = COLUMNS[column][~np.isnan(COLUMNS[column])]
    assert facts.low == present.min(initial=np.inf)
    assert facts.high == present.max(initial=-np.inf)
    assert facts.whole == all(value.is_integer() for value in present.tolist())
    assert facts.gaps == facts.missing == N - len(present)
    assert facts.kind == ("number" if len(present) else "empty")
    assert found.has_gaps(column) == (len(present) < N)


def test_a_column_that_is_not_looked_at_has_no_ends():
    found = NumberFacts()
    found.add_values([None, "x"], np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert found.ends() == {"x": (3.0, 4.0)}


def test_missing_cells_of_other_rows_are_no_gaps_of_train_rows():
    found = NumberFacts()
    found.add_cells("x", 10, 4, 1)
    facts = found.added_to(ColumnFacts("x", "feature", "number", False, missing=2))
    assert (facts.missing, facts.gaps) == (6, 1)


@pytest.mark.parametrize("zeros", [[-0.0, 0.0], [0.0, -0.0], [-0.0, -0.0]])
@pytest.mark.parametrize("n_blocks", [1, 2])
def test_an_end_of_zeros_has_no_sign(zeros, n_blocks):
    """Which of several zeros numpy finds depends on their number and on the processor, and the file has its bits."""
    found = NumberFacts()
    for block in np.array_split(np.array([zeros * 9]), n_blocks, axis=1):
        found.add_values(["x"], block)
    assert np.signbit(found.ends()["x"]).tolist() == [False, False]

"""Sums over the rows of a table are those of its parts, so any number of processes finds the same bits."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from thread_ranks import Several, divided

from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.data.roles import RowWeights
from linreg_cli.data.scaling import standard_deviations
from linreg_cli.errors import DataError

STANDARD = PreprocessConfig(standardize=True, standardize_target=True, ddof=1)
SIZES = (1, 2, 3, 4)


def table(n=53, *, weighted=False, targets=1):
    """Rows in splits of random order; rows 0 to 9 are dropped, so that a part of eight has no train rows."""
    rng = np.random.default_rng(n)
    features = {"a": rng.lognormal(size=n), "b": rng.normal(1e6, 1e-2, n), "c": np.full(n, 0.1)}
    answers = {f"y{k}": 5 + features["a"] * (k + 2) + rng.lognormal(size=n) for k in range(targets)}
    order = rng.permutation(np.arange(10, n)).astype(np.int32)
    splits = {"train": order[:30], "validation": order[:0], "test": order[30:]}
    weights = RowWeights.of(rng.uniform(0.5, 2, n), "w", splits["train"]) if weighted else None
    return Dataset("t.csv", tuple(features), tuple(answers), features | answers, splits, weights=weights)


def of_each_size(dataset, function, shards=8):
    """What a function of the dataset returns in 1, 2, 3 and 4 processes."""
    found = []
    for size in SIZES:
        several = Several(size)
        with several:
            found.append(function(divided(dataset, several.ranks, shards)))
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_scaling_has_the_same_bits_in_any_number_of_processes(weighted):
    dataset = table(weighted=weighted)

    def fitted(given):
        found = Preprocessor.fit(given, STANDARD, bias=True)
        return found.as_json(), standard_deviations(given)

    found = of_each_size(dataset, fitted)
    assert found[0] == found[1] == found[2] == found[3]
    scaling = Preprocessor.fit(divided(dataset, [None], 8), STANDARD, bias=True).features
    train, n = dataset.splits["train"], 30
    X = np.column_stack([dataset.columns[name][train] for name in "ab"])
    scaler = StandardScaler().fit(X, sample_weight=None if dataset.weights is None else dataset.weights[train])
    np.testing.assert_allclose(scaling.center[:2], scaler.mean_, rtol=1e-14)
    # 'b' has a spread of 1e-8 of its size: rounding of the mean, eps 1e6 = 2e-10, is 2e-8 of the spread.
    np.testing.assert_allclose(scaling.scale[:2], scaler.scale_ * np.sqrt(n / (n - 1)), rtol=1e-7)
    assert (scaling.center[2], scaling.scale[2]) == (0.1, 0.0)  # as it stands in the table, without rounding error


@pytest.mark.parametrize("weighted", [False, True])
def test_one_part_has_the_bits_of_a_table_without_parts(weighted):
    dataset = table(weighted=weighted)
    rows = replace(dataset, splits={split: np.sort(rows) for split, rows in dataset.splits.items()})
    of_part, whole = (Preprocessor.fit(each, STANDARD, bias=True) for each in (divided(rows, [None], 1), rows))
    assert of_part.as_json() == whole.as_json()


def test_the_first_value_outside_a_domain_is_named_whichever_process_has_it():
    dataset = table(targets=2)
    for name, row in (("y0", 44), ("y0", 20), ("y1", 12)):
        dataset.columns[name][row] = -3.0
    splits = dataset.splits | {"train": np.concatenate([dataset.splits["train"], dataset.splits["test"]])}
    logs = STANDARD.model_copy(update={"target_transform": "log"})

    def refused(given):
        with pytest.raises(DataError) as error:
            Preprocessor.fit(given, logs, bias=True)
        return str(error.value)

    found = of_each_size(replace(dataset, splits=splits), refused)
    expected = "t.csv, row 21, column 'y0': preprocess.target_transform: log needs values above 0, found -3"
    assert set(found) == {expected}
    dataset.columns["y0"][:] = np.linspace(0, 1.7e308, 53)
    assert len(set(of_each_size(dataset, lambda given: _overflow(given)))) == 1


def _overflow(dataset):
    with pytest.raises(DataError, match="cannot be standardised in float64") as error:
        Preprocessor.fit(dataset, STANDARD, bias=True)
    return str(error.value)

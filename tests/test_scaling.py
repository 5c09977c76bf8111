"""Scaling against scikit-learn, from the train split alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.data.scaling import Scaling
from linreg_cli.errors import DataError

STANDARD = PreprocessConfig(standardize=True, standardize_target=True)


def make_dataset(**columns: list[float]) -> Dataset:
    """Every third row tests; the last column is the target."""
    values = {name: np.array(column, dtype=np.float64) for name, column in columns.items()}
    *features, target = values
    rows = np.arange(len(values[target]))
    splits = {"train": rows[rows % 3 != 2], "validation": rows[:0], "test": rows[rows % 3 == 2]}
    return Dataset("rows", tuple(features), (target,), values, splits)


@pytest.fixture
def houses() -> Dataset:
    stream = np.random.default_rng(2)
    area, rooms = stream.lognormal(7.5, 0.4, 90), stream.integers(1, 7, 90).astype(float)
    return make_dataset(area=area, rooms=rooms, year=stream.normal(1e6, 1e-2, 90), price=2e5 + 280 * area)


def matrix(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    return np.column_stack([dataset.columns[name][rows] for name in dataset.features])


def test_standardising_is_that_of_scikit_learn(houses):
    preprocessor = Preprocessor.fit(houses, STANDARD, bias=True)
    scaler = StandardScaler().fit(matrix(houses, houses.splits["train"]))
    # 'year' has a spread of 1e-8 of its size: rounding of the mean, eps 1e6 = 2e-10, is 2e-8 of the spread.
    np.testing.assert_allclose(preprocessor.features.center, scaler.mean_, rtol=1e-14)
    np.testing.assert_allclose(preprocessor.features.scale, scaler.scale_, rtol=1e-7)
    for rows in houses.splits.values():
        ours = preprocessor.features.tensor(houses, rows, torch.float64).numpy()
        assert ours.shape == (len(rows), 3)
        if len(rows):
            np.testing.assert_allclose(ours, scaler.transform(matrix(houses, rows)), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("ddof", [0, 1])
def test_train_columns_have_mean_0_and_standard_deviation_1(houses, ddof):
    config = PreprocessConfig(standardize=True, standardize_target=True, ddof=ddof)
    preprocessor = Preprocessor.fit(houses, config, bias=True)
    for scaling in (preprocessor.features, preprocessor.targets):
        X = scaling.tensor(houses, houses.splits["train"], torch.float64).numpy()
        np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-7)
        np.testing.assert_allclose(X.std(axis=0, ddof=ddof), 1, rtol=1e-12)


def test_nothing_is_learnt_from_other_splits(houses):
    before = Preprocessor.fit(houses, STANDARD, bias=True)
    for column in houses.columns.values():
        column[houses.splits["test"]] = -1e5
    after = Preprocessor.fit(houses, STANDARD, bias=True)
    assert before.as_json() == after.as_json()


def test_without_a_bias_columns_are_scaled_and_not_centred(houses):
    scaling = Preprocessor.fit(houses, STANDARD, bias=False)
    centred = Preprocessor.fit(houses, STANDARD, bias=True)
    assert not scaling.features.center.any()
    assert not scaling.targets.center.any()
    assert scaling.features.scale.tolist() == centred.features.scale.tolist()


def test_a_constant_column_is_left_at_0_and_a_constant_target_is_only_centred():
    dataset = make_dataset(x=[0.1] * 31, z=range(31), y=[0.3] * 31)
    preprocessor = Preprocessor.fit(dataset, STANDARD, bias=True)
    X = preprocessor.features.tensor(dataset, slice(None), torch.float64)
    y = preprocessor.targets.tensor(dataset, slice(None), torch.float64)
    assert X[:, 0].tolist() == [0.0] * 31
    assert y[:, 0].tolist() == [0.0] * 31
    assert preprocessor.targets.scale.tolist() == [1.0]


def test_a_constant_column_stands_for_the_intercept_that_a_model_lacks():
    dataset = make_dataset(x=[0.1] * 31, u=[-1e9] * 31, o=[0.0] * 31, z=range(31), y=[0.3] * 31)
    preprocessor = Preprocessor.fit(dataset, STANDARD, bias=False)
    X = preprocessor.features.tensor(dataset, slice(None), torch.float64)
    assert X[:, :3].unique(dim=0).tolist() == [[1.0, -1.0, 0.0]]


def test_what_is_not_standardised_keeps_its_bits(houses):
    preprocessor = Preprocessor.fit(houses, PreprocessConfig(), bias=True)
    rows = houses.splits["train"]
    assert preprocessor.features.tensor(houses, rows, torch.float64).numpy().tobytes() == (
        np.ascontiguousarray(matrix(houses, rows)).tobytes()
    )


@pytest.mark.parametrize("bias", [True, False])
def test_round_trip_through_json(houses, bias):
    preprocessor = Preprocessor.fit(houses, STANDARD, bias=bias)
    again = Preprocessor.from_json(json.loads(json.dumps(preprocessor.as_json(), allow_nan=False)))
    for ours, theirs in ((preprocessor.features, again.features), (preprocessor.targets, again.targets)):
        assert ours.columns == theirs.columns
        assert ours.center.tobytes() == theirs.center.tobytes()
        assert ours.scale.tobytes() == theirs.scale.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(format=3),
        lambda values: values.pop("inputs"),
        lambda values: values["inputs"].pop(),
        lambda values: values["inputs"][0].update(missing="zero"),
        lambda values: values["inputs"][0].update(missing="mean"),
        lambda values: values["inputs"][0].update(kind="text"),
        lambda values: values.update(target_transform="sqrt"),
        lambda values: values.pop("targets"),
        lambda values: values.update(features=[]),
        lambda values: values["features"][0].update(scale=-1),
        lambda values: values["features"][0].update(center=float("nan")),
        lambda values: values["features"][0].pop("column"),
        lambda values: values["features"][0].update(scale="wide"),
    ],
)
def test_damaged_json_is_refused(houses, change):
    values = Preprocessor.fit(houses, STANDARD, bias=True).as_json()
    change(values)
    with pytest.raises((ValueError, KeyError, TypeError)):
        Preprocessor.from_json(values)


def test_format_1_is_read_as_numbers_without_gaps(houses):
    new = Preprocessor.fit(houses, STANDARD, bias=True)
    old = {"format": 1, "features": new.features.as_json(), "targets": new.targets.as_json()}
    again = Preprocessor.from_json(json.loads(json.dumps(old)))
    assert again.inputs == Encoder.of_numbers(houses.features)
    assert again.features.scale.tolist() == new.features.scale.tolist()
    assert again.targets.transform == "none"


@pytest.mark.parametrize("value", [1e39, -3.5e38])
def test_overflow_in_float32_says_row_and_column(value):
    dataset = make_dataset(a=[0, 1, 2, 3, 4, 5], b=[0, 1, 2, 3, value, 5], y=[0] * 6)
    scaling = Scaling.identity(("a", "b"))
    with pytest.raises(DataError) as caught:
        scaling.tensor(dataset, dataset.splits["train"], torch.float32)
    # the fourth row of the train split is the fifth of the table
    assert str(caught.value).startswith(
        f"{dataset.name}, row 5, column 'b': {value:g} overflows float32; set train.dtype"
    )
    assert scaling.tensor(dataset, dataset.splits["train"], torch.float64)[3, 1].item() == value
    standard = Preprocessor.fit(dataset, STANDARD, bias=True).features
    assert torch.isfinite(standard.tensor(dataset, slice(None), torch.float32)).all()


def test_the_largest_float32_still_fits():
    largest = float(np.finfo(np.float32).max)
    dataset = make_dataset(a=[largest, 1, 2], y=[0, 0, 0])
    assert Scaling.identity(("a",)).tensor(dataset, slice(None), torch.float32)[0, 0].item() == largest


@pytest.mark.parametrize("values", [[0, 1e-60, -3e-50, 0], [1e-310, 0, 0, 0]])
def test_a_column_that_is_zeros_in_float32_is_refused(values):
    dataset = make_dataset(a=[1, 2, 3, 4], tiny=values, y=[1, 2, 3, 4])
    scaling, row = Scaling.identity(("a", "tiny")), int(np.argmax(np.array(values) != 0))
    with pytest.raises(DataError, match=rf"row {row + 1}, column 'tiny': 1e-\d+ underflows float32; set train.dtype"):
        scaling.tensor(dataset, slice(None), torch.float32)
    assert scaling.tensor(dataset, slice(None), torch.float64)[row, 1].item() == values[row]


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [0, 1e-60, 1, 0]])
def test_zeros_and_single_tiny_values_are_columns_of_float32(values):
    dataset = make_dataset(a=values, y=[1, 2, 3, 4])
    X = Scaling.identity(("a",)).tensor(dataset, slice(None), torch.float32)
    assert X[:, 0].tolist() == np.array(values, dtype=np.float32).tolist()


@pytest.mark.parametrize("values", [[1e200, -1e200, 0, 5], [1e-200, 3e-200, 0, 2e-200]])
def test_a_spread_beyond_the_range_of_squares_is_refused_by_name(values):
    """The standard deviation would overflow to infinity, or underflow to 0: the column would silently vanish."""
    dataset = make_dataset(wide=values, y=[1, 2, 3, 4])
    with pytest.raises(DataError, match=r"column 'wide': values from .* cannot be standardised"):
        Preprocessor.fit(dataset, STANDARD, bias=True)


def test_ddof_1_needs_two_rows():
    dataset = make_dataset(x=[1.0], y=[2.0])
    assert Preprocessor.fit(dataset, STANDARD, bias=True).features.scale.tolist() == [0.0]
    with pytest.raises(DataError, match="ddof: 1 needs at least 2 train rows, found 1"):
        Preprocessor.fit(dataset, PreprocessConfig(standardize=True, ddof=1), bias=True)


@pytest.mark.parametrize("order", ["as given", "turned", "a part"])
def test_blocks_of_rows_are_one_tensor_and_an_overflow_keeps_its_row(order):
    n_rows = 20_001
    a, b = np.arange(n_rows) / 7, np.arange(n_rows) % 13.0
    rows = {"as given": np.arange(n_rows), "turned": np.arange(n_rows)[::-1], "a part": np.arange(5, 19_000)}[order]
    splits = {"train": rows, "validation": rows[:0], "test": rows[:0]}
    dataset = Dataset("rows", ("a", "b"), ("a",), {"a": a, "b": b}, splits)
    X = Preprocessor.fit(dataset, STANDARD, bias=True).features.tensor(dataset, rows, torch.float64).numpy()
    expected = StandardScaler().fit_transform(np.column_stack([a, b])[rows])
    np.testing.assert_allclose(X, expected, rtol=1e-9, atol=1e-12)
    b[18_000] = 1e300
    with pytest.raises(DataError, match="rows, row 18001, column 'b': 1e\\+300 overflows float32"):
        Scaling.identity(("a", "b")).tensor(dataset, rows, torch.float32)


@pytest.mark.parametrize("n_rows", [90, 70_000])
def test_rows_that_are_scaled_when_they_are_read_are_those_of_the_tensor(n_rows):
    stream = np.random.default_rng(3)
    dataset = make_dataset(a=stream.normal(5, 3, n_rows), b=np.ones(n_rows), y=stream.lognormal(0, 1, n_rows))
    config = PreprocessConfig(standardize=True, standardize_target=True, target_transform="log")
    preprocessor = Preprocessor.fit(dataset, config, bias=True)
    rows = preprocessor.given_rows(dataset)
    given = preprocessor.given(dataset, dataset.splits["train"])
    for found, expected in zip((rows.X_nd, rows.y_nk), given, strict=True):
        assert found.shape == expected.shape
        assert np.array_equal(np.asarray(found), expected)


def test_a_shuffled_split_of_more_than_a_block_is_standardised_as_numpy_does():
    n_rows = 200_000
    stream = np.random.default_rng(4)
    values = {"a": stream.normal(5, 3, n_rows), "y": stream.normal(size=n_rows)}
    order = stream.permutation(n_rows)
    splits = {"train": order[:150_000], "validation": order[:0], "test": order[150_000:]}
    dataset = Dataset("rows", ("a",), ("y",), values, splits)
    found = Scaling.standard(("a",), dataset, ddof=1, centered=True, constant_scale=0.0)
    train = values["a"][order[:150_000]]
    assert found.center[0] == pytest.approx(train.mean(), rel=1e-14)
    assert found.scale[0] == pytest.approx(train.std(ddof=1), rel=1e-14)
    hashed = {**splits, "train": RowSet.of([order[:150_000]], n_rows)}
    again = Scaling.standard(("a",), replace(dataset, splits=hashed), ddof=1, centered=True, constant_scale=0.0)
    assert (again.center[0], again.scale[0]) == (found.center[0], found.scale[0])
    tensors = [found.tensor(dataset, rows, torch.float64) for rows in (np.sort(order[:150_000]), hashed["train"])]
    assert torch.equal(*tensors)

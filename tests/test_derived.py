"""Features that are made of columns: values and coding against numpy and patsy; what is refused; JSON."""

import json

import numpy as np
import pandas as pd
import patsy
import pyarrow.parquet as pq
import pytest

from linreg_cli.config import Config
from linreg_cli.data import Preprocessor, load_dataset
from linreg_cli.data.columns import kinds
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.features import read_columns
from linreg_cli.errors import DataError, SettingError

N = 240
ONE_HOT = {"categorical": "one_hot"}


@pytest.fixture(scope="module")
def frame():
    stream = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "a": stream.lognormal(1.0, 0.5, N),
            "b": stream.uniform(0.5, 2.0, N),
            "g": stream.choice(["p", "q", "r"], N),
            "h": stream.choice(["u", "v"], N),
            "d": pd.date_range("1969-11-20T03:00", periods=N, freq="31h").strftime("%Y-%m-%dT%H:%M:%S"),
            "y": stream.normal(size=N),
        }
    )


@pytest.fixture
def load(frame, tmp_path):
    def load(features, preprocess=ONE_HOT, *, bias=True, table=None, **data):
        (frame if table is None else table).to_csv(tmp_path / "t.csv", index=False)
        values = {"data": {"path": str(tmp_path / "t.csv"), "target": "y", "features": features, **data}}
        return load_dataset(Config.model_validate({**values, "preprocess": preprocess, "model": {"bias": bias}}))

    return load


def matrix(dataset):
    return np.column_stack([dataset.columns[name] for name in dataset.features])


def test_functions_powers_and_products_are_those_of_numpy(load, frame):
    features = ["a^2", "a^9", "log(a)", "log1p(b)", "sqrt(a)", "a:b", "log(a):b^3:sqrt(b)"]
    a, b = frame.a.to_numpy(), frame.b.to_numpy()
    expected = [a**2, a**9, np.log(a), np.log1p(b), np.sqrt(a), a * b, np.log(a) * b**3 * np.sqrt(b)]
    dataset = load(features)
    assert dataset.features == tuple(features)
    np.testing.assert_array_equal(matrix(dataset), np.column_stack(expected))


@pytest.mark.parametrize(
    ("features", "formula"),
    [
        (["g", "b", "g:b"], "g + b + g:b"),
        (["g:b"], "g:b"),
        (["g", "g:b"], "g + g:b"),
        (["b", "b:g"], "b + b:g"),
        (["g", "h", "g:h"], "g + h + g:h"),
        (["g", "g:h"], "g + g:h"),
        (["g:h"], "g:h"),
        (["g", "h", "g:h", "a", "g:a", "h:a", "g:h:a"], "g * h * a"),
        (["b^2", "b^2:g"], "I(b**2) + I(b**2):g"),
        (["log(a)", "log(a):g"], "np.log(a) + np.log(a):g"),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_products_with_categories_span_what_those_of_patsy_do(load, frame, features, formula, bias):
    """The same number of columns, of full rank, and the same fit: the same column space."""
    dataset = load(features, bias=bias)
    X, Z = matrix(dataset), np.asarray(patsy.dmatrix(formula if bias else f"{formula} - 1", frame))
    X = np.column_stack([np.ones(N), X]) if bias else X
    assert X.shape == Z.shape
    assert (
        np.linalg.matrix_rank(X) == np.linalg.matrix_rank(Z) == np.linalg.matrix_rank(np.hstack([X, Z])) == X.shape[1]
    )


def test_products_with_categories_have_the_columns_and_the_order_of_patsy(load, frame):
    dataset = load(["g", "b", "g:b", "h:a"])
    Z = patsy.dmatrix("g + b + g:b + h:a - 1", frame, return_type="dataframe")
    assert dataset.features == ("g=q", "g=r", "b", "g=q:b", "g=r:b", "h=u:a", "h=v:a")
    expected = Z[["g[q]", "g[r]", "b", "g[T.q]:b", "g[T.r]:b", "h[u]:a", "h[v]:a"]]
    np.testing.assert_array_equal(matrix(dataset), expected)


def test_combinations_of_levels_that_no_train_row_has_are_no_inputs(load, frame):
    table = frame[(frame.g != "q") | (frame.h != "v")]
    assert load(["g", "h", "g:h"], table=table).features == ("g=q", "g=r", "h=v", "g=r:h=v")
    names = ("g=p:h=v", "g=q:h=u", "g=r:h=u", "g=r:h=v")
    assert load(["g:h"], table=table).features == names


def test_all_levels_are_kept_with_drop_first_false(load):
    options = {**ONE_HOT, "drop_first": False}
    assert load(["b", "g:b", "h:g"], options).features == (
        *("b", "g=p:b", "g=q:b", "g=r:b"),
        *("h=u:g=p", "h=u:g=q", "h=u:g=r", "h=v:g=p", "h=v:g=q", "h=v:g=r"),
    )


def test_parts_of_dates_are_those_of_pandas(load, frame):
    dataset = load(["days(d)", "year(d)", "month(d)", "weekday(d)", "hour(d)"], {})
    times = pd.to_datetime(frame.d)
    np.testing.assert_allclose(dataset.columns["days(d)"], (times - pd.Timestamp(0)) / pd.Timedelta(days=1), rtol=1e-15)
    for name, values in {
        "year": times.dt.year,
        "month": times.dt.month,
        "weekday": times.dt.day_of_week + 1,
        "hour": times.dt.hour,
    }.items():
        expected = pd.get_dummies(values, prefix=f"{name}(d)", prefix_sep="=", dtype=float)
        own = [feature for feature in dataset.features if feature.startswith(name)]
        assert own == list(expected.columns[1:])
        np.testing.assert_array_equal(
            np.column_stack([dataset.columns[each] for each in own]), expected.to_numpy()[:, 1:]
        )


def test_a_missing_cell_is_filled_before_the_feature_is_derived(load, frame):
    table = frame.assign(a=frame.a.where(frame.index % 7 != 0), b=frame.b.where(frame.index % 5 != 0))
    dataset = load(["a", "a^2", "log(a):b"], {"missing": "mean"}, table=table)
    a, b = table.a.fillna(table.a.mean()), table.b.fillna(table.b.mean())
    np.testing.assert_allclose(matrix(dataset), np.column_stack([a, a**2, np.log(a) * b]), rtol=1e-14)


def test_each_column_has_its_own_treatment_of_missing_cells(load, frame):
    table = frame.assign(a=frame.a.where(frame.index % 7 != 0), d=frame.d.where(frame.index % 5 != 0))
    columns = {"a": {"missing": "median"}, "month(d)": {"missing": "drop"}, "d": {"missing": "mean"}}
    dataset = load(["sqrt(a)", "days(d)", "month(d)"], {"columns": columns}, table=table)
    assert dataset.splits["train"].tolist() == [row for row in range(N) if row % 5]
    np.testing.assert_array_equal(
        dataset.columns["sqrt(a)"], np.sqrt(table.a.fillna(table.a[table.index % 5 != 0].median()))
    )


def test_a_missing_cell_that_is_not_treated_is_named_with_its_column_once(load, frame):
    table = frame.assign(a=frame.a.where(frame.index != 3), d=frame.d.where(frame.index != 4))
    with pytest.raises(DataError) as caught:
        load(["a^2", "log(a)", "days(d)"], {}, table=table)
    assert "2 columns have missing cells: days(d) (1), a (1) (first: days(d), row 5)" in str(caught.value)
    with pytest.raises(DataError, match=r"row 4, column 'a': the cell is missing; fill it in") as caught:
        load(["a^2", "log(a)", "b"], {}, table=table)
    assert len(caught.value.faults) == 1


def test_functions_of_categories_are_refused(load):
    with pytest.raises(DataError, match=r"'g\^2:b': g\^2 needs numbers, and g is a category"):
        load(["g^2:b"])


def test_products_of_too_many_levels_are_refused(load):
    with pytest.raises(DataError, match=r"'g:h' has 6 products of levels: preprocess.max_levels is 4"):
        load(["g:h"], {**ONE_HOT, "max_levels": 4, "drop_first": False})


def test_what_is_not_of_the_grammar_is_a_config_error_at_its_entry(load):
    with pytest.raises(SettingError) as caught:
        load(["log10(a)", "a", "a^12"])
    assert [key for key, _ in caught.value.settings] == [("data", "features", 0), ("data", "features", 2)]


@pytest.mark.parametrize(
    ("features", "data", "words"),
    [
        (["log(q)"], {}, "data.features: there is no column 'q'"),
        (["log(y)", "a"], {}, "'log(y)' is made of 'y', which is also under data.target"),
        (["a"], {"ignore": ("a",)}, "'a' is also under data.ignore"),
    ],
)
def test_columns_with_another_use_are_refused(load, features, data, words):
    with pytest.raises(DataError) as caught:
        load(features, **data)
    assert words in str(caught.value)


def test_a_column_that_is_ignored_may_be_made_into_a_feature(load):
    features = load(["*", "log(a)", "hour(d)"], ignore=("a", "h")).features
    assert features[:4] == ("b", "g=q", "g=r", "log(a)")


def test_a_column_with_the_name_of_a_feature_comes_first(load, frame):
    table = frame.assign(**{"log(a)": 7.0 * frame.b})
    np.testing.assert_array_equal(load(["log(a)"], table=table).columns["log(a)"], table["log(a)"])


def test_the_encoding_is_repeated_from_json(load, frame):
    table = frame.assign(a=frame.a.where(frame.index % 7 != 0))
    options = {**ONE_HOT, "columns": {"a": {"missing": "mean"}}}
    dataset = load(["b", "log(a)", "g:a", "days(d)", "month(d)", "g:h"], options, table=table)
    written = json.loads(json.dumps(dataset.encoder.as_json()))
    again = Encoder.from_json(written)
    assert again == dataset.encoder
    assert (again.columns, again.terms) == (("b", "a", "g", "d", "h"), dataset.encoder.terms)
    encoded = again.encode(dataset.raw, dataset.splits["train"], "t.csv", trained=True)
    np.testing.assert_array_equal(np.column_stack([encoded[name] for name in again.features]), matrix(dataset))


def test_the_format_of_preprocess_json_says_that_features_are_derived(load):
    of = {
        name: Preprocessor.fit(load(features), Config.model_validate(
            {"data": {"path": "t.csv", "target": "y"}}).preprocess, bias=True).as_json()["format"]
        for name, features in {"plain": ["a", "g"], "product": ["a:b"], "date": ["days(d)"]}.items()
    }  # fmt: skip
    assert of == {"plain": 2, "product": 4, "date": 4}


@pytest.mark.parametrize(
    "damage",
    [
        lambda entries: entries[0]["factors"][0].update(function="exp"),
        lambda entries: entries[0]["factors"][0].update(power=12),
        lambda entries: entries[0]["factors"].clear(),
        lambda entries: entries[0].update(levels=[["p"], ["z"]]),
        lambda entries: entries[0].update(levels=[["p", "q"]]),
        lambda entries: entries[0].update(categories=["b"]),
        lambda entries: entries[1].update(part="minute"),
        lambda entries: entries.pop(),
        lambda entries: entries.append(entries[-1]),
    ],
)
def test_a_damaged_encoding_is_refused(load, damage):
    entries = load(["g:b", "month(d)"]).encoder.as_json()
    damage(entries)
    with pytest.raises((ValueError, KeyError, TypeError)):
        Encoder.from_json(entries)


def test_numbers_on_the_disk_are_derived_block_by_block(tmp_path, monkeypatch):
    """A table beyond the buffer: no derived column is held, and each block is computed when it is read."""
    n = 600_000
    stream = np.random.default_rng(0)
    table = {name: stream.uniform(1, 2, n) for name in ("a", "b", "y")}
    pq.write_table(kinds_table(table), tmp_path / "t.parquet")
    values = {"data": {"path": str(tmp_path / "t.parquet"), "target": "y", "features": ["log(a):b", "a^2"]}}
    dataset = load_dataset(Config.model_validate(values))
    rows = slice(kinds.BLOCK_ROWS - 3, kinds.BLOCK_ROWS + 3)
    assert not isinstance(dataset.raw["a"].values, np.ndarray)
    np.testing.assert_array_equal(dataset.columns.take("log(a):b", rows), (np.log(table["a"]) * table["b"])[rows])
    chosen = np.array([n - 1, 5, 70_000])
    np.testing.assert_array_equal(dataset.columns.take("a^2", chosen), table["a"][chosen] ** 2)


def kinds_table(columns):
    import pyarrow as pa

    return pa.table({name: pa.array(values) for name, values in columns.items()})


def test_what_is_read_has_each_date_part_by_itself(load):
    terms = load(["month(d)", "days(d)", "g:a", "a"]).encoder.terms
    assert read_columns(terms) == {"month(d)": "d", "days(d)": "d", "g": "g", "a": "a"}


def test_missing_cells_are_a_level_in_parts_of_dates_and_in_products(load, frame):
    table = frame.assign(d=frame.d.where(frame.index % 9 != 0), g=frame.g.where(frame.index % 8 != 0))
    dataset = load(["month(d)", "b", "g:b"], {**ONE_HOT, "missing": "level"}, table=table)
    own = [name for name in dataset.features if "(missing)" in name]
    assert own == ["month(d)=(missing)", "g=(missing):b"]
    np.testing.assert_array_equal(dataset.columns[own[0]], table.d.isna())
    np.testing.assert_array_equal(dataset.columns[own[1]], table.g.isna() * table.b)

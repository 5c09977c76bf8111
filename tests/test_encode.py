"""Categories and gaps: what the train split says, against scikit-learn's encoders, and repeated from JSON."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.errors import DataError

ONE_HOT = {"categorical": "one_hot"}
ROWS = [
    ("usa", "true", 3, 1.0, 10.0),
    ("japan", "false", 1, None, 11.0),
    ("europe", "true", 10, 5.0, 12.0),
    ("usa", "false", 3, 3.0, 13.0),
    ("japan", "true", 1, 100.0, 14.0),
    ("europe", "true", 10, None, 15.0),
]
TABLE = pa.table(
    {name: list(values) for name, values in zip(("c", "b", "n", "x", "y"), zip(*ROWS, strict=True), strict=True)}
)


def write_csv(path, table=TABLE):
    lines = [",".join(table.column_names)]
    lines += [",".join("" if cell is None else str(cell) for cell in row.values()) for row in table.to_pylist()]
    path.write_text("\n".join(lines) + "\n")
    return path


def load(path, preprocess=ONE_HOT, *, bias=True, **data):
    values = {"data": {"path": str(path), "target": "y", **data}, "preprocess": preprocess, "model": {"bias": bias}}
    return load_dataset(Config.model_validate(values))


def error_of(path, preprocess=ONE_HOT, **data):
    with pytest.raises(DataError) as caught:
        load(path, preprocess, **data)
    return str(caught.value).replace(f"{path}", "")


@pytest.fixture
def table(tmp_path):
    return write_csv(tmp_path / "t.csv")


@pytest.mark.parametrize("drop_first", [True, False])
def test_indicators_are_those_of_scikit_learn(table, drop_first):
    dataset = load(table, {**ONE_HOT, "drop_first": drop_first}, features=("c",))
    encoder = OneHotEncoder(drop="first" if drop_first else None, sparse_output=False)
    expected = encoder.fit_transform(np.array(TABLE.column("c").to_pylist())[:, None])
    assert dataset.features == tuple(name.replace("x0_", "c=") for name in encoder.get_feature_names_out())
    np.testing.assert_array_equal(np.column_stack([dataset.columns[name] for name in dataset.features]), expected)


@pytest.mark.parametrize(
    ("bias", "features"), [(True, ("c=japan", "c=usa")), (False, ("c=europe", "c=japan", "c=usa"))]
)
def test_by_default_a_level_is_dropped_where_there_is_a_bias(table, bias, features):
    assert load(table, bias=bias, features=("c",)).features == features


def test_without_a_bias_the_first_category_alone_keeps_all_levels(tmp_path):
    stream = np.random.default_rng(3)
    names = {"c": ["low", "mid", "top"], "d": ["n", "s"], "e": ["p", "q", "r", "s"]}
    words = {column: np.array(levels)[stream.integers(0, len(levels), 90)] for column, levels in names.items()}
    x, y = stream.normal(size=(2, 90))
    pq.write_table(pa.table({"x": x, **words, "y": y}), tmp_path / "t.parquet")
    dataset = load(tmp_path / "t.parquet", bias=False)
    assert dataset.features == ("x", "c=low", "c=mid", "c=top", "d=s", "e=q", "e=r", "e=s")
    X = np.column_stack([dataset.columns[name] for name in dataset.features])
    assert np.linalg.matrix_rank(X) == X.shape[1]
    # The columns with a bias span the same space.
    dropped = OneHotEncoder(drop="first", sparse_output=False).fit_transform(np.column_stack(list(words.values())))
    expected = LinearRegression().fit(Z := np.column_stack([x, dropped]), y).predict(Z)
    np.testing.assert_allclose(LinearRegression(fit_intercept=False).fit(X, y).predict(X), expected, atol=1e-12)
    assert load(tmp_path / "t.parquet", {**ONE_HOT, "drop_first": True}, bias=False).features == (
        "x", "c=mid", "c=top", "d=s", "e=q", "e=r", "e=s",
    )  # fmt: skip


TYPED = {
    "text": TABLE,
    "dictionary": TABLE.set_column(0, "c", TABLE.column("c").dictionary_encode()),
    "another order of the dictionary": TABLE.set_column(
        0, "c", pa.DictionaryArray.from_arrays(pa.array([1, 2, 0, 1, 2, 0]), pa.array(["europe", "usa", "japan"]))
    ),
    "large text": TABLE.set_column(0, "c", TABLE.column("c").cast(pa.large_string())),
    "boolean": TABLE.set_column(1, "b", pa.array([cell == "true" for cell in TABLE.column("b").to_pylist()])),
    "numbers as floats": TABLE.set_column(2, "n", TABLE.column("n").cast(pa.float64())),
}


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
def test_every_format_gives_the_same_inputs(typed, table, tmp_path):
    preprocess = {**ONE_HOT, "missing": "median", "columns": {"n": {"categorical": "one_hot"}}}
    pq.write_table(typed, tmp_path / "t.parquet", row_group_size=2)
    ours, csv = load(tmp_path / "t.parquet", preprocess), load(table, preprocess)
    assert ours.features == csv.features == ("c=japan", "c=usa", "b=true", "n=3", "n=10", "x")
    for name in csv.features:
        assert ours.columns[name].tolist() == csv.columns[name].tolist()
    assert ours.fingerprint() == csv.fingerprint()


def test_numbers_stay_numbers_unless_they_are_named(table):
    assert load(table, {**ONE_HOT, "missing": "drop"}).features == ("c=japan", "c=usa", "b=true", "n", "x")


def test_levels_and_fills_are_those_of_the_train_split(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("c,x,y,s\na,1,1,train\nb,2,2,train\nb,3,4,train\nd,,3,test\n")
    preprocess = {**ONE_HOT, "missing": "mean", "unknown": "ignore"}
    dataset = load(path, preprocess, split={"column": "s"})
    assert dataset.features == ("c=b", "x")
    assert dataset.columns["x"].tolist() == [1, 2, 3, 2]
    assert dataset.columns["c=b"].tolist() == [0, 1, 1, 0]
    message = error_of(path, {**preprocess, "unknown": "error"}, split={"column": "s"})
    assert message == (
        ", row 4, column 'c': 'd' is not a level of the train split (a, b); "
        "to treat it as none of them, set preprocess.unknown: ignore"
    )


@pytest.mark.parametrize("way", ["mean", "median"])
def test_gaps_are_filled_as_scikit_learn_fills_them(table, way):
    dataset = load(table, {**ONE_HOT, "columns": {"x": {"missing": way}}})
    values = TABLE.column("x").to_numpy()[:, None].astype(float)
    assert dataset.columns["x"].tolist() == SimpleImputer(strategy=way).fit_transform(values)[:, 0].tolist()


@pytest.mark.parametrize("by", ["shuffle", "hash"])
def test_gaps_of_more_rows_than_a_block_are_filled_as_numpy_fills_them(by, tmp_path):
    n = 100_000
    rng = np.random.default_rng(0)
    columns = {name: np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)) for name in ("a", "b")}
    pq.write_table(pa.table({**columns, "y": rng.normal(size=n)}), tmp_path / "t.parquet")
    split = {"train": 0.9, "test": 0.1, "by": by}
    ways = {"columns": {"a": {"missing": "mean"}, "b": {"missing": "median"}}}
    dataset = load(tmp_path / "t.parquet", ways, split=split)
    train = np.asarray(dataset.splits["train"])
    a, b = dataset.encoder.inputs
    assert a.fill == pytest.approx(np.nanmean(columns["a"][train]), rel=1e-14)
    assert b.fill == np.nanmedian(columns["b"][train])


def test_dropped_rows_are_in_no_split_and_keep_their_numbers(table):
    preprocess = {**ONE_HOT, "missing": "drop", "unknown": "ignore"}
    dataset = load(table, preprocess, split={"train": 0.5, "test": 0.5, "shuffle": False})
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {
        "train": [0, 2], "validation": [], "test": [3, 4],
    }  # fmt: skip
    assert (dataset.summary.n_rows, dataset.summary.n_dropped) == (6, 2)


def test_a_row_that_is_dropped_for_one_column_is_no_fault_of_another(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n1,2,3\n,,4\n3,4,5\n")
    assert load(path, {"columns": {"a": {"missing": "drop"}}}).summary.n_dropped == 1


def test_a_sentinel_is_missing_in_every_format(tmp_path):
    table = pa.table({"x": [1.0, -999.0, 3.0], "y": [1.0, 2.0, 3.0]})
    pq.write_table(table, tmp_path / "t.parquet")
    for path in (tmp_path / "t.parquet", write_csv(tmp_path / "t.csv", table)):
        dataset = load(path, {"missing": "mean", "missing_values": ("-999", "-999.0")})
        assert dataset.columns["x"].tolist() == [1, 2, 3]
    pq.write_table(pa.table({"c": ["a", " ? ", "b", "a"], "y": [1, 2, 3, 4]}), tmp_path / "c.parquet")
    assert load(tmp_path / "c.parquet", {**ONE_HOT, "missing": "drop"}).summary.n_dropped == 1


BAD = {
    "an identifier": (
        "c,y\n" + "".join(f"k{row},{row}\n" for row in range(40)),
        ONE_HOT,
        ", column 'c': 40 levels in 40 cells, such as 'k0': the column looks like an identifier or free text; "
        "leave it out with data.ignore: [c]",
    ),
    "too many levels": (
        "c,y\n" + "".join(f"k{row % 5},{row}\n" for row in range(40)),
        {**ONE_HOT, "max_levels": 4},
        ", column 'c': 5 levels in 40 cells, such as 'k0': preprocess.max_levels is 4; "
        "leave it out with data.ignore: [c], or set preprocess.max_levels: 5",
    ),
    "dates": (
        "c,y\n2014-10-13,1\n2014-10-14,2\n2014-10-13,3\n",
        ONE_HOT,
        ", row 1, column 'c': the column holds dates or times, such as '2014-10-13'; take the days since 1970 "
        "with data.features: [\"*\", 'days(c)'], or leave the column out with data.ignore: [c]; to use it as text, set "
        "preprocess.columns: {c: {categorical: one_hot}}",
    ),
    "a word among numbers": (
        "c,y\n1,1\n2,2\n3,3\nabc,4\n",
        ONE_HOT,
        ", row 4, column 'c': 'abc' is not a number, and the column is mostly numbers; correct the cell, or, "
        "if it means 'missing', set preprocess.missing_values: [\"\", NA, N/A, NaN, nan, 'null', \"?\", abc] and "
        "preprocess.missing: drop; to use it as text, set "
        "preprocess.columns: {c: {categorical: one_hot}}",
    ),
    "decimal commas": (
        'c,y\n"1,5",1\n"2,5",2\n"3,5",3\n',
        ONE_HOT,
        ", row 1, column 'c': the column has decimal commas, such as '1,5'; write them with decimal points "
        "(1.5), since the comma is the delimiter; to use it as text, set preprocess.columns: "
        "{c: {categorical: one_hot}}",
    ),
    "a gap in a category": (
        "c,y\na,1\nb,2\n,3\n",
        {**ONE_HOT, "missing": "mean"},
        ", row 3, column 'c': the cell is missing; a category has no mean; fill it in, set "
        "preprocess.columns: {c: {missing: level}} (or drop), or leave the column out with data.ignore: [c]",
    ),
    "a gap in the target": (
        "c,y\n1,1\n2,\n",
        {"missing": "mean"},
        ", row 2, column 'y': the cell is missing; fill it in, or drop such rows with "
        "preprocess.columns: {y: {missing: drop}}",
    ),
    "nothing to fill with": (
        "c,x,y\n1,,1\n2,,2\n",
        {"missing": "mean"},
        ", column 'x': every cell of the train split is missing, so there is no mean; leave it out with "
        "data.ignore: [x]",
    ),
    "no row left": (
        "c,y\n,1\n,2\n",
        {"missing": "drop"},
        ": no row is left with missing: drop: every cell of c is missing (2 rows); leave it out with data.ignore: [c]",
    ),
    "one level": ("c,y\na,1\na,2\n", ONE_HOT, ": no feature is left: every column is a category with a single level"),
    "two inputs of one name": (
        "a=b,a,y\nc,b=c,1\nx,z,2\n",
        {**ONE_HOT, "drop_first": False},
        ": two inputs have the name 'a=b=c'; rename a column",
    ),
    "an exception for no column": (
        "x,y\n1,2\n",
        {"columns": {"xx": {"missing": "drop"}}},
        ": preprocess.columns: there is no column 'xx'; did you mean 'x'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "preprocess", "message"), BAD.values(), ids=BAD)
def test_what_is_refused_and_what_to_do(text, preprocess, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert error_of(path, preprocess) == message


def test_what_is_refused_may_be_asked_for_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(BAD["dates"][0])
    assert load(path, {"columns": {"c": {"categorical": "one_hot"}}}).features == ("c=2014-10-14",)


def test_blanks_and_letter_case_make_no_levels_of_their_own(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("c,b,y\n a,True,1\na ,true,2\nb,FALSE,3\n")
    assert load(path).features == ("c=b", "b=true")


def test_codes_with_leading_zeros_keep_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("zip,y\n02138,1\n10001,2\n02139,3\n02138,4\n")
    dataset = load(path, {"columns": {"zip": {"categorical": "one_hot"}}, "drop_first": False})
    assert dataset.features == ("zip=02138", "zip=02139", "zip=10001")


def test_round_trip_through_json(table):
    encoder = load(table, {**ONE_HOT, "missing": "median", "columns": {"c": {"missing": "drop"}}}).encoder
    assert Encoder.from_json(json.loads(json.dumps(encoder.as_json()))) == encoder


def test_a_text_column_that_begins_with_a_mebibyte_of_numbers(tmp_path):
    path = tmp_path / "t.csv"
    n_rows = 200_000
    path.write_text("c,y\n" + "".join(f"{row % 3},{row}.5\n" for row in range(n_rows)) + "a,1\n" * (n_rows * 2))
    assert load(path).features == ("c=1", "c=2", "c=a")


@pytest.mark.parametrize(("n_levels", "kind"), [(2, "int8"), (128, "int8"), (129, "int16")])
def test_codes_take_the_smallest_type_and_indicators_are_those_of_their_levels(n_levels, kind, tmp_path):
    n = 70_000
    rng = np.random.default_rng(0)
    codes = rng.integers(n_levels, size=n)
    codes[:n_levels] = np.arange(n_levels)
    names = np.array([f"l{code:03}" for code in range(n_levels)])
    cells = pa.array(names[codes].tolist(), mask=rng.random(n) < 0.01)
    known = np.array([cell is not None for cell in cells.to_pylist()])
    pq.write_table(pa.table({"c": cells, "y": rng.normal(size=n)}), tmp_path / "t.parquet")
    dataset = load(tmp_path / "t.parquet", {**ONE_HOT, "max_levels": 500, "missing": "level"})
    assert dataset.raw["c"].codes.dtype == kind
    assert len(dataset.features) == n_levels  # without the reference level, and with that of missing cells
    for code in (1, n_levels - 1):
        assert np.array_equal(dataset.columns[f"c=l{code:03}"], (codes == code) & known)
    assert np.array_equal(dataset.columns["c=(missing)"], ~known)

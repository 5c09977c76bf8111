"""Data frames become Arrow tables by the PyCapsule interface, and predictions frames of the kind that was given."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from linreg_cli.data.tables.frames import like, table_of
from linreg_cli.errors import DataError


class Capsule:
    """A frame of a library that nobody knows: it has Arrow's interface alone."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def test_a_frame_of_any_library_comes_by_its_capsule():
    table = pa.table({"x": [1.5, None], "城市": ["a", "b"]})
    assert table_of(Capsule(table)).equals(table)


def test_views_and_dictionaries_of_views_become_plain_text():
    """polars has these types, and few functions of Arrow take them."""
    views = pa.array(["a", None, "a"], pa.string_view())
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.uint32()), pa.array(["a", "b"], pa.string_view()))
    found = table_of(Capsule(pa.table({"views": views, "codes": codes})))
    assert found.to_pydict() == {"views": ["a", None, "a"], "codes": ["a", "b", "a"]}
    assert found.schema.field("views").type == pa.large_string()
    assert found.schema.field("codes").type.value_type == pa.large_string()


def test_a_mapping_may_hold_columns_of_any_kind():
    columns = {
        "numpy": np.array([1.0, np.nan]),
        "int8": np.array([1, 2], np.int8),
        "list": [1, None],
        "text": ["a", None],
        "objects": np.array(["a", np.nan], dtype=object),
        "series": pd.Series([1, 2]),
        "arrow": pa.array([True, False]),
        "dates": np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"),
    }
    found = table_of(columns)
    assert found.column_names == list(columns)
    assert [str(kind) for kind in found.schema.types] == [
        "double", "int8", "int64", "string", "string", "int64", "bool", "date32[day]",
    ]  # fmt: skip
    assert found.column("objects").to_pylist() == ["a", None]


def test_masked_cells_are_missing():
    floats = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    found = table_of({"x": floats, "n": np.ma.masked_array([1, 2], mask=[False, True]), "all": np.ma.array([1, 2])})
    assert found.to_pydict() == {"x": [None, 2.0], "n": [1, None], "all": [1, 2]}


def test_arrays_with_the_other_byte_first_are_numbers():
    """Such as astropy gives of FITS files, in which the highest byte comes first."""
    columns = {kind: np.array([1, -2], kind) for kind in (">f8", ">f4", ">i4", "<i8")}
    columns[">u2"] = np.array([1, 300], ">u2")
    assert table_of(columns).to_pydict() == {
        ">f8": [1.0, -2.0], ">f4": [1.0, -2.0], ">i4": [1, -2], "<i8": [1, -2], ">u2": [1, 300],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([1, 2], "the frame: a list is no data frame; give a data frame"),
        (np.zeros((2, 2)), "the frame: a ndarray is no data frame"),
        (pd.Series([1.0]), "data frame"),
        (pd.DataFrame({"x": [1, "a"]}), "Conversion failed for column x"),
        ({}, "the mapping has no columns"),
        ({"x": 3.0}, "the frame, column 'x': Arrow cannot hold the column: a float is no column"),
        ({"x": "abc"}, "a str is no column"),
        ({"x": np.zeros((2, 2))}, "an array of shape (2, 2); a column has one dimension"),
        ({"x": torch.zeros(2, requires_grad=True)}, "Can't call numpy() on Tensor that requires grad"),
        ({"x": ["a", 1]}, "the frame, column 'x'"),
        ({1: [2.0]}, "the name of a column is text, found 1"),
    ],
)
def test_what_is_no_frame_is_refused(data, said):
    with pytest.raises(DataError, match=r"^the frame") as error:
        table_of(data)
    assert said in str(error.value)


def test_all_faults_of_a_mapping_are_reported_at_once():
    with pytest.raises(DataError) as error:
        table_of({"a": [1.0, 2.0], "b": [1.0], "c": 3.0, 4: [1.0]})
    assert len(error.value.faults) == 3
    assert "'b' has 1 row, and 'a' has 2" in str(error.value)


def test_rows_that_were_not_collected_say_what_to_do():
    class Lazy:
        def collect(self) -> None: ...

    with pytest.raises(DataError, match=r"a Lazy is no data frame; collect\(\) gives its rows"):
        table_of(Lazy())


def test_columns_come_back_in_the_kind_that_was_given():
    columns = {"prediction": pa.chunked_array([pa.array([1.0, None])])}
    back = like(pd.DataFrame({"x": [1, 2]}, index=["p", "q"]), columns)
    assert isinstance(back, pd.DataFrame)
    assert list(back.index) == ["p", "q"]
    assert back["prediction"].isna().tolist() == [False, True]
    assert np.array_equal(like({"x": [1, 2]}, columns)["prediction"], [1.0, np.nan], equal_nan=True)
    assert like(pa.table({"x": [1, 2]}), columns).equals(pa.table(columns))


def test_polars_goes_both_ways():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"x": [1.0, None], "城市": ["a", "b"], "c": ["u", "v"]})
    frame = frame.with_columns(pl.col("c").cast(pl.Categorical))
    assert table_of(frame).to_pydict() == {"x": [1.0, None], "城市": ["a", "b"], "c": ["u", "v"]}
    back = like(frame, {"prediction": pa.chunked_array([pa.array([1.0, None])])})
    assert back.equals(pl.DataFrame({"prediction": [1.0, None]}))


def test_neither_pandas_nor_polars_is_imported():
    """A frame of theirs comes from a program that has imported them."""
    code = (
        "import sys; from linreg_cli.data.tables.frames import table_of, like; import numpy as np;"
        "t = table_of({'x': np.zeros(2)}); like({}, {'p': t.column('x')});"
        "print({'pandas', 'polars'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"

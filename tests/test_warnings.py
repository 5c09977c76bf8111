"""What is said about suspicious columns, and that nothing is said about sound ones."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cars import cars

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.checks import leaks

N = 400
STREAM = np.random.default_rng(5)
A, B, C = STREAM.normal(size=(3, N)) * [[1], [100], [1e-3]]
Y = A + B / 50 + STREAM.normal(size=N)


@pytest.fixture
def found(tmp_path):
    def call(columns, *, bias=True, **preprocess):
        pq.write_table(pa.table({**columns, "y": columns.get("y", Y)}), tmp_path / "t.parquet")
        values = {"data": {"path": str(tmp_path / "t.parquet"), "target": "y"}, "model": {"bias": bias}}
        found = load_dataset(Config.model_validate({**values, "preprocess": preprocess})).summary.warnings
        return tuple(finding.message for finding in found)

    return call


def test_sound_columns_are_not_warned_of(found):
    square = A**2
    assert found({"a": A, "b": B, "c": C, "square": square, "cube": A**3, "n": np.arange(N) % 7.0}) == ()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": A, "k": np.full(N, 3.0)}, "k is a constant column in the train split; leave out with data.ignore: [k]"),
        ({"a": A, "twin": A}, "twin is the same as a; leave one of them out with data.ignore: [twin]"),
        (
            {"a": A, "row": np.arange(N)},
            "row looks like an identifier: it counts the rows; leave it out with data.ignore: [row]",
        ),
        (
            {"a": A, "house_id": STREAM.permutation(10**6)[:N]},
            "house_id looks like an identifier: it has almost no repeated values; leave it out with "
            "data.ignore: [house_id]",
        ),
        (
            {"a": A, "cents": Y * 100},
            "cents alone determines y (target leakage); if it is known only after y, leave it out with "
            "data.ignore: [cents]",
        ),
        (
            {"a": A, "squeezed": np.exp(Y * 3)},
            "squeezed alone determines y (target leakage); if it is known only after y, leave it out with "
            "data.ignore: [squeezed]",
        ),
    ],
)  # fmt: skip
def test_each_finding_is_named_and_is_the_only_one(columns, message, found):
    assert found(columns) == (message,)


YEARS = np.arange(N) + 1600.0


def test_years_count_no_rows(found):
    assert found({"a": A, "year": YEARS}) == ()
    assert found({"a": A, "year": np.arange(N) + 2.0}) == ()


@pytest.mark.parametrize("name", ["year", "row", "id"])
def test_the_only_column_is_not_to_be_left_out(name, found):
    assert found({name: np.arange(N) + 1.0}) == ()


@pytest.mark.parametrize(
    "name", ["CustomerID", "userId", "OrderId", "order_id", "ID", "id", "RowNumber", "id_", "caseNo"]
)
def test_names_of_identifiers(name, found):
    [message] = found({"a": A, name: STREAM.permutation(10**6)[:N]})
    assert message == (
        f"{name} looks like an identifier: it has almost no repeated values; leave it out with data.ignore: [{name}]"
    )


@pytest.mark.parametrize("name", ["paid", "humid", "grid", "valid", "Covid", "GRID", "PAID", "Paid", "area", "casino"])
def test_names_of_measurements(name, found):
    assert found({"a": A, name: STREAM.permutation(10**6)[:N]}) == ()


GROWING = 1e6 * np.exp(np.arange(N) / 70 + STREAM.normal(size=N) / 1e4)
TIMES = {
    "years": YEARS,
    "the years of a census": YEARS * 10,
    "decimal years": np.round(1958.2 + np.arange(N) * 7 / 365.25, 4),
    "days of months": np.cumsum(STREAM.choice([28.0, 30.0, 31.0], N)),
    "working days": np.arange(N) + 2 * (np.arange(N) // 5) + 2.0,
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
def test_what_only_grows_is_not_determined_by_the_time(times, found, tmp_path):
    assert found({"a": A, "when": times, "y": GROWING}) == ()
    order = STREAM.permutation(N)
    assert found({"a": A, "when": times[order], "y": GROWING[order]}) == ()


def test_the_order_tells_where_the_steps_differ(found):
    [message] = found({"a": A, "spent": np.sqrt(GROWING + STREAM.normal(size=N) / 1e3), "y": GROWING})
    assert message.startswith("spent alone determines y")


def test_a_category_that_determines_the_target(found):
    codes = np.arange(N) % 4
    [message] = found({"a": A, "grade": np.array(list("abcd"))[codes], "y": codes * 2.0}, categorical="one_hot")
    assert message.startswith("grade alone determines y")


@pytest.mark.parametrize("drop_first", ["auto", False])
def test_a_category_of_one_level_is_constant(drop_first, found):
    columns = {"a": A, "k": np.full(N, 2.0), "c": np.full(N, "only"), "d": np.array(list("pq"))[np.arange(N) % 2]}
    message = "k, c are constant columns in the train split; leave out with data.ignore: [k, c]"
    assert found(columns, categorical="one_hot", drop_first=drop_first)[0] == message


def test_without_an_intercept_a_constant_stands_for_it(found):
    columns = {"a": A, "ones": np.ones(N), "zeros": np.zeros(N)}
    assert found(columns, bias=False) == (
        "zeros is a constant column in the train split; leave out with data.ignore: [zeros]",
    )
    assert found({"a": A, "c": np.full(N, "only")}, bias=False, categorical="one_hot") == ()


def test_the_only_column_is_constant(found):
    assert found({"k": np.full(N, 2.0)}) == (
        "k is a constant column in the train split; there is nothing to learn from",
    )


def test_a_constant_target(found):
    assert found({"a": A, "b": B, "y": np.full(N, 2.0)}) == (
        "y is constant in the train split: R2 is undefined, and there is nothing to learn",
    )


def test_levels_that_are_those_of_another_column_are_told_by_column(found):
    assert found(cars(STREAM, N) | {"a": A}, categorical="one_hot") == (
        "2 levels of model are levels of maker under another name, such as model=md and maker=honda; "
        "leave out model or maker with data.ignore: [model]",
    )


def test_an_indicator_that_is_a_column_of_numbers(found):
    sex = np.array(["f", "m"])[STREAM.integers(0, 2, N)]
    assert found({"a": A, "sex": sex, "male": (sex == "m") * 1.0}, categorical="one_hot") == (
        "male is the same as sex=m; leave out male or sex with data.ignore: [male]",
    )


def test_every_level_beside_a_bias_is_told_once(found):
    c = np.array(list("abcd"))[np.arange(N) % 4]
    assert found({"a": A, "c": c}, categorical="one_hot", drop_first=False) == (
        "the indicators of c are collinear with the bias: every level has one; set preprocess.drop_first: auto",
    )
    assert found({"a": A, "c": c}, categorical="one_hot", drop_first=False, bias=False) == ()
    assert found({"a": A, "c": c}, categorical="one_hot") == ()
    columns = {"a": A, "c": c, "d": np.array(list("pq"))[STREAM.integers(0, 2, N)]}
    assert found(columns, categorical="one_hot", drop_first=False, bias=False) == (
        "the indicators of d are collinear with those of another category: every level has one; set "
        "preprocess.drop_first: auto",
    )
    assert found(columns, categorical="one_hot", bias=False) == ()


def test_what_holds_in_the_sample_is_confirmed_in_all_rows(found):
    n_rows = 30_001
    a = np.arange(n_rows) % 11.0
    nearly = np.where(np.arange(n_rows) == 1, 7.0, 0.0)  # row 1 is not in the sample of every third row and more
    assert found({"a": a, "nearly": nearly, "y": STREAM.normal(size=n_rows)}) == ()


def test_a_row_number_is_recognised_by_the_lowest_values_of_a_long_column(found, monkeypatch):
    monkeypatch.setattr(leaks, "MOST_SORTED", 100)
    number = STREAM.permutation(N)
    assert "it counts the rows" in " ".join(found({"a": A, "zeile": number}))
    assert found({"a": A, "zeile": number * 3}) == ()
    later = np.where(number < 150, number * 3, number + 300)  # most steps are 1, of the lowest 100 none are
    assert found({"a": A, "zeile": later}) == ()

"""Dates as numbers and their parts, against pandas and pyarrow: before 1970, leap years, zones, microseconds."""

import datetime
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from linreg_cli.data.columns.kinds import BLOCK_ROWS, MISSING, Categories, Numbers
from linreg_cli.data.encoding.date_values import Dates, dates_of, parse_texts
from linreg_cli.errors import Fault

DAY = 86_400_000_000
PARTS = {"year": "year", "month": "month", "weekday": "day_of_week", "hour": "hour"}


def dates(values, marks=("", "NA")):
    chunks = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)])
    return dates_of(chunks, "d", marks, "t.csv")


def part(values, name):
    found = dates(values)
    assert isinstance(found, Dates), found
    column = found.part(name)
    if isinstance(column, Numbers):
        return column.values[:].tolist()
    return [None if code == MISSING else int(column.levels[code]) for code in column.codes]


def ticks(values):
    found = dates(values)
    assert isinstance(found, Dates), found
    return np.concatenate([block for block, _ in found.blocks()]).tolist()


def random_times(n=3_000, first="1583-01-01", last="2199-12-31"):
    low, high = (np.datetime64(each, "us").astype(np.int64) for each in (first, last))
    ticks = np.random.default_rng(5).integers(low, high, n)
    edges = ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "2000-02-29T12:00:00", "1900-03-01T00:00:00.000001"]
    return np.concatenate([ticks.astype("M8[us]"), np.array(edges, dtype="M8[us]")])


def test_days_are_those_of_numpy_to_the_microsecond():
    """pandas before 3 divides in nanoseconds, of which 64 bits hold 292 years to either side."""
    times = random_times()
    texts = [str(each) for each in times]
    expected = (times - np.datetime64(0, "us")) / np.timedelta64(1, "D")
    found = np.array(part(texts, "days"))
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)
    np.testing.assert_array_equal(np.rint(found * DAY).astype(np.int64)[-4:], times[-4:].astype(np.int64))
    assert ticks(texts) == times.astype(np.int64).tolist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("name", PARTS)
def test_parts_are_those_of_pandas_and_of_arrow(name, unit):
    times = random_times(500, "1680-01-01", "2199-12-31").astype(f"M8[{unit}]")
    column = pa.array(times.astype(np.int64)).cast(pa.timestamp(unit))
    expected = getattr(pd.DatetimeIndex(times), PARTS[name]) + (name == "weekday")
    assert part(column, name) == expected.tolist()
    ours = {"weekday": pc.day_of_week(column, count_from_zero=False)}.get(name)
    assert part(column, name) == (getattr(pc, name)(column) if ours is None else ours).to_pylist()


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2020-02-29", "2020-02-29"),
        ("2020-2-9", "2020-02-09"),
        ("2020/02/29", "2020-02-29"),
        ("2020.02.29", "2020-02-29"),
        ("20200229", "2020-02-29"),
        ("2020-02", "2020-02-01"),
        ("2020年2月9日", "2020-02-09"),
        ("2020年02月", "2020-02-01"),
        ("2020年2月29日 09:30", "2020-02-29T09:30"),
        (" 2020-02-29 09:30 ", "2020-02-29T09:30"),
        ("2020-02-29T09", "2020-02-29T09:00"),
        ("2020-02-29T09:30:15.25", "2020-02-29T09:30:15.250000"),
        ("2020-02-29 09:30:15,123456789", "2020-02-29T09:30:15.123456"),
        ("20200229T093015", "2020-02-29T09:30:15"),
        ("20141013T000000", "2014-10-13"),
        ("2020-02-29T23:30:00-02:30", "2020-03-01T02:00:00"),
        ("2020-03-01T00:30:00+0200", "2020-02-29T22:30:00"),
        ("2020-03-01T00:30:00 +02", "2020-02-29T22:30:00"),
        ("2020-02-29T09:30:00Z", "2020-02-29T09:30:00"),
        ("2020-02-29 09:30:00 UTC", "2020-02-29T09:30:00"),
        ("1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("31.12.2020", "2020-12-31"),
        ("1.2.2020", "2020-02-01"),
        ("29.02.2020 9:30", "2020-02-29T09:30:00"),
        ("31.12.2020T23:30:00-01:00", "2021-01-01T00:30:00"),
    ],
)
def test_the_forms_that_are_read(text, iso):
    ticks, good, _ = parse_texts(pa.array([text]))
    expected = datetime.datetime.fromisoformat(iso) - datetime.datetime(1970, 1, 1)
    assert good.all()
    assert ticks[0] == expected // datetime.timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2021-02-29",
            "1900-02-29",
            "2020-13-01",
            "2020-00-10",
            "2020-01-32",
            "2020-04-31",
            "0000-01-01",
            "2020-01-00",
        ),
        *(
            "01/02/2020",
            "12.31.2020",
            "31.12.20",
            "29.02.2021",
            "31.12-2020",
            "1-Jan-2020",
            "Jan 2020",
            "2020",
            "2020Q1",
            "09:30",
            "2020-01/02",
            "12020-01-01",
        ),
        *("2020-01-01T24:00", "2020-01-01T23:60", "2020-01-01T23:59:60", "2020-01-01T09:30+25:00", "2020-01-01+02:00"),
        *("2020-01-01T", "2020-01-01Z", "", "x", "2020-01-01 009", "2020-W01", "٢٠٢٠-01-01"),
        *("2020年", "2020年13月1日", "2021年2月29日", "2020年2月9", "20年2月9日"),
    ],
)
def test_what_is_not_read(text):
    _, good, _ = parse_texts(pa.array([text]))
    assert not good.any()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            "02/01/2020",
            "is a date in a form that is not read, since 01/02/2020 is two days; no cell shows whether the day "
            "or the month is first; write the column as 2020-01-31, or leave",
        ),
        ("09:30", "is a time of day, which has no date; leave the column out with data.ignore: [d]"),
        ("2021-02-29", "is no day, time or zone that exists; correct the cell, leave the column out with"),
        ("2020-01-31T24:00", "is no day, time or zone that exists; correct the cell, leave the column out with"),
        ("soon", "is no date: a date is written 2020-01-31, with a time 2020-01-31T09:30:00, with a zone"),
        ("soon", "if it means 'missing', set preprocess.missing_values: [\"\", NA, soon]"),
    ],
)
def test_the_first_cell_that_is_no_date_is_named_with_its_row(cell, words):
    found = dates(["2020-01-31", "NA", cell, "2020-01-31"])
    assert isinstance(found, Fault)
    assert found.where == "t.csv, row 3, column 'd'"
    assert found.message.startswith(f"'{cell}' is ")
    assert words in found.message


def test_times_with_and_without_a_zone_in_one_column_are_refused():
    found = dates(["2020-01-31T00:00", "NA", "2020-01-31T00:00Z"])
    assert isinstance(found, Fault)
    assert (found.where, "zone" in found.message) == ("t.csv, row 3, column 'd'", True)


@pytest.mark.parametrize("values", [[1.5, 2.0], [True, False], [datetime.time(9, 30)], [datetime.timedelta(1)]])
def test_a_column_of_another_type_is_refused(values):
    found = dates(values)
    assert isinstance(found, Fault)
    assert "which holds no dates" in found.message


def test_missing_cells_are_missing_in_every_part():
    for column in (["2020-05-01", None, "NA", ""], [datetime.date(2020, 5, 1), None, None, None]):
        days, month = part(column, "days"), part(column, "month")
        assert days[0] == 18_383  # date(2020, 5, 1).toordinal() - date(1970, 1, 1).toordinal()
        assert np.isnan(days[1:]).all()
        assert month == [5, None, None, None]


def test_a_column_without_a_date_is_missing_everywhere():
    for column in (pa.array([None, None], pa.string()), pa.array(["NA", ""]), pa.array([None], pa.timestamp("us"))):
        found = dates(column).part("month")
        assert isinstance(found, Numbers)
        assert np.isnan(found.values[:]).all()


def test_a_time_with_a_zone_is_taken_in_utc_from_arrow_as_from_text():
    stamps = pd.Series(pd.to_datetime(["2020-03-29T01:30:00+01:00", "2020-03-29T03:30:00+02:00"], utc=True))
    arrow = pa.Array.from_pandas(stamps.dt.tz_convert("Europe/Paris"))
    assert part(arrow, "hour") == part(["2020-03-29T01:30:00+01:00", "2020-03-29T03:30:00+02:00"], "hour") == [0, 1]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_dates_of_arrow_and_their_slices(kind):
    days = [datetime.date(1969, 12, 31), None, datetime.date(2000, 2, 29), datetime.date(1600, 3, 1)]
    sliced = pa.chunked_array([pa.array(days, kind)[1:], pa.array(days, kind)[:2]])
    found = part(sliced, "days")
    epoch = datetime.date(1970, 1, 1).toordinal()
    assert np.isnan(found[0])
    assert found[1:4] == [days[2].toordinal() - epoch, days[3].toordinal() - epoch, -1]
    assert part(sliced, "hour") == [None, 0, 0, 0, None]


def test_a_dictionary_of_times_and_of_text():
    stamps = pa.array([datetime.datetime(2020, 1, 31, 7), None]).dictionary_encode()
    assert part(stamps, "hour") == part(pa.array(["2020-01-31T07:00", None]).dictionary_encode(), "hour") == [7, None]


def test_many_texts_are_read_in_blocks():
    n = 2 * BLOCK_ROWS + 5
    texts = [str(each) for each in np.arange(n).astype("M8[h]")]
    assert ticks(texts) == (np.arange(n) * 3_600_000_000).tolist()


def test_levels_are_in_the_order_of_their_values():
    months = dates([f"2020-{month:02}-01" for month in (11, 2, 10, 1)]).part("month")
    assert isinstance(months, Categories)
    assert months.levels == ("1", "2", "10", "11")


@pytest.mark.parametrize("kind", ["timestamps", "text"])
def test_memory_does_not_grow_with_the_parts_of_dates(kind):
    n, per_day = 24 * BLOCK_ROWS, 86_400
    stamps = pa.array(np.arange(n) % 1_000 * (per_day // 2)).cast(pa.timestamp("s"))
    column = stamps if kind == "timestamps" else pc.strftime(stamps, "%Y-%m-%d %H:%M:%S").dictionary_encode()
    tracemalloc.start()
    parts = [dates(pa.chunked_array([column])).part(name) for name in (*PARTS, "days")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(part.levels) for part in parts[:-1]] == [2, 12, 7, 2]
    # a byte a row for each category and as much while they are joined, and blocks; all ticks would be 8
    assert peak < n * 8

"""Which cells are dates, and what is said of a column of them."""

import re
import subprocess

import pandas as pd
import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.dates import is_date
from linreg_cli.errors import DataError

DATES = """
2020-01-12  2020-1-2  2020/01/12  2020.01.12  2020-01-12 09:00  2020-01-12T09:00:30.25+01:00  2020-01-12T09
20200112T093000  01-12-2020  31-12-2020  12-31-2020  01/12/2020  1/2/20  13/1/2020 9:05 PM  1/2/2020 9 pm
1.2.2020  31.12.2020  01.12.20  12 Jan 2020  12-Jan-2020  1-Jan-20  12Jan2020  Jan 12, 2020  January 1, 2020
1 January 2020  January 1st, 2020  12. Dec 1999  Sept. 5, 2019  Mon, 12 Jan 2020 09:00:00 GMT
Wed Jan 12 09:00:00 2020  12Jan2020:09:00:00  12-Jan  2020-Jan-12  2020 Jan  2020-01  2020/01  01/2020  01-2020
Jan 2000  January 2000  Jan-00  2000Q1  2000-Q1  Q1 2000  1Q2000  2020M01  2020-W05  2020年1月12日  09:00  9:00
09:00:30  23:59:59.5  9:00 AM  9 pm  3:15
"""
OTHERS = """
12  -3.5  1e5  1,5  1,500  20200112  2020  98178  98178-1234  02-138  1234-567  100-0001  555-1234  555-01-2020
+49 30 123456  (555) 123-4567  01 12 20 20 33  1.2.3  3.2.13  10.15.7  2.0.0-rc1  10.0.0.1  192.168.1.12  10-20
1-10  18-24  1990-2000  2013-14  10-2000  0-306-40615-2  978-3-16-148410-0  1/2  3/15  10/20  16/9  3:1  16:9
1:100  1:1000  12:34:56:78  64-17-5  7732-18-5  41-2031  May  March  Jan  Monday  Dec10  A-12  Q1  W05  H1
12:60  25:00  45-12-2020  13-13-2020  9999-99-99  1000-01-01x  5 apples  12 janitors  $5  50%  k12  2020A  1:2:3
31/2  12 mar 4
"""


def split(text):
    return [cell.strip() for line in text.strip().splitlines() for cell in line.split("  ") if cell.strip()]


@pytest.mark.parametrize("cell", split(DATES))
def test_dates_times_and_periods(cell):
    assert is_date(cell)
    assert is_date(cell.upper())


@pytest.mark.parametrize("cell", split(OTHERS))
def test_numbers_codes_ranges_and_ratios_are_no_dates(cell):
    assert not is_date(cell)


def load(tmp_path, cells, **preprocess):
    rows = "".join(f'"{cell}",{number % 7},{number % 11}\n' for number, cell in enumerate(cells))
    (tmp_path / "t.csv").write_text(f"when,x,y\n{rows}")
    values = {"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "preprocess": preprocess}
    return load_dataset(Config.model_validate(values))


def error_of(tmp_path, cells, **preprocess):
    with pytest.raises(DataError) as caught:
        load(tmp_path, cells, **preprocess)
    return str(caught.value).replace(f"{tmp_path}/", "")


KEEP = "to use it as text, set preprocess.columns: {when: {categorical: one_hot}}"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
COLUMNS = {
    "days": [f"{1 + k % 28:02}-{1 + k % 12:02}-2020" for k in range(60)],
    "days by name": [f"{1 + k % 28} {MONTHS[k % 12]} 2020" for k in range(60)],
    "months": [f"20{k % 20:02}-{1 + k % 12:02}" for k in range(60)],
    "months of many years": [f"{MONTHS[k % 12]} {1900 + k // 12}" for k in range(60)],
    "quarters": [f"{1950 + k // 4}Q{1 + k % 4}" for k in range(60)],
}
SED = (
    r"the day is first, as '13-01-2020' shows; write the year first, such as by: "
    r"sed -E 's#(^|[^0-9])([0-9]{1,2})-([0-9]{1,2})-([0-9]{4})#\1\4-\3-\2#g' t.csv > t_changed.csv; then set "
    "data.path: 't_changed.csv' and data.features: [\"*\", 'days(when)'], or leave the column out with "
    "data.ignore: [when]"
)
#: The year is first, so the column can be taken as dates.
READABLE = COLUMNS["months"]
AS_DAYS = (
    "take the days since 1970 with data.features: [\"*\", 'days(when)'], "
    "or leave the column out with data.ignore: [when]"
)
ADVICE = {tuple(READABLE): AS_DAYS, tuple(COLUMNS["days"]): SED}


@pytest.mark.parametrize("cells", COLUMNS.values(), ids=COLUMNS)
def test_a_column_of_dates_is_refused_with_what_to_do(cells, tmp_path):
    assert error_of(tmp_path, cells * 10, categorical="one_hot") == error_of(tmp_path, cells, categorical="one_hot")
    remedy = "leave it out with data.ignore: [when], or convert it to numbers (days since a date)"
    assert error_of(tmp_path, cells, categorical="one_hot") == (
        f"t.csv, row 1, column 'when': the column holds dates or times, such as {cells[0]!r}; "
        f"{ADVICE.get(tuple(cells), remedy)}; {KEEP}"
    )


def test_times_are_refused_too(tmp_path):
    message = error_of(tmp_path, [f"{k % 24:02}:00" for k in range(60)], categorical="one_hot")
    assert "leave it out with data.ignore: [when], or convert it to numbers (minutes since midnight)" in message


@pytest.mark.parametrize("others", [["unknown"], ["-", "unknown", "", "", "NA"]])
def test_most_cells_decide(others, tmp_path):
    message = error_of(tmp_path, others + COLUMNS["days"], categorical="one_hot", missing="drop")
    assert f"row {len(others) + 1}, column 'when': the column holds dates or times, such as '01-01-2020'" in message
    features = load(tmp_path, ["a", "b"] * 8 + COLUMNS["days"][:16], categorical="one_hot").features
    assert "when=02-02-2020" in features


def test_a_column_of_dates_that_is_named_is_text(tmp_path):
    dataset = load(tmp_path, COLUMNS["days"][:28] * 3, columns={"when": {"categorical": "one_hot"}})
    assert "when=02-02-2020" in dataset.features


@pytest.mark.parametrize("cells", COLUMNS.values(), ids=COLUMNS)
def test_without_categories_dates_are_not_told_to_become_them(cells, tmp_path):
    remedy = "leave the column out with data.ignore: [when], or convert dates to numbers (days since a date)"
    advice = ADVICE.get(tuple(cells), remedy)
    assert error_of(tmp_path, cells) == f"t.csv, row 1, column 'when': {cells[0]!r} is not a number; {advice}"
    assert error_of(tmp_path, ["unknown", *cells]) == (
        f"t.csv, row 1, column 'when': 'unknown' is not a number, and the column is mostly dates, such as "
        f"{cells[0]!r}; {SED if cells == COLUMNS['days'] else remedy}"
    )


@pytest.mark.parametrize(("order", "first", "second"), [("day", 28, 12), ("month", 12, 28)])
def test_the_command_that_is_shown_writes_the_dates_so_that_they_are_read(
    linreg, csv, config_file, order, first, second
):
    """sed -E as it is shown, then the two settings; pandas reads the same days."""
    dates = [f"{1 + k % first}/{1 + k % second}/2020" for k in range(60)]
    csv("sold,area,price\n" + "".join(f"{date},{50 + k},{100 + 3 * k}\n" for k, date in enumerate(dates)))
    config = config_file("data: {path: t.csv, target: price}\nplots: false\noptimizer: {lr: 1e-12}\n")
    refused = linreg("train", "-c", config).err
    assert f"the {order} is first, as '" in refused
    shown = re.search(r"such as by: (sed .*? > t_changed.csv); then set (.*), or leave", refused)
    subprocess.run(shown[1], shell=True, check=True)
    lines = [line.replace(": ", "=", 1) for line in shown[2].split(" and ")]
    assert linreg("train", "-c", config, "--set", lines[0], "--set", lines[1], "--force").code in (0, 4)
    expected = pd.to_datetime(pd.Series(dates), dayfirst=order == "day", format="mixed").dt.strftime("%Y-%m-%d")
    written = pd.to_datetime(pd.read_csv("t_changed.csv")["sold"], format="mixed").dt.strftime("%Y-%m-%d")
    assert written.tolist() == expected.tolist()


def test_dates_whose_order_no_cell_shows_are_told_of_both(tmp_path):
    message = error_of(tmp_path, ["01/02/2020", "03/04/2020"] * 30)
    expected = (
        "no cell shows whether the day or the month is first; write the year first if it is the day (for the month, "
    )
    assert expected in message


def test_cells_that_have_the_day_and_the_month_first_have_no_order(tmp_path):
    assert "sed" not in error_of(tmp_path, ["13/01/2020", "01/13/2020"] * 30)

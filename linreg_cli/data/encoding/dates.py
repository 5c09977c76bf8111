"""Recognition of dates, times and periods (months, quarters) in text."""

import re

_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:1[5-9]|20|21)\d\d"
_NAME = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:Mon|Tue|Tues|Wed|Wednes|Thu|Thur|Thurs|Fri|Sat|Satur|Sun)(?:day)?\.?,? )?"
_TIME = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-6]\d(?:[.,]\d+)?)?(?: ?[ap]\.?m\.?)?"
_NTH = rf"{_DAY}(?:st|nd|rd|th|\.)?"

_DATES = (
    rf"{_YEAR}([-/.]){_MONTH}\1{_DAY}",
    rf"{_YEAR}年{_MONTH}月(?:{_DAY}日)?",
    # Day or month first. With dots, a two-digit year needs a two-digit day and month, since 1.2.13 may be a version.
    rf"(?:{_DAY}[-]{_MONTH}|{_MONTH}[-]{_DAY})-(?:{_YEAR}|\d\d)",
    rf"(?:{_DAY}/{_MONTH}|{_MONTH}/{_DAY})/(?:{_YEAR}|\d\d)",
    rf"{_DAY}\.{_MONTH}\.{_YEAR}|(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.\d\d",
    rf"{_WEEKDAY}{_NTH}[-/ ]?{_NAME}(?:[-/ ,]{{1,2}}(?:{_YEAR}|\d\d)|{_YEAR})",
    rf"{_NTH}[- ]{_NAME}",
    rf"{_WEEKDAY}{_NAME}[-/ ]{_NTH}(?:[-/ ,]{{1,2}}{_YEAR})?",
    rf"{_YEAR}[-/ ]?{_NAME}(?:[-/ ]?{_DAY})?",
)
_PERIODS = (
    # With a dash, only 01 to 09 are months before a year, since 10-2000 may be a range.
    rf"{_YEAR}[-/](?:0[1-9]|1[0-2])|0[1-9]-{_YEAR}|(?:0[1-9]|1[0-2])/{_YEAR}",
    rf"{_NAME}(?:[-/ ,']{{1,2}}(?:{_YEAR}|\d\d)|{_YEAR})",
    rf"{_YEAR}[-/ ]?(?:Q[1-4]|[HS][12]|M(?:0[1-9]|1[0-2])|W[0-5]\d(?:-?[1-7])?)",
    rf"(?:Q[1-4]|H[12])[-/ ']?{_YEAR}|[1-4]Q[-/ ]?{_YEAR}",
)
_STAMPS = (r"\d{8}T\d{4}.*", rf"{_WEEKDAY}{_NAME} {{1,2}}{_DAY} {_TIME}(?: \w+)? {_YEAR}")
_FLAGS = re.ASCII | re.IGNORECASE
_DATE = re.compile(
    rf"(?:{'|'.join(_DATES)})(?:(?:T|,? +|:){_TIME}.*|,? +\d{{1,2}} ?[ap]\.?m\.?|T\d\d.*)?|{'|'.join(_PERIODS)}"
    rf"|{'|'.join(_STAMPS)}",
    _FLAGS,
)
_CLOCK = re.compile(rf"{_TIME}(?:Z| ?UTC)?|(?:0?\d|1[0-2]) ?[ap]\.?m\.?", _FLAGS)


def is_date(cell: str) -> bool:
    """Whether a cell is a date, a time or a period.

    >>> [is_date(cell) for cell in ("01-12-2020", "Jan 2000", "2000Q1", "09:00", "1.2.2020")]
    [True, True, True, True, True]
    >>> [is_date(cell) for cell in ("20200112", "1.2.3", "10-20", "98178-1234", "3:1", "May")]
    [False, False, False, False, False, False]
    """
    return _DATE.fullmatch(cell) is not None or is_clock(cell)


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of day.

    >>> is_clock("09:00:30"), is_clock("9 pm"), is_clock("2020-01-12 09:00")
    (True, True, False)
    """
    return _CLOCK.fullmatch(cell) is not None


def as_numbers(cell: str) -> str:
    """What a date or a time can be converted to, in words."""
    return "minutes since midnight" if is_clock(cell) else "days since a date"

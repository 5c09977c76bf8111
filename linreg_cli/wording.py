"""How numbers and results are formatted, on the terminal and in reports."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

#: Below the first and above the second, only the size of a ratio says something: of a gap, of a distance.
_SMALL, _LARGE = 1e-9, 1e6

#: A share of less than this, 0.001 %, is not written as a number.
NEGLIGIBLE = 1e-5

#: Zero-width joiners: not printable, but part of words in some scripts and of many emoji.
_JOINERS = "\u200c\u200d"
_UNSHOWN = re.compile(r"[^\n -~]")

#: The metrics of predictions, in original units, by the names that `metrics.json` has -> as a heading. Tables on the
#: terminal have no mse, whose root is beside it.
METRICS = {"mse": "MSE", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}
ON_TERMINAL = ("rmse", "mae", "r2")


def one_line(text: str) -> str:
    r"""Text on one line, with control characters escaped.

    >>> print(one_line("no column 'a\nb\x1b[31m'"))
    no column 'a\nb\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(mark if is_shown(mark) else repr(mark)[1:-1] for mark in text)


def escaped(text: str) -> str:
    r"""Text with its line breaks, and all other control characters escaped.

    >>> print(escaped("first\nsecond\x1b[2K"))
    first
    second\x1b[2K
    """
    return "\n".join(map(one_line, text.split("\n")))


def json_text(values: Any, *, default: Any = None, indented: float = math.inf) -> str:
    r"""Indented JSON without negative zeros; control characters and direction marks are escaped as JSON does it.

    Args:
        values: what JSON has.
        default: makes other values into what JSON has.
        indented: with more characters, all is on one line, which is written ten times as fast.

    >>> print(json_text({"größe": "\u202e"}))
    {
      "größe": "\u202e"
    }

    Raises:
        ValueError: for NaN or an infinity, which JSON does not have.
    """
    values = without_negative_zero(values)
    options: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "default": default}
    text = json.dumps(values, **options) if indented < math.inf else ""
    if len(text) <= indented:
        text = json.dumps(values, indent=2, **options)
    if text.replace("\n", "").isprintable():
        return text
    return _UNSHOWN.sub(lambda mark: mark[0] if is_shown(mark[0]) else json.dumps(mark[0])[1:-1], text)


def without_negative_zero(values: Any) -> Any:
    """The same values, nested as they are, with 0.0 in place of -0.0, which means nothing to a reader.

    >>> without_negative_zero({"a": [-0.0, 1.0, "x"]})
    {'a': [0.0, 1.0, 'x']}
    """
    if isinstance(values, dict):
        return {key: without_negative_zero(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [without_negative_zero(value) for value in values]
    return values + 0.0 if isinstance(values, float) else values


def is_shown(mark: str) -> bool:
    """Whether a character is shown as it is: it neither moves the cursor nor changes what is around it."""
    return mark.isprintable() or mark in _JOINERS


def number(value: Any, digits: int = 6) -> str:
    """A number in `digits` significant digits: the one way in which numbers are written for people.

    Digits before the decimal mark are never rounded away and are separated by thousands. Below 1e-4 and from 1e15 on,
    the notation is scientific. '-' for None, 0 for a negative zero.

    >>> number(1234567.891), number(0.00012345678), number(None), number(-0.0)
    ('1,234,568', '0.000123457', '-', '0')
    >>> number(1234.5, 3), number(0.00001234, 3), number(2500), number(float("inf"))
    ('1,234', '1.23e-05', '2,500', 'infinite')
    """
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    value = without_negative_zero(value)
    whole = 10.0 ** (digits - 1) <= abs(value) < 1e15
    return f"{value:,.0f}" if whole else f"{value:,.{digits}g}"


def exact(value: float) -> str:
    """A number with all of its digits, so that it can be pasted into a config; no separators.

    >>> exact(0.1), exact(2500.0), exact(1 / 3), exact(1e-7)
    ('0.1', '2500', '0.3333333333333333', '1e-07')
    """
    return repr(float(value) + 0.0).removesuffix(".0")


def rounded(value: float, digits: int) -> float:
    """A number rounded to `digits` significant digits, to be shown by `exact`.

    >>> rounded(0.0123456, 3)
    0.0123
    """
    return float(f"{value:.{digits}g}")


def percent(share: float, digits: int = 3) -> str:
    """A share in percent, in `digits` significant digits; small ones in words.

    >>> percent(0.12345), percent(3e-9), percent(0.0)
    ('12.3 %', 'less than 0.001 %', '0 %')
    """
    return "less than 0.001 %" if 0 < share < NEGLIGIBLE else f"{number(float(100 * share), digits)} %"


def gap(value: float, digits: int = 3) -> str:
    """A relative gap in `digits` significant digits; of a tiny and of a huge one, the size is enough.

    >>> gap(0.00123456), gap(3e-175), gap(3.3e16)
    ('0.00123', '<1e-9', '>1e6')
    """
    if not _SMALL <= value <= _LARGE:
        return "<1e-9" if value < _SMALL else ">1e6"
    return number(value, digits)


def bounded(value: float | None, digits: int = 6, most: float = _LARGE) -> str:
    """A number of a table of which only the size says something where it is above a million.

    >>> bounded(1234.5), bounded(3.29e16), bounded(-3.29e16), bounded(None)
    ('1,234.5', '>1,000,000', '<-1,000,000', '-')
    """
    if value is None or not abs(value) > most:
        return number(value, digits)
    return f">{most:,.0f}" if value > 0 else f"<-{most:,.0f}"


def ratio(value: float, digits: int = 3, most: float = _LARGE) -> str:
    """`bounded` in a sentence: a distance in standard errors, a multiple, a variance inflation factor.

    >>> ratio(9_470.2), ratio(3.29e16)
    ('9,470', 'more than 1,000,000')
    """
    return f"more than {most:,.0f}" if value > most else number(value, digits)


def condition_number(value: float, digits: int = 4) -> str:
    """A condition number; of a huge one, the size is enough.

    >>> condition_number(74_983.2), condition_number(2.1e12)
    ('74,983', 'more than 1,000,000,000')
    """
    return ratio(value, digits, most=1e9)


def bytes_of(count: float) -> str:
    """A number of bytes in binary units, with four digits.

    >>> bytes_of(1), bytes_of(700), bytes_of(70 * 2**20), bytes_of(1.5 * 2**30)
    ('1 byte', '700 bytes', '70 MiB', '1.5 GiB')
    """
    if count < 1024:
        return f"{int(count)} byte{'' if int(count) == 1 else 's'}"
    units = ("KiB", "MiB", "GiB", "TiB")
    power = min(int(math.log2(count)) // 10, len(units))
    return f"{number(count / 1024**power, 4)} {units[power - 1]}"


def duration(seconds: float) -> str:
    """A time in seconds, with two decimals.

    >>> duration(0.1234), duration(3661.0)
    ('0.12 s', '3,661.00 s')
    """
    return f"{seconds:,.2f} s"


def value(given: Any) -> str:
    """A number as `number` writes it, or the text of a category on one line.

    >>> value(1234.5), value("red")
    ('1,234.5', 'red')
    """
    return one_line(given) if isinstance(given, str) else number(given)


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "epoch"), plural(2500, "step")
    ('1 epoch', '2,500 steps')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def p_value(value: float | None) -> str:
    """A p-value with four decimals; '-' for None.

    >>> p_value(0.00123456), p_value(0.5), p_value(7e-285), p_value(None)
    ('0.0012', '0.5000', '<0.0001', '-')
    """
    if value is None:
        return "-"
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def parameters_title(targets: Sequence[str], transform: str) -> str:
    """The title of a table of parameters, with their units.

    >>> parameters_title(["price"], "log")
    'log of price, in units of the features:'
    """
    names = ", ".join(map(one_line, targets))
    return (
        f"{names}, in original units:" if transform == "none" else f"{transform} of {names}, in units of the features:"
    )


def r2_label(definition: str | None, has_bias: bool, name: str = "R2") -> str:
    """The name of R2, with its definition for a model without an intercept, where there are two.

    Args:
        definition: `centred` (relative to the mean) or `uncentred` (relative to zero); None in an older run.
        has_bias: whether the model has an intercept.
        name: how R2 is written.

    >>> r2_label("uncentred", False), r2_label("centred", True)
    ('R2 (uncentred)', 'R2')
    """
    return name if has_bias or definition is None else f"{name} ({definition})"


def has_bias(parameters: dict[str, Any]) -> bool:
    """Whether parameters, as `metrics.json` has them, have an intercept."""
    bias = parameters["bias"]
    return any(value is not None for value in bias.values()) if isinstance(bias, dict) else bias is not None


def loss_units(record: dict[str, Any]) -> str:
    """The units of the loss if they are not the original ones, in words; else empty.

    Args:
        record: the content of `run.json`.

    >>> loss_units({"target_transform": "log", "target_standardized": True, "data": {"targets": ["price"]}})
    'log of price, standardised'
    >>> loss_units({})
    ''
    """
    transform = record.get("target_transform", "none")
    names = ", ".join((record.get("data") or {}).get("targets") or ["the target"])
    of = names if transform == "none" else f"{transform} of {names}"
    if record.get("target_standardized"):
        return f"{of}, standardised"
    return "" if transform == "none" else of


def estimate_in_words(record: dict[str, Any]) -> str:
    """What the predictions of a transformed target estimate; empty without a transform.

    Args:
        record: the content of `run.json`.

    >>> estimate_in_words({"target_transform": "log", "target_estimate": "mean", "data": {"targets": ["y"]}})
    'the mean of y (smearing estimate)'
    """
    if record.get("target_transform", "none") == "none":
        return ""
    names = ", ".join(record["data"]["targets"])
    mean = record.get("target_estimate") == "mean"
    return f"the mean of {names} (smearing estimate)" if mean else f"the median of {names}"


def metrics_notes(metrics: dict[str, Any], record: dict[str, Any]) -> list[str]:
    """What the names of the metrics of the splits do not say: units of the loss, meaning of predictions and of R2.

    Args:
        metrics: the content of `metrics.json`.
        record: that of `run.json`.

    >>> record = {"target_transform": "log", "data": {"targets": ["y"]}}
    >>> for note in metrics_notes({"parameters": {"weights": {"x": 1.0}, "bias": None}}, record):
    ...     print(note)
    loss: of log of y; all others: in original units
    predictions: estimate the median of y
    r2: centred (relative to the mean of the split)
    """
    loss_of, estimate = loss_units(record), estimate_in_words(record)
    notes = [f"loss: of {loss_of}; all others: in original units"] if loss_of else []
    notes += [f"predictions: estimate {estimate}"] if estimate else []
    return notes if has_bias(metrics["parameters"]) else [*notes, "r2: centred (relative to the mean of the split)"]

"""What each column of a table is used as, judged by its cells."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from linreg_cli.config.preprocess import FOR_NUMBERS
from linreg_cli.config.schema import Config
from linreg_cli.data.columns.kinds import Categories, Numbers
from linreg_cli.data.encoding.cells import category_column, holds_dates
from linreg_cli.data.encoding.date_values import Dates, date_columns, dates_of
from linreg_cli.data.encoding.number_hints import value_type
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import quoted
from linreg_cli.starter.choices import CATEGORY, DATE, IGNORED, NUMBER, TARGET, ColumnChoice
from linreg_cli.starter.reading import AS_TARGET, FEW_LEVELS, Reading, nameless
from linreg_cli.wording import one_line, plural

#: A column of which a smaller fraction of the cells has a value is ignored.
_FEWEST = 0.05
#: With so many missing cells, and so large a fraction of them, a column of numbers gets an indicator of gaps.
_GAPS_FOR_LEVEL = 10
#: The parts of a date that are categories, and the rows that each of their levels must have.
_LEVELS_OF_DATES, _ROWS_PER_LEVEL = ("month", "weekday", "hour"), 20
_TWO_YEARS = 730
#: What a target would have to be so that it can be called a category in a message.
_AS_CATEGORY = Treatment(categorical=True)
#: Characters of a level that are shown.
_LONGEST = 40


def choices(reading: Reading) -> list[ColumnChoice]:
    """What is worth a word, column by column, in the order of the table.

    Args:
        reading: the table.

    Raises:
        DataError: for a target that is not numeric.
    """
    source, targets = reading.source, reading.targets
    _refuse_targets(reading, targets)
    dates = frozenset[str]()
    if reading.terms is not None:
        dates = date_columns(reading.terms)
        plain = {term.text for term in reading.terms if term.is_plain}
        used = [*reading.cells.numbers, *reading.cells.others.column_names]
        _refuse_features(
            reading, [each for each in used if each not in targets and (each not in dates or each in plain)]
        )
    looked_at = {*reading.cells.numbers, *reading.cells.others.column_names}
    found: list[ColumnChoice] = []
    for column in dict.fromkeys(reading.table.columns):
        if column in targets:
            found += _target(reading, column)
        elif column in looked_at and column not in dates:
            found += _feature(reading, column)
        elif column in nameless(reading.table.columns) and column not in source.ignore and source.features is None:
            why = "several columns have this name" if column.strip() else "it has no name; name it to use it"
            found.append(ColumnChoice(column, IGNORED, why, odd=bool(column.strip())))
    return found


def _refuse_targets(reading: Reading, targets: tuple[str, ...]) -> None:
    """Refuse targets that are not numbers.

    Raises:
        DataError: with a fault for each of them, and the columns that are numbers.
    """
    faults: list[Fault] = []
    numbers = [each for each in reading.table.columns if each in reading.cells.numbers and each not in targets]
    listed = ", ".join(numbers[:20]) + (", ..." if len(numbers) > 20 else "")
    other = f"; columns of numbers: {listed}" if numbers else ""
    for target in targets:
        values = reading.raw.get(target)
        if isinstance(values, Numbers) and values.n_missing < len(values.values):
            continue
        where = f"{reading.table.name}, column {target!r}"
        fault = None if isinstance(values, Numbers) else reading.fault(target, AS_TARGET)
        text = _as_categories(reading, target)
        if isinstance(values, Numbers) or fault is None:
            faults.append(Fault(f"no cell of the target has a value; choose another target{other}", where))
        elif text is None or holds_dates(text) or reading.fault(target, _AS_CATEGORY) is not None:
            faults.append(Fault(f"{fault.message}{other}", fault.where, settings=fault.settings))
        else:
            levels = ", ".join(map(one_line, text.levels[:3])) + (", ..." if len(text.levels) > 3 else "")
            what = f"the target is text with {plural(len(text.levels), 'level')} ({levels})"
            message = f"{what}, and linear regression predicts a number; choose another target{other}"
            faults.append(Fault(message, where))
    if faults:
        raise DataError(faults)


def _refuse_features(reading: Reading, features: Sequence[str]) -> None:
    """Refuse features that were named and cannot be used.

    Raises:
        DataError: with a fault for each of them.
    """
    found = [each for column in features for each in _feature(reading, column) if each.use in (IGNORED, DATE)]
    if found:
        name = reading.table.name
        where = f"{name}, column {{!r}}"
        raise DataError([Fault(f"it cannot be a feature: {each.why}", where.format(each.column)) for each in found])


def _as_categories(reading: Reading, column: str) -> Categories | None:
    """A column as categories; None for numbers, and for a type that cannot be written as text."""
    if column in reading.cells.numbers:
        return None
    kind = value_type(reading.cells.others.column(column).type)
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        return None
    return category_column(reading.cells.others.column(column), reading.missing_values, "text")


def _target(reading: Reading, column: str) -> Iterator[ColumnChoice]:
    gaps = reading.raw[column].n_missing
    if gaps:
        rows = "the row is" if gaps == 1 else "these rows are"
        why = f"{plural(gaps, 'cell')} of the target {'is' if gaps == 1 else 'are'} missing; {rows} left out"
        yield ColumnChoice(column, TARGET, why, {"missing": "drop"})


def _feature(reading: Reading, column: str) -> Iterator[ColumnChoice]:
    values = reading.raw.get(column)
    n_rows = reading.cells.num_rows
    if isinstance(values, Categories):
        yield _category(values, column, reading)
        return
    if isinstance(values, Numbers):
        there = n_rows - values.n_missing
        if there < max(2, _FEWEST * n_rows):
            few = "no cell has a value" if not there else f"only {there:,} of {n_rows:,} cells have a value"
            few = "the table has a single row" if there == n_rows == 1 else few
            yield ColumnChoice(column, IGNORED, few)
        elif values.n_missing and own_way(reading, column, NUMBER) is None:
            level = values.n_missing >= max(_GAPS_FOR_LEVEL, _FEWEST * n_rows)
            yield number_with_gaps(column, values, "level" if level else "median")
        return
    yield _not_numbers(reading, column)


def _not_numbers(reading: Reading, column: str) -> ColumnChoice:
    """A column that is neither numbers nor a category as it is."""
    text = _as_categories(reading, column)
    kind = None if column in reading.cells.numbers else value_type(reading.cells.others.column(column).type)
    if (kind is not None and pa.types.is_temporal(kind)) or (text is not None and holds_dates(text)):
        return _dates(reading, column)
    fault = reading.fault(column, reading.as_feature)
    assert fault is not None, column
    if text is not None and fault.kind in ("identifier", "levels") and (why := _too_many(text, reading.base)):
        return ColumnChoice(column, IGNORED, why)
    return ColumnChoice(column, IGNORED, fault.message, odd=True)


def number_with_gaps(column: str, values: Numbers, way: str, gaps_of: str | None = None) -> ColumnChoice:
    """A column of numbers, and what is done with its gaps: `level` or `median`; `gaps_of` as an input has it."""
    indicator = "an indicator says where" if gaps_of is None else f"the indicator of {gaps_of} says where"
    done = f"the mean is filled in, and {indicator}" if way == "level" else "the median is filled in"
    gaps = _gaps(values.n_missing, len(values.values))
    return ColumnChoice(column, NUMBER, f"{gaps}; {done}", {"missing": way})


def own_way(reading: Reading, column: str, use: str) -> str | None:
    """What the user has set for the missing cells of a column, as far as it fits what the column is used as."""
    given = reading.base.preprocess
    way = given.of_column(column, frozenset(reading.table.columns)).missing
    if way is None and "missing" in given.model_fields_set:
        way = given.missing
    return None if use == CATEGORY and way in FOR_NUMBERS else way


def _gaps(count: int, n_rows: int) -> str:
    return f"{count:,} of {n_rows:,} cells {'is' if count == 1 else 'are'} missing"


def _dates(reading: Reading, column: str) -> ColumnChoice:
    """A column of dates: its parts that are features."""
    cells = reading.cells.others.column(column)
    found = dates_of(cells, column, reading.missing_values, reading.table.name)
    if isinstance(found, Fault):
        return ColumnChoice(column, IGNORED, f"dates: {found.message}", odd=True)
    parts = {part: f"{part}({column})" for part in ("days", *_LEVELS_OF_DATES)}
    if any(entry in reading.table.columns for entry in parts.values()):
        return ColumnChoice(column, IGNORED, f"dates; a column is called {parts['days']}, so its parts have no names")
    has_gaps = found.has_gaps
    settings = {"missing": "level"} if has_gaps and own_way(reading, column, DATE) is None else {}
    taken = ["days", *(part for part in _LEVELS_OF_DATES if not has_gaps and _has_part(found, part))]
    entries = tuple(parts[part] for part in taken)
    rest = [part for part in _LEVELS_OF_DATES if part not in taken]
    why = f"a date, used as {', '.join(taken)}"
    why += f"; {', '.join(rest)}: one value only, or too few rows for each" if rest and not has_gaps else ""
    return ColumnChoice(column, DATE, why, settings, entries=entries)


def _has_part(dates: Dates, part: str) -> bool:
    """Whether a part has several levels with enough rows each; the month only of dates of two years and more."""
    values = dates.part(part)
    if part == "month" and (days := dates.part("days")) and isinstance(days, Numbers):
        ticks = days.values[:]
        if ticks.max() - ticks.min() < _TWO_YEARS:
            return False
    if not isinstance(values, Categories) or len(values.levels) < 2:
        return False
    return int(np.bincount(values.codes).min()) >= _ROWS_PER_LEVEL


def _category(values: Categories, column: str, reading: Reading) -> ColumnChoice:
    if why := _too_many(values, reading.base):
        return ColumnChoice(column, IGNORED, why)
    if not values.levels:
        return ColumnChoice(column, IGNORED, "no cell has a value")
    return category(values, column, values.levels, own=own_way(reading, column, CATEGORY))


def category(
    values: Categories, column: str, levels: Sequence[str], gaps_of: str | None = None, own: str | None = None
) -> ColumnChoice:
    """A category of some levels, the first of which is the reference level.

    Args:
        values: the cells.
        column: its name.
        levels: those that it has in the train split.
        gaps_of: as an input has it.
        own: what the user has set for the missing cells.
    """
    what = {"text": "text", "boolean": "true and false", "number": "a category of numbers"}[values.kind]
    why = f"{what}, {plural(len(levels), 'level')}; reference level {one_line(levels[0])}"
    settings = {"categorical": "one_hot"}
    if values.n_missing and own is not None:
        why += f"; {_gaps(values.n_missing, len(values.codes))}"
    elif values.n_missing:
        known = "which is a level, too" if gaps_of is None else f"for which that of {gaps_of} stands"
        why += f"; {_gaps(values.n_missing, len(values.codes))}, {known}"
        settings["missing"] = "level"
    return ColumnChoice(column, CATEGORY, why, settings)


def _too_many(values: Categories, base: Config) -> str:
    """Why a column of text is no category: it has too many levels; an empty text for a category."""
    n_levels, n_cells = len(values.levels), len(values.codes) - values.n_missing
    if not n_levels or (n_levels <= max(FEW_LEVELS, n_cells / 2) and n_levels <= base.preprocess.max_levels):
        return ""
    example = values.levels[0]
    example = quoted(example if len(example) < _LONGEST else f"{example[: _LONGEST - 3]}...")
    shown = f"{n_levels:,} levels in {n_cells:,} cells, such as {example}"
    if n_levels > n_cells / 2:
        return f"identifier or free text: {shown}"
    return f"{shown}: more than preprocess.max_levels, {base.preprocess.max_levels}"

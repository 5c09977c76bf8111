"""What a message tells the user to paste: lines of the config, and commands.

Every such line is written here, so that it is valid YAML whatever the names of columns are. A list or a mapping is
written whole, with the entries that the config has already. For a program `readers` writes what it passes.
"""

import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from linreg_cli.patterns import keys_of
from linreg_cli.readers import Python, is_program, program
from linreg_cli.wording import is_shown

#: Text that needs no quotes: a word that neither YAML 1.1 nor YAML 1.2 reads as something else.
_PLAIN = re.compile(r"(?!(?i:true|false|yes|no|on|off|null)$)[^\W\d]\w*(?:[-./]\w+)*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: The key of a mapping may have 1,024 characters, unless a question mark is before it.
LONGEST_KEY = 1_000

#: The entry of `data.features` for every other column.
EVERY = "*"
#: What only features that are made of columns have in their entries; names of columns may have it too.
_MARKS_OF_MADE = re.compile(r"[(:^]")

#: Dotted key -> its value in the config that a message is about.
_given: ContextVar[Mapping[str, Any]] = ContextVar("given", default={})  # noqa: B039 - it is never changed


@contextlib.contextmanager
def about(settings: Mapping[str, Any]) -> Iterator[None]:
    """A block whose messages are about a config.

    Args:
        settings: dotted key -> value; of use are `data.ignore`, `data.features`, `preprocess.columns`,
            `preprocess.missing` and `preprocess.missing_values`. `run` is the config of a run that is applied to
            another table: what takes another setting then takes another training.
    """
    token = _given.set(settings)
    try:
        yield
    finally:
        _given.reset(token)


def flow(value: Any) -> str:
    r"""A value as YAML on one line.

    >>> print(flow(["sqft", "Lot Size, sqft", "2019", "#rooms", "", "it's", "\\N", "a\nb", ","]))
    [sqft, 'Lot Size, sqft', '2019', '#rooms', "", 'it''s', '\N', "a\nb", ","]
    >>> print(flow({"price: list": {"missing": "drop"}, "on": [1, 0.5, True, None]}))
    {'price: list': {missing: drop}, 'on': [1, 0.5, true, null]}
    """
    if isinstance(value, str):
        if not any(map(str.isalnum, value)) and value.isprintable() and not set(value) & set('"\\'):
            return f'"{value}"'  # marks alone are hard to read in single quotes: ''''
        return value if _PLAIN.fullmatch(value) else quoted(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(str(key))}: {flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    return repr(value)


def quoted(text: str) -> str:
    r"""A text in quotes, as YAML reads it back: single quotes where nothing is escaped.

    >>> print(quoted("\\N"), quoted("12\u202f500"), quoted("?"))
    '\N' "12\u202f500" '?'
    """
    if not all(map(is_shown, text)):
        return f'"{"".join(map(_escaped, text))}"'
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def setting(key: str, value: Any) -> str:
    """A line of the config.

    >>> setting("data.ignore", ["2019"])
    "data.ignore: ['2019']"
    """
    return settings({key: value})


def settings(values: Mapping[str, Any]) -> str:
    """Several settings that belong together: lines of the config, or what a program passes.

    >>> settings({"data.decimal": ",", "data.thousands": "."})
    'data.decimal: "," and data.thousands: "."'
    """
    if reader := program():
        return reader.settings(values)
    return " and ".join(f"{key}: {flow(value)}" for key, value in values.items())


def entry(name: str, value: Any, *, indent: str = "") -> str:
    """A line of a mapping, or two for a name that YAML takes for a key only after a question mark.

    Args:
        name: the key, of any kind.
        value: as `flow` takes it.
        indent: blanks before each line.

    >>> entry("a: b", {"missing": "drop"}, indent="  ")
    "  'a: b': {missing: drop}"
    """
    if len(name) <= LONGEST_KEY:
        return f"{indent}{flow(name)}: {flow(value)}"
    return f"{indent}? {flow(name)}\n{indent}: {flow(value)}"


def change(key: str, value: Any) -> str:
    """What to do for another setting: to set it, or to train again.

    >>> change("preprocess.unknown", "ignore")
    'set preprocess.unknown: ignore'
    >>> with about({"run": "outputs/a-0001/config.yaml"}):
    ...     change("preprocess.unknown", "ignore")
    'train again: linreg train -c outputs/a-0001/config.yaml --set preprocess.unknown=ignore'
    """
    return train_again({key: value}) or f"set {setting(key, value)}"


def leave_out(*columns: str) -> str:
    r"""The line that leaves columns out, besides those that the config leaves out already.

    >>> leave_out("row id")
    "data.ignore: ['row id']"
    >>> with about({"data.features": ("x", "row id")}):
    ...     leave_out("row id")
    'data.features: [x]'
    >>> with about({"data.features": ("*", "days(sold)", "log(area)")}):
    ...     print(leave_out("sold"), leave_out("log(area)"), sep="\n")
    data.features: ["*", 'log(area)'] and data.ignore: [sold]
    data.features: ["*", 'days(sold)']
    >>> with about({"data.features": ("x",)}):
    ...     leave_out("x")
    'other columns in data.features'
    """
    values = without(*columns)
    if values.get("data.features") == []:
        return "other columns in data.features"
    reader = program()
    return settings(values) if reader is None else reader.without(columns, values)


def without(*columns: str) -> dict[str, list[str]]:
    """The settings that leave columns and features out: dotted key -> value."""
    features, out = _given.get().get("data.features") or (), dict[str, list[str]]()
    rest = [each for each in features if not any(each == column or _is_made_of(each, column) for column in columns)]
    if len(rest) < len(features):
        out["data.features"] = rest
    made = [column for column in columns if column in features and _is_made(column)]
    if not out or (EVERY in features and len(made) < len(columns)):  # which would take the place of the entry
        others = (column for column in columns if column not in made)
        out["data.ignore"] = [*dict.fromkeys((*_given.get().get("data.ignore", ()), *others))]
    return out


def as_days(*columns: str) -> str:
    """The line that takes columns as dates, days since 1970, besides the features that the config has already.

    >>> print(as_days("sold"))
    data.features: ["*", 'days(sold)']
    >>> with about({"data.features": ("x", "sold")}):
    ...     as_days("sold")
    "data.features: [x, 'days(sold)']"
    """
    return setting("data.features", dated(_given.get().get("data.features"), columns))


def dated(features: Sequence[str] | None, columns: Sequence[str]) -> list[str]:
    """Entries of `data.features` with some columns as days; None stands for every column."""
    entries = [each for each in features or (EVERY,) if each not in columns] + [f"days({each})" for each in columns]
    return [*dict.fromkeys(entries)]


def given(key: str, default: Any) -> Any:
    """A setting of the config that messages are about, by its dotted key."""
    return _given.get().get(key, default)


def missing(column: str, way: str) -> tuple[str, Any]:
    """The key and the value that say what is done with the missing cells of a column: for all, if those are errors.

    >>> missing("x", "mean")
    ('preprocess.missing', 'mean')
    >>> with about({"preprocess.columns": {"x": {"missing": "error"}}}):
    ...     missing("x", "mean")
    ('preprocess.columns', {'x': {'missing': 'mean'}})
    """
    columns = _given.get().get("preprocess.columns", {})
    if "missing" not in exceptions(column) and _given.get().get("preprocess.missing", "error") == "error":
        return "preprocess.missing", way
    return "preprocess.columns", {**columns, column: {**columns.get(column, {}), "missing": way}}


def for_columns(columns: Sequence[str], key: str, value: Any) -> str:
    """The line that sets a key of some columns, besides the exceptions that the config has already.

    >>> with about({"preprocess.columns": {"zip": {"missing": "drop"}}}):
    ...     for_columns(["zip"], "categorical", "one_hot"), for_columns(["x"], "missing", "mean")
    ('preprocess.columns: {zip: {missing: drop, categorical: one_hot}}', \
'preprocess.columns: {zip: {missing: drop}, x: {missing: mean}}')
    """
    given = _given.get().get("preprocess.columns", {})
    return setting("preprocess.columns", {**given, **{each: {**given.get(each, {}), key: value} for each in columns}})


def for_units(units: Mapping[str, str]) -> str:
    """The line that names the units of columns, besides those that the config names already.

    >>> with about({"data.units": {"rate": "%"}}):
    ...     for_units({"price": "EUR"})
    'data.units: {rate: "%", price: EUR}'
    """
    return setting("data.units", all_units(units))


def all_units(units: Mapping[str, str]) -> dict[str, str]:
    """The units of columns, and those that the config names already."""
    return {**_given.get().get("data.units", {}), **units}


def also_missing(cell: str, column: str, marks: Sequence[str]) -> str:
    r"""The lines by which a cell of a column means 'missing', besides those that do already, and its row is left out.

    >>> print(also_missing("\\N", "x", ["", "NA"]))
    preprocess.missing_values: ["", NA, '\N']
    >>> with about({"preprocess.missing": "error"}):
    ...     print(also_missing("-", "x", [""]))
    preprocess.missing_values: ["", "-"] and preprocess.missing: drop
    """
    values, given = {"preprocess.missing_values": [*marks, cell]}, _given.get()
    if exceptions(column).get("missing", given.get("preprocess.missing")) == "error":
        values |= [missing(column, "drop")]  # otherwise the next error would be that a cell is missing
    return settings(values)


def without_mark(level: str) -> str:
    """What to do so that a text no longer means 'missing'; an empty text where the config is not known.

    >>> with about({"preprocess.missing_values": ("", " NA ", "?")}):
    ...     without_mark("NA")
    'set preprocess.missing_values: ["", "?"]'
    """
    marks = _given.get().get("preprocess.missing_values")
    if marks is None:
        return ""
    return change("preprocess.missing_values", [mark for mark in marks if mark.strip() != level])


def with_mark(level: str) -> str:
    """What to do so that a text means 'missing' too; an empty text where the config is not known.

    >>> with about({"preprocess.missing_values": ("", "?")}):
    ...     with_mark("none")
    'set preprocess.missing_values: ["", "?", none]'
    """
    marks = _given.get().get("preprocess.missing_values")
    return "" if marks is None else change("preprocess.missing_values", [*marks, level])


def overrides(values: Mapping[str, Any]) -> str:
    """Settings as options of a command, quoted for a shell, or as what a program passes.

    >>> overrides({"preprocess.missing": "level", "data.ignore": ["a", "b"]})
    "--set preprocess.missing=level --set 'data.ignore=[a, b]'"
    >>> overrides({"train.batch_size": "full", "optimizer.schedule": {"kind": "constant"}})
    "--set train.batch_size=full --set 'optimizer.schedule={kind: constant}'"
    """
    if reader := program():
        return reader.settings(values)
    return " ".join(command("--set", override(key, value)) for key, value in values.items())


def train_again(values: Mapping[str, Any]) -> str:
    """What trains a run that is applied to another table again; an empty text if it is not applied.

    >>> with about({"run": "outputs/a-0001/config.yaml"}):
    ...     train_again({"preprocess.unknown": "ignore"})
    'train again: linreg train -c outputs/a-0001/config.yaml --set preprocess.unknown=ignore'
    >>> with about({"run": "outputs/a-0001/config.yaml", "data.source": "frame"}):  # which no command has
    ...     train_again({"preprocess.unknown": "ignore"})
    "train again: linreg_cli.train('outputs/a-0001/config.yaml', {'preprocess.unknown': 'ignore'}, data=frame)"
    """
    run = _given.get().get("run")
    return "" if run is None else f"train again: {training(run, values, of_frame=given('data.source', '') == 'frame')}"


def training(config: str, values: Mapping[str, Any], *, of_frame: bool = False) -> str:
    """The command that trains from a config file with other settings, or the call of Python.

    Args:
        config: the path.
        values: dotted key -> value.
        of_frame: whether the rows are those of a data frame, which no command has.
    """
    if is_program() or of_frame:
        words = [repr(config), *([Python().settings(values).partition("=")[2]] if values else [])]
        return f"linreg_cli.train({', '.join([*words, *(['data=frame'] if of_frame else [])])})"
    return f"{command('linreg', 'train', '-c', config)} {overrides(values)}".rstrip()


def command(*words: str) -> str:
    """A command for a shell.

    >>> command("linreg", "train", "-c", "my config.yaml", "--set", override("data.ignore", ["a"]))
    "linreg train -c 'my config.yaml' --set 'data.ignore=[a]'"
    """
    return shlex.join(words)


def override(key: str, value: Any) -> str:
    """A setting as the value of `--set`.

    >>> override("data.decimal", ",")
    'data.decimal=","'
    """
    return f"{key}={flow(value)}"


def _is_made(entry: str) -> bool:
    return _MARKS_OF_MADE.search(entry) is not None


def _is_made_of(entry: str, column: str) -> bool:
    """Whether a feature, by its entry, is made of a column."""
    if not _is_made(entry) or _is_made(column):
        return False
    return re.search(rf"(?<!\w){re.escape(column)}(?![\w(])", entry) is not None


def exceptions(column: str) -> dict[str, Any]:
    """What `preprocess.columns` sets for a column, by its name or by a pattern."""
    columns = _given.get().get("preprocess.columns", {})
    found: dict[str, Any] = {}
    for key in keys_of(columns, column):
        found |= columns[key]
    return found


def _key(name: str) -> str:
    return flow(name) if len(name) <= LONGEST_KEY else f"? {flow(name)} "


def _escaped(mark: str) -> str:
    if mark in _ESCAPES or is_shown(mark):
        return _ESCAPES.get(mark, mark)
    code = ord(mark)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

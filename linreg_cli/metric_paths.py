"""Paths into `metrics.json`, such as `test.r2`: how they are written, what is there, which one was meant."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

#: (text, whether it was in quotes) for each step.
Path = tuple[tuple[str, bool], ...]

#: Of a path. A name with dots is tried with every number of its steps, so that the time grows with their square.
MOST_STEPS = 100
_PART = re.compile(
    r"""(?P<quote>["'])(?P<quoted>(?:\\.|(?!(?P=quote)).)*)(?P=quote)(?=\.|\Z)|(?P<plain>[^."'][^.]*)""", re.S
)
#: The most names of a group that a message lists.
_MOST_NAMES = 12


@dataclass(frozen=True)
class Absent:
    """Stands, in the names that a config has, for metrics that its runs do not have.

    Attributes:
        why: in words.
        otherwise: the names that other configs have here.
    """

    why: str
    otherwise: Any = None


@dataclass(frozen=True)
class AnyName:
    """Stands for a group whose names only the table knows.

    Attributes:
        inside: what each name has.
    """

    inside: Any


@dataclass(frozen=True)
class Missing:
    """Why there is no number at a path.

    Attributes:
        what: in words; begins with a verb if `of_path`.
        of_path: whether the path is the subject of the sentence.
        hint: the name that was probably meant, or the names that there are; may be empty.
    """

    what: str
    of_path: bool = True
    hint: str = ""

    def why(self, path: str) -> str:
        """The whole sentence.

        Args:
            path: as the user wrote it.
        """
        return f"{path} {self.what}{self.hint}" if self.of_path else f"{self.what} {path}{self.hint}"


def parse_path(text: str) -> Path:
    r"""The steps of a path. A step in quotes may contain anything; `\"` and `\\` stand for a quote and a backslash.

    >>> parse_path('parameters.weights."city=St. John"')
    (('parameters', False), ('weights', False), ('city=St. John', True))

    Raises:
        ValueError: with a message for the user, for an empty step, a quote that is not closed, and too many steps.
    """
    steps: list[tuple[str, bool]] = []
    at = 0
    while True:
        match = _PART.match(text, at)
        if match is None:
            form = 'steps are separated by dots, and a step with quotes is written "like this"'
            raise ValueError(f"{text!r} is not the name of a metric at character {at + 1}; {form}")
        if match["plain"] is not None:
            steps.append((match["plain"].strip(), False))
        else:
            steps.append((re.sub(r"""\\(["'\\])""", r"\1", match["quoted"]), True))
        at = match.end()
        if at == len(text):
            return tuple(steps)
        if len(steps) == MOST_STEPS:
            raise ValueError(f"the name {text[:60]!r}... has more than {MOST_STEPS} parts, and no metric has")
        at += 1  # the dot


def written(steps: Sequence[str]) -> str:
    """A path as text, with quotes where they are needed.

    >>> written(["parameters", "weights", "city=York", "a.b"])
    'parameters.weights."city=York"."a.b"'
    """
    return ".".join(step if re.fullmatch(r"[\w-]+", step) else _quoted(step) for step in steps)


def _quoted(step: str) -> str:
    return '"' + step.replace("\\", "\\\\").replace('"', '\\"') + '"'


def metric_at(values: Any, path: Path) -> float | Missing:
    """The number at a path, or why there is none.

    A list of one number counts as that number. True and false count as 1 and 0. A name with dots may be written without
    quotes.

    Args:
        values: the content of `metrics.json`, or the names that a config has (with `Absent` and `AnyName`).
        path: the steps.

    >>> metric_at({"probe": [{"after": [3.5]}]}, parse_path("probe.0.after"))
    3.5
    >>> metric_at({"test": {"r2": None, "r2_reason": "one row"}}, parse_path("test.r2")).why("test.r2")
    'test.r2 is undefined: one row'
    """
    group, value, left = _walk(values, path, None)
    if isinstance(group, dict) and isinstance(group.get("refused"), str):
        return Missing(f"is not available, since inference was refused: {group['refused']}")
    if isinstance(value, Absent):
        return Missing(f"does not exist: {value.why}")
    if left and value is None and group is not None:
        key = path[len(path) - len(left) - 1][0]
        why = group.get(f"{key}_reason") if isinstance(group, dict) else None
        return Missing("there is no metric", of_path=False, hint=f": {key} is undefined{f', {why}' if why else ''}")
    if left:
        return Missing("there is no metric", of_path=False, hint=_hint(values, path, group))
    return _as_number(value, path, group)


def _as_number(value: Any, path: Path, group: Any) -> float | Missing:
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict | list):
        value = value[0]
    if isinstance(value, bool | int | float):
        return value
    steps = [text for text, _ in path]
    if value is None:
        reason = group.get(f"{steps[-1]}_reason") if isinstance(group, dict) else None
        return Missing(f"is undefined: {reason}" if reason else "is undefined")
    if isinstance(value, str):
        return Missing(f"is {value}" if value else "is text and not a number")
    return Missing("is a group of metrics", hint=_listed([written([*steps, key]) for key in _keys(value)]))


def _walk(values: Any, path: Path, group: Any) -> tuple[Any, Any, Path]:
    """Follow a path: (the group of the value, or the group in which the path ends; the value; the steps left).

    Names may contain dots, so a name may take several steps. Of the names that fit, the one that lets the rest be found
    is taken, else the shortest.
    """
    if not path or isinstance(values, Absent):
        return group, values, ()
    if not isinstance(values, dict | list | AnyName):
        return group, values, path
    first = None
    for inside, taken in _steps(values, path):
        found = _walk(inside, path[taken:], values)
        if not found[2]:
            return found
        first = first or found
    return first or (values, values, path)


def _steps(values: Any, path: Path) -> Iterator[tuple[Any, int]]:
    """What the next step may lead to, and the number of steps that its name takes."""
    if isinstance(values, list):
        text, quoted = path[0]
        if re.fullmatch("[0-9]{1,9}", text) and not quoted and int(text) < len(values):
            yield values[int(text)], 1
        return
    for taken in range(1, len(path) + 1):
        if taken > 1 and any(quoted for _, quoted in path[:taken]):
            return
        name = ".".join(text for text, _ in path[:taken])
        if isinstance(values, AnyName):
            yield values.inside, taken
        elif name in values:
            yield values[name], taken


def _keys(values: Any) -> list[str]:
    """The names in a group, without those that are absent."""
    if isinstance(values, dict):
        return [key for key, inside in values.items() if not isinstance(inside, Absent)]
    return [str(position) for position in range(len(values))] if isinstance(values, list) else []


def _hint(values: Any, path: Path, group: Any) -> str:
    """The name that was probably meant, or the names of the group in which the path ends."""
    text = ".".join(step for step, _ in path)
    found = {".".join(steps): (steps, why) for steps, why in names_in(values)}
    near = _nearest(text, found)
    if near is None:
        return _listed(_keys(group) or _keys(values))
    steps, why = found[near]
    return f"; did you mean {near}? It does not exist: {why}" if why else f"; did you mean {written(steps)}?"


def _nearest(text: str, names: Collection[str]) -> str | None:
    """The name that differs in upper and lower case only, or in a few letters, or ends in `text`."""
    folded = {name.casefold(): name for name in reversed(list(names))}
    if text.casefold() in folded:
        return folded[text.casefold()]
    ends = [name for name in names if name.casefold().endswith("." + text.casefold())]
    close = [get_close_matches(text, names, n=1, cutoff=cutoff) for cutoff in (0.75, 0.6)]
    return next(iter([*close[0], *ends, *close[1]]), None)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"; there is {', '.join(names[:_MOST_NAMES])}{', ...' if len(names) > _MOST_NAMES else ''}"


def names_in(
    values: Any, before: tuple[str, ...] = (), why: str | None = None
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """The steps to every number, with the reason why it is absent (None: it is there).

    Args:
        values: as those of `metric_at`.
        before: the steps to `values`.
        why: the reason why all of them are absent.

    >>> [steps for steps, why in names_in({"test": {"r2": 0.5, "word": "x"}, "n": [3]})]
    [('test', 'r2'), ('n', '0')]
    """
    if isinstance(values, Absent):
        yield from names_in(values.otherwise, before, values.why)
    elif isinstance(values, dict):
        for key, inside in values.items():
            yield from names_in(inside, (*before, key), why)
    elif isinstance(values, list):
        for position, inside in enumerate(values):
            yield from names_in(inside, (*before, str(position)), why)
    elif isinstance(values, bool | int | float):
        yield before, why

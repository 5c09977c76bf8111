"""A config with faults, as far as it can be used: the rules between the keys that have none can still be checked."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from linreg_cli.config import diagnostics
from linreg_cli.config.schema import Config, Section
from linreg_cli.config.source import Node

Path = tuple[str | int, ...]

#: A value for each required key, by its name, with which the rest of its section can be validated.
STAND_INS: dict[str, Any] = {
    "data": {"source": "synthetic"},
    "path": "-",
    "target": "-",
    "columns": ("-", "--"),
    "rows": ((0.0, 0.0),),
    "folds": 2,
    "kind": "constant",
    "step_size": 1,
    "gamma": 0.5,
    "T_max": 1,
}
#: Each pass removes the faults that the one before made visible.
_PASSES = 10


class FaultyError(Exception):
    """A rule has asked for the value of a setting that is itself at fault, so it says nothing."""


class _Faulty:
    """Stands for a value that is at fault; whatever asks for it learns that by `FaultyError`."""

    def _refuse(self, *_: Any) -> Any:
        raise FaultyError

    __getattr__ = __getitem__ = __iter__ = __len__ = __bool__ = __contains__ = __call__ = _refuse
    __float__ = __int__ = __index__ = __abs__ = __neg__ = __str__ = __format__ = __fspath__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse


FAULTY = _Faulty()


def usable_part(tree: Node, values: dict[str, Any], unread: Sequence[Path] = ()) -> Config | None:
    """The config with `FAULTY` in place of each value that is at fault; None if that cannot be found.

    Args:
        tree: the values as written.
        values: the same as plain values.
        unread: the paths of overrides whose value could not be read.
    """
    faulty: set[Path] = set(unread)
    missing: list[Path] = []
    extra = {key: value for key, value in values.items() if key not in tree.value}
    for _ in range(_PASSES):
        values = {**extra, **tree.to_value()}
        for path in missing:
            _put(values, path, STAND_INS.get(str(path[-1])))
        try:
            config = Config.model_validate(values)
        except ValidationError as error:
            for kind, path in diagnostics.fault_paths(error, tree):
                named = path[: next((at for at, step in enumerate(path) if isinstance(step, int)), len(path))]
                if not named:
                    return None
                if kind == "missing":
                    missing += [named]
                elif kind == "extra_forbidden":
                    faulty |= _meant(tree, named)
                tree = tree.without(named)
                faulty |= {named} if kind != "extra_forbidden" else set()
            continue
        for path in sorted(faulty, key=len):
            config = _marked(config, path)
        return config
    return None


def _put(values: dict[str, Any], path: Path, value: Any) -> None:
    *parents, key = path
    for step in parents:
        values = values.setdefault(str(step), {})
        if not isinstance(values, dict):
            return
    values[str(key)] = value


def _meant(tree: Node, path: Path) -> set[Path]:
    """The keys that an unknown key may stand for: their values are not known either."""
    *parents, key = path
    section = diagnostics.section_at(tuple(parents), tree)
    if section is None:
        return set()
    return {(*parents, name) for name in get_close_matches(str(key), list(section.model_fields), n=2, cutoff=0.6)}


def _marked(section: Any, path: Path) -> Any:
    """A copy of a section in which the value at a path is `FAULTY`, or the value that holds it."""
    head, *rest = path
    inside = getattr(section, str(head), None)
    if rest and isinstance(inside, Section):
        return section.model_copy(update={str(head): _marked(inside, tuple(rest))})
    return section.model_copy(update={str(head): FAULTY}) if str(head) in type(section).model_fields else section

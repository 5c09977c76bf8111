r"""For whom a message is written: a setting to change is data, and each reader has it as what can be pasted.

    config and command line   preprocess.missing: mean            --set preprocess.missing=mean
    Python                    overrides={'preprocess.missing': 'mean'}
    estimator                 standardize=True

The default is the first, which `remedies` writes itself. What Python calls sets another one for its own block.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

#: What the estimator's parameters are called in a config, where they have another name or stand in a section.
PARAMETERS: Mapping[str, str] = {
    **{f"optimizer.{key}": key for key in ("lr", "momentum", "dampening", "nesterov", "weight_decay", "schedule")},
    **{
        f"train.{key}": key for key in ("epochs", "batch_size", "shuffle", "stop_gap", "dtype", "device", "engine")
    },
    "preprocess.standardize": "standardize",
    "model.bias": "fit_intercept",
    "seed": "random_state",
}  # fmt: skip


class Program(Protocol):
    """A reader that is a program."""

    def settings(self, values: Mapping[str, Any]) -> str:
        """Settings as what is passed.

        Args:
            values: dotted key -> value.
        """

    def without(self, columns: Sequence[str], values: Mapping[str, Any]) -> str:
        """What leaves columns out.

        Args:
            columns: their names.
            values: the settings that do it.
        """


@dataclass(frozen=True)
class Python:
    """Who calls `linreg_cli.train`.

    >>> Python().settings({"data.ignore": ("id",), "preprocess.standardize": True})
    "overrides={'data.ignore': ['id'], 'preprocess.standardize': True}"
    """

    def settings(self, values: Mapping[str, Any]) -> str:
        """See `Program`."""
        return f"overrides={_literal(dict(values))!r}"

    def without(self, columns: Sequence[str], values: Mapping[str, Any]) -> str:
        """See `Program`."""
        return self.settings(values)


@dataclass(frozen=True)
class Estimator:
    """Who calls `SGDLinearRegression.fit`.

    Attributes:
        positions: feature -> its position in X; empty where X has the names itself.
        drop: how X leaves columns out by name, `columns=` for pandas; empty: by position.

    >>> Estimator().settings({"optimizer.lr": 0.1, "model.bias": False})
    'lr=0.1, fit_intercept=False'
    >>> Estimator({"x0": 0, "x1": 1}).without(["x1"], {}), Estimator(drop="columns=").without(["a"], {})
    ('X = np.delete(X, [1], axis=1)', "X = X.drop(columns=['a'])")
    """

    positions: Mapping[str, int] = field(default_factory=dict)
    drop: str | None = None

    def settings(self, values: Mapping[str, Any]) -> str:
        """See `Program`."""
        return ", ".join(f"{PARAMETERS.get(key, key)}={_literal(value)!r}" for key, value in values.items())

    def without(self, columns: Sequence[str], values: Mapping[str, Any]) -> str:
        """See `Program`."""
        if self.drop is not None:
            return f"X = X.drop({self.drop}{list(columns)!r})"
        return f"X = np.delete(X, {[self.positions[column] for column in columns]!r}, axis=1)"


#: Whom messages are for; None: who writes a config and commands.
_reader: ContextVar[Program | None] = ContextVar("reader", default=None)


@contextlib.contextmanager
def written_for(reader: Program) -> Iterator[None]:
    """A block whose messages are for a program.

    >>> from linreg_cli.remedies import change, leave_out
    >>> with written_for(Python()):
    ...     change("preprocess.missing", "mean"), leave_out("id")
    ("set overrides={'preprocess.missing': 'mean'}", "overrides={'data.ignore': ['id']}")
    """
    token = _reader.set(reader)
    try:
        yield
    finally:
        _reader.reset(token)


def program() -> Program | None:
    """The program that messages are for; None: who writes a config and commands."""
    return _reader.get()


def is_program() -> bool:
    """Whether messages are for a program."""
    return _reader.get() is not None


def either(command_line: str, program: str) -> str:
    """Words for the reader: what to type, or what a program does."""
    return program if is_program() else command_line


def without_statistics() -> str:
    """What to do where the rows are needed and statistics stand for them.

    >>> with written_for(Python()):
    ...     without_statistics()
    'leave statistics= out'
    """
    return either("leave --stats out", "leave statistics= out")


def named_as_parameters(text: str) -> str:
    """A message in which keys of the config are called as the estimator's parameters; what is in quotes stays.

    >>> named_as_parameters("optimizer.lr: 10 is too high; lower optimizer.lr; column 'optimizer.lr'")
    "lr: 10 is too high; lower lr; column 'optimizer.lr'"
    """
    return _KEY.sub(lambda found: PARAMETERS[found[0]], text)


_KEY = re.compile(rf"(?<![\w.'\"])(?:{'|'.join(re.escape(key) for key in PARAMETERS if '.' in key)})(?![\w'\"])")


def _literal(value: Any) -> Any:
    """A value as Python's literals have it: lists and dictionaries, whatever it was."""
    if isinstance(value, Mapping):
        return {key: _literal(each) for key, each in value.items()}
    return [_literal(each) for each in value] if isinstance(value, list | tuple) else value

"""The tree of user errors, each class with its exit code.

    LinregError
    ├── UsageError      2   the command line is wrong
    ├── ConfigError     2   a config or a `--set` is wrong
    │   ├── SettingError    the same, by a part that does not know where the setting was written
    │   └── EngineError     compiled steps cannot run on this machine
    ├── DataError       3   a table cannot be read, or does not hold what the config says
    ├── OutOfMemoryError 3 memory ran out
    ├── DivergedError   4   training diverged, or must diverge
    ├── PlotError       2   matplotlib cannot draw here
    ├── GateError       5   a gate failed; the run itself is complete
    ├── StoreError      6   an unknown, damaged or unwritable run
    ├── Interrupted   130   Ctrl-C (143 for SIGTERM, 129 for SIGHUP)
    │   └── RankLost    137   one of several processes has ended without an error
    └── RankError           the error of one of several processes, with its code

An error holds one `Fault` for each thing that is wrong, so that all of them are reported at once. Only
`linreg_cli.cli` turns errors into text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar

from linreg_cli.addresses import without_secrets
from linreg_cli.lookalike import difference, in_ascii, same_appearance


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        message: what was found, what is allowed, what to do.
        where: the place, such as `houses.yaml:3:5` or `houses.csv, row 14, column 'bedrooms'`.
        excerpt: the line of the config with a caret below the error, or None.
        kind: the kind of a fault of columns, such as `text` or `missing`; None for others.
        columns: the columns of a table that it is about.
        block: lines below the message, with what can be pasted, or None.
        settings: the same for programs: dotted key -> value.
        allowed_by: the argument of `train` with which it is no error, such as `force`; None for others. The command
            line says so as an option.
    """

    message: str
    where: str | None = None
    excerpt: str | None = None
    kind: str | None = None
    columns: tuple[str, ...] = ()
    block: str | None = None
    settings: Mapping[str, Any] | None = field(default=None, compare=False)
    allowed_by: str | None = None

    def __post_init__(self) -> None:
        """Hide the secrets of addresses: an error goes to terminals, records and reports."""
        for name in ("message", "where", "excerpt", "block"):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, without_secrets(text))

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class LinregError(Exception):
    """The root: an error that the user can correct.

    Args:
        problem: the message of the only fault, or all faults.
        where: the place of the only fault.

    Attributes:
        faults: at least one.
    """

    kind: ClassVar[str]
    exit_code: int

    def __init__(self, problem: str | Sequence[Fault], where: str | None = None) -> None:
        self.faults = (Fault(problem, where),) if isinstance(problem, str) else tuple(problem)
        super().__init__("\n".join(line for fault in self.faults for line in (str(fault), fault.block) if line))


class UsageError(LinregError):
    """The command line is wrong."""

    kind = "usage"
    exit_code = 2


class ConfigError(LinregError):
    """A config file or an override is wrong, or needs something that this machine lacks."""

    kind = "config"
    exit_code = 2


class SettingError(ConfigError):
    """A setting asks for what the data or this machine do not allow; found by code that does not know the files.

    Attributes:
        key: the steps to the setting, such as `("probe", 1)`; `LoadedConfig.placing_errors` adds its file and line.
        message: what is wrong, without the key.
        settings: the key and the message of each setting, of which the above are the first.
    """

    def __init__(self, key: Sequence[str | int], message: str) -> None:
        self.key, self.message = tuple(key), message
        super().__init__(f"{'.'.join(map(str, key))}: {message}")
        self.settings: tuple[tuple[tuple[str | int, ...], str], ...] = ((self.key, message),)

    @classmethod
    def of(cls, settings: Sequence[tuple[Sequence[str | int], str]]) -> "SettingError":
        """The error of one or more settings: the key and the message of each."""
        error = cls(*settings[0])
        error.settings = tuple((tuple(key), message) for key, message in settings)
        error.faults = tuple(Fault(f"{'.'.join(map(str, key))}: {message}") for key, message in settings)
        return error


class EngineError(ConfigError):
    """The compiled code of an engine cannot be compiled, loaded or run on this machine."""


class DataError(LinregError):
    """A table cannot be read, or does not hold what the config says.

    Attributes:
        about_content: whether it is about what the table holds, so that reading it in another way may say more.
    """

    kind = "data"
    exit_code = 3
    about_content: ClassVar[bool] = True


class MissingFileError(DataError):
    """There is no file where the table is said to be."""

    about_content = False


class TemporaryFileError(DataError):
    """A temporary file cannot be made, written or read back, which is no fault of the table."""

    about_content = False


class OutOfMemoryError(LinregError):
    """Memory ran out. The model is small, so the data is too large."""

    kind = "memory"
    exit_code = 3

    def __init__(self) -> None:
        super().__init__(
            "out of memory; use fewer rows or columns, train.dtype: float32, or a machine with more memory"
        )

    @staticmethod
    def is_meant_by(error: BaseException) -> bool:
        """Whether an exception of Python, numpy, pyarrow or torch means that memory ran out."""
        marks = ("out of memory", "can't allocate memory", "not enough memory")
        return isinstance(error, MemoryError) or (
            isinstance(error, RuntimeError) and any(mark in str(error) for mark in marks)
        )


class DivergedError(LinregError):
    """A loss was not finite, or training was refused because it must diverge.

    Attributes:
        details: for `run.json`: the limit of the rate, the column with the largest curvature, a rate that works.
    """

    kind = "diverged"
    exit_code = 4

    def __init__(
        self, problem: str | Sequence[Fault], where: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(problem, where)
        self.details = details


class PlotError(LinregError):
    """A picture cannot be drawn on this machine, for a reason that lies in matplotlib and not in the run."""

    kind = "plots"
    exit_code = 2


class GateError(LinregError):
    """A gate failed. The run is complete."""

    kind = "gate"
    exit_code = 5


class StoreError(LinregError):
    """A run is unknown, ambiguous, damaged, in use, or cannot be written."""

    kind = "store"
    exit_code = 6


class Interrupted(LinregError):  # noqa: N818 - it reports a request, not a failure
    """The user or the system asked the process to stop."""

    kind = "interrupted"
    exit_code = 130

    def __init__(self, problem: str, exit_code: int) -> None:
        super().__init__(problem)
        self.exit_code = exit_code


class RankLost(Interrupted):
    """One of the processes that train together has ended, and has not said why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, exit_code=137)


class RankError(LinregError):
    """The error of another of the processes that train together, with its kind and exit code."""

    def __init__(self, kind: str, exit_code: int, faults: Sequence[Fault]) -> None:
        super().__init__(faults)
        self.kind, self.exit_code = kind, exit_code  # type: ignore[misc]  # of this error alone


def did_you_mean(name: str, allowed: Sequence[str]) -> str:
    """The hint at the end of a message about an unknown name: the closest one, or all that are allowed.

    >>> did_you_mean("momentun", ["lr", "momentum"])
    "; did you mean 'momentum'?"
    >>> did_you_mean("zzz", ["lr", "momentum"])
    '; allowed: lr, momentum'
    >>> did_you_mean("New York", ["New\u00a0York"])
    '; did you mean "New\\\\u00a0York"? It looks the same: "New\\\\u00a0York" has U+00A0 (no-break space)'
    """
    if same := same_appearance(name, allowed):
        return f"; did you mean {in_ascii(same)}? It looks the same: {difference(same, name)}"
    close = closest(name, allowed)
    return f"; did you mean '{close}'?" if close else f"; allowed: {', '.join(map(_shown, allowed))}"


def _shown(name: str) -> str:
    """A name; in quotes if it is empty or has blanks around it."""
    return name if name and name == name.strip() else repr(name)


def closest(name: str, allowed: Sequence[str]) -> str | None:
    """The allowed name that is most similar to `name`, or None.

    >>> closest("SQFT", ["price", "sqft"]), closest("y", [" x ", " y "])
    ('sqft', ' y ')
    """
    close = get_close_matches(name, allowed, n=1, cutoff=0.6)
    folded = {candidate.strip().casefold(): candidate for candidate in allowed}
    return close[0] if close else folded.get(name.strip().casefold())

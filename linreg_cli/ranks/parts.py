"""The canonical parts of a table: part s of S has the rows floor(s n / S) to floor((s + 1) n / S) - 1.

A sum over the rows of a table is that of its parts, added up in their order, so it is a function of S alone, and each
part may be in another process.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from linreg_cli.ranks.group import Ranks


class Parts(Protocol):
    """The parts of the rows of something, such as a `Dataset`."""

    @property
    def bounds(self) -> tuple[int, ...]:
        """The first row of each part, and one past the last row of the last; as rank 0 of several, of all parts."""

    def of(self, rows: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
        """What a function gives for each part that has rows, in their order.

        Args:
            rows: what has the rows.
            function: (rows, first, last, *arguments) -> anything; at the top of a module, and without effects.
            arguments: few numbers, since other processes are sent them.
        """

    def held(self, rows: Any) -> "Held | None":
        """What has the rows where several processes hold them; None: they are all in this process."""


@dataclass(frozen=True)
class PartsHere:
    """The parts whose rows are in this process.

    Attributes:
        bounds: the first row of each part among those that are here, and one past the last row of the last.

    >>> PartsHere((0, 2, 2, 3)).of("abc", lambda rows, first, last: rows[first:last], ())
    ['ab', 'c']
    """

    bounds: tuple[int, ...]

    def of(self, rows: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
        """As `Parts.of`."""
        pairs = itertools.pairwise(self.bounds)
        return [function(rows, first, last, *arguments) for first, last in pairs if last > first]

    def held(self, rows: Any) -> None:
        """As `Parts.held`."""


@dataclass(frozen=True)
class PartsOfRanks:
    """As rank 0, the parts that several processes have, this one too.

    Attributes:
        ranks: the processes.
        number: by which each of them holds what has its rows, with `parts` that are `PartsHere`.
        bounds: of all parts, among all rows.
    """

    ranks: Ranks
    number: int
    bounds: tuple[int, ...]

    def of(self, rows: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
        """As `Parts.of`; `rows` is the whole, which no process has."""
        found = self.held(rows).everywhere(_of_parts_here, function, *arguments)
        return [each for part in found for each in part]

    def held(self, rows: Any) -> "Held":
        """As `Parts.held`."""
        return Held(self, rows)

    def number_of(self, rows: Any) -> int:
        """The number by which each process holds its part of some rows."""
        return self.number


@dataclass(frozen=True)
class Held:
    """As rank 0, something whose rows several processes hold, each its own.

    Attributes:
        parts: of the rows.
        rows: the whole, which no process has.
    """

    parts: PartsOfRanks
    rows: Any

    @property
    def ranks(self) -> Ranks:
        """The processes."""
        return self.parts.ranks

    @property
    def number(self) -> int:
        """That by which each of them holds its part; they are sent what they lack of it when it is asked for."""
        return self.parts.number_of(self.rows)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What a function of (ranks, number, *arguments) returns in each process; as `Ranks.everywhere`."""
        return self.ranks.everywhere(function, self.number, *arguments)


def _of_parts_here(ranks: Ranks, number: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    rows = ranks.held[number]
    found: list[Any] = rows.parts.of(rows, function, arguments)
    return found

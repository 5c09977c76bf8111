"""Messages between processes: functions by their names, and objects of which every process has its own part.

A column of a table that is divided is such an object. Whatever is sent may contain it; in the message it is a number,
and where the message is read it is the part that is there. So what works on a whole table works on a part of it.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any


class Number(int):
    """The number of something that processes hold; it is noted when nothing refers to it any more.

    >>> gone = []
    >>> number = Number(3, gone)
    >>> held = {int(number): "kept"}
    >>> del number
    >>> gone
    [3]
    """

    _gone: list[int]

    def __new__(cls, value: int, gone: list[int]) -> "Number":
        """A number that is added to `gone` in the end."""
        made = super().__new__(cls, value)
        made._gone = gone
        return made

    def __del__(self) -> None:
        self._gone.append(int(self))

    def __reduce__(self) -> tuple[type, tuple[int]]:
        """In a message it is a plain number, which keeps nothing."""
        return int, (int(self),)


class Shared:
    """An object of which every process has its own part.

    Attributes:
        number: by which each process finds its part among what it holds.
    """

    number: int


class _Writer(pickle.Pickler):
    def persistent_id(self, each: Any) -> int | None:
        """The number of a shared object; None: the object is sent as it is."""
        return each.number if isinstance(each, Shared) else None


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes, held: Mapping[int, Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._held = held

    def persistent_load(self, number: int) -> Any:
        """The part that this process has."""
        return self._held[number]


def written(message: Any) -> bytes:
    """A message as bytes; see `read`."""
    content = io.BytesIO()
    _Writer(content, protocol=5).dump(message)
    return content.getvalue()


def read(content: bytes, held: Mapping[int, Any]) -> Any:
    """The message that another process has written.

    Args:
        content: of `written`, from a process of the same launch.
        held: number -> the part that this process has.

    >>> whole = Shared()
    >>> whole.number = 7
    >>> read(written(("values", whole)), {7: "the part here"})
    ('values', 'the part here')
    """
    return _Reader(content, held).load()

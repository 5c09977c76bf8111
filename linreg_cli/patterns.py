"""Keys of `preprocess.columns`: names of columns, and patterns of a shell. One place says which of them hold."""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase


def is_pattern(key: str) -> bool:
    """Whether a key may be a pattern, which it is if no column has this name.

    >>> is_pattern("Garage*"), is_pattern("Lot Area")
    (True, False)
    """
    return any(mark in key for mark in "*?[")


def matches(key: str, column: str) -> bool:
    """Whether a pattern matches a name; upper and lower case differ.

    >>> matches("Garage*", "GarageArea"), matches("garage*", "GarageArea")
    (True, False)
    """
    return is_pattern(key) and fnmatchcase(column, key)


def keys_of(keys: Iterable[str], column: str, available: Collection[str] = ()) -> list[str]:
    """The keys that hold for a column, the strongest last: patterns in their order, then the name.

    Args:
        keys: names and patterns.
        column: its name.
        available: every column of the table, where it is known: a key that is one of them is no pattern.

    >>> keys_of(["ab", "a*", "?b", "b*"], "ab")
    ['a*', '?b', 'ab']
    """
    keys = list(keys)
    found = [key for key in keys if key != column and key not in available and matches(key, column)]
    return [*found, column] if column in keys else found

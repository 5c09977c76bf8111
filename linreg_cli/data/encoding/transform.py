"""Transforms of the target and their inverses."""

from collections.abc import Callable

import numpy as np

from linreg_cli.data.columns.kinds import Column
from linreg_cli.wording import number

#: name -> (function, inverse, open lower end of the domain)
_TRANSFORMS: dict[str, tuple[Callable[[Column], Column], Callable[[Column], Column], float]] = {
    "log": (np.log, np.exp, 0.0),
    "log1p": (np.log1p, np.expm1, -1.0),
}

NAMES = ("none", *_TRANSFORMS)


def forward(name: str, values: Column) -> Column:
    """The transformed values, of the same shape; nan outside the domain.

    >>> forward("log", np.array([1.0, -1.0])).tolist()
    [0.0, nan]
    """
    if name == "none":
        return values
    function, _, lowest = _TRANSFORMS[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > lowest, function(values), np.nan)


def inverse(name: str, values: Column) -> Column:
    """The values in original units, of the same shape; infinite on overflow.

    >>> inverse("log", np.array([0.0, np.inf])).tolist()
    [1.0, inf]
    """
    if name == "none":
        return values
    with np.errstate(over="ignore"):
        return np.asarray(_TRANSFORMS[name][1](values))


def steepness(name: str, values: Column) -> Column:
    """The derivative of the inverse transform where it has some values, of the same shape.

    >>> steepness("log1p", np.array([0.0, 2.0])).tolist()  # of exp(x) - 1 it is exp(x)
    [1.0, 3.0]
    """
    return np.ones_like(values) if name == "none" else values - _TRANSFORMS[name][2]


def domain(name: str) -> str:
    """The domain of a transform, in words.

    >>> domain("log1p")
    'above -1'
    """
    return f"above {number(_TRANSFORMS[name][2])}"

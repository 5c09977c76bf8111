"""Functions of the target that are trained on, and their inverses."""

from collections.abc import Callable

import numpy as np

from linreg_cli.data.columns.kinds import Column

#: name -> (function, inverse, what a value must be above)
_TRANSFORMS: dict[str, tuple[Callable[[Column], Column], Callable[[Column], Column], float]] = {
    "log": (np.log, np.exp, 0.0),
    "log1p": (np.log1p, np.expm1, -1.0),
}

NAMES = ("none", *_TRANSFORMS)


def forward(name: str, values: Column) -> Column:
    """The values that are trained on; nan where there is none.

    >>> forward("log", np.array([1.0, -1.0])).tolist()
    [0.0, nan]
    """
    if name == "none":
        return values
    function, _, lowest = _TRANSFORMS[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > lowest, function(values), np.nan)


def inverse(name: str, values: Column) -> Column:
    """Back to original units; what is too large becomes infinite.

    >>> inverse("log1p", forward("log1p", np.array([0.0, 2.0]))).tolist()
    [0.0, 2.0]
    """
    if name == "none":
        return values
    with np.errstate(over="ignore"):
        return np.asarray(_TRANSFORMS[name][1](values))


def domain(name: str) -> str:
    """What values must be, in words.

    >>> domain("log1p")
    'above -1'
    """
    return f"above {_TRANSFORMS[name][2]:g}"

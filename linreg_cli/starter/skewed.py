"""A hint for targets that a logarithm would make more even."""

from collections.abc import Iterator, Sequence

import numpy as np

from linreg_cli.data.columns.kinds import Column, Numbers
from linreg_cli.remedies import setting
from linreg_cli.starter.reading import Reading
from linreg_cli.wording import number, one_line

#: Above this skewness a target is called skewed.
_SKEWED = 1.0
_FEWEST = 20


def skew_hints(reading: Reading, targets: Sequence[str]) -> Iterator[str]:
    """A sentence where every target is positive, skewed to the right, and its logarithm much less so."""
    if reading.base.preprocess.target_transform != "none":
        return
    found = []
    for target in targets:
        values = reading.raw[target]
        assert isinstance(values, Numbers)
        y = values.values[:]
        y = y[~np.isnan(y)]
        if len(y) < _FEWEST or y.min() <= 0 or y.min() == y.max():
            return
        given, logarithm = skewness(y), skewness(np.log(y))
        if given < _SKEWED or abs(logarithm) > given / 2:
            return
        skews = f"skewness {number(given, 2)}, its logarithm {number(logarithm, 2)}"
        found.append(f"{one_line(target)} is positive and skewed ({skews})")
    if found:
        yield f"{'; '.join(found)}; it may fit better with {setting('preprocess.target_transform', 'log')}"


def skewness(y: Column) -> float:
    """The third standardised moment, with n in the denominators, as scipy.stats.skew has it.

    >>> skewness(np.array([1.0, 2.0, 3.0])), round(skewness(np.array([0.0, 0.0, 3.0])), 4)
    (0.0, 0.7071)
    """
    centred = y - y.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)

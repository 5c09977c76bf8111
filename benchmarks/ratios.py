"""The rule of `make bench-quick`: when a ratio has become worse by more than noise."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Nothing below this is called a regression, however quiet the machine was.
LEAST_MARGIN = 0.25


@dataclass(frozen=True)
class Spread:
    """Quartiles of a ratio: what linreg takes over what is compared with; higher is worse."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Of at least two samples.

        >>> Spread.of([1.0, 2.0, 3.0])
        Spread(low=1.0, median=2.0, high=3.0)
        """
        return cls(*statistics.quantiles(samples, n=4))

    @property
    def relative(self) -> float:
        """The width of the middle half over the median."""
        return (self.high - self.low) / self.median


def limit(stored: Spread, now: Spread) -> float:
    """What the lower quartile of now may reach: the stored upper quartile and the larger of the spreads beyond it."""
    return stored.high * (1 + max(LEAST_MARGIN, stored.relative, now.relative))


def regressed(stored: Spread, now: Spread) -> bool:
    """Whether three quarters of the samples of now are above the limit."""
    return now.low > limit(stored, now)


def regressions(stored: Mapping[str, Spread], now: Mapping[str, Spread]) -> list[str]:
    """Names of the ratios that regressed; what is in only one of the two is not compared."""
    return [name for name in now if name in stored and regressed(stored[name], now[name])]

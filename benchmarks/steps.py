"""The same steps: what every engine is asked to do, and how it answers.

An engine is a function from `Steps` to a call that takes them, starting at zeros, and returns the parameters. What a
user would have done before training (arrays of the right kind, a file converted) is done before the call; what training
itself needs (an optimiser, rows put in order) within it. A package that is not there raises ImportError.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.problems import Array, Problem
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of SGD on the mean squared error.

    Attributes:
        table: the rows.
        batch: rows a step.
        rate: torch's lr, with the gradient 2 e x of the mean squared error.
        epochs: passes over the rows.
        shuffle: whether each epoch has an order of its own, drawn beforehand and the same for every engine.
        momentum: torch's.
    """

    table: Problem
    batch: int
    rate: float
    epochs: int = 1
    shuffle: bool = False
    momentum: float = 0.0

    @property
    def plan(self) -> StepPlan:
        """The same as linreg says it."""
        n, rate = len(self.table.X), self.rate
        return StepPlan(
            n, min(self.batch, n), self.epochs, self.shuffle, 0, Loss("mse"), lambda epoch: rate, momentum=self.momentum
        )

    def orders(self) -> list[Array | None]:
        """For each epoch the rows in its order, int64 of shape (n_samples,), or None: as given."""
        drawn = (self.plan.row_order(epoch) for epoch in range(self.epochs))
        return [None if order is None else order.numpy() for order in drawn]

    def part(self, most_steps: int, most_rows: int) -> "Steps":
        """Fewer rows, or of full batches fewer epochs, to time what would take minutes."""
        n = len(self.table.X)
        if self.batch >= n:
            return replace(self, epochs=min(self.epochs, most_steps))
        rows = max(self.batch, min(n, most_rows, most_steps * self.batch))
        return replace(self, table=self.table.head(rows))

    @property
    def work(self) -> int:
        """Rows met in all epochs."""
        return len(self.table.X) * self.epochs


#: Get ready; the call takes the steps and returns weights and then the bias, shape (n_features + 1,).
Engine = Callable[[Steps], Callable[[], Array]]


@dataclass(frozen=True)
class Contender:
    """An engine in the table of the same steps.

    Attributes:
        name: in the table.
        engine: how it takes steps.
        package: what must be installed.
        batches: the batches that it can take: `any`, `one` row without momentum, `full`, `loader`: all but the full
            one, whose rows nobody would collate, `mini`: these without single rows.
        shuffles: whether it can be fed an order.
        most_steps: beyond these it is timed on a part and scaled up.
        most_rows: likewise.
    """

    name: str
    engine: Engine
    package: str = ""
    batches: str = "any"
    shuffles: bool = True
    most_steps: int = 10**9
    most_rows: int = 10**9

    def takes(self, steps: Steps) -> bool:
        """Whether it can take these steps at all."""
        full = steps.batch >= len(steps.table.X)
        fits = {
            "any": True, "one": steps.batch == 1 and not steps.momentum, "mini": not full and steps.batch > 1,
            "loader": not full, "full": full,
        }[self.batches]  # fmt: skip
        return fits and (self.shuffles or not steps.shuffle)


def difference(found: Array, expected: Array) -> float:
    """Largest difference of a parameter, relative to the largest parameter."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())

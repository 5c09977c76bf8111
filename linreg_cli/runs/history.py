"""`history.csv`: one line per epoch; the first is the state before training."""

import math
from collections.abc import Callable, Iterable

import numpy as np

from linreg_cli.model import LinearFormula
from linreg_cli.optim.fit import Evaluated
from linreg_cli.optim.trail import Array

#: `history.csv` has no columns for the parameters of a model with more than this.
MAX_PARAMETERS = 10
#: Lines whose parameters are converted to original units together: one at a time, that takes most of a line's cost.
_TOGETHER = 1_000


class History:
    """Collects the lines of `history.csv`.

    Args:
        formula: any state of the model in original units, for the names of its parameters.
        fold: `model.fold_parameters` with the preprocessing of the run.
        validation: whether there is a validation split.
        gap: whether the optimum is known.

    Attributes:
        with_parameters: whether there is a column for each parameter (at most `MAX_PARAMETERS`).
    """

    def __init__(
        self,
        formula: LinearFormula,
        fold: Callable[[Array, Array | None], LinearFormula],
        *,
        validation: bool,
        gap: bool = False,
    ) -> None:
        self._columns = ["epoch", "step", "lr", "train_loss"]
        self._columns += ["validation_loss"] * validation + ["gap"] * gap + ["seconds"]
        self._validation, self._gap = validation, gap
        n_targets = len(formula.targets)
        n_parameters = formula.weights.size + (n_targets if formula.bias is not None else 0)
        self.with_parameters = n_parameters <= MAX_PARAMETERS
        if self.with_parameters:
            for target in formula.targets:
                prefix = f"{target}:" if n_targets > 1 else ""
                self._columns += [f"weight:{prefix}{feature}" for feature in formula.features]
                self._columns += [f"bias:{target}" if n_targets > 1 else "bias"] * (formula.bias is not None)
        self._lines = [",".join(_quoted(column) for column in self._columns)]
        self._fold, self._waiting = fold, list[tuple[Array, Array | None]]()  # the parameters of the last lines

    def add(self, result: Evaluated) -> None:
        """Append an epoch, whose result has the parameters where the history is `with_parameters`."""
        values = [result.epoch, result.step, result.lr, result.train_loss]
        if self._validation:
            assert result.validation_loss is not None
            values += [result.validation_loss]
        if self._gap:
            gap = result.distance.gap if result.distance else None
            values += [math.nan if gap is None else gap]
        values += [round(result.seconds, 6)]
        self._lines.append(_line(values))
        if self.with_parameters:
            assert result.parameters is not None
            self._waiting.append(result.parameters)
            if len(self._waiting) == _TOGETHER:
                self._complete()

    def _complete(self) -> None:
        """Add the parameters to the lines that lack them."""
        if not self._waiting:
            return
        weights, biases = zip(*self._waiting, strict=True)
        formula = self._fold(np.stack(weights), None if biases[0] is None else np.stack(biases))
        stacked = formula.weights if formula.bias is None else np.append(formula.weights, formula.bias[:, None], axis=1)
        rows = stacked.transpose(0, 2, 1).reshape(len(weights), -1).tolist()  # for each target its weights and its bias
        for i, row in enumerate(rows, len(self._lines) - len(rows)):
            self._lines[i] += "," + _line(row)
        self._waiting.clear()

    def restore(self, text: str) -> None:
        """Continue after the lines of an earlier `text`.

        Raises:
            ValueError: if its columns differ.
        """
        lines = text.removesuffix("\n").split("\n")
        if lines[:1] != self._lines[:1]:
            raise ValueError("the history in the checkpoint has other columns")
        self._lines = lines

    @property
    def ends(self) -> tuple[Evaluated, Evaluated]:
        """Epoch, step, rate and train loss before the first step and after the last epoch, also of a resumed run."""

        def read(line: str) -> Evaluated:
            epoch, step, lr, loss = line.split(",")[:4]
            return Evaluated(int(epoch), int(step), float(lr), float(loss), None, math.nan)

        return read(self._lines[1]), read(self._lines[-1])

    def text(self) -> str:
        """The whole file; numbers have the digits that reading them back exactly takes (`repr`)."""
        self._complete()
        return "\n".join(self._lines) + "\n"


def _line(values: Iterable[float]) -> str:
    return ",".join(map(repr, values))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n\r') else name

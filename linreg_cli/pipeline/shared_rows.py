"""Rows that were read for one run of a sweep, for the next one: a table is read once in each process."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from linreg_cli.config import Config
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.pipeline.prepared import Prepared
from linreg_cli.runs.compare import flat

#: Keys of which the exact fit, the scaled rows and their order depend on none.
_OF_STEPS = (
    "name", "plots", "gates", "probe", "optimizer.lr", "optimizer.momentum", "optimizer.dampening",
    "optimizer.nesterov", "optimizer.schedule", "model.init", "train.epochs", "train.stop_gap",
    "train.checkpoint_every", "evaluate.cross_validation", "evaluate.covariance", "evaluate.predictions",
)  # fmt: skip
#: Keys of which the rows that are read, their split and their encoding do not depend either.
_OF_TRAINING = (*_OF_STEPS, "loss", "huber_delta", "optimizer", "train.batch_size", "train.engine")


@dataclass(frozen=True)
class SharedRows:
    """What was read and computed for one config, as `starter.known.Rows`.

    Attributes:
        config: as it was written, with `auto`.
        dataset: its rows.
        preprocessor: fitted on its train split.
        problem: of the config; None where another loss or batch needs its own.
    """

    config: Config
    dataset: Dataset
    preprocessor: Preprocessor
    problem: Problem | None

    @classmethod
    def of_run(cls, config: Config, prepared: Prepared) -> "SharedRows":
        """Those of a run that was prepared, and its config before that."""
        return cls(config, prepared.dataset, prepared.preprocessor, prepared.problem)

    def of(self, config: Config) -> "SharedRows | None":
        """What of it a run of another config can use; None where its rows might be others."""
        if _without(self.config, _OF_TRAINING) != _without(config, _OF_TRAINING):
            return None
        same = _without(self.config, _OF_STEPS) == _without(config, _OF_STEPS)
        return self if same else SharedRows(self.config, self.dataset, self.preprocessor, None)

    def rows(self, config: Config) -> Dataset:
        """The rows: `of` has compared the config."""
        return self.dataset


def _without(config: Config, keys: Collection[str]) -> dict[str, Any]:
    """The settings of a config, but for some keys and those within them."""
    within = tuple(f"{key}." for key in keys)
    return {
        key: value
        for key, value in flat(config.model_dump(mode="json")).items()
        if key not in keys and not key.startswith(within)
    }

"""What a draft has read of its table, for the run that trains it: the rows and the exact fits are the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from linreg_cli.config import Config
from linreg_cli.config.data import TableData
from linreg_cli.config.given import messages_about
from linreg_cli.config.roles import column_roles
from linreg_cli.config.schema import TrainConfig
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.encoding.cells import with_cells
from linreg_cli.data.table_warnings import with_warnings
from linreg_cli.data.tables.table import Table

#: Sections of the config that `--set` may change without another reading of the table.
_WITHOUT_ROWS = ("train", "optimizer", "evaluate", "track", "plots", "gates", "probe", "name")


class Rows(Protocol):
    """Rows that were read already, with what was computed from them: `Known`, or those of another run."""

    @property
    def preprocessor(self) -> Preprocessor:
        """Fitted on the train split."""

    @property
    def problem(self) -> Problem | None:
        """Of the same train split and loss; None where it has to be made again."""

    def rows(self, config: Config) -> Dataset:
        """The rows that `load_dataset` would read for the config."""


@dataclass(frozen=True)
class Known:
    """A table that was read, with the config that it was encoded for.

    Attributes:
        config: of the draft, before the way of training was chosen.
        table: that was opened.
        dataset: its rows.
        preprocessor: fitted with the config.
        problem: of the config; None where a run does not train on its tensors, and where its rows are on the disk.
        overrides: of the user.
    """

    config: Config
    table: Table
    dataset: Dataset
    preprocessor: Preprocessor
    problem: Problem | None
    overrides: Sequence[str] = ()

    def of(self, config: Config) -> "Known | None":
        """What of it a run of a config can use; None where its rows might be others. The rest can be let go of.

        A draft reads each column as what it looks like. Where the config asks for something else, such as numbers as
        categories, parts of dates, or what a user has set about columns, the table is read again.
        """
        ours, source = self.config, config.data
        same = (ours.data, ours.preprocess, ours.model, ours.seed) == (
            source,
            config.preprocess,
            config.model,
            config.seed,
        )
        if not same or ours.train.early_stopping != config.train.early_stopping:
            return None
        if any(each.split("=")[0].split(".")[0].strip() not in _WITHOUT_ROWS for each in self.overrides):
            return None
        dataset, encoder = self.dataset, self.dataset.encoder
        assert isinstance(source, TableData)
        if encoder is None or dataset.raw is None or source.sha256 is not None or column_roles(config):
            return None
        if any(each.named for each in dataset.treated.values()) or not all(term.is_plain for term in encoder.terms):
            return None
        loss, decay, train = config.loss, config.optimizer.weight_decay, config.train
        same = (ours.loss, ours.huber_delta, ours.optimizer.weight_decay) == (loss, config.huber_delta, decay)
        same = same and _order_and_dtype(ours.train) == _order_and_dtype(train)
        return self if same else replace(self, problem=None)

    def rows(self, config: Config) -> Dataset:
        """The rows that `load_dataset` would read for a config that `of` was asked about."""
        raw = self.dataset.raw
        assert raw is not None
        with messages_about(config):
            return with_warnings(replace(self.dataset, raw=with_cells(raw, self.table, {})), self.table, config)


def _order_and_dtype(train: TrainConfig) -> tuple[object, ...]:
    """The settings that say which numbers the rows of the train split are, and where they stand."""
    return train.batch_size, train.dtype, train.shuffle == "blocks", train.blocks

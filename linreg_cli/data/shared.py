"""A dataset of which every process has the rows of its canonical parts of the table."""

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from linreg_cli.data.columns.kinds import Categories, Numbers, RawColumn
from linreg_cli.data.columns.shared import SharedColumns
from linreg_cli.data.dataset import Dataset
from linreg_cli.ranks.messages import read
from linreg_cli.ranks.parts import PartsHere, PartsOfRanks
from linreg_cli.ranks.shards import Shards

if TYPE_CHECKING:  # several processes are rare
    from linreg_cli.ranks.group import Ranks

#: What of a dataset is sent, beside the columns as they were read.
_SENT = ("name", "features", "targets", "columns", "splits", "encoder", "summary", "treated", "digest", "known")


def share(dataset: Dataset, ranks: "Ranks | None", count: int | None) -> Dataset:
    """A dataset whose rows are in the canonical parts by which sums are added up.

    Args:
        dataset: of the whole table.
        ranks: the processes that share its rows, of which each is sent its own; None, or one: all stay here.
        count: the number of parts, `train.shards`; None: one, here.

    Raises:
        RankError: if a process has no space for its rows.
    """
    if count is None:
        return replace(dataset, parts=None)
    shards = Shards(dataset.n_samples, count)
    bounds = tuple(shards.bounds.tolist())
    if ranks is None or ranks.size == 1:
        return replace(dataset, parts=PartsHere(bounds))
    columns = SharedColumns(ranks, [*(bounds[held.start] for held in shards.of_ranks(ranks.size)), bounds[-1]])
    parts = PartsOfDatasets(ranks, ranks.next_number(), bounds, columns)
    shared = replace(dataset, parts=parts)
    parts.share(shared, parts.number)
    return shared


@dataclass(frozen=True, eq=False)
class PartsOfDatasets(PartsOfRanks):
    """As rank 0, the parts of a dataset, and of others that are made of its columns, such as those of other splits.

    Attributes:
        columns: those that were sent.
        shared: what datasets consist of that every process has, and their numbers: the first, and the latest of others.
    """

    columns: SharedColumns
    shared: list[tuple[tuple[Any, ...], int]] = field(default_factory=list)

    def number_of(self, rows: Dataset) -> int:
        """The number of a dataset; the others are sent what they do not have of it.

        Raises:
            RankError: if a process has no space for it.
        """
        own = _contents(rows)
        for contents, number in self.shared:
            if all(one is other for one, other in zip(contents, own, strict=True)):
                return number
        number = self.ranks.next_number()
        self.share(rows, number)
        return number

    def share(self, dataset: Dataset, number: int) -> None:
        """Let every process have its rows of a dataset.

        Raises:
            RankError: if a process has no space for it.
        """
        self.columns.send(dataset.columns_read, list(dataset.splits.values()))
        raw = None if dataset.raw is None else {name: _without_cell(each) for name, each in dataset.raw.items()}
        sent = {name: getattr(dataset, name) for name in _SENT}
        content = _written({**sent, "raw": raw, "clusters": dataset.clusters, "weights": dataset.weights}, self.columns)
        self.ranks.everywhere(_hold, number, content, self.bounds)
        self.shared.append((_contents(dataset), number))
        dropped = self.shared[1:-1]  # such as the folds before this one
        del self.shared[1:-1]
        kept = {id(rows) for contents, _ in self.shared for rows in contents[1].values()}
        self.columns.forget(rows for contents, _ in dropped for rows in contents[1].values() if id(rows) not in kept)


def _contents(dataset: Dataset) -> tuple[Any, ...]:
    """What makes a dataset another one for the passes over its rows."""
    own = dataset.columns, dataset.splits, dataset.encoder, dataset.raw, dataset.clusters, dataset.weights
    return (*own, dataset.features, dataset.targets, dataset.known)


def _without_cell(raw: RawColumn) -> RawColumn:
    """A column without the cells of the table, which messages of rank 0 show; what was counted is forgotten, too."""
    return Numbers(raw.values) if isinstance(raw, Numbers) else Categories(raw.kind, raw.codes, raw.levels)


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, columns: SharedColumns) -> None:
        super().__init__(file, protocol=5)
        self._columns = columns

    def persistent_id(self, each: Any) -> int | None:
        """The number of a column that was sent; None: the object is written as it is."""
        return self._columns.number(each)


def _written(content: object, columns: SharedColumns) -> bytes:
    out = io.BytesIO()
    _Writer(out, columns).dump(content)
    return out.getvalue()


def _hold(ranks: "Ranks", number: int, content: bytes, bounds: Sequence[int]) -> None:
    """In each process, hold a dataset of its rows."""
    held = Shards(bounds[-1], len(bounds) - 1).of_ranks(ranks.size)[ranks.rank]
    first = bounds[held.start]
    here = PartsHere(tuple(bound - first for bound in bounds[held.start : held.stop + 1]))
    ranks.held[number] = Dataset(**read(content, ranks.held), parts=here, before=first)

"""What the files of a run say, each of them read once."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from linreg_cli.errors import StoreError
from linreg_cli.runs.config import config_of
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.config import Config, LoadedConfig

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class RunContents(RunFolder):
    """A run to look at: each file is read when it is first asked for, and kept as what it holds.

    So pictures and pages that are made of one `RunContents` show one state of the run. What is returned is shared and
    not to be changed. A file that is missing or damaged raises its StoreError each time it is asked for.
    """

    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, run: RunFolder) -> "RunContents":
        """The contents of a run; those that are given stay the same object."""
        return run if isinstance(run, RunContents) else cls(run.path)

    def record(self) -> dict[str, Any]:
        """As `RunFolder.record`."""
        return self._once("record", super().record)

    def read_json(self, name: str) -> dict[str, Any]:
        """As `RunFolder.read_json`."""
        read = super().read_json
        return self._once(name, lambda: read(name))

    def table(self, name: str, *, text: tuple[str, ...] = ()) -> "pa.Table":
        """A CSV file of the run: float64 in every column but those of `text`.

        Raises:
            StoreError: if it is missing or damaged.
        """
        return self._once(name, lambda: _table(self, name, text))

    @property
    def config(self) -> "Config":
        """The config that it was trained with.

        Raises:
            StoreError: if `config.yaml` is missing or damaged; so does `config_text`.
        """
        return self._loaded().config

    @property
    def config_text(self) -> str:
        """The same, as it is written."""
        return "\n".join(self._loaded().tree.origin.source.lines)

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of `metrics.json`; None for a run that has not come to that.

        Raises:
            StoreError: if it is damaged, or missing from a run that has finished.
        """
        written = self.record()["status"] == "finished" or (self.path / "metrics.json").is_file()
        return self.read_json("metrics.json") if written else None

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        targets: list[str] = self.record()["data"]["targets"]
        return targets

    @property
    def splits(self) -> dict[str, Any]:
        """The metrics of the splits that have rows."""
        from linreg_cli.data.dataset import SPLITS  # imports pyarrow, which a comparison of configs needs not

        return {split: values for split in SPLITS if (values := (self.metrics or {}).get(split)) is not None}

    def _loaded(self) -> "LoadedConfig":
        return self._once("config.yaml", lambda: config_of(self))

    def _once(self, name: str, read: Callable[[], _Read]) -> _Read:
        if name not in self._held:
            try:
                self._held[name] = read()
            except StoreError as error:
                self._held[name] = error
        held = self._held[name]
        if isinstance(held, StoreError):
            raise StoreError(held.faults)
        found: _Read = held
        return found


def _table(run: RunFolder, name: str, text: tuple[str, ...]) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.csv as pcsv

    content = run.read(name)
    try:
        names = pcsv.open_csv(io.BytesIO(content), pcsv.ReadOptions(use_threads=False)).schema.names
        types = {column: pa.string() if column in text else pa.float64() for column in names}
        return pcsv.read_csv(io.BytesIO(content), convert_options=pcsv.ConvertOptions(column_types=types))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise run.damaged(name, str(error).splitlines()[0]) from None

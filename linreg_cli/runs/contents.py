"""The contents of a run folder, each file read once."""

import io
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from linreg_cli.addresses import without_secrets
from linreg_cli.errors import StoreError
from linreg_cli.runs.config import config_of
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.config import Config, LoadedConfig

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class RunContents(RunFolder):
    """A run folder whose files are read on first access and cached.

    Figures and reports made from one `RunContents` therefore show one state of the run. The values returned are
    shared and must not be changed. A missing or damaged file raises its StoreError on every access.

    Attributes:
        path: the folder.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     run = RunContents(Path(folder))
    ...     _ = run.write("metrics.json", '{"seed": 1}')
    ...     first = run.read_json("metrics.json")
    ...     _ = run.write("metrics.json", '{"seed": 2}')  # not seen any more
    ...     run.read_json("metrics.json") is first
    True
    """

    _cache: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, run: RunFolder) -> "RunContents":
        """The contents of a run; a `RunContents` is returned as it is."""
        return run if isinstance(run, RunContents) else cls(run.path)

    def record(self) -> dict[str, Any]:
        """As `RunFolder.record`, cached."""
        return self._once("record", super().record)

    def read(self, name: str) -> bytes:
        """As `RunFolder.read`; tensors, whose digest is compared before they are used, are cached."""
        read = super().read
        return self._once(("bytes", name), lambda: read(name)) if name.endswith(".safetensors") else read(name)

    def read_json(self, name: str) -> dict[str, Any]:
        """As `RunFolder.read_json`, cached."""
        read = super().read_json
        return self._once(name, lambda: read(name))

    def table(self, name: str, *, text: tuple[str, ...] = ()) -> "pa.Table":
        """A CSV file of the run.

        Args:
            name: of the file.
            text: columns of strings; all others are float64.

        Raises:
            StoreError: if it is missing or damaged.
        """
        return self._once((name, text), lambda: _table(self, name, text))

    @property
    def config(self) -> "Config":
        """The resolved config that the run was trained with.

        Raises:
            StoreError: if `config.yaml` is missing or damaged.
        """
        return self._loaded().config

    @property
    def config_text(self) -> str:
        """The text of `config.yaml`, without the secrets of addresses; raises as `config` does."""
        return without_secrets("\n".join(self._loaded().tree.origin.source.lines))

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of `metrics.json`; None for a run that has not been evaluated.

        Raises:
            StoreError: if it is damaged, or missing from a run that has finished.
        """
        written = self.record()["status"] == "finished" or self.has("metrics.json")
        return self.read_json("metrics.json") if written else None

    @property
    def targets(self) -> list[str]:
        """The names of the targets."""
        targets: list[str] = self.record()["data"]["targets"]
        return targets

    @property
    def splits(self) -> dict[str, Any]:
        """The metrics of the splits that have rows."""
        from linreg_cli.data.dataset import SPLITS  # imports pyarrow, which a comparison of configs does not need

        return {split: values for split in SPLITS if (values := (self.metrics or {}).get(split)) is not None}

    def _loaded(self) -> "LoadedConfig":
        return self._once("config.yaml", lambda: config_of(self))

    def _once(self, name: Hashable, read: Callable[[], _Read]) -> _Read:
        if name not in self._cache:
            try:
                self._cache[name] = read()
            except StoreError as error:
                self._cache[name] = error
        cached = self._cache[name]
        if isinstance(cached, StoreError):
            raise StoreError(cached.faults)
        value: _Read = cached
        return value


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

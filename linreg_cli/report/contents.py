"""The files of a run that every report needs, without what may not leave the machine."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linreg_cli.errors import StoreError
from linreg_cli.figures.epochs import loss_curve
from linreg_cli.report.private import is_absolute, paths_in, values_without_folders, without_folders
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from linreg_cli.figures.loss import LossCurve


@dataclass(frozen=True)
class Shareable(RunContents):
    """The contents of a run in which folders of the machine and secrets of addresses are left out of every text."""

    def record(self) -> dict[str, Any]:
        """As `RunContents.record`."""
        read = super().record
        return self._once("shareable", lambda: values_without_folders(read(), self._paths()))

    @property
    def config_text(self) -> str:
        """As `RunContents.config_text`."""
        return without_folders(super().config_text, self._paths())

    def shareable(self, text: str) -> str:
        """A text about the run, without folders and secrets."""
        return without_folders(text, self._paths())

    def _paths(self) -> list[str]:
        """The absolute paths that the run is known to be made from: of its commands and of its table."""
        plain = RunContents(self.path)  # an error of the config asks for the record
        object.__setattr__(plain, "_cache", self._cache)
        record = plain.record()
        resumed = [each.get("command") for each in record.get("resumed") or [] if isinstance(each, dict)]
        name = str((record.get("data") or {}).get("name"))
        found = [name] if is_absolute(name) else []
        found += [path for given in (record.get("command"), *resumed) if given for path in paths_in(str(given))]
        with contextlib.suppress(StoreError):
            path = getattr(plain.config.data, "path", None)
            found += [path] if path and is_absolute(path) else []
        return found


def contents_of(run: RunFolder) -> Shareable:
    """The contents of a run, with `run.json`, `config.yaml` and `metrics.json` read.

    Raises:
        StoreError: if `run.json`, `config.yaml` or `metrics.json` is damaged, or missing from a run that has finished.
    """
    contents = Shareable(run.path)
    _ = contents.record(), contents.config, contents.metrics
    return contents


def curve_of(run: RunContents) -> "LossCurve | None":
    """The loss after each epoch; None if `history.csv` is missing or damaged, which `results.pictures` reports."""
    with contextlib.suppress(StoreError):
        return loss_curve(run)
    return None

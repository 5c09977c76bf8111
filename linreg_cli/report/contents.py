"""What the files of a run say, read once."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linreg_cli.data import SPLITS
from linreg_cli.errors import StoreError
from linreg_cli.figures.of_run import loss_curve
from linreg_cli.runs.config import config_of
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from linreg_cli.config import Config
    from linreg_cli.evaluation.metrics import Metrics
    from linreg_cli.figures.loss import LossCurve


@dataclass(frozen=True)
class RunContents:
    """A run as its files have it.

    Attributes:
        run: its folder.
        record: `run.json`.
        config: `config.yaml`.
        config_text: the same, as it is written.
        metrics: `metrics.json`; None for a run that has not come to that.
        curve: `history.csv`; None if it is not there or damaged, which the picture of it tells.
    """

    run: RunFolder
    record: dict[str, Any]
    config: "Config"
    config_text: str
    metrics: "Metrics | None"
    curve: "LossCurve | None"

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        targets: list[str] = self.record["data"]["targets"]
        return targets

    @property
    def splits(self) -> "dict[str, Metrics]":
        """The metrics of the splits that have rows."""
        return {split: values for split in SPLITS if (values := (self.metrics or {}).get(split)) is not None}


def contents_of(run: RunFolder) -> RunContents:
    """Read a run.

    Raises:
        StoreError: if `run.json`, `config.yaml` or `metrics.json` is damaged, or missing from a run that has finished.
    """
    record, config = run.record(), config_of(run).config
    metrics = None
    if record["status"] == "finished" or (run.path / "metrics.json").is_file():
        metrics = run.read_json("metrics.json")
    curve = None
    with contextlib.suppress(StoreError):
        curve = loss_curve(run)
    return RunContents(run, record, config, run.read("config.yaml").decode("utf-8", "replace"), metrics, curve)

"""The files of a run that every report needs."""

import contextlib
from typing import TYPE_CHECKING

from linreg_cli.errors import StoreError
from linreg_cli.figures.epochs import loss_curve
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from linreg_cli.figures.loss import LossCurve


def contents_of(run: RunFolder) -> RunContents:
    """The contents of a run, with `run.json`, `config.yaml` and `metrics.json` read.

    Raises:
        StoreError: if `run.json`, `config.yaml` or `metrics.json` is damaged, or missing from a run that has finished.
    """
    contents = RunContents.of(run)
    _ = contents.record(), contents.config, contents.metrics
    return contents


def curve_of(run: RunContents) -> "LossCurve | None":
    """The loss after each epoch; None if `history.csv` is missing or damaged, which `results.pictures` reports."""
    with contextlib.suppress(StoreError):
        return loss_curve(run)
    return None

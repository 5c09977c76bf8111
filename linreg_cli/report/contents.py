"""What a page needs of a run before any of it is written."""

import contextlib
from typing import TYPE_CHECKING

from linreg_cli.errors import StoreError
from linreg_cli.figures.of_run import loss_curve
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from linreg_cli.figures.loss import LossCurve


def contents_of(run: RunFolder) -> RunContents:
    """A run, with the files that every page is made of.

    Raises:
        StoreError: if `run.json`, `config.yaml` or `metrics.json` is damaged, or missing from a run that has finished.
    """
    contents = RunContents.of(run)
    _ = contents.record(), contents.config, contents.metrics
    return contents


def curve_of(run: RunContents) -> "LossCurve | None":
    """The loss after each epoch; None if `history.csv` is missing or damaged, which the picture of it tells."""
    with contextlib.suppress(StoreError):
        return loss_curve(run)
    return None

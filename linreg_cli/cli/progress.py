"""Progress: a bar on a terminal, and nothing elsewhere."""

import sys
import time
from typing import TYPE_CHECKING, Any

from linreg_cli import wording
from linreg_cli.cli import output
from linreg_cli.findings import Finding, shown

if TYPE_CHECKING:
    from linreg_cli.data.summary import DataSummary
    from linreg_cli.optim.fit import Event
    from linreg_cli.optim.plan import StepPlan


class Progress:
    """A `pipeline.prepare.Reporter` that writes to stderr, with a progress bar on a terminal.

    Args:
        quiet: print nothing, not even warnings.
        as_json: do not print the summary of the data, which is in the JSON object on stdout.
        verbose: also print what was chosen and why, the summary of the data, and the seconds of each stage.
    """

    def __init__(self, *, quiet: bool, as_json: bool = False, verbose: bool = False) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._shows_data = verbose or not (quiet or as_json)
        self._stage: tuple[str, float] | None = None
        self._bar: Any = None
        self._task: Any = None
        self._shown = -1.0
        self._loss = float("nan")
        self._plan: StepPlan | None = None
        if sys.stderr.isatty() and not quiet:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[text]}"),
                TimeRemainingColumn(compact=True),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, text="")
            self._bar.start()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.done()

    def stage(self, text: str) -> None:
        """See `Reporter`."""
        self._enter(text)
        if self._bar is not None:
            self._bar.update(self._task, description=text, total=None, text="")

    def detail(self, text: str) -> None:
        """See `Reporter`."""
        if self._verbose:
            output.tell(wording.one_line(text))

    def warn(self, finding: Finding) -> None:
        """See `Reporter`."""
        self._warn(finding.message)

    def _warn(self, text: str) -> None:
        if not self._quiet:
            output.warn(text)

    def data(self, summary: "DataSummary") -> None:
        """See `Reporter`. For a table of numbers without missing cells, print only on a terminal."""
        from linreg_cli.cli.data_table import data_table

        if not self._shows_data:
            return
        if self._verbose or self._bar is not None or not summary.is_plain:
            output.tell(data_table(summary))
        for text in shown([finding.message for finding in summary.warnings]):
            self._warn(text)

    def training(self, plan: "StepPlan") -> None:
        """See `Reporter`."""
        self._enter("training")
        self._plan, self._begun = plan, time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, description="training", total=plan.total_steps)

    def event(self, event: "Event") -> None:
        """See `Reporter`."""
        from linreg_cli.optim.fit import Evaluated, SegmentDone

        elapsed = time.monotonic() - self._begun
        if isinstance(event, Evaluated):
            self._loss = event.train_loss
        if self._bar is None or not isinstance(event, Evaluated | SegmentDone) or elapsed - self._shown < 0.05:
            return
        self._shown = elapsed
        assert self._plan is not None
        text = f"epoch {event.epoch}/{self._plan.epochs}  train loss {self._loss:.6g}  lr {event.lr:g}"
        if elapsed > 0.2:
            text += f"  {event.step / elapsed:,.0f} steps/s"
        self._bar.update(self._task, completed=event.step, text=text)

    def rows(self, written: int, total: int) -> None:
        """Show how many rows of a table are written."""
        if self._bar is not None:
            self._bar.update(
                self._task,
                description="writing",
                total=total,
                completed=written,
                text=f"{written:,} of {total:,} rows",
            )

    def done(self) -> None:
        """See `Reporter`."""
        self._enter(None)
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _enter(self, stage: str | None) -> None:
        """End the current stage and begin another; None: begin none."""
        now = time.monotonic()
        if self._stage is not None:
            name, begun = self._stage
            self.detail(f"{name}: {now - begun:.2f} s")
        self._stage = None if stage is None else (stage, now)

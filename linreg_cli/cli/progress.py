"""Progress on stderr: a bar on a terminal, lines elsewhere."""

import math
import sys
import time
from typing import TYPE_CHECKING

from linreg_cli import wording
from linreg_cli.cli import output
from linreg_cli.findings import Finding, shown

if TYPE_CHECKING:
    from linreg_cli.cli.bar import Bar
    from linreg_cli.data.summary import DataSummary
    from linreg_cli.optim.fit import Evaluated, Event
    from linreg_cli.optim.plan import StepPlan

#: Seconds between two lines, between two states of the bar, and before a time left is estimated.
LINE_SECONDS, BAR_SECONDS, FIRST_SECONDS = 10.0, 0.05, 0.5
#: A run of at most so many epochs has a line for each; a longer one about half as many lines.
EACH_EPOCH = 20


class Progress:
    """A `pipeline.prepared.Reporter` that writes to stderr: a bar on a terminal, and lines of training elsewhere.

    Args:
        as_json: do not print the summary of the data, which is in the JSON object on stdout, nor the lines.
        verbose: also print what was chosen and why, the summary of the data, the seconds of each stage, and the lines
            of training on a terminal, too.
    """

    def __init__(self, *, as_json: bool = False, verbose: bool = False) -> None:
        quiet = output.is_quiet()
        self._verbose = verbose
        self._shows_data = verbose or not (quiet or as_json)
        self._stage: tuple[str, float] | None = None
        self._bar: Bar | None = None
        self._training: _Training | None = None
        if not quiet and output.moves_cursor(sys.stderr):
            from linreg_cli.cli import bar

            self._bar = bar.Bar()
        self._lines = verbose or not (quiet or as_json or self._bar is not None)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.done()

    def stage(self, text: str) -> None:
        """See `Reporter`."""
        self._enter(text)
        if self._bar is not None:
            self._bar.show(text)

    def detail(self, text: str) -> None:
        """See `Reporter`."""
        if self._verbose:
            output.tell(wording.one_line(text))

    def warn(self, finding: Finding) -> None:
        """See `Reporter`."""
        output.warn_of(finding)

    def data(self, summary: "DataSummary") -> None:
        """See `Reporter`. For a table of numbers without missing cells, print only on a terminal."""
        from linreg_cli.cli.data_table import data_table

        if not self._shows_data:
            return
        if self._verbose or self._bar is not None or not summary.is_plain:
            output.tell(data_table(summary))
        for text in shown([finding.message for finding in summary.warnings]):
            output.warn(text)

    def training(self, plan: "StepPlan", run: str) -> None:
        """See `Reporter`."""
        self._enter("training")
        self._training = _Training(plan, run)
        if self._bar is not None:
            self._bar.show("training", total=plan.total_steps)

    def event(self, event: "Event") -> None:
        """See `Reporter`."""
        from linreg_cli.optim.fit import Evaluated, SegmentDone

        training, now = self._training, time.monotonic()
        assert training is not None
        if not isinstance(event, Evaluated | SegmentDone):
            return
        first = not training.begun
        if self._lines and training.held:
            output.tell(training.held)
        training.see(event.epoch, event.step, event.lr, event if isinstance(event, Evaluated) else None)
        due = isinstance(event, Evaluated) and event.epoch % training.every == 0
        training.held = ""
        if self._lines and (due or now - training.line_at >= LINE_SECONDS):
            training.line_at, line = now, training.line(now)
            if first:
                output.tell(line)
            else:
                training.held = line
        if self._bar is not None and now - training.bar_at >= BAR_SECONDS:
            training.bar_at = now
            parts, left = training.parts(now), training.left(now)
            self._bar.show("training", parts, last=left, done=event.step, total=training.plan.total_steps)

    def rows(self, written: int, total: int) -> None:
        """Show how many rows of a table are written."""
        if self._bar is not None:
            self._bar.show("writing", [f"{written:,} of {total:,} rows"], done=written, total=total)

    def done(self) -> None:
        """See `Reporter`."""
        self._enter(None)
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _enter(self, stage: str | None) -> None:
        """End the current stage and begin another; None: begin none."""
        now = time.monotonic()
        if self._training is not None:
            if self._lines and self._training.begun:
                output.tell(self._training.line(now, ended=True))
            self._training = None
        if self._stage is not None:
            name, begun = self._stage
            self.detail(f"{name}: {wording.duration(now - begun)}")
        self._stage = None if stage is None else (stage, now)


class _Training:
    """What is known of a training in progress.

    Args:
        plan: its steps.
        run: the id of the run.

    Attributes:
        every: the epochs between two lines.
        begun: whether there was an event.
        line_at: when the last line was made, in seconds.
        held: that line until the next event: if there is none, the last line says the same, with the time it took.
        bar_at: when the bar was last drawn, in seconds.
    """

    def __init__(self, plan: "StepPlan", run: str) -> None:
        self.plan, self._run, self.every = plan, run, between_lines(plan.epochs)
        self.begun, self.line_at, self.bar_at, self.held = False, -math.inf, -math.inf, ""
        self._at, self._first, self._step = time.monotonic(), 0, 0
        self._epoch, self._lr = 0, math.nan
        self._result: Evaluated | None = None

    def see(self, epoch: int, step: int, lr: float, result: "Evaluated | None") -> None:
        """Take in an event; a step is timed from the first one on, which a resumed run has not at zero."""
        if not self.begun:
            self.begun, self._first = True, step
        self._epoch, self._step, self._lr = epoch, step, lr
        self._result = result or self._result

    def parts(self, now: float) -> list[str]:
        """What the bar shows, the most important first."""
        rate = self._rate(now)
        return [*self._known(), *([f"{rate:,.0f} steps/s"] if rate else [])]

    def line(self, now: float, *, ended: bool = False) -> str:
        """A line of its own; at the end with the time that it took in place of the time left."""
        last = f"in {wording.duration(now - self._at)}" if ended else self.left(now)
        return wording.one_line(f"{self._run}: {'  '.join([*self._known(), *([last] if last else [])])}")

    def left(self, now: float) -> str:
        """The time that the remaining steps will take, or an empty text as long as it is not known."""
        rate = self._rate(now)
        return f"{in_units((self.plan.total_steps - self._step) / rate)} left" if rate else ""

    def _known(self) -> list[str]:
        known, result = [f"epoch {self._epoch:,}/{self.plan.epochs:,}"], self._result
        if result is not None:
            known += [f"loss {wording.number(result.train_loss)}"]
            gap = result.distance.gap if result.distance is not None else None
            known += [] if gap is None else [f"gap {wording.gap(gap)}"]
        return [*known, f"lr {wording.number(self._lr, 4)}"]

    def _rate(self, now: float) -> float:
        """Steps in a second so far; zero as long as that says nothing."""
        seconds = now - self._at
        return (self._step - self._first) / seconds if seconds > FIRST_SECONDS else 0.0


def between_lines(epochs: int) -> int:
    """The epochs between two lines of a run: 1, 2, 5, 10, 20, 50, ...

    >>> [between_lines(epochs) for epochs in (3, 20, 50, 100, 1_000, 120_000)]
    [1, 1, 5, 10, 100, 10000]
    """
    if epochs <= EACH_EPOCH:
        return 1
    unit: int = 10 ** (len(str(epochs)) - 2)
    return next(times * unit for times in (1, 2, 5, 10) if times * unit * 12 >= epochs)


def in_units(seconds: float) -> str:
    """A time that is still to come, in its two largest units, rounded up.

    >>> in_units(0.2), in_units(59.5), in_units(200), in_units(7500), in_units(100_000)
    ('1 s', '1 min', '3 min 20 s', '2 h 5 min', '1 d 4 h')
    """
    rest = math.ceil(seconds)
    for size, unit, smaller_size, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if rest >= size:
            whole, more = divmod(math.ceil(rest / smaller_size) * smaller_size, size)
            return f"{whole} {unit}" + (f" {more // smaller_size} {smaller}" if more else "")
    return f"{rest} s"

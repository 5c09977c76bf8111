"""The training loop: runs a plan in segments and yields events. It has no access to files, terminal or run folders."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

from linreg_cli.optim.engines.select import Executor
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import Snapshot, TrainingState
from linreg_cli.optim.stopping import Distance, EarlyStopping
from linreg_cli.wording import number

#: The duration of a segment to aim for: short enough to show progress and to answer a request to stop.
SEGMENT_SECONDS = 0.1


@dataclass(frozen=True)
class Evaluated:
    """The evaluation after an epoch; with epoch 0, the one before the first step.

    Attributes:
        epoch: epochs done.
        step: steps done.
        lr: learning rate of this epoch; for epoch 0, of the first epoch.
        train_loss: over the whole train split, in scaled units.
        validation_loss: over the validation split, in scaled units; None without one.
        seconds: training time so far, in seconds.
        distance: to the exact optimum; None where that is not known.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None
    seconds: float
    distance: Distance | None = None


@dataclass(frozen=True)
class SegmentDone:
    """Some steps within an epoch are done.

    Attributes:
        epoch: the epoch in progress, from 0.
        step: steps done.
        lr: learning rate of the epoch.
        loss: of the last batch, before its update, in scaled units.
        seconds: training time so far, in seconds.
    """

    epoch: int
    step: int
    lr: float
    loss: float
    seconds: float = 0.0


@dataclass(frozen=True)
class Stopped:
    """Training was stopped early, by early stopping or by a certified gap.

    Attributes:
        epoch: epochs done.
        reason: why, in words.
    """

    epoch: int
    reason: str


@dataclass(frozen=True)
class Diverged:
    """A loss was not finite. The state is reset to the last one with a finite loss over the train split.

    Attributes:
        step: number, from 1, of the step that could not be taken or whose update made the loss infinite; 0 if the
            loss is not finite before the first step.
        epoch: the epoch of this step, from 1.
        loss: infinite or NaN.
        lr: learning rate of this epoch.
        finite_step: steps done in the state that is kept.
        finite_loss: its loss over the whole train split, in scaled units.
    """

    step: int
    epoch: int
    loss: float
    lr: float
    finite_step: int
    finite_loss: float


Event = Evaluated | SegmentDone | Stopped | Diverged


def fit(
    plan: StepPlan,
    executor: Executor,
    state: TrainingState,
    *,
    validation_loss: Callable[[TrainingState], float] | None = None,
    stopping: EarlyStopping | None = None,
    monitor: str = "train.loss",
    distance: Callable[[TrainingState, float], Distance | None] | None = None,
    stop_gap: float | None = None,
    resumed: bool = False,
    seconds: float = 0.0,
) -> Iterator[Event]:
    """Train from `state.step` to the end of the plan, or until stopped or diverged.

    Args:
        plan: the steps.
        executor: runs them.
        state: updated in place; consistent whenever an event is yielded.
        validation_loss: state -> loss of the validation split; None without one.
        stopping: early stopping; None: off.
        monitor: the loss that it monitors, `train.loss` or `validation.loss`.
        distance: (state, its train loss) -> distance to the optimum; None where that is not known.
        stop_gap: stop, even before the first step, once the gap is certified to be below this.
        resumed: whether `state.step` is where an earlier call stopped, possibly within an epoch; evaluations that it
            made are not repeated. Otherwise `state.step` is the beginning of an epoch.
        seconds: training time of earlier calls, in seconds.

    Yields:
        `Evaluated` before the first step (unless `resumed`) and after each epoch, `SegmentDone` within epochs, and at
        most one `Stopped` or `Diverged`, which is then the last event.
    """
    clock = _Clock(seconds)
    (epoch, batch), length = plan.locate(state.step), 1

    def evaluate(epoch: int, lr: float) -> Evaluated:
        train = executor.train_loss(plan, state)
        validation = validation_loss(state) if validation_loss is not None else None
        seconds = clock.seconds()
        away = distance(state, train) if distance is not None and math.isfinite(train) else None
        return Evaluated(epoch, state.step, lr, train, validation, seconds, away)

    def near(result: Evaluated) -> str | None:
        return result.distance.within(stop_gap) if stop_gap is not None and result.distance is not None else None

    safe = state.snapshot()
    if resumed and batch == 0 and epoch < plan.epochs and _exhausted(stopping, epoch):
        yield _stopped(stopping, epoch, monitor)
        return
    if not resumed:
        result = evaluate(epoch, plan.learning_rate(epoch))
        yield from clock.paused(result)
        if not math.isfinite(result.train_loss):
            yield Diverged(state.step, epoch + 1, result.train_loss, result.lr, state.step, result.train_loss)
            return
        if epoch < plan.epochs and (reason := near(result)):
            yield Stopped(epoch, reason)
            return
    while epoch < plan.epochs:
        lr, end = plan.learning_rate(epoch), (epoch + 1) * plan.steps_per_epoch
        while state.step < end:
            begun = time.perf_counter()
            losses = executor.run(plan, state, state.step, min(state.step + length, end))
            if not math.isfinite(losses[-1]):
                yield _back_to_finite(plan, executor, state, safe, state.step + 1, float(losses[-1]), lr)
                return
            # Doubling and halving keeps a segment near SEGMENT_SECONDS. The results do not depend on its length.
            brief = time.perf_counter() - begun < SEGMENT_SECONDS
            length = min(2 * length, plan.total_steps) if brief else max(length // 2, 1)
            if state.step < end:
                yield from clock.paused(SegmentDone(epoch, state.step, lr, float(losses[-1]), clock.seconds()))
        epoch += 1
        result = evaluate(epoch, lr)
        if not math.isfinite(result.train_loss):
            yield _back_to_finite(plan, executor, state, safe, state.step, result.train_loss, lr)
            return
        safe = state.snapshot()
        watched = result.validation_loss if monitor == "validation.loss" else result.train_loss
        if stopping is not None and watched is not None:
            stopping.update(epoch, watched)  # before the event, since its consumer may save a checkpoint
            if stopping.keeps_best and stopping.best_epoch == epoch:
                stopping.kept = safe.parameters
        yield from clock.paused(result)
        if epoch < plan.epochs and (reason := near(result)):
            yield Stopped(epoch, reason)
            return
        if epoch < plan.epochs and _exhausted(stopping, epoch):
            yield _stopped(stopping, epoch, monitor)
            return


def _exhausted(stopping: EarlyStopping | None, epoch: int) -> TypeGuard[EarlyStopping]:
    return stopping is not None and stopping.exhausted(epoch)


def _stopped(stopping: EarlyStopping, epoch: int, monitor: str) -> Stopped:
    best = f"its best was {number(stopping.best)} in epoch {stopping.best_epoch}"
    return Stopped(epoch, f"{monitor} has not fallen for {stopping.patience} epochs; {best}")


def _back_to_finite(
    plan: StepPlan,
    executor: Executor,
    state: TrainingState,
    safe: Snapshot,
    step: int,
    loss: float,
    lr: float,
) -> Diverged:
    """Find the last state with a finite loss by replaying steps from the last snapshot, which is deterministic."""

    def replay(stop: int) -> float:
        state.restore(safe)
        if stop > safe.step:
            executor.run(plan, state, safe.step, stop)
        return executor.train_loss(plan, state)

    # Nearly always the last step made the loss infinite, so the state before it is tried first. The loss of a batch may
    # be finite where that of the split is not; then bisection between `finite` and `not_finite` finds the step.
    finite, not_finite = safe.step, max(state.step, safe.step + 1)
    middle = not_finite - 1
    finite_loss = replay(middle)
    while not (math.isfinite(finite_loss) and middle + 1 == not_finite) and middle > safe.step:
        finite, not_finite = (middle, not_finite) if math.isfinite(finite_loss) else (finite, middle)
        middle = (finite + not_finite) // 2
        finite_loss = replay(middle)
    return Diverged(step, plan.locate(step - 1)[0] + 1, loss, lr, state.step, finite_loss)


class _Clock:
    """Training time in seconds, without the time that the consumer of the events takes."""

    def __init__(self, before: float) -> None:
        self._begun, self._away = time.perf_counter() - before, 0.0

    def seconds(self) -> float:
        return time.perf_counter() - self._begun - self._away

    def paused(self, event: Event) -> Iterator[Event]:
        left = time.perf_counter()
        yield event
        self._away += time.perf_counter() - left

"""The training loop: runs a plan in segments and yields events. It has no access to files, terminal or run folders."""

import functools
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from linreg_cli.optim.batch_losses import BatchLosses
from linreg_cli.optim.engines.select import Executor
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import Snapshot, TrainingState
from linreg_cli.optim.stopping import Distance, EarlyStopping
from linreg_cli.optim.trail import Array, Chunked, Recorder, Trail
from linreg_cli.wording import number

#: The duration of a segment to aim for: short enough to show progress and to answer a request to stop.
SEGMENT_SECONDS = 0.1

#: (weights, bias, train losses) of N epochs, shaped as in `Trail` -> the distance of each from the optimum.
Distances = Callable[[Array, Array | None, Sequence[float]], Sequence[Distance | None]]


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
        parameters: in scaled units: weights, shape (n_features, n_targets), and bias, shape (n_targets,), or None.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    validation_loss: float | None
    seconds: float
    distance: Distance | None = None
    parameters: tuple[Array, Array | None] | None = field(default=None, repr=False, compare=False)


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
    distances: Distances | None = None,
    stop_gap: float | None = None,
    resumed: bool = False,
    seconds: float = 0.0,
    batches: BatchLosses | None = None,
) -> Iterator[Event]:
    """Train from `state.step` to the end of the plan, or until stopped or diverged.

    Args:
        plan: the steps.
        executor: runs them.
        state: updated in place; consistent whenever an event is yielded.
        validation_loss: state -> loss of the validation split; None without one.
        stopping: early stopping; None: off.
        monitor: the loss that it monitors, `train.loss` or `validation.loss`.
        distances: of parameters from the optimum; None where that is not known.
        stop_gap: stop, even before the first step, once the gap is certified to be below this.
        resumed: whether `state.step` is where an earlier call stopped, possibly within an epoch; evaluations that it
            made are not repeated. Otherwise `state.step` is the beginning of an epoch.
        seconds: training time of earlier calls, in seconds.
        batches: is given the losses of the batches; None: nothing is.

    Yields:
        `Evaluated` before the first step (unless `resumed`) and after each epoch, `SegmentDone` within epochs, and at
        most one `Stopped` or `Diverged`, which is then the last event.
    """
    clock, pace = _Clock(seconds), _Pace()
    epoch, batch = plan.locate(state.step)

    def evaluations(trail: Trail, first: int, rates: Sequence[float], begun: float) -> Iterator[Evaluated]:
        """Go along a trail, whose epochs are numbered from `first`, up to a train loss that is not finite."""
        count, spent = len(trail.losses), clock.seconds() - begun
        for i, (loss, lr, away) in enumerate(zip(trail.losses, rates, _away(trail, distances), strict=True)):
            step = (first + i) * plan.steps_per_epoch
            state.follow(step, functools.partial(trail.recall, i))
            validation = validation_loss(state) if validation_loss is not None else None
            taken = clock.seconds() - spent * (count - 1 - i) / count  # each epoch took its share of the trail's time
            yield Evaluated(first + i, step, lr, loss, validation, taken, away, trail.at(i))

    def early_end(epoch: int, away: Distance | None) -> Stopped | None:
        """Why training ends before its last epoch; None if it does not."""
        if epoch == plan.epochs:
            return None
        if stop_gap is not None and away is not None and (reason := away.within(stop_gap)):
            return Stopped(epoch, reason)
        return _stopped(stopping, epoch, monitor) if _exhausted(stopping, epoch) else None

    safe = state.snapshot()
    if resumed and batch == 0:  # the earlier call was stopped before it could say so
        away = None
        if stop_gap is not None:
            (away,) = _away(Trail.of(state, executor.train_loss(plan, state)), distances)
        if end := early_end(epoch, away):
            yield end
            return
    if not resumed:
        begun = clock.seconds()
        trail = Trail.of(state, executor.train_loss(plan, state))
        (result,) = evaluations(trail, epoch, [plan.learning_rate(epoch)], begun)
        yield from clock.paused(result)
        if not math.isfinite(result.train_loss):
            yield Diverged(state.step, epoch + 1, result.train_loss, result.lr, state.step, result.train_loss)
            return
        if end := early_end(epoch, result.distance):
            yield end
            return
    while epoch < plan.epochs:
        begun = clock.seconds()
        trail = yield from _next(plan, executor, state, pace, clock, batches)
        if trail.refused is not None and not trail.losses:
            lr = plan.learning_rate(epoch)
            yield _back_to_finite(plan, executor, state, safe, state.step + 1, trail.refused, lr)
            return
        rates = [plan.learning_rate(epoch + i) for i in range(len(trail.losses))]
        for i, result in enumerate(evaluations(trail, epoch + 1, rates, begun)):
            if not math.isfinite(result.train_loss):
                if i:
                    state.follow(result.step - plan.steps_per_epoch, functools.partial(trail.recall, i - 1))
                    safe = state.snapshot()
                yield _back_to_finite(plan, executor, state, safe, result.step, result.train_loss, result.lr)
                return
            _update(stopping, result, monitor, state)  # before the event, since its consumer may save a checkpoint
            yield from clock.paused(result)
            if end := early_end(result.epoch, result.distance):
                yield end
                return
        epoch, safe = result.epoch, state.snapshot()


def _next(
    plan: StepPlan,
    executor: Executor,
    state: TrainingState,
    pace: "_Pace",
    clock: "_Clock",
    batches: BatchLosses | None,
) -> Generator[Event, None, Trail]:
    """Take the steps of the next epoch, or where an epoch is a step of an executor that records, of some epochs."""
    if plan.steps_per_epoch == 1 and isinstance(executor, Recorder):
        begun = time.perf_counter()
        trail = executor.run_epochs(plan, state, state.step, min(state.step + pace.length, plan.total_steps))
        pace.adapt(begun, plan.total_steps)
        return trail
    epoch, _ = plan.locate(state.step)
    first, lr = epoch * plan.steps_per_epoch, plan.learning_rate(epoch)
    end, chunk = first + plan.steps_per_epoch, executor.chunk_steps(plan) if isinstance(executor, Chunked) else 1
    while state.step < end:
        begun = time.perf_counter()
        chunks = math.ceil((state.step + pace.length - first) / chunk)
        start = state.step
        losses = executor.run(plan, state, start, min(first + chunks * chunk, end))
        if batches is not None:
            batches.add(start, np.asarray(losses.cpu(), dtype=np.float64))
        if not math.isfinite(losses[-1]):
            return Trail([], np.empty((0, 0, 0)), None, refused=float(losses[-1]))
        pace.adapt(begun, plan.total_steps)
        if state.step < end:
            yield from clock.paused(SegmentDone(epoch, state.step, lr, float(losses[-1]), clock.seconds()))
    return Trail.of(state, executor.train_loss(plan, state))


def _away(trail: Trail, distances: Distances | None) -> Sequence[Distance | None]:
    """The distance of each epoch from the optimum; None from the first train loss on that is not finite."""
    count = len(trail.losses)
    finite = next((i for i, loss in enumerate(trail.losses) if not math.isfinite(loss)), count)
    if distances is None or not finite:
        return [None] * count
    bias = None if trail.bias is None else trail.bias[:finite]
    return [*distances(trail.weights[:finite], bias, trail.losses[:finite]), *([None] * (count - finite))]


def _update(stopping: EarlyStopping | None, result: Evaluated, monitor: str, state: TrainingState) -> None:
    watched = result.validation_loss if monitor == "validation.loss" else result.train_loss
    if stopping is not None and watched is not None:
        stopping.update(result.epoch, watched)
        if stopping.keeps_best and stopping.best_epoch == result.epoch:
            stopping.kept = state.snapshot().parameters


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


class _Pace:
    """The steps of a segment. Doubling and halving keeps it near SEGMENT_SECONDS; results do not depend on it."""

    def __init__(self) -> None:
        self.length = 1

    def adapt(self, begun: float, most: int) -> None:
        """After a segment that was begun at a time."""
        brief = time.perf_counter() - begun < SEGMENT_SECONDS
        self.length = min(2 * self.length, most) if brief else max(self.length // 2, 1)


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

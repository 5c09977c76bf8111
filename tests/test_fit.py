"""Events, early stopping, divergence and the clock of `fit`, on the reference executor."""

import math
import time
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from linreg_cli.model import build_model, linear_layer
from linreg_cli.optim import fit as fit_module
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.statistics import StatisticsExecutor
from linreg_cli.optim.fit import Diverged, Evaluated, SegmentDone, Stopped, fit
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.optim.stopping import Distance, EarlyStopping

N_ROWS = 12


def data(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(1)
    X = torch.randn(N_ROWS, 2, generator=stream, dtype=torch.float64)
    y = (
        X @ torch.tensor([[2.0], [-3.0]], dtype=torch.float64)
        + 1
        + 0.1 * torch.randn(N_ROWS, 1, generator=stream, dtype=torch.float64)
    )
    return X.to(dtype), y.to(dtype)


def make_plan(rate: float = 0.05, **changes) -> StepPlan:
    plan = StepPlan(
        n_samples=N_ROWS,
        batch_size=4,
        epochs=5,
        shuffle=True,
        seed=0,
        loss=Loss("mse"),
        learning_rate=lambda _: rate,
    )
    return replace(plan, **changes)


def make_state(dtype: torch.dtype = torch.float64, weight: float = 0.0) -> TrainingState:
    model = build_model(2, 1, bias=True, dtype=dtype)
    torch.nn.init.constant_(linear_layer(model).weight, weight)
    torch.nn.init.zeros_(linear_layer(model).bias)
    return TrainingState(model)


def run(plan: StepPlan, state: TrainingState, dtype: torch.dtype = torch.float64, **options) -> list:
    return list(fit(plan, ReferenceExecutor(TrainRows(*data(dtype))), state, **options))


class Scripted(ReferenceExecutor):
    """Takes the real steps and says that the train loss after each epoch is the next of `losses`."""

    def __init__(self, *losses: float) -> None:
        super().__init__(TrainRows(*data()))
        self._losses = list(losses)

    def train_loss(self, plan: StepPlan, state: TrainingState) -> float:
        return self._losses.pop(0)


def test_events_come_in_order_and_say_where_training_is():
    plan, state = make_plan(learning_rate=lambda epoch: 0.05 / (epoch + 1)), make_state()
    seen = []
    for event in fit(plan, ReferenceExecutor(TrainRows(*data())), state):
        assert event.step == state.step
        if isinstance(event, Evaluated):
            assert event.train_loss == plan.loss.over(state.model, *data())
        seen.append(event)
    evaluated = [event for event in seen if isinstance(event, Evaluated)]
    assert seen[0] is evaluated[0]
    assert seen[-1] is evaluated[-1]
    assert [(event.epoch, event.step) for event in evaluated] == [(epoch, 3 * epoch) for epoch in range(6)]
    # epoch 0 carries the first rate, every other one its own
    assert [event.lr for event in evaluated] == [0.05, 0.05, 0.05 / 2, 0.05 / 3, 0.05 / 4, 0.05 / 5]
    assert all(event.validation_loss is None for event in evaluated)
    assert all(earlier.seconds <= later.seconds for earlier, later in pairwise(evaluated))
    for event in seen:
        if isinstance(event, SegmentDone):
            assert event.epoch == event.step // 3
            assert event.step % 3, "the end of an epoch is an evaluation"


def test_training_goes_on_from_the_state_it_is_given():
    whole, parted = make_state(), make_state()
    everything = run(make_plan(), whole)
    run(make_plan(epochs=2), parted)
    rest = run(make_plan(), parted)
    assert [event.epoch for event in rest if isinstance(event, Evaluated)] == [2, 3, 4, 5]
    assert rest[-1].train_loss == everything[-1].train_loss
    assert torch.equal(linear_layer(parted.model).weight, linear_layer(whole.model).weight)
    assert [type(event) for event in run(make_plan(), parted)] == [Evaluated], "nothing is left to do"


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["one step a segment", "segments that double"])
def test_the_length_of_segments_does_not_change_the_numbers(seconds, monkeypatch):
    plan = make_plan(momentum=0.9, batch_size=1)
    expected = run(plan, usual := make_state())
    monkeypatch.setattr(fit_module, "SEGMENT_SECONDS", seconds)
    found = run(plan, state := make_state())
    losses = [[event.train_loss for event in events if isinstance(event, Evaluated)] for events in (expected, found)]
    assert losses[0] == losses[1]
    assert torch.equal(linear_layer(state.model).weight, linear_layer(usual.model).weight)
    segments = sum(isinstance(event, SegmentDone) for event in found)
    # 5 epochs of 12 steps: all but the last step of each ends a segment; doubling, 1 + 2 + 4 + 5 steps in the first
    # epoch and later ones in one piece.
    assert segments == (55 if seconds == 0 else 3)


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "stops_after"),
    [
        ([9, 8, 7, 6, 5, 4], 1, 0.0, None),
        ([9, 8, 8, 7, 6, 5], 1, 0.0, 2),  # equal is no improvement
        ([9, 8, 8, 8, 7, 6], 3, 0.0, None),  # 7 comes just in time
        ([9, 8, 9, 9, 7, 6], 2, 0.0, 3),
        ([9, 8, 7.5, 7, 6.5, 6], 1, 0.5, 2),  # a fall of exactly min_delta is no improvement
        ([9, 8, 7.4, 6.8, 6.2, 5.6], 1, 0.5, None),
        ([9, 8, 7.75, 7.5, 7.25, 7], 2, 0.5, 3),  # 8 -> 7.75 -> 7.5: small falls add up to no more than 0.5
        ([1, 8, 7, 6, 5, 4], 1, 0.0, None),  # the state before training is no epoch
        ([9, 8, 7, 6, 5, 5], 1, 0.0, None),  # nothing is stopped after the last epoch
    ],
)
@pytest.mark.parametrize("monitor", ["train.loss", "validation.loss"])
def test_early_stopping(losses, patience, min_delta, stops_after, monitor):
    other = [float(100 - step) for step in range(len(losses))]
    watched = [float(loss) for loss in losses]
    train, validation = (watched, other) if monitor == "train.loss" else (other, watched)
    validation = list(validation)
    state = make_state()
    events = list(
        fit(
            make_plan(),
            Scripted(*train),
            state,
            validation_loss=lambda _: validation.pop(0),
            stopping=EarlyStopping(patience, min_delta),
            monitor=monitor,
        )
    )
    if stops_after is None:
        assert isinstance(events[-1], Evaluated)
        assert state.step == 15
        return
    assert isinstance(events[-1], Stopped)
    assert events[-1].epoch == stops_after
    assert state.step == 3 * stops_after
    assert f"{monitor} has not fallen for {patience} epochs" in events[-1].reason


def test_a_validation_loss_that_is_nan_never_counts_as_better():
    stopping = EarlyStopping(patience=2)
    assert [stopping.update(epoch, loss) for epoch, loss in ((1, 5.0), (2, math.nan), (3, math.nan))][-1]
    assert (stopping.best, stopping.best_epoch) == (5.0, 1)


def diverged(plan: StepPlan, dtype: torch.dtype = torch.float64, **start) -> tuple[Diverged, TrainingState]:
    *before, last = run(plan, state := make_state(dtype, **start), dtype)
    assert isinstance(last, Diverged)
    assert not any(isinstance(event, Stopped | Diverged) for event in before)
    return last, state


@pytest.mark.parametrize("batch_size", [1, 4, N_ROWS])
@pytest.mark.parametrize("rate", [1e4, 1e40])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_divergence_keeps_the_last_finite_state(batch_size, rate, momentum):
    plan = make_plan(rate, batch_size=batch_size, momentum=momentum, epochs=200)
    event, state = diverged(plan)
    loss = plan.loss.over(state.model, *data())
    assert math.isfinite(loss)
    assert (event.finite_step, event.finite_loss) == (state.step, loss)
    assert not math.isfinite(event.loss)
    assert event.lr == rate
    assert event.epoch == (event.step - 1) // plan.steps_per_epoch + 1
    # The state is the one that the plan leads to, and it is the last: one step further is not finite.
    again = make_state()
    executor = ReferenceExecutor(TrainRows(*data()))
    executor.run(plan, again, 0, event.finite_step)
    assert torch.equal(linear_layer(again.model).weight, linear_layer(state.model).weight)
    executor.run(plan, again, event.finite_step, event.finite_step + 1)
    assert not math.isfinite(plan.loss.over(again.model, *data()))
    assert event.finite_step < event.step <= event.finite_step + plan.steps_per_epoch


def test_divergence_inside_an_epoch_is_reported_at_its_step():
    """The number of the step is that of a plain loop: the first whose batch loss is not finite, from 1."""
    plan = make_plan(1e30, batch_size=1, epochs=1)
    losses = ReferenceExecutor(TrainRows(*data())).run(plan, make_state(), 0, N_ROWS)
    event, _ = diverged(plan)
    assert event.step == len(losses) < N_ROWS
    assert event.epoch == 1


def test_where_the_whole_split_overflows_before_any_batch_does():
    """The last row, which no batch reaches in time, overflows first; the state before that is found by halving."""
    X, y = data()
    X[-1] *= 1e100
    plan = make_plan(1e-3, batch_size=1, shuffle=False, epochs=1)
    state = make_state(weight=1.0)
    executor = ReferenceExecutor(TrainRows(X, y))
    plan_until_overflow = replace(plan, learning_rate=lambda _: 1e10)
    *_, event = fit(plan_until_overflow, executor, state)
    assert isinstance(event, Diverged)
    assert math.isfinite(plan.loss.over(state.model, X, y))
    executor.run(plan_until_overflow, state, state.step, state.step + 1)
    assert not math.isfinite(plan.loss.over(state.model, X, y))
    assert event.finite_step < event.step - 1, "the batches were finite for a while longer"


def test_float32_diverges_where_float32_overflows():
    event, state = diverged(make_plan(1e4, batch_size=4, epochs=50), torch.float32)
    assert event.step < 20, "float64 goes on to step 36"
    assert math.isfinite(event.finite_loss)
    assert all(torch.isfinite(value).all() for value in state.model.parameters())


def test_a_start_that_is_not_finite_is_reported_before_the_first_step():
    events = run(make_plan(), state := make_state(weight=1e200))
    assert [type(event) for event in events] == [Evaluated, Diverged]
    assert (events[-1].step, events[-1].finite_step, state.step) == (0, 0, 0)


def test_time_in_the_consumer_is_not_counted():
    begun = time.perf_counter()
    events = []
    for event in fit(make_plan(), ReferenceExecutor(TrainRows(*data())), make_state()):
        events.append(event)
        time.sleep(0.05)
    elapsed = time.perf_counter() - begun
    # At least the five evaluations before the last were slept through.
    assert elapsed > 0.3
    assert events[-1].seconds < elapsed - 0.25


class Counting(StatisticsExecutor):
    """Counts the calls that take steps."""

    calls = 0

    def run_epochs(self, *arguments):
        self.calls += 1
        return super().run_epochs(*arguments)


class OneByOne:
    """The statistics executor without `run_epochs`."""

    def __init__(self) -> None:
        executor = StatisticsExecutor(TrainRows(*data()))
        self.run, self.train_loss = executor.run, executor.train_loss


def followed(executor, plan: StepPlan, patience: int | None, **options) -> tuple[list, list[dict], TrainingState]:
    """The events without their times, the parameters and buffers at each of them, and the state at the end."""
    state, events, states = make_state(), [], []
    X, y = data()
    stopping = None if patience is None else EarlyStopping(patience, keeps_best=True)
    options |= {"validation_loss": lambda state: plan.loss.over(state.model, X[:3], y[:3])} if patience else {}
    for event in fit(plan, executor, state, stopping=stopping, monitor="validation.loss", **options):
        if isinstance(event, Evaluated | Stopped) and event.epoch % 3 == 0:  # some states are passed over
            kept = state.snapshot()
            states.append({**kept.parameters, **{f"buffer {name}": value for name, value in kept.momentum.items()}})
        events.append(replace(event, seconds=0.0) if isinstance(event, Evaluated) else event)
    return events, states, state


def gaps(weights, bias, losses) -> list[Distance]:
    return [Distance(loss, 2 * loss, "optimum") for loss in losses]


@pytest.mark.parametrize(
    ("changes", "patience", "options", "ends"),
    [
        ({"epochs": 400}, None, {}, Evaluated),
        ({"epochs": 400, "momentum": 0.9}, None, {"distances": gaps}, Evaluated),
        ({"epochs": 400}, None, {"distances": gaps, "stop_gap": 0.05}, Stopped),
        ({"epochs": 400, "momentum": 0.9}, 5, {"distances": gaps}, Stopped),
        ({"epochs": 2000, "rate": 5.0}, None, {"distances": gaps}, Diverged),
    ],
    ids=["to the end", "with momentum", "by a gap", "early", "diverged"],
)
def test_epochs_that_are_taken_together_are_those_that_are_taken_alone(changes, patience, options, ends):
    plan = make_plan(batch_size=N_ROWS, **changes)
    events, states, state = followed(Counting(TrainRows(*data())), plan, patience, **options)
    expected, other_states, other = followed(OneByOne(), plan, patience, **options)
    assert events == expected
    assert isinstance(events[-1], ends)
    assert len(states) == len(other_states) > 1
    for one, two in zip(
        [*states, state.snapshot().parameters], [*other_states, other.snapshot().parameters], strict=True
    ):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert state.step == other.step


def test_many_epochs_take_few_calls_and_one_evaluation_of_the_gap_each():
    executor, evaluations = Counting(TrainRows(*data())), []

    def counted(weights, bias, losses):
        evaluations.append(len(losses))
        assert weights.shape == (len(losses), 2, 1)
        assert bias.shape == (len(losses), 1)
        return gaps(weights, bias, losses)

    events = list(fit(make_plan(batch_size=N_ROWS, epochs=3000), executor, make_state(), distances=counted))
    assert [event.epoch for event in events] == list(range(3001))
    # Doubling from one epoch, at most 1,024 at once: 1 + 2 + ... + 1024 + 953. A busy machine may halve some.
    assert 12 <= executor.calls <= 100
    assert len(evaluations) == executor.calls + 1
    assert sum(evaluations) == 3001


def test_a_state_is_copied_when_it_is_read():
    state, calls = make_state(), []
    state.follow(1, lambda: calls.append(1))
    state.follow(2, lambda: calls.append(2))
    assert (state.step, calls) == (2, [])
    assert state.model is not None
    assert state.momentum == {}
    assert calls == [2]

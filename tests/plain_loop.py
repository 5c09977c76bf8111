"""A plain float64 torch.optim.SGD loop, the cases it is run on, and how far rounding may lead an executor from it.

The loop is written out here, from torch's own losses, and shares nothing with the package but the plan's row order.
"""

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from linreg_cli.model import build_model
from linreg_cli.optim.engines.select import EXECUTORS, unable
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.optim.trail import Chunked
from linreg_cli.ranks.shards import Shards

N_ROWS = 10
DELTA = 0.8
LOSSES = {
    "mse": functional.mse_loss,
    "sse": lambda p, t: functional.mse_loss(p, t, reduction="sum"),
    "half_mse": lambda p, t: functional.mse_loss(p, t) / 2,
    "mae": functional.l1_loss,
    "huber": lambda p, t: functional.huber_loss(p, t, delta=DELTA),
}
OPTIMIZERS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "dampening": {"momentum": 0.8, "dampening": 0.3},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "weight_decay": {"weight_decay": 0.1},
    "decay+dampening": {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
    "decay+nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
}
RATES = (0.02, 0.005)
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Case:
    """The settings of one comparison; `rows`, `features` and `targets` are the shape of its data."""

    loss: str = "mse"
    optimizer: str = "plain"
    batch_size: int = 3
    bias: bool = True
    shuffle: bool = True
    rows: int = N_ROWS
    features: int = 3
    targets: int = 1
    rates: tuple[float, ...] = RATES
    blocks: int | None = None
    weighted: bool = False
    shards: int | None = None

    def plan(self) -> StepPlan:
        return StepPlan(
            n_samples=self.rows,
            batch_size=self.batch_size,
            epochs=len(self.rates),
            shuffle=self.shuffle,
            seed=7,
            loss=Loss(self.loss, DELTA),
            learning_rate=lambda epoch: self.rates[epoch],
            n_blocks=self.blocks,
            shards=None if self.shards is None else Shards(self.rows, self.shards),
            **OPTIMIZERS[self.optimizer],
        )

    def data(self) -> tuple[Tensor, Tensor]:
        """Values that float32 holds exactly, as float64, so that the data is the same in both types."""
        stream = torch.Generator().manual_seed(11)
        X = torch.randn(self.rows, self.features, generator=stream)
        y = X @ torch.randn(self.features, self.targets, generator=stream) + 0.5
        y += 0.3 * torch.randn(self.rows, self.targets, generator=stream)
        return X.double(), y.double()

    def weights(self) -> Tensor | None:
        """Weights of the rows that float32 holds exactly."""
        stream = torch.Generator().manual_seed(17)
        return torch.randint(1, 17, (self.rows,), generator=stream).double() / 8 if self.weighted else None

    def start(self) -> dict[str, Tensor]:
        stream = torch.Generator().manual_seed(13)
        values = {"0.weight": torch.randn(self.targets, self.features, generator=stream).double()}
        return values | ({"0.bias": torch.randn(self.targets, generator=stream).double()} if self.bias else {})

    def state(self, dtype: str) -> TrainingState:
        model = build_model(self.features, self.targets, bias=self.bias, dtype=DTYPES[dtype])
        model.load_state_dict(self.start())
        return TrainingState(model)

    def executor(self, name: str, dtype: str):
        weights = [] if self.weights() is None else [self.weights()]
        return EXECUTORS[name](TrainRows(*(values.to(DTYPES[dtype]) for values in (*self.data(), *weights))))


def every_executor(case: Callable[..., Case], dtypes: Iterable[str] = DTYPES, **axes: Iterable) -> pytest.MarkDecorator:
    """Parametrise by `name`, `dtype` and `case`, which is called with each point of the axes.

    An executor gets the cases that it can run; `test_what_an_executor_cannot_run` says which those are.
    """
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    names = [*EXECUTORS, "statistics, sharded"]
    return pytest.mark.parametrize(
        ("name", "dtype", "case"),
        [
            pytest.param(name.split(",")[0], dtype, at, id="-".join(map(str, (name, dtype, *point.values()))))
            for name, dtype, point in itertools.product(names, dtypes, points)
            if unable(name.split(",")[0], (at := _divided(case(**point), name)).plan(), "cpu") is None
        ],
    )


def _divided(case: Case, name: str) -> Case:
    """The case, with shards of uneven sizes for what adds up shard by shard."""
    return replace(case, shards=min(3, case.rows)) if name.endswith("sharded") else case


def partings(executor, plan: StepPlan) -> list[int]:
    """The steps after which a run may be stopped and gone on with, to the same bits: for `affine`, between chunks."""
    chunk = executor.chunk_steps(plan) if isinstance(executor, Chunked) else 1
    return [step for step in range(plan.total_steps + 1) if plan.locate(step)[1] % chunk == 0]


@dataclass(frozen=True)
class Step:
    """What the loop has after a step, and the loss of the batch before it."""

    loss: float
    parameters: dict[str, Tensor]
    momentum: dict[str, Tensor]


@functools.cache
def plain_loop(case: Case) -> tuple[Step, ...]:
    """torch.optim.SGD in float64, one step after the other."""
    plan, (X, y) = case.plan(), case.data()
    parameters = {name: value.clone().requires_grad_() for name, value in case.start().items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=case.rates[0], **OPTIMIZERS[case.optimizer])
    steps = []
    for epoch, rate in enumerate(case.rates):
        optimizer.param_groups[0]["lr"] = rate
        order = plan.row_order(epoch)
        order = torch.arange(case.rows) if order is None else order
        for rows in order.split(case.batch_size):
            optimizer.zero_grad()
            output = functional.linear(X[rows], parameters["0.weight"], parameters.get("0.bias"))
            loss = loss_of(case, output, y, rows)
            loss.backward()
            optimizer.step()
            steps.append(
                Step(
                    loss.item(),
                    {name: value.detach().clone() for name, value in parameters.items()},
                    {
                        name: optimizer.state[value]["momentum_buffer"].clone()
                        for name, value in parameters.items()
                        if "momentum_buffer" in optimizer.state[value]
                    },
                )
            )
    return tuple(steps)


def loss_of(case: Case, output: Tensor, y: Tensor, rows: Tensor) -> Tensor:
    """torch's loss of a batch; with weights, the sum or mean of the losses of single rows, each times its weight."""
    weights = case.weights()
    if weights is None:
        return LOSSES[case.loss](output, y[rows])
    each = [LOSSES[case.loss](output[at], y[row]) * weights[row] for at, row in enumerate(rows.tolist())]
    return torch.stack(each).sum() / (1 if case.loss == "sse" else len(rows))


def tolerance(case: Case, dtype: str, n_steps: int) -> float:
    """Absolute bound on the distance from the float64 loop after `n_steps`.

    A step sums at most features + 1 products a row and batch x targets terms a gradient entry, each rounded to eps
    of the largest number about (`scale`), so it adds at most (features + batch x targets + 4) eps scale. The rates
    are below the stability limit, where steps do not magnify an error; momentum repeats a gradient's error at most
    1 / (1 - 0.9) = 10 times.
    """
    largest = [
        value.abs().max().item()
        for step in plain_loop(case)
        for value in (*step.parameters.values(), *step.momentum.values())
    ]
    largest += [] if case.weights() is None else [float(case.weights().max())]
    scale = max(1.0, *largest, *(step.loss for step in plain_loop(case)))
    repeats = 10 if "momentum" in OPTIMIZERS[case.optimizer] else 1
    terms = case.features + case.batch_size * case.targets + 4
    return n_steps * terms * repeats * torch.finfo(DTYPES[dtype]).eps * scale


def assert_near(found: Tensor, expected: Tensor, bound: float, what: str) -> None:
    assert found.shape == expected.shape
    distance = (found.detach().double() - expected).abs().max().item()
    assert distance <= bound, f"{what}: {distance:.3g} apart, {bound:.3g} allowed"


def assert_matches_the_loop(case: Case, name: str, dtype: str) -> None:
    plan, state, executor = case.plan(), case.state(dtype), case.executor(name, dtype)
    expected, one_step = plain_loop(case), tolerance(case, dtype, 1)
    assert len(expected) == plan.total_steps
    for number, step in enumerate(expected):
        losses = executor.run(plan, state, number, number + 1)
        bound = (number + 1) * one_step
        assert losses.dtype == torch.float64
        assert_near(losses, torch.tensor([step.loss], dtype=torch.float64), bound, f"loss before step {number + 1}")
        assert state.step == number + 1
        found = dict(state.model.named_parameters())
        assert found.keys() == step.parameters.keys()
        assert state.momentum.keys() == step.momentum.keys()
        for key, value in step.parameters.items():
            assert found[key].dtype == DTYPES[dtype]
            assert_near(found[key], value, bound, f"{key} after step {number + 1}")
        for key, value in step.momentum.items():
            assert state.momentum[key].dtype == DTYPES[dtype]
            assert_near(state.momentum[key], value, bound, f"momentum of {key} after step {number + 1}")

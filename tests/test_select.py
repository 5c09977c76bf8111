"""Which executor runs, and that the reason is said."""

import platform
import subprocess
import sys

import pytest
import torch
from test_native import plan, start, table, weights

from linreg_cli.optim.engines import costs, moments, native, select, statistics
from linreg_cli.optim.engines.kernels import disk
from linreg_cli.optim.engines.kernels.loader import kernel
from linreg_cli.optim.engines.moments import WIDE
from linreg_cli.optim.engines.native import NativeExecutor
from linreg_cli.optim.engines.reference import ReferenceExecutor
from linreg_cli.optim.engines.statistics import StatisticsExecutor
from linreg_cli.optim.rows import StoredRows, TrainRows


@pytest.fixture
def compiled(monkeypatch):
    """Say whether the fast executors' kernels lie on the disk; they do, unless a test says otherwise."""

    def are(answer):
        for executor in (NativeExecutor, StatisticsExecutor):
            monkeypatch.setattr(executor, "is_compiled", lambda *_, **__: answer)

    are(True)
    return are


def test_a_small_run_takes_the_reference(compiled):
    choice = select.choose("auto", plan(1000, 10, epochs=3), TrainRows(*table(1000, 4)))
    assert choice.executor.name == "reference"
    assert "estimated reference" in choice.decision.why
    assert "native" in choice.decision.why


def test_many_steps_take_the_native_loop(compiled):
    choice = select.choose("auto", plan(1000, 10, epochs=1000), TrainRows(*table(1000, 4)))
    assert choice.executor.name == "native"


def test_rows_with_weights_take_the_same_executors(compiled):
    rows = TrainRows(*table(1000, 4), weights(1000))
    assert select.choose("auto", plan(1000, 10, epochs=1000), rows).executor.name == "native"
    assert select.choose("auto", plan(1000, 1000, epochs=100_000), rows).executor.name == "statistics"


def test_many_full_batches_of_a_squared_loss_take_the_statistics(compiled):
    rows = TrainRows(*table(100_000, 4))
    assert select.choose("auto", plan(100_000, 100_000, epochs=5000), rows).executor.name == "statistics"
    assert select.choose("auto", plan(100_000, 100_000, epochs=5000, loss="mae"), rows).executor.name == "native"


def test_few_epochs_of_many_columns_are_streamed():
    p = plan(20_000, 20_000, epochs=5)
    streamed, measured = (costs.estimate(name, p, 1000, 1, compiled=True) for name in ("native", "statistics"))
    assert streamed.total < measured.total


def test_compiling_counts(compiled):
    p, data = plan(1000, 10, epochs=300), table(1000, 4)
    compiled(False)
    assert select.choose("auto", p, TrainRows(*data)).executor.name == "reference"
    compiled(True)
    assert select.choose("auto", p, TrainRows(*data)).executor.name == "native"


def test_only_the_kernels_of_these_sources_and_this_dtype_count(monkeypatch, tmp_path):
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path))
    rows, batches, full, large = plan(1000, 1), plan(1000, 10), plan(1000, 1000), plan(10**6, 10**6)
    is_compiled = NativeExecutor.is_compiled

    def write(name):
        disk.write(name, "float32", disk.source_digest(), "any", b"code")

    write("batches.pass_over")
    assert not is_compiled(large, 4, 1, "float32")
    write("batches.update")
    assert is_compiled(large, 4, 1, "float32")
    assert not is_compiled(full, 4, 1, "float32")
    write("batches.run_steps")
    assert is_compiled(full, 4, 1, "float32")
    assert is_compiled(batches, 4, 1, "float32")
    assert is_compiled(rows, 4, 2, "float32")
    assert not is_compiled(rows, 4, 1, "float32")
    assert not is_compiled(batches, 4, 1, "float64")
    write("moments.run_steps")
    write("moments.loss_sum")
    assert not StatisticsExecutor.is_compiled(full, 4, 1, "float32")
    assert StatisticsExecutor.is_compiled(full, WIDE, 1, "float32"), "a matrix product measures it"
    write("moments.part_moments")
    assert StatisticsExecutor.is_compiled(full, 4, 1, "float32")
    assert ReferenceExecutor.is_compiled(batches, 4, 1, "float64"), "nothing needs to be"
    monkeypatch.setattr(disk, "first_digest", lambda: "other sources")
    assert not is_compiled(batches, 4, 1, "float32")
    assert not StatisticsExecutor.is_compiled(full, 4, 1, "float32")


@pytest.mark.parametrize(
    ("executor", "rows", "batch", "targets", "weighted"),
    [
        (NativeExecutor, 20, 1, 1, False),
        (NativeExecutor, 20, 4, 1, False),
        (NativeExecutor, 20, 20, 2, False),
        (NativeExecutor, 200_000, 200_000, 1, False),
        (NativeExecutor, 20, 1, 1, True),
        (NativeExecutor, 20, 4, 1, True),
        (NativeExecutor, 200_000, 200_000, 1, True),
        (StatisticsExecutor, 20, 20, 1, False),
    ],
)
def test_a_run_calls_the_kernels_that_it_asks_for(monkeypatch, executor, rows, batch, targets, weighted):
    """Whether a plan's code is compiled is asked about just those kernels that its steps and losses call."""
    asked, called = set(), set()
    monkeypatch.setattr(disk, "exists", lambda name, dtype: asked.add(name) is None)
    for module in (native, statistics, moments):
        monkeypatch.setattr(module, "kernel", lambda name, *types: called.add(name) or kernel(name, *types))
    X, y = table(rows, 4, targets)
    p, state = plan(rows, batch), start(4, targets)
    assert executor.is_compiled(p, 4, targets, "float64", weighted=weighted)
    made = executor(TrainRows(X, y, weights(rows) if weighted else None))
    made.run(p, state, 0, p.total_steps)
    made.train_loss(p, state)
    assert asked == called


def test_a_named_executor_that_cannot_run_is_an_error():
    with pytest.raises(
        ValueError, match=r"statistics cannot run this plan: a batch of 10 rows .* set train.engine: auto or reference"
    ):
        select.choose("statistics", plan(100, 10), TrainRows(*table(100, 2)))


@pytest.mark.parametrize("stored", [False, True])
def test_the_remedy_of_an_executor_that_cannot_run_names_all_that_can(stored):
    X, y = table(100, 2)
    rows = TrainRows(X, y)
    if stored:
        rows = StoredRows.empty(100, 2, 1, "float64")
        rows.write(0, TrainRows(X, y))
    full = plan(100, 100)
    with pytest.raises(ValueError, match=r"train\.shards is not set; set train\.engine: auto or reference$"):
        select.choose("sharded", full, rows)
    assert select.choose("reference", full, rows).executor.name == "reference"


def test_a_named_executor_is_taken():
    choice = select.choose("native", plan(100, 10), TrainRows(*table(100, 2)))
    assert (choice.executor.name, choice.decision.why) == ("native", "named by train.engine")


def there(rows: int, features: int) -> TrainRows:
    """Rows on a device without numbers."""
    return TrainRows(*(values.to("meta") for values in table(rows, features)))


def test_other_devices_take_the_reference_where_only_it_can_run(compiled):
    for p in (plan(100, 10, epochs=10**6, loss="mae"), plan(100, 100, epochs=10**6, loss="huber")):
        choice = select.choose("auto", p, there(100, 2))
        assert choice.executor.name == "reference"
        assert "the data is on meta" in choice.decision.why


@pytest.mark.parametrize(
    ("rows", "batch", "features", "epochs", "expected"),
    [
        (100, 10, 2, 3, "reference"),  # half a second is not saved
        (1_000, 10, 2, 10**4, "affine"),  # so many launches
        (5_000, 1_000, 1_000, 1_000, "reference"),  # a map of a step has a million numbers
        (10_000, 10_000, 4, 10**5, "statistics"),
        (10_000, 10_000, 4, 2, "reference"),
    ],
)
def test_on_a_device_the_cost_decides_and_is_said_not_to_be_measured(compiled, rows, batch, features, epochs, expected):
    choice = select.choose("auto", plan(rows, batch, epochs=epochs), there(rows, features))
    assert choice.executor.name == expected
    assert "estimated reference" in choice.decision.why
    assert "not measured on meta" in choice.decision.why


def test_a_full_batch_on_the_disk_is_for_the_moments_or_for_the_reference_on_a_device(compiled):
    rows = StoredRows.empty(10_000, 4, 1, "float32")
    rows.onto = torch.device("meta")
    assert select.choose("auto", plan(10_000, 10_000, epochs=10**5), rows).executor.name == "statistics"
    assert select.choose("auto", plan(10_000, 10_000, loss="mae"), rows).executor.name == "reference"
    with pytest.raises(ValueError, match="affine cannot run this plan: it takes a batch from memory, and a full"):
        select.choose("affine", plan(10_000, 10_000), rows)


def test_a_run_imports_no_compiler_unless_it_compiles_and_builds_no_optimiser():
    program = """
import sys, torch
from linreg_cli.model import build_model
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.engines.select import choose
from linreg_cli.optim.rows import StoredRows, TrainRows
from linreg_cli.optim.state import TrainingState
X, y = torch.ones(20, 2), torch.ones(20, 1)
plan = StepPlan(20, 4, 1, True, 0, Loss("mse"), lambda epoch: 0.1)
model = build_model(2, 1, bias=True, dtype=torch.float32)
torch.nn.init.zeros_(model[0].weight), torch.nn.init.zeros_(model[0].bias)
choice = choose(sys.argv[1], plan, TrainRows(X, y))
choice.executor.run(plan, TrainingState(model), 0, 5)
print(choice.executor.name, *(name in sys.modules for name in ("numba", "llvmlite", "torch._dynamo")))
"""

    def run(engine):
        return subprocess.run(
            [sys.executable, "-c", program, engine], capture_output=True, text=True, check=True
        ).stdout

    assert run("auto").split() == ["reference", "False", "False", "False"]
    run("native")  # where its kernels were not on the disk, now they are
    by_llvm = not (sys.platform == "linux" and platform.machine() == "x86_64")  # where kernels are placed without it
    assert run("native").split() == ["native", "False", str(by_llvm), "False"]


def test_the_names_are_those_of_the_config():
    from typing import get_args

    from linreg_cli.config.schema import TrainConfig

    assert set(get_args(TrainConfig.model_fields["engine"].annotation)) == {"auto", *select.EXECUTORS}

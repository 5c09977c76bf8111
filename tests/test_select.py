"""Which executor runs, and that the reason is said."""

import subprocess
import sys

import pytest
from test_native import plan, table

from linreg_cli.optim.engines import costs, select
from linreg_cli.optim.engines.kernels import disk


@pytest.fixture
def cached(monkeypatch):
    monkeypatch.setattr(select, "kernels_cached", lambda *_: True)


def test_a_small_run_takes_the_reference(cached):
    choice = select.choose("auto", plan(1000, 10, epochs=3), *table(1000, 4))
    assert choice.executor.name == "reference"
    assert "estimated reference" in choice.why
    assert "native" in choice.why


def test_many_steps_take_the_native_loop(cached):
    choice = select.choose("auto", plan(1000, 10, epochs=1000), *table(1000, 4))
    assert choice.executor.name == "native"


def test_many_full_batches_of_a_squared_loss_take_the_statistics(cached):
    X, y = table(100_000, 4)
    assert select.choose("auto", plan(100_000, 100_000, epochs=5000), X, y).executor.name == "statistics"
    assert select.choose("auto", plan(100_000, 100_000, epochs=5000, loss="mae"), X, y).executor.name == "native"


def test_few_epochs_of_many_columns_are_streamed():
    p = plan(20_000, 20_000, epochs=5)
    streamed, measured = (costs.estimate(name, p, 1000, 1, cached=True) for name in ("native", "statistics"))
    assert streamed.total < measured.total


def test_compiling_counts(monkeypatch):
    p, data = plan(1000, 10, epochs=300), table(1000, 4)
    monkeypatch.setattr(select, "kernels_cached", lambda *_: False)
    assert select.choose("auto", p, *data).executor.name == "reference"
    monkeypatch.setattr(select, "kernels_cached", lambda *_: True)
    assert select.choose("auto", p, *data).executor.name == "native"


def test_only_the_kernels_of_these_sources_and_this_dtype_count(monkeypatch, tmp_path):
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path))
    rows, batches, full, large = plan(1000, 1), plan(1000, 10), plan(1000, 1000), plan(10**6, 10**6)
    disk.write("batches.pass_over", "float32", disk.source_digest(), "any", b"code")
    assert not costs.kernels_cached("native", large, 4, 1, "float32")
    disk.write("batches.update", "float32", disk.source_digest(), "any", b"code")
    assert costs.kernels_cached("native", large, 4, 1, "float32")
    assert not costs.kernels_cached("native", full, 4, 1, "float32")
    disk.write("batches.run_steps", "float32", disk.source_digest(), "any", b"code")
    assert costs.kernels_cached("native", full, 4, 1, "float32")
    assert costs.kernels_cached("native", batches, 4, 1, "float32")
    assert costs.kernels_cached("native", rows, 4, 2, "float32")
    assert not costs.kernels_cached("native", rows, 4, 1, "float32")
    assert not costs.kernels_cached("native", batches, 4, 1, "float64")
    assert not costs.kernels_cached("statistics", full, 4, 1, "float32")
    monkeypatch.setattr(disk, "_digest_once", lambda: "other sources")
    assert not costs.kernels_cached("native", batches, 4, 1, "float32")


def test_a_named_executor_that_cannot_run_is_an_error():
    with pytest.raises(ValueError, match=r"statistics cannot run this: a batch of 10 rows .* use auto"):
        select.choose("statistics", plan(100, 10), *table(100, 2))


def test_a_named_executor_is_taken():
    choice = select.choose("native", plan(100, 10), *table(100, 2))
    assert (choice.executor.name, choice.why) == ("native", "named by train.engine")


def test_other_devices_take_the_reference():
    X, y = (values.to("meta") for values in table(100, 2))
    choice = select.choose("auto", plan(100, 10, epochs=10**6), X, y)
    assert choice.executor.name == "reference"
    assert "the data is on meta" in choice.why


def test_a_run_imports_no_numba_unless_it_compiles_and_builds_no_optimiser():
    program = """
import sys, torch
from linreg_cli.model import build_model
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.engines.select import choose
from linreg_cli.optim.state import TrainingState
X, y = torch.ones(20, 2), torch.ones(20, 1)
plan = StepPlan(20, 4, 1, True, 0, Loss("mse"), lambda epoch: 0.1)
model = build_model(2, 1, bias=True, dtype=torch.float32)
torch.nn.init.zeros_(model[0].weight), torch.nn.init.zeros_(model[0].bias)
choice = choose(sys.argv[1], plan, X, y)
choice.executor.run(plan, TrainingState(model), 0, 5)
print(choice.executor.name, "numba" in sys.modules, "torch._dynamo" in sys.modules)
"""

    def run(engine):
        return subprocess.run(
            [sys.executable, "-c", program, engine], capture_output=True, text=True, check=True
        ).stdout

    assert run("auto").split()[:2] == ["reference", "False"]
    run("native")  # where its kernels were not on the disk, now they are
    assert run("native").split() == ["native", "False", "False"]


def test_the_names_are_those_of_the_config():
    from typing import get_args

    from linreg_cli.config.schema import TrainConfig

    assert set(get_args(TrainConfig.model_fields["engine"].annotation)) == {"auto", *select.EXECUTORS}

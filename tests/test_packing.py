"""Indicators as bits on their way between processes: the rows that arrive have every bit of those that were sent."""

import numpy as np
import pytest
import torch
from test_routing import written
from thread_ranks import Several, ThreadRanks

from linreg_cli.config import load_config
from linreg_cli.data.columns.kinds import EncodedColumns, Gaps
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.scaling import Scaling
from linreg_cli.optim.packing import Packing
from linreg_cli.optim.rows import TrainRows
from linreg_cli.pipeline.silent import Silent
from linreg_cli.pipeline.workflow import train_run


def of_levels(order, n=23, seed=0):
    """A dataset of a number with gaps, their indicator and indicators of five levels, in an order of the features."""
    rng = np.random.default_rng(seed)
    numbers = {"a": rng.normal(size=n), "y": rng.normal(size=n)}
    numbers["a=(missing)"] = Gaps(np.where(rng.random(n) < 0.3, np.nan, 1.0))
    codes = rng.integers(0, 6, n).astype(np.int8)
    columns = EncodedColumns(numbers, {f"c={level}": (codes, level) for level in range(1, 6)})
    splits = {"train": np.arange(n), "validation": np.arange(0), "test": np.arange(0)}
    return Dataset("t", tuple(order), ("y",), columns, splits)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("order", "bits"),
    [
        (["a", "c=1", "c=2", "c=3", "c=4", "c=5"], 5),
        (["c=5", "a", "a=(missing)", "c=1", "c=2"], 4),
        (["c=1", "c=2", "c=3", "c=4"], 4),
        (["a", "c=1", "c=2", "c=3"], 0),
    ],
)
def test_rows_arrive_as_they_were_sent(order, bits, dtype):
    dataset, n = of_levels(order), 23
    rng = np.random.default_rng(1)
    constant = 0 if order[0] == "a" else 1
    scale = np.where(np.arange(len(order)) == constant, 0.0, rng.uniform(0.1, 3, len(order)))
    scaling = Scaling(tuple(order), rng.normal(size=len(order)), scale)
    X_nd = scaling.tensor(dataset, slice(0, n), getattr(torch, dtype), zeros=np.ones(len(order), dtype=bool))
    rows = TrainRows(X_nd, torch.randn(n, 1), torch.rand(n))
    packing = Packing.of(dataset, scaling, dtype)
    sent, out = packing.packed(rows.tensors), rows.empty(n)
    room = packing.room(out.tensors)
    for each, into in zip(sent, room, strict=True):
        assert (each.shape, each.dtype, each.is_contiguous()) == (into.shape, into.dtype, True)
        into.copy_(each)
    packing.unpack(room, out.tensors)
    assert [each.numpy().tobytes() for each in out.tensors] == [each.numpy().tobytes() for each in rows.tensors]
    expected = n * (len(order) - bits) * X_nd.element_size() + (n * bits + 7) // 8
    assert sum(each.numel() * each.element_size() for each in sent[:-2]) == expected


def test_a_run_with_categories_has_the_bits_of_one_process_and_no_indicators_travel_as_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng, n = np.random.default_rng(4), 211
    levels = rng.integers(0, 40, n)
    y = levels % 7 + rng.normal(size=n)
    lines = [f"{a:.3f},l{level},{b:.3f}\n" for a, level, b in zip(rng.normal(size=n), levels, y, strict=True)]
    (tmp_path / "t.csv").write_text("a,c,y\n" + "".join(lines))
    (tmp_path / "c.yaml").write_text("""name: p
data: {path: t.csv, target: y, split: {train: 0.8, validation: 0.2, test: 0}}
preprocess: {standardize: true, categorical: one_hot}
optimizer: {lr: 0.01}
train: {epochs: 2, batch_size: 8, shards: 4}
plots: false
""")
    found, travelled, own = [], [], ThreadRanks._put

    def counted(self, to, value):
        if isinstance(value, torch.Tensor) and value.ndim == 2 and value.shape[1] == 40:
            travelled.append(len(value))
        own(self, to, value)

    monkeypatch.setattr(ThreadRanks, "_put", counted)
    for size in (1, 2, 3, 4):
        travelled.clear()
        several = Several(size)
        with several as ranks:
            outcome = train_run(
                load_config(["c.yaml"]), outputs=tmp_path / str(size), reporter=Silent(), command=[],
                ranks=ranks if size > 1 else None,
            )  # fmt: skip
        assert not several.errors
        found.append(written(outcome.run))
        assert len(travelled) == size - 1, "all features as numbers: to the first process, for a limit of small tables"
    assert all(each == found[0] for each in found)

"""The way of rows to the shards that train on them: every row at its place, whatever number of processes has parts."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_parts_of_tables import table
from thread_ranks import Several, divided

from linreg_cli.config import load_config
from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.errors import DataError
from linreg_cli.least_squares import solve
from linreg_cli.optim import split_rows
from linreg_cli.optim.engines.split_loss import loss_of_parts
from linreg_cli.optim.held import HeldMatrix
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.routing import held_out_of_ranks, routed
from linreg_cli.optim.row_order import Blocks, Full, Given
from linreg_cli.pipeline.silent import Silent
from linreg_cli.pipeline.workflow import train_run
from linreg_cli.ranks.shards import Shards

SIZES = 2, 3, 4


def of_kind(kind, **about):
    """A table whose train split is at random, in order, or consecutive; rows 0 to 9 are in none."""
    dataset = table(53, **about)
    if kind == "at random":
        return dataset
    mask = np.zeros(53, dtype=bool)
    mask[slice(20, 49) if kind == "consecutive" else slice(11, 53, 2)] = True
    others = ~mask
    others[:10] = False
    return dataset.resplit({"train": RowSet.where(mask), "validation": RowSet.where(others), "test": np.arange(0)})


def expected(dataset, scaling, order, dtype):
    """[X | y | weight] in the order of training, from the columns alone."""
    rows = np.asarray(order.arranged(dataset.splits["train"]))
    columns = [dataset.columns[name][rows] for name in (*dataset.features, *dataset.targets)]
    both = [(each.center, each.scale) for each in (scaling.features, scaling.targets)]
    center, scale = (np.concatenate(each) for each in zip(*both, strict=True))
    values = np.divide(
        np.stack(columns, axis=1) - center, scale, out=np.zeros((len(rows), len(scale))), where=scale > 0
    )
    weights = [] if dataset.weights is None else [dataset.weights[rows][:, None]]
    return np.hstack([values, *weights]).astype(dtype)


@pytest.mark.parametrize("kind", ["at random", "in order", "consecutive"])
@pytest.mark.parametrize("order", ["given", "full", "blocks"])
@pytest.mark.parametrize(("dtype", "weighted", "targets"), [("float32", True, 1), ("float64", False, 2)])
def test_every_process_holds_the_rows_of_its_shards(kind, order, dtype, weighted, targets, monkeypatch):
    monkeypatch.setattr(split_rows, "BLOCK_BYTES", 200)  # many rounds of some rows
    dataset = of_kind(kind, weighted=weighted, targets=targets)
    n, scaling = len(dataset.splits["train"]), Preprocessor.fit(dataset, PreprocessConfig(), bias=True)
    order = {"given": Given(), "full": Full(n, 3), "blocks": Blocks(n, 3, 4)}[order]
    whole = expected(dataset, scaling, order, dtype)
    d = len(dataset.features)
    for size in SIZES:
        shards, several = Shards(n, 7), Several(size)
        with several:
            rows = routed(divided(dataset, several.ranks, 7), scaling, order, getattr(torch, dtype), shards, fits=True)
            number = rows.divided.number
            for rank, held in zip(several.ranks, shards.of_ranks(size), strict=True):
                own = rank.held[number]
                here = slice(int(shards.bounds[held.start]), int(shards.bounds[held.stop]))
                found = [own.X_nd, own.y_nk, *([own.weight_n[:, None]] if weighted else [])]
                assert (own.X_nd.dtype, own.n_samples) == (dtype, here.stop - here.start)
                np.testing.assert_array_equal(np.hstack(found), whole[here])
            some = np.array([n - 1, 0, 7, 7])
            for chosen in (slice(0, n), slice(3, 9), slice(n, n), some):
                np.testing.assert_array_equal(rows.X_nd[chosen], whole[chosen, :d])
            np.testing.assert_array_equal(rows.part(2, n).y_nk, whole[2:, d : d + targets])
            np.testing.assert_array_equal(np.asarray(rows.X_nd), whole[:, :d])


@pytest.mark.parametrize("stored", [False, True])
def test_held_out_rows_stay_where_they_are_in_the_table(stored):
    dataset = of_kind("in order", weighted=True)
    scaling = Preprocessor.fit(dataset, PreprocessConfig(), bias=True)
    alone = split_rows.rows_in_parts(
        dataset, scaling, "validation", torch.float32, Shards(53, 7).bounds.tolist(), stored=stored
    )
    bits = alone.of_parts(_bytes)
    several = Several(3)
    with several:
        rows = held_out_of_ranks(
            divided(dataset, several.ranks, 7), scaling, "validation", torch.float32, stored=stored
        )
        assert rows.of_parts(_bytes) == bits
        np.testing.assert_array_equal(rows.X_nd[0 : len(rows.X_nd)], alone.X_nd[0 : len(alone.X_nd)])
    assert len(bits) == 6, "rows 0 to 9 are in no split, and so is the first part"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loss_of_held_out_rows_does_not_depend_on_where_they_lie_in_memory(dtype):
    """One process has them after those of other parts; float32 and float64 begin at multiples of 4 and 8 bytes."""
    n, d = 203, 9
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(n, 1)).astype(dtype)
    model, loss = torch.nn.Sequential(torch.nn.Linear(d, 1, dtype=getattr(torch, np.dtype(dtype).name))), Loss("mse")
    found = set()
    for skipped in range(0, 16, np.dtype(dtype).itemsize):
        memory = np.empty(X.nbytes + 80, dtype=np.uint8)
        first = -memory.ctypes.data % 64 + skipped
        there = memory[first : first + X.nbytes].view(dtype).reshape(n, d)
        there[:] = X
        found.add(loss_of_parts(DividedRows(there, y, None, [0, 100, n]), loss, model))
    assert len(found) == 1


def _bytes(part):
    at = slice(part.first, part.last)
    return part.X_nd[at].tobytes() + part.y_nk[at].tobytes() + part.weight_n[at].tobytes()


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([(40, "b"), (30, "y0")], "1e+300 overflows float32"),
        ([(44, "b"), (12, "b"), (13, "c")], "1e+300 overflows float32"),
        ([(0, "b")], None),
        ([("all", "c")], "1e-300 underflows float32"),
        ([("most", "c")], None),
    ],
)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_value_that_the_dtype_does_not_hold_is_the_error_of_one_process(places, said, split, monkeypatch):
    monkeypatch.setattr(split_rows, "BLOCK_BYTES", 200)
    dataset = table(53)
    dataset = replace(
        dataset, splits={name: np.arange(10, 53) if name == split else np.arange(1) for name in dataset.splits}
    )
    columns = {name: values.copy() for name, values in dataset.columns.items()}
    for row, name in places:
        if row in ("all", "most"):
            columns[name][:] = 1e-300
            columns[name][-1] = 1e-300 if row == "all" else 1.0
        else:
            columns[name][row] = 1e300
    dataset = replace(dataset, columns=columns)
    scaling = Preprocessor.fit(dataset, PreprocessConfig(standardize=False), bias=True)

    def error_of(call):
        try:
            call()
        except DataError as error:
            return str(error)
        return None

    def in_order():
        split_rows.rows_in_parts(dataset, scaling, split, torch.float32, [0, 53], stored=False)

    def whole():
        for each in (scaling.features, scaling.targets):
            each.tensor(dataset, dataset.splits[split], torch.float32)

    one = error_of(whole)
    assert one == error_of(in_order)
    assert (one is None) == (said is None)
    assert said is None or said in one
    for size in SIZES:
        several = Several(size)
        with several:
            rows = divided(dataset, several.ranks, 7)
            n = len(dataset.splits[split])

            def call(rows=rows, n=n):
                if split == "train":
                    routed(rows, scaling, Blocks(n, 0, 3), torch.float32, Shards(n, 7), fits=True)
                else:
                    held_out_of_ranks(rows, scaling, split, torch.float32, stored=False)

            assert error_of(call) == one
            assert rows.of_parts(_count) == [7, 8, 7, 8, 7, 8, 8], "the processes serve on"


def _count(dataset, first, last):
    return last - first


CONFIG = """name: r
data: {path: t.csv, target: y, ignore: [z, w], split: {train: 0.6, validation: 0.2, test: 0.2}}
preprocess: {standardize: true, standardize_target: true}
optimizer: {lr: 0.02, momentum: 0.9}
train: {epochs: 12, batch_size: 16, shards: 5, early_stopping: {patience: 2}}
plots: false
"""
#: Of one process, in place of `data.stream: true`: what it changes.
IN_MEMORY = ["train.shuffle=blocks", "data.split.by=hash", "evaluate.predictions=sample"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(103, 3)) * [1, 20, 0.1] + [0, 500, 1]
    y = X @ [1, 2, 3] + rng.normal(size=103)
    columns = [*X.T, y, y + rng.normal(size=103), rng.uniform(0.5, 2, size=103)]
    np.savetxt("t.csv", np.stack(columns, axis=1), delimiter=",", header="a,b,c,y,z,w", comments="")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def written(run):
    """The files of a run, without its seconds."""
    lines = [line.split(",") for line in (run.path / "history.csv").read_text().splitlines()]
    at = lines[0].index("seconds")
    files = [(run.path / name).read_bytes() for name in ("model.safetensors", "metrics.json", "predictions.csv")]
    return files, [line[:at] + line[at + 1 :] for line in lines]


# For random batches of a small table X is fetched for the limit of the rate in the mean square.
@pytest.mark.parametrize(
    ("settings", "alone", "fetched"),
    [
        (["data.weight=w", "data.ignore=[z]"], [], "Xw"),
        (["train.shuffle=false", "train.batch_size=full", "data.target=[y, z]", "data.ignore=[w]"], [], ""),
        (["train.dtype=float64", "train.shards=80", "train.batch_size=40"], [], "X"),
        (["data.stream=true", "train.blocks=4"], IN_MEMORY, ""),
        (["loss=mae", "train.shuffle=blocks"], [], "Xy"),
    ],
)
def test_whole_runs_have_the_bits_of_one_process_and_no_process_has_all_rows(
    place, monkeypatch, settings, alone, fetched
):
    seen, own = set(), HeldMatrix.__getitem__

    def counted(self, chosen):
        seen.add("Xyw"[self._column])
        return own(self, chosen)

    monkeypatch.setattr(HeldMatrix, "__getitem__", counted)
    monkeypatch.setattr(solve, "_is_refined", lambda *_: False)  # small tables are, in one process
    found = []
    for size in (1, 2, 3, 4):
        more = [f"data.stream={'data.stream=true' in settings and size > 1}".lower(), *(alone if size == 1 else [])]
        loaded, several = load_config(["c.yaml"], [*settings, *more]), Several(size)
        with several as ranks:
            outcome = train_run(
                loaded, outputs=place / str(size), reporter=Silent(), command=[], ranks=ranks if size > 1 else None
            )
        assert not several.errors
        found.append(written(outcome.run))
    assert all(each == found[0] for each in found)
    assert json.loads(found[0][0][1])["validation"]["loss"] > 0
    assert seen == set(fetched), "what rank 0 has asked the others for"

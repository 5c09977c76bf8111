"""The way of rows to the shards that train on them: every row at its place, whatever number of processes has parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_parts_of_tables import table
from thread_ranks import Several, divided

from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.columns.row_set import RowSet
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.errors import DataError
from linreg_cli.optim import split_rows
from linreg_cli.optim.routing import held_out_of_ranks, routed
from linreg_cli.optim.row_order import Blocks, Full, Given
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
        with several as ranks:
            rows = routed(divided(dataset, several.ranks, 7), scaling, order, getattr(torch, dtype), shards, fits=True)
            (number,) = [each.number for each in ranks.sent]
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

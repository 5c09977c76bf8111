"""`data.stream`: a run from the disk is the run in memory of its config, and what it cannot do is refused."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from linreg_cli.config import load_config
from linreg_cli.config.types import bytes_in
from linreg_cli.convergence import affordable, batch_curvature, on_disk, ordered_rows, rehearsal
from linreg_cli.convergence.constant import best_constant_loss
from linreg_cli.data import load_dataset
from linreg_cli.data.columns.kinds import EncodedColumns
from linreg_cli.data.columns.row_file import stored
from linreg_cli.data.scaling import Scaling
from linreg_cli.figures import landscape
from linreg_cli.figures.material import Material
from linreg_cli.least_squares import folds as of_folds
from linreg_cli.least_squares import resampling
from linreg_cli.least_squares.factor import blocks as factor_blocks
from linreg_cli.optim import split_rows
from linreg_cli.optim.losses import Loss
from linreg_cli.pipeline import prepare as prepare_module
from linreg_cli.runs.find import find_run


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 3)) * [1, 5, 0.2] + [0, 3, 1]
    y = X @ [1.0, -2.0, 3.0] + rng.standard_t(3, size=400)
    columns = {**{name: X[:, i] for i, name in enumerate("abc")}, "y": y, "z": y - 3 * X[:, 0]}
    columns["p"] = rng.uniform(0.1, 4, size=400)
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (tmp_path / "c.yaml").write_text(f"data: {{path: {tmp_path / 't.parquet'}, target: y, ignore: [z, p]}}\n{BASE}")
    return tmp_path / "t.parquet"


@pytest.fixture(autouse=True)
def small(small_pieces, monkeypatch):
    """As `small_pieces`, and small chunks, so that every boundary is crossed."""
    monkeypatch.setattr(split_rows, "BLOCK_BYTES", 1_700)
    monkeypatch.setattr(rehearsal, "CELLS", 2_000)
    monkeypatch.setattr(ordered_rows, "CELLS", 300)
    monkeypatch.setattr(ordered_rows, "BLOCK_ROWS", 64)
    monkeypatch.setattr(batch_curvature, "_CHUNK_ROWS", 128)


BASE = "name: s\nplots: false\npreprocess: {standardize: true}\noptimizer: {lr: 0.01}\n"
BLOCKS = ["train.shuffle=blocks", "train.blocks=6", "train.batch_size=7", "train.engine=native"]
SETTINGS = {
    "mse": [*BLOCKS, "optimizer.momentum=0.9", "optimizer.schedule={kind: exponential, gamma: 0.5}"],
    "huber": [*BLOCKS, "loss=huber", "train.batch_size=100"],
    "mae, no bias, one row": [*BLOCKS, "loss=mae", "model.bias=false", "train.batch_size=1", "train.dtype=float64"],
    "two targets": [*BLOCKS, "data.target=[y, z]", "data.ignore=[p]", "preprocess.standardize_target=true"],
    "reference": [*BLOCKS, "train.engine=reference", "optimizer.weight_decay=0.1"],
    "weights": [*BLOCKS, "data.weight=p", "optimizer.momentum=0.9", "train.engine=affine"],
    "weights, huber": [*BLOCKS, "data.weight=p", "loss=huber", "train.dtype=float64"],
    "weights, full batch": ["train.batch_size=full", "data.weight=p", "train.engine=statistics", "optimizer.lr=auto"],
    "weights, full batch of mae": ["train.batch_size=full", "data.weight=p", "train.engine=native", "loss=mae"],
    "in order": [*BLOCKS[2:], "train.shuffle=false", "loss=huber"],
    "full batch": ["train.batch_size=full", "train.engine=statistics", "optimizer.lr=auto", "train.stop_gap=0.001"],
    "full batch of mae": ["train.batch_size=full", "train.engine=native", "loss=mae"],
    "full batch of huber, reference": ["train.batch_size=full", "train.engine=reference", "loss=huber"],
    "early stopping": [
        *BLOCKS, "train.early_stopping={patience: 1, restore_best: true}", "optimizer.lr=auto", "train.epochs=9",
        "data.split={train: 0.7, validation: 0.2, test: 0.1, by: hash}",
    ],
}  # fmt: skip


def options(settings: list[str]) -> list[str]:
    return [text for setting in settings for text in ("--set", setting)]


def trained(linreg, table, *settings: str) -> Path:
    result = linreg("train", "-c", table.with_name("c.yaml"), "-q", *options([*settings]))
    assert result.code == 0, result.err
    return Path(result.out.strip())


def contents(run: Path) -> dict:
    """All that does not name where the rows were."""
    history = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(history[0]) if name != "seconds"]
    files = {name: (run / name).read_bytes() for name in ("model.safetensors", "preprocess.json", "predictions.csv")}
    metrics = json.loads((run / "metrics.json").read_text())
    return files | {"history": [[line[i] for i in kept] for line in history], "metrics": metrics}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_from_the_disk_is_the_run_in_memory(setting, linreg, table):
    here, there = (
        contents(trained(linreg, table, *SETTINGS[setting], f"data.stream={stream}")) for stream in ("false", "true")
    )
    assert here["metrics"]["optimum"] is not None
    assert here == there


@pytest.mark.parametrize("order", [[], ["train.shuffle=blocks", "train.blocks=5", "train.batch_size=10"]])
def test_a_table_that_takes_too_long_to_factorise_has_the_warning_that_it_has_in_memory(
    order, linreg, table, monkeypatch
):
    monkeypatch.setattr(affordable, "MOST_WORK", 4**2 * 150)
    sets = ["data.features=[a, y, z]", "data.target=p", "data.ignore=[]", "train.batch_size=full", *order]
    found = [
        json.loads((trained(linreg, table, *sets, f"data.stream={stream}") / "run.json").read_text())["warnings"]
        for stream in ("false", "true")
    ]
    (warning,) = [each["message"] for each in found[0] if each["kind"] == "collinear"]
    assert warning.startswith("the optimum is not unique: z = - 3 a + y. ")
    assert found[0] == found[1]


AUTO = ["optimizer.lr=auto", "train.shuffle=false"]
ORDERED = {
    "batches": ["train.batch_size=7"],
    "single rows": ["train.batch_size=1", "train.epochs=2"],
    "two batches": ["train.batch_size=250", "optimizer.momentum=0.9", "optimizer.nesterov=true"],
    "weights": ["data.weight=p", "train.batch_size=9", "optimizer.momentum=0.5", "optimizer.dampening=0.2"],
    "two targets": ["data.target=[y, z]", "data.ignore=[p]", "loss=sse", "train.batch_size=33"],
    "no bias": ["model.bias=false", "loss=half_mse", "train.batch_size=20", "optimizer.weight_decay=0.1"],
    "schedule": ["train.batch_size=40", "optimizer.schedule={kind: exponential, gamma: 0.5}", "train.dtype=float64"],
    "auto momentum": ["train.batch_size=16", "optimizer.momentum=auto"],
    "exact fit": ["data.target=z", "data.features=[y, a]", "data.ignore=[]", "train.batch_size=50"],
    "huber": ["loss=huber", "train.batch_size=32"],
    "huber, full batch": ["loss=huber", "train.batch_size=full", "optimizer.momentum=auto"],
    "huber, weights": ["loss=huber", "data.weight=p", "train.batch_size=350", "optimizer.weight_decay=0.1"],
    "huber, blocks": ["loss=huber", "train.shuffle=blocks", "train.blocks=5", "train.batch_size=10"],
}


def both_ways(linreg, table, setting: str, *, inspecting: bool) -> list[list]:
    """What is chosen, known and trained, of rows in memory and on the disk."""
    found = []
    for stream in ("false", "true"):
        settings = [*AUTO, "train.engine=native", *ORDERED[setting], f"data.stream={stream}"]
        run = trained(linreg, table, *settings)
        record = json.loads((run / "run.json").read_text())
        found.append([record["lr"], record["momentum"], (run / "model.safetensors").read_bytes()])
        if inspecting:
            inspected = linreg("inspect", "-c", table.with_name("c.yaml"), "--json", *options(settings)).json
            found[-1] += [inspected["stable_lr"], inspected["forecast"], inspected["alternatives"]]
    return found


@pytest.mark.parametrize("setting", ORDERED)
def test_auto_of_a_short_run_on_the_disk_is_rehearsed_as_in_memory(setting, linreg, table):
    here, there = both_ways(linreg, table, setting, inspecting=False)
    assert here == there


@pytest.mark.parametrize("setting", [name for name in ORDERED if "huber" not in name])
def test_auto_and_the_limits_of_an_order_on_the_disk_are_those_in_memory(setting, linreg, table, monkeypatch):
    """Of a run that is not rehearsed, by maps of an epoch."""
    monkeypatch.setattr(rehearsal, "MOST_STEPS", 0)
    here, there = both_ways(linreg, table, setting, inspecting=True)
    assert here == there


def test_weighted_rows_on_the_disk_are_inspected_and_evaluated_as_those_in_memory(linreg, table):
    weighted, found = (
        ["data.weight=p", *BLOCKS[:3], "optimizer.lr=auto", "data.split={train: 0.8, test: 0.2, by: hash}"],
        [],
    )
    for stream in ("false", "true"):
        settings = [*weighted, f"data.stream={stream}"]
        inspected = linreg("inspect", "-c", table.with_name("c.yaml"), "--json", *options(settings)).json
        evaluated = linreg("evaluate", trained(linreg, table, *settings), "--json").json
        found.append([inspected["stable_lr"], inspected["forecast"], evaluated])
    assert found[0] == found[1]


LOSSES = ["mse", "sse", "half_mse", "mae", "huber"]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_best_constant_of_targets_on_the_disk_is_that_of_targets_in_memory(loss, monkeypatch):
    """Ties, both signs, zeros of both signs, and an even number of rows, whose median is the lower one."""
    monkeypatch.setattr("linreg_cli.convergence.constant.CHUNK_ROWS", 7)
    values = np.concatenate([np.random.default_rng(0).normal(size=(35, 2)) * [1, 1e6], [[-0.0, 0.0], [2.5, -3e-300]]])
    for y in (values, np.concatenate([values, values[:1]]), values.astype("float32"), -np.abs(values), values * 0):
        (matrix,) = stored(len(y), [2], y.dtype)
        matrix.write(y, 0)
        found = best_constant_loss(Loss(loss), matrix)
        assert found == pytest.approx(Loss(loss).of_best_constant(torch.from_numpy(y)), rel=1e-13)
        weights = np.random.default_rng(1).uniform(0.1, 4, size=len(y))
        found = best_constant_loss(Loss(loss), matrix, weights)
        expected = Loss(loss).of_best_constant(torch.from_numpy(y), torch.from_numpy(weights))
        assert found == pytest.approx(expected, rel=1e-13)


def test_the_order_and_the_split_are_those_that_stream_which_a_warning_says(linreg, table):
    settings = ["data.stream=true", "data.split={train: 0.8, test: 0.2}"]
    result = linreg("train", "-c", "c.yaml", *options(settings))
    run = find_run(Path("outputs"), "s-0001")
    record, resolved = run.read_json("run.json"), run.read("config.yaml").decode()
    (warning,) = (each["message"] for each in record["warnings"] if each["kind"] == "stream")
    assert "so the run has train.shuffle: blocks and data.split.by: hash, as config.yaml says" in warning
    assert warning in result.err.replace("\n", " ")
    assert all(text in resolved for text in ("shuffle: blocks\n", "blocks: 1\n", "by: hash\n", "stream: true\n"))
    assert record["data"]["stream"] == {"value": True, "why": "named by data.stream", "auto": False}
    again = trained(linreg, table, *settings, "data.stream=false", "train.shuffle=blocks", "data.split.by=hash")
    assert contents(again) == contents(run.path)
    given = load_config([run.path / "config.yaml"]).config
    assert (given.data.memory_limit, given.evaluate.predictions) == (None, "sample")


def test_predictions_that_are_named_stay_so_and_all_of_them_are_the_default_in_memory(table):
    named = [
        load_config([table.with_name("c.yaml")], [f"evaluate.predictions={each}"]).config for each in ("all", "none")
    ]
    assert [on_disk.streamed(each).evaluate.predictions for each in named] == ["all", "none"]
    assert on_disk.streamed(load_config([table.with_name("c.yaml")], []).config).evaluate.predictions == "sample"


@pytest.mark.parametrize(("limit", "expected"), [("1MiB", False), ("1KB", True)])
def test_auto_streams_where_the_rows_do_not_fit(limit, expected, linreg, table):
    settings = [f"data.memory_limit={limit}", "train.blocks=200", "train.shuffle=blocks", "train.batch_size=1"]
    run = trained(linreg, table, *settings)
    decision = json.loads((run / "run.json").read_text())["data"]["stream"]
    assert (decision["value"], decision["auto"]) == (expected, True)
    assert "the rows and their order take 9.375 KiB, and data.memory_limit is " in decision["why"]
    assert contents(run) == contents(trained(linreg, table, *settings[1:], "data.stream=false"))


@pytest.mark.parametrize(
    ("settings", "key", "said"),
    [
        (
            ["evaluate.cross_validation={folds: 3}"],
            "evaluate.cross_validation",
            "each fold is trained on rows",
        ),
        (["loss=huber", "train.stop_gap=0.1"], "train.stop_gap", "the optimum of loss: huber has no certificate"),
        (
            ["train.engine=affine", "train.batch_size=full"],
            "train.engine",
            "a full batch stays on the disk; set train.engine: auto or reference",
        ),
        (
            ["data.memory_limit=1KB"],
            "data.memory_limit",
            "data.memory_limit is 1000 bytes; set train.shuffle: blocks and ",
        ),
        (["data.memory_limit=2 potatoes"], "data.memory_limit", "expected a size above 0 with its unit"),
        (["data.memory_limit=0MiB"], "data.memory_limit", "expected a size above 0 with its unit"),
    ],
)
def test_what_does_not_stream_is_refused_with_what_helps(settings, key, said, linreg, table):
    result = linreg("train", "-c", "c.yaml", *options(["data.stream=true", *settings]))
    assert result.code == 2, result.err
    assert f"{key}: " in result.err
    assert said in result.err.replace("\n", " ")
    assert not os.path.exists("outputs")


def test_the_remedies_of_a_limit_that_is_too_low_train(linreg, table):
    given = ["data.stream=true", "data.memory_limit=4KB"]
    said = linreg("train", "-c", "c.yaml", *options(given)).err.replace("\n", " ")
    found = re.search(r"set (train.shuffle: blocks) and (train.blocks: \d+), or (data.memory_limit: \S+)", said)
    assert found, said
    order, blocks, limit = (each.replace(": ", "=", 1) for each in found.groups())
    for remedy in ([order, blocks], [limit]):
        result = linreg("train", "-c", "c.yaml", "-q", *options([*given, *remedy]))
        assert result.code == 0, result.err


def test_sizes_are_read_in_both_kinds_of_units():
    assert [bytes_in(text) for text in ("1KiB", "1 KB", "3B", "1.5GiB")] == [1024, 1000, 3, 1610612736]


def test_a_streamed_run_leaves_no_file_and_resumes_with_the_same_bits(linreg, table, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    settings = [*SETTINGS["mse"], "data.stream=true"]
    whole = trained(linreg, table, *settings, "train.epochs=5")
    part = trained(linreg, table, *settings, "train.epochs=2", "data.stream=false")
    result = linreg("train", "--resume", part, "-q", *options(["train.epochs=5"]))
    assert result.code == 0, result.err
    assert contents(part)["model.safetensors"] == contents(whole)["model.safetensors"]
    assert not os.listdir(tmp_path / "temporary")


def test_a_run_begun_in_memory_keeps_its_order_when_it_is_resumed_with_less_memory(linreg, table, monkeypatch):
    run = trained(linreg, table, "train.epochs=2")
    whole = trained(linreg, table, "train.epochs=4")
    monkeypatch.setattr(on_disk, "free_memory", lambda: 100)
    assert linreg("train", "--resume", run, "-q", *options(["train.epochs=4"])).code == 0
    assert contents(run)["model.safetensors"] == contents(whole)["model.safetensors"]


@pytest.mark.parametrize(
    ("begun", "goes_on"),
    [
        (["data.stream=true"], ["data.stream=false"]),
        (["data.stream=false"], ["data.stream=true", "data.memory_limit=80MiB"]),
        (["data.stream=true", "data.memory_limit=80MiB"], ["data.memory_limit=null", "data.path=moved/t.parquet"]),
    ],
    ids=["into memory", "onto the disk", "another table file and no limit"],
)
def test_a_run_goes_on_wherever_its_rows_lie(begun, goes_on, linreg, table, tmp_path):
    whole = trained(linreg, table, *SETTINGS["mse"], "train.epochs=4", "data.stream=false")
    run = trained(linreg, table, *SETTINGS["mse"], "train.epochs=2", *begun)
    if "data.path=moved/t.parquet" in goes_on:
        (tmp_path / "moved").mkdir()
        table.rename(tmp_path / "moved" / table.name)
    result = linreg("train", "--resume", run, "-q", *options(["train.epochs=4", *goes_on]))
    assert result.code == 0, result.err
    assert contents(run) == contents(whole)
    assert linreg("evaluate", run, "--json").code == 0


def test_an_order_that_no_disk_has_is_not_taken_for_one_when_a_run_goes_on(linreg, table):
    run = trained(linreg, table, "train.epochs=2", "data.stream=false", "data.split={train: 0.8, test: 0.2}")
    config = (run / "config.yaml").read_text()
    result = linreg("train", "--resume", run, "-q", *options(["train.epochs=4", "data.stream=true"]))
    assert (result.code, (run / "config.yaml").read_text()) == (2, config)
    found = "data.stream: the run began with data.split.by: shuffle and train.shuffle: true"
    assert found in result.err
    assert linreg("train", "--resume", run, "-q", *options(["train.epochs=4"])).code == 0


@pytest.mark.parametrize("more", [[], ["data.weight=p", "optimizer.weight_decay=0.1"]], ids=["", "weights"])
def test_inspect_of_rows_on_the_disk_gives_the_figures_of_rows_in_memory(more, linreg, table, monkeypatch):
    monkeypatch.setattr("linreg_cli.least_squares.resampling.blocks", lambda n: factor_blocks(n, 64))
    for module in (resampling, of_folds):
        monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    here, there = (
        linreg(
            "inspect", "-c", "c.yaml", "--json", "--ridge", *options([*BLOCKS[:3], *more, f"data.stream={stream}"])
        ).json
        for stream in ("false", "true")
    )
    assert there["optimum"] == here["optimum"]
    assert len(there["ridge"]["path"]) == 25
    assert {key for key in here if here[key] != there[key]} <= {"stream"}


@pytest.mark.parametrize("more", [[], ["data.weight=p"]], ids=["", "weights"])
def test_no_split_is_held_in_memory_neither_in_training_nor_in_evaluation(more, linreg, table, monkeypatch):
    split = "data.split={train: 0.4, validation: 0.3, test: 0.3, by: hash}"
    counts, tensor = [], Scaling.tensor

    def counted(self, dataset, rows, dtype, **about):
        counts.append(len(rows))
        return tensor(self, dataset, rows, dtype, **about)

    monkeypatch.setattr(Scaling, "tensor", counted)
    run = trained(linreg, table, *BLOCKS, split, "data.stream=true", *more)
    evaluated = linreg("evaluate", run, "--json").json
    assert 0 < max(counts) <= split_rows.BLOCK_BYTES // (8 * 4)
    stored = json.loads((run / "metrics.json").read_text())
    assert all(evaluated[name] == stored[name] for name in ("train", "validation", "test", "optimum"))


def whole_tables(table):
    """Tables that are read as a whole: JSON Lines, and a CSV with a line break in quotes."""
    rows = pq.read_table(table).select(["a", "b", "y"]).to_pylist()
    lines = table.with_name("t.jsonl")
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    csv = table.with_name("t.csv")
    csv.write_text('a,"b\nof two lines",y\n' + "".join(f"{row['a']},{row['b']},{row['y']}\n" for row in rows))
    return lines, csv


@pytest.mark.parametrize("position", [0, 1], ids=["JSON Lines", "CSV"])
def test_a_table_that_is_read_as_a_whole_is_refused_before_it_is_and_its_remedy_trains(position, linreg, table):
    path = whole_tables(table)[position]
    settings = [f"data.path={path}", "data.ignore=[]", "data.stream=true"]
    result = linreg("train", "-c", "c.yaml", *options(settings))
    said = result.err.replace("\n", " ")
    assert result.code == 3, said
    assert "as a whole" in said
    assert "write the table as Parquet, or set data.stream: false" in said
    assert not os.path.exists("outputs")
    assert linreg("train", "-c", "c.yaml", "-q", *options([*settings, "data.stream=false"])).code == 0


@pytest.mark.parametrize("position", [0, 1], ids=["JSON Lines", "CSV"])
def test_where_auto_streams_a_table_that_had_to_come_into_memory_a_warning_says_so(position, linreg, table):
    path = whole_tables(table)[position]
    more = [f"data.path={path}", "data.ignore=[]", "train.batch_size=1", "train.shuffle=blocks", "train.blocks=200"]
    for limit, count in (("1KB", 1), ("1MiB", 0)):
        run = trained(linreg, table, *more, f"data.memory_limit={limit}")
        record = json.loads((run / "run.json").read_text())
        found = [each["message"] for each in record["warnings"] if "more than data.memory_limit" in each["message"]]
        assert (len(found), record["data"]["stream"]["value"]) == (count, count == 1)


@pytest.mark.parametrize(("n_texts", "use", "warned"), [(6_000, "cluster", 1), (30, "cluster", 0), (6_000, "date", 0)])
def test_a_warning_says_which_texts_do_not_fit_into_the_limit(n_texts, use, warned, linreg, table, tmp_path):
    """Dates are read block by block, however many of them differ."""
    stamps = pa.array(np.arange(6_000) % n_texts).cast(pa.timestamp("s"))
    dates = pc.strftime(stamps, "%Y-%m-%d %H:%M:%S")
    rng = np.random.default_rng(0)
    columns = {"d": dates, "x": rng.normal(size=6_000), "z": rng.normal(size=6_000), "y": rng.normal(size=6_000)}
    pq.write_table(pa.table(columns), tmp_path / "dates.parquet")
    given = [f"data.path={tmp_path / 'dates.parquet'}", "data.ignore=[]"]
    given += ["data.features=[x, z, weekday(d)]"] if use == "date" else ["data.features=[x, z]", "evaluate.cluster=d"]
    given += ["data.memory_limit=200KB", "train.batch_size=1", "train.shuffle=blocks", "train.blocks=200"]
    given += ["preprocess.categorical=one_hot", "optimizer.lr=0.001"]
    result = linreg("train", "-c", "c.yaml", *options(given))
    assert result.code == 0, result.err
    assert result.err.replace("\n", " ").count("the different texts of 'd' take 1") == warned


def test_blocks_that_are_named_are_those_of_a_shuffled_run_that_streams(linreg, table):
    run = trained(linreg, table, "data.stream=true", "train.shuffle=true", "train.blocks=5")
    train = load_config([run / "config.yaml"]).config.train
    assert (train.shuffle, train.blocks) == ("blocks", 5)
    assert contents(run) == contents(trained(linreg, table, "train.shuffle=blocks", "train.blocks=5",
                                             "evaluate.predictions=sample"))  # fmt: skip
    for settings in (["data.stream=auto"], ["data.stream=true", "train.batch_size=full"]):
        refused = linreg("train", "-c", "c.yaml", *options([*settings, "train.shuffle=true", "train.blocks=5"]))
        assert refused.code == 2
        assert "train.blocks: the order of the rows has no blocks" in refused.err
    # A full batch has no order: the remedy names a batch size, too, and the last of these settings holds.
    assert "set train.shuffle: blocks and train.batch_size: 32, or leave train.blocks out" in refused.err
    remedy = ["train.shuffle=blocks", "train.batch_size=32"]
    assert linreg("train", "-c", "c.yaml", *options([*settings, "train.blocks=5", *remedy])).code == 0


def test_a_part_of_a_split_is_read_without_the_rest_of_the_table(linreg, table, monkeypatch):
    """A split that is drawn row by row is no range; each part of it once read every column as a whole."""
    loaded = load_config([table.with_name("c.yaml")], ["data.split={train: 0.5, test: 0.5, by: hash}"])
    dataset, counts, take = load_dataset(loaded.config), [], EncodedColumns.take
    monkeypatch.setattr(EncodedColumns, "take", lambda *about: counts.append(len(found := take(*about))) or found)
    some = dataset.splits["train"][40:80]
    X_nd = Scaling.identity(dataset.features).tensor(dataset, some, torch.float64)
    assert counts == [40] * 3
    mixed = Scaling.identity(dataset.features).tensor(dataset, some[::-1].copy(), torch.float64)
    assert torch.equal(mixed.flip(0), X_nd)


@pytest.mark.parametrize(
    ("settings", "streams", "times"),
    [
        (["data.memory_limit=1KB"], True, 1),
        (["data.memory_limit=1MiB"], False, 1),
        # With the columns that are left out the rows would not fit, and without them they do.
        (["data.memory_limit=10KB", "train.dtype=float32"], False, 2),
    ],
)
def test_a_parquet_table_that_is_drawn_at_random_is_read_once(settings, streams, times, linreg, table, monkeypatch):
    split, read, calls = "data.split={train: 0.8, test: 0.2}", prepare_module.load_dataset, []
    monkeypatch.setattr(prepare_module, "load_dataset", lambda *about, **more: calls.append(1) or read(*about, **more))
    blocks = ["train.batch_size=1", *(["train.shuffle=blocks", "train.blocks=200"] if streams else [])]
    run = trained(linreg, table, *settings, *blocks, split)
    assert json.loads((run / "run.json").read_text())["data"]["stream"]["value"] is streams
    assert len(calls) == times
    by = "hash" if streams else "shuffle"
    named = trained(linreg, table, *blocks, split[:-1] + f", by: {by}}}", f"data.stream={str(streams).lower()}")
    assert contents(run) == contents(named)


@pytest.mark.parametrize("loss", ["mae", "huber"])
@pytest.mark.parametrize("most", [32_768, 90])
def test_the_path_of_a_loss_that_is_no_square_is_drawn_of_rows_on_the_disk(linreg, table, monkeypatch, loss, most):
    """Of many rows it is drawn of a sample: the same ones in memory, and a loss near that of all."""
    monkeypatch.setattr(landscape, "_ROWS", most)
    found, notes = [], []
    delta = 1.0 if loss == "huber" else 0.0
    for stream in ("false", "true"):
        run = trained(linreg, table, f"loss={loss}", "data.features=[a]", *BLOCKS[:3], f"data.stream={stream}")
        land, note, _ = landscape.landscape(Material.of(find_run(Path("outputs"), run.name)), "y")
        found.append(land)
        notes.append(note)
    points = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_array_equal(*(each.loss(points) for each in found))
    a, y = (pq.read_table(table)[name].to_numpy() for name in ("a", "y"))
    errors = [np.abs((a - a.mean()) / a.std() * weight + bias - y) for weight, bias in points]
    expected = [np.where(e > delta, delta * (e - delta / 2), e**2 / 2).mean() if delta else e.mean() for e in errors]
    if most > len(a):
        assert notes == ["", ""]
        np.testing.assert_allclose(found[1].loss(points), expected, rtol=1e-5)
    else:
        assert notes == [f"loss of 90 of the {len(a):,} train rows, drawn at random"] * 2
        np.testing.assert_allclose(found[1].loss(points), expected, rtol=0.3)
        assert (found[1].loss(points) != expected).all()

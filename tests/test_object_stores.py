"""Tables in object stores: S3 from a server on this machine that notes what is asked for; the memory of a program."""

import contextlib
import json
import socket
import stat
import subprocess
import sys
import threading
import urllib.request

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from object_store import running_store, store_of_folder

import linreg_cli
from linreg_cli.data.tables import object_stores
from linreg_cli.data.tables.glance import digest_of
from linreg_cli.data.tables.open import open_table
from linreg_cli.errors import DataError

SECRETS = ("us3r", "hunter2", "tok-en")
SETTINGS = ("--set", "train.epochs=2", "--set", "optimizer.lr=0.01", "--set", "plots=false", "--quiet")


@pytest.fixture
def store(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with running_store() as running:
        yield running


@pytest.fixture(scope="module")
def table():
    """2,000 rows: 40 columns of normal numbers, a category, and y = 3 x0 - 2 x1 + 1 + noise."""
    rng = np.random.default_rng(5)
    columns = {f"x{position}": rng.normal(size=2_000) for position in range(40)}
    columns["kind"] = rng.choice(["a", "b", "c"], 2_000)
    columns["y"] = 3 * columns["x0"] - 2 * columns["x1"] + 1 + 0.1 * rng.normal(size=2_000)
    return pa.table(columns)


@pytest.fixture
def files(table, tmp_path):
    """The table as files; Parquet in four row groups."""
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=500)
    pyarrow.csv.write_csv(table.select(["x0", "x1", "x2", "kind", "y"]), tmp_path / "t.csv")
    return tmp_path


def config_of(path, more=""):
    return (
        f"name: t\nplots: false\ndata: {{path: '{path}', target: y, features: [x0, kind, x1]{more}}}\n"
        "preprocess: {categorical: one_hot, standardize: true}\n"
        "optimizer: {lr: 0.05}\ntrain: {epochs: 2, batch_size: full}\n"
    )


def results(run):
    metrics = json.loads((run / "metrics.json").read_text())
    record = json.loads((run / "run.json").read_text())["data"]["fingerprint"]
    return metrics, record, (run / "model.safetensors").read_bytes(), (run / "preprocess.json").read_bytes()


@pytest.mark.parametrize("more", ["", ", stream: true, split: {train: 0.8, test: 0.2, by: hash}"])
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_the_same_bits_as_from_a_file(linreg, config_file, files, store, name, more):
    store.objects[f"bucket/in/{name}"] = (files / name).read_bytes()
    for path in (files / name, store.address(f"bucket/in/{name}")):
        result = linreg("train", "-c", config_file(config_of(path, more)), "--quiet")
        assert result.code == 0, result.err
    runs = files / "outputs"
    assert results(runs / "t-0001") == results(runs / "t-0002")
    shown = json.loads((runs / "t-0002" / "run.json").read_text())["data"]["name"]
    assert shown == f"s3://bucket/in/{name}?***"
    again = linreg("train", "-c", runs / "t-0002" / "config.yaml", "--quiet")
    assert again.code == 0, again.err
    assert results(runs / "t-0003") == results(runs / "t-0001")


def test_columns_of_parquet_are_read_and_no_others(linreg, config_file, files, store):
    """3 of 42 columns of equal size, and the footer: below a fifth of the bytes for all passes together."""
    store.objects["bucket/t.parquet"] = content = (files / "t.parquet").read_bytes()
    result = linreg("train", "-c", config_file(config_of(store.address("bucket/t.parquet"))), "--quiet")
    assert result.code == 0, result.err
    asked = [stop - start for _, start, stop in store.ranges]
    passes = sum(stop == len(content) for _, _, stop in store.ranges)
    assert 0 < store.bytes_of("bucket/t.parquet") - passes * 65_536 < len(content) / 5
    assert max(asked) < len(content) / 5


def test_a_csv_is_read_in_ranges_one_after_the_other(linreg, config_file, files, store, monkeypatch):
    monkeypatch.setattr("linreg_cli.data.tables.table_file._LONGEST_RANGE", 20_000)
    monkeypatch.setattr("linreg_cli.data.tables.table_file._FIRST_RANGE", 1_000)
    store.objects["bucket/t.csv"] = content = (files / "t.csv").read_bytes()
    result = linreg("train", "-c", config_file(config_of(store.address("bucket/t.csv"))), "--quiet")
    assert result.code == 0, result.err
    assert max(stop - start for _, start, stop in store.ranges) == 20_000
    last = max(at for at, (_, start, _) in enumerate(store.ranges) if start == 0)
    starts = [start for _, start, _ in store.ranges[last:]]
    assert starts == [0, *(stop for _, _, stop in store.ranges[last:-1])]
    assert store.ranges[-1][2] == len(content)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_parts_of_statistics_merge_to_those_of_the_file(linreg, config_file, files, store, name):
    store.objects[f"bucket/{name}"] = (files / name).read_bytes()
    made = {}
    for kind, path in {"file": files / name, "store": store.address(f"bucket/{name}")}.items():
        config = config_file(config_of(path, ", split: {by: hash}"))
        for part in (1, 2):
            result = linreg("stats", "-c", config, "--part", f"{part}/2", "-o", f"{kind}{part}.stats")
            assert result.code == 0, result.err
        assert linreg("stats", "merge", f"{kind}1.stats", f"{kind}2.stats", "-o", f"{kind}.stats").code == 0
        found = linreg("inspect", "-c", config, "--stats", f"{kind}.stats", "--json")
        assert found.code == 0, found.err
        made[kind] = {key: value for key, value in found.json.items() if key != "data"}
    assert made["file"] == made["store"]


def test_a_folder_and_a_pattern_of_parts(linreg, config_file, files, table, store):
    (files / "parts").mkdir()
    for number, name in enumerate(["a", "b", "c"]):
        part = files / "parts" / f"{name}.parquet"
        pq.write_table(table.slice(number * 700, 700), part)
        store.objects[f"bucket/parts/{name}.parquet"] = part.read_bytes()
    store.objects |= {"bucket/parts/_SUCCESS": b"", "bucket/parts/.x.parquet": b"", "bucket/parts/readme.md": b"x"}
    paths = (files / "parts", store.address("bucket/parts"), store.address("bucket/parts/*.parquet"))
    for path in (*paths, store.address("bucket/pa*/[a-c].parquet")):
        result = linreg("train", "-c", config_file(config_of(path)), "--quiet")
        assert result.code == 0, result.err
    first, *others = (results(files / "outputs" / f"t-000{number}") for number in (1, 2, 3, 4))
    assert all(other == first for other in others)


def test_every_command_that_takes_a_table(linreg, files, store, tmp_path):
    address = store.address("bucket/t.csv")
    store.objects["bucket/t.csv"] = store.objects["bucket/plain"] = (files / "t.csv").read_bytes()
    assert linreg("train", address, "--target", "y", *SETTINGS).code == 0
    local = linreg("predict", "t", "--data", files / "t.csv")
    assert local.code == 0
    assert linreg("predict", "t", "--data", address).out == local.out
    assert linreg("predict", "t", "--data", store.address("bucket/plain"), "--format", "csv").out == local.out
    found = [linreg("evaluate", "t", "--data", path, "--json") for path in (files / "t.csv", address)]
    assert found[0].json["data"] == found[1].json["data"] if "data" in found[0].json else found[0].code == 0
    assert linreg("init", address, "--target", "y").out == "t.yaml\n"
    assert stat.S_IMODE((tmp_path / "t.yaml").stat().st_mode) == 0o600  # as every config with a query
    assert linreg("inspect", "-c", "t.yaml", "--json").code == 0
    assert linreg("export", "t", "--format", "json", "-o", "m.json").code == 0


def test_an_object_that_changes_between_two_passes_is_refused(linreg, config_file, files, store):
    """The third opening finds other bytes of the same length, with another entity tag."""
    content = (files / "t.csv").read_bytes()
    store.objects["bucket/t.csv"] = content

    def change(method, path):
        if sum(line.startswith("HEAD") for line in store.lines) > 3:
            store.objects[path] = content.replace(b"1", b"2")

    store.before_answer = change
    result = linreg("train", "-c", config_file(config_of(store.address("bucket/t.csv"))), "--quiet")
    assert result.code == 3
    assert "s3://bucket/t.csv?***: the object has changed since it was first read; start again" in result.err


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_an_object_that_changes_while_it_is_read_is_refused(files, store, name):
    content = (files / name).read_bytes()
    store.objects[f"bucket/{name}"] = content
    table = open_table(store.address(f"bucket/{name}"))
    store.ranges.clear()

    def change(method, path):
        """After the first bytes of the pass."""
        if store.ranges:
            store.objects[path] = content.replace(b"1", b"2")

    store.before_answer = change
    with pytest.raises(DataError, match="the object has changed while it was read"):
        table.read(["x0", "y"])


def test_a_resumed_run_refuses_an_object_that_has_changed(linreg, config_file, files, store):
    content = (files / "t.csv").read_bytes()
    store.objects["bucket/t.csv"] = content
    assert linreg("train", "-c", config_file(config_of(store.address("bucket/t.csv"))), "--quiet").code == 0
    more = ("train", "--resume", "t-0001", "--quiet", "--set", "train.epochs=3")
    store.objects["bucket/t.csv"] = content.replace(b"1.", b"2.", 1)
    result = linreg(*more)
    assert (result.code, "the data has changed since the run began" in result.err) == (3, True)
    store.objects["bucket/t.csv"] = content
    assert linreg(*more).code == 0


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("bucket/no.csv", None, "there is no such object in the bucket bucket"),
        ("nowhere/t.csv", None, "there is no bucket nowhere, or it may not be read"),
        ("bucket/t.csv", 403, "access is denied; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add the option"),
        ("bucket/t.csv", 503, "the store could not answer (HTTP status 503), 3 times; try again later"),
        ("bucket/t.csv", 301, "the bucket is in another region; add the option region=REGION"),
        ("bucket/x*.csv", None, "no object matches the pattern"),
        ("bucket/*", None, "the pattern matches bucket/readme.md, which linreg does not read as a table"),
        ("buck*/t.csv", None, "the name of a bucket is no pattern"),
        ("bucket/notes", None, "the folder has no .csv, .tsv, .parquet, .arrow, .feather or .jsonl files"),
        ("bucket/readme.md", None, "unsupported file format; linreg reads .csv"),
    ],
)
def test_what_is_said_of_an_object_that_cannot_be_read(linreg, config_file, store, path, status, message):
    store.objects |= {"bucket/t.csv": b"x,y\n1,2\n", "bucket/readme.md": b"x", "bucket/notes/a.md": b"x"}
    if status:
        store.refuse[path] = status
    result = linreg("inspect", "-c", config_file(f"data: {{path: '{store.address(path)}', target: y}}\n"))
    assert (result.code, result.out) == (3, "")
    assert f"error: s3://{path}" in result.err
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_a_store_that_does_not_answer_is_left_after_its_limit(linreg, monkeypatch, config_file):
    """Three attempts of one second; libcurl counts whole seconds."""
    monkeypatch.setattr(object_stores, "ANSWER_SECONDS", 1.0)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = f"s3://bucket/t.csv?endpoint_override=http://127.0.0.1:{silent.getsockname()[1]}&anonymous=true"
        result = linreg("inspect", "-c", config_file(f"data: {{path: '{address}', target: y}}\n"))
    assert result.code == 3
    assert "timeout: no connection within 5 s, or no answer for 1 s, 3 times" in result.err


def test_nobody_at_the_endpoint(linreg, config_file):
    address = "s3://bucket/t.csv?endpoint_override=http://127.0.0.1:9&anonymous=true"
    result = linreg("inspect", "-c", config_file(f"data: {{path: '{address}', target: y}}\n"))
    assert result.code == 3
    assert "s3://bucket/t.csv: cannot be read: no connection to the store; check the endpoint" in result.err


@pytest.mark.parametrize(
    ("name", "address", "store_name"),
    [
        ("S3FileSystem", "s3://bucket/t.csv?region=eu-west-1", "S3"),
        ("GcsFileSystem", "gs://anonymous@bucket/t.csv", "Google Cloud Storage"),
    ],
)
def test_a_pyarrow_without_the_store(linreg, config_file, monkeypatch, name, address, store_name):
    monkeypatch.delattr(pyarrow.fs, name)
    object_stores._s3.cache_clear()
    object_stores._google.cache_clear()
    result = linreg("inspect", "-c", config_file(f"data: {{path: '{address}', target: y}}\n"))
    assert result.code == 3
    assert f"this pyarrow was built without {store_name}; install one that has it" in result.err


def test_the_keys_of_an_address_are_in_its_config_alone(linreg, store, files, tmp_path, monkeypatch):
    """The server reads only what `us3r` has signed."""
    store.keys = {"us3r"}
    store.objects["bucket/t.csv"] = (files / "t.csv").read_bytes()
    address = f"s3://us3r:hunter2@bucket/t.csv?endpoint_override=http://{store.host}&region=tok-en"
    monkeypatch.setattr("sys.argv", ["linreg", "train", address])
    config, said = tmp_path / "outputs" / "t-0001" / "config.yaml", ""
    done = (
        ["train", address, "--target", "y", *SETTINGS],
        ["train", "-c", config, "--json"],
        ["train", "--resume", "t-0001", "--set", "train.epochs=3", "--verbose"],
        ["init", address, "--target", "y", "-o", "mine/config.yaml"],
        ["inspect", "-c", config],
        ["evaluate", "t-0001", "--data", address, "--json"],
        ["predict", "t-0001", "--data", address, "-o", "p.csv"],
        ["stats", "-c", config, "--set", "data.split.by=hash", "-o", "s.stats"],
        ["runs", "show", "t-0001", "--json"],
        ["runs", "list", "--csv"],
        ["report", "t-0001", "-o", "r.html"],
    )
    (tmp_path / "mine").mkdir()
    refused = (
        ["train", address.replace("us3r", "wrong"), "--target", "y"],
        ["train", address, "--target", "zz"],
        ["init", address, "--target", "y", "-o", "-"],
        ["predict", "t-0001", "--data", address.replace("t.csv", "no.csv")],
        ["train", address.replace("region=", "regoin="), "--target", "y"],
        ["train", address.replace("hunter2@", "hunter2/x@"), "--target", "y"],
    )
    for arguments in (*done, *refused):
        result = linreg(*arguments)
        assert (result.code == 0) == (arguments in done), (arguments, result.err)
        assert result.code in (0, 2, 3)
        said += result.out + result.err
    assert "s3://***@bucket/t.csv?***" in said
    assert [secret for secret in SECRETS if secret in said] == []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name == "config.yaml":
            assert path.read_text().count("hunter2") == 1
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        elif path.is_file():
            assert [secret for secret in SECRETS if secret.encode() in path.read_bytes()] == [], path


def test_keys_and_endpoint_of_the_environment(linreg, config_file, files, store, monkeypatch):
    store.keys = {"us3r"}
    store.objects["bucket/t.csv"] = (files / "t.csv").read_bytes()
    config = config_file(config_of("s3://bucket/t.csv"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{store.host}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert linreg("train", "-c", config, "--quiet").code == 3
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "us3r")
    result = linreg("train", "-c", config, "--quiet")
    assert result.code == 0, result.err


@pytest.mark.parametrize("n_files", [1, 20, 80])
def test_the_glance_at_a_table_in_a_store_is_that_at_its_files_in_few_requests_at_once(store, tmp_path, n_files):
    """Each part of `linreg stats` looks at all files: at their ends, and at 63 pieces of the table altogether."""
    asked, alone = threading.Semaphore(0), threading.Barrier(2, timeout=20)
    store.before_answer = lambda command, _: command == "GET" and asked.acquire(blocking=False) and alone.wait()
    asked.release(2)  # the first two ranges are answered when both have been asked for
    rng = np.random.default_rng(8)
    files = [tmp_path / f"{number:02}.parquet" for number in range(n_files)]
    for file in files:
        file.write_bytes(rng.bytes(150_000))
        store.objects[f"bucket/{file.name}"] = file.read_bytes()
    found = digest_of([store.address(f"bucket/{file.name}") for file in files])
    assert found == digest_of([str(file) for file in files])
    assert len(store.ranges) == 2 * n_files + n_files * (63 // n_files)


def test_the_digest_of_an_object_is_checked(linreg, config_file, files, store):
    store.objects["bucket/t.csv"] = (files / "t.csv").read_bytes()
    digest = f", sha256: '{64 * '0'}'"
    result = linreg("train", "-c", config_file(config_of(store.address("bucket/t.csv"), digest)), "--quiet")
    assert result.code == 3
    assert "s3://bucket/t.csv?***: the file is not the expected one: its SHA-256 digest is" in result.err


def test_google_cloud_storage_gives_the_bits_of_the_file(linreg, config_file, files, monkeypatch):
    """By the protocol of an emulator, as `endpoint_override` has it."""
    (files / "store" / "bucket" / "in").mkdir(parents=True)
    for name in ("t.csv", "t.parquet"):
        (files / "store" / "bucket" / "in" / name).write_bytes((files / name).read_bytes())
    (files / "store" / "bucket" / "in" / "a.md").write_text("x")
    with store_of_folder(files / "store") as host:
        option = f"endpoint_override=http://{host}&anonymous=true"
        for path in (files / "t.csv", f"gs://bucket/in/t.csv?{option}", f"gs://anonymous@bucket/*/*.parquet?{option}"):
            result = linreg("train", "-c", config_file(config_of(path)), "--quiet")
            assert result.code == 0, result.err
        refused = {
            "nowhere/t.csv": "there is no bucket nowhere",
            "bucket/t.csv": "there is no such object in the bucket bucket",
            "bucket/in/*": "the pattern matches bucket/in/a.md",
        }
        for path, message in refused.items():
            result = linreg("inspect", "-c", config_file(config_of(f"gs://{path}?{option}")))
            assert (result.code, message in result.err) == (3, True), result.err
        with urllib.request.urlopen(f"http://{host}/ranges") as answer:
            assert any(start > 0 for _, start, _ in json.load(answer))
    first, second, third = (results(files / "outputs" / f"t-000{number}") for number in (1, 2, 3))
    assert first == second == third
    monkeypatch.setattr(object_stores, "ANSWER_SECONDS", 1.0)
    result = linreg("inspect", "-c", config_file(config_of(f"gs://bucket/t.csv?{option}")))
    assert (result.code, "no connection to the store" in result.err) == (3, True), result.err


def test_the_memory_of_a_program_as_pandas_writes_it(files, tmp_path, monkeypatch):
    """pandas writes to `memory://` by fsspec; here its files are set as it does."""
    monkeypatch.chdir(tmp_path)
    memory = fsspec.filesystem("memory")
    for name in ("t.csv", "t.parquet"):
        memory.pipe_file(f"/folder/{name}", (files / name).read_bytes())
    settings = {"preprocess": {"categorical": "one_hot"}, "train": {"epochs": 2}, "plots": False}
    runs = [
        linreg_cli.train({"data": {"path": str(path), "target": "y", "features": ["x0", "kind"]}, **settings})
        for path in (files / "t.csv", "memory://folder/t.csv", "memory://folder/t.parquet", "memory:///folder/t.csv")
    ]
    assert len({run.metrics["train"]["loss"] for run in runs}) == 1
    memory.pipe_file("/folder/t.csv", (files / "t.csv").read_bytes()[:-40])  # a reader is no hindrance to who writes
    with pytest.raises(DataError, match="which fsspec and pandas write to"):
        runs[0].predict("memory://folder/none.csv")


def test_a_store_is_connected_to_only_for_its_addresses(linreg, config_file, files):
    object_stores._s3.cache_clear()
    assert linreg("train", "-c", config_file(config_of(files / "t.csv")), "--quiet").code == 0
    assert object_stores._s3.cache_info().currsize == 0


def test_a_process_that_has_read_from_a_store_ends_as_any_other(config_file, files, store, tmp_path):
    store.objects["bucket/t.csv"] = (files / "t.csv").read_bytes()
    path = config_file(config_of(store.address("bucket/t.csv")))
    ended = subprocess.run(
        [sys.executable, "-m", "linreg_cli", "train", "-c", path, "--quiet", "--fail-if", "train.r2 < 2"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 5, ended.stderr  # a gate that fails
    assert "AWS" not in ended.stderr
    assert "Traceback" not in ended.stderr

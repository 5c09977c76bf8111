"""A table on standard input: trained as a file is, not kept, and read by no command that is not to read it."""

import errno
import gzip
import io
import json
import os
import shutil
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = [(x / 4, "ab"[x % 2], 2 * (x / 4) + 1 + (x % 2)) for x in range(30)]
CSV = "x,town,y\n" + "".join(f"{x},{town},{y}\n" for x, town, y in ROWS)
TSV = CSV.replace(",", "\t")
JSONL = "".join(json.dumps(dict(zip(("x", "town", "y"), row, strict=True))) + "\n" for row in ROWS)
FAST = ["-q", "--set", "plots=false", "--set", "train.epochs=20", "--set", "train.stop_gap=null"]


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(zip(("x", "town", "y"), map(list, zip(*ROWS, strict=True)), strict=True))), sink)
    return sink.getvalue()


@pytest.fixture
def stdin(monkeypatch):
    def give(content: str | bytes, *, terminal: bool = False) -> None:
        raw = io.BytesIO(content if isinstance(content, bytes) else content.encode())
        stream = io.TextIOWrapper(raw)
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False) if terminal else None
        monkeypatch.setattr(sys, "stdin", stream)

    return give


@pytest.fixture
def trained(linreg, stdin, tmp_path):
    stdin(CSV)
    assert linreg("train", "-", "--target", "y", *FAST).out == "outputs/run-0001\n"
    return linreg


def parameters(tmp_path, run: str) -> dict:
    return json.loads((tmp_path / "outputs" / run / "metrics.json").read_text())["parameters"]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\xef\xbb\xbf" + CSV.encode(), []),
        (gzip.compress(CSV.encode()), ["--format", "csv"]),
        (TSV.encode(), ["--format", "tsv"]),
        (gzip.compress(TSV.encode()), ["--format", "tsv"]),
        (JSONL.encode(), ["--format", "jsonl"]),
        (parquet(), []),
        (CSV.replace(",", ";").encode("utf-16"), []),
    ],
    ids=["byte order mark", "csv.gz", "tsv", "tsv.gz", "jsonl", "parquet", "utf-16 with semicolons"],
)
def test_what_is_piped_in_trains_as_the_file_does(trained, stdin, tmp_path, content, options):
    stdin(content)
    found = trained("train", "-", "--target", "y", "--name", "other", *options, *FAST)
    assert (found.code, found.out) == (0, "outputs/other-0001\n"), found.err
    assert parameters(tmp_path, "other-0001") == parameters(tmp_path, "run-0001")


def test_objects_that_are_read_as_csv_are_recognised_with_what_reads_them(linreg, stdin):
    stdin(JSONL)
    result = linreg("train", "-", "--target", "y", *FAST)
    assert result.code == 3
    assert result.err.startswith(
        "error: standard input: it looks like JSON; if each line is an object, add --format jsonl"
    )
    stdin(JSONL)
    assert linreg("train", "-", "--target", "y", "--format", "jsonl", *FAST).code == 0


def test_the_run_is_repeated_by_the_same_table_and_says_that_it_has_none(trained, stdin, tmp_path):
    (tmp_path / "rows.csv").write_text(CSV)
    assert trained("train", "rows.csv", "--target", "y", *FAST).code == 0
    assert parameters(tmp_path, "rows-0001") == parameters(tmp_path, "run-0001")
    record = json.loads((tmp_path / "outputs/run-0001/run.json").read_text())
    assert record["data"]["name"] == "standard input"
    config = tmp_path / "outputs/run-0001/config.yaml"
    assert "\n  path: '-'\n" in config.read_text()
    stdin(CSV)
    again = trained("train", "-c", config, "--set", "plots=false")
    assert again.code == 0
    assert "note: the rows come from standard input and are not kept" in again.err
    for name in ("metrics.json", "config.yaml", "predictions.csv"):
        assert (tmp_path / "outputs/run-0002" / name).read_bytes() == (config.parent / name).read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "run"],
        ["train", "--resume", "run-0001", "--set", "train.epochs=40"],
        ["plot", "run", "--kind", "correlation"],
    ],
)
def test_a_command_about_a_run_leaves_standard_input_to_the_next_one(trained, stdin, arguments):
    stdin(CSV)
    result = trained(*arguments)
    assert result.code in (2, 3)
    assert "came from standard input" in result.err
    assert "kept in no file" in result.err
    assert sys.stdin.buffer.read() == CSV.encode()


def test_what_needs_no_rows_works_without_them(trained, stdin, tmp_path):
    stdin("")
    (tmp_path / "rows.csv").write_text(CSV)
    for arguments in (
        ["report", "run", "-o", "r.html"],
        ["export", "run", "--format", "json", "-o", "m.json"],
        ["evaluate", "run", "--data", "rows.csv"],
        ["plot", "run", "--kind", "loss"],
    ):
        assert trained(*arguments).code == 0, arguments


def test_init_inspect_and_explain_read_it_too(linreg, stdin, tmp_path):
    stdin(TSV)
    result = linreg("init", "-", "--target", "y", "--format", "tsv")
    assert (result.code, result.out) == (0, "config.yaml\n")
    text = (tmp_path / "config.yaml").read_text()
    assert '\n  path: "-"\n  format: tsv\n' in text
    assert "linreg train -c config.yaml < TABLE" in text
    for command in ("inspect", "explain"):
        stdin(TSV)
        assert linreg(command, "-c", "config.yaml").code == 0
    stdin(TSV)
    result = linreg("init", "-", "--format", "tsv")
    assert result.err.startswith("error: standard input: say which column to predict: linreg init - --target COLUMN")
    assert result.err.endswith("its columns: x, town, y\n")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", [], "standard input: there is nothing to read; pipe a table into the command, such as with < TABLE"),
        ("x,y\n", [], "standard input: the table has no rows"),
        ("x,y\n1,2\n3\n", [], "standard input, line 3: 1 cell, and the header has 2: '3'"),
        ("%PDF-1.7\n", [], "standard input: not a CSV: the file is a PDF"),
        (parquet(), ["--format", "csv"], "standard input: the first bytes are those of Parquet, and the format is csv"),
        (gzip.compress(b"{}", mtime=0), ["--format", "jsonl"], "standard input: JSON Lines are not read from gzip"),
        ("x,y\n1,2\n", ["--format", "xlsx"], "--format: unknown value 'xlsx'"),
        (
            "x,y\n1,2\n",
            ["-c", "-"],
            "-: a TABLE is trained without a config, and -c names one",
        ),
    ],
)
def test_what_is_refused_names_standard_input(linreg, stdin, tmp_path, content, options, message):
    stdin(content)
    result = linreg("train", "-", "--target", "y", *options, *FAST)
    assert result.code in (2, 3)
    assert result.err.startswith(f"error: {message}"), result.err
    assert "linreg-" not in result.err
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=["full", "quota", "cannot be read"])
def test_a_full_disk_is_not_taken_for_standard_input_that_cannot_be_read(linreg, stdin, tmp_path, monkeypatch, code):
    def failing(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # what an earlier call has found
    monkeypatch.setattr(shutil, "copyfileobj", failing)
    stdin(CSV)
    result = linreg("train", "-", "--target", "y", *FAST)
    full = f"{tmp_path}: no space is left for a copy of standard input; set TMPDIR to a folder on another disk"
    unread = f"standard input: cannot be read: {os.strerror(code)}"
    assert (result.code, result.err) == (3, f"error: {unread if code == errno.EIO else full}\n")
    assert not [*tmp_path.glob(".linreg-*")]


def test_a_config_and_a_table_cannot_both_be_standard_input(linreg, stdin):
    stdin('data: {path: "-", target: y}\n')
    result = linreg("train", "-c", "-")
    assert result.code == 2
    assert "error: standard input:1:14: data.path: standard input is the config (-c -)" in result.err


def test_a_sweep_refuses_it_and_statistics_read_it(linreg, stdin, tmp_path):
    (tmp_path / "c.yaml").write_text('data: {path: "-", target: y, ignore: [town]}\n')
    stdin(CSV)
    result = linreg("sweep", "-c", "c.yaml", "--set", "optimizer.lr=0.1,0.2")
    assert (result.code, "each point of a sweep reads the table" in result.err) == (2, True)
    assert not (tmp_path / "outputs").exists()
    assert linreg("stats", "-c", "c.yaml", "-o", "piped.stats").code == 0
    assert (tmp_path / "piped.stats").is_file()
    assert sys.stdin.buffer.read() == b""


def test_python_reads_no_standard_input(stdin, tmp_path):
    import linreg_cli
    from linreg_cli.errors import DataError

    stdin(CSV)
    with pytest.raises(DataError, match="came from standard input"):
        linreg_cli.train({"data": {"path": "-", "target": "y"}}, outputs=tmp_path)
    assert sys.stdin.buffer.read() == CSV.encode()


def test_a_terminal_is_said_to_be_read(linreg, stdin):
    stdin(CSV, terminal=True)
    result = linreg("train", "-", "--target", "y", *FAST)
    assert (result.code, result.out) == (0, "outputs/run-0001\n")
    assert "note: standard input is a terminal; type or paste the table, and end it with Ctrl-D" in result.err
    stdin("data: {source: synthetic}\n", terminal=True)
    result = linreg("validate", "-")
    assert (result.code, result.out) == (0, "standard input: ok\n")
    assert "standard input is a terminal; type or paste the config" in result.err


def test_a_format_makes_a_file_without_a_suffix_a_table(linreg, tmp_path):
    (tmp_path / "rows.log").write_text(TSV)
    (tmp_path / "rows.csv").write_text(CSV)
    assert linreg("train", "rows.log", "--target", "y", "--format", "tsv", *FAST).code == 0
    assert linreg("evaluate", "rows.log").code == 0
    one = linreg("predict", "rows.log", "--data", "rows.log", "--format", "tsv", "-o", "p.csv")
    two = linreg("predict", "rows.log", "--data", "rows.csv", "--format", "csv", "-o", "q.csv")
    assert (one.code, two.code) == (0, 0)
    assert (tmp_path / "p.csv").read_text() == (tmp_path / "q.csv").read_text()
    for arguments in (
        ["train", "rows.csv", "--target", "y", "--format", "tsv"],
        ["predict", "rows.log", "--data", "rows.csv", "--format", "tsv", "-o", "r.csv"],
    ):
        result = linreg(*arguments)
        assert result.code == 2
        assert "tsv is not the format of the file, whose name ends in .csv; leave" in result.err


def test_lines_of_json_are_read_from_a_file_without_a_suffix(linreg, tmp_path):
    (tmp_path / "rows").write_text(JSONL)
    assert linreg("train", "rows", "--target", "y", "--format", "jsonl", *FAST).code == 0


def test_stdout_has_the_format_that_is_named(trained, stdin, tmp_path):
    (tmp_path / "rows.csv").write_text(CSV)
    plain = [line.split(",") for line in trained("predict", "run", "--data", "rows.csv").out.splitlines()]
    tabs = trained("predict", "run", "--data", "rows.csv", "--format", "tsv", "-o", "-").out
    assert [line.split("\t") for line in tabs.splitlines()] == plain
    stdin(JSONL)
    lines = trained("predict", "run", "--data", "-", "--format", "jsonl").out.splitlines()
    assert [float(json.loads(line)["prediction"]) for line in lines] == [float(row[-1]) for row in plain[1:]]
    made = trained("generate-data", "-o", "-", "--format", "jsonl", "--set", "data.n_samples=3").out.splitlines()
    assert [list(json.loads(line)) for line in made] == [["x1", "x2", "y"]] * 3
    result = trained("generate-data", "-o", "g.csv", "--format", "csv")
    assert (result.code, "it is for '-o -'" in result.err) == (2, True)

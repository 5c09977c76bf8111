"""`-` is stdin for a table and a config and stdout for a result; a result has the format that its name promises."""

import io
import os
import sys
import threading
from pathlib import Path

import pytest

CONFIG = "name: a\nplots: false\ndata: {source: inline, columns: [x, y], rows: [[1, 2], [2, 4], [3, 7]]}\n"


@pytest.fixture
def trained(linreg, config_file):
    assert linreg("train", "-c", config_file(CONFIG), "-q").code == 0
    return linreg


@pytest.fixture
def stdin(monkeypatch):
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def fed(pipe: Path, content: bytes) -> threading.Thread:
    """A named pipe that gives a content once."""
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
    writer.start()
    return writer


def received(pipe: Path, call) -> bytes:
    """What a call writes into a named pipe."""
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    result = call()
    assert result.code == 0, result.err
    reader.join(timeout=60)
    assert pipe.is_fifo()
    return found[0]


def test_a_config_from_stdin(linreg, stdin):
    stdin(CONFIG.encode())
    assert linreg("train", "-c", "-", "-q").out == "outputs/a-0001\n"
    stdin(b"data: {source: inlin}\n")
    result = linreg("validate", "-")
    assert (result.code, result.err.splitlines()[0][:30]) == (2, "error: standard input:1:7: dat")
    stdin(CONFIG.encode())
    result = linreg("train", "-c", "-", "-c", "-")
    assert (result.code, "standard input can be read only once" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"x,name\n4,p\n5,q\n", []),
        (b"x\tname\n4\tp\n5\tq\n", ["--format", "tsv"]),
        (b'{"x": 4, "name": "p"}\n{"x": 5, "name": "q"}\n', ["--format", "jsonl"]),
    ],
)
def test_a_table_from_stdin_and_predictions_to_stdout(trained, stdin, tmp_path, content, options):
    (tmp_path / "t.csv").write_bytes(b"x,name\n4,p\n5,q\n")
    expected = trained("predict", "a", "--data", "t.csv").out
    assert expected.startswith("x,name,prediction\n4,p,")
    own = trained("predict", "a", "--data", "t.csv", *options).out if options else expected
    assert options or own == expected
    for out in ([], ["-o", "-"], ["-o", "/dev/stdout"]):
        stdin(content)
        result = trained("predict", "a", "--data", "-", *options, *out)
        assert (result.code, result.out, result.err) == (0, own, "")
    stdin(content)
    assert trained("predict", "a", "--data", "-", *options, "-o", "p.csv").code == 0
    assert (tmp_path / "p.csv").read_text() == expected
    assert not (tmp_path / "-").exists()


def test_a_table_from_a_pipe_and_predictions_into_one(trained, tmp_path):
    fed(tmp_path / "in.tsv", b"x\ty\n4\t1\n")
    assert trained("evaluate", "a", "--data", "in.tsv", "--json").json["data"]["n"] == 1
    fed(tmp_path / "in", b"x\n4\n")
    written = received(tmp_path / "out", lambda: trained("predict", "a", "--data", "in", "-o", "out"))
    assert written.startswith(b"x,prediction\n4,")


def test_errors_call_standard_input_by_its_name(trained, stdin, tmp_path):
    for content, message in (
        (b"z\n4\n", "standard input: the table lacks columns that the run needs: x; it has z"),
        (b"x\n4\nfour\n", "standard input, row 2, column 'x'"),
        (b"", "standard input: "),
    ):
        stdin(content)
        result = trained("predict", "a", "--data", "-", "-o", "p.csv")
        assert result.code == 3
        assert result.err.startswith("error: standard input")
        assert message in result.err
        assert "/tmp" not in result.err.replace(str(tmp_path), "")
        assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "a", "--data", "-", "--format", "cvs"], "unknown value 'cvs'; did you mean 'csv'?"),
        (["predict", "a", "--data", "t.csv", "--format", "tsv", "-o", "p.csv"], "tsv is not the format of the file"),
        (["evaluate", "a", "--format", "csv"], "there is none"),
        (["evaluate", "a", "--junit", "-"], "standard output has the results of the command; name a file"),
        (["evaluate", "a", "--junit", "gates.json"], "the results of gates are not written as .json"),
        (["train", "-c", "config.yaml", "--junit", "-"], "standard output has the results of the command"),
        (["report", "a", "-o", "report.pdf"], "reports are not written as .pdf; the name must end in .html or .htm"),
        (["report", "a", "-o", "-", "--json"], "--json and -o - both write to standard output"),
        (["predict", "a", "--data", "t.csv", "-o", "-", "--json"], "both write to standard output"),
        (["generate-data", "-o", "/dev/stdout", "--json"], "both write to standard output"),
        (["plot", "a", "-o", "-"], "pictures do not go into one file; choose one with --kind"),
        (["plot", "a", "-o", "loss.png"], "-o is a folder"),
        (["predict", "a", "--data", "t.csv", "-o", "p.xlsx"], "unknown file format"),
    ],
)
def test_what_cannot_be_is_refused(trained, tmp_path, arguments, message):
    (tmp_path / "t.csv").write_text("x\n4\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = trained(*arguments)
    assert (result.code, message in result.err) == (2, True), result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_every_result_can_go_to_stdout(trained, tmp_path):
    page = trained("report", "a", "-o", "-")
    assert (page.code, page.out[:15], page.out.rstrip()[-7:]) == (0, "<!doctype html>", "</html>")
    picture = trained("plot", "a", "--kind", "loss", "--format", "svg", "-o", "-")
    assert (picture.code, "</svg>" in picture.out) == (0, True)
    table = trained("generate-data", "-o", "-", "--set", "data.n_samples=5")
    assert (table.code, len(table.out.splitlines()), table.out[:8]) == (0, 6, "x1,x2,y\n")
    written = received(tmp_path / "p.tsv", lambda: trained("generate-data", "-o", "p.tsv"))
    assert written.startswith(b"x1\tx2\ty\n")
    assert not [path.name for path in tmp_path.iterdir() if path.name in ("-", "data") or "truth" in path.name]


def test_a_table_has_the_form_that_its_suffix_names(trained, tmp_path):
    (tmp_path / "t.tsv").write_text("x\tname\n4\tp, q\n")
    assert trained("predict", "a", "--data", "t.tsv", "-o", "p.csv").code == 0
    assert (tmp_path / "p.csv").read_text().startswith('x,name,prediction\n4,"p, q",')
    assert trained("predict", "a", "--data", "p.csv", "-o", "q.tsv").code == 0
    assert (tmp_path / "q.tsv").read_text().startswith("x\tname\tprediction\tprediction_2\n")
    assert trained("predict", "a", "--data", "t.tsv").out.startswith("x,name,prediction\n")
    (tmp_path / "t.jsonl").write_text('{"x": 4, "name": "p;q"}\n')
    assert trained("predict", "a", "--data", "t.jsonl", "-o", "j.CSV").code == 0
    assert (tmp_path / "j.CSV").read_text().startswith("x,name,prediction\n4,p;q,")


def test_the_metrics_of_stdin_are_not_said_to_be_of_a_temporary_file(linreg, stdin, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n0,1\n1,3\n2,5\n")
    assert linreg("train", "t.csv", "--target", "y", "--set", "plots=false").code == 0
    stdin((tmp_path / "t.csv").read_bytes())
    found = linreg("evaluate", "t", "--data", "-", "--json").json
    assert found["train_reason"] == "the metrics are of standard input, as data"

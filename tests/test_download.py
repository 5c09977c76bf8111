"""Tables at an address, from a server on this machine that misbehaves in every way."""

import contextlib
import hashlib
import http.server
import itertools
import os
import threading
from types import SimpleNamespace

import pytest

from linreg_cli.data.tables import download

TABLE = b"x,y\n" + b"".join(b"%d,%d\n" % (x, 2 * x + 1) for x in range(10))
DIGEST = hashlib.sha256(TABLE).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """The path says how it behaves."""

    requests = itertools.count()

    def do_GET(self):
        next(type(self).requests)
        kind = self.path.split("/")[1]
        if kind in ("once", "ever"):
            self.send_response(302)
            self.send_header("Location", "/good/t.csv" if kind == "once" else "/ever/t.csv")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif kind in ("missing", "broken"):
            self.send_error({"missing": 404, "broken": 500}[kind])
        else:
            body = TABLE[:-2] + b"2\n" if kind == "other" else TABLE
            self.send_response(200)
            if kind == "huge":
                self.send_header("Content-Length", self.path.split("/")[2])
            elif kind not in ("unsaid", "endless"):
                self.send_header(
                    "Content-Length", str({"long": 2, "short": 0.5}.get(kind, 1) * len(body)).split(".")[0]
                )
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the other side has had enough
                self.wfile.write(body)
                while kind == "endless":
                    self.wfile.write(b"9,9\n" * 10_000)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv(download.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(download, "TIMEOUT", (2.0, 2.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


@pytest.fixture
def train(linreg, config_file, server):
    def call(kind, digest=DIGEST, *more):
        config = config_file(
            f"name: t\ndata: {{path: '{server}/{kind}/t.csv', target: y, sha256: {digest}}}\nplots: false\n"
        )
        return linreg("train", "-c", config, "--quiet", *more)

    return call


@pytest.mark.parametrize("kind", ["good", "once", "unsaid"])
def test_a_table_is_downloaded_once_and_kept_under_its_digest(train, tmp_path, kind):
    assert (train(kind).code, train(kind).code) == (0, 0)
    before = next(Server.requests)
    result = train(kind, DIGEST.upper())
    assert (result.code, result.err) == (0, "")
    assert next(Server.requests) == before + 1  # nobody asked
    assert (tmp_path / "cache" / DIGEST / "t.csv").read_bytes() == TABLE


def test_a_run_says_its_address_and_repeats_from_it(train, linreg, tmp_path):
    assert train("good").code == 0
    config = tmp_path / "outputs" / "t-0001" / "config.yaml"
    assert "/good/t.csv" in config.read_text()
    assert linreg("train", "-c", config, "--quiet").code == 0
    assert linreg("evaluate", "t-0001").code == 0


def test_a_file_that_was_changed_in_the_cache_is_downloaded_again(train, tmp_path):
    assert train("good").code == 0
    kept = tmp_path / "cache" / DIGEST / "t.csv"
    kept.write_bytes(b"x,y\n1,1\n")
    assert train("good").code == 0
    assert kept.read_bytes() == TABLE


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ever", "cannot be downloaded: more than 3 redirects; give the address of the file itself"),
        ("missing", "cannot be downloaded: the server responded with 404 Not Found"),
        ("broken", "cannot be downloaded: the server responded with 500 Internal Server Error"),
        ("long", "cannot be downloaded: the connection was closed before the whole file was received"),
        ("short", "the file is not the expected one: its SHA-256 digest is"),
        ("other", f"and data.sha256 is {DIGEST}; nothing was cached"),
    ],
)
def test_a_server_that_misbehaves_is_a_data_error_and_leaves_nothing(train, server, tmp_path, kind, message):
    result = train(kind)
    assert result.code == 3, result.err
    assert result.err.startswith(f"error: {server}/{kind}/t.csv: ")
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(("kind", "limit"), [("unsaid", 20), ("endless", 1_000_000)])
def test_an_answer_without_end_is_cut_off(train, tmp_path, monkeypatch, kind, limit):
    monkeypatch.setattr(download, "MAX_BYTES", limit)
    result = train(kind)
    assert result.code == 3
    assert f"the response is longer than {limit:,} bytes" in result.err
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


TERABYTES = 10_000_000_000_000


@pytest.mark.parametrize(
    ("length", "free", "message"),
    [
        (TERABYTES, 2 * TERABYTES, "the server announces 10,000,000,000,000 bytes, and at most 68,719,476,736 are"),
        (10**40, 2 * TERABYTES, "and at most 68,719,476,736 are downloaded"),
        (60 << 30, 30 << 30, "and the disk of the cache has room for 32,195,477,504; set LINREG_CACHE to a folder"),
        (1 << 20, 1 << 20, "the server announces 1,048,576 bytes, and the disk of the cache has room for 0;"),
    ],
)
def test_a_huge_length_is_refused_before_anything_is_received(train, tmp_path, monkeypatch, length, free, message):
    """The room is what is free less 16 MiB: 30 * 2^30 - 2^24 = 32,195,477,504."""
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    result = train(f"huge/{length}")
    assert (result.code, result.out) == (3, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    assert not (tmp_path / "outputs").exists()


def test_an_answer_of_unknown_length_leaves_room_on_the_disk(train, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=(16 << 20) + 1_000_000))
    assert "the response is longer than 1,000,000 bytes" in train("endless").err
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_nobody_at_the_address(linreg, config_file, tmp_path, monkeypatch):
    monkeypatch.setenv(download.CACHE, str(tmp_path / "cache"))
    config = config_file(f"data: {{path: 'http://127.0.0.1:9/t.csv', target: y, sha256: {DIGEST}}}\n")
    result = linreg("train", "-c", config)
    assert result.code == 3
    assert "http://127.0.0.1:9/t.csv: cannot be downloaded: no connection" in result.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written(train, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o555)
    result = train("good")
    assert result.code == 3
    assert "set LINREG_CACHE to a folder" in result.err


def test_a_cache_that_is_a_file(train, tmp_path):
    (tmp_path / "cache").write_text("")
    result = train("good")
    assert result.code == 3
    assert "cannot be cached in" in result.err


def test_an_address_needs_a_digest(linreg, config_file):
    result = linreg("validate", config_file("data: {path: 'https://example.org/t.csv', target: y}\n"))
    assert result.code == 2
    assert "data.path: an address needs data.sha256, the digest that the downloaded file must have" in result.err


def test_prediction_reads_files_only(train, linreg):
    assert train("good").code == 0
    result = linreg("predict", "t", "--data", "http://127.0.0.1:9/t.csv")
    assert result.code == 3
    assert "an http(s) address is allowed only in a config" in result.err

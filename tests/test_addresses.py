"""User name, password, signature of an address are in the `config.yaml` of the run, for its owner, and nowhere else."""

import base64
import hashlib
import http.server
import json
import stat
import threading

import pytest

from linreg_cli.addresses import has_secrets, without_secrets
from linreg_cli.errors import DataError, Fault

TABLE = b"x,y\n" + b"".join(b"%d,%d\n" % (x, 2 * x + x % 3) for x in range(10))
DIGEST = hashlib.sha256(TABLE).hexdigest()
SECRETS = ("us3r", "hunter2", "0123abcd4567", "tok-en", "fr-ag")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://us3r:hunter2@host/t.csv", "https://***@host/t.csv"),
        ("HTTPS://us3r@host:8080/t.csv", "HTTPS://***@host:8080/t.csv"),
        ("https://us3r:hun@ter2@host/t.csv", "https://***@host/t.csv"),
        ("https://us3r:hun/ter2@host/t.csv", "https://***@host/t.csv"),
        ("https://us3r:hun ter2'@host/t.csv", "https://***@host/t.csv"),
        ("https://host/t.csv?X-Amz-Signature=0123abcd4567&X-Amz-Date=1", "https://host/t.csv?***"),
        ("https://host/t.csv?sv=1&sig=a%2Fb%3D, row 3", "https://host/t.csv?***, row 3"),
        ("https://host/t.csv?token=ab'cd\"ef", "https://host/t.csv?***"),
        ("https://host/t.csv#fr-ag", "https://host/t.csv#***"),
        ('{path: "https://us3r:hunter2@host/t.csv?a=b", target: y}', '{path: "https://***@host/t.csv?***", target: y}'),
        ("data.path=https://us3r:hunter2@host/t.csv", "data.path=https://***@host/t.csv"),
        ("s3://KEY:SECRET@bucket/t.csv and ftp://u:p@h/x", "s3://***@bucket/t.csv and ftp://***@h/x"),
        ("https://us3r:hunter2@[::1]:80/t.csv", "https://***@[::1]:80/t.csv"),
        ("https://host:8080/a@b/t.csv", "https://host:8080/a@b/t.csv"),
        ("is it us3r:hunter2@host?", "is it us3r:hunter2@host?"),  # no address
    ],
)
def test_what_is_shown_of_an_address(text, shown):
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown
    assert has_secrets(text) == (text != shown)


def test_no_error_holds_a_secret():
    address = "https://us3r:hunter2@host/t.csv?sig=0123abcd4567"
    error = DataError([Fault(f"cannot read {address}", address, f"path: {address}")])
    assert not any(secret in str(error) + repr(error.faults) for secret in SECRETS)


class Server(http.server.BaseHTTPRequestHandler):
    """Gives the table to whoever has the password and the signature."""

    def do_GET(self):
        allowed = "Basic " + base64.b64encode(b"us3r:hunter2").decode()
        good = self.headers.get("Authorization") == allowed and "X-Amz-Signature=0123abcd4567" in self.path
        self.send_response(200 if good else 403)
        self.send_header("Content-Length", str(len(TABLE) if good else 0))
        self.end_headers()
        self.wfile.write(TABLE if good else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_run_keeps_the_secrets_of_its_address_to_its_config(linreg, host, tmp_path, monkeypatch):
    address = f"http://us3r:hunter2@{host}/t.csv?X-Amz-Signature=0123abcd4567&token=tok-en#fr-ag"
    sets = ["--set", f"data={{path: '{address}', target: y, sha256: {DIGEST}}}", "--set", "name=a"]
    sets += ["--set", "train.epochs=2", "--set", "optimizer.lr=0.001"]
    monkeypatch.setattr("sys.argv", ["linreg", "train", *sets])
    (tmp_path / "empty.yaml").write_text("{}\n")
    outputs = tmp_path / "outputs"
    config, changed = outputs / "a-0001" / "config.yaml", address.replace("token=tok-en", "token=other")
    said = ""
    done = (
        ["train", "-c", "empty.yaml", *sets, "--verbose", "--junit", "j.xml"],
        ["train", "-c", config, "--json"],
        ["train", "--resume", "a-0001", "--set", "train.epochs=3", "--verbose"],
        ["train", "--resume", "a-0001", "-c", config, "--set", f"data.path={changed}", "--set", "train.epochs=4"],
        ["evaluate", "a-0001", "--json"],
        ["inspect", "-c", config, "--json"],
        ["validate", config],
        ["runs", "list", "--json"],
        ["runs", "show", "a-0001", "--json"],
        ["runs", "diff", "a-0001", "a-0002", "--csv"],
        ["report", "a-0001", "-o", "r.html"],
        ["report", "a-0001", "a-0002"],
        ["plot", "a-0001", "--format", "svg"],
    )
    refused = (
        ["predict", "a-0001", "--data", address],
        [
            "train",
            "-c",
            config,
            "--set",
            f"data.path={address.replace('Amz', 'amz')}",
            "--set",
            "data.sha256=" + "1" * 64,
        ],
        ["train", "-c", config, "--set", f"data.path={address}", "--set", "data.sha256=" + "0" * 64],
        ["train", "-c", config, "--set", f"data.path=[{address}]"],
        ["train", "-c", config, "--set", f"data.paht={address}"],
        ["train", "-c", config, "--set", f"train.device={address}"],
        ["train", "-c", address],
    )
    for arguments in (*done, *refused):
        result = linreg(*arguments)
        assert (result.code == 0) == (arguments in done), (arguments, result.err)
        assert result.code in (0, 2, 3)
        said += result.out + result.err
    assert f"http://***@{host}/t.csv?***" in said
    assert json.loads((outputs / "a-0001" / "run.json").read_text())["data"]["name"] == f"http://***@{host}/t.csv?***"
    assert [secret for secret in SECRETS if secret in said] == []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name == "config.yaml":
            assert "hunter2" in path.read_text()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        elif path.is_file():
            assert [secret for secret in SECRETS if secret.encode() in path.read_bytes()] == [], path


def test_a_config_without_secrets_has_the_usual_mode(linreg, config_file, tmp_path):
    text = "name: a\nplots: false\ndata: {source: inline, columns: [x, y], rows: [[1, 2], [2, 4], [3, 7]]}\n"
    config = config_file(text)
    assert linreg("train", "-c", config, "-q").code == 0
    assert (tmp_path / "outputs" / "a-0001" / "config.yaml").stat().st_mode == config.stat().st_mode


def test_the_line_of_an_error_is_shown_without_the_secret_and_with_a_caret(linreg, config_file):
    line = f"data: {{path: 'https://us3r:hunter2@host/t.csv?sig=0123abcd4567', target: y, sha256: {DIGEST}, tarket: z}}"
    result = linreg("validate", config_file(line + "\n"))
    assert (result.code, "^" in result.err) == (2, True)
    assert [secret for secret in SECRETS if secret in result.err] == []

"""A run in TensorBoard and MLflow, read back by their own readers, and what trackers never do: fail or delay it."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pyarrow.csv as pcsv
import pytest
import yaml
from conftest import REPOSITORY

from linreg_cli.config.load import load_config
from linreg_cli.config.source import ConfigText
from linreg_cli.remedies import flow
from linreg_cli.trackers import content, track

TABLE = "x,town,y\n" + "".join(f"{x},{'ab'[x % 2]},{2 * x + x % 2 + x % 3 / 10}\n" for x in range(24))
CONFIG = """
name: houses
plots: false
data: {path: t.csv, target: y, split: {train: 0.75, test: 0.25}}
preprocess: {standardize: true, categorical: one_hot}
optimizer: {lr: 0.1}
train: {epochs: 6, batch_size: full, device: cpu, dtype: float64}
"""
needs = {
    name: pytest.mark.skipif(find_spec(name) is None, reason=f"needs {name}") for name in ("tensorboard", "mlflow")
}


@pytest.fixture
def train(linreg, tmp_path, config_file):
    (tmp_path / "t.csv").write_text(TABLE)
    path = config_file(CONFIG)
    return lambda *options: linreg("train", "-c", path, *options)


@pytest.fixture
def installed(monkeypatch):
    """As if the packages were installed; without them the process of a tracker ends at their import."""
    monkeypatch.setattr(track, "find_spec", lambda name: name)


@needs["tensorboard"]
def test_tensorboard_reads_one_run_with_the_history(train, tmp_path):
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    assert "TensorBoard" not in train("--set", "track.tensorboard=true").err
    run = tmp_path / "outputs/houses-0001"
    board = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "outputs"))
    board.Reload()
    assert list(board.Runs()) == ["houses-0001"]
    history = pcsv.read_csv(run / "history.csv").to_pydict()
    for tag, column in {
        "loss/train": "train_loss",
        "lr": "lr",
        "parameter/x": "weight:x",
        "parameter/bias": "bias",
    }.items():
        scalars = board.Scalars("houses-0001", tag)
        assert [each.step for each in scalars] == history["step"]
        np.testing.assert_array_equal(np.float32([each.value for each in scalars]), np.float32(history[column]))
        assert np.diff([each.wall_time for each in scalars]).min() >= 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert board.Scalars("houses-0001", "metric/test.rmse")[0].value == pytest.approx(metrics["test"]["rmse"], rel=1e-6)
    session = board.SummaryMetadata("houses-0001", "_hparams_/session_start_info").plugin_data.content
    settings = HParamsPluginData.FromString(session).session_start_info.hparams
    assert settings["optimizer.lr"].number_value == 0.1
    (text,) = board.Tensors("houses-0001", "config")
    assert b"    name: houses\n" in text.tensor_proto.string_val[0]


@needs["tensorboard"]
def test_a_resumed_run_has_one_event_file(train, linreg, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train("--set", "track.tensorboard=true")
    assert linreg("train", "--resume", "houses", "--set", "train.epochs=9").code == 0
    (file,) = (tmp_path / "outputs/houses-0001").glob("*tfevents*")
    events = EventAccumulator(str(file)).Reload()
    assert [each.step for each in events.Scalars("loss/train")] == list(range(10))


@needs["mlflow"]
def test_mlflow_has_settings_metrics_and_artifacts(train, tmp_path):
    before = dict(os.environ)
    result = train("--set", "track.mlflow=sqlite:///ml.db", "-v")
    assert (result.code, dict(os.environ)) == (0, before)
    assert "of experiment houses at sqlite:///ml.db" in result.err
    code = (
        "import json, mlflow; c = mlflow.tracking.MlflowClient('sqlite:///ml.db');"
        "e = c.get_experiment_by_name('houses'); r, = c.search_runs([e.experiment_id]);"
        "h = [(m.step, m.value) for m in c.get_metric_history(r.info.run_id, 'train_loss')];"
        "print(json.dumps([r.info.run_name, r.info.status, r.data.params, r.data.metrics, r.data.tags, h,"
        " [a.path for a in c.list_artifacts(r.info.run_id)]]))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    name, status, params, metrics, tags, losses, artifacts = json.loads(found.stdout)
    run = tmp_path / "outputs/houses-0001"
    assert (name, status, params["optimizer.lr"], params["loss"]) == ("houses-0001", "FINISHED", "0.1", "mse")
    history = pcsv.read_csv(run / "history.csv").to_pydict()
    assert losses == [[epoch, loss] for epoch, loss in zip(history["epoch"], history["train_loss"], strict=True)]
    own = json.loads((run / "metrics.json").read_text())
    assert metrics["test.rmse"] == own["test"]["rmse"]
    assert metrics["optimum.gap"] == own["optimum"]["gap"]
    assert {tags["linreg.run"], tags["linreg.path"]} == {"houses-0001", str(run)}
    assert {"config.yaml", "metrics.json", "model.safetensors", "run.json"} <= set(artifacts)


@needs["mlflow"]
@pytest.mark.parametrize("listens", [True, False], ids=["never answers", "refuses"])
def test_an_address_that_does_not_answer_is_a_warning(train, tmp_path, monkeypatch, listens):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if listens:
            monkeypatch.setattr(track, "PATIENCE", 2.0)
        else:
            server.close()
        result = train("--set", f"track.mlflow=http://ann:geheim@127.0.0.1:{port}", "--json")
    assert result.code == 0
    (warning,) = [each["message"] for each in result.json["warnings"] if each["kind"] == "tracker"]
    assert warning.startswith(f"MLflow at http://127.0.0.1:{port} does not have the run: ")
    assert ("it did not answer for" in warning) == listens
    assert result.json["status"] == "finished"
    assert "geheim" not in result.out + result.err


def test_no_file_has_the_secrets_of_the_address(train, linreg, installed, tmp_path):
    result = train("--set", "track.mlflow=http://ann:geheim@127.0.0.1:1/?token=heimlich")
    assert result.code == 0
    assert "warning: MLflow at http://127.0.0.1:1/ does not have the run: " in result.err
    kept = json.loads((tmp_path / "outputs/houses-0001/run.json").read_text())["warnings"]
    assert [each["message"].partition(": ")[0] for each in kept if each["kind"] == "tracker"] == [
        "MLflow at http://127.0.0.1:1/ does not have the run"
    ], "also for a run that was started with --quiet"
    files = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert not {secret for secret in (b"geheim", b"heimlich") if secret in path.read_bytes()}, path
    assert "mlflow: http://127.0.0.1:1/\n" in (tmp_path / "outputs/houses-0001/config.yaml").read_text()
    more = ("--set", "train.epochs=7", "--set", "track.mlflow=null")
    again = linreg("train", "--resume", "houses", *more)
    assert (again.code, "MLflow" in again.err) == (0, False)


@pytest.mark.parametrize(
    ("setting", "package", "extra"),
    [("track.tensorboard=true", "tensorboard", "tensorboard"), ("track.mlflow=sqlite:///m.db", "sqlalchemy", "mlflow")],
)
def test_a_tracker_that_is_not_installed_is_refused_before_training(
    train, tmp_path, monkeypatch, setting, package, extra
):
    monkeypatch.setattr(track, "find_spec", lambda name: None if name == package else name)
    for more in ((), ("--dry-run",)):
        result = train("--set", setting, *more)
        assert result.code == 2
        assert f"{package} is not installed; install it with: pip install 'linreg[{extra}]'" in result.err
    assert not (tmp_path / "outputs").exists()
    pyproject = (content.__file__.rsplit("/", 3)[0]) + "/pyproject.toml"
    with open(pyproject, encoding="utf-8") as file:
        assert f'\n{extra} = ["' in file.read()


def test_what_is_no_tracking_address_is_refused(train):
    for address in ("./mlruns", "http://", "https:///path", "http://ann:pw@", "sqlite://", "sqlite:///", "host:5000"):
        result = train("--set", f"track.mlflow={address}")
        assert result.code == 2, address
        assert "is no tracking address: a server is http://HOST:PORT, a file sqlite:///mlflow.db" in result.err, address


def test_what_is_a_tracking_address_is_not():
    for address in (
        "http://127.0.0.1:5000", "https://ann:pw@mlflow.example/path?x=1", "sqlite:///a.db", "sqlite:////tmp/a.db",
        "postgresql+psycopg://ann@host/db", "mysql:///db", "databricks", "databricks://profile", "http://[::1]:5000",
    ):  # fmt: skip
        config = {"data": {"path": "t.csv", "target": "y"}, "track": {"mlflow": address}}
        assert load_config([ConfigText("c", flow(config), "c")]).config.track.mlflow == address


def test_a_folder_for_temporary_files_that_is_gone_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    found = track._answer(tmp_path / "child.py", {}, {})
    assert found == f"{tmp_path / 'gone'}: what TMPDIR names is no folder; create it, or set TMPDIR to another one"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import time; print('begun', flush=True); time.sleep(60)", "it did not answer for 1 s"),
        ("import sys; sys.exit('cannot reach http://ann:geheim@host/x')", "cannot reach http://***@host/x"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "its process ended with code -9"),
        ("print('done')", "its process ended with code 0"),
        ("import json, sys; print(json.dumps({'n': len(json.load(sys.stdin)['text'])}))", {"n": 200_000}),
    ],
)
def test_whatever_happens_to_its_process_is_a_reason(tmp_path, monkeypatch, script, message):
    if message == "it did not answer for 1 s":
        monkeypatch.setattr(track, "PATIENCE", 1.0)
    path = tmp_path / "child.py"
    path.write_text(script)
    begun = time.monotonic()
    assert track._answer(path, {"text": "x" * 200_000}, {}) == message
    assert time.monotonic() - begun < 30


def test_a_long_history_is_given_in_evenly_spread_epochs():
    text = "epoch,step,lr,train_loss,seconds\n" + "".join(f"{n},{n},0.1,{1 / (n + 1)},{n}\n" for n in range(50_001))
    epochs = content._epochs(text, 100.0)
    assert len(epochs) == content.MOST_EPOCHS
    assert [epochs[at]["epoch"] for at in (0, -1)] == [0, 50_000]
    assert np.diff([each["epoch"] for each in epochs]).max() <= 26
    assert epochs[-1]["time"] == 50_100.0


def test_numbers_that_are_not_finite_are_left_out():
    (epoch,) = content._epochs("epoch,step,lr,train_loss,gap,seconds\n1,2,0.1,inf,,3\n", 0.0)
    assert epoch["values"] == {"lr": 0.1}


def test_the_page_about_trackers_says_what_is_valid(linreg, tmp_path, config_file):
    """docs/trackers.md: its config is one, and its dvc.yaml trains a run with the files that DVC is to read."""
    page = (REPOSITORY / "docs/trackers.md").read_text(encoding="utf-8")
    ours, dvc = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL))
    (tmp_path / "houses.csv").write_text(TABLE)
    config_file(CONFIG.replace("t.csv", "houses.csv"), "houses.yaml")
    assert load_config(["houses.yaml", ConfigText("the page", json.dumps(ours), "page")]).config.track.tensorboard
    stage = dvc["stages"]["train"]
    assert stage["cmd"][0] == "rm -rf outputs"
    assert linreg(*shlex.split(stage["cmd"][1])[1:]).code == 0
    for path in (*stage["deps"], *stage["metrics"][0], *stage["plots"][0]):
        assert (tmp_path / path).is_file(), path
    (plot,) = stage["plots"][0].values()
    assert {plot["x"], plot["y"]} <= set(
        (tmp_path / "outputs/houses-0001/history.csv").read_text().split("\n")[0].split(",")
    )

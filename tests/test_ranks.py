"""Real processes over loopback: the bits of one process, one error, and runs that survive what kills a process."""

import hashlib
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from thread_ranks import Several

from linreg_cli.cli.launch import launch
from linreg_cli.cli.ranks import end_with, join
from linreg_cli.launched import size_of

CONFIG = """name: r
data: {path: t.csv, target: y}
optimizer: {lr: 0.02, momentum: 0.9}
train: {epochs: 6, batch_size: 4, shards: 5}
plots: false
"""
#: As ranks that torchrun has started, three processes run these plans one after another, the last with an error. Each
#: has the rows of its shards.
PLANS = """
import hashlib, json, os, sys
import numpy as np
from plain_loop import Case
from linreg_cli.errors import DataError, LinregError
from linreg_cli.optim.engines.select import EXECUTORS
from linreg_cli.optim.engines.shard_work import ShardWork
from linreg_cli.optim.engines.shared import serve
from linreg_cli.ranks.group import Ranks
from linreg_cli.data.columns.divided import DividedRows, RowsOfRanks
from linreg_cli.optim.rows import SharedTrainRows, TrainRows
from linreg_cli.ranks.shards import Shards

def fails(*_):
    raise DataError("row 7 is odd", "shard")

def held(number, X, y, weights):
    bounds = Shards(13, 5).bounds
    own = Shards(13, 5).of_ranks(ranks.size)[ranks.rank]
    first, last = bounds[own.start], bounds[own.stop]
    here = [each if each is None else each[first:last].copy() for each in (X, y, weights)]
    ranks.held[number] = DividedRows(*here, bounds[own.start : own.stop + 1] - first, before=int(first))

ranks = Ranks.join(None) if "WORLD_SIZE" in os.environ else None
CASES = [
    ("sharded", Case("mse", "momentum", 4, rows=13, shards=5)),
    ("sharded", Case("huber", "nesterov", 4, rows=13, shards=5, shuffle=False)),
    ("sharded", Case("huber", "plain", 13, rows=13, shards=5)),
    ("sharded", Case("huber", "momentum", 4, rows=13, shards=5, weighted=True)),
    ("sharded", Case("huber", "momentum", 4, rows=13, shards=5, weighted=True, blocks=3, targets=2)),
    ("statistics", Case("mse", "momentum", 13, rows=13, shards=5, weighted=True)),
    ("statistics", Case("mse", "momentum", 13, rows=13, shards=5, targets=2)),
    ("statistics", Case("mse", "momentum", 13, rows=13, shards=5)),
]
tables = [[each if each is None else each.float() for each in (*case.data(), case.weights())] for _, case in CASES]
if ranks is not None:
    tables = [[each if each is None else each.numpy() for each in table] for table in tables]
    kept = [ranks.next_number() for _ in tables]  # what nothing refers to is forgotten
    for number, table in zip(kept, tables):
        held(number, *table)
if ranks is not None and ranks.rank == 2:
    ShardWork.residual_moments = fails
if ranks is not None and ranks.rank:
    try:
        code = serve(ranks)
    except LinregError as error:
        ranks.fail(error)
        code = error.exit_code
    ranks.leave()
    sys.exit(code)
found = []
for number, ((name, case), table) in enumerate(zip(CASES, tables)):
    rows = TrainRows(*table) if ranks is None else SharedTrainRows(RowsOfRanks(*table, ranks, number))
    executor, plan, state = EXECUTORS[name](rows), case.plan(), case.state("float32")
    executor.load(plan)
    losses = executor.run(plan, state, 0, plan.total_steps)
    numbers = [losses, *state.model.parameters(), *state.momentum.values()]
    bits = b"".join(each.detach().numpy().tobytes() for each in numbers)
    found.append(hashlib.sha256(bits + repr(executor.train_loss(plan, state)).encode()).hexdigest())
error = None
if ranks is not None:
    try:
        executor._shared.together("residual_moments", np.zeros((1, 3)), np.zeros(4))
    except LinregError as refused:
        error = [refused.kind, refused.exit_code, str(refused)]
print(json.dumps([found, error]))
"""

#: As ranks that torchrun has started, two processes make a pass over rows, in which one of them fails: rank WRONG.
PASSES = """
import os, sys
import numpy as np
from linreg_cli.data.columns.divided import DividedRows, RowsOfRanks
from linreg_cli.errors import DataError, LinregError
from linreg_cli.optim.engines.shared import serve
from linreg_cli.ranks.group import Ranks

def total(part):
    return float(sum(part.X_nd[at].sum() for at in part.blocks(2)))

def fails(part):
    if os.environ["RANK"] == os.environ["WRONG"]:
        raise DataError("row 7 is odd", "shard")

ranks = Ranks.join(None)
X, y = np.arange(10.0).reshape(5, 2), np.zeros((5, 1))
first, last, ends = [(0, 1, [0, 1]), (1, 5, [0, 2, 4])][ranks.rank]
ranks.held[0] = DividedRows(X[first:last], y[first:last], None, ends, before=first)
try:
    if ranks.rank:
        code = serve(ranks)
    else:
        rows = RowsOfRanks(X, y, None, ranks, 0)
        print(rows.of_parts(total))
        rows.of_parts(fails)
except LinregError as error:
    print(error)
    ranks.fail(error) if ranks.rank else ranks.end(error.exit_code)
    code = error.exit_code
ranks.leave()
sys.exit(code)
"""


@pytest.fixture
def place(tmp_path):
    rows = "".join(f"{row * 0.1:.1f},{row % 3},{2 * row * 0.1 + (row * 7) % 5 * 0.1:.2f}\n" for row in range(13))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def linreg_words(*arguments):
    return [sys.executable, "-m", "linreg_cli", "train", *map(str, arguments)]


def launched(words, place, **variables):
    """(exit code, stdout, stderr) of a launch."""
    environment = {**os.environ, **variables}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def bits(place, run):
    """The model, what is said of it, and the history without the seconds."""
    folder = place / "outputs" / run
    lines = [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]
    at = lines[0].index("seconds")
    history = [line[:at] + line[at + 1 :] for line in lines]
    names = "model.safetensors", "metrics.json", "influence.csv", "predictions.csv"
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names], history


#: In every process of a launch, before its program: rank 0 sends a signal when it has renamed its second checkpoint, so
#: that how fast a process is does not matter. Ranks leave their ids where the launch was not restarted.
AT_THE_SECOND_CHECKPOINT = """
import os, signal, time

rank, replace, left = os.environ.get("RANK"), os.replace, [2]

def stopping(draft, path, **options):
    replace(draft, path, **options)
    left[0] -= os.path.basename(path) == "checkpoint.safetensors"
    if not left[0]:
        left[0] = -1
        TO_DO

if rank is not None and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
    with open("id-" + rank, "w") as file:
        file.write(str(os.getpid()))
    if rank == "0":
        os.replace = stopping
"""
BEFORE_THERE_IS_A_RUN = """
import os, signal

if os.environ.get("RANK") == "0" and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
    os.rename = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
"""
KILL_THE_OTHER = "os.kill(int(open('id-1').read()), signal.SIGKILL)"
#: The launcher passes the signal on, and rank 0 waits for it.
TERMINATE_THE_LAUNCHER = """os.kill(os.getppid(), signal.SIGTERM)
        while signal.getsignal(signal.SIGTERM).__self__.requested is None:
            time.sleep(0.01)"""


def which(place, to_do):
    """Variables with which Python does something at the second checkpoint."""
    (place / "hook").mkdir()
    (place / "hook" / "sitecustomize.py").write_text(AT_THE_SECOND_CHECKPOINT.replace("TO_DO", to_do))
    return {"PYTHONPATH": os.pathsep.join([str(place / "hook"), *sys.path])}


@pytest.fixture
def meeting():
    """Variables by which ranks find each other at a store of this process, whose port is nobody else's."""
    from torch.distributed import TCPStore

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    found = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    yield found | {"GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}
    del store


def test_three_processes_give_the_bits_of_one_and_the_error_of_one_is_that_of_all(tmp_path, meeting):
    tests = os.path.dirname(__file__)

    def process(**variables):
        path = os.pathsep.join([tests, *sys.path])
        environment = {**os.environ, "PYTHONPATH": path, **variables}
        return subprocess.Popen(
            [sys.executable, "-c", PLANS], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )

    alone = process()
    expected, _ = json.loads(alone.communicate(timeout=300)[0])
    ranks = [process(RANK=str(rank), WORLD_SIZE="3", **meeting) for rank in range(3)]
    outputs = [rank.communicate(timeout=300)[0] for rank in ranks]
    found, error = json.loads(outputs[0])
    assert found == expected
    assert len(set(found)) == 8
    assert error == ["data", 3, "shard: row 7 is odd"]
    assert (outputs[1:], ranks[2].returncode) == (["", ""], 3)


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_error_in_a_pass_of_one_process_is_that_of_both(tmp_path, meeting, wrong):
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), "WORLD_SIZE": "2", "WRONG": str(wrong), **meeting}
    environment = {**os.environ, **variables}
    words, options = [sys.executable, "-c", PASSES], {"cwd": tmp_path, "stdout": subprocess.PIPE, "text": True}
    ranks = [subprocess.Popen(words, env=environment | {"RANK": str(rank)}, **options) for rank in range(2)]
    outputs = [rank.communicate(timeout=300)[0].splitlines() for rank in ranks]
    assert outputs[0] == ["[1.0, 14.0, 30.0]", "shard: row 7 is odd"]
    assert [rank.returncode for rank in ranks] == [3, 3]


def test_two_processes_train_the_run_that_its_config_repeats_in_one(linreg, place):
    words = linreg_words(
        "-c", "c.yaml", "--nproc", "2", "--json", "--fail-if", "train.r2 > 0", "--set", "train.shards=null"
    )
    code, out, err = launched(words, place)
    assert code == 5, err
    printed = json.loads(out)
    assert (printed["status"], printed["error"]["kind"]) == ("finished", "gate")
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [
        next(line for line in err.splitlines() if "r-0001: gate 'fail if train.r2 > 0' failed" in line)
    ]
    assert "torch/" not in err, "a line of the launcher's log"
    assert "warning: one process would be faster, since the first process takes every step of such small batches" in err
    record = json.loads((place / "outputs" / "r-0001" / "run.json").read_text())
    assert record["launch"]["processes"] == 2
    assert [each["kind"] for each in record["warnings"]].count("ranks") == 1
    assert "  shards: 8\n" in (place / "outputs" / "r-0001" / "config.yaml").read_text()
    assert linreg("train", "-c", "outputs/r-0001/config.yaml", "--quiet").code == 0
    assert bits(place, "r-0001") == bits(place, "r-0002")


def test_a_table_that_was_read_for_its_config_is_added_up_by_shards(linreg, place):
    (place / "t.csv").write_text("a,b,y\n" + "".join(f"{i**0.5},{i % 7 / 3},{i % 5 / 9 + i}\n" for i in range(60)))
    assert linreg("train", "t.csv", "--target", "y", "--set", "train.shards=3", "--quiet").code == 0
    assert linreg("train", "-c", "outputs/t-0001/config.yaml", "--quiet").code == 0
    assert bits(place, "t-0001") == bits(place, "t-0002")


def test_a_table_that_two_processes_stream_gives_the_bits_of_rows_in_memory(linreg, place):
    options = ["--set", "data.stream=true", "--set", "train.blocks=3", "--set", "train.shuffle=blocks", "--quiet"]
    code, out, err = launched(linreg_words("-c", "c.yaml", "--nproc", "2", *options), place)
    assert (code, out) == (0, os.path.join("outputs", "r-0001") + "\n"), err
    again = ["train", "-c", "outputs/r-0001/config.yaml", "--quiet"]
    assert linreg(*again).code == 0, "one process holds all shards"
    assert linreg(*again, "--set", "data.stream=false").code == 0
    assert bits(place, "r-0001") == bits(place, "r-0002") == bits(place, "r-0003")


def test_a_share_that_the_limit_does_not_hold_is_refused_with_what_would_do(place, monkeypatch):
    from linreg_cli.config import load_config
    from linreg_cli.errors import ConfigError
    from linreg_cli.pipeline.prepare import prepare
    from linreg_cli.pipeline.silent import Silent

    monkeypatch.chdir(place)
    monkeypatch.setattr("linreg_cli.pipeline.streaming.BETWEEN_BYTES", 0)  # more than this small table takes
    (place / "t.csv").write_text("a,y\n" + "".join(f"{row % 7},{row % 5}\n" for row in range(200_000)))
    sets = ["data.stream=true", "data.memory_limit=24MiB", "train.batch_size=20000"]

    def prepared(size, *more):
        loaded = load_config([str(place / "c.yaml")], [*sets, *more])
        if size == 1:
            return prepare(loaded, Silent())
        with Several(size) as ranks:
            return prepare(loaded, Silent(), ranks=ranks)

    with pytest.raises(
        ConfigError, match=r"the rows, their order and what is read with them take .* start 4 processes"
    ):
        prepared(1, "train.shards=8")

    with pytest.raises(ConfigError) as refused:
        prepared(2)
    said = str(refused.value)
    assert "data.memory_limit" in said
    assert "the rows of one of 2 processes, their order and what is read with them take" in said
    assert "start 4 processes" in said
    assert prepared(4).rows.divided.ranks.size == 4
    more = said.rpartition("set data.memory_limit: ")[2].split()[0]
    assert prepared(2, f"data.memory_limit={more}").rows.divided.ranks.size == 2


def test_what_travels_between_processes_is_counted_where_there_are_several(place, monkeypatch):
    from linreg_cli.config import load_config
    from linreg_cli.pipeline.prepare import prepare
    from linreg_cli.pipeline.silent import Silent
    from linreg_cli.pipeline.streaming import BETWEEN_BYTES, share_bytes

    monkeypatch.chdir(place)
    plan = prepare(load_config([str(place / "c.yaml")], ["train.shards=1"]), Silent()).plan
    alone, several = (share_bytes(plan, 3, "float32", processes) for processes in (1, 2))
    assert several - alone == BETWEEN_BYTES  # the one shard is as large


@pytest.mark.parametrize(
    ("loss", "batch", "here", "rows", "said"),
    [
        ("mse", 32, 2, 1_000_000, "the first process takes every step of such small batches"),
        ("huber", None, 2, 1_000_000, "it adds up on all cores of this machine"),
        ("huber", None, 1, 10_000_000, None),
        ("mse", 8_000, 1, 1_000_000, "every step waits for all processes"),
        ("mse", None, 2, 50_000_000, None),
        ("mse", None, 2, 1_000_000, "starting processes takes longer than they save"),
    ],
)
def test_when_and_why_one_process_would_be_faster(monkeypatch, loss, batch, here, rows, said):
    import numpy as np

    from linreg_cli.data.columns.divided import RowsOfRanks
    from linreg_cli.optim.losses import Loss
    from linreg_cli.optim.plan import StepPlan
    from linreg_cli.optim.rows import SharedTrainRows
    from linreg_cli.pipeline.ranks import findings
    from linreg_cli.ranks.group import Ranks
    from linreg_cli.ranks.shards import Shards

    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
    steps = StepPlan(rows, batch or rows, 20, True, 0, Loss(loss), lambda epoch: 0.1, shards=Shards(rows, 8))
    X, y = (np.broadcast_to(np.float32(0), (rows, width)) for width in (8, 1))
    found = findings(steps, SharedTrainRows(RowsOfRanks(X, y, None, Ranks(0, 2, None, None), 0)))
    assert [said in each.message for each in found] == ([] if said is None else [True])


def test_an_interrupted_launch_goes_on_with_another_number_of_processes(linreg, place):
    (place / "c.yaml").write_text(CONFIG.replace("epochs: 6", "epochs: 30, checkpoint_every: 5"))
    words = linreg_words("-c", "c.yaml", "--nproc", "2", "--quiet")
    code, out, err = launched(words, place, **which(place, TERMINATE_THE_LAUNCHER))
    assert (code, out) == (143, ""), err
    said = [line for line in err.splitlines() if not line.startswith("warning: ")]
    path = os.path.join("outputs", "r-0001")
    assert said == [f"error: terminated (SIGTERM); r-0001 is kept, and goes on with: linreg train --resume {path}"]
    assert json.loads((place / "outputs" / "r-0001" / "run.json").read_text())["status"] == "interrupted"
    assert linreg("train", "--resume", "r-0001", "--quiet").code == 0
    assert linreg("train", "-c", "c.yaml", "--quiet").code == 0
    assert bits(place, "r-0001") == bits(place, "r-0002")


def test_a_rank_that_is_killed_is_restarted_by_torchrun_with_the_same_bits(linreg, place):
    (place / "c.yaml").write_text(CONFIG.replace("epochs: 6", "epochs: 30, checkpoint_every: 5"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=2"]
    words = [*torchrun, *linreg_words("-c", "c.yaml", "--quiet")[1:]]
    code, out, err = launched(words, place, **which(place, KILL_THE_OTHER))
    assert (code, out) == (0, os.path.join("outputs", "r-0001") + "\n"), err
    record = json.loads((place / "outputs" / "r-0001" / "run.json").read_text())
    assert (record["status"], len(record["resumed"])) == ("finished", 1)
    assert record["resumed"][0]["step"] > 0
    assert os.listdir(place / "outputs") == ["r-0001"]
    assert linreg("train", "-c", "outputs/r-0001/config.yaml", "--quiet").code == 0
    assert bits(place, "r-0001") == bits(place, "r-0002")


def test_killed_before_there_is_a_run_the_launch_begins_it_once(place):
    """Rank 0 is killed when the first files are whole and not yet the run; the launch must not leave a second run."""
    (place / "c.yaml").write_text(CONFIG)
    (place / "hook").mkdir()
    (place / "hook" / "sitecustomize.py").write_text(BEFORE_THERE_IS_A_RUN)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=2"]
    words = [*torchrun, *linreg_words("-c", "c.yaml", "--quiet")[1:]]
    variables = {"PYTHONPATH": os.pathsep.join([str(place / "hook"), *sys.path])}
    code, out, err = launched(words, place, **variables)
    assert (code, out) == (0, os.path.join("outputs", "r-0001") + "\n"), err
    assert sorted(each.startswith(".linreg-") for each in os.listdir(place / "outputs")) == [False, True]
    record = json.loads((place / "outputs" / "r-0001" / "run.json").read_text())
    assert (record["status"], record.get("resumed")) == ("finished", None)


def torchrun_words(text):
    """What torch's own launcher makes of the words after `torchrun`, with numbers in place of Slurm's variables."""
    from torch.distributed.run import get_args_parser

    words = shlex.split(text.replace("$SLURM_NNODES", "2").replace("\\\n", " "))
    return get_args_parser().parse_args(words[words.index("torchrun") + 1 :])


def test_the_lines_of_the_page_about_processes_and_its_files_are_what_torchrun_and_linreg_read():
    howto = REPOSITORY / "docs" / "howto"
    script, page = (howto / "processes.sbatch").read_text(), (howto / "processes.md").read_text()
    subprocess.run(["bash", "-n", howto / "processes.sbatch"], check=True)
    service, job = yaml.safe_load_all((howto / "processes.k8s.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (line,) = [line for line in page.splitlines() if line.startswith("torchrun ")]
    found = [
        torchrun_words(script[script.index("srun torchrun") :]),
        torchrun_words(line),
        torchrun_words(shlex.join(pod["containers"][0]["command"])),
    ]
    assert {(each.module, each.training_script, each.rdzv_backend) for each in found} == {(True, "linreg_cli", "c10d")}
    assert [each.training_script_args[:2] for each in found] == [["train", "-c"]] * 3
    assert [each.nnodes for each in found] == ["2", "2", "2"] == [str(job["spec"]["completions"])] * 3
    host = f"{job['metadata']['name']}-0.{pod['subdomain']}"  # as Indexed jobs name their pods
    assert found[2].rdzv_endpoint == f"{host}:29500"
    assert pod["subdomain"] == service["metadata"]["name"]


@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({}, 0),
        ({"WORLD_SIZE": "1"}, 0),
        ({"WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "x"}, 1),
        ({"WORLD_SIZE": " 3 "}, 3),
        ({"WORLD_SIZE": "three"}, 0),
        ({"WORLD_SIZE": "000"}, 0),
    ],
)
def test_how_many_processes_there_are(variables, size):
    assert size_of(variables) == size


def test_nproc_in_one_of_several_processes_is_refused(linreg, place, monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    result = linreg("train", "-c", "c.yaml", "--nproc", "2")
    assert (result.code, result.err.startswith("error: --nproc: this is one of several processes already")) == (2, True)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("sweep -c c.yaml --set optimizer.lr=0.01,0.02", "linreg sweep"),
        ("generate-data -c c.yaml -o new.csv", "linreg generate-data"),
        ("stats -c c.yaml -o t.stats", "linreg stats"),
        ("runs list", "linreg runs list"),
    ],
)
def test_what_one_process_does_is_refused_in_each_of_several(linreg, place, monkeypatch, words, name):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = linreg(*words.split())
    said = f"error: WORLD_SIZE: this is one of 2 processes, and each would do all of '{name}' alone"
    assert (result.code, result.out, result.err.startswith(said)) == (2, "", True)
    assert sorted(each.name for each in place.iterdir()) == ["c.yaml", "t.csv"]
    assert linreg("sweep", "--help").code == 0


def test_a_program_that_torchrun_has_started_does_not_train_once_in_each_process(place, monkeypatch):
    import linreg_cli
    from linreg_cli.errors import UsageError

    monkeypatch.chdir(place)
    run = linreg_cli.train("c.yaml", {"train.epochs": 2}, outputs="outputs")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for call in (lambda: linreg_cli.train("c.yaml"), lambda: run.resume({"train.epochs": 3})):
        with pytest.raises(UsageError, match="this is one of 2 processes, and each would train"):
            call()
    assert os.listdir("outputs") == ["r-0001"]
    assert linreg_cli.load_run("r-0001").metrics == run.metrics


def test_the_first_of_the_processes_is_terminated_once_its_launcher_has_ended(monkeypatch):
    parents, sent = iter([7, 7, 1]), []
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "kill", lambda *signal_to: sent.append(signal_to))
    end_with(7, every=0.0)
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert next(parents, None) is None


def test_processes_that_wait_for_each_other_do_not_outlive_their_launcher(monkeypatch):
    """The place where they meet is in the launcher, which is killed while they start."""
    asked, killed = threading.Event(), []
    monkeypatch.setattr("linreg_cli.cli.ranks._launcher", 0)
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setattr(os, "kill", lambda *signal_to: (killed.append(signal_to), asked.set()))
    monkeypatch.setattr("linreg_cli.ranks.group.Ranks.join", lambda launch: asked.wait(60))
    assert join() is True
    assert killed == [(os.getpid(), signal.SIGTERM)]


def test_a_launch_needs_no_folder_that_it_could_leave_when_it_is_killed(tmp_path, monkeypatch):
    seen = []

    def launched_by(config, program):
        config.logs_specs.reify({0: {}, 1: {}})
        return lambda *words: seen.append(os.listdir(tmp_path))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("torch.distributed.launcher.api.elastic_launch", launched_by)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(logging, "disable", lambda _: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert launch(2) == 0
    assert seen == [[]]


def test_a_run_without_shards_is_not_resumed_by_several_processes(linreg, place):
    from linreg_cli.config import load_config
    from linreg_cli.errors import ConfigError, StoreError
    from linreg_cli.pipeline.ranks import divided, resumed_by
    from linreg_cli.ranks.group import Ranks

    loaded = load_config([str(place / "c.yaml")], [])
    without = load_config([str(place / "c.yaml")], ["train.shards=null"]).config
    several, one = Ranks(0, 6, None, None), Ranks.alone()
    assert resumed_by(several, loaded.config, "r-0001") is several
    assert resumed_by(one, without, "r-0001") is None
    with pytest.raises(StoreError, match=r"no train\.shards"):
        resumed_by(several, without, "r-0001")
    with pytest.raises(ConfigError, match="5 shards cannot be divided among 6 processes"):
        divided(loaded, loaded.config, several)
    assert divided(loaded, without, one).train.shards == 8
    assert divided(loaded, without, None) is without


@pytest.mark.parametrize("count", [0, 1, 3])
def test_numbers_are_sent_as_their_bytes_whatever_the_stride_of_a_single_one(count):
    import torch

    from linreg_cli.ranks.group import _bytes

    values = np.ascontiguousarray(np.arange(5.0)[2 : 2 + count][:, None])
    assert count != 1 or np.arange(5.0)[2:3][:, None].strides[1] == 0
    sent = _bytes(torch.from_numpy(values))
    assert sent.numpy().tobytes() == values.tobytes()
    sent.fill_(0)
    assert not values.any(), "in their place"

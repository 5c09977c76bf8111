"""`linreg train` that fails, diverges, misses a gate or descends badly: exit code, reason, and what is left on disk."""

import json

import pytest
import test_cli_train
import yaml
from conftest import CONFIGS
from safetensors import safe_open
from test_cli_train import FILES, names

from linreg_cli.errors import Interrupted
from linreg_cli.runs.store import RunFolder

# Fixtures of test_cli_train.py: pytest finds them by their names in this module.
small = test_cli_train.small

FAILURES = {
    "usage": (["--frob"], 2, "usage"),
    "config": (["--set", "optimizer.lr=-1"], 2, "config"),
    "no such table": (["--set", "data.source=table", "--set", "data.path=no.csv", "--set", "data.target=y"], 3, "data"),
    "diverged": (["--set", "optimizer.lr=1e30", "--set", "train.epochs=20"], 4, "diverged"),
    "gate": (["--fail-if", "train.r2 > -1e9"], 5, "gate"),
    "store": (["--outputs", "small.yaml"], 6, "store"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_has_its_exit_code_an_error_line_and_a_json_object(linreg, small, tmp_path, case):
    arguments, code, kind = FAILURES[case]
    # The refusal of a rate that must diverge comes before training; `--force` is not needed to see exit code 4.
    plain = linreg("train", "-c", small, *arguments)
    assert plain.code == code
    assert plain.messages[0].startswith("error: ")
    assert "Traceback" not in plain.err
    result = linreg("train", "-c", small, "--json", *arguments)
    assert result.code == code
    assert result.json["error"].keys() >= {"kind", "message", "where"}
    assert result.json["error"]["kind"] == kind
    if code in (2, 3, 6):
        assert not (tmp_path / "outputs").exists()


def test_a_run_that_diverges_keeps_its_last_finite_state_and_publishes_no_model(linreg, small, tmp_path):
    result = linreg("train", "-c", small, "--set", "optimizer.lr=10", "--set", "train.epochs=500", "--force") \
        if "--force" in linreg("train", "--help").out \
        else linreg("train", "-c", small, "--set", "optimizer.lr=10", "--set", "train.epochs=500")  # fmt: skip
    assert result.code == 4
    run = tmp_path / "outputs" / "small-0001"
    of_the_model = {"metrics.json", "model.safetensors", "predictions.csv", "influence.csv", "inference.safetensors"}
    assert names(run) == FILES - of_the_model
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "diverged"
    assert "diverged at step" in record["error"]
    with safe_open(run / "checkpoint.safetensors", "pt") as checkpoint:
        for key in checkpoint.keys():  # noqa: SIM118
            assert bool(checkpoint.get_tensor(key).isfinite().all())


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ("test.r2 >= 2", "test.r2 is "),
        ("test.mae < 0", "test.mae is "),
        ("parameters.bias == -1e9", "parameters.bias is "),
    ],
)
def test_a_gate_that_fails_fails_a_complete_run(linreg, small, tmp_path, gate, reason):
    result = linreg("train", "-c", small, "--set", f"gates=['{gate}']", "--json")
    assert result.code == 5
    assert result.err.splitlines()[-1].startswith(f"error: small-0001: gate '{gate}' failed: {reason}")
    assert result.json.keys() == {"run", "path", "status", "metrics", "seconds", "warnings", "data", "truth", "error"}
    assert result.json["error"]["where"] == "small-0001"
    assert names(tmp_path / "outputs" / "small-0001") == FILES
    record = json.loads((tmp_path / "outputs" / "small-0001" / "run.json").read_text())
    assert (record["status"], record["gates"][0]["passed"]) == ("finished", False)


def test_gates_that_hold_are_named_and_the_run_passes(linreg, small):
    result = linreg("train", "-c", small, "--set", "gates=[train.n == 30, seconds < 1e6]", "--fail-if", "test.n > 15")
    assert (result.code, result.messages) == (0, [])
    assert "gate 'train.n == 30' passed (30)" in result.out
    assert "gate 'fail if test.n > 15' passed (15)" in result.out


def test_every_gate_that_fails_is_reported(linreg, small):
    result = linreg("train", "-c", small, "--quiet", "--set", "gates=[test.r2 > 2]", "--fail-if", "test.n == 15")
    assert (result.code, result.out) == (5, "outputs/small-0001\n")
    assert len(result.err.splitlines()) == 2


def test_a_complete_run_that_is_resumed_still_meets_its_gates(linreg):
    linreg("train", "-c", CONFIGS / "smoke.yaml")
    result = linreg("train", "--resume", "smoke", "--fail-if", "test.r2 > 0.5", "--json")
    assert (result.code, result.json["error"]["kind"], result.json["status"]) == (5, "gate", "finished")
    assert linreg("train", "--resume", "smoke", "--fail-if", "test.r2 < 0.5").code == 0


def test_a_resumed_run_meets_the_conditions_that_it_began_with(linreg, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("linreg_cli.pipeline.results.evaluate", _interrupted)
        begun = linreg("train", "-c", CONFIGS / "smoke.yaml", "--fail-if", "test.r2 > 0.5")
    assert begun.code == 130
    resumed = linreg("train", "--resume", "smoke")
    assert (resumed.code, "gate 'fail if test.r2 > 0.5' failed" in resumed.err) == (5, True)
    longer = linreg("train", "--resume", "smoke", "--set", "train.epochs=4", "--fail-if", "test.r2 < 0.5")
    assert longer.code == 0
    assert "gate 'fail if test.r2 < 0.5' passed" in longer.out


def test_the_config_of_a_run_is_written_once_and_again_when_it_goes_on_with_more_epochs(linreg, tmp_path, monkeypatch):
    written, write = [], RunFolder.write

    def recorded(run, name, *rest, **more):
        written.append(name)
        write(run, name, *rest, **more)

    monkeypatch.setattr(RunFolder, "write", recorded)
    assert linreg("train", "-c", CONFIGS / "smoke.yaml").code == 0
    config = tmp_path / "outputs" / "smoke-0001" / "config.yaml"
    epochs = yaml.safe_load(config.read_text())["train"]["epochs"]
    assert written.count("config.yaml") == 1
    assert linreg("train", "--resume", "smoke", "--set", f"train.epochs={epochs + 1}").code == 0
    assert written.count("config.yaml") == 2
    assert yaml.safe_load(config.read_text())["train"]["epochs"] == epochs + 1


def _interrupted(*_):
    raise Interrupted("interrupted", 130)


def test_a_start_that_is_too_large_is_told_as_that(linreg):
    start = ("train", "-c", CONFIGS / "points.yaml", "--set")
    result = linreg(*start, "model.init.weight=1e39", "--set", "train.dtype=float32")
    assert (result.code, "1e+39 overflows float32; start from smaller values" in result.err) == (2, True)
    result = linreg(*start, "model.init.weight=1e200")
    assert result.code == 4
    assert "the loss is inf before the first step; start from smaller values (model.init)" in result.err
    assert "last finite state" not in result.err


RISING = """
data: {source: synthetic, n_samples: 200, bias: 0, weights: {a: 1, b: 100}, noise_std: 0.1,
       features: {a: {normal: [0, 1]}, b: {normal: [0, 0.01]}}}
train: {epochs: 20, batch_size: full, dtype: float64}
plots: false
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # near the limit, 1.65: the double root of a heavy ball, which grows for dozens of steps before it shrinks
        ("optimizer: {lr: 1.64, momentum: 0.96}", "momentum 0.96 lets the loss rise before it falls"),
        # from the truth itself, which is nearer to the optimum than the noise of two rows leaves a run
        (
            "optimizer: {lr: 0.02}\nmodel: {init: {weight: [1, 100], bias: 0}}\ntrain: {batch_size: 2}",
            "noise of batches",
        ),
    ],
)
def test_a_loss_that_rose_under_a_stable_rate_is_not_blamed_on_it(settings, expected, linreg, config_file):
    files = [config_file(RISING, "a.yaml"), config_file(settings, "b.yaml")]
    result = linreg("train", "-c", files[0], "-c", files[1])
    assert result.code == 0, result.err
    [line] = [line for line in result.err.splitlines() if "the train loss rose" in line]
    assert expected in line
    assert "limit" not in line
    assert "standardize" not in line


def test_a_gap_that_float32_cannot_certify_is_told_before_training(linreg, config_file):
    config = config_file(RISING + "optimizer: {lr: auto}\n")
    asked = ("train", "-c", config, "--set", "train.stop_gap=1e-13", "--set", "train.dtype=float32")
    assert "train.stop_gap: 1e-13 can never be certified: the rounding error of float32" in linreg(*asked).err
    assert "never be certified" not in linreg(*asked, "--set", "train.dtype=float64").err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("optimizer: {weight_decay: 1.0, lr: 0.01}\ntrain: {epochs: 50}", "the penalty of the weight decay"),
        (
            "loss: huber\nhuber_delta: 0.01\noptimizer: {lr: 50}\ntrain: {epochs: 3}",
            "the learning rate is too high for this run",
        ),
    ],
)
def test_a_loss_that_rose_is_not_put_down_to_rounding(settings, expected, linreg, config_file):
    base = (
        "data: {source: inline, columns: [x, y], rows: [[1, 1], [2, 2.1], [3, 2.9], [4, 4.2]]}\n"
        "model: {init: {weight: [1.04], bias: -0.05}}\ntrain: {batch_size: full}\nplots: false\n"
    )
    result = linreg("train", "-c", config_file(base, "a.yaml"), "-c", config_file(settings, "b.yaml"))
    [line] = [line for line in result.err.splitlines() if "the train loss rose" in line]
    assert expected in line
    assert "rounding" not in line

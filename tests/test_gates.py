"""Gates: comparisons that a run must pass."""

import math

import pytest

from linreg_cli.gates import check_gates

METRICS = {
    "train": {"r2": 0.95, "n": 800, "loss": None},
    "validation": None,
    "test": {"r2": 0.9, "mse": math.inf, "flag": True, "word": "x"},
    "parameters": {"weights": {"sqft": 1.0, "sqft.living": 280.0, "a": -2.0}, "bias": 4.2},
    "seconds": 1.5,
}


@pytest.mark.parametrize(
    ("gate", "holds"),
    [
        ("test.r2 >= 0.9", True),
        ("test.r2 > 0.9", False),
        ("test.r2 <= 0.9", True),
        ("test.r2 < 0.9", False),
        ("test.r2 == 0.9", True),
        ("test.r2 != 0.9", False),
        ("train.n>=8e2", True),
        ("seconds < 1.50001", True),
        ("parameters.weights.a < -1.5", True),
        ("parameters.weights.sqft.living > 100", True),  # a name with a dot, beside its beginning
        ("parameters.bias == 4.2", True),
        ("test.flag == 1", True),
    ],
)
def test_a_gate_and_its_opposite(gate, holds):
    [must, must_not] = check_gates([gate], [gate], METRICS)
    assert (must.passed, must_not.passed) == (holds, not holds)
    assert must.gate == gate
    assert must_not.gate == f"fail if {gate}"
    failed = must_not if holds else must
    assert failed.measured is not None
    assert failed.reason.startswith(gate.replace(">=", " ").split()[0] + " is ")
    assert (must if holds else must_not).reason == ""


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("test.r3", "there is no metric test.r3; did you mean test.r2?"),
        ("test.r2.more", "there is no metric test.r2.more; did you mean test.r2?"),
        ("validation.r2", "there is no metric validation.r2: validation is undefined"),
        ("validation", "validation is undefined"),
        ("train.loss", "train.loss is undefined"),
        ("test", "test is a group of metrics; there is test.r2, test.mse, test.flag, test.word"),
        ("test.mse", "test.mse is inf"),
        ("test.word", "test.word is x"),
    ],
)
@pytest.mark.parametrize("operator", ["<", ">", "=="])
def test_what_cannot_be_compared_fails_either_way(metric, reason, operator):
    for result in check_gates([f"{metric} {operator} 1"], [f"{metric} {operator} 1"], METRICS):
        assert not result.passed
        assert result.measured is None
        assert result.reason == reason


def test_every_gate_is_checked_in_order():
    results = check_gates(["test.r2 > 1", "test.r2 > 0"], ["train.r2 < 0.5"], METRICS)
    assert [(result.gate, result.passed) for result in results] == [
        ("test.r2 > 1", False),
        ("test.r2 > 0", True),
        ("fail if train.r2 < 0.5", True),
    ]


def test_a_failed_gate_leaves_a_complete_run_and_exits_with_5(linreg, config_file, tmp_path):
    config = config_file("data: {source: synthetic}\ngates: ['train.r2 > 2', 'train.mae < 0']\nplots: false\n")
    result = linreg("train", "-c", config, "--json", "--fail-if", "train.n > 10")
    assert result.code == 5
    assert result.json["error"]["kind"] == "gate"
    assert [fault["message"].split(" failed: ")[0] for fault in result.json["error"]["faults"]] == [
        "gate 'train.r2 > 2'",
        "gate 'train.mae < 0'",
        "gate 'fail if train.n > 10'",
    ]
    assert result.json["status"] == "finished"
    assert (tmp_path / result.json["path"] / "model.safetensors").exists()

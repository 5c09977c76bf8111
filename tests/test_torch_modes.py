"""What a program has set of torch does not enter the results of a call of Python, and is as it was afterwards."""

import contextlib
import threading

import numpy as np
import pytest
import torch

import linreg_cli
from linreg_cli import estimator
from linreg_cli.torch_modes import own_torch


@contextlib.contextmanager
def short_products(of):
    """Products of float32 from numbers in bfloat16, by one of torch's two interfaces, which must not be mixed."""
    libraries = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
    if of == "both":
        torch.set_float32_matmul_precision("medium")
    else:
        for each, value in zip(libraries, ("tf32", "bf16"), strict=True):
            each.fp32_precision = value
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")
        for each in libraries:
            each.fp32_precision = "none"


MODES = {
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "another device": lambda: torch.device("meta"),
    "medium precision": lambda: short_products("both"),
    "bfloat16 and TF32": lambda: short_products("each"),
    "all at once": contextlib.ExitStack,
}


@contextlib.contextmanager
def mode(name):
    """A context of one mode, or of all."""
    with contextlib.ExitStack() as stack:
        for key, enter in MODES.items():
            if key == name or (name == "all at once" and key != "bfloat16 and TF32"):
                stack.enter_context(enter())
        yield


def state():
    libraries = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
    return {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "device": torch.get_default_device().type,
        "precision": [each.fp32_precision for each in libraries],
    }


@pytest.fixture(scope="module")
def rows():
    stream = np.random.default_rng(3)
    X = stream.normal(size=(2_000, 64))
    return {**{f"x{place}": each for place, each in enumerate(X.T)}, "y": X.sum(1) + stream.normal(size=2_000)}


def found(rows, folder, engine):
    """The bits of a run, and of its predictions."""
    config = {
        "data": {"target": "y"}, "optimizer": {"lr": 0.05}, "plots": False,
        "train": {"epochs": 2, "batch_size": 64, "engine": engine},
    }  # fmt: skip
    run = linreg_cli.train(config, data=rows, outputs=folder)
    predicted = {name: list(values) for name, values in run.predict(rows).items()}
    return (run.path / "model.safetensors").read_bytes(), run.metrics["train"], predicted


@pytest.mark.parametrize("engine", ["reference", "affine"])
def test_a_run_has_the_same_bits_and_leaves_torch_as_it_was(rows, tmp_path, engine):
    """On a processor with products in bfloat16, autocast made a loss of 55 of one of 1.08, without a word."""
    expected = found(rows, tmp_path, engine)
    for name in MODES:
        with mode(name):
            before = state()
            assert before != PLAIN, name
            assert found(rows, tmp_path, engine) == expected, name
            assert state() == before, name
    assert state() == PLAIN


PLAIN = state()


def test_the_estimator_has_the_same_bits(rows):
    X, y = np.stack([rows[f"x{place}"] for place in range(64)], axis=1), rows["y"]

    def coefficients():
        settings = {"lr": 0.05, "epochs": 2, "batch_size": 64, "engine": "reference"}
        return estimator.SGDLinearRegression(**settings).fit(X, y).coef_.tolist()

    expected = coefficients()
    for name in MODES:
        with mode(name):
            assert coefficients() == expected, name


def test_the_precision_returns_with_the_last_of_several_calls_at_once():
    """It is that of the process: the first call to end must not take it from the other."""
    entered, leave = threading.Event(), threading.Event()

    def long_call():
        with own_torch():
            entered.set()
            leave.wait(60)

    other = threading.Thread(target=long_call)
    with short_products("both"):
        other.start()
        assert entered.wait(60)
        with own_torch():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "highest"
        leave.set()
        other.join()
        assert torch.get_float32_matmul_precision() == "medium"


def test_a_precision_of_all_libraries_stays_that_of_all():
    """A later change of it still reaches products, as before the call."""
    torch.backends.fp32_precision = "tf32"
    try:
        with own_torch():
            assert torch.backends.cuda.matmul.fp32_precision == "ieee"
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
        torch.backends.fp32_precision = "none"
        assert torch.backends.cuda.matmul.fp32_precision == "none"
    finally:
        torch.backends.fp32_precision = "none"

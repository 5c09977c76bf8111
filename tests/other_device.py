"""A device that is pretended: its tensors are on the CPU, and an operation on tensors of both is an error.

It shows what no run on the CPU shows: a number that was left on the other device, or is read from there without a copy.
It says nothing about the time or the bits of a real one. It is called `meta`, the only other device that every build of
torch knows. `OtherDevice` is a dispatch mode of torch; `Elsewhere` are the tensors that it gives.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from linreg_cli.pipeline.prepare import resolved_config as of_device

DEVICE = torch.device("meta")

#: Operations that take tensors of both devices.
COPIES = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}


class Elsewhere(Tensor):
    """A tensor of the device."""

    @staticmethod
    def __new__(cls, held: Tensor):
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return Tensor._make_wrapper_subclass(cls, held.size(), **layout, dtype=held.dtype, device=DEVICE)

    def __init__(self, held: Tensor) -> None:
        self.held = held

    def __repr__(self) -> str:
        return f"Elsewhere({self.held})"

    @classmethod
    def __torch_dispatch__(cls, operation, types, arguments=(), keywords=None):
        return called(operation, arguments, keywords or {})


class OtherDevice(TorchDispatchMode):
    """A context in which tensors can be made on the device."""

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        return called(operation, arguments, keywords or {})


def called(operation, arguments, keywords):
    """The result of an operation, on the device where its tensors are, or that it names."""
    here, there = [], {}

    def held(value):
        if isinstance(value, Elsewhere):
            there[id(value.held)] = value
            return value.held
        if isinstance(value, Tensor) and value.dim():  # a number of the CPU may be taken anywhere
            here.append(value)
        return value

    arguments, keywords = tree_map(held, (arguments, dict(keywords)))
    asked = keywords.get("device")
    is_there = bool(there) if asked is None else torch.device(asked) == DEVICE
    if here and there and operation not in COPIES:
        raise AssertionError(f"{operation}: tensors of two devices")
    if asked is not None and (there or is_there):
        keywords["device"] = torch.device("cpu")
    result = operation(*arguments, **keywords)
    if operation is torch.ops.aten.copy_.default:  # in place: what was given is given back, wherever it is
        return there.get(id(arguments[0]), arguments[0])

    def back(value):
        if not isinstance(value, Tensor) or not is_there:
            return value
        return there[id(value)] if id(value) in there else Elsewhere(value)

    return tree_map(back, result)


@contextlib.contextmanager
def other_device(monkeypatch, free: int = 2**40) -> Iterator[None]:
    """A block in which a run has the device, whatever `train.device` names but the CPU.

    Args:
        monkeypatch: of the test.
        free: bytes that the device says are free.
    """

    def resolved(name, *, shards=False):
        return torch.device("cpu") if name == "cpu" or (shards and name == "auto") else DEVICE

    def resolved_config(config, device, *others):  # no config may name the device
        return of_device(config, torch.device("cuda") if device == DEVICE else device, *others)

    with monkeypatch.context() as patch, OtherDevice():
        patch.setattr("linreg_cli.pipeline.prepare.resolve_device", resolved)
        patch.setattr("linreg_cli.pipeline.prepare.resolved_config", resolved_config)
        for module in ("linreg_cli.convergence.on_disk", "linreg_cli.pipeline.streaming"):
            patch.setattr(f"{module}.free_on", lambda device: None if device.type == "cpu" else free)
        patch.setattr("linreg_cli.optim.transfer.copy", _copy)
        for module in ("windows", "parts"):
            patch.setattr(f"linreg_cli.optim.engines.{module}.pool", _Now)
        yield


def _copy(pairs, onto):
    assert onto == DEVICE
    for source, target in pairs:
        assert (type(source), type(target)) == (Tensor, Elsewhere)
        target.copy_(source)


class _Now:
    """A pool whose work is done by the thread that gives it: a mode is that of a thread."""

    def __init__(self, purpose, threads):
        pass

    def submit(self, function, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done

    def map(self, function, arguments):
        return map(function, arguments)

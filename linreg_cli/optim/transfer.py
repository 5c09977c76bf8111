"""Rows on their way from the memory of the process to the device that trains on them.

What is copied to CUDA lies in pinned memory, which the device fetches by itself, in a stream of its own: a thread waits
for the copy while the device takes steps from other rows.
"""

import os
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from linreg_cli.errors import EngineError
from linreg_cli.launched import local_rank
from linreg_cli.remedies import setting


def memory(shape: Sequence[int], dtype: torch.dtype, onto: torch.device | None) -> Tensor:
    """Memory of the process for numbers that are copied to a device; its numbers are arbitrary.

    Args:
        shape: of the numbers.
        dtype: of the numbers.
        onto: the device; None: they are used where they are.

    >>> memory((2, 3), torch.float32, torch.device("cpu")).shape
    torch.Size([2, 3])
    """
    return torch.empty(*shape, dtype=dtype, pin_memory=onto is not None and onto.type == "cuda")


def copy(pairs: Sequence[tuple[Tensor, Tensor]], onto: torch.device) -> None:
    """Copy numbers into memory of a device; they are there when it returns.

    Args:
        pairs: what is copied, and to where, of the same shape and dtype.
        onto: the device.

    >>> there = torch.zeros(2)
    >>> copy([(torch.ones(2), there)], torch.device("cpu"))
    >>> there.tolist()
    [1.0, 1.0]
    """
    if onto.type != "cuda":
        for source, target in pairs:
            target.copy_(source)
        return
    stream = _stream(onto)
    # Steps that were asked for before may still read what is overwritten here.
    stream.wait_stream(torch.cuda.default_stream(onto))
    with torch.cuda.stream(stream):
        for source, target in pairs:
            target.copy_(source, non_blocking=True)
    stream.synchronize()


def of_process(name: str) -> torch.device:
    """The device of a name in this process: `cuda` is that of its number among the processes of its machine.

    Args:
        name: as `str` of a `torch.device`; every process of a launch is given the same.

    >>> of_process("cpu")
    device(type='cpu')

    Raises:
        EngineError: if there is no CUDA device here.
    """
    if name != "cuda":
        return torch.device(name)
    count = torch.cuda.device_count()
    if not count:
        raise EngineError(f"a process finds no CUDA device on its machine; set {setting('train.device', 'cpu')}")
    return torch.device("cuda", local_rank(os.environ) % count)


@cache
def _stream(onto: torch.device) -> torch.cuda.Stream:
    """The stream of a device in which rows are copied."""
    return torch.cuda.Stream(onto)  # type: ignore[no-untyped-call]  # torch has no types of it

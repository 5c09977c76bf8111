"""What a program has set of torch: within a call of linreg it is as torch has it when it is imported."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from linreg_cli.process_wide import ProcessWide


@contextlib.contextmanager
def own_torch() -> Iterator[None]:
    """A context in which torch computes gradients, on the CPU unless a device is named, in the dtype of its operands.

    The modes of the caller's thread are gradients switched off, inference, autocast to a shorter dtype, and the default
    device. The precision of products of float32, such as TF32, is that of the whole process. A program that has not
    imported torch has set nothing.

    >>> import torch
    >>> with torch.no_grad(), own_torch():
    ...     torch.is_grad_enabled()
    True
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with contextlib.ExitStack() as modes:
        modes.enter_context(_IEEE.held())
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                modes.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":  # a mode costs time in every call of torch
            modes.enter_context(torch.device("cpu"))
        yield


def _ieee() -> Callable[[], None]:
    """Have products of float32 be products of float32; returns what restores their precision."""
    import torch

    try:
        of_both: str | None = torch.get_float32_matmul_precision()
    except RuntimeError:  # it is set for each library on its own
        of_both = None
    backends: tuple[Any, ...] = torch.backends.cuda, torch.backends.mkldnn
    libraries = [each.matmul for each in backends]
    before = [each.fp32_precision for each in libraries]
    torch.set_float32_matmul_precision("highest")

    def restore() -> None:
        if of_both is not None:
            torch.set_float32_matmul_precision(of_both)
        for each, precision in zip(libraries, before, strict=True):
            each.fp32_precision = "none"  # as `torch.backends` has it for all
            if each.fp32_precision != precision:
                each.fp32_precision = precision

    return restore


_IEEE = ProcessWide(_ieee)

"""Weights and checkpoints as safetensors: plain numbers, nothing that could be executed."""

import json
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from linreg_cli.optim.state import Snapshot
from linreg_cli.optim.stopping import EarlyStopping
from linreg_cli.runs.store import RunFolder

FORMAT = 1
MODEL_FILE = "model.safetensors"
CHECKPOINT_FILE = "checkpoint.safetensors"


def save_model(run: RunFolder, parameters: dict[str, Tensor]) -> None:
    """Write the `state_dict` of the nn.Sequential."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in parameters.items()}
    run.write(MODEL_FILE, save(tensors, metadata={"format": "pt"}))


def load_model(run: RunFolder, n_features: int, n_targets: int) -> dict[str, Tensor]:
    """The `state_dict` of the nn.Sequential, checked against the shape that the run's columns imply.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    tensors = _load(run, MODEL_FILE)
    shapes = {"0.weight": (n_targets, n_features), "0.bias": (n_targets,)}
    right = "0.weight" in tensors and all(tuple(value.shape) == shapes.get(name) for name, value in tensors.items())
    if not right or not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise run.damaged(MODEL_FILE, f"it does not hold a finite weight of shape {shapes['0.weight']}")
    return tensors


def save_checkpoint(run: RunFolder, snapshot: Snapshot, *, epoch: int, stopping: EarlyStopping | None) -> None:
    """Write everything that is needed to go on: parameters, momentum, position, stopping state.

    The order of the rows is a function of the seed and the epoch, so the position stands for the random state.
    """
    tensors = {f"parameter.{name}": value.detach().cpu().contiguous() for name, value in snapshot.parameters.items()}
    tensors |= {f"momentum.{name}": value.detach().cpu().contiguous() for name, value in snapshot.momentum.items()}
    position: dict[str, Any] = {"format": FORMAT, "step": snapshot.step, "epoch": epoch}
    if stopping is not None:
        position["stopping"] = {"best": repr(stopping.best), "best_epoch": stopping.best_epoch}
    # One entry: safetensors writes several in an order of chance, and equal states should be equal files.
    run.write(CHECKPOINT_FILE, save(tensors, metadata={"linreg": json.dumps(position)}))


def _load(run: RunFolder, name: str) -> dict[str, Any]:
    try:
        return dict(load(run.read(name)))
    except (SafetensorError, ValueError, OverflowError) as error:
        raise run.damaged(name, f"it is not safetensors ({error})") from None

"""Weights and checkpoints as safetensors files: numbers only, no pickle, so that loading one cannot execute code."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from linreg_cli.errors import StoreError
from linreg_cli.optim.state import Snapshot
from linreg_cli.optim.stopping import EarlyStopping
from linreg_cli.remedies import training
from linreg_cli.runs.store import RunFolder

#: 2: with digest, history and config; 1 had only parameters, momentum and step.
FORMAT = 2
MODEL_FILE = "model.safetensors"
CHECKPOINT_FILE = "checkpoint.safetensors"
PREVIOUS_FILE = "checkpoint.previous.safetensors"

#: The digest is the SHA-256 of the whole file with these zeros in its place.
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Checkpoint:
    """Everything that resuming needs.

    The row order is a function of the seed and the epoch, so the step alone determines the random state and the
    position within the epoch.

    Attributes:
        snapshot: parameters, momentum buffers and step.
        history: the text of `history.csv` so far.
        seconds: training time so far, in seconds.
        stopping: (best loss, its epoch) of early stopping, or None.
        config: the resolved config.
        fingerprint: of the data, as in `run.json`.
        best: the parameters of the best epoch by early stopping, where it keeps them, or None.
        batches: points of the losses of the batches, shape (n, 2), or None.
    """

    snapshot: Snapshot
    history: str
    seconds: float
    stopping: tuple[float, int] | None
    config: dict[str, Any]
    fingerprint: str
    best: dict[str, Tensor] | None = None
    batches: Tensor | None = None

    def restore_stopping(self, stopping: EarlyStopping) -> None:
        """Set early stopping to the state of the checkpoint, in place."""
        if self.stopping is not None:
            stopping.best, stopping.best_epoch = self.stopping
            stopping.kept = self.best


def save_model(run: RunFolder, parameters: dict[str, Tensor]) -> None:
    """Write `model.safetensors`.

    Args:
        run: the folder.
        parameters: the `state_dict` of the nn.Sequential: `0.weight` (n_targets, n_features), `0.bias` (n_targets,).

    Raises:
        StoreError: if it cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in parameters.items()}
    run.write(MODEL_FILE, save(tensors, metadata={"format": "pt"}))


def load_model(run: RunFolder, n_features: int, n_targets: int) -> dict[str, Tensor]:
    """The `state_dict` of the nn.Sequential from `model.safetensors`.

    Args:
        run: the folder.
        n_features: expected inputs.
        n_targets: expected targets.

    Returns:
        `0.weight` (n_targets, n_features) and, for a model with an intercept, `0.bias` (n_targets,); finite, on the
        CPU, of the training dtype.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    tensors = _tensors(run, MODEL_FILE, run.read(MODEL_FILE))
    shapes = {"0.weight": (n_targets, n_features), "0.bias": (n_targets,)}
    right = "0.weight" in tensors and all(tuple(value.shape) == shapes.get(name) for name, value in tensors.items())
    if not right or not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise run.damaged(MODEL_FILE, f"it has no finite weight of shape {shapes['0.weight']}")
    return tensors


def load_tensors(run: RunFolder, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file of a run, on the CPU.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    return _tensors(run, name, run.read(name))


def save_checkpoint(run: RunFolder, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; the one before it is kept as `checkpoint.previous.safetensors`.

    Raises:
        StoreError: if it cannot be written; the old one is then unchanged.
    """
    snapshot = checkpoint.snapshot
    tensors = {f"parameter.{name}": value.detach().cpu().contiguous() for name, value in snapshot.parameters.items()}
    tensors |= {f"momentum.{name}": value.detach().cpu().contiguous() for name, value in snapshot.momentum.items()}
    tensors |= {f"best.{name}": value.detach().cpu().contiguous() for name, value in (checkpoint.best or {}).items()}
    tensors["history"] = torch.frombuffer(bytearray(checkpoint.history.encode()), dtype=torch.uint8)
    if checkpoint.batches is not None:
        tensors["batches"] = checkpoint.batches.contiguous()
    values: dict[str, Any] = {
        "digest": _NO_DIGEST,  # first, so that no other 64 zeros come before it in the file
        "format": FORMAT,
        "step": snapshot.step,
        "seconds": checkpoint.seconds,
        "stopping": None if checkpoint.stopping is None else [repr(checkpoint.stopping[0]), checkpoint.stopping[1]],
        "fingerprint": checkpoint.fingerprint,
        "config": checkpoint.config,
    }
    # One entry: safetensors writes several in random order, and equal states should give equal files.
    content = save(tensors, metadata={"linreg": json.dumps(values)})
    digest = hashlib.sha256(content).hexdigest()
    run.write(CHECKPOINT_FILE, content.replace(_NO_DIGEST.encode(), digest.encode(), 1), keep=PREVIOUS_FILE)


def load_checkpoint(run: RunFolder) -> tuple[Checkpoint | None, list[str]]:
    """The newest intact checkpoint, or None where none was saved; and a warning for each damaged one.

    Raises:
        StoreError: if there are checkpoints and none of them is intact, or the newest has another format.
    """
    faults: list[StoreError] = []
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        if not run.has(name):
            continue
        try:
            checkpoint = _read(run, name)
        except StoreError as error:
            faults.append(error)
            continue
        used = f"{name} (step {checkpoint.snapshot.step}) is used instead"
        return checkpoint, [f"{fault}; {used}" for fault in faults]
    if faults:
        advice = f"no intact checkpoint is left; {_again(run)}"
        raise StoreError(f"{faults[0].faults[0].message}; {advice}", faults[0].faults[0].where)
    return None, []


def _read(run: RunFolder, name: str) -> Checkpoint:
    content = run.read(name)
    values = _verified(run, name, content)
    tensors = _tensors(run, name, content)
    try:
        stopping = values["stopping"]
        return Checkpoint(
            Snapshot(_named(tensors, "parameter."), _named(tensors, "momentum."), int(values["step"])),
            tensors["history"].numpy().tobytes().decode(),
            float(values["seconds"]),
            None if stopping is None else (float(stopping[0]), int(stopping[1])),
            dict(values["config"]),
            str(values["fingerprint"]),
            _named(tensors, "best.") or None,
            tensors.get("batches"),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise run.damaged(name, f"{type(error).__name__}: {error}") from None


def _verified(run: RunFolder, name: str, content: bytes) -> dict[str, Any]:
    """The metadata of a checkpoint whose digest matches its content."""
    try:
        length = int.from_bytes(content[:8], "little")
        if not 0 < length <= len(content) - 8:
            raise ValueError("it is truncated")
        values = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["linreg"])
        version = values["format"]
        if not isinstance(version, int):
            raise TypeError("format is not an integer")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise run.damaged(name, f"it is not a checkpoint ({type(error).__name__}: {error})") from None
    if version != FORMAT:
        which = "newer than" if version > FORMAT else "older than"
        advice = "upgrade linreg" if version > FORMAT else _again(run)
        message = f"format {version} is {which} format {FORMAT}, which this version resumes from; {advice}"
        raise StoreError(message, str(run.path / name))
    digest = str(values.get("digest"))
    blank = content.replace(digest.encode(), _NO_DIGEST.encode(), 1)
    if len(digest) != 64 or hashlib.sha256(blank).hexdigest() != digest:
        raise run.damaged(name, "its SHA-256 digest does not match its content")
    return dict(values)


def _again(run: RunFolder) -> str:
    return f"train again with '{training(str(run.path / 'config.yaml'), {})}'"


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _tensors(run: RunFolder, name: str, content: bytes) -> dict[str, Any]:
    try:
        return dict(load(content))
    except (SafetensorError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise run.damaged(name, f"it is not a valid safetensors file ({error})") from None

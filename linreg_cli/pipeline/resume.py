"""Taking up a run where it was left: what must be as it was, and where to go on."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from linreg_cli.config import Config, LoadedConfig, load_config
from linreg_cli.config.diagnostics import without_retired
from linreg_cli.errors import ConfigError, DataError, Fault, StoreError
from linreg_cli.files import remove_drafts
from linreg_cli.runs.checkpoint import Checkpoint, load_checkpoint
from linreg_cli.runs.compare import flat
from linreg_cli.runs.config import config_of
from linreg_cli.runs.lock import RunLock, hold
from linreg_cli.runs.record import now
from linreg_cli.runs.store import RunFolder

#: In a config these mean "as linreg thinks best"; a run has decided already.
_OPEN = ("auto",)


#: What a run that goes on has not got yet, or has got anew.
_RESULT = ("seconds", "steps_done", "epochs_done", "stopped", "gates", "error", "digests", "checkpoints", "steps")


@dataclass(frozen=True)
class Resumption:
    """A run that is held by this process and can go on.

    Attributes:
        run: its folder.
        lock: held until released.
        record: `run.json` as the run left it.
        loaded: the config to go on with.
        checkpoint: where to go on; None: at the beginning.
        warnings: what the user should know.
        complete: why there is nothing left to do, or None.
    """

    run: RunFolder
    lock: RunLock
    record: dict[str, Any]
    loaded: LoadedConfig
    checkpoint: Checkpoint | None
    warnings: list[str]
    complete: str | None

    @property
    def step(self) -> int:
        """Steps that are done."""
        return self.checkpoint.snapshot.step if self.checkpoint else 0

    @property
    def seconds(self) -> float:
        """That the run took before, as far as it could say."""
        return float(self.record.get("seconds") or 0)

    def described(self, description: dict[str, Any], command: str) -> dict[str, Any]:
        """What `run.json` says from now on: how the run began, and that it goes on."""
        kept = {key: value for key, value in self.record.items() if key not in _RESULT}
        again = {"at": now(), "step": self.step, "command": command}
        return {**description, **kept, "resumed": [*(self.record.get("resumed") or []), again]}

    def check_data(self, fingerprint: str) -> None:
        """Refuse data that are not those of the run.

        Raises:
            DataError: if the fingerprint is another one.
        """
        before = self.checkpoint.fingerprint if self.checkpoint else (self.record.get("data") or {}).get("fingerprint")
        if fingerprint != before:
            raise DataError(
                f"the data has changed since the run began: its fingerprint was {before} and is now {fingerprint}; "
                "bring the old data back, or begin a new run without --resume",
                self.run.id,
            )


@contextlib.contextmanager
def taken_up(run: RunFolder, files: Sequence[str], overrides: Sequence[str]) -> Iterator[Resumption]:
    """Hold a run and find out where it goes on; let it go at the end.

    Args:
        run: the run.
        files: configs that must say what the run's config says, or none for the run's own.
        overrides: `--set` expressions; only `train.epochs` may differ, and only upwards.

    Raises:
        StoreError: if the run is in use, damaged, or has diverged.
        ConfigError: with every key that differs.
    """
    run.record()  # so that a damaged run is named as such and not locked
    lock = hold(run.path)
    try:
        remove_drafts(run.path)
        yield _resumption(run, lock, run.record(), files, overrides)
    finally:
        lock.release()


def _resumption(
    run: RunFolder, lock: RunLock, record: dict[str, Any], files: Sequence[str], overrides: Sequence[str]
) -> Resumption:
    own = str(run.path / "config.yaml")
    written = config_of(run)
    loaded = load_config(list(files) or [own], overrides, stored=not files)
    checkpoint, warnings = load_checkpoint(run)
    before = _stored(run, checkpoint) if checkpoint else written.config
    config = _agreed(before, loaded, run.id)
    if record["status"] == "diverged":
        raise StoreError(
            "the run has diverged, and going on would only diverge again; begin a new one with a lower optimizer.lr "
            f"or preprocess.standardize: true: linreg train -c {own} --set optimizer.lr=RATE",
            str(run.path),
        )
    if checkpoint is not None:
        _check_shapes(run, checkpoint)
    complete = None
    if record["status"] == "finished":
        if record.get("stopped"):
            complete = f"it was stopped early: {record['stopped']}"
        elif config.train.epochs <= before.train.epochs:
            complete = f"all of its {before.train.epochs:,} epochs are done; raise train.epochs to go on"
        elif checkpoint is None:
            raise StoreError("the run has no checkpoint to go on from", str(run.path))
    return Resumption(
        run, lock, record, LoadedConfig(config, loaded.tree, ()), checkpoint, warnings + _drift(record), complete
    )


def _stored(run: RunFolder, checkpoint: Checkpoint) -> Config:
    try:
        return Config.model_validate(without_retired(_with_tuples(checkpoint.config)))
    except ValidationError:
        raise run.damaged("checkpoint.safetensors", "its config is not one of this version of linreg") from None


def _with_tuples(value: Any) -> Any:
    """JSON has lists where the config has tuples."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(_with_tuples(item) for item in value) if isinstance(value, list) else value


def _check_shapes(run: RunFolder, checkpoint: Checkpoint) -> None:
    snapshot = checkpoint.snapshot
    wrong = set(snapshot.momentum) - set(snapshot.parameters) or "0.weight" not in snapshot.parameters
    if wrong or any(value.shape != snapshot.parameters[name].shape for name, value in snapshot.momentum.items()):
        raise run.damaged("checkpoint.safetensors", "its momentum does not fit its parameters")


def _agreed(before: Config, loaded: LoadedConfig, run_id: str) -> Config:
    """The config of the run, with the epochs of `loaded`.

    Raises:
        ConfigError: with every other difference.
    """
    old, new = flat(before.model_dump(mode="json")), flat(loaded.config.model_dump(mode="json"))
    if "data.path" in new:
        new["data.path"] = str(Path(new["data.path"]).absolute())
    faults = []
    for key in sorted({*old, *new}):
        was, wanted = old.get(key), new.get(key)
        hint = "; it may be raised only" if key == "train.epochs" else ""
        if was == wanted or wanted in _OPEN or (hint and loaded.config.train.epochs > before.train.epochs):
            continue
        faults.append(Fault(f"{key}: the run has {was!r}, and now it is {wanted!r}{hint}", run_id))
    if faults:
        advice = "a run goes on with the config that it began with; begin a new one without --resume"
        raise ConfigError([*faults, Fault(advice, run_id)])
    train = before.train.model_copy(update={"epochs": loaded.config.train.epochs})
    return before.model_copy(update={"train": train})


def _drift(record: dict[str, Any]) -> list[str]:
    """What changes numbers in the last digits and is not as it was when the run began."""
    changed = []
    before = record.get("versions") or {}
    for name, current in (("torch", torch.__version__), ("numpy", np.__version__)):
        if before.get(name) not in (None, current):
            changed.append(f"{name} {before[name]} is now {current}")
    if record.get("threads") not in (None, torch.get_num_threads()):
        changed.append(f"{record['threads']} threads are now {torch.get_num_threads()}")
    if not changed:
        return []
    return [f"{', '.join(changed)}: the run may end with other last digits than without the stop"]

"""Resuming a run: the checks that config and data are unchanged, and the checkpoint to continue from."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from linreg_cli.addresses import is_elsewhere
from linreg_cli.config import Config, LoadedConfig, load_config
from linreg_cli.config.data import TableData
from linreg_cli.config.diagnostics import without_retired
from linreg_cli.config.notes import notes
from linreg_cli.config.source import parse_override
from linreg_cli.convergence.on_disk import streamed, wanted
from linreg_cli.errors import ConfigError, DataError, Fault, StoreError
from linreg_cli.files import remove_drafts
from linreg_cli.findings import Finding
from linreg_cli.gates import ReferenceValue
from linreg_cli.readers import either
from linreg_cli.remedies import flow, setting, training
from linreg_cli.runs.checkpoint import Checkpoint, load_checkpoint
from linreg_cli.runs.compare import flat, varying
from linreg_cli.runs.config import config_of
from linreg_cli.runs.lock import RunLock, hold
from linreg_cli.runs.record import now
from linreg_cli.runs.store import RunFolder

#: Values that leave a choice to linreg; the run has made it, so they agree with any value.
_OPEN = ("auto",)
#: Settings whose null is replaced by what was decided for the run.
_FILLED_IN = ("train.blocks", "train.shards")
#: Settings of `data` that say where rows come from and lie. They change no bit; the fingerprint tells other rows.
_OF_PLACE = ("memory_limit", "path", "stream")
#: Settings that are not compared: those are taken as they are, as are trackers.
_ASIDE = (*(f"data.{key}" for key in _OF_PLACE), "track.")


#: The keys of `run.json` that a resumed run writes again.
_RESULT = (
    "seconds",
    "stages",
    "steps_done",
    "epochs_done",
    "stopped",
    "restored_epoch",
    "gates",
    "error",
    "digests",
    "checkpoints",
    "steps",
)


#: The kind of warnings about a launch; a record has those of the launch that began the run, as `launch` is that one.
_OF_A_LAUNCH = "ranks"
#: Kinds of warnings about how a run began, which one that goes on does not find again.
_OF_THE_START = ("encoding", "left_out", "no_exact_fit", _OF_A_LAUNCH, "stream")


@dataclass(frozen=True)
class Resumption:
    """A run that is locked by this process and can be resumed.

    Attributes:
        run: its folder.
        lock: of the run folder; held until released.
        record: the content of `run.json` before the resume.
        loaded: the config to resume with.
        checkpoint: to continue from; None: from the beginning.
        warnings: of what has changed since the run was started.
        complete: why the run is already complete; None if it is not.
    """

    run: RunFolder
    lock: RunLock
    record: dict[str, Any]
    loaded: LoadedConfig
    checkpoint: Checkpoint | None
    warnings: list[Finding]
    complete: str | None

    @property
    def step(self) -> int:
        """The number of completed steps."""
        return self.checkpoint.snapshot.step if self.checkpoint else 0

    @property
    def seconds(self) -> float:
        """The duration of the run before the resume, as recorded in `run.json`; 0 if it is not."""
        return float(self.record.get("seconds") or 0)

    @property
    def stages(self) -> dict[str, Any]:
        """The stages of the run before the resume, as recorded in `run.json`."""
        found = self.record.get("stages")
        return found if isinstance(found, dict) else {}

    @property
    def fail_if(self) -> list[str]:
        """The conditions of the command line that the run began with; none in a run of an older version."""
        found = self.record.get("fail_if")
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []

    def with_earlier(self, found: list[Finding]) -> list[Finding]:
        """Warnings of a run that goes on: those that it began with, in their order, and what is found only now."""
        earlier = [Finding(str(each["kind"]), str(each["message"])) for each in self.record.get("warnings") or []]
        now = [each for each in found if each.kind != _OF_A_LAUNCH]
        kept = [each for each in earlier if each.kind in _OF_THE_START or each in now]
        return [*kept, *(each for each in now if each not in kept)]

    @property
    def references(self) -> dict[str, ReferenceValue]:
        """What the gates of the run compare with, as looked up when it was started.

        Raises:
            StoreError: if `run.json` is damaged.
        """
        with self.run.reporting_damage("run.json"):
            return {text: ReferenceValue(**each) for text, each in (self.record.get("references") or {}).items()}

    def described(self, description: dict[str, Any], command: str) -> dict[str, Any]:
        """The content of `run.json` from now on: that of the start of the run, and an entry in `resumed`.

        Args:
            description: of this process; keys of the old `run.json` take precedence.
            command: the command line.
        """
        kept = {key: value for key, value in self.record.items() if key not in _RESULT}
        again = {"at": now(), "step": self.step, "command": command}
        return {**description, **kept, "resumed": [*(self.record.get("resumed") or []), again]}

    def check_data(self, fingerprint: str) -> None:
        """Refuse data that differ from those of the run.

        Args:
            fingerprint: of the data now.

        Raises:
            DataError: if it is not the fingerprint of the run.
        """
        before = self.checkpoint.fingerprint if self.checkpoint else (self.record.get("data") or {}).get("fingerprint")
        if fingerprint != before:
            raise DataError(
                f"the data has changed since the run began: its fingerprint was {before} and is now {fingerprint}; "
                f"restore the old data, or start a new run {either('without --resume', 'with linreg_cli.train')}",
                self.run.id,
            )


@contextlib.contextmanager
def taken_up(run: RunFolder, files: Sequence[str], overrides: Sequence[str]) -> Iterator[Resumption]:
    """Lock a run and read its checkpoint; the lock is released at the end of the block.

    Args:
        run: the run.
        files: configs that must agree with that of the run; empty to use that of the run.
        overrides: `--set` expressions; `train.epochs` may be raised, and of the other settings only those of where the
            rows come from and lie (`data.path`, `data.stream`, `data.memory_limit`) may differ.

    Yields:
        The run, ready to be resumed.

    Raises:
        StoreError: if the run is in use or damaged, has no checkpoint, or has diverged.
        ConfigError: with every key that differs.
    """
    run.record()  # raises for a damaged run, before it is locked
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
    checkpoint, damaged = load_checkpoint(run)
    before = _stored(run, checkpoint) if checkpoint else written.config
    named = any(parse_override(each)[0] == ("name",) for each in overrides)
    config = _agreed(before, loaded, run.id, named=named)
    warnings = [Finding("resumed", message) for message in damaged + _drift(record, config)]
    if record["status"] == "diverged":
        raise StoreError(
            "the run has diverged, and would diverge again; start a new one with a lower optimizer.lr or "
            f"{setting('preprocess.standardize', True)}: {training(own, {'optimizer.lr': 'RATE'})}",
            str(run.path),
        )
    if checkpoint is not None:
        _check_shapes(run, checkpoint)
    complete = None
    if record["status"] == "finished":
        if record.get("stopped"):
            complete = f"it was stopped early: {record['stopped']}"
        elif config.train.epochs <= before.train.epochs:
            complete = f"all {before.train.epochs:,} epochs are done; raise train.epochs to continue"
        elif checkpoint is None:
            raise StoreError("the run has no checkpoint to resume from; start a new run", str(run.path))
    noted = tuple(Finding("config", note) for note in notes(config))
    return Resumption(run, lock, record, LoadedConfig(config, loaded.tree, noted), checkpoint, warnings, complete)


def _stored(run: RunFolder, checkpoint: Checkpoint) -> Config:
    try:
        return Config.model_validate(without_retired(_with_tuples(checkpoint.config)))
    except ValidationError:
        raise run.damaged("checkpoint.safetensors", "its config is not valid for this version of linreg") from None


def _with_tuples(value: Any) -> Any:
    """Convert the lists of JSON to the tuples of the config."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(_with_tuples(item) for item in value) if isinstance(value, list) else value


def _check_shapes(run: RunFolder, checkpoint: Checkpoint) -> None:
    snapshot = checkpoint.snapshot
    wrong = set(snapshot.momentum) - set(snapshot.parameters) or "0.weight" not in snapshot.parameters
    shapes = {name: value.shape for name, value in snapshot.parameters.items()}
    if checkpoint.best is not None and {name: value.shape for name, value in checkpoint.best.items()} != shapes:
        raise run.damaged("checkpoint.safetensors", "the shapes of its best parameters are not those of its parameters")
    if wrong or any(value.shape != snapshot.parameters[name].shape for name, value in snapshot.momentum.items()):
        raise run.damaged("checkpoint.safetensors", "the shapes of its momentum buffers do not match its parameters")


def _agreed(before: Config, loaded: LoadedConfig, run_id: str, *, named: bool) -> Config:
    """The config of the run, with the epochs of `loaded`, and with its places of the rows where they are given.

    Args:
        before: the config of the run.
        loaded: what was asked for.
        run_id: of the run.
        named: whether another name was asked for. That of a file is one for new runs, and this one may have been begun
            with another.

    Raises:
        ConfigError: with every other difference.
    """
    placed = _placed(before, loaded, run_id)
    old, new = flat(placed.model_dump(mode="json")), flat(loaded.config.model_dump(mode="json"))
    faults = []
    for key in sorted({*old, *new}):
        if (key == "name" and not named) or key.startswith(_ASIDE):
            continue
        was, asked = old.get(key), new.get(key)
        hint = "; it can only be raised" if key == "train.epochs" else ""
        if (
            was == asked
            or asked in _OPEN
            or (key in _FILLED_IN and asked is None)
            or (hint and loaded.config.train.epochs > before.train.epochs)
        ):
            continue
        faults.append(Fault(f"{key}: the run has {flow(was)}, and now it is {flow(asked)}{hint}", run_id))
    if faults:
        start = either("start a new one without --resume", "start a new one with linreg_cli.train")
        advice = f"a run is resumed with the config that it started with; {start}"
        raise ConfigError([*faults, Fault(advice, run_id)])
    train = before.train.model_copy(update={"epochs": loaded.config.train.epochs})
    return placed.model_copy(update={"train": train, "track": loaded.config.track})


def _placed(before: Config, loaded: LoadedConfig, run_id: str) -> Config:
    """The config of the run, with the settings of where its rows come from and lie that `loaded` names.

    Raises:
        ConfigError: where rows in the order of the run are to stay on the disk, which has no such order.
    """
    given = loaded.config.data
    if not isinstance(given, TableData) or not isinstance(before.data, TableData):
        return before
    named = {key: getattr(given, key) for key in _OF_PLACE if key in given.model_fields_set}
    if given.is_kept and not is_elsewhere(given.path):
        named["path"] = str(Path(given.path).absolute())
    placed = before.model_copy(update={"data": before.data.model_copy(update=named)})
    if wanted(placed) and streamed(placed) != placed:
        changed = varying([flat(config.model_dump(mode="json")) for config in (placed, streamed(placed))])
        order = " and ".join(f"{key}: {flow(was)}" for key, (was, _) in changed)
        why = f"the run began with {order}, and such rows do not stay on the disk; leave it out"
        raise ConfigError([Fault(f"data.stream: {why}", run_id)])
    return placed


def _drift(record: dict[str, Any], config: Config) -> list[str]:
    """A warning for versions and threads that have changed since the run began, which may change the last digits.

    Sums of shards are the same on any number of threads.
    """
    changed = []
    before = record.get("versions") or {}
    for name, current in (("torch", torch.__version__), ("numpy", np.__version__)):
        if before.get(name) not in (None, current):
            changed.append(f"{name} {before[name]} is now {current}")
    if config.train.shards is None and record.get("threads") not in (None, torch.get_num_threads()):
        changed.append(f"{record['threads']} threads are now {torch.get_num_threads()}")
    if not changed:
        return []
    return [f"{', '.join(changed)}: the last digits of the result may differ from those of an uninterrupted run"]

"""What `run.json` says of a run from its start and at its end, and what was chosen for it, in words."""

import contextlib
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from linreg_cli.addresses import without_secrets
from linreg_cli.data.train_moments import standard_deviations
from linreg_cli.errors import DivergedError, Interrupted, OutOfMemoryError, StoreError
from linreg_cli.findings import Finding
from linreg_cli.gates import GateResult
from linreg_cli.optim.fit import Stopped
from linreg_cli.pipeline.prepared import Prepared
from linreg_cli.runs.record import RunRecord, environment
from linreg_cli.runs.references import as_json
from linreg_cli.wording import number, plural


def shown_command(command: Sequence[str]) -> str:
    """A command line for `run.json`, without the secrets of addresses."""
    return shlex.join(map(without_secrets, command))


def description(prepared: Prepared, command: Sequence[str], warnings: Sequence[Finding]) -> dict[str, Any]:
    """What `run.json` says of a run from its start."""
    config, dataset, plan = prepared.config, prepared.dataset, prepared.plan
    return {
        "command": shown_command(command),
        "seed": config.seed,
        "loss": config.loss,
        "target_standardized": config.preprocess.standardize_target,
        "target_transform": config.preprocess.target_transform,
        "target_estimate": config.preprocess.target_estimate,
        "device": config.train.device,
        "dtype": config.train.dtype,
        "lr": {**prepared.chosen.lr.as_json(), "limit": prepared.rate_limit()},
        "momentum": prepared.chosen.momentum.as_json(),
        "engine": prepared.choice.as_json(),
        "warnings": [warning.as_json() for warning in warnings],
        "references": as_json(prepared.references),
        "data": {
            "source": config.data.source,
            "name": dataset.name,
            "fingerprint": prepared.fingerprint,
            "features": list(dataset.features),
            "sources": list(dataset.sources),
            "targets": list(dataset.targets),
            "std": standard_deviations(dataset),
            "stream": prepared.stream.as_json(),
            "rows": {split: len(rows) for split, rows in dataset.splits.items()},
            **(dataset.summary.as_json() if dataset.summary is not None else {}),
        },
        "steps": {
            "per_epoch": plan.steps_per_epoch,
            "total": plan.total_steps,
            "batch_size": plan.batch_size,
        },
        **environment(),
    }


def chosen_in_words(prepared: Prepared) -> list[str]:
    """The settings that were decided for the run, with the reasons, as in `run.json`."""
    plan, chosen, choice = prepared.plan, prepared.chosen, prepared.choice
    return [
        f"device: {prepared.config.train.device}, {torch.get_num_threads()} threads, {prepared.config.train.dtype}",
        f"engine: {choice.executor.name} ({choice.decision.why})",
        f"rate: {number(chosen.lr.value)} ({chosen.lr.why})",
        f"momentum: {number(chosen.momentum.value)} ({chosen.momentum.why})",
        f"steps: {plural(plan.epochs, 'epoch')} of {plan.steps_per_epoch:,}, batches of {plan.batch_size:,} rows",
    ]


def result_of(
    end: Stopped | None, prepared: Prepared, seconds: float, gates: list[GateResult], warnings: list[Finding]
) -> dict[str, Any]:
    """What `run.json` says of a run at its end."""
    step = prepared.state.step
    return {
        "seconds": round(seconds, 6),
        "steps_done": step,
        "epochs_done": step // prepared.plan.steps_per_epoch,
        "stopped": end.reason if end else None,
        "gates": [asdict(gate) for gate in gates],
        "warnings": [warning.as_json() for warning in warnings],
    }


def record_failure(record: RunRecord, error: BaseException, seconds: float, stages: dict[str, Any]) -> None:
    """Write into `run.json` how the run ended. If that fails, too, only the first error is reported."""
    names = {DivergedError: "diverged", Interrupted: "interrupted", KeyboardInterrupt: "interrupted"}
    status = next((name for kind, name in names.items() if isinstance(error, kind)), "failed")
    message = without_secrets(str(OutOfMemoryError() if OutOfMemoryError.is_meant_by(error) else error))
    details = {"diverged": error.details} if isinstance(error, DivergedError) and error.details else {}
    with contextlib.suppress(StoreError):
        record.finish(
            status, seconds=round(seconds, 6), stages=stages, error=message or type(error).__name__, **details
        )

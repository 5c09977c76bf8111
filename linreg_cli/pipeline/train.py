"""The training of a run: `fit`, with the history and the checkpoints in the run folder."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from linreg_cli.addresses import values_without_secrets
from linreg_cli.config import Config, LoadedConfig
from linreg_cli.convergence.auto import chosen_keys
from linreg_cli.convergence.outcome import diverged_error, grown_error, has_diverged, risen_loss
from linreg_cli.convergence.preflight import check_rate
from linreg_cli.convergence.reaching import Reaching
from linreg_cli.data import Dataset
from linreg_cli.errors import ConfigError
from linreg_cli.evaluation.cross_validation import cross_validate
from linreg_cli.evaluation.metrics import Metrics
from linreg_cli.evaluation.smearing import estimating
from linreg_cli.findings import Finding
from linreg_cli.model import LinearFormula, fold_parameters
from linreg_cli.optim.batch_losses import BatchLosses
from linreg_cli.optim.fit import Diverged, Evaluated, Event, SegmentDone, Stopped, fit
from linreg_cli.optim.stopping import Distance
from linreg_cli.optim.trail import Array
from linreg_cli.pipeline.in_memory import early_stopping, remedy, restore_best, trained_in_memory
from linreg_cli.pipeline.prepare import assemble_run
from linreg_cli.pipeline.prepared import Prepared, Reporter
from linreg_cli.runs.checkpoint import Checkpoint, save_checkpoint
from linreg_cli.runs.history import History
from linreg_cli.runs.signals import StopRequests
from linreg_cli.runs.store import RunFolder

#: A checkpoint is saved when at least this many seconds, and at least this many times the duration of the last one,
#: have passed, so checkpoints take less than 1 % of the time of training.
CHECKPOINT_SECONDS, CHECKPOINT_RATIO = 10.0, 100.0


class Training:
    """The training of one run.

    Args:
        prepared: the run before its next step; its state is that of `checkpoint` if there is one.
        run: the folder of the history and the checkpoints.
        fingerprint: of the data.
        checkpoint: to resume from; None for a new run.
        way: what leads to the exact fit, if the run does not.

    Attributes:
        saved: the number of checkpoints (`count`) and the time for saving them (`seconds`).
        warnings: of the result of training.
        restored_epoch: the epoch whose parameters were restored at the end, as the best by early stopping; else None.
    """

    def __init__(
        self,
        prepared: Prepared,
        run: RunFolder,
        fingerprint: str,
        checkpoint: Checkpoint | None,
        way: Callable[[], Reaching],
    ) -> None:
        self._way = way
        self._prepared, self._run, self._fingerprint = prepared, run, fingerprint
        self._stopping, self._monitor = early_stopping(prepared.config)
        self._known = prepared.problem.no_optimum_reason is None
        fold = functools.partial(fold_parameters, preprocessor=prepared.preprocessor)
        self._history = History(prepared.formula(), fold, validation=prepared.has_validation, gap=self._known)
        # Where an epoch is one step, they are the losses of the history.
        plan = prepared.plan
        self._batches = BatchLosses(plan.total_steps) if plan.steps_per_epoch > 1 else None
        self._seconds, self._resumed = 0.0, checkpoint is not None
        if checkpoint is not None:
            self._seconds = checkpoint.seconds
            self._history.restore(checkpoint.history)
            if self._batches is not None and checkpoint.batches is not None:
                self._batches.restore(checkpoint.batches.numpy())
            if self._stopping is not None:
                checkpoint.restore_stopping(self._stopping)
        self._config = values_without_secrets(prepared.config.model_dump(mode="json"))
        self._saved_at, self._cost = time.monotonic(), 0.0
        self.saved: dict[str, Any] = {"count": 0, "seconds": 0.0}
        self.warnings: list[Finding] = []
        self.restored_epoch: int | None = None

    def run(self, stops: StopRequests, reporter: Reporter) -> Stopped | None:
        """Take the steps. The history and a checkpoint are saved however training ends.

        Args:
            stops: signals that end training after the current step.
            reporter: receives events and warnings.

        Returns:
            Why training stopped before its last epoch; None if it did not.

        Raises:
            DivergedError: if a loss is not finite, or the last one is so high that the run has diverged; the checkpoint
                has the last finite state.
            Interrupted: at a signal, after the current step and with everything saved.
        """
        reporter.training(self._prepared.plan, self._run.id)
        end: Stopped | Diverged | None = None
        with stops.deferred():
            for event in self._events():
                reporter.event(event)
                if isinstance(event, Stopped | Diverged):
                    end = event
                elif self._record(event):
                    self._save()
                if stops.requested:
                    break
            self._save()
        if isinstance(end, Diverged):
            raise diverged_error(end, self._prepared.config, self._prepared.problem, str(self._run.path))
        if self._stopping is not None and restore_best(self._prepared.state, self._stopping):
            # After the last checkpoint, so that more epochs go on from the last one.
            self.restored_epoch = self._stopping.best_epoch
        self._check_end(reporter)
        return end

    def _check_end(self, reporter: Reporter) -> None:
        """Raise if the run has diverged, and warn if its loss rose: from its start, also if it was resumed."""
        config, problem, (begun, last) = self._prepared.config, self._prepared.problem, self._history.ends
        if self.restored_epoch is not None:
            last = replace(last, train_loss=self._prepared.loss("train"))
        first = begun.train_loss
        if has_diverged(first, last.train_loss, problem):
            raise grown_error(last, first, config, problem, str(self._run.path))
        if last.train_loss > first:
            self.warnings.append(risen_loss(first, last.train_loss, config, problem, self._way))
            reporter.warn(self.warnings[-1])

    def _events(self) -> Iterator[Event]:
        prepared = self._prepared
        return fit(
            prepared.plan,
            prepared.choice.executor,
            prepared.state,
            validation_loss=(lambda _: prepared.loss("validation")) if prepared.has_validation else None,
            stopping=self._stopping,
            monitor=self._monitor,
            distances=self._distances if self._known else None,
            stop_gap=prepared.config.train.stop_gap,
            resumed=self._resumed,
            seconds=self._seconds,
            batches=self._batches,
        )

    def _record(self, event: Evaluated | SegmentDone) -> bool:
        """Add the event to the history; returns whether a checkpoint is due."""
        self._seconds = event.seconds
        every = None
        if isinstance(event, Evaluated):
            self._history.add(event)
            every = self._prepared.config.train.checkpoint_every
        passed = time.monotonic() - self._saved_at
        return bool(every and event.epoch and event.epoch % every == 0) or passed >= max(
            CHECKPOINT_SECONDS, CHECKPOINT_RATIO * self._cost
        )

    def _save(self) -> None:
        begun, stopping = time.monotonic(), self._stopping
        checkpoint = Checkpoint(
            self._prepared.state.snapshot(),
            self._history.text(),
            self._seconds,
            None if stopping is None else (stopping.best, stopping.best_epoch),
            self._config,
            self._fingerprint,
            stopping.kept if stopping else None,
            None if self._batches is None else torch.from_numpy(self._batches.points()),
        )
        save_checkpoint(self._run, checkpoint)
        self._run.write("history.csv", checkpoint.history)
        if self._batches is not None:
            self._run.write("batches.csv", self._batches.text())
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - begun
        self.saved = {"count": self.saved["count"] + 1, "seconds": round(self.saved["seconds"] + self._cost, 6)}

    def _distances(self, weights: Array, bias: Array | None, losses: Sequence[float]) -> Sequence[Distance | None]:
        certify = self._prepared.config.train.stop_gap is not None
        return self._prepared.problem.distances_of(weights, bias, losses, certify=certify)


def cross_validation(loaded: LoadedConfig, prepared: Prepared, reporter: Reporter) -> Metrics:
    """`cross_validation` of `metrics.json`; empty if `evaluate.cross_validation` is not set.

    Args:
        loaded: the config with the position of each setting.
        prepared: of the run. What `auto` chooses for it is chosen again for each fold, from its train rows.
        reporter: receives progress.
    """
    config = prepared.config
    if config.evaluate.cross_validation is None:
        return {}
    optimizer = config.optimizer.model_copy(update=dict.fromkeys(chosen_keys(config, prepared.problem), "auto"))
    config, number = config.model_copy(update={"optimizer": optimizer}), itertools.count(1)

    def train(fold: Dataset) -> LinearFormula | str:
        reporter.stage(f"cross-validation, fold {next(number)}")
        return _trained(loaded, config, fold)

    return {"cross_validation": cross_validate(prepared.dataset, config, train)}


def _trained(loaded: LoadedConfig, config: Config, fold: Dataset) -> LinearFormula | str:
    """The model of a fold, trained and stopped by the rules of the run; or why there is none."""
    try:
        part = assemble_run(loaded, config, torch.device(config.train.device), fold)
    except ConfigError as error:
        return error.faults[0].message
    if check_rate(part.problem, config).refusal is None and trained_in_memory(part).diverged_in is None:
        return estimating(part.formula(), fold, config)
    return f"training diverges on the other folds. {remedy(part)}"

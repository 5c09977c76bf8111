"""train_run: the whole story of a run, in the order in which it happens."""

import contextlib
import itertools
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from linreg_cli.config import Config, LoadedConfig, dump_config
from linreg_cli.config.schema import TableData
from linreg_cli.config.types import is_address
from linreg_cli.data import SPLITS, Dataset, Preprocessor, load_dataset
from linreg_cli.data.report import DataReport
from linreg_cli.data.write import write_table
from linreg_cli.errors import DivergedError, Interrupted, StoreError
from linreg_cli.evaluate.analysis import Analysis
from linreg_cli.evaluate.auto import Chosen, resolve
from linreg_cli.evaluate.cross_validation import cross_validate
from linreg_cli.evaluate.gates import GateResult, check_gates
from linreg_cli.evaluate.metrics import Metrics, parameters, probe, split_metrics
from linreg_cli.evaluate.pictures import draw_run, write_pictures
from linreg_cli.evaluate.predict import predictions_table
from linreg_cli.evaluate.preflight import check_before_training, diverged_error
from linreg_cli.evaluate.worth import worth
from linreg_cli.model import LinearFormula, build_model, fold, initialise, parameters_of
from linreg_cli.optim.fit import Diverged, Evaluated, Event, Stopped, fit
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.select import Choice, choose, resolve_device
from linreg_cli.optim.state import TrainingState
from linreg_cli.optim.stopping import EarlyStopping
from linreg_cli.runs.atomic import replacing
from linreg_cli.runs.checkpoint import save_checkpoint, save_model
from linreg_cli.runs.history import History
from linreg_cli.runs.record import RunRecord, environment
from linreg_cli.runs.signals import StopRequests
from linreg_cli.runs.store import RunFolder, create_run


class Reporter(Protocol):
    """Where progress goes; the command line shows it on a terminal."""

    def stage(self, text: str) -> None:
        """A new stage begins."""

    def warn(self, text: str) -> None:
        """Something that the user should know."""

    def data(self, report: DataReport) -> None:
        """A table was read."""

    def training(self, plan: StepPlan) -> None:
        """Training begins."""

    def event(self, event: Event) -> None:
        """Something happened in training."""

    def done(self) -> None:
        """Nothing more will be shown."""


@dataclass(frozen=True)
class Prepared:
    """Everything that exists before the first step.

    Attributes:
        config: with the device and the executor that were chosen.
        dataset: the rows.
        preprocessor: learnt on the train split.
        tensors: split -> (X, y) in trained units on the device, for splits with rows.
        plan: the steps.
        state: before the first of them.
        choice: the executor.
        analysis: the optimum and the curvature of the train split, worked out when asked for.
        chosen: the rate and the momentum, and why.
    """

    config: Config
    dataset: Dataset
    preprocessor: Preprocessor
    tensors: dict[str, tuple[Tensor, Tensor]]
    plan: StepPlan
    state: TrainingState
    choice: Choice
    analysis: Analysis
    chosen: Chosen

    def formula(self) -> LinearFormula:
        """The model as it is now, in original units."""
        return fold(self.state.model, self.preprocessor)

    def loss(self, split: str) -> float:
        """The loss of a split as the model is now, in trained units."""
        return self.plan.loss.over(self.state.model, *self.tensors[split])

    def check(self, loaded: LoadedConfig, reporter: Reporter, *, force: bool) -> None:
        """Refuse a run that must diverge, and warn of what may go wrong; see `check_before_training`."""
        found = check_before_training(loaded, self.config, self.analysis, self.plan, self.preprocessor, force=force)
        for warning in found:
            reporter.warn(warning)


@dataclass(frozen=True)
class Outcome:
    """What `train` reports.

    Attributes:
        run: the folder.
        status: as in `run.json`.
        metrics: as in `metrics.json`.
        seconds: from the start of reading to the last file.
        gates: what each gate said.
        stopped: why training ended early, or None.
        pictures: the files drawn.
    """

    run: RunFolder
    status: str
    metrics: Metrics
    seconds: float
    gates: list[GateResult]
    stopped: str | None
    pictures: list[Path]


def prepare(loaded: LoadedConfig, reporter: Reporter) -> Prepared:
    """Read the data, learn the preprocessing, build the model and the plan. Nothing is written.

    Raises:
        ConfigError, DataError: for what only now can be found out.
    """
    config = loaded.config
    try:
        device = resolve_device(config.train.device)
    except ValueError as error:
        raise loaded.error("train.device", str(error)) from None
    reporter.stage("reading the data")
    dataset = load_dataset(config, progress=reporter.stage)
    if dataset.report is not None:
        reporter.data(dataset.report)
    prepared = _assemble(loaded, config, device, dataset)
    try:
        probe(prepared.formula(), config.probe, dataset.encoder)
    except ValueError as error:
        position, message = str(error).split(": ", 1)
        raise loaded.error(f"probe.{position}", message) from None
    options, n_train = config.evaluate.cross_validation, len(dataset.splits["train"])
    if options is not None and options.folds > n_train:
        raise loaded.error("evaluate.cross_validation.folds", f"{options.folds} folds of {n_train} rows to train on")
    return prepared


def _assemble(loaded: LoadedConfig, config: Config, device: torch.device, dataset: Dataset) -> Prepared:
    """Learn the preprocessing from the train split of a dataset, build the model and the plan."""
    preprocessor = Preprocessor.fit(dataset, config.preprocess, bias=config.model.bias)
    dtype = torch.float64 if config.train.dtype == "float64" else torch.float32
    tensors = {}
    for split, rows in dataset.splits.items():
        if len(rows):
            X_nd = preprocessor.features.tensor(dataset.columns, rows, dtype)
            y_nk = preprocessor.targets.tensor(dataset.columns, rows, dtype)
            if split == "train":
                analysis = Analysis.of(config, dataset, X_nd.numpy(), y_nk.numpy())
            tensors[split] = X_nd.to(device), y_nk.to(device)
    model = build_model(len(dataset.features), len(dataset.targets), bias=config.model.bias, dtype=dtype, device=device)
    try:
        initialise(model, config.model.init, config.seed)
    except ValueError as error:
        key, message = str(error).split(": ", 1)
        raise loaded.error(f"model.init.{key}", message) from None
    try:
        chosen = resolve(config, analysis, *parameters_of(model))
    except ValueError as error:
        key, message = str(error).split(": ", 1)
        raise loaded.error(f"optimizer.{key}", message) from None
    plan = StepPlan.from_config(chosen.config, n_samples=len(dataset.splits["train"]))
    try:
        choice = choose(config.train.engine, plan, *tensors["train"])
    except ValueError as error:
        raise loaded.error("train.engine", str(error)) from None
    resolved = _resolved(chosen.config, device, choice)
    return Prepared(resolved, dataset, preprocessor, tensors, plan, TrainingState(model), choice, analysis, chosen)


def train_run(
    loaded: LoadedConfig,
    *,
    outputs: Path,
    reporter: Reporter,
    command: Sequence[str],
    fail_if: Sequence[str] = (),
    force: bool = False,
) -> Outcome:
    """Train, evaluate on every split, draw, and leave a complete run folder.

    Args:
        loaded: the config.
        outputs: where run folders live.
        reporter: where progress goes.
        command: the command line, for the record.
        fail_if: gates beside those of the config.
        force: train even where the rate must diverge.

    Returns:
        What happened; a gate that failed is in it and is no exception.

    Raises:
        ConfigError, DataError, StoreError: before training, with nothing left behind.
        DivergedError: before training, or with the last finite state in the run folder.
        Interrupted: with the state at the interruption in the run folder.
    """
    begun = time.perf_counter()
    with StopRequests() as stops:
        prepared = prepare(loaded, reporter)
        prepared.check(loaded, reporter, force=force)
        run = create_run(outputs, prepared.config.name)
        record = RunRecord(run, _description(prepared, command))
        try:
            run.write("config.yaml", dump_config(prepared.config))
            run.write_json("preprocess.json", prepared.preprocessor.as_json())
            before = probe(prepared.formula(), prepared.config.probe, prepared.dataset.encoder)
            end = _train(prepared, run, stops, reporter)
            if isinstance(end, Diverged):
                raise diverged_error(end, prepared.config, prepared.analysis, str(run.path))
            reporter.stage("evaluating")
            metrics = _evaluate(prepared, run, before, _cross_validate(loaded, prepared, reporter))
            save_model(run, prepared.state.model.state_dict())
            pictures = []
            if prepared.config.plots:
                reporter.stage("drawing the pictures")
                pictures = write_pictures(draw_run(run, (), "png"), run.path / "plots")
            seconds = time.perf_counter() - begun
            gates = check_gates(prepared.config.gates, fail_if, {**metrics, "seconds": seconds})
            record.finish("finished", **_result(end, prepared, seconds, gates))
        except BaseException as error:
            _record_failure(record, error, time.perf_counter() - begun)
            raise
        finally:
            reporter.done()
    return Outcome(run, "finished", metrics, seconds, gates, end.reason if end else None, pictures)


def _resolved(config: Config, device: torch.device, choice: Choice) -> Config:
    """The config that repeats the run from any folder: device, executor and path as they were chosen."""
    train = config.train.model_copy(update={"device": str(device), "engine": choice.executor.name})
    data = config.data
    if isinstance(data, TableData) and not is_address(data.path):
        data = data.model_copy(update={"path": str(Path(data.path).absolute())})
    return config.model_copy(update={"train": train, "data": data})


def _description(prepared: Prepared, command: Sequence[str]) -> dict[str, Any]:
    config, dataset, plan = prepared.config, prepared.dataset, prepared.plan
    return {
        "command": shlex.join(command),
        "seed": config.seed,
        "loss": config.loss,
        "target_standardized": config.preprocess.standardize_target,
        "target_transform": config.preprocess.target_transform,
        "device": config.train.device,
        "dtype": config.train.dtype,
        "lr": prepared.chosen.lr,
        "momentum": prepared.chosen.momentum,
        "engine": {"name": prepared.choice.executor.name, "why": prepared.choice.why},
        "data": {
            "source": config.data.source,
            "name": dataset.name,
            "fingerprint": dataset.fingerprint(),
            "features": list(dataset.features),
            "targets": list(dataset.targets),
            "rows": {split: len(rows) for split, rows in dataset.splits.items()},
            **(dataset.report.as_json() if dataset.report is not None else {}),
        },
        "steps": {
            "per_epoch": plan.steps_per_epoch,
            "total": plan.total_steps,
            "batch_size": plan.batch_size,
        },
        **environment(),
    }


def _train(prepared: Prepared, run: RunFolder, stops: StopRequests, reporter: Reporter) -> Stopped | Diverged | None:
    """Run the plan; the history and a checkpoint are on the disk however it ends."""
    config, state, plan = prepared.config, prepared.state, prepared.plan
    options = config.train.early_stopping
    stopping = EarlyStopping(options.patience, options.min_delta) if options else None
    known = prepared.analysis.no_optimum is None
    history = History(prepared.formula(), validation="validation" in prepared.tensors, gap=known)
    events = fit(
        plan,
        prepared.choice.executor,
        state,
        validation_loss=(lambda _: prepared.loss("validation")) if "validation" in prepared.tensors else None,
        stopping=stopping,
        monitor=options.monitor if options else "train.loss",
        distance=(lambda now, loss: prepared.analysis.distance(*parameters_of(now.model), loss)) if known else None,
        stop_gap=config.train.stop_gap,
    )

    def save() -> None:
        save_checkpoint(run, state.snapshot(), epoch=state.step // plan.steps_per_epoch, stopping=stopping)
        run.write("history.csv", history.text())

    reporter.training(plan)
    end: Stopped | Diverged | None = None
    first: Evaluated | None = None
    with stops.deferred():
        for event in events:
            reporter.event(event)
            if isinstance(event, Evaluated):
                first, last = first or event, event
                history.add(event, prepared.formula() if history.with_parameters else None)
                if config.train.checkpoint_every and event.epoch and event.epoch % config.train.checkpoint_every == 0:
                    save()
            elif isinstance(event, Stopped | Diverged):
                end = event
            if stops.requested:
                break
        save()
    if first is not None and last.train_loss > first.train_loss and not isinstance(end, Diverged):
        reporter.warn(
            f"the train loss rose from {first.train_loss:.6g} to {last.train_loss:.6g}: the learning rate is probably "
            "too large; lower optimizer.lr or set preprocess.standardize: true"
        )
    return end


def _cross_validate(loaded: LoadedConfig, prepared: Prepared, reporter: Reporter) -> Metrics:
    """`cross_validation` for `metrics.json`, where the config asks for it."""
    config = prepared.config
    if config.evaluate.cross_validation is None:
        return {}
    options, number = config.train.early_stopping, itertools.count(1)

    def train(fold: Dataset) -> LinearFormula | None:
        reporter.stage(f"cross-validation, fold {next(number)}")
        part = _assemble(loaded, config, torch.device(config.train.device), fold)
        events = fit(
            part.plan,
            part.choice.executor,
            part.state,
            validation_loss=(lambda _: part.loss("validation")) if "validation" in part.tensors else None,
            stopping=EarlyStopping(options.patience, options.min_delta) if options else None,
            monitor=options.monitor if options else "train.loss",
        )
        diverged = any([isinstance(event, Diverged) for event in events])  # noqa: C419 - every event, to the end
        return None if diverged else part.formula()

    return {"cross_validation": cross_validate(prepared.dataset, config, train)}


def _evaluate(prepared: Prepared, run: RunFolder, before: list[list[float | None]], more: Metrics) -> Metrics:
    """Metrics, predictions and probes of the trained model; writes `metrics.json` and `predictions.csv`."""
    dataset, formula = prepared.dataset, prepared.formula()
    predicted = formula.predict(dataset.columns)
    actual = np.column_stack([dataset.columns[target] for target in dataset.targets])
    metrics: Metrics = dict.fromkeys(SPLITS)
    for split in prepared.tensors:
        rows = dataset.splits[split]
        metrics[split] = split_metrics(dataset.targets, actual[rows], predicted[rows], prepared.loss(split))
    metrics["parameters"] = parameters(formula)
    train_loss = prepared.loss("train")
    metrics |= worth(
        prepared.config, dataset, prepared.preprocessor, prepared.analysis, prepared.state.model, train_loss
    )
    points = prepared.config.probe
    metrics["probe"] = [
        {"input": list(point), "before": old, "after": new}
        for point, old, new in zip(points, before, probe(formula, points, dataset.encoder), strict=True)
    ]
    metrics |= more
    run.write_json("metrics.json", metrics)
    only = dataset.features[0] if len(dataset.features) == 1 else None
    feature = (only, dataset.columns[only]) if only else None
    with replacing(run.path / "predictions.csv") as sibling:
        table = predictions_table(dataset.targets, dataset.splits, actual, predicted, feature)
        write_table(sibling, ".csv", table)
    return metrics


def _result(end: Stopped | None, prepared: Prepared, seconds: float, gates: list[GateResult]) -> dict[str, Any]:
    step = prepared.state.step
    return {
        "seconds": round(seconds, 6),
        "steps_done": step,
        "epochs_done": step // prepared.plan.steps_per_epoch,
        "stopped": end.reason if end else None,
        "gates": [asdict(gate) for gate in gates],
    }


def _record_failure(record: RunRecord, error: BaseException, seconds: float) -> None:
    """Say in `run.json` how the run ended; if even that cannot be written, the first error is the one to show."""
    status = {DivergedError: "diverged", Interrupted: "interrupted"}.get(type(error), "failed")
    message = str(error) or type(error).__name__
    details = {"diverged": error.details} if isinstance(error, DivergedError) and error.details else {}
    with contextlib.suppress(StoreError):
        record.finish(status, seconds=round(seconds, 6), error=message, **details)

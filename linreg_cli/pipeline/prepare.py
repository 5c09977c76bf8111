"""Everything that exists before the first step: rows, tensors, model, plan, executor. Nothing is written."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.data import TableData
from linreg_cli.config.types import is_address
from linreg_cli.convergence.auto import Chosen, resolve
from linreg_cli.convergence.limits import rate_limit
from linreg_cli.convergence.preflight import check_before_training
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor, load_dataset
from linreg_cli.data.summary import DataSummary
from linreg_cli.evaluation.metrics import probe
from linreg_cli.model import LinearFormula, build_model, fold, initialise, parameters_of
from linreg_cli.optim.engines.select import Choice, choose, resolve_device
from linreg_cli.optim.fit import Event
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState


class Reporter(Protocol):
    """Where progress goes; the command line shows it on a terminal."""

    def stage(self, text: str) -> None:
        """A new stage begins."""

    def detail(self, text: str) -> None:
        """Something for a user who wants to know more."""

    def warn(self, text: str) -> None:
        """Something that the user should know."""

    def data(self, summary: DataSummary) -> None:
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
        state: before the first step.
        choice: the executor.
        problem: the plan and the train split; its optimum, curvature and limits are worked out when asked for.
        chosen: the rate and the momentum, and why.
    """

    config: Config
    dataset: Dataset
    preprocessor: Preprocessor
    tensors: dict[str, tuple[Tensor, Tensor]]
    state: TrainingState
    choice: Choice
    problem: Problem
    chosen: Chosen

    @property
    def plan(self) -> StepPlan:
        """The steps."""
        return self.problem.plan

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the data; see `Dataset.fingerprint`."""
        return self.dataset.fingerprint()

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation split."""
        return "validation" in self.tensors

    def formula(self) -> LinearFormula:
        """The model as it is now, in original units."""
        return fold(self.state.model, self.preprocessor)

    def loss(self, split: str) -> float:
        """The loss of a split as the model is now, in trained units."""
        return self.plan.loss.over(self.state.model, *self.tensors[split])

    def rate_limit(self) -> dict[str, Any] | None:
        """How the rate stands to its limit, for `run.json`; see `limits.rate_limit`."""
        return rate_limit(self.problem, self.config.optimizer.schedule, self.problem.rule)

    def check(self, loaded: LoadedConfig, reporter: Reporter, *, force: bool) -> None:
        """Refuse a run that must diverge, and warn of what may go wrong; see `check_before_training`."""
        for warning in check_before_training(loaded, self.config, self.problem, self.preprocessor, force=force):
            reporter.warn(warning)


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
    if dataset.summary is not None:
        reporter.data(dataset.summary)
    reporter.stage("preparing")
    prepared = assemble_run(loaded, config, device, dataset)
    with loaded.placing_errors():
        probe(prepared.formula(), config.probe, dataset.encoder)
    options, n_train = config.evaluate.cross_validation, len(dataset.splits["train"])
    if options is not None and options.folds > n_train:
        raise loaded.error("evaluate.cross_validation.folds", f"{options.folds} folds of {n_train} rows to train on")
    return prepared


def assemble_run(loaded: LoadedConfig, config: Config, device: torch.device, dataset: Dataset) -> Prepared:
    """Learn the preprocessing from the train split of a dataset, build the model and the plan, choose the rate."""
    preprocessor = Preprocessor.fit(dataset, config.preprocess, bias=config.model.bias)
    dtype = torch.float64 if config.train.dtype == "float64" else torch.float32
    tensors = {
        split: (preprocessor.features.tensor(dataset, rows, dtype), preprocessor.targets.tensor(dataset, rows, dtype))
        for split, rows in dataset.splits.items()
        if len(rows)
    }
    X_nd, y_nk = (tensor.numpy() for tensor in tensors["train"])
    tensors = {split: (X.to(device), y.to(device)) for split, (X, y) in tensors.items()}
    model = build_model(len(dataset.features), len(dataset.targets), bias=config.model.bias, dtype=dtype, device=device)
    with loaded.placing_errors():
        initialise(model, config.model.init, config.seed)
        plan = StepPlan.from_config(config, n_samples=len(X_nd))
        weights, bias = parameters_of(model)
        start = weights.copy(), None if bias is None else bias.copy()  # the parameters themselves will move
        problem = Problem(plan, X_nd, y_nk, dataset.features, start)
        chosen = resolve(config, problem)
    problem = problem.with_plan(StepPlan.from_config(chosen.config, n_samples=len(X_nd)))
    try:
        choice = choose(config.train.engine, problem.plan, *tensors["train"])
    except ValueError as error:
        raise loaded.error("train.engine", str(error)) from None
    resolved = _resolved(chosen.config, device, choice)
    return Prepared(resolved, dataset, preprocessor, tensors, TrainingState(model), choice, problem, chosen)


def _resolved(config: Config, device: torch.device, choice: Choice) -> Config:
    """The config that repeats the run from any folder: device, executor and path as they were chosen."""
    train = config.train.model_copy(update={"device": str(device), "engine": choice.executor.name})
    data = config.data
    if isinstance(data, TableData) and not is_address(data.path):
        data = data.model_copy(update={"path": str(Path(data.path).absolute())})
    return config.model_copy(update={"train": train, "data": data})

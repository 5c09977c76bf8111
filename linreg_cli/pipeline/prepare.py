"""The preparation of a run: rows, scaled tensors, model, plan and executor. Nothing is written."""

import contextlib
import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from linreg_cli.addresses import is_address, public_address
from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.data import TableData
from linreg_cli.config.given import messages_about
from linreg_cli.config.metric_names import impossible_gate, known_features, metric_names
from linreg_cli.convergence.auto import ResolvedOptimizer, resolve
from linreg_cli.convergence.limits import rate_limit
from linreg_cli.convergence.of_config import arrays_of, dtype_of, plan_of, problem_of, row_weights
from linreg_cli.convergence.preflight import check_before_training
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.reaching import Reaching, reaching
from linreg_cli.data import Dataset, Preprocessor, load_dataset
from linreg_cli.data.columns.rows import Matrix
from linreg_cli.data.summary import DataSummary
from linreg_cli.decisions import Decision
from linreg_cli.errors import ConfigError, DataError, EngineError, Fault
from linreg_cli.evaluation.metrics import probe
from linreg_cli.findings import Finding
from linreg_cli.gates import ReferenceValue
from linreg_cli.least_squares.solve import Optimum
from linreg_cli.model import LinearFormula, build_model, fold, initialise
from linreg_cli.optim.engines.reference import loss_over
from linreg_cli.optim.engines.select import Choice, choose, resolve_device
from linreg_cli.optim.engines.threads import one_thread
from linreg_cli.optim.fit import Event
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, MeasuredRows, TrainRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.pipeline import streaming
from linreg_cli.pipeline.ranks import divided, findings
from linreg_cli.pipeline.streaming import IN_MEMORY
from linreg_cli.runs.references import references_of
from linreg_cli.starter.known import Rows
from linreg_cli.trackers.track import check as check_trackers

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.optim.ranks import Ranks


class Reporter(Protocol):
    """Receives the progress and the warnings of a run; the command line shows them on a terminal."""

    def stage(self, text: str) -> None:
        """A new stage begins."""

    def detail(self, text: str) -> None:
        """A message that is shown with `--verbose` only."""

    def warn(self, finding: Finding) -> None:
        """A warning."""

    def data(self, summary: DataSummary) -> None:
        """A table was read."""

    def training(self, plan: StepPlan, run: str) -> None:
        """The training of a run, given by its id, begins."""

    def event(self, event: Event) -> None:
        """An event of `fit`."""

    def done(self) -> None:
        """The end of all progress."""


@dataclass(frozen=True)
class Prepared:
    """A run before its first step.

    Attributes:
        config: with numbers in place of `auto`, and the device and the executor that were chosen.
        dataset: the rows of all splits, in original units.
        preprocessor: fitted on the train split.
        rows: the train split in scaled units, on the device, in the dtype of training.
        held_out: split -> X, y and the weights likewise, shapes (n_samples, n_features), (n_samples, n_targets) and
            (n_samples,), or None; of the splits besides `train` those with rows.
        state: the initial parameters.
        choice: the executor, and the reason for it.
        problem: the plan and the train split; its optimum, curvature and limits are computed on first access.
        chosen: the learning rate and the momentum, and the reasons for them.
        references: the metrics of other runs that the gates compare with.
        stream: whether the rows of the train split stay on the disk, and why.
        changed: the warning that this has changed the order of rows or the split; None if it has not.
    """

    config: Config
    dataset: Dataset
    preprocessor: Preprocessor
    rows: AnyRows
    held_out: dict[str, tuple[Tensor, Tensor, Tensor | None]]
    state: TrainingState
    choice: Choice
    problem: Problem
    chosen: ResolvedOptimizer
    references: Mapping[str, ReferenceValue] = field(default_factory=dict)
    stream: Decision = IN_MEMORY
    changed: Finding | None = None

    @property
    def plan(self) -> StepPlan:
        """The plan of the steps."""
        return self.problem.plan

    @functools.cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the data; see `Dataset.fingerprint`."""
        return self.dataset.fingerprint()

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation split."""
        return "validation" in self.held_out

    def formula(self) -> LinearFormula:
        """The current model in original units."""
        return fold(self.state.model, self.preprocessor)

    def loss(self, split: str) -> float:
        """The loss of the current model on a split, in scaled units, without the penalty."""
        if split == "train" and isinstance(self.rows, MeasuredRows):
            return self.choice.executor.train_loss(self.plan, self.state)
        with contextlib.nullcontext() if self.plan.shards is None else one_thread():
            if split == "train":
                return loss_over(self.rows, self.plan, self.state)
            return self.plan.loss.over(self.state.model, *self.held_out[split])

    def rate_limit(self) -> dict[str, Any] | None:
        """The limit of the learning rate, for `run.json`; see `limits.rate_limit`."""
        return rate_limit(self.problem, self.config.optimizer.schedule, self.problem.rule)

    def way(self, auto: Collection[str], original: Optimum | None = None, *, failed: bool = True) -> Reaching:
        """The settings that lead to the exact fit, where those of this run do not; see `reaching`."""
        about = self.problem, self.config, self.dataset, self.preprocessor
        try:
            return reaching(*about, original, auto=auto, failed=failed)
        except DataError as error:
            if not isinstance(self.rows, MeasuredRows):
                raise
            return Reaching((), None, f"which settings lead there is not known: {error}")

    def check(self, loaded: LoadedConfig, reporter: Reporter, *, force: bool, auto: bool = False) -> list[Finding]:
        """Refuse a run that must diverge or lacks a tracker, and report warnings; see `check_before_training`.

        Args:
            loaded: the config with the position of each setting.
            reporter: receives the warnings.
            force: as in `check_before_training`.
            auto: whether the rate of a run that is resumed was chosen.

        Returns:
            All warnings so far, those about the settings and the columns too.
        """
        with loaded.placing_errors():
            check_trackers(loaded.config.track)
        auto = auto or self.chosen.lr.auto
        with messages_about(self.config):
            found = check_before_training(loaded, self.config, self.problem, self.preprocessor, force=force, auto=auto)
        found = [*([self.changed] if self.changed else []), *found]
        found += findings(self.plan, self.rows)
        for warning in found:
            reporter.warn(warning)
        columns = () if self.dataset.summary is None else self.dataset.summary.warnings
        return [*loaded.notes, *columns, *found]

    def started(self, loaded: LoadedConfig, reporter: Reporter, warnings: list[Finding]) -> "Prepared":
        """The same with the executor's code loaded; where one that `auto` chose cannot start, with the reference.

        Args:
            loaded: the config with the position of each setting.
            reporter: receives the warning about another executor.
            warnings: it is added to these.

        Raises:
            ConfigError: if the config names an executor that cannot start here.
        """
        try:
            choice, why = self.choice.started(self.plan, self.rows)
        except EngineError as error:
            advice = "use auto or reference" if self.plan.shards is None else "leave train.shards out"
            raise loaded.error("train.engine", f"{error}; {advice}") from None
        if not why:
            return self
        warnings.append(Finding("engine", f"{why}; the run takes the reference, whose results are the same"))
        reporter.warn(warnings[-1])
        train = self.config.train.model_copy(update={"engine": choice.executor.name})
        return replace(self, choice=choice, config=self.config.model_copy(update={"train": train}))


def prepare(
    loaded: LoadedConfig,
    reporter: Reporter,
    *,
    eps: float | None = None,
    fail_if: Sequence[str] = (),
    resumed: bool = False,
    outputs: Path | None = None,
    references: Mapping[str, ReferenceValue] | None = None,
    known: Rows | None = None,
    frame: "pa.Table | None" = None,
    ranks: "Ranks | None" = None,
) -> Prepared:
    """Read the data, fit the preprocessing, build the model and the plan. Nothing is written.

    Args:
        loaded: the config with the position of each setting.
        reporter: receives progress.
        eps: the machine epsilon that ranks and rounding error are judged by; None: that of the dtype of the tensors.
        fail_if: conditions of the command line, which must name metrics that the run has.
        resumed: whether the gates of the config belong to a run that is resumed, and are not checked again.
        outputs: the folder of the runs that gates may compare with; None: the gates will not be checked.
        references: what a run that is resumed compared with when it was started, and still does.
        known: what was read already and holds for the config, as `Known.of` and `SharedRows.of` give it; None: nothing.
        frame: the rows of `source: frame`.
        ranks: the processes that share the train rows; None: this one is alone.

    Raises:
        ConfigError: for settings that the data or the machine do not allow, and gates on metrics that no run has, or
            that another run does not have.
        DataError: if the table cannot be read, or does not contain what the config says.
    """
    config = divided(loaded, loaded.config, ranks)
    try:
        device = resolve_device(config.train.device, shards=config.train.shards is not None)
    except ValueError as error:
        raise loaded.error("train.device", str(error)) from None
    found, faults = _references(loaded, fail_if, outputs, references)
    _check_gates(loaded, (), fail_if, known_features(config), faults=faults)
    reporter.stage("reading the data")
    if streaming.wanted(config):
        streaming.refuse_what_needs_all_rows(loaded, config, device)
        config, known = streaming.streamed(config), None
    with loaded.placing_errors():
        dataset = known.rows(config) if known else load_dataset(config, progress=reporter.stage, frame=frame)
        stream = streaming.decide(config, dataset, resumed=resumed)
        if stream.value and stream.auto:
            streaming.refuse_what_needs_all_rows(loaded, config, device)
            split, config, known = config.data.split, streaming.streamed(config), None
            if config.data.split != split:
                dataset = load_dataset(config, progress=reporter.stage, frame=frame)
    empty = [name for name, rows in dataset.splits.items() if not len(rows)]
    _check_gates(loaded, () if resumed else config.gates, fail_if, dataset.features, empty)
    if dataset.summary is not None:
        reporter.data(dataset.summary)
    reporter.stage("preparing")
    prepared = assemble_run(loaded, config, device, dataset, eps=eps, known=known, stream=stream, ranks=ranks)
    with loaded.placing_errors():
        probe(prepared.formula(), config.probe, dataset.encoder)
    options, n_train = config.evaluate.cross_validation, len(dataset.splits["train"])
    if options is not None and options.folds > n_train:
        raise loaded.error(
            "evaluate.cross_validation.folds",
            f"{options.folds} folds are more than the {n_train} rows of the train split; lower it",
        )
    return replace(prepared, references=found, changed=streaming.finding(loaded.config, config, stream))


def _references(
    loaded: LoadedConfig,
    fail_if: Sequence[str],
    outputs: Path | None,
    known: Mapping[str, ReferenceValue] | None,
) -> tuple[Mapping[str, ReferenceValue], list[Fault]]:
    """The metrics of other runs that gates name, and a fault for each that there is not."""
    if outputs is None:
        return {}, []
    gates = loaded.config.gates
    found, wrong = references_of([*gates, *fail_if], outputs, known)
    faults: list[Fault] = []
    for position, why in wrong:
        in_config = position < len(gates)
        faults += loaded.error(("gates", position), why).faults if in_config else [Fault(why, "--fail-if")]
    return found, faults


def _check_gates(
    loaded: LoadedConfig,
    gates: Sequence[str],
    fail_if: Sequence[str],
    features: Sequence[str] | None,
    empty: Sequence[str] = (),
    faults: Sequence[Fault] = (),
) -> None:
    """Refuse gates on metrics that no run of the config has, before it is trained.

    Args:
        loaded: the config with the position of each setting.
        gates: those of the config.
        fail_if: those of the command line.
        features: the names of the inputs, or None.
        empty: splits without rows.
        faults: others that were found in gates.

    Raises:
        ConfigError: with every such gate.
    """
    names = metric_names(loaded.config, features, empty)
    faults = [*faults]
    for position, gate in enumerate(gates):
        if why := impossible_gate(gate, names):
            faults += loaded.error(("gates", position), why).faults
    faults += [Fault(why, "--fail-if") for gate in fail_if if (why := impossible_gate(gate, names))]
    if faults:
        raise ConfigError(faults)


def assemble_run(
    loaded: LoadedConfig,
    config: Config,
    device: torch.device,
    dataset: Dataset,
    *,
    eps: float | None = None,
    known: Rows | None = None,
    stream: Decision = IN_MEMORY,
    ranks: "Ranks | None" = None,
) -> Prepared:
    """Fit the preprocessing on the train split, build the model and the plan, choose rate, momentum and executor.

    Args:
        loaded: the config with the position of each setting.
        config: the settings to use.
        device: of the tensors.
        dataset: the rows.
        eps: as in `prepare`.
        known: of the same rows and preprocessing, as in `prepare`.
        stream: whether the rows of the train split stay on the disk.
        ranks: as in `prepare`.

    Raises:
        ConfigError: for settings that the data do not allow.
        DataError: if a column cannot be scaled, or the disk cannot hold the rows.
    """
    preprocessor = known.preprocessor if known else Preprocessor.fit(dataset, config.preprocess, bias=config.model.bias)
    dtype, solved = dtype_of(config), known.problem if known and eps is None else None
    features, targets = preprocessor.features, preprocessor.targets
    with loaded.placing_errors():
        plan = plan_of(config, dataset)
    held_out = {
        split: (
            features.tensor(dataset, where, dtype).to(device),
            targets.tensor(dataset, where, dtype).to(device),
            row_weights(dataset, where, dtype, device),
        )
        for split, where in dataset.splits.items()
        if len(where) and split != "train"
    }
    rows: AnyRows
    train: tuple[Matrix, Matrix]
    if stream.value:
        ahead = streaming.reads_ahead(loaded, config, plan, streaming.n_columns_of(dataset))
        rows = streaming.rows_on_disk(dataset, preprocessor, plan, dtype)
        rows.ahead = ahead
        train = rows.X_nd, rows.y_nk
    else:
        train = (solved.X_nd, solved.y_nk) if solved else arrays_of(plan, dataset, preprocessor, dtype)
        weights = None
        if dataset.weights is not None:
            weights = row_weights(dataset, plan.rows.arranged(dataset.splits["train"]), dtype, device)
        X_nd, y_nk = (torch.from_numpy(np.asarray(values)).to(device) for values in train)
        rows = TrainRows(X_nd, y_nk, weights, ranks=ranks)
    model = build_model(len(dataset.features), len(dataset.targets), bias=config.model.bias, dtype=dtype, device=device)
    with loaded.placing_errors():
        initialise(model, config.model.init, config.seed)
        exact = None if solved is None else solved.exact
        problem = problem_of(config, dataset, preprocessor, train, eps=eps, exact=exact)
        chosen = resolve(config, problem)
    problem = problem.with_plan(plan_of(chosen.config, dataset))
    try:
        choice = choose(config.train.engine, problem.plan, rows)
    except ValueError as error:
        raise loaded.error("train.engine", str(error)) from None
    resolved = resolved_config(chosen.config, device, choice, problem.plan)
    state = TrainingState(model)
    return Prepared(resolved, dataset, preprocessor, rows, held_out, state, choice, problem, chosen, stream=stream)


def resolved_config(config: Config, device: torch.device, choice: Choice, plan: StepPlan) -> Config:
    """The config that repeats the run from any folder: device, executor, blocks, an absolute path."""
    found = {"device": str(device), "engine": choice.executor.name, "blocks": plan.n_blocks}
    train = config.train.model_copy(update=found)
    data = config.data
    if isinstance(data, TableData) and data.is_kept and not is_address(data.path):
        data = data.model_copy(update={"path": str(Path(data.path).absolute())})
    address = config.track.mlflow
    track = config.track.model_copy(update={"mlflow": None if address is None else public_address(address)})
    return config.model_copy(update={"train": train, "data": data, "track": track})

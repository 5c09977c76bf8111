"""A run before its first step: what `prepare` and `prepare_measured` give, and whoever watches a run."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.given import messages_about
from linreg_cli.convergence.auto import ResolvedOptimizer
from linreg_cli.convergence.limits import rate_limit
from linreg_cli.convergence.on_disk import IN_MEMORY
from linreg_cli.convergence.preflight import check_before_training
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.reaching import Reaching, reaching
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.summary import DataSummary
from linreg_cli.decisions import Decision
from linreg_cli.errors import DataError, EngineError
from linreg_cli.findings import Finding
from linreg_cli.gates import ReferenceValue
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.model import LinearFormula, fold
from linreg_cli.optim.engines.reference import loss_over
from linreg_cli.optim.engines.select import Choice
from linreg_cli.optim.engines.split_loss import loss_of_parts
from linreg_cli.optim.fit import Event
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import AnyRows, MeasuredRows
from linreg_cli.optim.state import TrainingState
from linreg_cli.pipeline.ranks import findings
from linreg_cli.trackers.track import check as check_trackers


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
        held_out: split -> its rows likewise, with shards in the parts of the table; of the splits besides `train` those
            with rows.
        state: the initial parameters.
        choice: the executor, and the reason for it.
        problem: the plan and the train split; its optimum, curvature and limits are computed on first access.
        chosen: the learning rate and the momentum, and the reasons for them.
        references: the metrics of other runs that the gates compare with.
        stream: whether the rows of the train split stay on the disk, and why.
        changed: the warning that order of rows, split or shards are others than the config's; None if they are not.
    """

    config: Config
    dataset: Dataset
    preprocessor: Preprocessor
    rows: AnyRows
    held_out: Mapping[str, AnyRows | DividedRows]
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
        rows: Any = self.rows if split == "train" else self.held_out[split]
        if self.plan.shards is None:
            return loss_over(rows, self.plan.loss, self.state.model)
        return loss_of_parts(self.problem.parts if split == "train" else rows, self.plan.loss, self.state.model)

    def rate_limit(self) -> dict[str, Any] | None:
        """The limit of the learning rate, for `run.json`; see `limits.rate_limit`."""
        return rate_limit(self.problem, self.config.optimizer.schedule, self.problem.rule)

    def way(self, original: Optimum | None = None, *, failed: bool = True) -> Reaching:
        """The settings that lead to the exact fit, where those of this run do not; see `reaching`."""
        about = self.problem, self.config, self.dataset, self.preprocessor
        try:
            return reaching(*about, original, failed=failed)
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

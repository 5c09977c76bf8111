"""The preparation of a run: rows, scaled tensors, model, plan and executor. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from linreg_cli.addresses import is_elsewhere, public_address
from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.data import TableData
from linreg_cli.config.metric_names import known_features, metric_names
from linreg_cli.convergence.auto import resolve
from linreg_cli.convergence.of_config import arrays_of, dtype_of, plan_of, problem_of, row_weights, rows_in_memory
from linreg_cli.convergence.on_disk import (
    IN_MEMORY,
    decide,
    expected_to_stream,
    n_columns_of,
    rows_on_disk,
    streamed,
    wanted,
)
from linreg_cli.data import Dataset, Preprocessor, load_dataset
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess
from linreg_cli.data.load import in_parts
from linreg_cli.decisions import Decision
from linreg_cli.evaluation.metrics import probe
from linreg_cli.gates import ReferenceValue
from linreg_cli.model import build_model, initialise
from linreg_cli.optim.engines.select import Choice, choose, resolve_device
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.routing import held_out_of_ranks, is_routed, routed
from linreg_cli.optim.rows import AnyRows, TrainRows
from linreg_cli.optim.split_rows import rows_in_parts
from linreg_cli.optim.state import TrainingState
from linreg_cli.pipeline import gates, streaming
from linreg_cli.pipeline.prepared import Prepared, Reporter
from linreg_cli.pipeline.ranks import divided
from linreg_cli.pipeline.stages import PREPARING, READING
from linreg_cli.ranks.shards import Shards
from linreg_cli.starter.known import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.ranks.group import Ranks


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
    found, faults = gates.references(loaded, fail_if, outputs, references)
    gates.refuse_impossible(loaded, metric_names(loaded.config, known_features(config)), (), fail_if, faults)
    reporter.stage(READING)
    if wanted(config):
        streaming.refuse_what_needs_all_rows(loaded, config)
        config, known = streamed(config), None
    with loaded.placing_errors():
        first = streamed(config) if known is None and not resumed and expected_to_stream(config, device) else config
        if known:
            given = known.rows(config)
            dataset = in_parts(given, config, ranks)
            if given.parts is None and dataset.parts is not None:
                known = None  # what was fitted on it has added up in another order
        else:
            dataset = load_dataset(first, progress=reporter.stage, frame=frame, ranks=ranks)
        stream = decide(config, dataset, device, resumed=resumed)
        if stream.value and stream.auto:
            streaming.refuse_what_needs_all_rows(loaded, config)
            config, known = streamed(config), None
        if config.data.split != first.data.split:
            dataset = load_dataset(config, progress=reporter.stage, frame=frame, ranks=ranks)
        device, stream = streaming.placed(loaded, config, device, dataset, stream)
    empty = [name for name, rows in dataset.splits.items() if not len(rows)]
    names = metric_names(loaded.config, dataset.features, empty)
    gates.refuse_impossible(loaded, names, () if resumed else config.gates, fail_if)
    if dataset.summary is not None:
        reporter.data(dataset.summary)
    reporter.stage(PREPARING)
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
    with loaded.placing_errors():
        plan = plan_of(config, dataset)
    summing = None if plan.shards is None or device.type == "cpu" else device
    device = torch.device("cpu") if summing else device  # shards stay in memory, and are moved part by part
    ahead, n_columns = False, n_columns_of(dataset)
    if stream.value and plan.shards is not None:
        streaming.check_shares(loaded, config, plan, n_columns, 1 if ranks is None else ranks.size)
    elif stream.value:
        ahead = streaming.reads_ahead(loaded, config, plan, n_columns, device)
    others = [split for split, where in dataset.splits.items() if len(where) and split != "train"]
    held_out: dict[str, AnyRows | DividedRows] = {
        split: _held_out(dataset, preprocessor, split, dtype, device, plan, stored=bool(stream.value))
        for split in others
    }
    rows: AnyRows
    train: tuple[Matrix, Matrix]
    together: DividedRows | None = None
    on_disk: RowsOnAccess | None = None
    if plan.shards is not None and is_routed(dataset, ranks):
        rows = routed(dataset, preprocessor, plan.rows, dtype, plan.shards, fits=not stream.value)
        train, together = (rows.X_nd, rows.y_nk), rows.divided
    elif stream.value:
        rows = rows_on_disk(dataset, preprocessor, "train", dtype, plan.rows, device)
        rows.ahead = ahead
        train, on_disk = (rows.X_nd, rows.y_nk), rows.weight_n1
    else:
        train = (solved.X_nd, solved.y_nk) if solved else arrays_of(plan, dataset, preprocessor, dtype)
        weights = None
        if dataset.weights is not None:
            weights = row_weights(dataset, plan.rows.arranged(dataset.splits["train"]), dtype, device)
        X_nd, y_nk = (torch.from_numpy(np.asarray(values)).to(device) for values in train)
        rows = TrainRows(X_nd, y_nk, weights)
    model = build_model(len(dataset.features), len(dataset.targets), bias=config.model.bias, dtype=dtype, device=device)
    with loaded.placing_errors():
        initialise(model, config.model.init, config.seed)
        exact = None if solved is None else solved.exact
        about = config, dataset, preprocessor, train
        problem = problem_of(*about, eps=eps, exact=exact, divided=together, weights=on_disk)
        chosen = resolve(config, problem)
    problem = problem.with_plan(plan_of(chosen.config, dataset))
    choice = executor_of(loaded, config.train.engine, problem.plan, rows, summing)
    resolved = resolved_config(chosen.config, summing or device, choice, problem.plan)
    state = TrainingState(model)
    return Prepared(resolved, dataset, preprocessor, rows, held_out, state, choice, problem, chosen, stream=stream)


def _held_out(
    dataset: Dataset, preprocessor: Preprocessor, split: str, dtype: torch.dtype, device: torch.device, plan: StepPlan,
    *, stored: bool,
) -> AnyRows | DividedRows:  # fmt: skip
    """The scaled rows of a split that is not trained on: in the parts of the table where sums are those of shards."""
    if plan.shards is None:
        if stored:
            return rows_on_disk(dataset, preprocessor, split, dtype, device=device)
        return rows_in_memory(dataset, preprocessor, split, dtype, device=device)
    if dataset.held() is not None:
        return held_out_of_ranks(dataset, preprocessor, split, dtype, stored=stored)
    bounds = Shards(dataset.n_samples, plan.shards.count).bounds.tolist()
    return rows_in_parts(dataset, preprocessor, split, dtype, bounds, stored=stored)


def executor_of(
    loaded: LoadedConfig, engine: str, plan: StepPlan, rows: AnyRows, summing: torch.device | None = None
) -> Choice:
    """The executor of a plan.

    Args:
        loaded: the config with the position of each setting.
        engine: the value of `train.engine`.
        plan: the steps.
        rows: the train split.
        summing: as in `choose`.

    Raises:
        ConfigError: for a named executor that cannot run the plan.
    """
    try:
        return choose(engine, plan, rows, summing)
    except ValueError as error:
        raise loaded.error("train.engine", str(error)) from None


def resolved_config(config: Config, device: torch.device, choice: Choice, plan: StepPlan) -> Config:
    """The config that repeats the run from any folder: device, executor, blocks, an absolute path."""
    found = {"device": str(device), "engine": choice.executor.name, "blocks": plan.n_blocks}
    train = config.train.model_copy(update=found)
    data = config.data
    if isinstance(data, TableData) and data.is_kept and not is_elsewhere(data.path):
        data = data.model_copy(update={"path": str(Path(data.path).absolute())})
    address = config.track.mlflow
    track = config.track.model_copy(update={"mlflow": None if address is None else public_address(address)})
    return config.model_copy(update={"train": train, "data": data, "track": track})

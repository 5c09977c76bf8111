"""The preparation of a run from statistics in place of rows: as `prepare`, and a refusal of what needs rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_cli.config import Config, LoadedConfig
from linreg_cli.config.data import FRAME
from linreg_cli.config.metric_names import metric_names
from linreg_cli.convergence.auto import resolve
from linreg_cli.convergence.of_config import dtype_of, plan_of, problem_of
from linreg_cli.data import Preprocessor
from linreg_cli.errors import ConfigError, Fault, UsageError
from linreg_cli.evaluation.coefficients import STD_ERR
from linreg_cli.evaluation.metrics import probe
from linreg_cli.findings import Finding
from linreg_cli.gates import ReferenceValue
from linreg_cli.least_squares.solve import of_factor
from linreg_cli.metric_paths import Absent
from linreg_cli.model import build_model, initialise
from linreg_cli.optim.engines.select import resolve_device
from linreg_cli.optim.losses import is_squared
from linreg_cli.optim.state import TrainingState
from linreg_cli.pipeline import gates
from linreg_cli.pipeline.prepare import executor_of, prepare, resolved_config
from linreg_cli.pipeline.prepared import Prepared, Reporter
from linreg_cli.pipeline.stages import PREPARING, READING_STATISTICS
from linreg_cli.readers import without_statistics
from linreg_cli.remedies import setting
from linreg_cli.starter.known import Rows
from linreg_cli.statistics.as_dataset import Summarised, summarised
from linreg_cli.statistics.kept import read_statistics
from linreg_cli.statistics.no_rows import NoMatrix, needs_rows
from linreg_cli.statistics.same_table import refuse_other_table
from linreg_cli.statistics.scaled import measured_rows, refuse_rounding, scaled_factor

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg_cli.ranks.group import Ranks

#: The key of `run.json` with the path of the file.
STATISTICS = "statistics"
#: What a run from statistics does not have, by split and by block of `metrics.json`.
_OF_ROWS = ("mae",)
_OF_FIT = ("leave_one_out", STD_ERR["HC3"], STD_ERR["cluster"], "durbin_watson")


def prepared_from(
    statistics: str | None,
    loaded: LoadedConfig,
    reporter: Reporter,
    *,
    fail_if: Sequence[str] = (),
    resumed: bool = False,
    outputs: Path | None = None,
    references: Mapping[str, ReferenceValue] | None = None,
    known: Rows | None = None,
    frame: "pa.Table | None" = None,
    ranks: "Ranks | None" = None,
) -> Prepared:
    """Prepare a run from the statistics of its table where there are some, else from its rows.

    Args:
        statistics: the path of a file of statistics, in place of rows; None: the rows are read.
        loaded: the config with the position of each setting.
        reporter: receives progress.
        fail_if: conditions of the command line, which must name metrics that the run has.
        resumed: whether the run goes on; its gates are not checked again, and its table may have gone.
        outputs: the folder of the runs that gates may compare with; None: the gates will not be checked.
        references: what a run that is resumed compared with when it was started.
        known: of rows that were read already; only without statistics.
        frame: the rows of `source: frame`; only without statistics.
        ranks: the processes that share the train rows; only without statistics.

    Raises:
        ConfigError, DataError: as `prepare` and `prepare_measured`.
        UsageError: for statistics, and rows or processes that would have no part in the run.
    """
    compared: Any = {"fail_if": fail_if, "resumed": resumed, "outputs": outputs, "references": references}
    if statistics is None:
        return prepare(loaded, reporter, known=known, frame=frame, ranks=ranks, **compared)
    if known is not None or frame is not None:
        raise UsageError("the run is one of statistics, which stand for the rows of a table; leave the rows out", FRAME)
    if ranks is not None:
        raise UsageError("statistics have no rows that several processes could share; train in one", statistics)
    return prepare_measured(loaded, reporter, statistics, **compared)


def prepare_measured(
    loaded: LoadedConfig,
    reporter: Reporter,
    path: str,
    *,
    fail_if: Sequence[str] = (),
    resumed: bool = False,
    outputs: Path | None = None,
    references: Mapping[str, ReferenceValue] | None = None,
    dtype: str | None = None,
) -> Prepared:
    """As `prepare`, from the statistics of the table: no row is read.

    Args:
        loaded: the config with the position of each setting.
        reporter: receives progress.
        path: of the file of statistics.
        fail_if: as in `prepare`.
        resumed: as in `prepare`.
        outputs: as in `prepare`.
        references: as in `prepare`.
        dtype: in which everything is computed, judged by the epsilon of the config's; None: that of the config.

    Raises:
        ConfigError: as `prepare`; and for settings and gates that need rows, with the remedy.
        DataError: for a file that holds no statistics of the config's table.
    """
    refuse_what_needs_rows(loaded)
    config, unused = loaded.config, None
    if config.train.shards is not None:  # the statistics of a table are the same, however it was divided
        unused = Finding("config", "train.shards has no effect: statistics have no rows to add up shard by shard")
        config = config.model_copy(update={"train": config.train.model_copy(update={"shards": None})})
    compared, faults = gates.references(loaded, fail_if, outputs, references)
    reporter.stage(READING_STATISTICS)
    found = read_for(loaded, path, resumed=resumed)
    gates.refuse_impossible(loaded, _names(config, found), () if resumed else config.gates, fail_if, faults)
    assert found.dataset.summary is not None
    reporter.data(found.dataset.summary)
    reporter.stage(PREPARING)
    prepared = _assembled(loaded, config if dtype is None else _in_dtype(config, dtype), found, config.train.dtype)
    with loaded.placing_errors():
        probe(prepared.formula(), config.probe, found.dataset.encoder)
    return replace(prepared, references=compared, changed=unused)


def read_for(loaded: LoadedConfig, path: str, *, resumed: bool = False) -> Summarised:
    """The data set of a config from a file of statistics; raises as `prepare_measured`.

    Args:
        loaded: the config.
        path: of the file.
        resumed: whether the run began with it, whatever has become of the table since.
    """
    with loaded.placing_errors():
        found = read_statistics(path)
        made = summarised(loaded.config, found, path)
        if not resumed:
            refuse_other_table(loaded.config, found, path)
        return made


def _in_dtype(config: Config, dtype: str) -> Config:
    return config.model_copy(update={"train": config.train.model_copy(update={"dtype": dtype})})


def _assembled(loaded: LoadedConfig, config: Config, found: Summarised, judged_by: str) -> Prepared:
    """As `assemble_run`."""
    dataset, design, bias = found.dataset, found.design, config.model.bias
    try:
        device = resolve_device("cpu" if config.train.device == "auto" else config.train.device)
    except ValueError as error:
        raise loaded.error("train.device", str(error)) from None
    preprocessor = replace(Preprocessor.fit(dataset, config.preprocess, bias=bias), weights=found.weights)
    factor = scaled_factor(design, preprocessor, bias=bias, dtype=judged_by)
    refuse_rounding(factor, dataset.features, dataset.targets, found.path)
    n, dtype = design.kept.n, config.train.dtype
    shapes = ((n, len(dataset.features)), (n, len(dataset.targets)))
    X_nd, y_nk = (NoMatrix(shape, dtype, found.path) for shape in shapes)
    rows = measured_rows(design, preprocessor, dtype, bias=bias)
    model = build_model(len(dataset.features), len(dataset.targets), bias=bias, dtype=dtype_of(config), device=device)
    eps = float(np.finfo(judged_by).eps)
    with loaded.placing_errors():
        initialise(model, config.model.init, config.seed)
        matrices: Any = X_nd, y_nk
        problem = problem_of(config, dataset, preprocessor, matrices, eps=eps, measured=factor)
        problem.exact["original"] = of_factor(design.factor(bias=bias), loss=config.loss)
        chosen = resolve(config, problem)
    problem = problem.with_plan(plan_of(chosen.config, dataset))
    choice = executor_of(loaded, config.train.engine, problem.plan, rows)
    evaluate = config.evaluate.model_copy(update={"predictions": "none"})
    resolved = resolved_config(chosen.config, device, choice, problem.plan).model_copy(update={"evaluate": evaluate})
    return Prepared(resolved, dataset, preprocessor, rows, {}, TrainingState(model), choice, problem, chosen)


def refuse_what_needs_rows(loaded: LoadedConfig) -> None:
    """Refuse settings that need rows.

    Raises:
        ConfigError: with each of them and what to do.
    """
    config, faults = loaded.config, list[Fault]()
    train, evaluate, transformed = config.train, config.evaluate, config.preprocess.target_transform != "none"
    monitor = None if train.early_stopping is None else train.early_stopping.monitor
    mean = transformed and config.preprocess.target_estimate == "mean"
    needs: list[tuple[bool, str, str, Any]] = [
        (not is_squared(config.loss), "loss", f"{config.loss} needs the rows", "mse"),
        (train.batch_size != "full", "train.batch_size", "mini-batches need the rows", "full"),
        (train.engine not in ("auto", "statistics"), "train.engine", f"{train.engine} needs the rows", "auto"),
        (train.device not in ("auto", "cpu"), "train.device", "statistics are trained on the CPU", "cpu"),
        (evaluate.cross_validation is not None, "evaluate.cross_validation", "folds are made of rows", None),
        (evaluate.covariance != "classic", "evaluate.covariance", f"{evaluate.covariance} needs the rows", "classic"),
        (
            "predictions" in evaluate.model_fields_set and evaluate.predictions != "none", "evaluate.predictions",
            "there are no rows to predict", "none",
        ),
        (mean, "preprocess.target_estimate", "the mean needs the residual of each row", "median"),
        (
            monitor == "validation.loss", "train.early_stopping.monitor", "the validation split was not read",
            "train.loss",
        ),
    ]  # fmt: skip
    for is_asked, key, why, value in needs:
        faults += (
            loaded.error(key, f"{why}; set {setting(key, value)}, or {without_statistics()}").faults if is_asked else []
        )
    if faults:
        raise ConfigError(faults)


def _names(config: Config, found: Summarised) -> Any:
    """The metrics of a run from statistics; those that need rows are absent, with the reason."""
    names = metric_names(config, found.dataset.features)
    transformed = config.preprocess.target_transform != "none"
    for split in ("validation", "test"):
        names[split] = _without_rows(names[split])
    lost = (*_OF_ROWS, *(("mse", "rmse", "r2") if transformed else ()))
    names["train"] = _without(names["train"], lost)
    names |= {block: _without(names[block], _OF_FIT) for block in ("optimum", "inference")}
    return names


def _without_rows(names: Any) -> Absent:
    form = names.otherwise if isinstance(names, Absent) else names
    return Absent(needs_rows(), form)


def _without(names: Any, keys: Sequence[str]) -> Any:
    if not isinstance(names, Mapping):
        return names
    return {key: Absent(needs_rows(), value) if key in keys else _without(value, keys) for key, value in names.items()}

"""Metrics of a model: of one just trained, of a saved one on its own splits, or of a saved one on another table."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import torch
from torch import nn

from linreg_cli.blas import one_blas_thread
from linreg_cli.config import Config
from linreg_cli.config.given import messages_about
from linreg_cli.convergence.of_config import plan_of, problem_of, row_weights, rows_in_memory
from linreg_cli.convergence.on_disk import decide, rows_on_disk
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.reaching import Reaching, reaching
from linreg_cli.data import SPLITS, Dataset, Preprocessor, load_dataset
from linreg_cli.data.columns.kinds import RawColumn
from linreg_cli.data.encoding.column_faults import reporting
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.part_rows import naming_parts
from linreg_cli.data.tables.table import Cells
from linreg_cli.evaluation.exact_fit import ExactFit
from linreg_cli.evaluation.fit_quality import fit_quality
from linreg_cli.evaluation.metrics import ErrorSums, Metrics, parameters, split_metrics
from linreg_cli.evaluation.other_table import assembled, metrics_in_blocks, weight_columns, weights_in
from linreg_cli.evaluation.predictions import summed_errors
from linreg_cli.evaluation.saved_model import SavedModel, input_columns, open_for, raw_inputs
from linreg_cli.evaluation.truth import compare, known_truth
from linreg_cli.evaluation.whole_table import warn_of_whole
from linreg_cli.findings import Finding, Warn
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.model import fold, linear_layer
from linreg_cli.optim.engines.reference import loss_over
from linreg_cli.optim.engines.split_loss import loss_of_parts
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.rows import StoredRows, TrainRows
from linreg_cli.optim.split_rows import rows_in_parts
from linreg_cli.ranks.shards import Shards


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a model on its splits.

    Attributes:
        metrics: as in `metrics.json`: split -> its metrics, None for a split without rows; `parameters` in original
            units; `optimum` and `inference`, as in `FitQuality`.
        influence: the rows of `influence.csv`, as in `FitQuality`; None where there is none.
        findings: warnings about the fit.
        exact: the exact fit.
    """

    metrics: Metrics
    influence: pa.Table | None
    findings: list[Finding]
    exact: ExactFit


def evaluate_model(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    model: nn.Sequential,
    problem: Problem,
    errors: Mapping[str, ErrorSums],
    losses: Mapping[str, float],
    way: Callable[[Optimum | None], Reaching],
) -> Evaluation:
    """Metrics of a model on its splits, and its distance from the exact optimum.

    Args:
        config: of the run.
        dataset: the rows.
        preprocessor: of the run.
        model: the trained model, in scaled units.
        problem: the plan and the train split.
        errors: split -> the errors of its predictions, in original units; only splits with rows.
        losses: split -> its loss, in scaled units; the same splits.
        way: the exact fit in original units -> what leads there, if the model is not there.
    """
    metrics: Metrics = dict.fromkeys(SPLITS)
    for split in errors:
        metrics[split] = split_metrics(dataset.targets, errors[split], losses[split])
    metrics["parameters"] = parameters(fold(model, preprocessor))
    train_loss = losses["train"] if math.isfinite(losses["train"]) else math.inf
    found = fit_quality(config, dataset, preprocessor, problem, model, train_loss, way)
    return Evaluation(metrics | found.metrics, found.influence, found.findings, found.exact)


def evaluate_splits(saved: SavedModel, frame: pa.Table | None = None) -> tuple[Metrics, bool]:
    """Metrics of a saved model on the splits of its config; the data is read again.

    Args:
        saved: the model.
        frame: the rows of `source: frame`.

    Returns:
        The metrics as `evaluate_model` gives them, with what `metrics.json` has besides (cross-validation and probes),
        and with `truth` where it is known (`truth.compare`); and whether the fingerprint of the data is the one that
        the model was trained on.

    Raises:
        DataError: if the data can no longer be read.
        StoreError: if the files of the run do not fit its config.
    """
    with one_blas_thread(always=saved.config.train.shards is not None):
        return _evaluated(saved, frame)


def _evaluated(saved: SavedModel, frame: pa.Table | None) -> tuple[Metrics, bool]:
    """As `evaluate_splits`."""
    config, preprocessor, model = saved.config, saved.preprocessor, saved.model
    dataset = load_dataset(config, preprocessor.encoder, frame=frame)
    if {*saved.formula.features, *saved.formula.targets} - set(dataset.columns):
        raise saved.run.damaged("preprocess.json", "its columns are not those of config.yaml")
    dtype, loss = linear_layer(model).weight.dtype, Loss(config.loss, config.huber_delta)
    losses, plan = {}, plan_of(config, dataset)
    on_disk = decide(config, dataset, resumed=True).value
    for split, given in dataset.splits.items():
        if not len(given):
            continue
        if split != "train" and plan.shards is not None:
            bounds = Shards(dataset.n_samples, plan.shards.count).bounds.tolist()
            parts = rows_in_parts(dataset, preprocessor, split, dtype, bounds, stored=bool(on_disk))
            losses[split] = loss_of_parts(parts, loss, model)
            continue
        asked = dataset, preprocessor, split, dtype, plan.rows if split == "train" else None
        rows: StoredRows | TrainRows = rows_on_disk(*asked) if on_disk else rows_in_memory(*asked)
        if split == "train":
            X_nd, y_nk = (each.numpy() if isinstance(each, torch.Tensor) else each for each in (rows.X_nd, rows.y_nk))
            weights = rows.weight_n1 if isinstance(rows, StoredRows) else None
            problem = problem_of(config, dataset, preprocessor, (X_nd, y_nk), weights=weights)
            if plan.shards is not None:
                losses[split] = loss_of_parts(problem.parts, loss, model)
                continue
        losses[split] = loss_over(rows, loss, model)
    errors = summed_errors(saved.formula, dataset)
    about = problem, config, dataset, preprocessor

    def way(original: Optimum | None) -> Reaching:
        return reaching(*about, original, failed=True)

    metrics = evaluate_model(config, dataset, preprocessor, model, problem, errors, losses, way).metrics
    metrics |= {key: value for key, value in _of_training(saved).items() if key not in metrics}
    known = known_truth(config)
    truth = compare(known, saved.formula, metrics) if known else None
    metrics |= {"truth": truth} if truth else {}
    if "statistics" in saved.record:  # which hold no fingerprint of the rows
        return metrics, True
    unchanged = dataset.fingerprint() == (saved.record.get("data") or {}).get("fingerprint")
    return metrics, unchanged


def evaluate_table(saved: SavedModel, source: str | pa.Table, warn: Warn, called: str | None = None) -> Metrics:
    """Metrics of a saved model on all rows of another table.

    Args:
        saved: the model.
        source: the path of a table, or the rows of a data frame, with the inputs and the targets of the run; other
            columns are ignored.
        called: what the reasons call the table; None: what it is called.
        warn: called with the warning about a table that comes into memory as a whole, above the limit of the run.

    Returns:
        `metrics.json` with the metrics of the table as `data`, those of a split and `dropped`, the number of rows left
        out because of missing cells, if any. Of a run with weights, `weight` is the column of them; None where the
        table has none, and `weight_reason` says that every row counts alike. The splits of the run are None, with the
        reason.

    Raises:
        DataError: if the table cannot be read, lacks columns, or has cells that the model cannot take.
    """
    encoder, targets = saved.preprocessor.inputs, saved.formula.targets
    table = open_for(saved, source, [*encoder.columns, *targets])
    path = table.name
    try:
        own: Metrics = {"data": metrics_in_blocks(saved, table)}
    except NotInBlocksError:
        warn_of_whole(saved, table, warn)
        numbers, text = input_columns(encoder)
        own_weights = weight_columns(saved, table.columns, (*numbers, *targets, *text))
        cells = table.read([*numbers, *targets, *own_weights], text=text)
        with naming_parts(table), messages_about(saved.config, saved.run.path), reporting(path):
            raw = raw_inputs(cells, encoder, targets, saved, table)
            own = {"data": _metrics_of_table(saved, raw, cells, path, table.columns)}
    if saved.preprocessor.weights is not None:
        column = saved.preprocessor.weights[0]
        own["data"]["weight"] = column if column in table.columns else None
        if column not in table.columns:
            own["data"]["weight_reason"] = f"the table has no column {column!r}, so every row counts alike"
    for split in SPLITS:
        own |= {split: None, f"{split}_reason": f"the metrics are of {called or path}, as data"}
    own["parameters"] = parameters(saved.formula)
    return {**own, **{key: value for key, value in _of_training(saved).items() if key not in own}}


def _of_training(saved: SavedModel) -> Metrics:
    """The content of `metrics.json`; empty for a run that has none."""
    return saved.run.read_json("metrics.json") if os.path.isfile(saved.run.path / "metrics.json") else {}


def _metrics_of_table(
    saved: SavedModel, raw: Mapping[str, RawColumn], cells: Cells, path: str, available: Sequence[str]
) -> Metrics:
    preprocessor = saved.preprocessor
    dataset = assembled(saved, raw, path, available)
    dataset = replace(dataset, weights=weights_in(saved, cells, dataset.splits["train"], path))
    rows, dtype = dataset.splits["train"], linear_layer(saved.model).weight.dtype
    X_nd, y_nk = (each.tensor(dataset, rows, dtype) for each in (preprocessor.features, preprocessor.targets))
    loss = Loss(saved.config.loss, saved.config.huber_delta).over(
        saved.model, X_nd, y_nk, row_weights(dataset, rows, dtype)
    )
    metrics = split_metrics(saved.formula.targets, summed_errors(saved.formula, dataset)["train"], loss)
    dropped = dataset.n_samples - len(rows)
    return {**metrics, "dropped": dropped} if dropped else metrics

"""A run folder as the model that it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from linreg_cli.config import Config, load_config
from linreg_cli.data import SPLITS, Preprocessor, load_dataset
from linreg_cli.data.csv_table import CsvTable
from linreg_cli.data.dataset import Column, Rows
from linreg_cli.data.table import Table, numeric_columns, open_table
from linreg_cli.errors import ConfigError, DataError, Fault, StoreError
from linreg_cli.evaluate.metrics import Metrics, parameters, split_metrics
from linreg_cli.model import LinearFormula, build_model, fold, linear_layer
from linreg_cli.optim.losses import Loss
from linreg_cli.runs.checkpoint import load_model
from linreg_cli.runs.store import RunFolder


@dataclass(frozen=True)
class TrainedRun:
    """What a finished run knows.

    Attributes:
        run: its folder.
        record: `run.json`.
        config: `config.yaml`.
        preprocessor: `preprocess.json`.
        model: `model.safetensors`, on the CPU.
        formula: both together, in original units.
    """

    run: RunFolder
    record: dict[str, Any]
    config: Config
    preprocessor: Preprocessor
    model: nn.Sequential
    formula: LinearFormula


def load_trained(run: RunFolder) -> TrainedRun:
    """Read the model of a run.

    Raises:
        StoreError: if the run has no model, or one of its files is damaged.
    """
    record = run.record()
    config = _config(run)
    run.verify(record, "preprocess.json", "model.safetensors")
    values = run.read_json("preprocess.json")
    try:
        preprocessor = Preprocessor.from_json(values)
    except (ValueError, KeyError, TypeError) as error:
        raise run.damaged("preprocess.json", f"{type(error).__name__}: {error}") from None
    n_features, n_targets = len(preprocessor.features.columns), len(preprocessor.targets.columns)
    tensors = load_model(run, n_features, n_targets)
    model = build_model(n_features, n_targets, bias="0.bias" in tensors, dtype=tensors["0.weight"].dtype)
    model.load_state_dict(tensors)
    return TrainedRun(run, record, config, preprocessor, model, fold(model, preprocessor))


def _config(run: RunFolder) -> Config:
    run.read("config.yaml")
    try:
        return load_config([str(run.path / "config.yaml")]).config
    except ConfigError as error:
        raise StoreError(error.faults) from None


def evaluate_splits(trained: TrainedRun) -> tuple[Metrics, bool]:
    """Metrics on the run's own splits, read again, and whether the data is what it was trained on.

    Raises:
        DataError: if the data cannot be read any more.
    """
    dataset = load_dataset(trained.config)
    if {*trained.formula.features, *trained.formula.targets} - set(dataset.columns):
        raise trained.run.damaged("preprocess.json", "its columns are not those of config.yaml")
    metrics: Metrics = {}
    for split in SPLITS:
        rows = dataset.splits[split]
        metrics[split] = _metrics(trained, dataset.columns, rows) if len(rows) else None
    unchanged = dataset.fingerprint() == (trained.record.get("data") or {}).get("fingerprint")
    return {**metrics, "parameters": parameters(trained.formula)}, unchanged


def evaluate_table(trained: TrainedRun, path: str) -> Metrics:
    """Metrics on another table that holds the run's columns, as one split named `data`.

    Raises:
        DataError: if the table cannot be read or lacks columns.
    """
    names = [*trained.formula.features, *trained.formula.targets]
    table = open_for(trained, path, names)
    columns = numeric_columns(table.read(names), names, path)
    return {"data": _metrics(trained, columns, slice(None)), "parameters": parameters(trained.formula)}


def open_for(trained: TrainedRun, path: str, names: Sequence[str]) -> Table:
    """Open a table that a run is applied to, read as the run's own table was.

    Raises:
        DataError: if it lacks some of the columns `names`.
    """
    is_csv = ".csv" in Path(path).name.lower()
    delimiter = getattr(trained.config.data, "delimiter", None) if is_csv else None
    table = open_table(path, delimiter=delimiter, missing_values=trained.config.preprocess.missing_values)
    lacking = [name for name in names if name not in table.columns]
    if lacking:
        message = f"the run needs columns that the table lacks: {', '.join(lacking)}; it has {', '.join(table.columns)}"
        hint = (
            table.delimiter_hint("write the table as the run's own was written") if isinstance(table, CsvTable) else ""
        )
        raise DataError([Fault(message, path), *([Fault(hint, path)] if hint else [])])
    return table


def _metrics(trained: TrainedRun, columns: dict[str, Column], rows: Rows | slice) -> Metrics:
    dtype = linear_layer(trained.model).weight.dtype
    X_nd = trained.preprocessor.features.tensor(columns, rows, dtype)
    y_nk = trained.preprocessor.targets.tensor(columns, rows, dtype)
    loss = Loss(trained.config.loss, trained.config.huber_delta).over(trained.model, X_nd, y_nk)
    chosen = {name: values[rows] for name, values in columns.items()}
    actual = np.column_stack([chosen[target] for target in trained.formula.targets])
    return split_metrics(trained.formula.targets, actual, trained.formula.predict(chosen), loss)

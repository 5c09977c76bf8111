"""A run folder as the model that it holds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from linreg_cli.config import Config
from linreg_cli.config.types import is_address
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import SPLITS, Dataset, Preprocessor, load_dataset
from linreg_cli.data.assemble import assemble
from linreg_cli.data.columns.kinds import RawColumn, Rows
from linreg_cli.data.columns.rows import in_order
from linreg_cli.data.encoding.cells import category_column, number_column
from linreg_cli.data.encoding.encode import Encoder, NumberInput
from linreg_cli.data.tables.open import open_table, text_suffix
from linreg_cli.data.tables.table import Cells, Table, refuse_bad_names
from linreg_cli.errors import DataError, Fault, closest
from linreg_cli.evaluation.fit_quality import fit_quality
from linreg_cli.evaluation.metrics import Metrics, parameters, split_metrics
from linreg_cli.evaluation.predictions import predicted_blocks
from linreg_cli.evaluation.truth import compare, known_truth
from linreg_cli.model import LinearFormula, build_model, fold, linear_layer, parameters_of
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.runs.checkpoint import load_model
from linreg_cli.runs.config import config_of
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
    config = config_of(run).config
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


def evaluate_splits(trained: TrainedRun) -> tuple[Metrics, bool]:
    """Metrics on the run's own splits, read again, and whether the data is what it was trained on.

    With the exact optimum, inference, and the truth where that is known.

    Raises:
        DataError: if the data cannot be read any more.
    """
    dataset = load_dataset(trained.config, trained.preprocessor.encoder)
    if {*trained.formula.features, *trained.formula.targets} - set(dataset.columns):
        raise trained.run.damaged("preprocess.json", "its columns are not those of config.yaml")
    metrics: Metrics = {}
    for split in SPLITS:
        rows = dataset.splits[split]
        metrics[split] = _metrics(trained, dataset, rows) if len(rows) else None
    metrics["parameters"] = parameters(trained.formula)
    rows, dtype = dataset.splits["train"], linear_layer(trained.model).weight.dtype
    X_nd = trained.preprocessor.features.tensor(dataset, rows, dtype).numpy()
    y_nk = trained.preprocessor.targets.tensor(dataset, rows, dtype).numpy()
    plan, start = StepPlan.from_config(trained.config, n_samples=len(X_nd)), parameters_of(trained.model)
    problem = Problem(plan, X_nd, y_nk, dataset.features, start)
    loss = metrics["train"]["loss"]
    metrics |= fit_quality(
        trained.config,
        dataset,
        trained.preprocessor,
        problem,
        trained.model,
        math.inf if loss is None else loss,
    ).metrics
    known = known_truth(trained.config)
    truth = compare(known, trained.formula, metrics) if known else None
    metrics |= {"truth": truth} if truth else {}
    unchanged = dataset.fingerprint() == (trained.record.get("data") or {}).get("fingerprint")
    return metrics, unchanged


def evaluate_table(trained: TrainedRun, path: str) -> Metrics:
    """Metrics on another table that holds the run's columns, as one split named `data`.

    Raises:
        DataError: if the table cannot be read or lacks columns.
    """
    encoder, targets = trained.preprocessor.inputs, trained.formula.targets
    table = open_for(trained, path, [*encoder.columns, *targets])
    numbers, text = input_columns(encoder)
    raw = raw_inputs(table.read([*numbers, *targets], text=text), encoder, targets, trained, path)
    return {
        "data": _metrics_of_table(trained, raw, path),
        "parameters": parameters(trained.formula),
    }


def input_columns(encoder: Encoder) -> tuple[list[str], list[str]]:
    """The columns that are read as numbers, and those that are read as text."""
    numbers = [each.column for each in encoder.inputs if isinstance(each, NumberInput)]
    return numbers, [each.column for each in encoder.inputs if not isinstance(each, NumberInput)]


def raw_inputs(
    cells: Cells, encoder: Encoder, targets: Sequence[str], trained: TrainedRun, path: str
) -> dict[str, RawColumn]:
    """The columns of another table, of the kinds that were learnt.

    Raises:
        DataError: if there is no row, or a column that should hold numbers does not.
    """
    if not cells.num_rows:
        raise DataError("the table has no rows", path)
    marks = trained.config.preprocess.missing_values
    raw: dict[str, RawColumn] = {}
    faults = []
    for each in (*encoder.inputs, *map(NumberInput, targets)):
        if isinstance(each, NumberInput):
            found = number_column(cells, each.column, marks, path)
            if isinstance(found, Fault):
                faults.append(found)
            else:
                raw[each.column] = found
        else:
            raw[each.column] = category_column(cells.column(each.column), marks, each.kind)
    if faults:
        raise DataError(faults)
    return raw


def _metrics_of_table(trained: TrainedRun, raw: Mapping[str, RawColumn], path: str) -> Metrics:
    dataset = assemble(
        path,
        raw,
        trained.formula.targets,
        trained.config,
        lambda kept: {**dict.fromkeys(SPLITS, kept[:0]), "train": kept},
        trained.preprocessor.inputs,
    )
    metrics = _metrics(trained, dataset, dataset.splits["train"])
    dropped = dataset.n_samples - len(dataset.splits["train"])
    return {**metrics, "dropped": dropped} if dropped else metrics


def open_for(trained: TrainedRun, path: str, names: Sequence[str]) -> Table:
    """Open a table that a run is applied to, read as the run's own table was.

    Raises:
        DataError: if it lacks some of the columns `names`.
    """
    if is_address(path):
        raise DataError("only a config can name an address, with data.sha256; download the file", path)
    delimiter = getattr(trained.config.data, "delimiter", None) if text_suffix(path) else None
    marks = trained.config.preprocess.missing_values
    table = open_table(path, delimiter=delimiter, missing_values=marks)
    if delimiter is not None and not set(names) <= set(table.columns):
        usual = open_table(path, missing_values=marks)  # written by somebody else, with the delimiter of its suffix
        table = usual if set(names) <= set(usual.columns) else table
    lacking = [name for name in names if name not in table.columns]
    if lacking:
        near = {name: closest(name, table.columns) for name in lacking}
        named = ", ".join(name if near[name] is None else f"{name} (did you mean {near[name]!r}?)" for name in lacking)
        message = f"the run needs columns that the table lacks: {named}; it has {', '.join(table.columns)}"
        hint = table.hint("write the table as the run's own was written")
        raise DataError([Fault(message, path), *([Fault(hint, path)] if hint else [])])
    refuse_bad_names(table.columns, names, path)
    return table


def _metrics(trained: TrainedRun, dataset: Dataset, rows: Rows) -> Metrics:
    dtype = linear_layer(trained.model).weight.dtype
    X_nd = trained.preprocessor.features.tensor(dataset, rows, dtype)
    y_nk = trained.preprocessor.targets.tensor(dataset, rows, dtype)
    loss = Loss(trained.config.loss, trained.config.huber_delta).over(trained.model, X_nd, y_nk)
    pairs = ((actual, predicted) for _, actual, predicted in predicted_blocks(trained.formula, dataset, in_order(rows)))
    return split_metrics(trained.formula.targets, pairs, loss)

"""From the `data` section of the config to a `Dataset`, whatever the source."""

import hashlib
from pathlib import Path

import numpy as np

from linreg_cli.config.schema import Config, InlineData, SyntheticData, TableData
from linreg_cli.data.dataset import Dataset, choose_columns
from linreg_cli.data.split import split_by_column, split_by_shares
from linreg_cli.data.synthetic import generate
from linreg_cli.errors import DataError, Fault


def load_dataset(config: Config) -> Dataset:
    """Read or generate the rows, choose the columns, split.

    Raises:
        DataError: for a table that cannot be read or does not hold what the config says.
    """
    source = config.data
    if isinstance(source, TableData):
        return _from_table(source, config)
    return _from_inline(source, config) if isinstance(source, InlineData) else _from_synthetic(source, config)


def as_tuple(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    return (columns,) if isinstance(columns, str) else columns


def _from_synthetic(source: SyntheticData, config: Config) -> Dataset:
    chunks = list(generate(source, config.seed))
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    splits = split_by_shares(source.n_samples, source.split, config.seed)
    return Dataset("synthetic data", source.feature_names, (source.target,), columns, splits)


def _from_inline(source: InlineData, config: Config) -> Dataset:
    name = "inline rows"
    targets = as_tuple(source.target or source.columns[-1])
    features = choose_columns(source.columns, targets, source.features, source.ignore, name=name)
    values = np.array(source.rows + source.test_rows, dtype=np.float64)
    columns = {column: np.ascontiguousarray(values[:, position]) for position, column in enumerate(source.columns)}
    splits = split_by_shares(len(source.rows), source.split, config.seed)
    if source.test_rows:
        splits["test"] = np.arange(len(source.rows), len(values), dtype=np.int64)
    return Dataset(name, features, targets, {column: columns[column] for column in (*features, *targets)}, splits)


def _from_table(source: TableData, config: Config) -> Dataset:
    from linreg_cli.data.csv_table import CsvTable
    from linreg_cli.data.table import numeric_columns, open_table, text_column

    if source.sha256 is not None:
        _verify_digest(source.path, source.sha256)
    table = open_table(source.path, delimiter=source.delimiter, missing_values=config.preprocess.missing_values)
    targets = as_tuple(source.target)
    reserved = as_tuple(source.split.column) if source.split.column else ()
    try:
        features = choose_columns(
            table.columns, targets, source.features, source.ignore, reserved=reserved, name=source.path
        )
    except DataError as error:
        hint = (table.delimiter_hint() or table.headless_hint()) if isinstance(table, CsvTable) else ""
        raise DataError([*error.faults, *([Fault(hint, source.path)] if hint else [])]) from None
    cells = table.read([*features, *targets], text=reserved)
    columns = numeric_columns(cells, [*features, *targets], source.path)
    if source.split.column is not None:
        labels = text_column(cells, source.split.column, source.path)
        splits = split_by_column(labels, source.split.column, source.path)
        stopping = config.train.early_stopping
        if stopping is not None and stopping.monitor == "validation.loss" and not len(splits["validation"]):
            message = f"column {source.split.column!r} gives no validation row, and early_stopping watches it"
            raise DataError(f"{message}; mark some rows as validation, or monitor train.loss", source.path)
    else:
        splits = split_by_shares(cells.num_rows, source.split, config.seed)
    return Dataset(source.path, features, targets, columns, splits)


def _verify_digest(path: str, expected: str) -> None:
    if Path(path).is_dir():
        raise DataError("data.sha256 is for one file, and this is a folder", path)
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if found != expected.lower():
        raise DataError(
            f"its SHA-256 digest is {found}, and data.sha256 says {expected.lower()}; it is another file",
            path,
        )

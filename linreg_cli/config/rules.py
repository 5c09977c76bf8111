"""Rules between keys: settings that are valid alone and contradict each other."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from linreg_cli.addresses import is_address, is_object, without_secrets
from linreg_cli.config.data import InlineData, OfTable, SplitConfig, SyntheticData, TableData
from linreg_cli.config.formats import CSV_SUFFIXES, OTHER_SUFFIXES, disagreement, table_format, text_suffix
from linreg_cli.config.metric_names import impossible_gate, known_features, metric_names
from linreg_cli.config.object_address import ObjectAddress, ObjectAddressError
from linreg_cli.config.partial import FaultyError
from linreg_cli.config.preprocess import FILLS, FOR_NUMBERS
from linreg_cli.config.schema import Config
from linreg_cli.config.types import Distribution
from linreg_cli.gates import parse_comparison
from linreg_cli.remedies import quoted, setting, settings
from linreg_cli.wording import number, plural

Path = tuple[str | int, ...]

_MLFLOW_FILE = "sqlite:///mlflow.db"
#: A server with its host, a file with its name, another database, or what databricks has set up.
_ADDRESS = re.compile(
    r"https?://([^/?#]*@)?(\[[0-9a-fA-F:.]+\]|[^\s/?#:@\[]+)(:\d{1,5})?([/?#]|$)|sqlite(\+\w+)?:///+[^/?#]"
    r"|(postgresql|mysql|mssql)(\+\w+)?://.|databricks(://.+)?$"
)


def broken_rules(config: Config, *, stored: bool = False, partial: bool = False) -> Iterator[tuple[Path, str]]:
    """The path and the message of every setting that contradicts another.

    A rule that needs a setting which is itself at fault says nothing.

    Args:
        config: valid by the schema, or the usable part of one (`partial.usable_part`).
        partial: whether it is such a part. What is written in C refuses a faulty value by a TypeError.
        stored: whether it is the config of a run, whose gates may name what another version measured.
    """
    for rule in _RULES if stored else (*_RULES, _gate_grammar, _gate_names):
        with contextlib.suppress(FaultyError, *([TypeError] if partial else [])):
            yield from rule(config)


def _gate_grammar(config: Config) -> Iterator[tuple[Path, str]]:
    for position, gate in enumerate(config.gates):
        try:
            parse_comparison(gate)
        except ValueError as error:
            yield ("gates", position), str(error)


def _gate_names(config: Config) -> Iterator[tuple[Path, str]]:
    names = metric_names(config, known_features(config))
    for position, gate in enumerate(config.gates):
        with contextlib.suppress(ValueError):  # `_gate_grammar` says why
            if why := impossible_gate(gate, names):
                yield ("gates", position), why


def _fractions(config: Config) -> Iterator[tuple[Path, str]]:
    split, path = config.data.split, ("data", "split")
    fractions = {name: getattr(split, name) for name in ("train", "validation", "test")}
    if split.column is not None:
        defaults = SplitConfig.model_fields.items()
        others = [name for name, each in defaults if name != "column" and getattr(split, name) != each.default]
        if others:
            yield path, f"split.column replaces the fractions; remove {', '.join(others)}"
    elif abs(sum(fractions.values()) - 1) > 1e-9:
        listing = " + ".join(f"{name} {number(fraction)}" for name, fraction in fractions.items())
        yield path, f"the fractions must add up to 1; {listing} = {number(sum(fractions.values()))}"


def _split_by(config: Config) -> Iterator[tuple[Path, str]]:
    split = config.data.split
    if split.by == "hash" and not split.shuffle and split.column is None:
        yield (
            ("data", "split", "by"),
            f"hash assigns rows at random, and shuffle: false asks for the order of the table; set "
            f"{setting('data.split.shuffle', True)} or {setting('data.split.by', 'shuffle')}",
        )


def _split_column(config: Config) -> Iterator[tuple[Path, str]]:
    if config.data.split.column is not None and not isinstance(config.data, OfTable):
        message = f"only a table has such a column, and the source is {config.data.source}; set the fractions"
        yield ("data", "split", "column"), message


def _clusters(config: Config) -> Iterator[tuple[Path, str]]:
    evaluate = config.evaluate
    if evaluate.covariance == "cluster" and evaluate.cluster is None:
        message = "covariance: cluster needs the column of the clusters; set evaluate.cluster"
        yield ("evaluate", "covariance"), message
    if evaluate.cluster is not None and not isinstance(config.data, OfTable):
        yield ("evaluate", "cluster"), f"only a table has such a column, and the source is {config.data.source}"


def _weights(config: Config) -> Iterator[tuple[Path, str]]:
    weighted = isinstance(config.data, OfTable) and config.data.weight is not None
    if weighted and config.preprocess.target_estimate == "mean":
        message = "with data.weight the variance differs from row to row, and one smearing factor does not fit all"
        yield ("preprocess", "target_estimate"), f"{message}; set {setting('preprocess.target_estimate', 'median')}"


def _monitor(config: Config) -> Iterator[tuple[Path, str]]:
    split = config.data.split
    monitor = config.train.early_stopping and config.train.early_stopping.monitor
    if monitor == "validation.loss" and split.validation == 0 and split.column is None:
        yield (
            ("train", "early_stopping"),
            "early_stopping monitors validation.loss, and there is no validation split; set data.split.validation",
        )


def _address(config: Config) -> Iterator[tuple[Path, str]]:
    if isinstance(config.data, TableData) and is_address(config.data.path) and config.data.sha256 is None:
        yield ("data", "path"), "an address needs data.sha256, the digest that the downloaded file must have"


def _object(config: Config) -> Iterator[tuple[Path, str]]:
    if isinstance(config.data, TableData) and is_object(config.data.path):
        try:
            ObjectAddress.parsed(config.data.path)
        except ObjectAddressError as error:
            yield ("data", "path"), f"it is not an address of an object: {error}"


def _tracking(config: Config) -> Iterator[tuple[Path, str]]:
    address = config.track.mlflow
    if address is None or _ADDRESS.match(address):
        return
    message = f"{quoted(without_secrets(address))} is no tracking address"
    yield (
        ("track", "mlflow"),
        f"{message}: a server is http://HOST:PORT, a file {_MLFLOW_FILE}; MLflow reads plain folders no more",
    )


def _format(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if isinstance(data, TableData) and data.format is not None and (other := disagreement(data.path, data.format)):
        yield ("data", "format"), f"{other}; leave it out"


def _decimal_mark(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if not isinstance(data, TableData):
        return
    suffix = text_suffix(data.path)
    delimiter = data.delimiter or CSV_SUFFIXES.get(suffix or "")
    if data.decimal == data.thousands:
        other = setting("data.thousands", ".") if data.decimal == "," else setting("data.decimal", ",")
        yield ("data", "thousands"), f'"{data.decimal}" is also the decimal mark; set {other}'
    if data.decimal == delimiter:
        other = setting("data.delimiter", "\t" if suffix == ".tsv" else ";")
        yield (
            ("data", "decimal"),
            f'"{delimiter}" is also the delimiter of the cells; set that of the file, such as {other}',
        )


def _text_format(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if not isinstance(data, TableData):
        return
    typed = table_format(data.path)
    for key in ("decimal", "thousands", "units", "encoding") if typed in OTHER_SUFFIXES else ():
        value, default = getattr(data, key), TableData.model_fields[key].default
        if value != default:
            yield (
                ("data", key),
                f"it is for CSV files, and the cells of {typed} have types; set {setting(f'data.{key}', default)}",
            )


def _inline_rows(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if not isinstance(data, InlineData):
        return
    width = len(data.columns)
    for key, rows in (("rows", data.rows), ("test_rows", data.test_rows)):
        for position, row in enumerate(rows):
            if len(row) != width:
                yield (
                    ("data", key, position),
                    f"{plural(len(row), 'value')} for {plural(width, 'column')} ({', '.join(data.columns)})",
                )


def _test_rows(config: Config) -> Iterator[tuple[Path, str]]:
    if isinstance(config.data, InlineData) and config.data.test_rows and config.data.split.test:
        yield ("data", "split", "test"), "test_rows are the test split; set data.split.test to 0"


def _synthetic_columns(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if not isinstance(data, SyntheticData) or data.features is None:
        return
    named, columns = list(data.weights) if isinstance(data.weights, dict) else None, list(data.features)
    if not columns:
        yield ("data", "features"), "the mapping is empty; it needs at least one column"
    elif named is None and len(data.weights) != len(columns):
        yield (
            ("data", "weights"),
            f"{plural(len(data.weights), 'weight')} for {plural(len(columns), 'feature')} ({', '.join(columns)})",
        )
    elif named is not None and set(named) != set(columns):
        absent = [f"no weight for {name}" for name in columns if name not in named]
        extra = [f"no feature {name}" for name in named if name not in columns]
        yield ("data", "weights"), f"weights and features name different columns: {', '.join(absent + extra)}"


def _synthetic_target(config: Config) -> Iterator[tuple[Path, str]]:
    if isinstance(config.data, SyntheticData) and config.data.target in config.data.feature_names:
        yield ("data", "target"), f"{config.data.target} is also a feature; rename one of them"


def _probes(config: Config) -> Iterator[tuple[Path, str]]:
    """The lengths of probes, where the config names the features. Those of a table are checked when it is read."""
    if isinstance(config.data, OfTable) or (isinstance(config.data, InlineData) and config.data.terms[1]):
        return
    columns = config.data.source_names
    what = "feature" if columns == config.data.feature_names else "column"
    for position, point in enumerate(config.probe):
        if len(point) != len(columns):
            yield (
                ("probe", position),
                f"{plural(len(point), 'value')} for {plural(len(columns), what)} ({', '.join(columns)})",
            )


def _derived_features(config: Config) -> Iterator[tuple[Path, str]]:
    """Entries of `data.features` that are not of the grammar, where the config names the columns."""
    if not isinstance(config.data, InlineData):
        return
    terms, wrong = config.data.terms
    for position, error in wrong:
        if error.column is None:  # a column that is not there is a fault of the data
            yield ("data", "features", position), str(error)
    for term in terms:
        if term.part is not None:
            message = f"{term.text!r}: {term.part}() takes a column of dates, and inline rows are numbers"
            yield ("data", "features", (config.data.features or ()).index(term.text)), message


def _initial_values(config: Config) -> Iterator[tuple[Path, str]]:
    """The lengths of initial values, where the config names the features."""
    if isinstance(config.data, OfTable) or (isinstance(config.data, InlineData) and config.data.terms[1]):
        return
    n_targets = len(config.data.targets) if isinstance(config.data, InlineData) else 1
    sizes = {"weight": len(config.data.feature_names) * n_targets, "bias": n_targets}
    for key, size in sizes.items():
        start = getattr(config.model.init, key)
        if isinstance(start, tuple) and not isinstance(start, Distribution) and len(start) != size:
            yield ("model", "init", key), f"{plural(len(start), 'value')} for {plural(size, 'parameter')}"


def _columns(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if config.preprocess.columns and not isinstance(data, OfTable):
        yield (
            ("preprocess", "columns"),
            f"settings of single columns are for tables; the rows of source: {data.source} are numbers",
        )
        return
    targets = (data.target,) if isinstance(data.target, str) else data.target or ()
    for column, exception in config.preprocess.columns.items():
        path: Path = ("preprocess", "columns", column)
        if column in targets and exception.categorical == "one_hot":
            yield (*path, "categorical"), f"{column} is the target, which must be a number"
        if column in targets and exception.missing in FILLS:
            yield (*path, "missing"), f"{column} is the target, which is not filled in; use error or drop"
        if exception.categorical == "one_hot" and exception.missing in FOR_NUMBERS:
            yield (*path, "missing"), f"a category has no {exception.missing}; use level, drop or error"


def _target_estimate(config: Config) -> Iterator[tuple[Path, str]]:
    if config.preprocess.target_estimate != "median" and config.preprocess.target_transform == "none":
        yield (
            ("preprocess", "target_estimate"),
            "mean is for a transformed target, and without a transform predictions of a squared loss estimate the mean "
            "anyway; set preprocess.target_transform, or leave target_estimate out",
        )


def _nesterov(config: Config) -> Iterator[tuple[Path, str]]:
    optimizer = config.optimizer
    if optimizer.nesterov and (not optimizer.momentum or optimizer.dampening):
        yield ("optimizer", "nesterov"), "Nesterov momentum needs momentum above 0 and dampening 0"


def _automatic_momentum(config: Config) -> Iterator[tuple[Path, str]]:
    optimizer = config.optimizer
    if optimizer.momentum != "auto":
        return
    if optimizer.nesterov:
        yield ("optimizer", "nesterov"), "momentum: auto chooses heavy-ball momentum; set nesterov to false"
    if optimizer.dampening:
        yield (
            ("optimizer", "dampening"),
            "momentum: auto chooses heavy-ball momentum without dampening; set dampening to 0",
        )


def _row_order(config: Config) -> Iterator[tuple[Path, str]]:
    train = config.train
    streamed = isinstance(config.data, TableData) and config.data.stream is True  # its order becomes one of blocks
    random = train.shuffle is True and train.batch_size != "full"
    if train.blocks is not None and train.shuffle != "blocks" and not (streamed and random):
        order: dict[str, Any] = {"train.shuffle": "blocks"}
        if train.batch_size == "full":
            order["train.batch_size"] = 32
        yield (
            ("train", "blocks"),
            f"the order of the rows has no blocks; set {settings(order)}, or leave train.blocks out",
        )
    if train.shuffle == "blocks" and train.batch_size == "full":
        whole: dict[str, Any] = {"train.shuffle": True, **({} if train.blocks is None else {"train.blocks": None})}
        shuffled, batches = settings(whole), setting("train.batch_size", 32)
        yield (
            ("train", "shuffle"),
            f"with batch_size: full every step takes all rows, whatever their order; set {shuffled}, or {batches}",
        )


def _initial_bias(config: Config) -> Iterator[tuple[Path, str]]:
    initial = config.model.init.bias
    if not config.model.bias and (isinstance(initial, Distribution) or initial != 0.0):
        yield ("model", "init", "bias"), "the model has no bias to initialise: model.bias is false"


_RULES = (
    _fractions,
    _split_column,
    _clusters,
    _weights,
    _split_by,
    _monitor,
    _address,
    _object,
    _format,
    _tracking,
    _decimal_mark,
    _text_format,
    _inline_rows,
    _test_rows,
    _synthetic_columns,
    _synthetic_target,
    _derived_features,
    _columns,
    _target_estimate,
    _nesterov,
    _automatic_momentum,
    _row_order,
    _initial_bias,
    _probes,
    _initial_values,
)

"""Rules between keys: settings that are valid alone and contradict each other or have no effect."""

from collections.abc import Iterator

from linreg_cli.addresses import is_address
from linreg_cli.config.data import InlineData, SplitConfig, SyntheticData, TableData
from linreg_cli.config.formats import CSV_SUFFIXES, OTHER_SUFFIXES, text_suffix
from linreg_cli.config.metric_names import impossible_gate, known_features, metric_names
from linreg_cli.config.preprocess import FILLS
from linreg_cli.config.schema import Config
from linreg_cli.config.types import Distribution
from linreg_cli.remedies import setting
from linreg_cli.wording import plural

Path = tuple[str | int, ...]


def broken_rules(config: Config, *, stored: bool = False) -> Iterator[tuple[Path, str]]:
    """The path and the message of every setting that contradicts another.

    Args:
        config: valid by the schema.
        stored: whether it is the config of a run, whose gates may name what another version measured.
    """
    yield from _split(config)
    if isinstance(config.data, TableData) and is_address(config.data.path) and config.data.sha256 is None:
        yield ("data", "path"), "an address needs data.sha256, the digest that the downloaded file must have"
    if isinstance(config.data, TableData):
        yield from _text_format(config.data)
    if isinstance(config.data, InlineData):
        yield from _inline(config.data)
    if isinstance(config.data, SyntheticData):
        yield from _synthetic(config.data)
    yield from _columns(config)
    yield from _training(config)
    yield from _shapes(config)
    if not stored:
        yield from _gates(config)


def notes(config: Config) -> Iterator[str]:
    """A sentence for each setting that is valid and has no effect.

    Args:
        config: without broken rules.
    """
    default = Config.model_fields["huber_delta"].default
    if config.loss != "huber" and config.huber_delta != default:
        yield f"huber_delta: {config.huber_delta:g} has no effect with loss: {config.loss}"
    if config.optimizer.dampening and not config.optimizer.momentum:
        yield "optimizer.dampening has no effect without momentum"
    one_hot = [config.preprocess.categorical, *(column.categorical for column in config.preprocess.columns.values())]
    if "one_hot" not in one_hot and config.preprocess.drop_first != "auto":
        yield "preprocess.drop_first has no effect: no column is categorical"
    if not (config.preprocess.standardize or config.preprocess.standardize_target) and config.preprocess.ddof:
        yield "preprocess.ddof has no effect: nothing is standardised"


def _gates(config: Config) -> Iterator[tuple[Path, str]]:
    names = metric_names(config, known_features(config))
    for position, gate in enumerate(config.gates):
        try:
            why = impossible_gate(gate, names)
        except ValueError as error:
            why = str(error)
        if why:
            yield ("gates", position), why


def _split(config: Config) -> Iterator[tuple[Path, str]]:
    split = config.data.split
    fractions = {name: getattr(split, name) for name in ("train", "validation", "test")}
    path: Path = ("data", "split")
    if split.column is not None:
        if fractions != {name: SplitConfig.model_fields[name].default for name in fractions} or not split.shuffle:
            yield path, "split.column replaces the fractions; remove train, validation, test and shuffle"
        if not isinstance(config.data, TableData):
            message = f"only a table has such a column, and the source is {config.data.source}; set the fractions"
            yield (*path, "column"), message
    elif abs(sum(fractions.values()) - 1) > 1e-9:
        listing = " + ".join(f"{name} {fraction:g}" for name, fraction in fractions.items())
        yield path, f"the fractions must add up to 1; {listing} = {sum(fractions.values()):g}"
    monitor = config.train.early_stopping and config.train.early_stopping.monitor
    if monitor == "validation.loss" and split.validation == 0 and split.column is None:
        yield (
            ("train", "early_stopping"),
            "early_stopping monitors validation.loss, and there is no validation split; set data.split.validation",
        )


def _text_format(data: TableData) -> Iterator[tuple[Path, str]]:
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
    typed = next((each for each in OTHER_SUFFIXES if data.path.lower().endswith(each)), None)
    for key in ("decimal", "thousands", "encoding") if typed else ():
        value, default = getattr(data, key), TableData.model_fields[key].default
        if value != default:
            yield (
                ("data", key),
                f"it is for CSV files, and the cells of {typed} have types; set {setting(f'data.{key}', default)}",
            )


def _inline(data: InlineData) -> Iterator[tuple[Path, str]]:
    width = len(data.columns)
    for key, rows in (("rows", data.rows), ("test_rows", data.test_rows)):
        for position, row in enumerate(rows):
            if len(row) != width:
                yield (
                    ("data", key, position),
                    f"{plural(len(row), 'value')} for {plural(width, 'column')} ({', '.join(data.columns)})",
                )
    if data.test_rows and data.split.test:
        yield ("data", "split", "test"), "test_rows are the test split; set data.split.test to 0"


def _synthetic(data: SyntheticData) -> Iterator[tuple[Path, str]]:
    named = list(data.weights) if isinstance(data.weights, dict) else None
    if data.features is not None:
        columns = list(data.features)
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
            yield (
                ("data", "weights"),
                f"weights and features name different columns: {', '.join(absent + extra)}",
            )
    if data.target in data.feature_names:
        yield ("data", "target"), f"{data.target} is also a feature; rename one of them"


def _shapes(config: Config) -> Iterator[tuple[Path, str]]:
    """Lengths of lists, where the config names the features. Those of a table are checked when it is read."""
    if isinstance(config.data, TableData):
        return
    features = config.data.feature_names
    n_targets = len(config.data.targets) if isinstance(config.data, InlineData) else 1
    for position, point in enumerate(config.probe):
        if len(point) != len(features):
            yield (
                ("probe", position),
                f"{plural(len(point), 'value')} for {plural(len(features), 'feature')} ({', '.join(features)})",
            )
    sizes = {"weight": len(features) * n_targets, "bias": n_targets}
    for key, size in sizes.items():
        start = getattr(config.model.init, key)
        if isinstance(start, tuple) and not isinstance(start, Distribution) and len(start) != size:
            yield ("model", "init", key), f"{plural(len(start), 'value')} for {plural(size, 'parameter')}"


def _columns(config: Config) -> Iterator[tuple[Path, str]]:
    data = config.data
    if config.preprocess.columns and not isinstance(data, TableData):
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
        if exception.categorical == "one_hot" and exception.missing in FILLS:
            yield (*path, "missing"), f"a category has no {exception.missing}; use error or drop"


def _training(config: Config) -> Iterator[tuple[Path, str]]:
    optimizer = config.optimizer
    if optimizer.nesterov and (not optimizer.momentum or optimizer.dampening):
        yield ("optimizer", "nesterov"), "Nesterov momentum needs momentum above 0 and dampening 0"
    if optimizer.momentum == "auto":
        if optimizer.nesterov:
            yield ("optimizer", "nesterov"), "momentum: auto chooses heavy-ball momentum; set nesterov to false"
        if optimizer.dampening:
            yield (
                ("optimizer", "dampening"),
                "momentum: auto chooses heavy-ball momentum without dampening; set dampening to 0",
            )
    initial = config.model.init.bias
    if not config.model.bias and (isinstance(initial, Distribution) or initial != 0.0):
        yield ("model", "init", "bias"), "the model has no bias to initialise: model.bias is false"

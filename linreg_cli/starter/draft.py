"""draft: what a config for a table decides, and the config itself. `init` writes it, `train TABLE` trains it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_cli.config import Config, LoadedConfig, load_config
from linreg_cli.config.data import SplitConfig, TableData
from linreg_cli.config.formats import table_stem
from linreg_cli.config.source import ConfigText
from linreg_cli.data.assemble import Split, assemble
from linreg_cli.data.checks.leaks import MIN_ROWS, identifying
from linreg_cli.data.checks.warnings import SAMPLE_ROWS
from linreg_cli.data.columns.kinds import Categories, Numbers, row_numbers, rows_where
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.encoding.cells import text_column
from linreg_cli.data.encoding.inputs import CategoryInput
from linreg_cli.data.encoding.treatments import treatments
from linreg_cli.data.load import splitter
from linreg_cli.errors import ConfigError, DataError
from linreg_cli.remedies import override
from linreg_cli.starter.choices import IGNORED, Choices, ColumnChoice, SettingChoice
from linreg_cli.starter.columns import category
from linreg_cli.starter.columns import choices as choices_of
from linreg_cli.starter.dependent import constant_columns, dependent
from linreg_cli.starter.reading import Reading, readable
from linreg_cli.starter.skewed import skew_hints
from linreg_cli.starter.text import config_text
from linreg_cli.wording import plural

#: With fewer rows, a test split has too few of them to say anything, and training needs them all.
_FEWEST_TO_SPLIT = 20
#: With fewer train rows for each parameter, there is no test split.
_ROWS_PER_PARAMETER = 2


@dataclass(frozen=True)
class Draft:
    """A config for a table.

    Attributes:
        choices: what was decided.
        text: the config as YAML, with comments.
    """

    choices: Choices
    text: str

    def load(self, overrides: Sequence[str] = ()) -> LoadedConfig:
        """The config with overrides, as if it were in a file."""
        return load_config([_as_config(self.choices.path, self.text)], overrides)


def _as_config(path: str, text: str) -> ConfigText:
    return ConfigText(f"the config of {path}", text, table_stem(path))


def draft(
    path: str,
    targets: Sequence[str],
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    overrides: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Draft:
    """Read a table and decide about its columns, its split and the way of training.

    Args:
        path: of the table.
        targets: the columns to predict.
        features: the columns to predict from; None: all others that can be used.
        ignore: columns that are not used.
        overrides: `--set` expressions of the user, which the decisions respect.
        progress: called with what is being done.

    Raises:
        ConfigError: for an override that is at fault.
        DataError: for a table that cannot be read, a column that it lacks, and a target that is not numeric.
    """
    base = _base(path, targets, features, ignore, overrides)
    progress("reading the table")
    reading = readable(base)
    progress("deciding about the columns")
    found = choices_of(reading)
    first = Choices(
        path=reading.source.path,
        n_rows=reading.cells.num_rows,
        n_columns=len(reading.table.columns),
        targets=reading.targets,
        features=reading.source.features,
        columns=tuple(found),
        settings=(*reading.settings, *_split(reading, found)),
        hints=tuple(skew_hints(reading, reading.targets)),
    )
    return _refined(first, reading, overrides)


def _base(
    path: str, targets: Sequence[str], features: Sequence[str] | None, ignore: Sequence[str], overrides: Sequence[str]
) -> Config:
    """The config of the command line alone, checked."""
    target = targets[0] if len(targets) == 1 else list(targets)
    given = [override("data.path", path), override("data.target", target)]
    given += [] if features is None else [override("data.features", list(features))]
    given += [override("data.ignore", list(ignore))] if ignore else []
    base = load_config([ConfigText("the command line", "", table_stem(path))], [*given, *overrides]).config
    if not isinstance(base.data, TableData):
        raise ConfigError(f"data.source: {base.data.source} needs no table; give a config with -c", "--set")
    return base


def _split(reading: Reading, columns: Sequence[ColumnChoice]) -> list[SettingChoice]:
    """The 80/20 split, where a user has not set another and there are enough rows."""
    if reading.source.split != SplitConfig():
        return []
    targets = [reading.raw[each] for each in reading.targets]
    gaps = np.zeros(reading.cells.num_rows, dtype=bool)
    for values in targets:
        gaps |= values.missing()
    n_rows = int(np.count_nonzero(~gaps))
    ignored = {each.column for each in columns if each.use == IGNORED}
    used = {name: values for name, values in reading.raw.items() if name not in ignored}
    p = 1 + sum(len(each.levels) - 1 if isinstance(each, Categories) else 1 for each in used.values()) - len(targets)
    n_train = int(0.8 * n_rows)
    if n_rows >= _FEWEST_TO_SPLIT and n_train >= _ROWS_PER_PARAMETER * p:
        why = "the test rows are not trained on; seed decides which they are"
        return [SettingChoice("data.split", {"train": 0.8, "test": 0.2}, why)]
    why = f"{plural(n_rows, 'row')} for {plural(p, 'parameter')} are too few for a test split: train on all of them"
    return [SettingChoice("data.split", {"train": 1.0}, why)]


def _refined(first: Choices, reading: Reading, overrides: Sequence[str]) -> Draft:
    """The draft without the columns that turn out to be of no use once the rows are split and encoded."""
    choices, dataset = _encoded(first, reading, overrides)
    choices = _with_levels(choices, dataset, reading)
    if choices.features is not None:  # what a user has asked for is kept, or refused
        return Draft(choices, config_text(choices, reading.source))
    used = [each.column for each in dataset.inputs]
    more = {
        column: "constant in the train split" if _varies(reading, column) else "constant"
        for column in constant_columns(dataset)
    }
    if len(dataset.splits["train"]) >= MIN_ROWS:
        sample = dataset.splits["train"][:SAMPLE_ROWS]
        more |= {column: f"identifier: it {why}" for column, why in identifying(dataset, sample)}
    left = [column for column in used if column not in more]
    more |= dependent(dataset, left)
    if len(more) == len(used):  # nothing would be left to predict from
        more = {}
    choices = _with_ignored(choices, more, reading)
    return Draft(choices, config_text(choices, reading.source))


def _encoded(choices: Choices, reading: Reading, overrides: Sequence[str]) -> tuple[Choices, Dataset]:
    """The table split and encoded as the config says, without the columns that have no value in a train row."""
    config = load_config([_as_config(choices.path, config_text(choices, reading.source))], overrides).config
    source = config.data
    assert isinstance(source, TableData)
    labels = None
    if source.split.column is not None:
        cells = reading.table.read((), text=[source.split.column])
        labels = text_column(cells, source.split.column, reading.missing_values, choices.path)
    split = splitter(source, config, labels)
    known = {each.column for each in choices.columns if each.use == IGNORED}
    found = [each for each in _empty(reading, choices.targets, split) if each not in known]
    empty = dict.fromkeys(found, "no cell of a train row has a value")
    choices = _with_ignored(choices, empty, reading)
    taken = {*choices.targets, *source.ignore, *empty}
    features = [each for each in source.features or reading.raw if each not in taken]
    if not features:
        ignored = [each for each in choices.columns if each.use == IGNORED]
        why = "; ".join(f"{each.column}: {each.why}" for each in ignored)
        raise DataError(f"no feature is left{f' ({why})' if why else ''}", choices.path)
    raw = {each: reading.raw[each] for each in (*features, *choices.targets)}
    treated = treatments(config.preprocess, features, choices.targets, reading.table.columns)
    return choices, assemble(choices.path, raw, choices.targets, config, split, treated)


def _empty(reading: Reading, targets: Sequence[str], split: Split) -> list[str]:
    """The columns without a value in a train row."""
    gaps = [values.missing() for values in (reading.raw[each] for each in targets) if values.n_missing]
    kept = rows_where(~np.any(gaps, axis=0)) if gaps else row_numbers(0, reading.cells.num_rows)
    train = split(kept)["train"]
    return [name for name, values in reading.raw.items() if values.n_missing and values.missing()[train].all()]


def _varies(reading: Reading, column: str) -> bool:
    """Whether a column that is constant in the train split has other values elsewhere."""
    values = reading.raw[column]
    if isinstance(values, Numbers):
        there = values.values[:]
        there = there[~np.isnan(there)]
        return bool(len(there) and there.min() != there.max())
    return len(values.levels) > 1


def _with_levels(choices: Choices, dataset: Dataset, reading: Reading) -> Choices:
    """The choices with the reference levels of the train split."""
    found = {each.column: each for each in choices.columns}
    for each in dataset.inputs:
        values = reading.raw[each.column]
        if isinstance(values, Categories) and isinstance(each, CategoryInput) and each.levels:
            found[each.column] = category(values, each.column, each.levels)
    return replace(choices, columns=tuple(found.values()))


def _with_ignored(choices: Choices, more: dict[str, str], reading: Reading) -> Choices:
    columns = {each.column: each for each in choices.columns}
    columns |= {column: ColumnChoice(column, IGNORED, why) for column, why in more.items()}
    ordered = [columns[name] for name in dict.fromkeys(reading.table.columns) if name in columns]
    return replace(choices, columns=tuple(ordered))

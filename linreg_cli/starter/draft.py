"""draft: what a config for a table decides, and the config itself. `init` writes it, `train TABLE` trains it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linreg_cli.config import Config, LoadedConfig, load_config
from linreg_cli.config.data import TableData
from linreg_cli.config.formats import table_stem
from linreg_cli.config.source import ConfigText, parse_override
from linreg_cli.data.assemble import complete_rows
from linreg_cli.data.columns.kinds import Categories
from linreg_cli.errors import ConfigError
from linreg_cli.remedies import override
from linreg_cli.starter.choices import IGNORED, Choices, ColumnChoice, SettingChoice
from linreg_cli.starter.columns import choices as choices_of
from linreg_cli.starter.known import Known
from linreg_cli.starter.odd_rows import refuse_second_header, totals
from linreg_cli.starter.reading import Reading, readable
from linreg_cli.starter.refined import as_config, refined
from linreg_cli.starter.skewed import skew_hints
from linreg_cli.starter.text import config_text
from linreg_cli.starter.training import UNKNOWN
from linreg_cli.wording import plural

#: The keys of `data.split` that say how many rows each split has.
_SHARES = {"train", "validation", "test", "column"}
#: With fewer rows, a test split has too few of them to say anything, and training needs them all.
_FEWEST_TO_SPLIT = 20
#: With fewer test rows, their metrics are mostly chance.
_FEW_TEST_ROWS = 10
#: With fewer train rows for each parameter, there is no test split.
_ROWS_PER_PARAMETER = 2


@dataclass(frozen=True)
class Draft:
    """A config for a table.

    Attributes:
        choices: what was decided.
        text: the config as YAML, with comments.
        known: what was read, for a run of the config; let go of it soon, because it holds the rows.
    """

    choices: Choices
    text: str
    known: Known

    def load(self, overrides: Sequence[str] = ()) -> LoadedConfig:
        """The config with overrides, as if it were in a file."""
        return load_config([as_config(self.choices.path, self.text)], _beside(overrides, self.choices))


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
    base = base_config(path, targets, features, ignore, overrides)
    progress("reading the table")
    reading = readable(base)
    progress("deciding about the columns")
    refuse_second_header(reading)
    found = choices_of(reading)
    first = Choices(
        path=reading.source.path,
        n_rows=reading.cells.num_rows,
        n_columns=len(reading.table.columns),
        targets=reading.targets,
        features=reading.source.features,
        columns=tuple(found),
        settings=(*reading.settings, *_split(reading, found)),
        training=UNKNOWN,
        odd_rows=tuple(totals(reading)),
        hints=tuple(skew_hints(reading, reading.targets)),
    )
    choices, known = refined(first, reading, _beside(overrides, first))
    return Draft(choices, config_text(choices, reading.source), known)


def base_config(
    path: str, targets: Sequence[str], features: Sequence[str] | None, ignore: Sequence[str], overrides: Sequence[str]
) -> Config:
    """The config of the command line alone, checked.

    Raises:
        ConfigError: for an override that is at fault.
    """
    target = targets[0] if len(targets) == 1 else list(targets)
    given = [override("data.path", path), override("data.target", target)]
    given += [] if features is None else [override("data.features", list(features))]
    given += [override("data.ignore", list(ignore))] if ignore else []
    base = load_config([ConfigText("the command line", "", table_stem(path))], [*given, *overrides]).config
    if not isinstance(base.data, TableData):
        raise ConfigError(f"data.source: {base.data.source} needs no table; give a config with -c", "--set")
    return base


def _beside(overrides: Sequence[str], choices: Choices) -> list[str]:
    """The overrides without lists that the draft has made longer: as they stand, they would undo its decisions."""
    longer = {"data.ignore", *(each.key for each in choices.settings if each.key == "preprocess.missing_values")}
    return [each for each in overrides if ".".join(parse_override(each)[0]) not in longer]


def _split(reading: Reading, columns: Sequence[ColumnChoice]) -> list[SettingChoice]:
    """The 80/20 split, where a user has not set another and there are enough rows."""
    split = reading.source.split
    if split.model_fields_set & _SHARES:
        return []
    targets = [reading.raw[each] for each in reading.targets]
    n_rows = len(complete_rows(reading.raw, reading.targets))
    ignored = {each.column for each in columns if each.use == IGNORED}
    used = {name: values for name, values in reading.raw.items() if name not in ignored}
    p = 1 + sum(len(each.levels) - 1 if isinstance(each, Categories) else 1 for each in used.values()) - len(targets)
    n_train = int(0.8 * n_rows)
    if n_rows >= _FEWEST_TO_SPLIT and n_train >= _ROWS_PER_PARAMETER * p:
        which = "seed decides which they are" if split.shuffle else "they are the last of the table"
        why = f"the test rows are not trained on; {which}"
        if (n_test := int(0.2 * n_rows)) < _FEW_TEST_ROWS:
            why = f"{why}; {n_test} say little, leave-one-out of linreg inspect more"
        return [SettingChoice("data.split", {"train": 0.8, "test": 0.2}, why)]
    why = f"{plural(n_rows, 'row')} for {plural(p, 'parameter')} are too few for a test split: train on all of them"
    return [SettingChoice("data.split", {"train": 1.0}, why)]

"""A table on the command line: TABLE, --target, --features and --ignore, of `train` and of `init`."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from linreg_cli.addresses import is_address
from linreg_cli.cli.folder import is_config
from linreg_cli.errors import DataError, Fault, UsageError, closest, did_you_mean
from linreg_cli.lookalike import same_appearance
from linreg_cli.paths import expanded, nearest
from linreg_cli.remedies import command, override, setting
from linreg_cli.wording import one_line

if TYPE_CHECKING:
    from linreg_cli.config import Config
    from linreg_cli.starter.choices import Choices
    from linreg_cli.starter.draft import Draft

#: Columns that an error lists, and reasons that are shown; more are counted.
_LISTED, _REASONS = 20, 10


@dataclass(frozen=True)
class Words:
    """What the command line says about a table.

    Attributes:
        table: its path; None: none was given.
        target: values of --target.
        features: values of --features.
        ignore: values of --ignore.
        format: value of --format.
    """

    table: str | None
    target: Sequence[str] | None
    features: Sequence[str] | None
    ignore: Sequence[str] | None
    format: str | None = None

    def check(
        self,
        config: Sequence[str] | None = None,
        resume: str | None = None,
        *,
        name: str = "train",
        overrides: Sequence[str] = (),
    ) -> None:
        """Refuse words that contradict each other, a table in the place of a config, and a config in that of a table.

        Args:
            config: values of -c.
            resume: value of --resume.
            name: of the command, `train` or `init`.
            overrides: values of --set.

        Raises:
            ConfigError: for an override without a value.
            UsageError: for these, and for a table without a target, with its columns.
        """
        for file in config or ():
            if _is_table(file) and resume is None:
                raise UsageError(f"this is a table, and -c takes a config; train it with {_example(file, name)}", file)
        if self.table is None:
            given = {"--target": self.target, "--features": self.features, "--ignore": self.ignore}
            for option, values in given.items():
                if values:
                    key = f"data.{option.removeprefix('--')}"
                    raise UsageError(f"it is about a TABLE, and none was given; in a config set {key}", option)
            return
        if resume is not None:
            raise UsageError(
                "--resume continues a run with the config and the table of that run; leave TABLE out", self.table
            )
        if is_config(self.table):
            if not Path(expanded(self.table)).exists():
                raise UsageError(f"there is no such file (in {Path.cwd()}){nearest(expanded(self.table))}", self.table)
            raise UsageError(
                f"this is a config; train it with: {command('linreg', 'train', '-c', self.table)}", self.table
            )
        if config:
            self._refuse_config(overrides)
        if not self.table or not _is_text(self.table):
            raise UsageError("TABLE is the name of a file, in UTF-8", self.table or "''")
        if is_address(self.table):
            message = "a TABLE is a file; download it, or write a config with data.path and data.sha256"
            raise UsageError(message, self.table)
        if not self.target:
            raise UsageError(f"say which column to predict: {_example(self.table, name, self.format)}", self.shown)

    def _refuse_config(self, overrides: Sequence[str]) -> NoReturn:
        """Refuse a config beside a table, which may be the value of an override, behind a blank."""
        from linreg_cli.config.source import parse_override

        for expression in overrides:
            parse_override(expression)
        message = "a TABLE is trained without a config, and -c names one; leave one of them out"
        raise UsageError(f"{message} (data.path of the config says which table it reads)", self.table)

    @property
    def overrides(self) -> list[str]:
        """What the format says, as `--set` does."""
        return [] if self.format is None else [override("data.format", self.format)]

    @property
    def shown(self) -> str | None:
        """What messages call the table."""
        from linreg_cli.config.data import STDIN, STDIN_NAME

        return STDIN_NAME if self.table == STDIN else self.table

    def draft(self, overrides: Sequence[str], progress: Callable[[str], None]) -> "Draft":
        """The config for the table, and what was decided.

        Raises:
            ConfigError, DataError: as `starter.draft`; for a column that the table lacks, with its columns.
        """
        from linreg_cli.config.data import TableData
        from linreg_cli.starter.draft import base_config, draft
        from linreg_cli.starter.reading import columns_of, guessed_encoding, header_fault

        assert self.table is not None
        data = base_config(self.table, self.target or (), None, (), overrides).data
        source = data if isinstance(data, TableData) else None
        columns = columns_of(self.table, source)
        targets, ignore = _names(self.target or (), columns), _names(self.ignore or (), columns)
        features = _names(self.features, columns) if self.features else None
        guessed = source is not None and "encoding" not in source.model_fields_set
        missing = any(name not in columns for name in (*targets, *ignore))
        guess = guessed_encoding(self.table) if missing and guessed else None
        rivals = guess.rivals if guess is not None else []
        doubt = f"; if the encoding is {rivals[0]}, set {setting('data.encoding', rivals[0])}" if rivals else ""
        faults = [
            Fault(f"{option}: there is no column {name!r}{_has(columns, name)}{doubt}", self.shown)
            for option, names in (("--target", targets), ("--ignore", ignore))
            for name in names
            if name not in columns
        ]
        if faults:
            wrong = header_fault(self.table, source)
            raise DataError(faults if wrong is None else [wrong])
        return draft(self.table, targets, features, ignore, overrides, progress)


def _names(values: Sequence[str], columns: Sequence[str]) -> list[str]:
    """The columns that an option names: a value is the name of one, or several with commas between them.

    A name with a comma may stand in double quotes.

    >>> _names(["a, b", "Lot Size, sqft"], ["a", "b", "Lot Size, sqft"])
    ['a', 'b', 'Lot Size, sqft']
    """
    found: list[str] = []
    for value in values:
        parts = [value] if value in columns else next(csv.reader([value], skipinitialspace=True), [])
        found += [part if part in columns else part.strip() for part in parts]
    return [*dict.fromkeys(found)]


def _has(columns: Sequence[str], name: str) -> str:
    """The column that was probably meant, and those that the table has."""
    near = f"{did_you_mean(name, columns)}" if closest(name, columns) or same_appearance(name, columns) else ""
    return f"{near.removesuffix('?')}{'? The' if near else '; the'} table has {_listed(columns)}"


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _LISTED:,} more" if len(columns) > _LISTED else ""
    return ", ".join(columns[:_LISTED]) + more


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # bytes of a file name that are not UTF-8; a config could not name it
        return False
    return True


def _is_table(file: str) -> bool:
    from linreg_cli.config.formats import table_format

    return file != "-" and table_format(file) is not None


def _example(table: str, name: str, format_: str | None = None) -> str:
    """The command that trains a table or writes its config, and the columns to choose the target from."""
    from linreg_cli.config.data import TableData
    from linreg_cli.starter.reading import columns_of

    given: dict[str, Any] = {"path": table, "target": "-", "format": format_}  # the path may be no text: see `_is_text`
    source = TableData.model_construct(**given)
    return f"{command('linreg', name, table, '--target', 'COLUMN')}; its columns: {_listed(columns_of(table, source))}"


def table_faults(files: Sequence[str], *words: str) -> list[Fault]:
    """A fault for each table in the place of a config, with the commands that write one and use it.

    Args:
        files: configs of the command line.
        words: of the command that takes them, up to the config.
    """
    from linreg_cli.config.formats import table_stem

    faults = []
    for file in files:
        if _is_table(file):
            then = command("linreg", *words, f"{table_stem(file) or 'config'}.yaml")
            message = (
                f"this is a table, and {words[0]} takes a config; write one: {_example(file, 'init')}; then: {then}"
            )
            faults.append(Fault(message, file))
    return faults


def choice_lines(choices: "Choices", config: "Config") -> list[str]:
    """What was decided, for the terminal: a line for each column that is left out, and for each setting.

    Categories and gaps are in the summary of the table that follows, and odd columns are warnings.
    """
    from linreg_cli.starter.choices import IGNORED

    left_out = [each for each in choices.columns if each.use == IGNORED and each.holds_in(config) and not each.odd]
    lines = [one_line(f"{each.column.strip() or 'a column'} is ignored: {each.why}") for each in left_out[:_REASONS]]
    if len(left_out) > _REASONS:
        lines.append(f"{len(left_out) - _REASONS:,} more columns are ignored; decisions in run.json has the reasons")
    usual = {"train": 0.8, "test": 0.2}
    settings = [each for each in choices.settings if each.holds_in(config) and each.value != usual]
    lines += [one_line(f"{setting(each.key, each.value)} ({each.why})") for each in settings]
    return [*lines, *map(one_line, choices.hints)]

"""What a config for a table decides, as data: the columns, the settings, and the reason for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from linreg_cli.config.data import TableData
from linreg_cli.config.schema import Config
from linreg_cli.decisions import Decision
from linreg_cli.findings import Finding
from linreg_cli.remedies import EVERY

#: What a column can be; see `ColumnChoice.use`.
IGNORED, CATEGORY, NUMBER, DATE, TARGET = "ignored", "category", "number", "date", "target"


@dataclass(frozen=True)
class ColumnChoice:
    """What was decided about one column of a table.

    Attributes:
        column: its name.
        use: `ignored`, `category`, `number`, `date` or `target`.
        why: the reason, on one line.
        settings: its entry under `preprocess.columns`; empty: none.
        odd: whether the reason is a warning: the cells are not what they should be.
        entries: of `data.features`, for a date: the parts that are features.
    """

    column: str
    use: str
    why: str
    settings: Mapping[str, str] = field(default_factory=dict)
    odd: bool = False
    entries: tuple[str, ...] = ()

    def holds_in(self, config: Config) -> bool:
        """Whether a config that was made from this choice still says so: an override may have changed it."""
        data = config.data
        if not isinstance(data, TableData):
            return False
        features = data.features if data.features is not None else (EVERY,)
        left_out = self.column in data.ignore or (EVERY not in features and self.column not in features)
        if self.use == IGNORED:
            return left_out
        if self.use == DATE:
            return left_out and {*self.entries} <= {*features}
        entry = config.preprocess.columns.get(self.column)
        given = {} if entry is None else entry.model_dump(exclude_none=True)
        return (self.use == TARGET or not left_out) and given == dict(self.settings)


@dataclass(frozen=True)
class SettingChoice:
    """What was decided about one key of the config.

    Attributes:
        key: with dots, such as `data.decimal`.
        value: as in the config.
        why: the reason, on one line.
        doubt: a warning that it may be wrong, on one line; empty: it is not.
    """

    key: str
    value: Any
    why: str
    doubt: str = ""

    def holds_in(self, config: Config) -> bool:
        """Whether a config that was made from this choice still says so."""
        found: Any = config.model_dump()
        for part in self.key.split("."):
            found = found[part] if isinstance(found, dict) and part in found else None
        wanted = tuple(self.value) if isinstance(self.value, list) else self.value
        if isinstance(wanted, dict) and isinstance(found, dict):
            return all(found.get(key) == value for key, value in wanted.items())
        return bool(found == wanted)


@dataclass(frozen=True)
class Choices:
    """Everything that was decided for a table.

    Attributes:
        path: of the table.
        n_rows: its rows.
        n_columns: its columns.
        targets: the columns to predict.
        features: the columns to predict from, where the user has named them; None: every other column.
        columns: of the table that are worth a word, in its order; a column of plain numbers is not among them.
        settings: the keys that the table asks for, in the order of the config.
        training: the keys that lead to the exact fit.
        outlook: the warning that training will not end at the exact fit, or why none is known; None if it will.
        odd_rows: warnings about rows that are none of the data.
        hints: sentences about settings that may help and were not chosen.
    """

    path: str
    n_rows: int
    n_columns: int
    targets: tuple[str, ...]
    features: tuple[str, ...] | None
    columns: tuple[ColumnChoice, ...]
    settings: tuple[SettingChoice, ...]
    training: tuple[SettingChoice, ...] = ()
    outlook: Finding | None = None
    odd_rows: tuple[Finding, ...] = ()
    hints: tuple[str, ...] = ()

    def as_json(self, config: Config) -> dict[str, Any]:
        """For `run.json`: the decisions that hold in the config of the run, as `{"value", "why", "auto"}`."""
        columns = {
            each.column: Decision(each.use, each.why, auto=True).as_json()
            for each in self.columns
            if each.holds_in(config)
        }
        settings = {
            each.key: {**Decision("", each.why, auto=True).as_json(), "value": each.value}
            for each in (*self.settings, *self.training)
            if each.holds_in(config)
        }
        return {"columns": columns, "settings": settings}

    def warnings(self, config: Config) -> list[Finding]:
        """A warning for each column that is left out because of odd cells, for odd rows, and for a guessed encoding."""
        odd = [each for each in self.columns if each.odd and each.holds_in(config)]
        guessed = [each.doubt for each in self.settings if each.doubt and each.holds_in(config)]
        found = [Finding("left_out", f"{each.column} is left out: {each.why}") for each in odd]
        return [*(Finding("encoding", doubt) for doubt in guessed), *found, *self.odd_rows]

    def outlook_of(self, config: Config) -> list[Finding]:
        """The outlook as far as it holds for a config that was made from these choices: an override may change it."""
        holds = self.outlook is not None and all(each.holds_in(config) for each in self.training)
        return [self.outlook] if self.outlook is not None and holds else []

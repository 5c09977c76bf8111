"""The `data` section of the config, one class for each source."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from linreg_cli.config.formats import Decimal, Encoding, Thousands, Unit
from linreg_cli.config.terms import Term, TermError, expand, sources
from linreg_cli.config.types import (
    ColumnList,
    Columns,
    Count,
    FeatureDistribution,
    Name,
    NonNegative,
    Section,
    Size,
    Weights,
    bool_or,
    own_path,
)

_FEATURES = (
    "The features, in this order; null: every other column. An entry is a column, or made of columns: `a:b` (product), "
    "`a^2` to `a^9`, `log(a)`, `log1p(a)`, `sqrt(a)`, and products of two or three of these; `days(d)` (days since "
    "1970-01-01 UTC, with fractions), and the categories `year(d)`, `month(d)` 1 to 12, `weekday(d)` 1 (Monday) to 7, "
    '`hour(d)` 0 to 23 of a date; `"*"` is every other column that no entry names by itself or takes as a date. A '
    "column that is really called so comes first."
)
#: What messages call the rows of `source: frame`.
FRAME = "the frame"
_WEIGHT = (
    "A column of weights above 0: the loss of a row is multiplied by its own, scaled to mean 1 over the train split. "
    "They are precision weights, as those of statsmodels' WLS: the variance of a row is that of the residuals over its "
    "weight. The column is a feature only if it is named in `features`."
)
#: What stands for standard input as a path, and what messages call it.
STDIN, STDIN_NAME = "-", "standard input"
_IGNORE = "Columns that are no features; an entry of `features` may still be made of them."


class SplitConfig(Section):
    """Which rows are in the train, validation and test split."""

    train: float = Field(
        1.0, gt=0, le=1, description="Fraction of the rows in the train split. The three fractions add up to 1."
    )
    validation: float = Field(
        0.0, ge=0, lt=1, description="Fraction in the validation split, which early stopping can monitor."
    )
    test: float = Field(0.0, ge=0, lt=1, description="Fraction in the test split, which is evaluated at the end only.")
    shuffle: bool = Field(
        True,
        description="Assign the rows at random (from `seed`); false: in the order of the table, test last.",
    )
    by: Literal["shuffle", "hash"] = Field(
        "shuffle",
        description="How rows are assigned at random: `shuffle`, a permutation, for splits that have exactly their "
        "shares; `hash`, each row by itself from `seed` and its number, for shares that hold on average (of n rows, a "
        "fraction f is n f rows, with a standard deviation of sqrt(n f (1 - f))) and rows that stay in the order of "
        "the table. A row that is added at the end of the table, or dropped, then moves no other row.",
    )
    column: Name | None = Field(
        None,
        min_length=1,
        description="A column that holds `train`, `validation` or `test` in each row. It replaces the fractions.",
    )


class TableData(Section):
    """`source: table`: a file."""

    source: Literal["table"] = Field(
        "table", description="Where the rows come from: `table`, `synthetic`, `inline` or `frame`."
    )
    path: Annotated[str, AfterValidator(own_path)] = Field(
        min_length=1,
        description="The file: `.csv`, `.tsv`, `.txt`, `.dat`, `.data` (also `.gz`, `.zst`), `.parquet`, `.arrow`, "
        "`.feather`, `.jsonl`; a folder of such files of one format, but for `.txt`, `.dat` and `.data`; a pattern for "
        "them, such as `data/2026-*.csv` (`**`: any folders); an http(s) address of such a file, which needs "
        "`sha256`; or an address of objects in a store, `s3://BUCKET/KEY`, "
        "`gs://BUCKET/KEY`, `memory://KEY`, which are read by ranges. `-` is standard input, whose rows are not "
        "kept. A relative path starts at the current folder, and `~` is the home folder.",
    )
    format: Literal["csv", "tsv", "jsonl"] | None = Field(
        None,
        description="What standard input, or a file without one of these suffixes, is: `csv`, `tsv` or `jsonl`; null: "
        "by the suffix; standard input is `csv`, or gzip, zstd, Parquet or Arrow if its first bytes say so.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="The SHA-256 digest that the file must have. A downloaded file is kept under this digest.",
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="The character between the cells of a CSV; null: `,`, or a tab for `.tsv`.",
    )
    decimal: Decimal = Field(".", description="The decimal mark of the numbers of a CSV.")
    thousands: Thousands = Field(
        None,
        description="The mark between groups of three digits of the numbers of a CSV, which is dropped: `.`, `,`, `'` "
        "(also U+2019) or a blank, which stands for every kind of blank (also U+00A0, U+202F); null: none.",
    )
    units: dict[Name, Unit] = Field(
        {},
        description="What stands before or behind the numbers of a column of a CSV, and is dropped: `{price: €, "
        "discount: '%'}`. `5 %` is read as 5. A number without it is read as it is, but a number without its percent "
        "sign is an error, since 0.05 may be 5 %.",
    )
    encoding: Encoding = Field(
        "utf-8", description="The encoding of a CSV, such as `utf-16`, `cp1252`, `latin-1`: any that Python knows."
    )
    target: Columns = Field(description="The column to predict, or a list of them (several outputs).")
    features: ColumnList | None = Field(None, description=_FEATURES)
    ignore: tuple[Name, ...] = Field((), description=_IGNORE)
    weight: Name | None = Field(None, min_length=1, description=_WEIGHT)
    split: SplitConfig = Field(SplitConfig(), description="See `data.split`.")
    stream: Annotated[bool | Literal["auto"], bool_or("auto")] = Field(
        "auto",
        description="Whether the rows of the train split stay on the disk during training; `auto`: where they would "
        "not fit into `memory_limit`. Where that changes the order of rows (`train.shuffle: true` becomes `blocks`) or "
        "the split (`split.by` becomes `hash`), a warning says so, and `config.yaml` has it.",
    )
    memory_limit: Size | None = Field(
        None,
        description="The memory that rows may take, such as `2GiB`, above what the process needs without data; null: "
        "half of the free memory. It decides whether rows stay on the disk, and how many columns of a Parquet file are "
        "read at once; `linreg stats` refuses more columns than it holds.",
    )

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def name(self) -> str:
        """What messages call the table."""
        return STDIN_NAME if self.path == STDIN else self.path

    @property
    def is_kept(self) -> bool:
        """Whether the rows can be read again."""
        return self.path != STDIN


class FrameData(Section):
    """`source: frame`: a data frame that a Python program hands over; it stands in no file."""

    source: Literal["frame"] = Field(
        "frame", description="See `table`. Only Python has such rows: `linreg_cli.train(config, data=frame)`."
    )
    target: Columns = Field(description="The column to predict, or a list of them (several outputs).")
    features: ColumnList | None = Field(None, description=_FEATURES)
    ignore: tuple[Name, ...] = Field((), description=_IGNORE)
    weight: Name | None = Field(None, min_length=1, description=_WEIGHT)
    split: SplitConfig = Field(SplitConfig(), description="See `data.split`.")

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def name(self) -> str:
        """What messages call the rows."""
        return FRAME

    @property
    def is_kept(self) -> bool:
        """Whether the rows can be read again."""
        return False


class SyntheticData(Section):
    """`source: synthetic`: rows generated from known parameters, y = X w + b + noise."""

    source: Literal["synthetic"] = Field("synthetic", description="See `table`.")
    n_samples: Count = Field(1000, description="Rows to generate.")
    weights: Weights = Field((2.0, -3.4), description="The true w: a list, or a mapping of column name to weight.")
    bias: float = Field(4.2, description="The true b.")
    noise_std: NonNegative = Field(0.01, description="Standard deviation of the normal noise, in units of the target.")
    features: dict[str, FeatureDistribution] | None = Field(
        None,
        description="Column name to distribution: `{normal: [mean, std]}`, `{uniform: [low, high]}`, "
        "`{integers: [low, high]}` (both included), `{linspace: [first, last]}`, `{lognormal: [mean, std]}` (mean "
        "and std of the logarithm); null: standard normal columns named as in `weights`, or `x1`, `x2`, ...",
    )
    target: str = Field("y", min_length=1, description="Name of the generated target column.")
    split: SplitConfig = Field(SplitConfig(), description="See `data.split`.")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The generated columns, in order."""
        if self.features is not None:
            return tuple(self.features)
        if isinstance(self.weights, dict):
            return tuple(self.weights)
        return tuple(f"x{position + 1}" for position in range(len(self.weights)))

    @property
    def source_names(self) -> tuple[str, ...]:
        """The columns that the features are made of."""
        return self.feature_names

    @property
    def true_weights(self) -> tuple[float, ...]:
        """The true w, in the order of `feature_names`."""
        if isinstance(self.weights, dict):
            return tuple(self.weights[name] for name in self.feature_names)
        return self.weights


class InlineData(Section):
    """`source: inline`: rows written in the config."""

    source: Literal["inline"] = Field("inline", description="See `table`.")
    columns: ColumnList = Field(description="Names of the columns.")
    rows: tuple[tuple[float, ...], ...] = Field(min_length=1, description="The rows, each a list of numbers.")
    test_rows: tuple[tuple[float, ...], ...] = Field((), description="Further rows, which are the test split.")
    target: Columns | None = Field(None, description="The column to predict, or a list of them; null: the last column.")
    features: ColumnList | None = Field(None, description=_FEATURES)
    ignore: tuple[Name, ...] = Field((), description=_IGNORE)
    split: SplitConfig = Field(SplitConfig(), description="See `data.split`.")

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict: those named, or the last one."""
        named = self.target or self.columns[-1]
        return (named,) if isinstance(named, str) else named

    @property
    def terms(self) -> tuple[tuple[Term, ...], list[tuple[int, TermError]]]:
        """The features, and (position of the entry, what is wrong) of each entry that is none."""
        taken = {*self.targets, *self.ignore}
        free = [column for column in self.columns if column not in taken]
        if self.features is None:
            return tuple(map(Term.of_column, free)), []
        terms, wrong = expand(self.features, self.columns, free)
        return tuple(terms), wrong

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features: the entries, or every other column."""
        return tuple(term.text for term in self.terms[0])

    @property
    def source_names(self) -> tuple[str, ...]:
        """The columns that the features are made of, in order of first use."""
        return sources(self.terms[0])


def _source(value: Any) -> str:
    return str(value.get("source", "table") if isinstance(value, dict) else getattr(value, "source", "table"))


DataConfig = Annotated[
    Annotated[TableData, Tag("table")]
    | Annotated[SyntheticData, Tag("synthetic")]
    | Annotated[InlineData, Tag("inline")]
    | Annotated[FrameData, Tag("frame")],
    Discriminator(_source),
]

SOURCES: dict[str, type[Section]] = {
    "table": TableData,
    "synthetic": SyntheticData,
    "inline": InlineData,
    "frame": FrameData,
}

#: The sources whose columns are known only once their table was opened, and may hold anything.
OfTable = TableData | FrameData

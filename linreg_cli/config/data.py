"""The `data` section of the config, one class a source."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from linreg_cli.config.types import ColumnList, Columns, Count, FeatureDistribution, NonNegative, Section, Weights


class SplitConfig(Section):
    """Which rows train, validate and test."""

    train: float = Field(
        1.0, gt=0, le=1, description="Share of the rows that is trained on. The three shares add up to 1."
    )
    validation: float = Field(0.0, ge=0, lt=1, description="Share that early stopping may look at.")
    test: float = Field(0.0, ge=0, lt=1, description="Share that is only evaluated, at the end.")
    shuffle: bool = Field(
        True,
        description="Draw the rows at random (from `seed`); false: the first rows train, the last ones test.",
    )
    column: str | None = Field(
        None,
        min_length=1,
        description="Instead of shares: a column of the table that says `train`, `validation` or `test` in each row.",
    )


class TableData(Section):
    """`source: table`: a file."""

    source: Literal["table"] = Field("table", description="Where the rows come from: `table`, `synthetic` or `inline`.")
    path: str = Field(
        min_length=1,
        description="The file: `.csv`, `.tsv` (also `.gz`, `.zst`), `.parquet`, `.arrow`, `.feather`, `.jsonl`, "
        "a folder of Parquet parts, or an http(s) address of such a file, which needs `sha256`. Relative to the "
        "current folder.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="Refuse the file unless its SHA-256 digest is this. What an address gives is kept under it.",
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="The character between cells of a CSV; null: by suffix (`,`, or a tab for `.tsv`).",
    )
    target: Columns = Field(description="The column to predict, or a list of them (several outputs).")
    features: ColumnList | None = Field(
        None, description="The columns to predict from, in this order; null: every other column."
    )
    ignore: tuple[str, ...] = Field((), description="Columns left out.")
    split: SplitConfig = Field(SplitConfig(), description="See `data.split`.")


class SyntheticData(Section):
    """`source: synthetic`: rows of a known truth, y = X w + b + noise."""

    source: Literal["synthetic"] = Field("synthetic", description="See `table`.")
    n_samples: Count = Field(1000, description="Rows to generate.")
    weights: Weights = Field((2.0, -3.4), description="The true w: a list, or a mapping of column name to weight.")
    bias: float = Field(4.2, description="The true b.")
    noise_std: NonNegative = Field(0.01, description="Standard deviation of the normal noise, in units of the target.")
    features: dict[str, FeatureDistribution] | None = Field(
        None,
        description="Column name to distribution: `{normal: [mean, std]}`, `{uniform: [low, high]}`, "
        "`{integers: [low, high]}` (both included), `{linspace: [first, last]}`, `{lognormal: [mean, std]}` "
        "(of the logarithm); null: standard normal columns named as in `weights`, or `x1`, `x2`, ...",
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
    def true_weights(self) -> tuple[float, ...]:
        """The true w, in the order of `feature_names`."""
        if isinstance(self.weights, dict):
            return tuple(self.weights[name] for name in self.feature_names)
        return self.weights


class InlineData(Section):
    """`source: inline`: rows in the config itself."""

    source: Literal["inline"] = Field("inline", description="See `table`.")
    columns: ColumnList = Field(description="Names of the columns.")
    rows: tuple[tuple[float, ...], ...] = Field(min_length=1, description="One list of numbers a row.")
    test_rows: tuple[tuple[float, ...], ...] = Field((), description="More rows; they become the test split.")
    target: Columns | None = Field(None, description="The column to predict, or a list of them; null: the last column.")
    features: ColumnList | None = Field(
        None, description="The columns to predict from, in this order; null: every other column."
    )
    ignore: tuple[str, ...] = Field((), description="Columns left out.")
    split: SplitConfig = Field(SplitConfig(), description="See `data.split`.")

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict; the last one where none is named."""
        named = self.target or self.columns[-1]
        return (named,) if isinstance(named, str) else named

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns to predict from: those named, or every other one."""
        taken = {*self.targets, *self.ignore}
        return self.features or tuple(column for column in self.columns if column not in taken)


def _source(value: Any) -> str:
    return str(value.get("source", "table") if isinstance(value, dict) else getattr(value, "source", "table"))


DataConfig = Annotated[
    Annotated[TableData, Tag("table")]
    | Annotated[SyntheticData, Tag("synthetic")]
    | Annotated[InlineData, Tag("inline")],
    Discriminator(_source),
]

SOURCES: dict[str, type[Section]] = {"table": TableData, "synthetic": SyntheticData, "inline": InlineData}

"""The `preprocess` section of the config: gaps, categories, scaling, the target's transform."""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from linreg_cli.config.types import Count, Ddof, Name, Section, bool_or, refuse
from linreg_cli.lookalike import in_ascii, normal
from linreg_cli.patterns import keys_of

#: What happens to missing cells; which of these fill numbers with a statistic of the train split; which are for numbers
#: alone.
Missing = Literal["error", "drop", "mean", "median", "level"]
FILLS = ("mean", "median", "level")
FOR_NUMBERS = ("mean", "median")


class ColumnConfig(Section):
    """Settings of the columns of a name or a pattern. A key that is left out has the value of `preprocess`."""

    missing: Missing | None = Field(None, description="As `preprocess.missing`, for this column.")
    categorical: Literal["error", "one_hot"] | None = Field(
        None,
        description="As `preprocess.categorical`, for this column. Here `one_hot` encodes numbers and dates too.",
    )


def _once(value: Any) -> Any:
    """A mapping of columns, none of which is in it twice, with other code points."""
    first: dict[str, str] = {}
    for name in value if isinstance(value, dict) else ():
        if isinstance(name, str) and first.setdefault(normal(name), name) != name:
            same = f"{in_ascii(first[normal(name)])} and {in_ascii(name)}"
            raise refuse(f"one column is named twice: {same} are the same")
    return value


class PreprocessConfig(Section):
    """What is done to the columns before training. Results are reported in original units."""

    standardize: bool = Field(
        False,
        description="Scale features to mean 0 and standard deviation 1, with the statistics of the train split; "
        "indicators of categories too. A constant column becomes 0. With `model.bias: false` columns are scaled and "
        "not centred, and a constant column, which stands for the intercept, becomes 1 or -1.",
    )
    standardize_target: bool = Field(False, description="The same for the target.")
    ddof: Ddof = Field(0, description="The standard deviation divides by n - ddof.")
    missing: Missing = Field(
        "error",
        description="What to do with a missing cell. `error`: refuse the table, with row and column; `drop`: leave "
        "the row out (at prediction, it gets no prediction); `mean`, `median`: fill in the mean or median of the train "
        "split, which a category does not have; `level`: in a category `(missing)` is a level, sorted last and never "
        "the reference level; in a column of numbers the mean is filled in, and an indicator `column=(missing)` is "
        "added. A missing target can only be dropped.",
    )
    categorical: Literal["error", "one_hot"] = Field(
        "error",
        description="What to do with a column of text, of true and false, or of dictionary type. `error`: refuse it, "
        "with the first cell; `one_hot`: an indicator (0 or 1) for each level of the train split, named "
        "`column=level`, in sorted order.",
    )
    drop_first: Annotated[bool | Literal["auto"], bool_or("auto")] = Field(
        "auto",
        description="Whether the first level of each category is the reference level: it has no indicator, and the "
        "weights of the other levels are differences from it. `auto`: every category has a reference level; without "
        "a bias, every category but the first, as in R. With more indicators the weights are not unique.",
    )
    max_levels: Count = Field(
        100, description="A category with more levels is refused; it is probably an identifier or free text."
    )
    unknown: Literal["error", "ignore"] = Field(
        "error",
        description="What to do with a level that the train split does not have. `error`: refuse it; `ignore`: all "
        "indicators are 0, as for the reference level.",
    )
    columns: Annotated[dict[Name, ColumnConfig], BeforeValidator(_once)] = Field(
        {},
        description="Settings of single columns: `{horsepower: {missing: median}, zipcode: {categorical: one_hot}}`. A "
        "key is the name of a column, or a pattern of a shell (`*`, `?`, `[...]`): `{'Garage*': {missing: level}}`. A "
        "name comes before patterns; of several patterns, the last that sets something.",
    )
    target_transform: Literal["none", "log", "log1p"] = Field(
        "none",
        description="Train on log(target) or log(1 + target). Metrics and predictions are in original units, "
        "parameters in units of the transformed target.",
    )
    target_estimate: Literal["median", "mean"] = Field(
        "median",
        description="What predictions of a transformed target estimate. `median`: the prediction is transformed back; "
        "`mean`: Duan's smearing estimate, exp(prediction) times the mean of exp(residual) over the train split (for "
        "log1p the factor acts on 1 + target).",
    )
    missing_values: tuple[str, ...] = Field(
        ("", "NA", "N/A", "NaN", "nan", "null", "?"),
        description="Cells that mean 'missing', in every format. Text is compared as written, numbers by value.",
    )

    def of_column(self, column: str, available: Collection[str]) -> ColumnConfig:
        """The exceptions that hold for a column.

        Args:
            column: its name.
            available: every column of the table: a key that is one of them is no pattern.

        >>> config = PreprocessConfig(columns={"a*": {"missing": "mean"}, "?b": {"missing": "drop"}, "ab": {}})
        >>> [config.of_column(name, ("ab", "ac", "a*")).missing for name in ("ab", "ac", "a*")]
        ['drop', None, 'mean']
        """
        merged: dict[str, Any] = {}
        for key in keys_of(self.columns, column, available):
            merged |= self.columns[key].model_dump(exclude_none=True)
        return ColumnConfig(**merged)

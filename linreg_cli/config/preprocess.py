"""The part of the config about what happens to the columns before training."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from linreg_cli.config.types import Count, Ddof, Section, refuse, shown


class ColumnConfig(Section):
    """An exception for one column; what it leaves out is as for all columns."""

    missing: Literal["error", "drop", "mean", "median"] | None = Field(
        None, description="As `preprocess.missing`, for this column."
    )
    categorical: Literal["error", "one_hot"] | None = Field(
        None,
        description="As `preprocess.categorical`, for this column; `one_hot` then holds for numbers and dates too.",
    )


def _auto_or_bool(value: Any) -> Any:
    if value != "auto" and not isinstance(value, bool):
        raise refuse(f"expected auto, true or false, found {shown(value)}")
    return value


class PreprocessConfig(Section):
    """What happens to the columns before training; all of it is undone in what is reported."""

    standardize: bool = Field(
        False,
        description="Features to mean 0 and standard deviation 1, by statistics of the train split; indicators of "
        "categories too. A constant column is left at 0. With `model.bias: false` columns are scaled and not centred.",
    )
    standardize_target: bool = Field(False, description="The same for the target.")
    ddof: Ddof = Field(0, description="The standard deviation divides by n - ddof.")
    missing: Literal["error", "drop", "mean", "median"] = Field(
        "error",
        description="What to do with a missing cell. `error`: refuse the table, naming row and column; `drop`: leave "
        "the row out (at prediction: it gets none); `mean`, `median`: fill in that of the train split. A missing "
        "target and a missing category can only be dropped.",
    )
    categorical: Literal["error", "one_hot"] = Field(
        "error",
        description="What to do with a column of text, of true and false or of dictionary type. `error`: refuse it, "
        "naming the first cell; `one_hot`: a column of 0 and 1 for each level of the train split, named "
        "`column=level`, in the order of the text.",
    )
    drop_first: Annotated[bool | Literal["auto"], BeforeValidator(_auto_or_bool)] = Field(
        "auto",
        description="Whether the first level of each category has no column of its own, so that the weights of the "
        "others are differences from it. `auto`: with a bias that of every category, without one that of every "
        "category but the first (as R does); more columns would leave the weights undetermined.",
    )
    max_levels: Count = Field(
        100, description="A category with more levels is refused: it is probably an identifier, or free text."
    )
    unknown: Literal["error", "ignore"] = Field(
        "error",
        description="What to do with a category that the train split does not hold. `ignore`: all of its columns are "
        "0, as for the level that was dropped.",
    )
    columns: dict[str, ColumnConfig] = Field(
        {},
        description="Exceptions by column: `{horsepower: {missing: median}, zipcode: {categorical: one_hot}}`.",
    )
    target_transform: Literal["none", "log", "log1p"] = Field(
        "none",
        description="Train on the logarithm of the target, or on that of 1 + target. Metrics and predictions are in "
        "original units, parameters in units of the transformed target.",
    )
    missing_values: tuple[str, ...] = Field(
        ("", "NA", "N/A", "NaN", "nan", "null", "?"),
        description="Cells that mean 'missing', in every format: of text as written, of numbers by value.",
    )

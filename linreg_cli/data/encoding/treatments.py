"""What is done with each column of a table: by the config, or as a trained model had it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.data.encoding.inputs import Input, NumberInput

#: The use of a column: feature or target of a new model, or either of a trained one.
Use = Literal["feature", "target", "trained"]


@dataclass(frozen=True)
class Treatment:
    """What the config says about one column.

    Attributes:
        missing: `error`, `drop`, `mean`, `median` or `level`.
        categorical: whether text is encoded as indicators.
        named: whether `preprocess.columns` names the column as categorical, so that numbers and dates are levels too.
        max_levels: a category with more levels is refused.
        few_levels: with so many levels or fewer, a column is no identifier, however few cells it has.
        use: `feature` or `target`; `trained` for a feature of a model that was trained already.
    """

    missing: str = "error"
    categorical: bool = False
    named: bool = False
    max_levels: int = 100
    few_levels: int = 20
    use: Use = "feature"


def treatments(
    config: PreprocessConfig, features: Sequence[str], targets: Sequence[str], available: Collection[str]
) -> dict[str, Treatment]:
    """Column -> what the config says about it. A target is never categorical.

    Args:
        config: with its exceptions.
        features: the columns to predict from.
        targets: the columns to predict.
        available: every column of the table.
    """
    out, inputs, available = {}, set(features), frozenset(available)
    for column in (*features, *targets):
        exception = config.of_column(column, available)
        missing, how = exception.missing or config.missing, exception.categorical or config.categorical
        named = exception.categorical == "one_hot"
        is_feature = column in inputs
        use: Use = "feature" if is_feature else "target"
        one_hot, named = is_feature and how == "one_hot", is_feature and named
        out[column] = Treatment(missing, one_hot, named, config.max_levels, use=use)
    return out


def as_trained(inputs: Iterable[Input]) -> dict[str, Treatment]:
    """The treatments of the columns of a trained model, which are the numbers and categories that they were."""
    return {
        each.column: Treatment(each.missing, categorical=category, named=category, use="trained")
        for each in inputs
        for category in [not isinstance(each, NumberInput)]
    }

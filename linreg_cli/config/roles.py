"""Columns of a table with a use of their own. They are no features unless they are named in `data.features`."""

from linreg_cli.config.data import OfTable
from linreg_cli.config.schema import Config

SPLIT, WEIGHT, CLUSTER = "data.split.column", "data.weight", "evaluate.cluster"


def column_roles(config: Config) -> dict[str, str]:
    """Key of the config -> column, for the columns that are given another use than that of a feature or a target.

    >>> from linreg_cli.config.load import load_config
    >>> settings = ["data.path=t.csv", "data.target=y", "data.weight=pupils", "evaluate.cluster=school"]
    >>> column_roles(load_config([], settings).config)
    {'data.weight': 'pupils', 'evaluate.cluster': 'school'}
    """
    data = config.data
    if not isinstance(data, OfTable):
        return {}
    found = {SPLIT: data.split.column, WEIGHT: data.weight, CLUSTER: config.evaluate.cluster}
    return {key: column for key, column in found.items() if column is not None}

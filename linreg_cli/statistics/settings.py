"""The settings that statistics depend on, and those whose figures need all rows at once."""

import codecs
from collections.abc import Mapping, Sequence
from typing import Any

from linreg_cli.config.data import TableData
from linreg_cli.config.roles import CLUSTER, SPLIT, WEIGHT, column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.dataset import SPLITS
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.features import read_columns
from linreg_cli.data.split import is_hashed
from linreg_cli.errors import SettingError
from linreg_cli.remedies import setting


def refuse_settings(config: Config) -> None:
    """Refuse settings whose figures need all rows at once.

    Raises:
        SettingError: with each of them.
    """
    data = config.data
    if not isinstance(data, TableData):
        raise SettingError(
            ("data", "source"),
            f"statistics are made of a table, and the rows are {data.source}; write them to a file "
            f"(linreg generate-data), and set {setting('data.source', 'table')} and data.path",
        )
    found: list[tuple[tuple[str, ...], str]] = []
    if data.split.column is None and data.split.train < 1 and not is_hashed(data.split):
        remedy = f"set {setting('data.split.by', 'hash')}, by which each row is drawn by itself"
        found.append((("data", "split"), f"the rows are split all at once, and a part sees some of them; {remedy}"))
    for key, column in column_roles(config).items():
        if key not in (SPLIT, WEIGHT, CLUSTER):
            message = f"statistics do not hold what {column!r} is for; leave it out, or train on the rows"
            found.append((tuple(key.split(".")), message))
    if found:
        raise SettingError.of(found)


def settings_of(config: Config, terms: Sequence[Term], treated: Mapping[str, Treatment]) -> dict[str, Any]:
    """The settings that statistics depend on, by dotted key, as JSON has them.

    Args:
        config: of the run.
        terms: the features.
        treated: column -> what the config says about it.
    """
    data = config.data
    assert isinstance(data, TableData)
    split, read = data.split, tuple(read_columns(terms))
    drawn = split.column is None and split.train < 1
    shares = {name: float(getattr(split, name)) for name in SPLITS} if split.column is None else {}
    return {
        "data.target": list(data.targets),
        "data.features": [term.text for term in terms],
        "data.split": {"column": split.column, **shares},
        **({"seed": config.seed} if drawn else {}),
        **({"data.weight": data.weight} if data.weight is not None else {}),
        **({"data.sha256": data.sha256.lower()} if data.sha256 is not None else {}),
        "data.encoding": codecs.lookup(data.encoding).name,
        "data.decimal": data.decimal,
        "data.thousands": data.thousands,
        **({"data.units": dict(data.units)} if data.units else {}),
        "preprocess.missing_values": list(config.preprocess.missing_values),
        "preprocess.missing: drop": [column for column in treated if treated[column].missing == "drop"],
        "preprocess.categorical: one_hot": [column for column in read if treated[column].categorical],
        "preprocess.columns (categories by name)": [column for column in read if treated[column].named],
        "preprocess.target_transform": config.preprocess.target_transform,
    }

"""A table with the target `y`, read as a config says."""

import pytest

from linreg_cli.config import Config
from linreg_cli.data import load_dataset
from linreg_cli.errors import DataError


def config(path, **data) -> Config:
    return Config.model_validate({"data": {"path": str(path), "target": "y", **data}})


def load(path, **data):
    return load_dataset(config(path, **data))


def error_of(path, **data) -> str:
    with pytest.raises(DataError) as caught:
        load(path, **data)
    return str(caught.value)

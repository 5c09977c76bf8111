"""The config that a run was trained with."""

import os

from linreg_cli.config import LoadedConfig, load_config
from linreg_cli.errors import ConfigError, StoreError
from linreg_cli.runs.store import RunFolder


def config_of(run: RunFolder) -> LoadedConfig:
    """The resolved config in `config.yaml`, with the line of each value.

    Raises:
        StoreError: if it is missing or is not a valid config.
    """
    path = run.path / "config.yaml"
    if not os.path.isfile(path):
        run.read("config.yaml")  # raises, with the status of the run
    try:
        return load_config([str(path)], stored=True)
    except ConfigError as error:
        raise StoreError(error.faults) from None

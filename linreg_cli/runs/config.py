"""The config that a run was trained with."""

from linreg_cli.config import LoadedConfig, load_config
from linreg_cli.errors import ConfigError, StoreError
from linreg_cli.runs.store import RunFolder


def config_of(run: RunFolder) -> LoadedConfig:
    """The content of `config.yaml`, which knows where each value stands.

    Raises:
        StoreError: if it is missing, or is not a config.
    """
    path = run.path / "config.yaml"
    if not path.is_file():
        run.read("config.yaml")  # says what is there instead
    try:
        return load_config([str(path)], stored=True)
    except ConfigError as error:
        raise StoreError(error.faults) from None

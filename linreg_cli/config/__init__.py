"""The YAML config: reading, merging, validation, and error messages."""

from linreg_cli.config.load import LoadedConfig, dump_config, load_config
from linreg_cli.config.schema import Config

__all__ = ["Config", "LoadedConfig", "dump_config", "load_config"]

"""What a message must know of the config for its remedies to be whole: lists and mappings are pasted as a whole."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from linreg_cli import remedies
from linreg_cli.config.data import SyntheticData, TableData
from linreg_cli.config.schema import Config


def messages_about(config: Config, run: Path | None = None) -> AbstractContextManager[None]:
    """A block whose messages are about a config, or about a run that is applied to a table; see `remedies.about`."""
    data, preprocess = config.data, config.preprocess
    columns = {name: each.model_dump(exclude_none=True) for name, each in preprocess.columns.items()}
    found: dict[str, Any] = {
        "data.source": data.source,
        "preprocess.columns": columns,
        "preprocess.categorical": preprocess.categorical,
        "preprocess.missing": preprocess.missing,
        "preprocess.missing_values": preprocess.missing_values,
    }
    if not isinstance(data, SyntheticData):
        found |= {"data.ignore": data.ignore, "data.features": data.features}
    if isinstance(data, TableData):
        found["data.units"] = data.units
    if run is not None:
        found["run"] = str(run / "config.yaml")
    return remedies.about(found)

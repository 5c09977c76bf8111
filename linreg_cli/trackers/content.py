"""What a tracker is given of a run, from the files of its folder."""

import csv
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from linreg_cli import __version__
from linreg_cli.addresses import values_without_secrets
from linreg_cli.runs.compare import flat
from linreg_cli.runs.config import config_of
from linreg_cli.runs.store import RunFolder

#: Epochs of `history.csv` that a tracker gets: of more, as many that are evenly spread, with the first and the last.
MOST_EPOCHS = 2_000


def content_of(run: RunFolder) -> dict[str, Any]:
    """The run for the process of a tracker, as JSON can hold it.

    Returns:
        `run`, `name` (of the config), `path`, `begun` (seconds since 1970), `settings` (dotted key -> value), `epochs`
        (a list of `epoch`, `step`, `time` and `values`, column -> number), `metrics` (name such as `test.rmse` ->
        number) and `tags`.

    Raises:
        StoreError: if a file of the run is damaged.
    """
    record, config = run.record(), config_of(run).config
    begun = datetime.fromisoformat(str(record["created"])).timestamp()
    metrics = run.read_json("metrics.json") if run.has("metrics.json") else {}
    settings = {key: value for key, value in flat(config.model_dump(mode="json")).items() if value is not None}
    tags = {"linreg.run": run.id, "linreg.version": __version__, "linreg.status": str(record["status"])}
    tags |= {f"linreg.{key}": str(record[key]) for key in ("label", "sweep") if record.get(key)}
    return {
        "run": run.id,
        "name": config.name,
        "path": str(run.path.absolute()),
        "begun": begun,
        "settings": values_without_secrets(settings),
        "epochs": _epochs(run.read("history.csv").decode(), begun),
        "metrics": _metrics(metrics),
        "tags": tags | {"mlflow.source.name": str(record.get("command", "linreg")), "mlflow.source.type": "LOCAL"},
    }


def _epochs(text: str, begun: float) -> list[dict[str, Any]]:
    header, *lines = csv.reader(text.splitlines())
    kept = np.unique(np.linspace(0, len(lines) - 1, MOST_EPOCHS).round().astype(int)) if lines else np.zeros(0, int)
    found = []
    for at in kept.tolist():
        row = dict(zip(header, lines[at], strict=True))
        epoch, step, seconds = int(row.pop("epoch")), int(row.pop("step")), float(row.pop("seconds") or 0)
        values = {column: float(cell) for column, cell in row.items() if cell and math.isfinite(float(cell))}
        found.append({"epoch": epoch, "step": step, "time": begun + seconds, "values": values})
    return found


def _metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of each split, and the gap to the optimum."""
    parts = {name: metrics.get(name) or {} for name in ("train", "validation", "test", "optimum")}
    return {
        f"{part}.{name}": float(value)
        for part, values in parts.items()
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }

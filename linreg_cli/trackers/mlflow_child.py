"""A process of its own that hands a run to MLflow: the run is JSON on standard input, the address a variable."""

import json
import os
import re
import sys
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunTag

#: MLflow's limits: metrics and settings of one call, characters of a setting.
_METRICS, _PARAMS, _LONGEST = 1_000, 100, 6_000


def main() -> None:
    """Make the run, and say on stdout how far it is, so that whoever waits knows that the address answers."""
    given = json.load(sys.stdin)
    content = given["content"]
    _say("begun")
    # In the environment, which other users cannot read as they can the arguments: the address may have a password.
    client = mlflow.tracking.MlflowClient(tracking_uri=os.environ["LINREG_TRACKING_ADDRESS"])
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or content["name"]
    found = client.get_experiment_by_name(name)
    experiment = client.create_experiment(name) if found is None else found.experiment_id
    _say("connected")
    started = round(1000 * content["begun"])
    made = client.create_run(experiment, start_time=started, run_name=content["run"], tags=content["tags"])
    run = made.info.run_id
    params = [Param(_name(key), _shown(value)) for key, value in content["settings"].items()]
    for start in range(0, len(params), _PARAMS):
        client.log_batch(run, params=params[start : start + _PARAMS])
    metrics = [
        Metric(_name(column), value, round(1000 * epoch["time"]), epoch["epoch"])
        for epoch in content["epochs"]
        for column, value in epoch["values"].items()
    ]
    last = content["epochs"][-1] if content["epochs"] else {"time": content["begun"], "epoch": 0}
    ended = round(1000 * last["time"])
    metrics += [Metric(_name(name), value, ended, last["epoch"]) for name, value in content["metrics"].items()]
    for start in range(0, len(metrics), _METRICS):
        client.log_batch(run, metrics=metrics[start : start + _METRICS])
        _say("metrics")
    folder = Path(content["path"])
    for path in sorted(folder.rglob("*")):
        below = path.parent.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            client.log_artifact(run, str(path), None if below == Path() else below.as_posix())
            _say("artifact")
    client.log_batch(run, tags=[RunTag("linreg.path", content["path"])])
    client.set_terminated(run, given["status"])
    _say(json.dumps({"run_id": run, "experiment": name}))


def _name(text: str) -> str:
    """A name with the characters that MLflow allows."""
    return re.sub(r"[^\w\-./ :]", "_", text)[:250]


def _shown(value: object) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_LONGEST]


def _say(line: str) -> None:
    """Tell the process that waits: stdout leads to it alone."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()

"""Run folders without a run, for tests of what finds, lists and shows them."""

import os
from pathlib import Path
from typing import Any

from linreg_cli.runs.begin import create_run
from linreg_cli.runs.store import FORMAT, RunFolder, json_file


def make_run(outputs: Path, name: str, **values: Any) -> RunFolder:
    """A new run folder with a `run.json`, of a run that has finished; later than those that are there.

    Args:
        outputs: the folder of the runs.
        name: of the run.
        values: keys of `run.json` that differ.
    """

    def files(run_id: str) -> dict[str, tuple[str, int | None]]:
        created = f"2020-01-01T00:00:00.{len(os.listdir(outputs)):06}Z"
        record = {"format": FORMAT, "run": run_id, "status": "finished", "created": created}
        return {"run.json": (json_file({**record, **values}), None)}

    run, lock = create_run(outputs, name, files)
    lock.release()
    return run

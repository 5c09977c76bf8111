"""Finding a run by what people type: its id, its name, a prefix, `latest`, a path."""

import os
from collections.abc import Iterable
from pathlib import Path

from linreg_cli.errors import StoreError
from linreg_cli.paths import expanded
from linreg_cli.readers import either
from linreg_cli.runs.store import RunFolder, by_age, name_of, run_folders


def _no_runs() -> str:
    typed = "'linreg train TABLE --target COLUMN' or 'linreg train -c CONFIG'"
    return f"there are no runs yet; start one with {either(typed, 'linreg_cli.train(config)')}"


def find_run(outputs: Path, reference: str) -> RunFolder:
    """Find a run. What comes first below wins.

    Args:
        outputs: the folder of the run folders.
        reference: `latest` (the run that was started last), the id of a run, the name of runs (the one of exactly that
            name that was started last: `gd` is `gd-0002`, whatever else begins with `gd`), the path of a run folder, or
            a prefix that a single id has.

    Raises:
        StoreError: if there is no such run, or more than one.
    """
    if not reference.strip():
        raise StoreError("the run id is empty; give a run id, a path or 'latest'")
    path = Path(expanded(reference))
    if "/" in reference or "\\" in reference or path.name in ("", ".", ".."):
        return _at(path, reference)
    runs = {run.id: run for run in run_folders(outputs)}
    if reference == "latest":
        if (newest := _newest(runs.values())) is None:
            raise StoreError(_no_runs(), str(outputs))
        return newest
    if reference in runs:
        return runs[reference]
    of_name = [run for run_id, run in runs.items() if name_of(run_id) == reference]
    if of_name:
        return of_name[0] if len(of_name) == 1 else _newest(of_name) or of_name[-1]
    if RunFolder(path).has("run.json"):
        return RunFolder(path)
    return _with_prefix(outputs, reference, runs)


def _at(path: Path, reference: str) -> RunFolder:
    if RunFolder(path).has("run.json"):
        return RunFolder(path)
    why = "there is no run.json in this folder" if os.path.isdir(path) else "there is no such folder"
    raise StoreError(why, reference)


def _newest(runs: Iterable[RunFolder]) -> RunFolder | None:
    """The run that was started last; None where no record can be read."""
    readable, _ = by_age(runs)
    return readable[-1][0] if readable else None


def _with_prefix(outputs: Path, prefix: str, runs: dict[str, RunFolder]) -> RunFolder:
    matches = [run_id for run_id in runs if run_id.startswith(prefix)]
    if len(matches) == 1:
        return runs[matches[0]]
    if matches:
        shown = ", ".join(matches[:5]) + (f" and {len(matches) - 5} more" if len(matches) > 5 else "")
        raise StoreError(f"{prefix!r} is ambiguous: {shown}", str(outputs))
    known = f"the last ones are: {', '.join(list(runs)[-5:])}" if runs else _no_runs()
    raise StoreError(f"there is no run {prefix!r}; {known}", str(outputs))

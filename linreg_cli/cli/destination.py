"""Where `-o` leads: stdout or a file, and whether its name promises the format that is written."""

import os
from collections.abc import Sequence
from pathlib import Path

from linreg_cli.cli import streams
from linreg_cli.errors import UsageError
from linreg_cli.paths import is_stdout, is_written_through

#: Suffixes whose format is known to everybody.
_PROMISES = frozenset((
    ".html", ".htm", ".xml", ".pdf", ".png", ".svg", ".jpg", ".jpeg", ".gif", ".md", ".txt", ".json", ".jsonl", ".yaml",
    ".yml", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".gz", ".zst", ".zip", ".xlsx", ".xls", ".docx", ".doc",
    ".onnx", ".safetensors",
))  # fmt: skip


def goes_to_stdout(out: Path | None, *, as_json: bool) -> bool:
    """Whether `-o` sends the result of a command to stdout.

    Args:
        out: the value of `-o`.
        as_json: whether stdout carries JSON.

    Raises:
        UsageError: if stdout would carry both.
        StoreError: if stdout is closed.
    """
    if not is_stdout(out):
        return False
    if as_json:
        raise UsageError("--json and -o - both write to standard output; name a file with -o", "-o")
    streams.require_stdout()
    return True


def refuse_run_folder(out: Path, allowed: str) -> None:
    """Refuse a file inside a run folder, in which every name has its meaning.

    Args:
        out: the path of an output; a link is followed.
        allowed: the one name that the output may have there.

    Raises:
        UsageError: for another name in a run folder.
    """
    target = Path(os.path.realpath(out))
    if target.name != allowed and os.path.exists(target.parent / "run.json"):
        raise UsageError("the file would be inside a run folder; choose another path with -o", str(out))


def check_suffix(out: Path | None, allowed: Sequence[str], what: str) -> None:
    """Refuse a name that promises another format than the one that is written.

    Args:
        out: the path of an output; a name without one of the usual suffixes promises nothing.
        allowed: suffixes.
        what: the output, in the plural.

    Raises:
        UsageError: for the suffix of another format.
    """
    suffix = "" if out is None else out.suffix.lower()
    if out is not None and suffix in _PROMISES and suffix not in allowed and not is_written_through(out):
        raise UsageError(f"{what} are not written as {suffix}; the name must end in {' or '.join(allowed)}", str(out))

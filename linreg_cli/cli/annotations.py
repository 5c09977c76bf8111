"""Errors and warnings as GitHub Actions shows them: beside the line of the file, and at the top of the job."""

import os
import re
from pathlib import Path

from linreg_cli.errors import Fault

_PLACE = re.compile(r"(?P<file>.+):(?P<line>\d+):(?P<column>\d+)", re.DOTALL)


def annotation(level: str, fault: Fault) -> str | None:
    """The line that GitHub Actions reads from a command's output; None outside of it (`GITHUB_ACTIONS` is not `true`).

    Args:
        level: `error` or `warning`.
        fault: if it is about a place in a file, that is shown beside it.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return None
    place = _PLACE.fullmatch(fault.where or "")
    if place is None or not os.path.isfile(place["file"]):
        return f"::{level}::{_escaped(str(fault))}"
    file = _escaped(_in_workspace(place["file"])).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} file={file},line={place['line']},col={place['column']}::{_escaped(fault.message)}"


def _in_workspace(file: str) -> str:
    """A path from the root of the repository, which GitHub expects also where a step has a folder of its own."""
    root, path = os.environ.get("GITHUB_WORKSPACE", ""), Path(os.path.abspath(file))
    return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else file


def _escaped(text: str) -> str:
    r"""Text as the runner of GitHub Actions unescapes it.

    >>> _escaped("5 %\nmore")
    '5 %25%0Amore'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

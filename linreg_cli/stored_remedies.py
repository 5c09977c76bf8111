"""Remedies in texts that a run keeps: whoever reads one may be another reader than whoever trained the run."""

import ast
import contextlib
import re
import shlex
from typing import Any

import yaml

from linreg_cli.readers import is_program
from linreg_cli.remedies import overrides

#: Settings in a stored text: as options, and as what Python passes.
_OPTIONS = re.compile(r"--set (?:'[^']*'|[^\s';,]+)(?: --set (?:'[^']*'|[^\s';,]+))*")
_PASSED = re.compile(r"overrides=(\{(?:[^{}]|\{[^{}]*\})*\})")


def rewritten(text: str) -> str:
    """A text that was stored, with its settings for the present reader: whoever trained the run may be another one.

    >>> from linreg_cli.readers import Python, written_for
    >>> with written_for(Python()):
    ...     text = rewritten("train with --set train.epochs=10 --set 'data.ignore=[a, b]'")
    >>> text
    "train with overrides={'train.epochs': 10, 'data.ignore': ['a', 'b']}"
    >>> rewritten(text)
    "train with --set train.epochs=10 --set 'data.ignore=[a, b]'"
    """
    return (
        _OPTIONS.sub(lambda found: overrides(_of_options(found[0])), text)
        if is_program()
        else _PASSED.sub(lambda found: overrides(ast.literal_eval(found[1])), text)
    )


def _of_options(text: str) -> dict[str, Any]:
    """The settings of options as `overrides` writes them."""
    values = dict[str, Any]()
    for word in shlex.split(text)[1::2]:
        key, _, value = word.partition("=")
        values[key] = yaml.safe_load(value)
        with contextlib.suppress(ValueError, TypeError):  # 1e-06 is a number in YAML 1.2 alone
            values[key] = float(values[key]) if isinstance(values[key], str) else values[key]
    return values

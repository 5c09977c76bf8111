"""Generates the pages of docs/ that come from the code: `python docs/generate.py`. A test checks them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from linreg_cli.config.json_schema import json_schema as config_schema
from linreg_cli.config.schema import SECTIONS, Section

DOCS = Path(__file__).parent
COMMANDS = (
    "generate-data",
    "init",
    "train",
    "evaluate",
    "predict",
    "plot",
    "report",
    "inspect",
    "explain",
    "validate",
    "schema",
    "completion",
    "runs list",
    "runs show",
    "runs diff",
    "runs label",
    "runs rm",
)

_CONFIGURATION = """\
# The config

Generated from the code by `make docs`. Keys are optional unless marked *required*. Unknown keys, duplicate keys,
values of the wrong type and values out of range are errors that name file, line and column. All of them are reported
at once; `linreg validate FILE...` reports them without training.

Values follow YAML 1.2: `1e-3` is a number, `no` is text, `true` and `false` are booleans. JSON is read as JSON
means it. In double quotes a backslash begins an escape: write a Windows path with `/`, or in single quotes. `--set
optimizer.lr=0.1` follows the same rules. Several `--config` files are merged key by key; later ones win. If a later
file or a `--set` changes `data.source` or the `kind` of a schedule, keys that only the old kind has are dropped;
the columns of a synthetic source become the features.

An editor with a YAML language server completes keys and values, shows their meaning and marks faults while you type,
if the first line of the config names the JSON Schema, `docs/config.schema.json` or what `linreg schema -o FILE` writes:
`# yaml-language-server: $schema=FILE`, FILE relative to the config. It knows every key, type, range and choice. What
`linreg validate` finds beyond that are contradictions between keys, gates, and encodings that Python does not know.
"""

_COMMANDS = """\
# The commands

Generated from the code by `make docs`. `RUN` is a run id, the name of runs (then the run of exactly that name
that was started last, whatever else begins with it), `latest`, the path of a run folder, or a prefix that one id alone
has; of two readings the first holds, and `./NAME` is a path in any case.

Results are printed to stdout, progress and messages to stderr: a bar on a terminal. Where there is none, and with
`--verbose` on one too, `train` prints a line for each epoch, for some of them where there are more than 20, and every
ten seconds: epoch, loss over the train split, gap to the optimum, learning rate and the time left; not with `--quiet`
or `--json`.
`--json` prints exactly one JSON object (`explain`: a list of steps). An error is a line on stderr that begins with
`error:`. With `--json` it is also an object `{"error": {"kind", "message", "where"}}` on stdout; if a gate failed,
the result is in the same object.

`-` is stdin for `--data` and `-c`, and stdout for `-o`. `--data` may be a pipe, too; `--format` says what it holds
where its name does not. A table is written in the format that the suffix of its name names, as CSV to stdout, a pipe
or a device without one. A CSV keeps its delimiter, a table of another format gets commas. In every path `~` is the
home folder. An empty value of an option or a variable is its default.

An output that is a pipe, a device or an open file (`/dev/fd/3`) is written to, a link is followed, and a file that is
replaced keeps its mode, and its owner and access list where the user may set them.

A standard stream that is closed (`>&-`, as a service may start a command) counts as the null device: a run is whole,
and the exit code is the same. Only a table, a page or a picture for a stdout that is closed is an error (6), before it
is made. A message that cannot be written to stderr is lost, and ends nothing.

| code | meaning |
|---|---|
| 0 | success |
| 1 | a bug in linreg, with a traceback |
| 2 | error in the command line or the config |
| 3 | error in the data, or out of memory |
| 4 | training diverged (the last finite state is kept, no model is written), or was refused because it must diverge |
| 5 | a gate failed; the run is complete |
| 6 | error in the run store: a run is unknown, ambiguous, damaged, in use, or cannot be written |
| 129, 130, 143 | the terminal was closed (SIGHUP), interrupted (Ctrl-C), terminated (SIGTERM); a run can be resumed |
| 141 | broken pipe: the reader of the output has closed it |
"""


def configuration() -> str:
    """The page about the config."""
    parts = [_CONFIGURATION]
    for path, section in SECTIONS.items():
        parts += [f"\n## {_title(path)}\n", f"\n{section.__doc__}\n"]
        parts += ["\n| key | default | values | meaning |\n|---|---|---|---|\n"]
        schema = section.model_json_schema()["properties"]
        for name, field in section.model_fields.items():
            cells = [f"`{name}`", _default(field), _values(schema[name]), field.description or "see above"]
            parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return "".join(parts)


_BOUNDS = {"exclusiveMinimum": "> {:g}", "minimum": ">= {:g}", "exclusiveMaximum": "< {:g}", "maximum": "<= {:g}"}
_TYPES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true, false", "null": "null"}


def _values(schema: dict[str, Any]) -> str:
    """What a key takes, in a few words, from its JSON Schema."""
    if "$comment" in schema:
        return str(schema["$comment"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{_yaml(value)}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_values(option) for option in schema["anyOf"]))
    if any(key in schema for key in ("oneOf", "allOf", "$ref")):  # allOf: as pydantic below 2.9 does
        return "mapping"
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_values(schema.get('items', {})) or 'values'}"
    if kind == "object":
        return "mapping"
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    return " ".join([_TYPES.get(str(kind), ""), " and ".join(bounds)]).strip()


def _title(path: tuple[str, ...]) -> str:
    if not path:
        return "Top level"
    if path[0] == "data" and path[-1] in ("table", "synthetic", "inline", "frame"):
        return f"`data`, source: {path[-1]}"
    if "schedule" in path:
        return f"`optimizer.schedule`, kind: {path[-1]}"
    return f"`{'.'.join(path)}`"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    return "see there" if isinstance(field.default, Section) else f"`{_yaml(field.default)}`"


def _yaml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return f"[{', '.join(_yaml(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(item)}' for key, item in value.items())}}}"
    return '""' if value == "" else str(value)


def commands() -> str:
    """The page about the commands: what `--help` says."""
    parts = [_COMMANDS]
    for command in COMMANDS:
        environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100"}
        text = subprocess.run(
            [sys.executable, "-m", "linreg_cli", *command.split(), "--help"],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        parts.append(f"\n## linreg {command}\n\n```text\n{text.strip()}\n```\n")
    return "".join(parts)


def json_schema() -> str:
    """The JSON Schema of the config, which the first lines of configs/*.yaml name."""
    return json.dumps(config_schema(), indent=1, ensure_ascii=False) + "\n"


PAGES = {"configuration.md": configuration, "commands.md": commands, "config.schema.json": json_schema}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
        print(DOCS / page)

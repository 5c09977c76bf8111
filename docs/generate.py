"""Generates the pages of docs/ that come from the code: `python docs/generate.py`. A test checks them."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from linreg_cli.cli.app import app
from linreg_cli.config.json_schema import json_schema as config_schema
from linreg_cli.config.load import load_config
from linreg_cli.config.metric_names import metric_names
from linreg_cli.config.schema import SECTIONS, Section
from linreg_cli.figures.kinds import KINDS as PICTURES
from linreg_cli.findings import KINDS as FINDINGS
from linreg_cli.metric_paths import Absent, AnyName

DOCS = Path(__file__).parent
_CONFIGURATION = """\
# The config

Generated from the code by `make docs`. Keys are optional unless marked *required*. An editor with a YAML language
server completes keys and values, shows their meaning and marks faults while you type, if the first line of the config
is `# yaml-language-server: $schema=FILE`. FILE, relative to the config, is `docs/config.schema.json`, or what `linreg
schema -o FILE` writes.

- **Errors.** Unknown keys, duplicate keys, values of the wrong type and values out of range are errors that name
  file, line and column. All of them are reported at once. `linreg validate FILE...` reports them without training,
  and what no schema can say: contradictions between keys, gates, and encodings that Python does not know.
- **Values** follow YAML 1.2: `1e-3` is a number, `no` is text, `true` and `false` are booleans. JSON is read as JSON
  means it. In double quotes a backslash begins an escape: write a Windows path with `/`, or in single quotes.
- **Overrides.** `--set optimizer.lr=0.1` follows the same rules. Several `--config` files are merged key by key;
  later ones win.
- **Another kind.** If a later file or a `--set` changes `data.source` or the `kind` of a schedule, keys that only the
  old kind has are dropped; the columns of a synthetic source become the features.
"""

_COMMANDS = """\
# The commands

Generated from the code by `make docs`. By task: [the documentation](README.md).

**RUN** is a run id, the name of runs (then the run of exactly that name that was started last, whatever else begins
with it), `latest`, the path of a run folder, or a prefix that one id alone has. Of two readings the first holds, and
`./NAME` is a path in any case.

## Output

| what | where |
|---|---|
| results | stdout |
| progress and messages | stderr: a bar on a terminal |
| progress without a terminal, or with `--verbose` | a line for each of up to 20 epochs, and every ten seconds |
| progress with `--quiet` or `--json` | none |
| an error | a line on stderr that begins with `error:` |
| `--json` | exactly one JSON object on stdout (`explain`: a list of steps) |
| an error with `--json` | also `{"error": {"kind", "message", "where"}}`; with the result if a gate failed |

## Files

- `-` is stdin for `--data` and `-c`, and stdout for `-o`. `--data` may be a pipe, too; `--format` says what it holds
  where its name does not. In every path `~` is the home folder. An empty value of an option or a variable is its
  default.
- A table is written in the format that the suffix of its name names, as CSV to stdout, a pipe or a device without
  one. A CSV keeps its delimiter, a table of another format gets commas.
- An output that is a pipe, a device or an open file (`/dev/fd/3`) is written to, a link is followed, and a file that
  is replaced keeps its mode, and its owner and access list where the user may set them.
- A standard stream that is closed (`>&-`, as a service may start a command) counts as the null device: a run is
  whole, and the exit code is the same. Only a table, a page or a picture for a stdout that is closed is an error (6),
  before it is made. A message that cannot be written to stderr is lost, and ends nothing.

## Exit codes

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
| 137 | one of several processes was killed, often because memory ran out; the run can be resumed |
| 141 | broken pipe: the reader of the output has closed it |
"""

_REFERENCE = """\
# Reference: pictures, warnings, metrics

Generated from the code by `make docs`: the names that options, configs and gates take.

## Pictures

`linreg plot RUN --kind KIND`; `--kind all` draws every one that the run has. Each is shown in the
[gallery](gallery.md). *Overlays*: several runs in one picture. *Axes*: takes `--x` and `--scale`. *Rows*: needs the
rows of the table again.

| kind | shows | `train` draws it | overlays | axes | rows |
|---|---|---|---|---|---|
"""
#: Of a kind of which the gallery has several pictures.
_SHOWS = {"path": "The steps of gradient descent on the curve or the contours of the loss."}
_DRAWN = {"fit": "with one feature", "path": "with at most two parameters"}

_FINDINGS = """
## Warnings

Each warning has a kind; `run.json` and `--json` list them. A gate counts them: `warnings.loss_rose == 0`.

| kind | about |
|---|---|
"""

_METRICS = """
## Metrics

What `metrics.json` may hold, as a gate names it ([in CI](ci.md#metrics)). COLUMN is an input, such as `area` or
`"city=New York"`; `parameters` and what is like it are nested by target where there are several.

| group | metrics | needs |
|---|---|---|
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


def command_names() -> Iterator[str]:
    """Every command, and every command of a group, that `--help` lists."""
    yield from (str(command.name) for command in app.registered_commands if not command.hidden)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        if group.typer_instance.registered_callback is not None:  # a command that has others below it
            yield str(group.name)
        yield from (f"{group.name} {command.name}" for command in group.typer_instance.registered_commands)


def commands() -> str:
    """The page about the commands: what `--help` says."""
    parts = [_COMMANDS]
    for command in command_names():
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


def reference() -> str:
    """The page about names: kinds of pictures and of warnings, metrics."""
    gallery = runpy.run_path(str(DOCS / "gallery.py"))["PICTURES"]
    shows = {
        command.partition("--kind ")[2].split()[0]: text for _, command, text in gallery if "--kind" in command
    } | _SHOWS
    pictures = [
        [f"`{name}`", shows[name], _DRAWN.get(name) or _yes(kind.default is PICTURES["loss"].default)]
        + [_yes(has) for has in (kind.overlays, kind.has_axes, kind.needs_rows)]
        for name, kind in PICTURES.items()
    ]
    findings = [[f"`{name}`", meaning] for name, meaning in FINDINGS.items()]
    config = load_config([], ["data.source=table", "data.path=t.csv", "data.target=y"]).config
    metrics = list(_metrics("", metric_names(config), ""))
    return "".join([_REFERENCE, _rows(pictures), _FINDINGS, _rows(findings), _METRICS, _rows(metrics)])


def _yes(value: object) -> str:
    return "yes" if value else ""


def _rows(cells: Iterable[Iterable[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n".replace("  ", " ") for row in cells)


def _metrics(path: str, names: Any, needs: str) -> Iterator[list[str]]:
    """A row for each group of numbers: where it is, the names of the numbers, what a run needs to have them."""
    if path == "warnings":
        yield [f"`{path}`", "the kinds above", needs]
    elif isinstance(names, Absent):
        yield from _metrics(path, names.otherwise, names.why.rpartition("set ")[2])
    elif isinstance(names, AnyName):
        yield from _metrics(path, {"COLUMN": names.inside}, needs)
    elif isinstance(names, list):
        yield from _metrics(path, {str(position): each for position, each in enumerate(names)}, needs)
    else:
        numbers = [f"`{name}`" for name, value in names.items() if isinstance(_otherwise(value), float | int)]
        if numbers:
            yield [f"`{path}`" if path else "", ", ".join(numbers), needs and f"`{needs}`"]
        for name, value in names.items():
            if not isinstance(_otherwise(value), float | int | str):
                yield from _metrics(f"{path}.{name}".lstrip("."), value, needs)


def _otherwise(value: Any) -> Any:
    return value.otherwise if isinstance(value, Absent) else value


PAGES = {
    "configuration.md": configuration,
    "commands.md": commands,
    "reference.md": reference,
    "config.schema.json": json_schema,
}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
        print(DOCS / page)

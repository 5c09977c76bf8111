"""A config for a table as YAML, with a comment for each decision."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from linreg_cli.addresses import without_secrets
from linreg_cli.config.data import STDIN, STDIN_NAME, TableData
from linreg_cli.config.load import default_name
from linreg_cli.config.source import ConfigText
from linreg_cli.remedies import EVERY, command, entry, flow
from linreg_cli.starter.choices import DATE, IGNORED, Choices, ColumnChoice
from linreg_cli.wording import one_line, plural

#: Comments in a block begin in one column, as far as the lines leave room for it.
_WIDEST = 44


def config_text(choices: Choices, source: TableData) -> str:
    """The config.

    Args:
        choices: what was decided.
        source: what the command line says of the table.
    """
    found = {each.key: each for each in choices.settings}
    target: Any = choices.targets[0] if len(choices.targets) == 1 else list(choices.targets)
    lines = ["data:", f"  path: {flow(choices.path)}"]
    lines += [] if source.format is None else [f"  format: {source.format}"]
    lines += [f"  target: {flow(target)}"]
    text = [each for key, each in found.items() if key.startswith("data.") and key != "data.split"]
    lines += _commented((f"  {each.key.removeprefix('data.')}: {flow(each.value)}", each.why) for each in text)
    parts = [entry for each in choices.columns for entry in each.entries]
    if choices.features is not None:
        lines.append(f"  features: {flow(list(choices.features))}")
    elif parts:
        lines += _commented([(f"  features: {flow([EVERY, *parts])}", '"*" is every other column')])
    ignored = [(column, "as given") for column in source.ignore]
    ignored += [(each.column, each.why) for each in choices.columns if each.use in (IGNORED, DATE)]
    if ignored:
        lines += ["  ignore:", *_commented((f"    - {flow(column)}", why) for column, why in ignored)]
    if (split := found.get("data.split")) is not None:
        lines += _commented([(f"  split: {flow(split.value)}", split.why)])
    lines += ["", "preprocess:", *_commented(_training(choices, "preprocess"))]
    lines += _commented([("  unknown: ignore", "a level that no train row has is none of the levels")])
    if (marks := found.get("preprocess.missing_values")) is not None:
        lines += _commented([(f"  missing_values: {flow(marks.value)}", marks.why)])
    if treated := [each for each in choices.columns if each.settings]:
        entries = ((entry(each.column, dict(each.settings), indent="    "), _of_column(each)) for each in treated)
        lines += ["  columns:", *_commented(entries)]
    lines += [f"  # {one_line(hint)}" for hint in choices.hints]
    for section in ("optimizer", "train"):
        lines += ["", f"{section}:", *_commented(_training(choices, section))]
    if choices.outlook:
        lines.append(f"  # {one_line(choices.outlook.message)}")
    return "\n".join([*lines, ""])


def _of_column(choice: ColumnChoice) -> str:
    return "" if choice.use == DATE else choice.why


def head(choices: Choices, file: str) -> str:
    """The comment at the beginning: what the config is about, and the commands to go on with.

    Args:
        choices: what was decided.
        file: the name of the config.
    """
    name = default_name([ConfigText(file, "", Path(file).stem)])
    path, fed = (without_secrets(choices.path), "") if choices.path != STDIN else (STDIN_NAME, " < TABLE")
    ways = [
        (command("linreg", "train", "-c", file) + fed, "train, evaluate, write a run folder"),
        (command("linreg", "predict", name, "--data", "NEW.csv"), "predictions for other rows"),
        (command("linreg", "report", name), "one HTML page about the run"),
        (command("linreg", "inspect", "-c", file) + fed, "what to expect, before training"),
    ]
    width = max(len(way) for way, _ in ways)
    size = f"{plural(choices.n_rows, 'row')}, {plural(choices.n_columns, 'column')}"
    about = f"# Linear regression of {', '.join(choices.targets)} on the columns of {path} ({size})."
    lines = [one_line(about), "# Every line can be changed; docs/configuration.md has all keys.", "#"]
    return "\n".join([*lines, *(one_line(f"#   {way:{width}}   {what}") for way, what in ways), "", ""])


def _training(choices: Choices, section: str) -> Iterable[tuple[str, str]]:
    for each in choices.training:
        if each.key.startswith(f"{section}."):
            yield f"  {each.key.removeprefix(f'{section}.')}: {flow(each.value)}", each.why


def _commented(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of the config, each with its comment."""
    given = list(lines)
    width = min(max((len(line) for line, _ in given), default=0), _WIDEST)
    return [f"{line:{width}}  # {one_line(why)}" if why else line for line, why in given]

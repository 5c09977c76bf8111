"""A config for a table as YAML, with a comment for each decision."""

from collections.abc import Iterable
from typing import Any

from linreg_cli.config.data import TableData
from linreg_cli.config.formats import table_stem
from linreg_cli.remedies import command, entry, flow
from linreg_cli.starter.choices import IGNORED, Choices
from linreg_cli.starter.recipe import RECIPE
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
    lines = ["data:", f"  path: {flow(choices.path)}", f"  target: {flow(target)}"]
    text = [each for key, each in found.items() if key.startswith("data.") and key != "data.split"]
    lines += _commented((f"  {each.key.removeprefix('data.')}: {flow(each.value)}", each.why) for each in text)
    if choices.features is not None:
        lines.append(f"  features: {flow(list(choices.features))}")
    ignored = [(column, "as given") for column in source.ignore]
    ignored += [(each.column, each.why) for each in choices.columns if each.use == IGNORED]
    if ignored:
        lines += ["  ignore:", *_commented((f"    - {flow(column)}", why) for column, why in ignored)]
    if (split := found.get("data.split")) is not None:
        lines += _commented([(f"  split: {flow(split.value)}", split.why)])
    lines += ["", "preprocess:", *_commented(_recipe("preprocess"))]
    lines += _commented([("  unknown: ignore", "a level that no train row has is none of the levels")])
    if (marks := found.get("preprocess.missing_values")) is not None:
        lines += _commented([(f"  missing_values: {flow(marks.value)}", marks.why)])
    if treated := [each for each in choices.columns if each.settings]:
        entries = ((entry(each.column, dict(each.settings), indent="    "), each.why) for each in treated)
        lines += ["  columns:", *_commented(entries)]
    lines += [f"  # {one_line(hint)}" for hint in choices.hints]
    lines += ["", "optimizer:", *_commented(_recipe("optimizer")), "", "train:", *_commented(_recipe("train"))]
    return "\n".join([*lines, ""])


def head(choices: Choices, file: str) -> str:
    """The comment at the beginning: what the config is about, and the commands to go on with.

    Args:
        choices: what was decided.
        file: the name of the config.
    """
    name = table_stem(file) if not file.endswith((".yaml", ".yml")) else file.rpartition("/")[2].rpartition(".")[0]
    ways = [
        (command("linreg", "train", "-c", file), "train, evaluate, write a run folder"),
        (command("linreg", "predict", name, "--data", "NEW.csv"), "predictions for other rows"),
        (command("linreg", "report", name), "one HTML page about the run"),
        (command("linreg", "inspect", "-c", file), "what to expect, before training"),
    ]
    width = max(len(way) for way, _ in ways)
    size = f"{plural(choices.n_rows, 'row')}, {plural(choices.n_columns, 'column')}"
    about = f"# Linear regression of {', '.join(choices.targets)} on the columns of {choices.path} ({size})."
    lines = [one_line(about), "# Every line can be changed; docs/configuration.md has all keys.", "#"]
    return "\n".join([*lines, *(one_line(f"#   {way:{width}}   {what}") for way, what in ways), "", ""])


def _recipe(section: str) -> Iterable[tuple[str, str]]:
    for key, value, why in RECIPE:
        if key.startswith(f"{section}."):
            yield f"  {key.removeprefix(f'{section}.')}: {flow(value)}", why


def _commented(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of the config, each with its comment."""
    given = list(lines)
    width = min(max((len(line) for line, _ in given), default=0), _WIDEST)
    return [f"{line:{width}}  # {one_line(why)}" for line, why in given]

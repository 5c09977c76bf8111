"""`linreg completion`: what may stand where on a command line, as a script for a shell.

The script knows all commands and options, and looks for runs by itself: a completion starts no Python.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from linreg_cli.cli import completion_scripts, output
from linreg_cli.cli.completion_scripts import (
    FILES,
    FOLDERS,
    KEYS,
    NOTHING,
    RUNS,
    SWEEPS,
    CommandLine,
    Option,
    Place,
)
from linreg_cli.errors import UsageError, did_you_mean

#: What follows an option, or stands for an argument, by its metavar.
_BY_METAVAR = {
    "RUN": RUNS,
    "OTHER": RUNS,
    "SWEEP": SWEEPS,
    "FILE": FILES,
    "PATH": FILES,
    "TABLE": FILES,
    "DIR": FOLDERS,
    "KEY=VALUE": KEYS,
}
#: (command, option or metavar of an argument) -> the values that are allowed; "" is every command.
VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "--format"): ("csv", "tsv", "jsonl"),
    ("", "--device"): ("auto", "cpu", "cuda"),
    ("plot", "--format"): ("png", "svg", "pdf"),
    ("plot", "--kind"): (
        "loss",
        "gap",
        "fit",
        "predicted",
        "residuals",
        "qq",
        "scale_location",
        "leverage",
        "residuals_by_feature",
        "coefficients",
        "correlation",
        "learning_curve",
        "path",
        "all",
    ),
    ("plot", "--scale"): ("auto", "linear", "log"),
    ("plot", "--x"): ("epoch", "step"),
    ("predict", "--interval"): ("prediction", "confidence"),
    ("runs list", "--status"): ("running", "finished", "diverged", "interrupted", "failed"),
    ("completion", "SHELL"): tuple(completion_scripts.SHELLS),
}


def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the completion script for a shell.

    Commands, options, their values, keys of --set and ids of runs are completed. For bash: 'linreg completion bash >
    ~/.local/share/bash-completion/completions/linreg'. For zsh: the file _linreg in a folder of $fpath. For fish:
    ~/.config/fish/completions/linreg.fish. Write it again after an upgrade.
    """
    if shell not in completion_scripts.SHELLS:
        raise UsageError(f"unknown shell {shell!r}{did_you_mean(shell, [*completion_scripts.SHELLS])}", "SHELL")
    lines = [*command_lines(context.find_root().command)]
    output.show(completion_scripts.SHELLS[shell](lines, config_keys()))


def command_lines(command: Any, name: str = "") -> Iterator[CommandLine]:
    """What `linreg` and each of its commands takes, in the order of the help.

    Args:
        command: of typer.
        name: with that of its group.
    """
    inside = {each: sub for each, sub in getattr(command, "commands", {}).items() if not sub.hidden}
    options: list[Option] = []
    arguments: Place = NOTHING
    for param in command.params:
        if param.param_type_name == "option":
            takes = None if param.is_flag else _place(name, param.opts, param.metavar or "")
            names = sorted((*param.opts, *param.secondary_opts), key=len, reverse=True)
            options.append(Option(tuple(names), takes, _first_sentence(param.help)))
        else:
            metavar = (param.metavar or "").rstrip(".").strip("[]")
            arguments = _place(name, [metavar], metavar) if arguments == NOTHING else arguments
    helps = Option(("--help", "-h"), None, "Show this message and exit.")
    about = {each: _first_sentence(sub.help) for each, sub in inside.items()}
    yield CommandLine(name, _first_sentence(command.help), about, (*options, helps), arguments)
    for each, sub in inside.items():
        yield from command_lines(sub, f"{name} {each}".strip())


def _place(command: str, names: list[str], metavar: str) -> Place:
    """What stands after an option, or as an argument."""
    for key in ((command, name) for command in (command, "") for name in names):
        if key in VALUES:
            return VALUES[key]
    return _BY_METAVAR.get(metavar, NOTHING)


def _first_sentence(text: str | None) -> str:
    line = " ".join((text or "").split("\n\n")[0].split())
    return line.partition(". ")[0].rstrip(".")


def config_keys() -> list[str]:
    """Every key of the config that `--set` takes, dotted."""
    from linreg_cli.config.data import SOURCES
    from linreg_cli.config.schema import SCHEDULES, SECTIONS, Section

    kinds = {*SOURCES, *SCHEDULES}
    keys: dict[str, None] = {}
    for path, section in SECTIONS.items():
        parents = path[:-1] if path and path[-1] in kinds else path
        for name, field in section.model_fields.items():
            if "COLUMN" not in path and not isinstance(field.default, Section):
                keys[".".join((*parents, name))] = None
    return [key for key in keys if key != "data"]

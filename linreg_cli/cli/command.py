"""The classes of commands: what holds for the options of every command."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from linreg_cli.cli.folder import commands_here
from linreg_cli.cli.output import silenced
from linreg_cli.launched import refuse_several

#: The command that several processes, started by torchrun, do together.
_SHARED = "train"


class _OfOneProcess:
    """A command that one process does; in one of several only the command that they share is done."""

    name: str | None

    def invoke(self, ctx: Any) -> Any:
        """Do what the command is for.

        Raises:
            UsageError: in one of several processes, as each would do the same and write the same files.
        """
        if self.name != _SHARED:
            refuse_several(f"do all of '{ctx.command_path}' alone", "start it without torchrun")
        return super().invoke(ctx)  # type: ignore[misc]  # of the class that it is mixed into


class _Quiet:
    """A command that says nothing but its result, and errors, with `--quiet`."""

    def invoke(self, ctx: Any) -> Any:
        """Do what the command is for, with `--quiet` without notes, warnings and progress."""
        with silenced(bool(ctx.params.get("quiet"))):
            return super().invoke(ctx)  # type: ignore[misc]  # of the class that it is mixed into


class _EmptyIsDefault:
    """A command in which an empty value of an option is its default.

    A script that passes `--name "$NAME"` without a name gets the usual one. The values of options that may be repeated
    are checked one by one, and an empty argument may mean something, such as the removal of a label.
    """

    params: Any

    def make_parser(self, ctx: Any) -> Any:
        """The parser of the command line, without empty values."""
        parser = super().make_parser(ctx)  # type: ignore[misc]  # of the class that it is mixed into
        parse = parser.parse_args
        options = {param.name for param in self.params if param.param_type_name == "option"}

        def parse_args(args: list[str]) -> tuple[dict[str, Any], list[str], list[Any]]:
            values, rest, order = parse(args)
            given = {name: value for name, value in values.items() if value != "" or name not in options}
            return given, rest, order

        parser.parse_args = parse_args
        return parser


class Command(_OfOneProcess, _Quiet, _EmptyIsDefault, TyperCommand):
    """A command."""


class Group(_OfOneProcess, _Quiet, _EmptyIsDefault, TyperGroup):
    """A command that has options of its own, and commands below it."""


class Top(TyperGroup):
    """The commands of `linreg`, whose help ends with those that work in the current folder."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, one a line, whatever the width."""
        formatter.write_paragraph()
        formatter.write("Start here with:\n")
        for line in commands_here():
            formatter.write(f"  {line}\n")


class App(typer.Typer):
    """An application whose commands are of the class `Command`."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a command, as `typer.Typer.command`."""
        return super().command(name, cls=Command, **settings)

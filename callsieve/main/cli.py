"""The command line: it imports only the module of the given command, and prints typer's errors in our own format."""

import os
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from callsieve.cli.errors import EXIT_INTERRUPTED, CommandError, SwitchedOffError
from callsieve.main import capabilities
from callsieve.settings import switched_off

HELP_OPTIONS = ["-h", "--help"]


class _Literal:
    """A mixin of commands: their help shows square brackets as they are. Typer takes `[hub]` in a text for markup."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, with the brackets in the texts of the command, its options and its commands escaped."""
        from rich.markup import escape  # brings rich, which typer imports only for a help

        command: Any = self
        texts = [command, *command.params, *getattr(command, "commands", {}).values()]
        kept = [(each, each.help) for each in texts if getattr(each, "help", None)]
        for each, text in kept:
            each.help = escape(text)
        try:
            super().format_help(ctx, formatter)  # type: ignore[misc]  # the method of typer's class
        finally:
            for each, text in kept:
                each.help = text


class _Command(_Literal, TyperCommand):
    pass


class _Group(_Literal, TyperGroup):
    pass


class LazyGroup(TyperGroup):
    """The group of all commands. It imports a command's module when needed. `off`: capabilities switched off."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.off: frozenset[str] = frozenset()
        for group, helps in capabilities.GROUPS.items():
            for name, text in helps.items():
                self.add_command(TyperCommand(name, short_help=text, rich_help_panel=group))

    def load(self, name: str) -> None:
        """Import the command with this name. Do nothing if there is no such command."""
        if name in capabilities.HELP:
            command = _command_of(name, self.off)
            command.rich_help_panel = next(group for group, helps in capabilities.GROUPS.items() if name in helps)
            self.commands[name] = command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command before typer runs or completes it. Only the help shows commands without importing them."""
        self.load(args[0])
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any, groups: Iterable[str] = capabilities.SHORT_HELP) -> None:
        """Print the help of the given groups, without commands that are switched off."""
        every = self.commands
        names = (name for group in groups for name in capabilities.GROUPS[group])
        shown = [name for name in names if not (self.off and capabilities.capabilities_below(name) <= self.off)]
        self.commands = {name: every[name] for name in shown}
        super().format_help(ctx, formatter)
        self.commands = every


@cache
def _command_of(first: str, off: frozenset[str]) -> Any:
    groups = {"": typer.Typer(cls=_Group)}

    def group_of(path: str) -> typer.Typer:
        if path not in groups:
            above, _, last = path.rpartition(" ")
            groups[path] = typer.Typer(
                cls=_Group, help=(capabilities.HELP | capabilities.HELP_WITHIN)[path], no_args_is_help=True
            )
            group_of(above).add_typer(groups[path], name=last)
        return groups[path]

    for name, place in capabilities.COMMANDS.items():
        if name.partition(" ")[0] == first and capabilities.capability_of(name) not in off:
            group, _, last = name.rpartition(" ")
            module, _, function = place.partition(":")
            run = getattr(import_module(f"callsieve.{module}"), function)
            if any(
                other.startswith(f"{name} ") for other in capabilities.COMMANDS
            ):  # a command that has others below it
                group_of(name).callback(invoke_without_command=True, no_args_is_help=False)(run)
            else:
                group_of(group).command(last, cls=_Command)(run)
    command = get_group(groups[""]).commands[first]
    command.short_help = capabilities.HELP[first]
    return command


app = typer.Typer(
    name="callsieve",
    cls=LazyGroup,
    help="Call screening for Asterisk. First: callsieve status. All: callsieve help all",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)


@app.callback()
def callsieve(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    """Print the version, or the help if there is no command."""
    if version:
        from callsieve.version import program_version  # brings importlib.metadata: 10 ms

        typer.echo(f"callsieve {program_version()}")
        raise typer.Exit


# Built once: calling `app` would build it again.
COMMAND: Any = get_group(app)


def whole_command_line() -> Any:
    """Import and return all commands with their options, also commands that are switched off."""
    COMMAND.off = frozenset()
    for name in capabilities.HELP:
        COMMAND.load(name)
    return COMMAND


# The error that typer raises for a wrong command line. Typer contains click since 0.2x and depended on it before, so
# the class is found through one that typer always exports.
_UsageError: Any = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. Raise BrokenPipeError if the reader of the output is gone."""
    COMMAND.off = frozenset()
    if capabilities.COMPLETION in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # re-exported without a word

        completion_init()
    else:
        COMMAND.off = _switched_off(arguments)
        _refuse_off(arguments, COMMAND.off)
        _hide_types_of_flags(arguments)
    try:
        code = COMMAND(
            arguments,
            prog_name="callsieve",
            complete_var=capabilities.COMPLETION,
            standalone_mode=False,
            obj=capabilities.ALL.without(COMMAND.off),
        )
    except _UsageError as error:
        raise CommandError(_usage_text(error)) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
    if code == EXIT_INTERRUPTED:  # typer's answer to Ctrl-C
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _switched_off(arguments: list[str]) -> frozenset[str]:
    files = (after for word, after in pairwise(arguments) if word == "--config")
    joined = (word.removeprefix("--config=") for word in arguments if word.startswith("--config="))
    file = next(iter((*files, *joined)), None)
    return switched_off(None if file is None else Path(file))


def _refuse_off(arguments: list[str], off: frozenset[str]) -> None:
    if not off:
        return
    words = tuple(takewhile(lambda word: not word.startswith("-"), arguments))
    for count in range(len(words), 0, -1):
        command = " ".join(words[:count])
        if of := capabilities.capabilities_below(command):
            if of <= off:
                kind = SwitchedOffError if command in capabilities.RUN_BY_UNITS else CommandError
                raise kind(
                    f"{command} is switched off: remove {' and '.join(of)} from `off` in [capabilities] of the settings"
                )
            return


def _hide_types_of_flags(arguments: list[str]) -> None:
    """Remove `<bool>`, which newer versions of typer print beside every flag, from the help of the given command."""
    command = COMMAND
    COMMAND.load(arguments[0] if arguments else "")
    for word in (*arguments, ""):
        for option in command.get_params(typer.Context(command, help_option_names=HELP_OPTIONS)):
            if getattr(option, "is_flag", False):
                option.metavar = ""
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return


# Typer's messages about option values, and plainer ones.
_PLAINLY = (
    (re.compile(r"(?<=': )'.*' is not a valid int(eger)?( range)?$", re.DOTALL), "this must be a whole number"),
    (re.compile(r"(?<=': )'.*' is not a valid float( range)?$", re.DOTALL), "this must be a number"),
    (re.compile(r"\S+ is not in the range (\S+?)<=x<=(\S+)$"), r"this must be at least \1 and at most \2"),
    (re.compile(r"\S+ is not in the range x>=(\S+)$"), r"this must be at least \1"),
    (re.compile(r"\S+ is not in the range x<=(\S+)$"), r"this must be at most \1"),
)
_EXTRA_ARGUMENT = re.compile(r"unexpected extra argument(?:\(s\))? \(([^\s)]+)\)$")


def _usage_text(error: Any) -> str:
    """Return a usage error such as `list add: missing argument 'ENTRY' (...)`, or an empty text after --help."""
    text = error.format_message().strip().rstrip(".")
    for pattern, plainly in _PLAINLY:
        text = pattern.sub(plainly, text)
    path = error.ctx.command_path if getattr(error, "ctx", None) else "callsieve"
    command = path.removeprefix("callsieve").strip()
    hint = _option_for(error, text)
    return f"{command}{': ' if command else ''}{text[:1].lower()}{text[1:]}{hint} ({path} --help)" if text else ""


def _option_for(error: Any, text: str) -> str:
    """Return a hint if an argument is superfluous: it may be the value of the command's first text option."""
    extra = _EXTRA_ARGUMENT.search(text)
    if extra is None:
        return ""
    options = (param for param in error.ctx.command.params if param.param_type_name == "option")
    first = next((option for option in options if option.type.name in ("str", "text")), None)
    return "" if first is None else f": did you mean {first.opts[0]} {extra[1]}?"

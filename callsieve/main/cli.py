"""The commands, for typer. Each module below adds its own; what a command needs is imported when it runs."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.main import get_command

from callsieve.appeals.cli import commands as appeal
from callsieve.audit.cli import commands as audit
from callsieve.audit.cli import undo
from callsieve.calls.cli import commands as calls
from callsieve.cli.errors import EXIT_INTERRUPTED, CommandError
from callsieve.cli.options import ConfigOption
from callsieve.doctor.cli import commands as doctor
from callsieve.guide.cli import commands as guide
from callsieve.identities.cli import commands as identity
from callsieve.imports.cli import commands as imports
from callsieve.imports.cli import feeds
from callsieve.install.cli import commands as asterisk
from callsieve.lists.cli import commands as lists
from callsieve.main import web_command
from callsieve.maintenance.cli import db, emergency, housekeeping
from callsieve.numbers.cli import lookup, marks, privacy, reassigned, reviews
from callsieve.own_numbers.cli import commands as own
from callsieve.policy.cli import commands as policy
from callsieve.prompts.cli import commands as prompts
from callsieve.replay.cli import commands as replay
from callsieve.replay.cli import summary
from callsieve.switch.cli import commands as switch
from callsieve.users.cli import commands as users

HELP_OPTIONS = ["-h", "--help"]
app = typer.Typer(
    name="callsieve",
    help="Call screening for Asterisk.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)


@app.callback()
def callsieve(
    version: bool = typer.Option(False, "--version", help="Print the version and leave.", is_eager=True),
) -> None:
    """Call screening for Asterisk. Start with `callsieve doctor`; docs/commands.md has every command."""
    if version:
        from callsieve.version import program_version

        typer.echo(f"callsieve {program_version()}")
        raise typer.Exit


@app.command()
def serve(
    config: ConfigOption = None,
    log_json: bool = typer.Option(False, "--log-json", help="Log JSON lines."),
) -> None:
    """Answer Asterisk: the FastAGI server. Runs until it is stopped; SIGHUP reloads settings and policies."""
    from callsieve.main.serve import serve_calls

    serve_calls(config, log_json=log_json)


# In the order in which `callsieve --help` lists them.
GROUPS = (
    switch,
    doctor,
    lookup,
    calls,
    summary,
    marks,
    own,
    lists,
    identity,
    reassigned,
    appeal,
    reviews,
    imports,
    feeds,
    policy,
    replay,
    prompts,
    guide,
    emergency,
    web_command,
    users,
    db,
    housekeeping,
    audit,
    undo,
    privacy,
    asterisk,
)
for group in GROUPS:
    group.add_to(app)
# Once: calling `app` itself would put together all commands again, which takes longer than most of them.
COMMAND = get_command(app)


# What typer raises for a command line that it cannot read. Typer carries click inside itself since 0.2x and depended
# on it before, so the classes are found through the one that it always exports.
_UsageError: Any = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. What typer says of a command line becomes an error of ours.

    BrokenPipeError where nobody reads any more: typer and rich make code 1 of it, each in its own way.
    """
    _hide_types_of_flags(arguments)
    try:
        code = COMMAND(arguments, prog_name="callsieve", standalone_mode=False)
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


def _hide_types_of_flags(arguments: list[str]) -> None:
    """Newer typers write `<bool>` beside every flag in `--help`; here of the command that is named, for its help."""
    command: Any = COMMAND
    for word in (*arguments, ""):
        for option in command.get_params(typer.Context(command, help_option_names=HELP_OPTIONS)):
            if getattr(option, "is_flag", False):
                option.metavar = ""
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return


# How pydantic says what an option takes, and how people do.
_PLAINLY = (
    (re.compile("Input should be a valid integer.*"), "this is no whole number"),
    (re.compile("Input should be a valid number.*"), "this is no number"),
    (re.compile("Input should be greater than or equal to"), "this must be at least"),
    (re.compile("Input should be less than or equal to"), "this must be at most"),
)


def _usage_text(error: Any) -> str:
    """`list add: missing argument 'ENTRY' (callsieve list add --help)`; empty when the help was printed instead."""
    text = error.format_message().replace("Value error, ", "").strip().rstrip(".")  # pydantic's, inside newer typers
    for pattern, plainly in _PLAINLY:
        text = pattern.sub(plainly, text)
    path = error.ctx.command_path if getattr(error, "ctx", None) else "callsieve"
    command = path.removeprefix("callsieve").strip()
    return f"{command}{': ' if command else ''}{text[:1].lower()}{text[1:]} ({path} --help)" if text else ""

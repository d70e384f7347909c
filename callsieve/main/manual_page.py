"""The commands `callsieve man`, `callsieve help` and `callsieve completion`.

`man` prints the manual page callsieve(1), made from the commands, in man(7) for groff and mandoc.
"""

import os
import re
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer re-exports it without saying so

from callsieve.cli.errors import CommandError
from callsieve.guide.cli.commands import page_by_topic, text_for_terminal
from callsieve.main.capabilities import COMPLETION, GROUPS
from callsieve.main.cli import whole_command_line
from callsieve.settings import CONFIG_FILE, SERVICE_STATE
from callsieve.version import program_version

LINE = 78  # of the source: mandoc complains of more than 80
# Described once, because nearly every command has them.
COMMON_OPTIONS = ("--config", "--json", "--help")
AS_TYPED = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})
DESCRIPTION = """
CallSieve screens the calls that reach an Asterisk PBX. It looks the caller up. Then it allows the call, tags it, warns
the callee, challenges the caller, routes the call elsewhere or rejects it. These commands show and control screening.
"""
EXIT_STATUS = (
    ("0", "Success. For status and doctor: no problem was found."),
    ("1", "For commands that check something: there is a problem."),
    ("2", "The command failed, and nothing was changed: one line on standard error says why."),
    ("78", "For commands that a systemd unit runs: the settings switch this feature off."),
    ("130", "Interrupted by Ctrl-C."),
)
ENVIRONMENT = (
    ("CALLSIEVE_CONFIG", f"The settings file. Default: {CONFIG_FILE}."),
    ("CALLSIEVE_STATE", f"The state directory. Default: {SERVICE_STATE} if it exists, else a directory of the user."),
    ("CALLSIEVE_AMI_SECRET", "The secret of the manager user. It overrides the settings."),
    ("NO_COLOR", "If set, output has no colours."),
)


def man() -> None:
    """Print the manual page with every command and option, for `callsieve man | man -l -`."""
    print("\n".join(_page()))


def _page() -> Iterator[str]:
    yield f'.TH CALLSIEVE 1 "{_day()}" "CallSieve {_escaped(program_version())}" "CallSieve"'
    yield ".SH NAME\ncallsieve \\- call screening for Asterisk"
    yield ".SH SYNOPSIS\n.B callsieve\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]"
    yield ".SH DESCRIPTION"
    yield _text(DESCRIPTION)
    yield ".SH COMMON OPTIONS"
    yield from _described(
        "--config \\fIFILE\\fR", f"Settings file. Default: the file that CALLSIEVE_CONFIG names, else {CONFIG_FILE}."
    )
    yield from _described("--json", "Print JSON, for scripts. Only some commands have this option.")
    yield from _described("-h, --help", "Show the help of a command.")
    commands = dict(_commands(whole_command_line()))
    for group, helps in GROUPS.items():
        yield f".SH {group.upper()}"
        for name in (path for first in helps for path in commands if path.partition(" ")[0] == first):
            yield from _command(name, commands[name])
    for heading, rows in (("EXIT STATUS", EXIT_STATUS), ("ENVIRONMENT", ENVIRONMENT)):
        yield f".SH {heading}"
        for term, text in rows:
            yield from _described(_escaped(term), text)


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield " ".join((*path, name)), command
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [
        parameter
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.opts[0] not in COMMON_OPTIONS
    ]
    shown = {parameter.opts[0] for parameter in command.params}
    usage = [f"\\fB{_escaped(name)}\\fR", *map(_argument, arguments), *["[\\fIOPTION\\fR...]"] * bool(options)]
    usage += [f"[{_escaped(option)}]" for option in ("--json",) if option in shown]
    yield f".SS {' '.join(usage)}"
    yield "\n.PP\n".join(map(_text, _paragraphs(command.help or "")))
    context = typer.Context(command, info_name=name)
    for parameter in arguments:
        if parameter.help:
            yield from _described(_argument(parameter), parameter.help)
    for parameter in options:
        record = parameter.get_help_record(context)
        yield from _described(_option(parameter), record[1] if record else "")


def _argument(parameter: Any) -> str:
    word = f"\\fI{_escaped((parameter.metavar or parameter.name.upper()).strip('[]'))}\\fR"
    return word if parameter.required else f"[{word}]"


def _option(parameter: Any) -> str:
    names = ", ".join(map(_escaped, sorted(parameter.opts, key=len)))
    if parameter.is_flag:
        return names
    return f"{names} \\fI{_escaped(parameter.metavar or parameter.opts[-1].lstrip('-').upper())}\\fR"


def _described(term: str, text: str) -> Iterator[str]:
    yield f".TP\n\\fB{term}\\fR"
    yield _text(text)


def _paragraphs(help_text: str) -> list[str]:
    """Return the paragraphs of a help text, as typer shows them. Single line breaks do not separate paragraphs."""
    return [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n|\f", help_text) if paragraph.strip()]


def _text(text: str) -> str:
    """Return a paragraph in wrapped lines. A full stop at the start is escaped, because roff reads it as a command."""
    lines = textwrap.wrap(_escaped(text.strip()), LINE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in lines)


def _escaped(text: str) -> str:
    return text.translate(AS_TYPED)


def _day() -> str:
    at = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


ALL = "all"


def show_help(
    context: typer.Context,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC", help="A page of the documentation, such as `console`, or `all` for every command."
        ),
    ] = ALL,
) -> None:
    """Show every command by group, or print a page of the documentation.

    callsieve COMMAND --help shows the options of one command. An unknown TOPIC prints the names of all pages.
    """
    root: Any = context.find_root()
    pages = page_by_topic()
    if topic == ALL:
        root.command.format_help(root, root.make_formatter(), GROUPS)
    elif topic in pages:
        print(text_for_terminal(pages[topic]), end="")
    else:
        raise CommandError(f"unknown page {topic!r}. Pages: {', '.join(sorted(pages))}. Commands: callsieve help all")


class Shell(StrEnum):
    """The shells that have completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="Shell for which to print the script.", show_default=False)],
) -> None:
    """Print the script that makes a shell complete commands and options.

    bash: source <(callsieve completion bash), in ~/.bashrc; zsh: the same with zsh, in ~/.zshrc, after compinit;
    fish: callsieve completion fish > ~/.config/fish/completions/callsieve.fish
    """
    print(get_completion_script(prog_name="callsieve", complete_var=COMPLETION, shell=shell.value))

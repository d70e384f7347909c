"""`callsieve man`: the manual page, callsieve(1), made from the commands. In man(7), which groff and mandoc read.

`callsieve help all`: every command in its group; `callsieve --help` shows those that people need most.
"""

from __future__ import annotations

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

from callsieve.main.capabilities import COMPLETION, GROUPS
from callsieve.main.cli import whole_command_line
from callsieve.settings import CONFIG_FILE, SERVICE_STATE
from callsieve.version import program_version

LINE = 78  # of the source: mandoc complains of more than 80
# Said once: nearly every command takes them.
COMMON_OPTIONS = ("--config", "--json", "--help")
AS_TYPED = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})
DESCRIPTION = """
CallSieve screens the calls that reach an Asterisk PBX: it looks the caller up, and lets the call pass, marks it, warns,
challenges, sends it elsewhere or rejects it. These commands look at what it does, and change it.
"""
EXIT_STATUS = (
    ("0", "Done; of status and doctor: nothing has to be put right."),
    ("1", "Of a command that looks at something: it is not as it must be."),
    ("2", "The command could not do what was asked: one line on standard error says why. Nothing was changed."),
    ("78", "Of a command that a unit of systemd runs: the settings switch it off."),
    ("130", "Interrupted by Ctrl-C."),
)
ENVIRONMENT = (
    ("CALLSIEVE_CONFIG", f"The settings file, else {CONFIG_FILE}."),
    ("CALLSIEVE_STATE", f"The state directory, else {SERVICE_STATE}, else one of the user's own."),
    ("CALLSIEVE_AMI_SECRET", "The secret of the manager user, in the place of the one in the settings."),
    ("NO_COLOR", "Set to anything: no colours."),
)


def man() -> None:
    """Print the manual page with every command and option: callsieve man | man -l -"""
    print("\n".join(_page()))


def _page() -> Iterator[str]:
    yield f'.TH CALLSIEVE 1 "{_day()}" "CallSieve {_escaped(program_version())}" "CallSieve"'
    yield ".SH NAME\ncallsieve \\- call screening for Asterisk"
    yield ".SH SYNOPSIS\n.B callsieve\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]"
    yield ".SH DESCRIPTION"
    yield _text(DESCRIPTION)
    yield ".SH COMMON OPTIONS"
    yield from _described("--config \\fIFILE\\fR", f"Settings file; else CALLSIEVE_CONFIG, else {CONFIG_FILE}.")
    yield from _described("--json", "Print JSON, for scripts: where a command shows something.")
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
    """What is typed after `callsieve`, and the command, for each that is not a group alone."""
    for name, one in group.commands.items():
        if not hasattr(one, "commands") or one.invoke_without_command:
            yield " ".join((*path, name)), one
        if hasattr(one, "commands"):
            yield from _commands(one, (*path, name))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.opts[0] not in COMMON_OPTIONS]
    shown = {one.opts[0] for one in command.params}
    usage = [f"\\fB{_escaped(name)}\\fR", *map(_argument, arguments), *["[\\fIOPTION\\fR...]"] * bool(options)]
    usage += [f"[{_escaped(option)}]" for option in ("--json",) if option in shown]
    yield f".SS {' '.join(usage)}"
    yield "\n.PP\n".join(map(_text, _paragraphs(command.help or "")))
    context = typer.Context(command, info_name=name)
    for one in arguments:
        if one.help:
            yield from _described(_argument(one), one.help)
    for one in options:
        record = one.get_help_record(context)
        yield from _described(_option(one), record[1] if record else "")


def _argument(one: Any) -> str:
    word = f"\\fI{_escaped((one.metavar or one.name.upper()).strip('[]'))}\\fR"
    return word if one.required else f"[{word}]"


def _option(one: Any) -> str:
    names = ", ".join(map(_escaped, sorted(one.opts, key=len)))
    if one.is_flag:
        return names
    return f"{names} \\fI{_escaped(one.metavar or one.opts[-1].lstrip('-').upper())}\\fR"


def _described(term: str, text: str) -> Iterator[str]:
    """`term` is escaped already; `text` is not."""
    yield f".TP\n\\fB{term}\\fR"
    yield _text(text)


def _paragraphs(help_text: str) -> list[str]:
    """What typer shows of a help text: form feeds and single line breaks are no paragraphs."""
    return [" ".join(one.split()) for one in re.split(r"\n\s*\n|\f", help_text) if one.strip()]


def _text(text: str) -> str:
    """A paragraph as running text: no line of it is a request, which begins with a full stop."""
    lines = textwrap.wrap(_escaped(text.strip()), LINE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in lines)


def _escaped(text: str) -> str:
    """What groff would make typographic signs of stays as it is typed."""
    return text.translate(AS_TYPED)


def _day() -> str:
    """Of the build, as reproducible builds say it; else today."""
    at = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


class HelpPart(StrEnum):
    """What help there is beside `callsieve --help`."""

    ALL = "all"


def help_all(
    context: typer.Context, part: Annotated[HelpPart, typer.Argument(help="Every command.")] = HelpPart.ALL
) -> None:
    """Show every command in its group. `callsieve COMMAND --help` shows the options of one."""
    root: Any = context.find_root()
    root.command.format_help(root, root.make_formatter(), GROUPS)


class Shell(StrEnum):
    """The shells that are asked for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Which shell is to read it.", show_default=False)]) -> None:
    """Print what a shell has to read to complete commands and options with the tab key.

    bash: source <(callsieve completion bash), in ~/.bashrc; zsh: the same with zsh, in ~/.zshrc, after compinit;
    fish: callsieve completion fish > ~/.config/fish/completions/callsieve.fish
    """
    print(get_completion_script(prog_name="callsieve", complete_var=COMPLETION, shell=shell.value))

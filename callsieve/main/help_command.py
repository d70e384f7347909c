"""`callsieve help all`: every command in its group; `callsieve --help` shows those that people need most."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer re-exports it without saying so

from callsieve.main.commands import COMPLETION, GROUPS


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

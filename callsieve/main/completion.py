"""Completion in shells, as typer does it: `callsieve completion bash` prints what bash has to read.

The shell then starts us with `_CALLSIEVE_COMPLETE` set at each press of the tab key: we answer from the commands and
their options, and open neither settings nor store.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer re-exports it without saying so

from callsieve.main.commands import COMPLETION


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

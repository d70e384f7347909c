"""`callsieve help all`: every command in its group; `callsieve --help` shows those that people need most."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from callsieve.main.commands import GROUPS


class HelpPart(StrEnum):
    """What help there is beside `callsieve --help`."""

    ALL = "all"


def help_all(
    context: typer.Context, part: Annotated[HelpPart, typer.Argument(help="Every command.")] = HelpPart.ALL
) -> None:
    """Show every command in its group. `callsieve COMMAND --help` shows the options of one."""
    root: Any = context.find_root()
    root.command.format_help(root, root.make_formatter(), GROUPS)

"""The options that name the source of an import and say what it speaks of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.imports.operations import source_name

SOURCE_HELP = "What this list is called. Policies name it; the next import of the name replaces it."
SourceOption = Annotated[str, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)]


class ImportVerdict(StrEnum):
    """What being on the list means."""

    SPAM = "spam"
    OK = "ok"


def source_given(source: str | None) -> str:
    """The name of the source, which must be given and be one. CommandError, Refused."""
    if source is None:
        raise CommandError("import numbers: missing option --source NAME: what this list is called")
    return source_name(source)

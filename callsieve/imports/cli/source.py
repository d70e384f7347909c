"""The options that name the source of an import and say what it speaks of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError

SOURCE_HELP = "What this list is called. Policies name it; the next import of the name replaces it."
SourceOption = Annotated[str, typer.Option("--source", metavar="NAME", help=SOURCE_HELP, show_default=False)]


class Verdict(StrEnum):
    """What being on the list means."""

    SPAM = "spam"
    OK = "ok"


def source_name(source: str | None) -> str:
    """The name, when it is one. CommandError."""
    from callsieve.imports.rows import NAME

    if source is None:
        raise CommandError("import numbers: missing option --source NAME: what this list is called")
    if not NAME.fullmatch(source):
        raise CommandError(f"--source {source[:40]!r}: letters, digits, space, _, . and -, 64 at most")
    return source

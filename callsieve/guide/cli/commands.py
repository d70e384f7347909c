"""`callsieve guide`: the page for everybody with a phone, to be printed and pinned up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, check_new, settings_of
from callsieve.guide.page import guide_page
from callsieve.prompts.catalogue import PromptError, known_language
from callsieve.system.files import complete_file

FILE_MODE = 0o644


def guide(
    language: Annotated[
        str | None, typer.Option("--language", metavar="LANGUAGE", help="en or zh; else that of the settings.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, else to the output.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the page for everybody with a phone as HTML: one sheet, from any browser."""
    try:
        page = guide_page(known_language(language or settings_of(config).settings.display.language))
    except PromptError as error:
        raise CommandError(str(error)) from None
    if out is None:
        sys.stdout.write(page)
        return
    check_new(out)
    with complete_file(out, FILE_MODE) as file:
        file.write(page.encode())
    print(f"{out}: open it in a browser and print it.")

"""`callsieve own guidance`: how not to be marked, with our own figures; and a leaflet for customers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError
from callsieve.cli.options import ConfigOption, check_new, existing_store, settings_of
from callsieve.cli.output import say
from callsieve.own_numbers.guidance import LANGUAGES, company_of, guidance_page, leaflet_page
from callsieve.system.files import complete_file
from policies.files import nearest

FILE_MODE = 0o644


def guidance(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Else guidance-LANGUAGE.html, or leaflet-.")] = None,
    language: Annotated[str, typer.Option(metavar="en|zh", help="In which language.")] = "en",
    leaflet: Annotated[bool, typer.Option("--leaflet", help="The page for customers: it has no figures.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of this name.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write a page on how not to be marked, filled with our own figures, for those who lead people who call."""
    if language not in LANGUAGES:
        raise CommandError(f"--language does not know {language[:20]!r}{nearest(language, LANGUAGES)}")
    path = out or Path(f"{'leaflet' if leaflet else 'guidance'}-{language}.html")
    loaded = settings_of(config)
    if leaflet:
        page = leaflet_page(language, loaded.settings)
    else:
        now = time.time()
        with existing_store(loaded) as db:
            page = guidance_page(company_of(db, now, loaded.settings), language, now)
    if not force:
        check_new(path, "choose another with --out, or add --force")
    with complete_file(path, FILE_MODE) as file:
        file.write(page.encode())
    say(f"{path}: open it in a browser.")

"""`callsieve own guidance`: how not to be marked, with our own figures; and a leaflet for customers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.common import ConfigOption, existing_store, settings_of
from callsieve.cli.errors import CommandError


def add_to(group: typer.Typer) -> None:
    """Add `own guidance`."""
    group.command("guidance")(guidance)


def guidance(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Else guidance-LANGUAGE.html, or leaflet-.")] = None,
    language: Annotated[str, typer.Option(metavar="en|zh", help="In which language.")] = "en",
    leaflet: Annotated[bool, typer.Option("--leaflet", help="The page for customers: it has no figures.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of this name.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write a page on how not to be marked, filled with our own figures, for those who lead people who call."""
    from callsieve.cli.show import say
    from callsieve.company import company_of
    from callsieve.guidance import guidance_page, leaflet_page
    from callsieve.guidance_texts import LANGUAGES
    from policies.words import nearest

    if language not in LANGUAGES:
        raise CommandError(f"--language does not know {language[:20]!r}{nearest(language, LANGUAGES)}")
    path = out or Path(f"{'leaflet' if leaflet else 'guidance'}-{language}.html")
    loaded = settings_of(config)
    if leaflet:
        page = leaflet_page(language, loaded.settings.outbound.first_hour, loaded.settings.outbound.last_hour)
    else:
        now = time.time()
        with existing_store(loaded) as db:
            page = guidance_page(company_of(db, now, loaded.settings), language, now)
    _write(path, page, force=force)
    say(f"{path}: open it in a browser.")


def _write(path: Path, page: str, *, force: bool) -> None:
    """Whole or not at all."""
    if path.exists() and not force:
        raise CommandError(f"{path}: there is a file of this name: choose another with --out, or add --force")
    half = path.with_name(f".{path.name}.half")
    try:
        half.write_text(page, encoding="utf-8")
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)

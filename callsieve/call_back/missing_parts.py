"""What a call back needs on this machine: two directories that can be written, and the prompts that the call plays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agi.speech import ENGLISH, FOLDER, LANGUAGE_BY_COUNTRY
from callsieve.call_back.call_file import OUTGOING
from callsieve.call_back.settings import HelperSettings

# What [callsieve-call-back] of callsieve-caller.conf plays.
PROMPTS = ("proof-hello", "proof-ask", "proof-wrong", "proof-right", "proof-sorry", "caller-goodbye")
# Asterisk's own default of astdatadir, and Debian's.
USUAL_SOUNDS = ("/var/lib/asterisk/sounds", "/usr/share/asterisk/sounds")


def missing_part(settings: HelperSettings, state: Path) -> str | None:
    """Return the first thing that is missing, with what to do; None where a call can be placed."""
    return next(_missing(settings, state), None)


def _missing(settings: HelperSettings, state: Path) -> Iterator[str]:
    spool = Path(settings.spool)
    for directory, way_out in (
        (state, "systemd makes it: StateDirectory= of the unit, or --state"),
        (spool, "spool = in the helper's settings is not Asterisk's astspooldir"),
        (spool / OUTGOING, "Asterisk makes it when pbx_spool.so is loaded; or spool = is not its astspooldir"),
    ):
        if not directory.is_dir():
            yield f"{directory}: there is no such directory: {way_out}"
        elif not os.access(directory, os.W_OK | os.X_OK):
            yield f"{directory}: user {os.geteuid()} may not write there: run the helper as Asterisk's user"
    places = [Path(settings.sounds)] if settings.sounds else [Path(place) for place in USUAL_SOUNDS]
    languages = dict.fromkeys(LANGUAGE_BY_COUNTRY.get(country, ENGLISH) for country in settings.countries)
    for name in (f"{language}/{FOLDER}/{key}.wav" for language in languages for key in PROMPTS):
        if not any((place / name).is_file() for place in places):
            where = " or ".join(map(str, places))
            yield f"{name}: there is no such prompt in {where}: callsieve prompts build, or set sounds ="

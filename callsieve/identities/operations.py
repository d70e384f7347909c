"""Recording who a number belongs to: what may be said of it, and for how long. The command and the console share it."""

from __future__ import annotations

from dataclasses import replace

from callsieve.text.times import TimeError, expiry_of
from reputation.model import Identity
from reputation.store.identities import LASTS_SECONDS
from reputation.wording import Wording

DEFAULT = "365d"
SLACK_SECONDS = 2 * 86_400.0  # a leap day, and the end of a day that is named
TEXT_CHARACTERS = 200
PROVEN = 2  # the level that needs a note on how it was proven
NAMELESS = Wording("Say who the number belongs to.")
UNPROVEN = Wording("Level 2 needs a note: how it was proven (documents seen, number called back).")
LINES = Wording("Name and note are one line each, of at most 200 characters.")
TOO_LONG = Wording("After 12 months at the latest it is to be proven again.")


class IdentityError(ValueError):
    """It cannot be recorded so. `option` is what is wrong, and `words` say why."""

    def __init__(self, option: str, words: str | Wording) -> None:
        super().__init__(f"{option}: {words}")
        self.option, self.words = option, words


def checked_identity(typed: Identity, expires: str, now: float) -> Identity:
    """What was typed, as it is recorded; `expires` empty: as long as may be. IdentityError."""
    name, note = typed.name.strip(), typed.note.strip()
    for option, text in (("name", name), ("note", note)):
        if len(text) > TEXT_CHARACTERS or not text.isprintable():
            raise IdentityError(option, LINES)
    if not name:
        raise IdentityError("name", NAMELESS)
    if typed.level >= PROVEN and not note:
        raise IdentityError("note", UNPROVEN)
    try:
        expires_at = expiry_of(expires.strip() or DEFAULT, now)
    except TimeError as error:
        raise IdentityError("expires", str(error)) from None
    if expires_at > now + LASTS_SECONDS + SLACK_SECONDS:
        raise IdentityError("expires", TOO_LONG)
    return replace(typed, name=name, note=note, expires_at=expires_at)

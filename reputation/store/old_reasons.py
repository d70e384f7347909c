"""Reasons that were kept in words, by their codes: what migration 0023 leaves to be done. In short transactions.

What nobody of ours said, an administrator did: it stays as it is.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

ROWS_AT_ONCE = 2_000
PAUSE_SECONDS = 0.005  # others write meanwhile

BACKLOG = "SELECT journal, up_to FROM reason_backlog"
CODE = """
UPDATE {journal} SET reason = coded(reason) WHERE rowid > :after AND rowid <= :up_to AND reason <> coded(reason)
"""
DONE_DOWN_TO = "UPDATE reason_backlog SET up_to = :after WHERE journal = :journal"
ALL_DONE = "DELETE FROM reason_backlog"
FORMS = "SELECT head, tail, place, form, code, is_cap FROM old_reason"


class _Form(NamedTuple):
    head: str
    tail: str
    place: str
    form: str
    code: str
    is_cap: bool

    def told(self, text: str) -> dict[str, str] | None:
        """What the text says, if it is one of this form."""
        if not self.place:
            return {"code": self.code} if text == self.head else None
        value = text.removeprefix(self.head).removesuffix(self.tail)
        fits = value and text == f"{self.head}{value}{self.tail}" and fnmatchcase(value, self.form)
        return {"code": self.code, self.place: value} if fits else None


def code_old_reasons(
    db: sqlite3.Connection, begin: Callable[[sqlite3.Connection], AbstractContextManager[None]]
) -> dict[str, int]:
    """Brings the rows along and counts them, by journal. It may be cut off: the next time it goes on."""
    backlog = db.execute(BACKLOG).fetchall()
    if not backlog:
        return {}
    forms = [_Form(*row) for row in db.execute(FORMS)]
    db.create_function("coded", 1, lru_cache(lambda text: coded(text, forms)))
    counts = dict.fromkeys((journal for journal, _ in backlog), 0)
    for journal, last in backlog:
        for up_to in range(last, 0, -ROWS_AT_ONCE):
            span = {"after": max(0, up_to - ROWS_AT_ONCE), "up_to": up_to, "journal": journal}
            with begin(db):
                counts[journal] += db.execute(CODE.format(journal=journal), span).rowcount
                db.execute(DONE_DOWN_TO, span)
            time.sleep(PAUSE_SECONDS)
    with begin(db):
        db.execute(ALL_DONE)
    return counts


def coded(text: str, forms: list[_Form]) -> str:
    """The reason by its code, as policies/reasons.py reads it; the text itself where it is not one of ours."""
    told = _told(text, forms)
    if told is None and text.endswith(")"):
        ordered, _, why_no_more = text[:-1].rpartition(" (")
        cap = _told(why_no_more, [form for form in forms if form.is_cap])
        if cap is not None and ordered:
            told = _told(ordered, forms) or {"code": "", "text": ordered}
            told |= {"cap": cap.pop("code"), **cap}
    return text if told is None else json.dumps(told, ensure_ascii=False)


def _told(text: str, forms: list[_Form]) -> dict[str, str] | None:
    return next((told for form in forms if (told := form.told(text)) is not None), None)

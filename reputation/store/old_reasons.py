"""Reasons that were kept in words, by their codes: what migrations 0023 and 0024 leave to be done, in short steps.

What nobody of ours said, an administrator did: it stays as it is.
"""

from __future__ import annotations

import json
import re
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

# Why a number is at risk, as it stood in `at-risk-for` until migration 0024: by codes of reputation/own/grades.py.
AT_RISK_FOR = "at-risk-for"
_SHARE = r"[0-9.]+%% of the (?:calls|people|answered calls) %s \((?P<part>[0-9,]+) of (?P<whole>[0-9,]+)\)"
_CALLS = "(?P<calls>[0-9,]+) calls on one day"
OLD_WHYS = {
    "seen": r"the people it called would see it as (?P<level>[a-z]+) \((?P<points>[+-][0-9]+) points\) if they had .*",
    "short": _SHARE % "were over within 6 s",
    "unanswered": _SHARE % "were not taken",
    "abandoned": _SHARE % "were given up too early by us",
    "repeated": r"a person was called three times .* in (?P<part>[0-9,]+) of (?P<whole>[0-9,]+) cases \(.*\)",
    "outside": _SHARE % "came outside of the hours people may be called",
    "unwanted": _SHARE % "complained or want no more calls",
    "young": f"{_CALLS}, (?P<days>[0-9]+) days after its first one",
    "first-day": f"{_CALLS}, the first on which it called",
    "burst": f"{_CALLS} after (?P<days>[0-9]+) days without any",
    "spike": rf"{_CALLS}, (?P<times>[0-9]+) times as many as usual \((?P<usual>[0-9]+)\)",
}


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
    told = json.loads(text) if text.startswith(f'{{"code": "{AT_RISK_FOR}"') else _told(text, forms)
    if told is not None and told["code"] == AT_RISK_FOR:
        told |= _figures_of(told["why"])
    if told is None and text.endswith(")"):
        ordered, _, why_no_more = text[:-1].rpartition(" (")
        cap = _told(why_no_more, [form for form in forms if form.is_cap])
        if cap is not None and ordered:
            told = _told(ordered, forms) or {"code": "", "text": ordered}
            told |= {"cap": cap.pop("code"), **cap}
    return text if told is None else json.dumps(told, ensure_ascii=False)


def _figures_of(why: str) -> dict[str, str | int]:
    """Why a number is at risk, by its code and figures; nothing of a text that none of ours looks like."""
    for code, pattern in OLD_WHYS.items():
        if found := re.fullmatch(pattern, why):
            figures = {name: value.replace(",", "") for name, value in found.groupdict().items()}
            return {"why": code} | {name: value if name == "level" else int(value) for name, value in figures.items()}
    return {}


def _told(text: str, forms: list[_Form]) -> dict[str, str] | None:
    return next((told for form in forms if (told := form.told(text)) is not None), None)

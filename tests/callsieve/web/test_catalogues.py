"""The Chinese catalogue: every text of the console is in it, with the same places to fill in, and compiled.

`python -m tests.callsieve.web.test_catalogues` compiles what is in the `.po` files and says what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from callsieve.call_lists.comply import CHECKS as OUTBOUND_CHECKS
from callsieve.changes.describe import NOT_SHOWN, name_of
from callsieve.doctor.checks import checks_of
from callsieve.doctor.finding import HEADING_BY_REASON
from callsieve.doctor.stored_findings import NAME
from callsieve.exchange.health import ExchangeProblem
from callsieve.imports.feed_health import FAILURES
from callsieve.main.capabilities import ALL, CHANGES
from callsieve.outside.errors import OutsideProblem
from callsieve.policy.condition_words import EITHER, SHOWN_AS, WITH_VALUE
from callsieve.source_health import SourceProblem, SourceStatus
from callsieve.text.times import UNITS, ago, span_words
from callsieve.web.i18n import CATALOGUES, translated, translations_of
from policies.decision import ACTION_BY_WORD, OWN_RULES
from policies.loader import PRESETS, load_policy
from policies.outbound import Passage
from policies.reasons import CAP_WITH_REFERENCE, CAPPED, CODES
from policies.vocabulary import VOCABULARY, WEEKDAYS
from reputation.appeals import Appeal, AppealState, ProofAnswer
from reputation.explaining import parts_of
from reputation.families.counts import SIGNAL_WORDS
from reputation.families.kind import Speaker
from reputation.families.table import MAY_TAG
from reputation.model import (
    AuthClass,
    CallerKind,
    Did,
    EntryKind,
    Family,
    Happening,
    Identity,
    Level,
    ListEntry,
    ListName,
    Mark,
    MarkChannel,
    Person,
    Verdict,
    Verification,
)
from reputation.numbers import NumberType
from reputation.own.grades import REASON_WORDS
from reputation.own.register import NumberState, OwnNumber
from reputation.plan.rows import Purpose
from reputation.store.do_not_call import Complaint, DoNotCallRequest
from reputation.store.identities import Epoch
from reputation.store.lists import PersonalEntry
from reputation.store.marks import Review

ROOT = Path(__file__).resolve().parents[3]
CHINESE = Path(str(CATALOGUES)) / "zh" / "LC_MESSAGES"
METHODS = [("**.html", "jinja2"), ("**.py", "python")]
NO_TIME = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = re.compile(r"%\(\w+\)[sd]|\{\w*(?::[^{}]*)?\}")
# Where texts are written, and what marks them. `Counted` makes a Wording; a Measure begins with its heading.
FOLDERS = ("callsieve", "policies", "reputation")
MARKS = {
    "_": None,
    "N_": None,
    "ngettext": (1, 2),
    "Wording": None,
    "Measure": (1,),
    "Counted": (1, 2),
    "listed": (2,),
}


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """(where, text) of all that is to be translated."""
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    for folder in FOLDERS:
        for file, line, message, *_ in extract_from_dir(str(ROOT / folder), METHODS, keywords=MARKS):
            for text in message if isinstance(message, tuple) else (message,):
                yield f"{folder}/{file}:{line}", text
    for text in (*CODES, CAPPED, CAP_WITH_REFERENCE):
        yield "a reason of ours", text
    for _, unit in UNITS:
        yield from (("a span", form) for form in (f"{{count}} {unit}", f"{{count}} {unit} ago", f"in {{count}} {unit}"))
    for template in REASON_WORDS.values():
        yield "why a number is at risk", template
    for template in FAILURES.values():
        yield "why a feed was not taken", template
    for problem in ExchangeProblem:
        yield "why a bundle was not taken", problem.value
    for trouble in SourceProblem:
        yield "why nothing was taken", trouble.value
    for status in SourceStatus:
        yield "how a source is", status.words
    for happening in Happening:
        yield "what would change a reputation", happening.value
    for family in MAY_TAG:
        yield "a family of evidence", family
    for speaker in Speaker:
        yield "who speaks against a number", speaker.value
    for name in {check.name for check in checks_of(ALL)} - {"Asterisk"} | {NAME, *HEADING_BY_REASON.values()}:
        yield "a check of the doctor's", name
    for what in CHANGES:
        yield "a change", what
    for field in fields_of_changes() - NOT_SHOWN:
        yield "a field of a change", f"{field.removesuffix('_at').replace('_', ' ')} {{value}}"
    for word in (
        *ListName,
        *EntryKind,
        *Verdict,
        *MarkChannel,
        *AppealState,
        *NumberState,
        *ProofAnswer,
        *ACTION_BY_WORD,
    ):
        yield "a word of a change", word.replace("_", " ")
    rules = [rule for preset in PRESETS for rule in load_policy(preset).rules]
    for name in {*OWN_RULES, *(rule.name for rule in rules), *OUTBOUND_CHECKS, *(passage.word for passage in Passage)}:
        yield "a rule of ours", name
    for label in {rule.label for rule in rules if rule.label}:
        yield "a label of a rule", label
    for failure in OutsideProblem:
        yield "why a request failed", failure.code
    for word in condition_values():
        yield "a value of a condition", word


def condition_values() -> set[str]:
    """The words that conditions of policies take."""
    kinds = (Verification, AuthClass, CallerKind, NumberType, Purpose)
    words = {str(member) for kind in kinds for member in kind} | {level.word for level in Level} | set(WEEKDAYS)
    return {SHOWN_AS.get(word, word) for word in words}


def fields_of_changes() -> set[str]:
    """The fields of all that is kept as it was and is."""
    kept: tuple[Any, ...] = (
        ListEntry,
        PersonalEntry,
        Identity,
        OwnNumber,
        Mark,
        DoNotCallRequest,
        Complaint,
        Appeal,
        Review,
    )
    names = {
        name
        for item in (*kept, Epoch, Person, Did)
        for name in getattr(item, "_fields", None) or item.__dataclass_fields__
    }
    return names - {"at", "added_at", "is_of_called"} | {
        "role",
        "extension",
        "rows",
        "source",
        "policy",
        "attached",
        "password",
        "second_factor",
    }


def catalogues() -> dict[Path, Catalog]:
    found = {}
    for path in sorted(CHINESE.glob("*.po")):
        with path.open("rb") as file:
            found[path] = read_po(file, locale="zh")
    return found


def compiled(catalogue: Catalog) -> bytes:
    """The same bytes whenever it is compiled: Babel writes the time into what has none."""
    catalogue.creation_date = catalogue.revision_date = NO_TIME
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def missing() -> list[str]:
    """Texts that no catalogue has."""
    known = {
        item
        for catalogue in catalogues().values()
        for message in catalogue
        if message.id and (all(message.string) if isinstance(message.string, tuple | list) else message.string)
        for item in (message.id if isinstance(message.id, tuple | list) else (message.id,))
    }
    return sorted({f"{where}: {text}" for where, text in texts() if text not in known})


def test_every_text_has_its_translation() -> None:
    assert len(texts()) > 40
    assert missing() == []


def test_every_condition_is_described_in_words() -> None:
    in_words = {*WITH_VALUE, *EITHER, "calls_within", "dids_called", "hours", "weekdays"}
    assert set(VOCABULARY) == in_words


def test_a_text_has_one_translation_only() -> None:
    found: dict[str, set[str]] = {}
    for catalogue in catalogues().values():
        for message in catalogue:
            if message.id:
                found.setdefault(str(message.id), set()).add(str(message.string))
    assert {text: said for text, said in found.items() if len(said) > 1} == {}


def test_translations_have_the_same_placeholders() -> None:
    for path, catalogue in catalogues().items():
        for message in catalogue:
            if isinstance(message.id, str) and isinstance(message.string, str) and message.id:
                assert sorted(PLACES.findall(message.id)) == sorted(PLACES.findall(message.string)), (path, message.id)


def pairs(catalogue: Catalog) -> dict[object, object]:
    """What is translated to what: the head names the day and the version of Babel."""
    return {str(message.id): message.string for message in catalogue if message.id}


def test_the_catalogues_are_compiled() -> None:
    for path, catalogue in catalogues().items():
        there, now = (read_mo(BytesIO(mo)) for mo in (path.with_suffix(".mo").read_bytes(), compiled(catalogue)))
        assert pairs(there) == pairs(now), f"python -m {__name__}"


def test_texts_of_counts_are_translated() -> None:
    chinese = translations_of("zh")
    assert translated("Log in", chinese) == "登录"
    assert name_of("undo list add").in_language(chinese.gettext) == "撤销加入名单"
    assert ago(0, 180).in_language(chinese.gettext) == "3 分钟前"
    assert span_words(90 * 86_400).in_language(chinese.gettext) == "90 天"
    for count in (1, 3):
        for category in SIGNAL_WORDS:
            for part in parts_of(Family("behaviour", 1.0, ((category, count),))):
                assert not re.search("[A-Za-z]", part.in_language(chinese.gettext)), part


def test_untranslated_text_is_left_unchanged() -> None:
    chinese = translations_of("zh")
    for text in ("", "my own rule's reason", "{} {}", "%s %(x)s", "+12015550123; 7"):
        assert translated(text, chinese) == text


if __name__ == "__main__":
    for path, catalogue in catalogues().items():
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
    print("\n".join(missing()) or "nothing is missing")

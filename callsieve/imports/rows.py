"""From the rows of a table to what the store takes: numbers, contacts and people. Pure but for the table's own file.

A row that says nothing usable is refused with a reason, and the others are taken. How a feed is, is in feed_health.py.

| feed           | known by                                   | read as                                   |
|----------------|--------------------------------------------|-------------------------------------------|
| FTC complaints | a column Company_Phone_Number              | US numbers; complaints are added up       |
| CSV            | a column number                            | number[,category][,name][,note][,verdict] |
| list           | a first line that is a number or a comment | a number a line, `#` before comments      |

`verdict` is what our own export says of each row, so that a list which speaks for numbers is never taken for one
against them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache

from callsieve.pbx.freepbx_database import KnownContact
from callsieve.text.csv_table import FIELD_CHARACTERS, CsvTable, as_text, csv_of
from callsieve.text.vcard import Vcards
from reputation.caller_names import company_key
from reputation.model import Did, Person
from reputation.numbers import did_number_of, number_of
from reputation.store.imports import ImportedRow
from reputation.store.lists import Contact

NUMBER_COLUMNS = ("number", "category", "name", "note")
CONTACT_COLUMNS = ("number", "name", "person", "company")
PEOPLE_COLUMNS = ("extension", "endpoint", "group", "language", "name")

# As the settings have them: callsieve.settings.Name.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")
_ENDPOINT = re.compile(r"[A-Za-z0-9_]{1,20}/[A-Za-z0-9_.@+-]{1,80}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?")


def numbers_in(table: CsvTable, region: str) -> Iterator[ImportedRow]:
    """Numbers that are possible, as E.164."""
    for number, category, name, note in table:
        if row := number_row(table, region, number, category, name, note):
            yield row


def number_row(table: CsvTable, region: str, number: str, category: str, name: str, note: str) -> ImportedRow | None:
    """The row of a number, None when it is refused. Policies compare categories, so their case does not count."""
    e164 = number_of(number, region)
    if e164 is None:
        table.refuse(_no_number(number))
        return None
    return e164, category.lower() or None, name or None, note or None


def contacts_in(table: CsvTable, region: str, whose: str | None = None) -> Iterator[Contact]:
    """Contacts; without a person they are those of `whose`, for None everybody's."""
    for number, name, person, company in table:
        e164 = number_of(number, region)
        if e164 is None:
            table.refuse(_no_number(number))
        elif person and not NAME.fullmatch(person):
            table.refuse(f"person {person[:40]!r} is no extension")
        else:
            yield Contact(e164, name or None, person or whose, company_key(company))


def contacts_in_vcards(cards: Vcards, region: str, whose: str | None = None) -> Iterator[Contact]:
    """A contact for each number of each card."""
    for card in cards:
        for number in card.numbers:
            if e164 := number_of(number, region):
                yield Contact(e164, card.name or None, whose, company_key(card.company))
            else:
                cards.refuse(_no_number(number))


def contacts_of_freepbx(
    known: Iterable[KnownContact], region: str, whose: str | None, refuse: Callable[[str], None]
) -> Iterator[Contact]:
    """Contact Manager's; `refuse` is told what is no number. What has no owner is `whose`, or for None everybody's."""
    for number, name, person, company in known:
        e164 = number_of(number, region)
        if e164 is None or (person is not None and not NAME.fullmatch(person)):
            refuse(_no_number(number) if e164 is None else f"person {_printable(person or '')[:40]!r} is no extension")
        else:
            shown = " ".join(_printable(name).split())[:FIELD_CHARACTERS]
            yield Contact(e164, shown or None, person or whose, company_key(company))


def people_in(table: CsvTable) -> Iterator[Person]:
    """People; an endpoint that is not given is PJSIP's of the extension, as in the settings."""
    for extension, endpoint, group, language, name in table:
        problem = problem_of_person(extension, endpoint, group, language)
        if problem:
            table.refuse(problem)
        else:
            yield person_of_row(extension, endpoint, group, language, name)


def person_of_row(extension: str, endpoint: str, group: str, language: str, name: str) -> Person:
    """The person of a row that has no problem."""
    return Person(extension, endpoint or f"PJSIP/{extension}", group or None, language or None, name or None)


def numbers_of_family(
    lines: Iterable[tuple[str, str]], region: str, refuse: Callable[[str], None]
) -> Iterator[ImportedRow]:
    """The numbers of a list in AstDB, written as callers were shown; `refuse` is told what is no number."""
    for key, note in lines:
        e164 = number_of(key, region)
        if e164 is None:
            refuse(_no_number(key))
        else:
            yield e164, None, None, _printable(note)[:FIELD_CHARACTERS] or None


def _no_number(text: str) -> str:
    if not text:
        return "has no number"
    return f"{_printable(text)[:40]!r} is no telephone number"


def problem_of_person(extension: str, endpoint: str, group: str, language: str) -> str | None:
    """Why these are not a person's, None if they are."""
    if not NAME.fullmatch(extension):
        return (
            f"extension {extension[:40]!r} is none: letters, digits, space, _, . and -"
            if extension
            else "has no extension"
        )
    if endpoint and not _ENDPOINT.fullmatch(endpoint):
        return f"endpoint {endpoint[:40]!r} is none: write it as PJSIP/201"
    if group and not NAME.fullmatch(group):
        return f"group {group[:40]!r} is none: letters, digits, space, _, . and -"
    if language and not _LANGUAGE.fullmatch(language):
        return f"language {language[:40]!r} is none: write it as en or pt_BR"
    return None


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))


DID_COLUMNS = ("number", "group", "callee", "screen")
SCREENED = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def people_as_csv(people: Iterable[Person]) -> str:
    """All of them, in a form that can be imported again."""
    rows = ((one.extension, one.endpoint, one.group, one.language, one.name) for one in people)
    return _as_csv(PEOPLE_COLUMNS, rows)


def dids_as_csv(dids: Iterable[Did]) -> str:
    """All of them, in a form that can be imported again."""
    rows = ((one.number, ";".join(one.groups), one.callee, "yes" if one.screen else "no") for one in dids)
    return _as_csv(DID_COLUMNS, rows)


def dids_in(table: CsvTable, region: str) -> Iterator[Did]:
    """The DIDs of a file. What cannot be used is refused with a reason."""
    for raw, group, callee, word in table:
        number = did_number_of(raw, region)
        groups = tuple(dict.fromkeys(name for part in group.split(";") if (name := part.strip())))
        problem = problem_of_did(number, raw, groups, callee) or _problem_of_word(word)
        if number is None or problem:
            table.refuse(problem)
        else:
            yield Did(number, groups, callee or None, SCREENED[word.lower()])


def problem_of_did(number: str | None, raw: str, groups: Sequence[str], callee: str) -> str:
    """Why these are not a DID's, empty if they are. `number`: what `raw` is read as."""
    if number is None:
        return f"{raw[:40]!r} is no telephone number" if raw else "has no number"
    for what, name in (*(("group", group) for group in groups), ("callee", callee)):
        if name and not NAME.fullmatch(name):
            return f"{what} {name[:40]!r} is none: letters, digits, space, _, . and -"
    return ""


def _problem_of_word(word: str) -> str:
    return "" if word.lower() in SCREENED else f"screen {word[:20]!r}: write yes or no"


def _as_csv(columns: Sequence[str], rows: Iterable[tuple[str | None, ...]]) -> str:
    """The first column is ours and needs no guard: an extension, or a number with its plus."""
    return csv_of(columns, ((first or "", *(as_text(one or "") for one in others)) for first, *others in rows))


CSV_COLUMNS = (*NUMBER_COLUMNS, "verdict")
FTC_COLUMNS = ("company_phone_number", "created_date", "subject", "recorded_message_or_robocall")
BARE_NUMBER = re.compile(r"\s*\(?\+?[0-9][0-9 ().+/-]*(#.*)?")

# What a complaint was about (the FTC's "Do Not Call Reported Calls", as they are published daily) -> the words that
# labels and policies know. Known by what stands before the first comma, ampersand or bracket. What says nothing of the
# caller ("Other", "Dropped call or no message") is in no category.
CATEGORY_BY_SUBJECT = {
    "calls pretending to be government": "scam",
    "computer": "scam",  # & technical support
    "lotteries": "scam",  # prizes & sweepstakes
    "work from home": "scam",  # & other ways to make money
    "charities": "telemarketing",
    "debt collection": "telemarketing",
    "energy": "telemarketing",  # solar & utilities
    "home improvement": "telemarketing",  # & cleaning
    "home security": "telemarketing",  # & alarms
    "medical": "telemarketing",  # & prescriptions
    "reducing your debt": "telemarketing",  # (credit cards, mortgage, student loans)
    "vacation": "telemarketing",  # & timeshares
    "warranties": "telemarketing",  # & protection plans
}
# The North American plan: an area code, an exchange, a line. 555 and N11 are nobody's.
_US_NUMBER = re.compile(r"(?:\+?1)?((?!.11|555)[2-9][0-9]{2}(?!.11|555)[2-9][0-9]{6})", re.ASCII)
_SEPARATORS = str.maketrans("", "", " .()-")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])", re.ASCII)


class Format(StrEnum):
    """What the file of a feed is."""

    FTC = "FTC complaints"
    CSV = "CSV"
    LIST = "a list"


def format_of(table: CsvTable) -> Format:
    """What the table is, whose columns are known by now."""
    if table.is_bare:
        return Format.LIST
    return Format.FTC if table.columns[0] == FTC_COLUMNS[0] else Format.CSV


def feed_rows(table: CsvTable, region: str, verdict: str) -> Iterator[ImportedRow]:
    """The rows of a feed of any format. What cannot be used is refused with a reason."""
    return complaints_in(table) if format_of(table) is Format.FTC else _numbers_in(table, region, verdict)


def _numbers_in(table: CsvTable, region: str, verdict: str) -> Iterator[ImportedRow]:
    for number, category, name, note, said in table:
        if said and said.lower() != verdict:
            table.refuse(f"has the verdict {said[:20]!r}, and the import has --verdict {verdict}")
        elif row := number_row(table, region, number, category, name, note):
            yield row


def complaints_in(table: CsvTable) -> Iterator[ImportedRow]:
    """A row for each complaint, for `merged_complaints`: number, category, "Y" for a recording or robot, its day."""
    for raw, created, subject, robocall in table:
        number = us_number(raw)
        if number is None:
            table.refuse(f"{raw[:40]!r} is no US telephone number" if raw else "has no number")
        else:
            yield number, category_of(subject), "Y" if robocall[:1] in ("Y", "y") else None, _day_of(created)


def us_number(raw: str) -> str | None:
    """E.164 of a US number; None for what can be nobody's: too short, 555-xxxx, the same digit all over."""
    found = _US_NUMBER.fullmatch(raw.translate(_SEPARATORS))
    return None if found is None or len(set(found[1])) == 1 else f"+1{found[1]}"


@lru_cache(maxsize=1024)
def category_of(subject: str) -> str | None:
    """The word for what a complaint was about; None when that says nothing of the caller."""
    return CATEGORY_BY_SUBJECT.get(" ".join(re.split("[,&(]", subject, maxsplit=1)[0].lower().split()))


def merged_complaints(complaints: Iterable[ImportedRow]) -> ImportedRow:
    """All complaints about a number as one row: what most were about, how many there are and how recent."""
    count = robocalls = 0
    latest, number = "", ""
    categories: Counter[str] = Counter()
    for complaint in complaints:
        number, category, robocall, day = complaint
        count += 1
        robocalls += robocall is not None
        latest = max(latest, day or "")
        if category:
            categories[category] += 1
    return number, _category(categories, robocalls, count), None, _note(count, robocalls, latest)


def _category(categories: Counter[str], robocalls: int, count: int) -> str | None:
    if categories:
        return categories.most_common(1)[0][0]
    return "robocall" if 2 * robocalls >= count else None


def _note(count: int, robocalls: int, latest: str) -> str:
    if count == 1:
        return f"1 complaint{' about a robocall' if robocalls else ''}{f', {latest}' if latest else ''}"
    about = f", {robocalls:,} about robocalls" if robocalls else ""
    return f"{count:,} complaints{about}{f', the latest {latest}' if latest else ''}"


@lru_cache(maxsize=1024)
def _day_of(created: str) -> str | None:
    """`2025-09-29` of `2025-09-29 23:59:56`, when that is a day of the calendar."""
    found = _DAY.match(created)
    try:
        return date.fromisoformat(found[1]).isoformat() if found else None
    except ValueError:
        return None

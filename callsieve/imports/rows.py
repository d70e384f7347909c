"""Parsers for the rows of a table with numbers, contacts, people or DIDs. The table records why a row was skipped."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache

from callsieve.pbx.freepbx_database import KnownContact
from callsieve.text.csv_table import FIELD_CHARACTERS, CsvTable, as_text, csv_of, problem_of_number
from callsieve.text.vcard import Vcards
from reputation.caller_names import company_key
from reputation.model import Did, Person
from reputation.numbers import did_number_of, number_of
from reputation.store.imports import ImportedRow
from reputation.store.lists import Contact
from reputation.wording import N_, Wording

NUMBER_COLUMNS = ("number", "category", "name", "note")
CONTACT_COLUMNS = ("number", "name", "person", "company")
PEOPLE_COLUMNS = ("extension", "endpoint", "group", "language", "name")

# As in the settings: callsieve.settings.Name.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")
_ENDPOINT = re.compile(r"[A-Za-z0-9_]{1,20}/[A-Za-z0-9_.@+-]{1,80}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?")


def numbers_in(table: CsvTable, region: str) -> Iterator[ImportedRow]:
    """Yield the rows that have a valid phone number, with the number as E.164."""
    for number, category, name, note in table:
        if row := number_row(table, region, number, category, name, note):
            yield row


def number_row(table: CsvTable, region: str, number: str, category: str, name: str, note: str) -> ImportedRow | None:
    """Return the row of a number; None if the number is invalid. Categories become lower case, as in policies."""
    e164 = number_of(number, region)
    if e164 is None:
        table.refuse(problem_of_number(number))
        return None
    return e164, category.lower() or None, name or None, note or None


def contacts_in(table: CsvTable, region: str, owner: str | None = None) -> Iterator[Contact]:
    """Yield the contacts in a table. `owner`: whose contacts the rows without a person are; None: everybody's."""
    for number, name, person, company in table:
        e164 = number_of(number, region)
        if e164 is None:
            table.refuse(problem_of_number(number))
        elif person and not NAME.fullmatch(person):
            table.refuse(_no_extension(person))
        else:
            yield Contact(e164, name or None, person or owner, company_key(company))


def contacts_in_vcards(cards: Vcards, region: str, owner: str | None = None) -> Iterator[Contact]:
    """Yield a contact for each number of each card. `owner`: whose contacts these are; None: everybody's."""
    for card in cards:
        for number in card.numbers:
            if e164 := number_of(number, region):
                yield Contact(e164, card.name or None, owner, company_key(card.company))
            else:
                cards.refuse(problem_of_number(number))


def contacts_of_freepbx(
    known: Iterable[KnownContact], region: str, owner: str | None, refuse: Callable[[Wording], None]
) -> Iterator[Contact]:
    """Yield the contacts in FreePBX's Contact Manager. `owner`: who gets those without a person; None: everybody."""
    for number, name, person, company in known:
        e164 = number_of(number, region)
        if e164 is None or (person is not None and not NAME.fullmatch(person)):
            refuse(problem_of_number(number) if e164 is None else _no_extension(person or ""))
        else:
            shown = " ".join(_printable(name).split())[:FIELD_CHARACTERS]
            yield Contact(e164, shown or None, person or owner, company_key(company))


def people_in(table: CsvTable) -> Iterator[Person]:
    """Yield the people in a table. Without an endpoint, a person gets `PJSIP/EXTENSION`, as in the settings."""
    for extension, endpoint, group, language, name in table:
        problem = problem_of_person(extension, endpoint, group, language)
        if problem:
            table.refuse(problem)
        else:
            yield person_of_row(extension, endpoint, group, language, name)


def person_of_row(extension: str, endpoint: str, group: str, language: str, name: str) -> Person:
    """Return the person that a valid row describes."""
    return Person(extension, endpoint or f"PJSIP/{extension}", group or None, language or None, name or None)


def numbers_of_family(
    lines: Iterable[tuple[str, str]], region: str, refuse: Callable[[Wording], None]
) -> Iterator[ImportedRow]:
    """Yield the numbers of a list in AstDB. Call `refuse` with a reason for each key that is not a number."""
    for key, note in lines:
        e164 = number_of(key, region)
        if e164 is None:
            refuse(problem_of_number(key))
        else:
            yield e164, None, None, _printable(note)[:FIELD_CHARACTERS] or None


def _no_extension(person: str) -> Wording:
    return Wording("person {text!r} is not a valid extension", {"text": _printable(person)[:40]})


def problem_of_person(extension: str, endpoint: str, group: str, language: str) -> Wording | None:
    """Return the problem of a person's row, None if the row is valid."""
    if not NAME.fullmatch(extension):
        return _bad_name("extension", extension) if extension else Wording("the extension is missing")
    if endpoint and not _ENDPOINT.fullmatch(endpoint):
        return Wording("endpoint {text!r} is not valid: write it as PJSIP/201", {"text": endpoint[:40]})
    if group and not NAME.fullmatch(group):
        return _bad_name("group", group)
    if language and not _LANGUAGE.fullmatch(language):
        return Wording("language {text!r} is not valid: write it as en or pt_BR", {"text": language[:40]})
    return None


def _bad_name(column: str, text: str) -> Wording:
    template = N_("{column} {text!r} is not valid: use letters, digits, space, _, . and -")
    return Wording(template, {"column": column, "text": text[:40]})


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))


DID_COLUMNS = ("number", "group", "callee", "screen")
SCREENED = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def people_as_csv(people: Iterable[Person]) -> str:
    """Return people as a CSV that can be imported again."""
    rows = ((person.extension, person.endpoint, person.group, person.language, person.name) for person in people)
    return _as_csv(PEOPLE_COLUMNS, rows)


def dids_as_csv(dids: Iterable[Did]) -> str:
    """Return DIDs as a CSV that can be imported again."""
    rows = ((did.number, ";".join(did.groups), did.callee, "yes" if did.screen else "no") for did in dids)
    return _as_csv(DID_COLUMNS, rows)


def dids_in(table: CsvTable, region: str) -> Iterator[Did]:
    """Yield the DIDs in a table. `region`: the country of numbers without a country code."""
    for raw, group, callee, word in table:
        number = did_number_of(raw, region)
        groups = tuple(dict.fromkeys(name for part in group.split(";") if (name := part.strip())))
        problem = problem_of_did(number, raw, groups, callee) or _problem_of_word(word)
        if problem is not None:
            table.refuse(problem)
        elif number is not None:
            yield Did(number, groups, callee or None, SCREENED[word.lower()])


def problem_of_did(number: str | None, raw: str, groups: Sequence[str], callee: str) -> Wording | None:
    """Return the problem of a DID's row, or None. `raw`: the number as written. `number`: as E.164; None if invalid."""
    if number is None:
        return problem_of_number(raw)
    for column, name in (*(("group", group) for group in groups), ("callee", callee)):
        if name and not NAME.fullmatch(name):
            return _bad_name(column, name)
    return None


def _problem_of_word(word: str) -> Wording | None:
    if word.lower() in SCREENED:
        return None
    return Wording("screen is {text!r}: write yes or no", {"text": word[:20]})


def _as_csv(columns: Sequence[str], rows: Iterable[tuple[str | None, ...]]) -> str:
    # The first column, an extension or a number with its plus, needs no guard against formulas.
    return csv_of(columns, ((first or "", *(as_text(cell or "") for cell in others)) for first, *others in rows))


CSV_COLUMNS = (*NUMBER_COLUMNS, "verdict")
FTC_COLUMNS = ("company_phone_number", "created_date", "subject", "recorded_message_or_robocall")
BARE_NUMBER = re.compile(r"\s*\(?\+?[0-9][0-9 ().+/-]*(#.*)?")

# The subject of a complaint up to the first comma, ampersand or bracket -> the category for tags and policies.
# Source: the FTC's daily "Do Not Call Reported Calls". Subjects that do not describe the caller ("Other", "Dropped call
# or no message") have no category.
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
# The North American plan: area code, exchange, line. Nobody has 555 and N11.
_US_NUMBER = re.compile(r"(?:\+?1)?((?!.11|555)[2-9][0-9]{2}(?!.11|555)[2-9][0-9]{6})", re.ASCII)
_SEPARATORS = str.maketrans("", "", " .()-")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])", re.ASCII)


class Format(StrEnum):
    """The format of a feed's file. `LIST`: a number per line, and `#` before comments."""

    FTC = "FTC complaints"
    CSV = "CSV"
    LIST = "a list"


def format_of(table: CsvTable) -> Format:
    """Return the format of a feed's file, after the header of its table was read."""
    if table.is_bare:
        return Format.LIST
    return Format.FTC if table.columns[0] == FTC_COLUMNS[0] else Format.CSV


def feed_rows(table: CsvTable, region: str, verdict: str) -> Iterator[ImportedRow]:
    """Yield the rows of a feed of any format. Each FTC complaint is a row, so a number can have several rows."""
    return complaints_in(table) if format_of(table) is Format.FTC else _numbers_in(table, region, verdict)


def _numbers_in(table: CsvTable, region: str, verdict: str) -> Iterator[ImportedRow]:
    # CallSieve's own export has a column `verdict`, so that an allowlist is never imported as spam.
    for number, category, name, note, row_verdict in table:
        if row_verdict and row_verdict.lower() != verdict:
            places = {"text": row_verdict[:20], "verdict": verdict}
            table.refuse(Wording("has the verdict {text!r}, but the import has --verdict {verdict}", places))
        elif row := number_row(table, region, number, category, name, note):
            yield row


def complaints_in(table: CsvTable) -> Iterator[ImportedRow]:
    """Yield a row per FTC complaint, for `merged_complaints`: number, category, "Y" for a robocall, and the day."""
    for raw, created, subject, robocall in table:
        number = us_number(raw)
        if number is None:
            wrong = Wording("{text!r} is not a US telephone number", {"text": raw[:40]})
            table.refuse(wrong if raw else problem_of_number(raw))
        else:
            yield number, category_of(subject), "Y" if robocall[:1] in ("Y", "y") else None, _day_of(created)


def us_number(raw: str) -> str | None:
    """Return a US number as E.164; None if nobody can have it: wrong length, 555-xxxx, or one digit repeated."""
    match = _US_NUMBER.fullmatch(raw.translate(_SEPARATORS))
    return None if match is None or len(set(match[1])) == 1 else f"+1{match[1]}"


@lru_cache(maxsize=1024)
def category_of(subject: str) -> str | None:
    """Return the category for the subject of an FTC complaint; None if the subject says nothing about the caller."""
    return CATEGORY_BY_SUBJECT.get(" ".join(re.split("[,&(]", subject, maxsplit=1)[0].lower().split()))


def merged_complaints(complaints: Iterable[ImportedRow]) -> ImportedRow:
    """Merge complaints about a number into a row: the most frequent category, and a note with count and latest day."""
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
    match = _DAY.match(created)
    try:
        return date.fromisoformat(match[1]).isoformat() if match else None
    except ValueError:
        return None

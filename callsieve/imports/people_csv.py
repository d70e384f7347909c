"""Our people and DIDs as CSV, out and in. Pure but for the table's own file.

extension,endpoint,group,language,name      people, as `callsieve import people` reads them (callsieve/imports/rows.py)
number,group,callee,screen                  DIDs; groups with ; between; screen: yes or no, yes where nothing is said
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from callsieve.imports.rows import NAME, PEOPLE_COLUMNS
from callsieve.text.csv_table import CsvTable, as_text, csv_of
from reputation.model import Did, Person
from reputation.numbers import did_number_of

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

"""What is known about a number, in one sentence for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reputation.explaining import parts_of
from reputation.model import EntryKind, Facts, Family, Imported, ListEntry, Tie

NOTHING = "nothing is known about this number"


def sentence_of(facts: Facts) -> str:
    """One sentence with what counts most: lists, identity, evidence, and who of ours knows the number."""
    parts = [
        *_of_lists(facts.allow, facts.block),
        *([f"it belongs to {facts.identity.name} (level {facts.identity.level})"] if facts.identity else []),
        *(text for family in facts.reputation.families for text in _of_family(family, facts.imported)),
        *_of_ties(facts),
        *([f"its owner appeals ({facts.reputation.appeal})"] if facts.reputation.appeal else []),
        *(["it is one of our own numbers"] if facts.own_number else []),
        *(["its caller has passed a challenge"] if facts.challenge_passed_at is not None else []),
    ]
    sentence = "; ".join(parts) or NOTHING
    return sentence[0].upper() + sentence[1:] + "."


def _of_lists(allow: ListEntry | None, block: ListEntry | None) -> Iterable[str]:
    for entry in (allow, block):
        if entry is not None:
            what = "it is" if entry.kind is EntryKind.EXACT else f"{entry.text} is"
            yield f"{what} on the {entry.list_name.value}list"


def _of_family(family: Family, imported: tuple[Imported, ...]) -> Iterable[str]:
    """What a family says. Of sources the facts know more than the counts, and the identity is said with its name."""
    if family.name == "feeds":
        return [_of_feeds(imported)]
    return parts_of(family) if family.name != "identity" else ()


def _of_feeds(imported: tuple[Imported, ...]) -> str:
    spam = [row for row in imported if row.verdict == "spam"]
    fine = [row for row in imported if row.verdict != "spam"]
    categories = sorted({row.category for row in spam if row.category})
    parts = []
    if spam:
        kinds = f" ({', '.join(categories)})" if categories else ""
        parts.append(f"{_sources(len(spam))} it as spam{kinds}")
    if fine:
        parts.append(f"{_sources(len(fine))} it as fine")
    return " and ".join(parts)


def _sources(count: int) -> str:
    return "one imported source lists" if count == 1 else f"{count} imported sources list"


# Ties of one number, in the order in which they are said. Expected calls are no tie of the number.
_BY_TIE = {
    Tie.ALLOW: "{who} allowed it",
    Tie.BLOCK: "{who} blocked it",
    Tie.CONTACT: "{who} have it as a contact",
    Tie.TALKED: "{who} called it and talked",
}


def _of_ties(facts: Facts) -> Iterable[str]:
    for tie, words in _BY_TIE.items():
        of_tie = [one for one in facts.ties if one.tie is tie]
        people = sorted({one.person for one in of_tie if one.person is not None})
        if any(one.person is None for one in of_tie):
            yield "it is a contact of the company"
        if people:
            text = words.format(who=_people(people))
            yield text.replace(" have ", " has ") if len(people) == 1 else text


def _people(extensions: list[str]) -> str:
    if len(extensions) > 3:
        return f"{len(extensions)} of our people"
    return " and ".join(extensions)

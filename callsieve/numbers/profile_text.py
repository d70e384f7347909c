"""What is known about a number, in one sentence for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.reasons import Reason
from reputation.explaining import parts_of
from reputation.facts import Facts
from reputation.families.feeds import listed_by
from reputation.model import EntryKind, Family, Imported, ListEntry, ListName, Tie
from reputation.wording import Places, Wording, listed

NOTHING = Wording("nothing is known about this number")
MOST_NAMED = 3


def sentence_of(facts: Facts) -> str:
    """One sentence with what counts most: lists, identity, evidence, and who of ours knows the number."""
    sentence = str(said_of(facts))
    return sentence[0].upper() + sentence[1:] + "."


def said_of(facts: Facts) -> str | Wording:
    """The same for any language, not yet as a sentence."""
    return listed(list(_sayings(facts)) or [NOTHING], "{some}; {more}")


def _sayings(facts: Facts) -> Iterator[Wording]:
    yield from (_on_list(entry) for entry in (facts.allow, facts.block) if entry is not None)
    if facts.identity:
        owner: Places = {"name": facts.identity.name, "level": facts.identity.level}
        yield Wording("it belongs to {name} (level {level})", owner)
    for family in facts.reputation.families:
        yield from _of_family(family, facts.imported)
    yield from _of_ties(facts)
    if facts.reputation.appeal:
        yield Wording("its owner appeals ({reference})", {"reference": facts.reputation.appeal})
    if facts.own_number:
        yield Wording("it is one of our own numbers")


def _on_list(entry: ListEntry) -> Wording:
    is_allowed = entry.list_name is ListName.ALLOW
    if entry.kind is EntryKind.EXACT:
        return Wording("it is on the allowlist") if is_allowed else Wording("it is on the blocklist")
    return Wording(Reason.ON_ALLOWLIST if is_allowed else Reason.ON_BLOCKLIST, {"entry": entry.text})


def _of_family(family: Family, imported: tuple[Imported, ...]) -> Iterable[Wording]:
    """What a family says. Of sources the facts know more than the counts, and the identity is said with its name."""
    if family.name == "feeds":
        return [_of_feeds(imported)]
    return parts_of(family) if family.name != "identity" else ()


def _of_feeds(imported: tuple[Imported, ...]) -> Wording:
    spam = [row for row in imported if row.verdict == "spam"]
    fine = len(imported) - len(spam)
    said = listed_by(len(spam), "spam")
    if kinds := ", ".join(sorted({row.category for row in spam if row.category})):
        said = Wording("{listed} ({kinds})", {"listed": said, "kinds": kinds})
    if not fine:
        return said
    as_fine = listed_by(fine, "ok")
    return Wording("{spam} and {fine}", {"spam": said, "fine": as_fine}) if spam else as_fine


# Ties of one number, in the order in which they are said: of one of our people, and of several. Expected calls are no
# tie of the number.
_BY_TIE = {
    Tie.ALLOW: (Wording("{who} allowed it"), Wording("{who} allowed it")),
    Tie.BLOCK: (Wording("{who} blocked it"), Wording("{who} blocked it")),
    Tie.CONTACT: (Wording("{who} has it as a contact"), Wording("{who} have it as a contact")),
    Tie.TALKED: (Wording("{who} called it and talked"), Wording("{who} called it and talked")),
}


def _of_ties(facts: Facts) -> Iterable[Wording]:
    for tie, (one_of_us, several) in _BY_TIE.items():
        of_tie = [one for one in facts.ties if one.tie is tie]
        people = sorted({one.person for one in of_tie if one.person is not None})
        if any(one.person is None for one in of_tie):
            yield Wording("it is a contact of the company")
        if people:
            named = listed(people, "{some} and {more}")
            who = named if len(people) <= MOST_NAMED else Wording("{n} of our people", {"n": len(people)})
            yield Wording((one_of_us if len(people) == 1 else several).template, {"who": who})

"""Operations on other sites' data: people with several names, ignored sites, and numbers that other sites erased.

The operations need no hub: they change only this store. Each can be undone through its audit row. If this site does not
follow another site ([hub] follow), an erasure by that site is partial. Then an administrator must confirm the erasure
(`callsieve privacy erase`) or refuse it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import UndoKind
from callsieve.lists.operations import names_of_people
from callsieve.numbers import operations as number_operations
from policies.files import nearest
from reputation.encoding import parse_plain
from reputation.site_names import site_of
from reputation.store import other_sites
from reputation.store.hub import incoming
from reputation.store.hub.link import link_of, writing_for_hub
from reputation.store.hub.outgoing import record_erasures_sent
from reputation.store.standing import FOLDED_AT_ONCE
from reputation.wording import Wording

SAME = " = "  # between the names of one human, in the audit
REASON_CHARACTERS = 200


SiteText = Annotated[str, Meta(min_length=1, max_length=64, description="Another site.", examples=["berlin"])]


class Declared(NamedTuple):
    """The result of `same_person` or `other_person`. `names`: all names that the person has now."""

    change_id: int | None
    names: tuple[str, ...]


class SiteVerdict(NamedTuple):
    """The result of ignoring a site, or of counting its evidence again.

    Attributes:
        site: The name of the site.
        numbers: How many telephone numbers the site has shared evidence about.
        later: Whether the daemon recomputes these numbers' reputations later, because they are too many at once.
    """

    change_id: ChangeId | None
    site: str
    numbers: int = 0
    later: bool = False


class IgnoreRequest(msgspec.Struct, frozen=True):
    """A request to ignore a site. `reason`: why the site is ignored."""

    site: SiteText
    reason: Annotated[str, Meta(max_length=REASON_CHARACTERS)]


def find_sites(db: sqlite3.Connection, _context: Context, request: PageQuery) -> ResultPage[other_sites.SiteFigures]:
    """Return the other sites that have shared evidence, with counts of this evidence."""
    return page_from(other_sites.figures_of_sites(db), request, lambda row: (row.site,), lambda row: row)


def same_person(db: sqlite3.Connection, context: Context, names: tuple[str, str]) -> Declared:
    """Declare that two names belong to the same person, whose evidence then counts once."""
    first, second = (_person(db, context, name) for name in names)
    if site_of(first) == site_of(second):
        raise Refused(
            "same-site",
            Wording("{one} and {other} are at the same site, so they are two people", {"one": first, "other": second}),
        )
    with change(db, context, "hub people same", name=first) as changed:
        before = [other_sites.names_of(db, name) for name in (first, second)]
        if second in before[0]:
            raise Refused(
                "same-already",
                Wording("{one} and {other} are already the same person", {"one": first, "other": second}),
            )
        together = other_sites.declare_same(db, first, second)
        sites = [site_of(name) for name in together]
        if len(set(sites)) < len(sites):
            words = Wording(
                "several people of the same site would count as one person: {names}", {"names": ", ".join(together)}
            )
            raise Refused("same-site", words)
        changed.before, changed.after = {"people": _joined(*before)}, {"people": _joined(together)}
    return Declared(changed.id, together)


def other_person(db: sqlite3.Connection, context: Context, name: str) -> Declared:
    """Declare that a name belongs to a separate person, which reverts `same_person`."""
    with change(db, context, "hub people apart", name=name) as changed:
        before = other_sites.names_of(db, name)
        if len(before) == 1:
            raise Refused(
                "no-other-name", Wording("no other site knows the person {name} by another name", {"name": name[:64]})
            )
        others = tuple(other for other in before if other != name)
        other_sites.set_names(db, others)
        other_sites.set_names(db, (name,))
        changed.before, changed.after = {"people": _joined(before)}, {"people": _joined(others, (name,))}
    return Declared(changed.id, (name,))


def ignore(db: sqlite3.Connection, context: Context, request: IgnoreRequest) -> SiteVerdict:
    """Ignore the evidence of a site from the next call on."""
    site, reason = request.site, request.reason.strip()[:REASON_CHARACTERS]
    _site(db, site)
    if not reason:
        raise Refused("no-reason", Wording("enter the reason, for other administrators"), "reason")
    ignored = other_sites.Ignored(site, context.at, context.actor, reason)
    with change(db, context, "hub ignore", name=site) as changed:
        if any(entry.site == site for entry in other_sites.ignored_of(db)):
            raise Refused("ignored-already", Wording("{site} is already ignored", {"site": site}))
        numbers = other_sites.ignore_site(db, ignored)
        changed.after = ignored
    return SiteVerdict(changed.id, site, numbers, numbers > FOLDED_AT_ONCE)


def resume(db: sqlite3.Connection, context: Context, site: SiteText) -> SiteVerdict:
    """Count the evidence of an ignored site again, as if the site had never been ignored."""
    with change(db, context, "hub resume", name=site) as changed:
        ignored = other_sites.resume_site(db, site)
        if ignored is None:
            raise Refused("not-ignored", Wording("{site} is not ignored", {"site": site[:32]}))
        changed.before = ignored
    return SiteVerdict(changed.id, site)


def _joined(*people: Sequence[str]) -> list[str]:
    return [SAME.join(names) for names in people]


def _person(db: sqlite3.Connection, context: Context, name: str) -> str:
    if site_of(name):
        _site(db, site_of(name))
        return name
    people = names_of_people(db, context.settings)
    if name not in people:
        hint = nearest(name, people) if people else ""
        raise Refused(
            "unknown-person", f"unknown person {name[:40]!r}{hint}; write a person of another site as site:person"
        )
    return name


def _site(db: sqlite3.Connection, site: str) -> None:
    sites = other_sites.sites_of(db)
    if site not in sites:
        hint = nearest(site, sites) if sites else ""
        raise Refused("unknown-site", f"no site {site[:40]!r} has shared evidence{hint}")


# How changes are undone.


def _groups(people: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted({tuple(names) for names in people}))


def _set_groups(db: sqlite3.Connection, groups: tuple[tuple[str, ...], ...]) -> None:
    for names in groups:
        other_sites.set_names(db, names)


SAME_PERSON = UndoKind(
    lambda _db, _row, value: _groups(names.split(SAME) for names in value["people"]),
    lambda db, _, groups: _groups(other_sites.names_of(db, name) for names in groups for name in names),
    lambda *_: None,  # the earlier grouping replaces it
    lambda db, _, groups: _set_groups(db, groups),
)
IGNORED = UndoKind(
    lambda _db, _row, value: parse_plain(value, other_sites.Ignored),
    lambda db, _, ignored: next((entry for entry in other_sites.ignored_of(db) if entry.site == ignored.site), None),
    lambda db, _, ignored: other_sites.resume_site(db, ignored.site),
    lambda db, _, ignored: other_sites.ignore_site(db, ignored),
)


# Deleted without confirmation: evidence, what is derived from it, and records of changes (they keep their author).
ERASED_AT_ONCE: Final = {
    *(kind.name for kind in incoming.EVIDENCE),
    *("standing", "hub_row", "hub_outbox", "hub_erasure", "erasure_request", "audit", "event", "api_answer"),
}


class Erasure(NamedTuple):
    """A number that `site` erased. `is_whole`: whether `site` may erase the rows of all sites, not only its own."""

    number: str
    site: str
    is_whole: bool


def erase_for_site(db: sqlite3.Connection, context: Context, erasure: Erasure) -> bool:
    """Erase those rows about a number that the other site may erase here. Return whether no rows are left."""
    try:
        stored = number_operations.stored_about(db, context, erasure.number)
    except Refused:  # no number
        return False
    if not any(stored.erasable.values()):
        return False
    if not erasure.is_whole:
        link = link_of(db)
        assert link is not None
        incoming.forget_evidence(db, link, stored.number, erasure.site, frozenset(context.loaded.settings.hub.follow))
        left = number_operations.stored_about(db, context, stored.number).erasable
        if any(count for table, count in left.items() if table not in ERASED_AT_ONCE):
            with change(db, context, "hub erasure", stored.number) as changed:
                incoming.request_erasure(db, incoming.ErasureRequest(stored.number, erasure.site, context.at))
                changed.after = {"site": erasure.site}
            return False
    with writing_for_hub(db):
        number_operations.erase(db, context, stored.number)
    record_erasures_sent(db, [stored.number])
    return True


def keep(db: sqlite3.Connection, context: Context, number: str) -> str:
    """Keep the data of a number that another site erased. Return the number as E.164."""
    e164 = number_field(context, number)
    with change(db, context, "hub keep", e164):
        if not incoming.awaits_confirmation(db, e164):
            raise Refused(
                "no-erasure", Wording("no erasure of {number} waits for a decision", {"number": e164}), "number"
            )
        incoming.keep_number(db, e164, context.at)
    return e164

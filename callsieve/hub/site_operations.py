"""What an administrator says of other sites: who of their people is one of ours, and whose evidence counts for nothing.

All of it is of this store alone, needs no hub, and is undone by its row in the audit.

Numbers that another site had erased: obeyed whole, or in part until an administrator here says yes.

obey(db, context, Erasure(...))     operation of the hub's process
keep(db, context, number)           operation: no. Yes is `callsieve privacy erase`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, number_field
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import UndoKind, record_of
from callsieve.lists.operations import names_of_people
from callsieve.numbers import operations as number_operations
from policies.files import nearest
from reputation.site_names import site_of
from reputation.store import other_sites
from reputation.store.hub import incoming
from reputation.store.hub.link import link_of, writing_for_hub
from reputation.store.hub.outgoing import erasures_told
from reputation.store.standing import FOLDED_AT_ONCE
from reputation.wording import Wording

SAME = " = "  # between the names of one human, in the audit
REASON_CHARACTERS = 200


SiteText = Annotated[str, Meta(min_length=1, max_length=64, description="Another site.", examples=["berlin"])]


class Declared(NamedTuple):
    """`names`: all that the human is known by now; of a declaration that was taken back, the one."""

    change_id: int | None
    names: tuple[str, ...]


class SiteVerdict(NamedTuple):
    """A site that counts for nothing now, or counts again.

    Attributes:
        site: The site.
        numbers: How many numbers it has told something about.
        later: They are too many for one transaction: the daemon makes their sums anew.
    """

    change_id: ChangeId | None
    site: str
    numbers: int = 0
    later: bool = False


class IgnoreRequest(msgspec.Struct, frozen=True):
    """A site that is not believed, and why.

    Attributes:
        reason: The reason.
    """

    site: SiteText
    reason: Annotated[str, Meta(max_length=REASON_CHARACTERS)]


def find_sites(db: sqlite3.Connection, _context: Context, request: PageQuery) -> ResultPage[other_sites.SiteFigures]:
    """Return the other sites that have told something, and what is known of each here."""
    return page_from(other_sites.figures_of_sites(db), request, lambda one: (one.site,), lambda one: one)


def same_person(db: sqlite3.Connection, context: Context, names: tuple[str, str]) -> Declared:
    """Both names are one human's, who counts once."""
    one, other = (_person(db, context, name) for name in names)
    if site_of(one) == site_of(other):
        raise Refused("same-site", Wording("{one} and {other} are of one site", {"one": one, "other": other}))
    with change(db, context, "hub people same", name=one) as changed:
        before = [other_sites.names_of(db, name) for name in (one, other)]
        if other in before[0]:
            raise Refused("same-already", Wording("{one} and {other} are one already", {"one": one, "other": other}))
        together = other_sites.declare_same(db, one, other)
        sites = [site_of(name) for name in together]
        if len(set(sites)) < len(sites):
            words = Wording("then two people of one site would be one: {names}", {"names": ", ".join(together)})
            raise Refused("same-site", words)
        changed.before, changed.after = {"people": _humans(*before)}, {"people": _humans(together)}
    return Declared(changed.id, together)


def other_person(db: sqlite3.Connection, context: Context, name: str) -> Declared:
    """The name is somebody's who has no other."""
    with change(db, context, "hub people apart", name=name) as changed:
        before = other_sites.names_of(db, name)
        if len(before) == 1:
            raise Refused("no-other-name", Wording("{name} is not known by another name", {"name": name[:64]}))
        others = tuple(one for one in before if one != name)
        other_sites.set_names(db, others)
        other_sites.set_names(db, (name,))
        changed.before, changed.after = {"people": _humans(before)}, {"people": _humans(others, (name,))}
    return Declared(changed.id, (name,))


def ignore(db: sqlite3.Connection, context: Context, request: IgnoreRequest) -> SiteVerdict:
    """Let nothing count here that a site tells."""
    site, reason = request.site, request.reason.strip()[:REASON_CHARACTERS]
    _site(db, site)
    if not reason:
        raise Refused("no-reason", Wording("say why, for those who come after you"), "reason")
    ignored = other_sites.Ignored(site, context.at, context.actor, reason)
    with change(db, context, "hub ignore", name=site) as changed:
        if any(one.site == site for one in other_sites.ignored_of(db)):
            raise Refused("ignored-already", Wording("{site} counts for nothing already", {"site": site}))
        numbers = other_sites.ignore_site(db, ignored)
        changed.after = ignored._asdict()
    return SiteVerdict(changed.id, site, numbers, numbers > FOLDED_AT_ONCE)


def resume(db: sqlite3.Connection, context: Context, site: SiteText) -> SiteVerdict:
    """Let a site count again, as if it had never been ignored."""
    with change(db, context, "hub resume", name=site) as changed:
        ignored = other_sites.resume_site(db, site)
        if ignored is None:
            raise Refused("not-ignored", Wording("{site} is not ignored", {"site": site[:32]}))
        changed.before = ignored._asdict()
    return SiteVerdict(changed.id, site)


def _humans(*people: Sequence[str]) -> list[str]:
    """Each with all names, as the audit keeps it."""
    return [SAME.join(names) for names in people]


def _person(db: sqlite3.Connection, context: Context, name: str) -> str:
    """One of ours, or somebody of a site that has told something."""
    if site_of(name):
        _site(db, site_of(name))
        return name
    people = names_of_people(db, context.settings)
    if name not in people:
        hint = nearest(name, people) if people else ""
        raise Refused("unknown-person", f"there is no person {name[:40]!r}{hint}; one of another site is site:person")
    return name


def _site(db: sqlite3.Connection, site: str) -> None:
    sites = other_sites.sites_of(db)
    if site not in sites:
        hint = nearest(site, sites) if sites else ""
        raise Refused("unknown-site", f"no site {site[:40]!r} has told anything{hint}")


# How changes are undone.


def _groups(people: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the names of each human, once."""
    return tuple(sorted({tuple(names) for names in people}))


def _set_groups(db: sqlite3.Connection, groups: tuple[tuple[str, ...], ...]) -> None:
    for names in groups:
        other_sites.set_names(db, names)


SAME_PERSON = UndoKind(
    lambda _db, _row, value: _groups(names.split(SAME) for names in value["people"]),
    lambda db, _, groups: _groups(other_sites.names_of(db, name) for names in groups for name in names),
    lambda *_: None,  # who they were takes its place
    lambda db, _, groups: _set_groups(db, groups),
)
IGNORED = UndoKind(
    lambda _db, _row, value: record_of(other_sites.Ignored, value),
    lambda db, _, ignored: next((one for one in other_sites.ignored_of(db) if one.site == ignored.site), None),
    lambda db, _, ignored: other_sites.resume_site(db, ignored.site),
    lambda db, _, ignored: other_sites.ignore_site(db, ignored),
)


# What does not wait for a yes: evidence, what is made of it, and records of changes, which name who made them still.
GOES: Final = {
    *(kind.name for kind in incoming.EVIDENCE),
    *("standing", "hub_row", "hub_outbox", "hub_erasure", "erasure_request", "audit", "event", "api_answer"),
}


class Erasure(NamedTuple):
    """A site had the number erased. `is_whole`: it is this site, one that it follows, or a central one."""

    number: str
    site: str
    is_whole: bool


def obey(db: sqlite3.Connection, context: Context, erasure: Erasure) -> bool:
    """Erase what the site may have erased here; the rest waits. Return whether everything about the number is gone."""
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
        if any(count for table, count in left.items() if table not in GOES):
            with change(db, context, "hub erasure", stored.number) as changed:
                incoming.request_erasure(db, incoming.ErasureRequest(stored.number, erasure.site, context.at))
                changed.after = {"site": erasure.site}
            return False
    with writing_for_hub(db):
        number_operations.erase(db, context, stored.number)
    erasures_told(db, [stored.number])
    return True


def keep(db: sqlite3.Connection, context: Context, number: str) -> str:
    """Keep what is known here of a number that another site had erased. Return it in E.164."""
    e164 = number_field(context, number)
    with change(db, context, "hub keep", e164):
        if not incoming.waits_for_yes(db, e164):
            raise Refused("no-erasure", Wording("no erasure of {number} waits", {"number": e164}), "number")
        incoming.keep_number(db, e164, context.at)
    return e164

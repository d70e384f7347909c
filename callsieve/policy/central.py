"""One policy for many sites: published at one, accepted at the others. The hub carries it, and puts nothing in force.

publish, withdraw, accept: operations (callsieve/changes/operation.py)
tell_arrived(db, context, came)    the event for those who accept
arrived(db, loaded)                what came and is neither accepted nor shown as new yet
site_policies(db, loaded)          all that there are of other sites, for who looks

What is accepted is a file (callsieve/site_policies.py), and in force where a setting, an activation, a scope or a
policy that builds on it names it. A site's own policies, scopes, lists and settings are as they were.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId
from callsieve.changes.operation import Context, Refused, change
from callsieve.policy.catalogue import running_or_settings, used_for
from callsieve.policy.records import NOTE_CHARACTERS, Note, PolicyName, is_version, usable, without_head, writing
from callsieve.settings import Loaded
from callsieve.site_policies import (
    NEW,
    SiteVersion,
    digest_of,
    drop_new,
    files_there,
    put_accepted,
    put_new,
    read_site_policy,
    text_there,
)
from policies.loader import NAME, PRESETS, SITE_POLICY, policy_text
from policies.policy import Policy, PolicyError
from reputation.encoding import HIDDEN
from reputation.events import EventKind, PolicyChanged
from reputation.site_names import site_of
from reputation.store.outbox import add_event, tell_change
from reputation.store.site import (
    PublishedPolicy,
    all_published,
    published,
    put_published,
    remove_published,
)
from reputation.wording import Wording

MOST_PUBLISHED = 50  # the hub takes no more of a site
NO_HUB = Wording("[hub] has no address: there are no other sites to publish it for")


class PublishRequest(msgspec.Struct, frozen=True):
    """A policy that other sites are told.

    Attributes:
        name: Its name; empty for the one in force.
        publish_as: The name that others see; empty for its own.
        note: What is new.
    """

    name: PolicyName = ""
    publish_as: Annotated[str, Meta(max_length=64)] = ""
    note: Note = ""


class AcceptRequest(NamedTuple):
    """`head-office:office`. `digest`: of the text that was looked at; empty: whichever it is."""

    name: str
    digest: str = ""


class PolicyAccepted(NamedTuple):
    """A policy of another site that is accepted now.

    Attributes:
        policy: Its name.
        in_force_for: The calls that it is in force for; empty while nothing here names it.
    """

    change_id: ChangeId | None
    accepted: Annotated[Policy, HIDDEN]
    policy: str
    in_force_for: tuple[str, ...]


class PolicyPublished(NamedTuple):
    """A policy that others are told, or not any more.

    Attributes:
        policy: The name that they see.
    """

    change_id: ChangeId | None
    policy: str


class SitePolicy(NamedTuple):
    """A policy of another site, as it is here. `published_at` None: its site publishes it no more, or is not followed.

    `waits`: what it publishes now is not what is accepted; `problem`: and cannot be.
    """

    name: str
    site: str
    published_at: float | None
    note: str
    is_accepted: bool
    waits: bool
    problem: str
    in_force: tuple[str, ...]
    digest: str


def publish(db: sqlite3.Connection, context: Context, request: PublishRequest) -> PolicyPublished:
    """Tell all sites of the hub a policy. It is in force nowhere before somebody there has accepted it."""
    loaded = context.loaded
    if not loaded.settings.hub.address:
        raise Refused("no-hub", NO_HUB)
    name = request.name or running_or_settings(loaded)
    wanted = request.publish_as or name
    if wanted in PRESETS or is_version(wanted) or not NAME.fullmatch(wanted):
        words = Wording("{name}: others need a name that stays: --as office", {"name": wanted})
        raise Refused("unusable-name", words)
    text = usable(lambda: without_head(policy_text(name, loaded.policy_directories)))
    usable(lambda: read_site_policy(text, wanted))
    note = " ".join(request.note.split())[:NOTE_CHARACTERS]
    with change(db, context, "policy publish", name=wanted) as changed:
        before = published(db, wanted)
        if before is None and sum(not site_of(one.name) for one in all_published(db)) >= MOST_PUBLISHED:
            raise Refused(
                "too-many", Wording("{count} policies are published: withdraw one", {"count": MOST_PUBLISHED})
            )
        policy = PublishedPolicy(wanted, text, note, context.at)
        put_published(db, policy)
        changed.before, changed.after = before, policy
    return PolicyPublished(changed.id, policy.name)


def withdraw(db: sqlite3.Connection, context: Context, name: PolicyName) -> PolicyPublished:
    """Stop telling other sites a policy. What others have accepted stays in force there."""
    with change(db, context, "policy withdraw", name=name) as changed:
        before = published(db, name)
        if before is None or site_of(name):
            raise Refused("not-published", Wording("{name} is not published here", {"name": name}))
        remove_published(db, name)
        changed.before = before
    return PolicyPublished(changed.id, before.name)


def accept(db: sqlite3.Connection, context: Context, request: AcceptRequest) -> PolicyAccepted:
    """Take what another site publishes of a policy, in the place of what was accepted before."""
    loaded, name = context.loaded, request.name
    found = published(db, name)
    if found is None or not _is_followed(name, loaded):
        raise Refused("no-such-policy", _not_there(db, loaded, name))
    policy = usable(lambda: read_site_policy(found.text, name))
    if request.digest not in ("", digest_of(found.text)):
        words = Wording("{name}: its site has published it anew since: look at it again", {"name": name})
        raise Refused("policy-changed", words)
    before = text_there(loaded, name)
    if before == found.text:
        raise Refused("accepted-already", Wording("{name}: nothing new has come since it was accepted", {"name": name}))
    with change(db, context, "policy accept", name=name) as changed:
        changed.before, changed.after = (text and SiteVersion(name, digest_of(text)) for text in (before, found.text))
        with writing(loaded):
            put_accepted(loaded, name, found.text)
        calls = tuple(used_for(name, loaded))
        if calls:
            tell_in_force(db, context, name, name)
    return PolicyAccepted(changed.id, policy, policy.name, calls)


def tell_in_force(db: sqlite3.Connection, context: Context, policy: str, before: str) -> None:
    """Tell receivers that another policy is in force than `before`, or another version. Call it in a transaction."""
    data = PolicyChanged(policy=policy, state="in-force", before=before, by=context.actor)
    add_event(db, EventKind.POLICY_CHANGED, "policy", context.at, data)


def arrived(db: sqlite3.Connection, loaded: Loaded) -> list[PublishedPolicy]:
    """What came of the sites that are followed, can be used, and is neither accepted nor there as `.new`."""
    found = []
    for one in all_published(db):
        if _is_followed(one.name, loaded) and one.text not in (
            text_there(loaded, one.name),
            text_there(loaded, f"{one.name}{NEW}"),
        ):
            found.append(one)
    return [one for one in found if not problem_of(one)]


def note_arrived(loaded: Loaded, policies: list[PublishedPolicy]) -> None:
    """They have come and wait to be accepted. OSError."""
    for one in policies:
        put_new(loaded, one.name, one.text)


def tell_arrived(db: sqlite3.Connection, context: Context, came: Sequence[PublishedPolicy]) -> None:
    """Tells receivers of events what waits, and once each what cannot be used. Call it in a transaction."""
    for one in came:
        waits = PolicyChanged(policy=one.name, state="waiting", before="", by=context.actor)
        add_event(db, EventKind.POLICY_CHANGED, f"policy/{one.name}", context.at, waits)
    for shown in site_policies(db, context.loaded):
        key = f"policy/{shown.name}"
        if shown.problem:
            broken = PolicyChanged(policy=shown.name, state="unusable", before="", by=context.actor)
            tell_change(db, key, shown.digest, EventKind.POLICY_CHANGED, key, context.at, broken)


def drop_stale(db: sqlite3.Connection, loaded: Loaded) -> None:
    """What waited is not what its site publishes now. OSError."""
    now = {one.name: one.text for one in all_published(db) if _is_followed(one.name, loaded)}
    for file in files_there(loaded):
        name = file.removesuffix(NEW)
        if name != file and text_there(loaded, file) != now.get(name):
            drop_new(loaded, name)


def site_policies(db: sqlite3.Connection, loaded: Loaded) -> list[SitePolicy]:
    """All of sites that are followed, and what was accepted of others, by name."""
    told = {one.name: one for one in all_published(db) if _is_followed(one.name, loaded)}
    accepted = {name for name in files_there(loaded) if not _which(name)}
    return [_shown(name, told.get(name), loaded) for name in sorted({*told, *accepted})]


def own_published(db: sqlite3.Connection) -> list[PublishedPolicy]:
    """What this site tells the others."""
    return [one for one in all_published(db) if not site_of(one.name)]


def has_changed(policy: PublishedPolicy, loaded: Loaded) -> bool:
    """Whether the policy of that name has another text here than the others are told. No where there is none."""
    try:
        text = policy_text(policy.name, loaded.policy_directories)
    except PolicyError:
        return False
    return without_head(text) != policy.text


def problem_of(policy: PublishedPolicy) -> str:
    """Why it cannot be used here; empty if it can."""
    try:
        read_site_policy(policy.text, policy.name)
    except PolicyError as error:
        return str(error)
    return ""


def _shown(name: str, told: PublishedPolicy | None, loaded: Loaded) -> SitePolicy:
    text = text_there(loaded, name)
    problem = "" if told is None else problem_of(told)
    return SitePolicy(
        name,
        site_of(name),
        None if told is None else told.published_at,
        "" if told is None else told.note,
        text is not None,
        told is not None and told.text != text and not problem,
        problem,
        tuple(used_for(name, loaded)),
        "" if told is None else digest_of(told.text),
    )


def _not_there(db: sqlite3.Connection, loaded: Loaded, name: str) -> Wording:
    known = [one.name for one in all_published(db) if _is_followed(one.name, loaded)]
    if site_of(name) and site_of(name) not in loaded.settings.hub.follow:
        return Wording("{name}: [hub] follow does not name {site}", {"name": name, "site": site_of(name)})
    there = ", ".join(known)
    if not there:
        return Wording("{name}: no site that is followed publishes a policy", {"name": name})
    return Wording("{name} is not published; there are: {names}", {"name": name, "names": there})


def _is_followed(name: str, loaded: Loaded) -> bool:
    """Whether it is of a site whose statements are in force here. A name that is none makes no file."""
    return SITE_POLICY.fullmatch(name) is not None and not _which(name) and site_of(name) in loaded.settings.hub.follow


def _which(name: str) -> str:
    found = SITE_POLICY.fullmatch(name)
    return (found and found["which"]) or ""

"""One policy for many sites: one site publishes the policy, and the others accept it.

The hub distributes policies but activates none. An accepted policy is a file (callsieve/site_policies.py), which is in
force only where a setting, an activation, a scope or another policy names it.
"""

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
    put_accepted,
    put_new,
    read_site_policy,
    site_policy_files,
    site_policy_text,
)
from policies.loader import NAME, PRESETS, SITE_POLICY, policy_text
from policies.policy import Policy, PolicyError
from reputation.encoding import HIDDEN
from reputation.events import EventKind, PolicyChanged
from reputation.site_names import site_of
from reputation.store.outbox import add_event, emit_change
from reputation.store.site import (
    PublishedPolicy,
    all_published,
    published,
    put_published,
    remove_published,
)
from reputation.wording import Wording

MOST_PUBLISHED = 50  # the hub's limit per site
NO_HUB = Wording("[hub] has no address: there are no other sites to publish it for")


class PublishRequest(msgspec.Struct, frozen=True):
    """A request to publish a policy to other sites.

    Attributes:
        name: The policy to publish; empty for the active policy.
        publish_as: The name that other sites see; empty for the policy's own name.
        note: A description of what is new.
    """

    name: PolicyName = ""
    publish_as: Annotated[str, Meta(max_length=64)] = ""
    note: Note = ""


class AcceptRequest(NamedTuple):
    """A request to accept a policy of another site. `name`: its site and name, such as `head-office:office`.

    `digest`: the digest of the text that the user has read; empty to accept any text.
    """

    name: str
    digest: str = ""


class PolicyAccepted(NamedTuple):
    """A policy of another site that was accepted.

    Attributes:
        policy: The name of the policy.
        in_force_for: The calls for which the policy is in force; empty if nothing here names the policy yet.
    """

    change_id: ChangeId | None
    accepted: Annotated[Policy, HIDDEN]
    policy: str
    in_force_for: tuple[str, ...]


class PolicyPublished(NamedTuple):
    """A policy that was published or withdrawn. `policy`: the name that other sites see."""

    change_id: ChangeId | None
    policy: str


class SitePolicy(NamedTuple):
    """A policy of another site. `waits`: whether a usable published text is not accepted yet.

    `published_at`: None if the policy was withdrawn or this site does not follow the other. `problem`: why the
    published text is unusable.
    """

    name: str
    site: str
    published_at: float | None
    note: str
    is_accepted: bool
    waits: bool
    problem: str | Wording
    in_force: tuple[str, ...]
    digest: str


def publish(db: sqlite3.Connection, context: Context, request: PublishRequest) -> PolicyPublished:
    """Publish a policy to all sites of the hub. The policy has no effect at a site until somebody there accepts it."""
    loaded = context.loaded
    if not loaded.settings.hub.address:
        raise Refused("no-hub", NO_HUB)
    name = request.name or running_or_settings(loaded)
    published_name = request.publish_as or name
    if published_name in PRESETS or is_version(published_name) or not NAME.fullmatch(published_name):
        words = Wording(
            "{name} cannot be the name for other sites: choose another name with --as, such as --as office",
            {"name": published_name},
        )
        raise Refused("unusable-name", words)
    text = usable(lambda: without_head(policy_text(name, loaded.policy_directories)))
    usable(lambda: read_site_policy(text, published_name))
    note = " ".join(request.note.split())[:NOTE_CHARACTERS]
    with change(db, context, "policy publish", name=published_name) as changed:
        before = published(db, published_name)
        if before is None and sum(not site_of(entry.name) for entry in all_published(db)) >= MOST_PUBLISHED:
            raise Refused(
                "too-many",
                Wording(
                    "{count} policies are published, which is the limit: first withdraw a policy",
                    {"count": MOST_PUBLISHED},
                ),
            )
        policy = PublishedPolicy(published_name, text, note, context.at)
        put_published(db, policy)
        changed.before, changed.after = before, policy
    return PolicyPublished(changed.id, policy.name)


def withdraw(db: sqlite3.Connection, context: Context, name: PolicyName) -> PolicyPublished:
    """Withdraw a published policy. The policy stays in force at sites that accepted it."""
    with change(db, context, "policy withdraw", name=name) as changed:
        before = published(db, name)
        if before is None or site_of(name):
            raise Refused("not-published", Wording("{name} is not published here", {"name": name}))
        remove_published(db, name)
        changed.before = before
    return PolicyPublished(changed.id, before.name)


def accept(db: sqlite3.Connection, context: Context, request: AcceptRequest) -> PolicyAccepted:
    """Accept a policy that another site publishes. The published version replaces the version accepted before."""
    loaded, name = context.loaded, request.name
    published_policy = published(db, name)
    if published_policy is None or not _is_followed(name, loaded):
        raise Refused("no-such-policy", _unknown_policy_words(db, loaded, name))
    policy = usable(lambda: read_site_policy(published_policy.text, name))
    if request.digest not in ("", digest_of(published_policy.text)):
        words = Wording("{name}: the site has published a newer version: read that version first", {"name": name})
        raise Refused("policy-changed", words)
    before = site_policy_text(loaded, name)
    if before == published_policy.text:
        raise Refused(
            "accepted-already", Wording("{name}: there is no version newer than the accepted one", {"name": name})
        )
    with change(db, context, "policy accept", name=name) as changed:
        changed.before, changed.after = (
            text and SiteVersion(name, digest_of(text)) for text in (before, published_policy.text)
        )
        with writing(loaded):
            put_accepted(loaded, name, published_policy.text)
        calls = tuple(used_for(name, loaded))
        if calls:
            emit_in_force(db, context, name, name)
    return PolicyAccepted(changed.id, policy, policy.name, calls)


def emit_in_force(db: sqlite3.Connection, context: Context, policy: str, before: str) -> None:
    """Emit the event that `policy` has replaced the active policy `before`. Call this inside a transaction."""
    data = PolicyChanged(policy=policy, state="in-force", before=before, by=context.actor)
    add_event(db, EventKind.POLICY_CHANGED, "policy", context.at, data)


def arrived(db: sqlite3.Connection, loaded: Loaded) -> list[PublishedPolicy]:
    """Return usable policies of followed sites whose texts are neither accepted nor stored as `.new` files."""
    policies = []
    for policy in all_published(db):
        if _is_followed(policy.name, loaded) and policy.text not in (
            site_policy_text(loaded, policy.name),
            site_policy_text(loaded, f"{policy.name}{NEW}"),
        ):
            policies.append(policy)
    return [policy for policy in policies if not problem_of(policy)]


def note_arrived(loaded: Loaded, policies: list[PublishedPolicy]) -> None:
    """Store policies that wait for acceptance as `.new` files. Raise OSError."""
    for policy in policies:
        put_new(loaded, policy.name, policy.text)


def emit_arrived(db: sqlite3.Connection, context: Context, policies: Sequence[PublishedPolicy]) -> None:
    """Emit an event for each waiting policy and for each unusable policy. Call this inside a transaction."""
    for policy in policies:
        waits = PolicyChanged(policy=policy.name, state="waiting", before="", by=context.actor)
        add_event(db, EventKind.POLICY_CHANGED, f"policy/{policy.name}", context.at, waits)
    for shown in site_policies(db, context.loaded):
        key = f"policy/{shown.name}"
        if shown.problem:
            broken = PolicyChanged(policy=shown.name, state="unusable", before="", by=context.actor)
            emit_change(db, key, shown.digest, EventKind.POLICY_CHANGED, key, context.at, broken)


def drop_stale(db: sqlite3.Connection, loaded: Loaded) -> None:
    """Remove `.new` files whose texts are no longer published. Raise OSError."""
    now = {policy.name: policy.text for policy in all_published(db) if _is_followed(policy.name, loaded)}
    for file in site_policy_files(loaded):
        name = file.removesuffix(NEW)
        if name != file and site_policy_text(loaded, file) != now.get(name):
            drop_new(loaded, name)


def site_policies(db: sqlite3.Connection, loaded: Loaded) -> list[SitePolicy]:
    """Return the policies of followed sites, and all accepted policies of other sites, sorted by name."""
    offered = {policy.name: policy for policy in all_published(db) if _is_followed(policy.name, loaded)}
    accepted = {name for name in site_policy_files(loaded) if not _which(name)}
    return [_shown(name, offered.get(name), loaded) for name in sorted({*offered, *accepted})]


def own_published(db: sqlite3.Connection) -> list[PublishedPolicy]:
    """Return the policies that this site publishes."""
    return [policy for policy in all_published(db) if not site_of(policy.name)]


def has_changed(policy: PublishedPolicy, loaded: Loaded) -> bool:
    """Return whether the policy's text has changed here since its publication. False if the policy was removed here."""
    try:
        text = policy_text(policy.name, loaded.policy_directories)
    except PolicyError:
        return False
    return without_head(text) != policy.text


def problem_of(policy: PublishedPolicy) -> str | Wording:
    """Return why the policy is unusable here; empty if it is usable."""
    try:
        read_site_policy(policy.text, policy.name)
    except PolicyError as error:
        return error.words
    return ""


def _shown(name: str, offered: PublishedPolicy | None, loaded: Loaded) -> SitePolicy:
    text = site_policy_text(loaded, name)
    problem = "" if offered is None else problem_of(offered)
    return SitePolicy(
        name,
        site_of(name),
        None if offered is None else offered.published_at,
        "" if offered is None else offered.note,
        text is not None,
        offered is not None and offered.text != text and not problem,
        problem,
        tuple(used_for(name, loaded)),
        "" if offered is None else digest_of(offered.text),
    )


def _unknown_policy_words(db: sqlite3.Connection, loaded: Loaded, name: str) -> Wording:
    known = [policy.name for policy in all_published(db) if _is_followed(policy.name, loaded)]
    if site_of(name) and site_of(name) not in loaded.settings.hub.follow:
        return Wording(
            "{name}: this PBX does not follow {site}: add it to `follow` in [hub]",
            {"name": name, "site": site_of(name)},
        )
    names = ", ".join(known)
    if not names:
        return Wording("{name}: no followed site publishes a policy", {"name": name})
    return Wording("no policy {name} is published; the published policies are: {names}", {"name": name, "names": names})


def _is_followed(name: str, loaded: Loaded) -> bool:
    """Return whether a policy's name is valid and its site is in `follow`. Only a valid name may become a file name."""
    return SITE_POLICY.fullmatch(name) is not None and not _which(name) and site_of(name) in loaded.settings.hub.follow


def _which(name: str) -> str:
    match = SITE_POLICY.fullmatch(name)
    return (match and match["which"]) or ""

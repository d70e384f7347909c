"""The available policies (presets and files), and health checks of policies."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from callsieve.calls.first_run import OBSERVE_SECONDS
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, and_more, fail, ok, warn
from callsieve.pbx.cli_output import dialplan_in, mailboxes_in
from callsieve.policy.records import REMEDY, REMEDY_ON_FREEPBX, STOPPING_WORDS, stops_calls
from callsieve.policy_selection import is_file, pointer_file, policy_called, running_name, text_of
from callsieve.settings import Loaded
from callsieve.site_policies import NEW, OLD
from callsieve.system.privileges import acting_for
from callsieve.wiring import dids_of, policies_of
from policies.loader import PRESETS, SITE_POLICY, load_policy, read_policy
from policies.policy import PolicyError
from reputation.model import Did
from reputation.site_names import site_of
from reputation.store.calls import first_decision
from reputation.store.imports import sources
from reputation.store.lists import has_entry_with
from reputation.store.people import all_dids, all_people
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording


def known_policies(loaded: Loaded, but: Collection[str] = ()) -> Iterator[tuple[str, str, str | Wording]]:
    """Yield each policy's name, file and error (empty if usable), presets first. `but`: names of policies to skip."""
    files = {path.stem: path for folder in reversed(loaded.policy_directories) for path in folder.glob("*.toml")}
    used = {running_or_settings(loaded), *(scope.policy for scope in loaded.settings.scope)}
    for name in (*PRESETS, *sorted({*files, *used} - {*PRESETS, *but})):
        problem: str | Wording = ""
        try:
            policy_called(name, loaded)
        except PolicyError as error:
            problem = error.words
        yield name, str(files.get(name, "preset" if name in PRESETS else "")), problem


class PolicyFile(NamedTuple):
    """An available policy.

    Attributes:
        name: The name of the policy.
        where: The policy's file, or `preset`.
        site: The other site that published the policy; empty for own policies.
        in_force_for: The calls for which the policy is in force.
        problem: Why the policy is unusable; empty if it is usable.
    """

    name: str
    where: str
    site: str
    in_force_for: tuple[str, ...]
    problem: str | Wording


def policy_files(loaded: Loaded, but: Collection[str] = ()) -> list[PolicyFile]:
    """Return all policies, presets first. `but`: names of policies to skip."""
    return [
        PolicyFile(name, where, site_of(name), tuple((used_for if site_of(name) else in_force)(name, loaded)), problem)
        for name, where, problem in known_policies(loaded, but)
    ]


def place_of(name: str, where: str) -> str:
    """Return a text that says where a policy comes from."""
    match = SITE_POLICY.fullmatch(name)
    if match is None:
        return where
    site, which = match["site"], match["which"]
    if which == NEW:
        return f"from {site}, not accepted yet: to accept it, run callsieve policy accept {match['policy']}"
    return (
        f"from {site}, the version that was accepted before the present one"
        if which == OLD
        else f"from {site}, accepted here"
    )


def in_force(name: str, loaded: Loaded) -> list[str]:
    """Return the calls for which the policy is in force: DIDs, trunks and groups, or all other calls."""
    scopes = [scope for scope in loaded.settings.scope if scope.policy == name]
    texts = [
        f"{what} {value}"
        for scope in scopes
        for what, value in (("DID", scope.did), ("trunk", scope.trunk), ("group", scope.group))
        if value is not None
    ]
    if name == running_or_settings(loaded):
        texts.append("all other calls" if loaded.settings.scope else "all calls")
    return texts


def used_for(name: str, loaded: Loaded) -> list[str]:
    """Return the calls for which this policy, or a policy that extends it, is in force."""
    texts = []
    for used in dict.fromkeys((running_or_settings(loaded), *(scope.policy for scope in loaded.settings.scope))):
        with suppress(PolicyError):
            if used == name or name in load_policy(used, loaded.policy_directories).chain:
                texts += in_force(used, loaded)
    return texts


def running_or_settings(loaded: Loaded) -> str:
    """Return the name of the active policy; if it cannot be read, the name of the policy in the settings."""
    try:
        return running_name(loaded)
    except PolicyError:
        return loaded.settings.policy.name


def names_to_check(loaded: Loaded) -> list[str]:
    """Return the names of all policy files and of all policies named in the settings."""
    used = {running_or_settings(loaded), *(scope.policy for scope in loaded.settings.scope)}
    return sorted(used | {name for name, _, _ in known_policies(loaded) if name not in PRESETS})


def all_problems(name: str, loaded: Loaded) -> list[str]:
    """Return every error in a policy's file; empty if the file does not exist."""
    if is_file(name):
        with acting_for(Path(name)):
            file = Path(name) if Path(name).is_file() else None
    else:
        places = [folder / f"{name}.toml" for folder in loaded.policy_directories]
        file = next((path for path in places if path.is_file()), None)
    if file is None:
        return []
    directories = (*loaded.policy_directories, file.parent)
    try:
        text = text_of(file)
    except PolicyError as error:
        return [str(error)]
    _, problems = read_policy(text, file.stem, lambda base: load_policy(base, directories))
    return [f"{file}: {problem}" for problem in problems]


def known_names(loaded: Loaded, db: sqlite3.Connection | None) -> Mapping[str, frozenset[str]]:
    """Return the names that conditions may use, by condition. Without a store, names from imports are missing."""
    settings = loaded.settings
    groups = {person.group for person in settings.person} | {group for did in settings.did for group in did.all_groups}
    known = {
        "trunk": frozenset(trunk.name for trunk in settings.trunk),
        "did": frozenset(did.number for did in dids_of(settings)),
    }
    if db is None:
        return known
    groups |= {person.group for person in all_people(db)} | {group for did in all_dids(db) for group in did.groups}
    listed = frozenset(source.name for source in sources(db))
    return {**known, "callee_group": frozenset(group for group in groups if group), "listed": listed}


# The daemon notices an activation within two seconds, and reports its policy every five.
SETTLED_SECONDS = 10.0
# Before both have passed, nobody knows how the policy affects this office's callers.
FEW_DECISIONS = 500


def policy_loads(context: CheckContext) -> Finding:
    """Check that the policies for the PBX and for DIDs, trunks and groups are usable, and that the daemon uses them."""
    try:
        policies = policies_of(context.loaded)
    except PolicyError as error:
        return fail(error.words, "callsieve policy check")
    policy = policies.default
    if running := _other_policy_of_daemon(context, policy.name):
        differing: Places = {"policy": policy.name, "running": running}
        words = "policy {policy} should be active, but the daemon still uses {running}"
        return warn(Wording(words, differing), "systemctl reload callsieve")
    named: str | Wording = policy.name
    if policies.scopes:
        parts: Places = {"policy": policy.name, "count": len(policies.scopes)}
        named = Wording("{policy}, and {count} other policies for certain DIDs, trunks or groups", parts)
    return ok(Wording("{policy}: only observes, so it changes no call", {"policy": named}) if policy.observe else named)


def _other_policy_of_daemon(context: CheckContext, policy: str) -> str:
    """Return the policy that the daemon uses instead of `policy`.

    Empty if the daemon uses `policy`, or if it had no time yet to reload.
    """
    telemetry = context.fresh_telemetry
    if telemetry is None or telemetry.policy == policy:
        return ""
    files = (context.loaded.settings_file, pointer_file(context.loaded))
    changed_at = max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
    return telemetry.policy if telemetry.at > changed_at + SETTLED_SECONDS else ""


def may_act(context: CheckContext) -> Finding:
    """Check that many calls, or calls of several days, were decided before the active policy changes calls."""
    acting = context.acting_policies
    if not acting:
        return ok(Wording("the active policy only observes, so it changes no call"))
    return context.judge_store(lambda db, now: _judged_age(db, now, acting[0].name))


def _judged_age(db: sqlite3.Connection, now: float, policy: str) -> Finding:
    first, count = first_decision(db, FEW_DECISIONS)
    if count < FEW_DECISIONS and (first is None or now - first < OBSERVE_SECONDS):
        about: Places = {"policy": policy, "count": count, "days": OBSERVE_SECONDS / DAY_SECONDS}
        return warn(
            Wording("{policy} already changes calls, after only {count} decisions in less than {days:.0f} days", about),
            Wording(
                'first set `name = "observe"` in [policy]; `callsieve summary` then shows what would have happened'
            ),
        )
    return ok(
        Wording(
            "{policy} changes calls, and {count} or more decisions are recorded", {"policy": policy, "count": count}
        )
    )


def takes_stopped_calls(context: CheckContext) -> Finding:
    """Check that there is a destination for routed calls and for callers who fail a challenge."""
    acting = context.acting_policies
    if not any(map(stops_calls, acting)) and not (acting and _has_stopping_entry(context)):
        return ok(Wording("no active policy or list entry challenges or routes calls"))
    if route := context.loaded.settings.actions.route:
        return _judged_route(context, route)
    settings = dids_of(context.loaded.settings)
    boxes = mailboxes_in(context.ask("voicemail show users"))
    if not context.loaded.store_path.exists():
        return _judged_boxes(context, settings, boxes)

    def judge(db: sqlite3.Connection, _now: float) -> Finding:
        return _judged_boxes(context, [*all_dids(db), *settings], boxes)

    return context.judge_store(judge)


def _has_stopping_entry(context: CheckContext) -> bool:
    return context.read_store(lambda db: has_entry_with(db, STOPPING_WORDS, context.now), default=False)


def _judged_route(context: CheckContext, route: str) -> Finding:
    dialplan_context, extension, _ = route.split(",")
    if dialplan_in(context.ask(f"dialplan show {extension}@{dialplan_context}")).steps:
        return ok(route)
    return warn(
        Wording(
            "{route} is not in the dialplan: a routed call keeps ringing, a failed challenge is rejected",
            {"route": route},
        ),
        Wording("correct [actions] route, or add this extension to the dialplan"),
    )


def _judged_boxes(context: CheckContext, dids: Iterable[Did], boxes: frozenset[str]) -> Finding:
    screened = {did.number: did for did in dids if did.screen}
    without = sorted(number for number, did in screened.items() if did.callee not in boxes)
    if screened and not without:
        return ok(Wording("the callee of each [[did]] has a voicemail box; calls to other DIDs have no voicemail box"))
    which = and_more(Wording(without[0]), len(without) - 1) if without else Wording("no [[did]] is known")
    return warn(
        Wording(
            "no destination for stopped calls ({which}): a routed call keeps ringing, a failed challenge is rejected",
            {"which": which},
        ),
        REMEDY_ON_FREEPBX if context.is_freepbx else REMEDY,
    )


CHECKS = (
    HealthCheck(place=250, name="policy", find=policy_loads, is_quick=True),
    HealthCheck(place=260, name="stopped calls", find=takes_stopped_calls),
    HealthCheck(place=270, name="first days", find=may_act),
)

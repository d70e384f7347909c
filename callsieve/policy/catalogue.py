"""Which policies there are and where, for `callsieve policy` and the console: presets, and files here and there."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from callsieve.calls.first_run import OBSERVE_SECONDS
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, and_more, fail, ok, warn
from callsieve.pbx.cli_output import dialplan_in, mailboxes_in
from callsieve.policy.records import REMEDY, REMEDY_ON_FREEPBX, STOPPING_WORDS, stops_calls
from callsieve.policy_selection import is_file, policy_called, running_name, text_of
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


def policies_there(loaded: Loaded, but: Collection[str] = ()) -> Iterator[tuple[str, str, str]]:
    """Name, where it is, and what is wrong with it; presets first. `but`: not these."""
    files = {path.stem: path for folder in reversed(loaded.policy_directories) for path in folder.glob("*.toml")}
    used = {running_or_settings(loaded), *(scope.policy for scope in loaded.settings.scope)}
    for name in (*PRESETS, *sorted({*files, *used} - {*PRESETS, *but})):
        problem = ""
        try:
            policy_called(name, loaded)
        except PolicyError as error:
            problem = str(error)
        yield name, str(files.get(name, "preset" if name in PRESETS else "")), problem


class PolicyFile(NamedTuple):
    """A policy that there is.

    Attributes:
        name: Its name.
        where: Its file, or `preset`.
        site: The other site that published it; empty for ours.
        in_force_for: The calls that it is in force for.
        problem: Why it cannot be used; empty where it can.
    """

    name: str
    where: str
    site: str
    in_force_for: tuple[str, ...]
    problem: str


def policy_files(loaded: Loaded, but: Collection[str] = ()) -> list[PolicyFile]:
    """Return all policies, presets first, but not those of `but`."""
    return [
        PolicyFile(name, where, site_of(name), tuple((used_for if site_of(name) else in_force)(name, loaded)), problem)
        for name, where, problem in policies_there(loaded, but)
    ]


def place_of(name: str, where: str) -> str:
    """Where a policy is, for people: of one of another site which, and what of it."""
    found = SITE_POLICY.fullmatch(name)
    if found is None:
        return where
    site, which = found["site"], found["which"]
    if which == NEW:
        return f"of {site}, not accepted yet: callsieve policy accept {found['policy']}"
    return f"of {site}, as it was before it was accepted last" if which == OLD else f"of {site}, accepted here"


def in_force(name: str, loaded: Loaded) -> list[str]:
    """The scopes that the policy is in force for; `all other calls` for the policy of the PBX."""
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
    """The same, and the scopes of policies that build on it."""
    found = []
    for one in dict.fromkeys((running_or_settings(loaded), *(scope.policy for scope in loaded.settings.scope))):
        with suppress(PolicyError):
            if one == name or name in load_policy(one, loaded.policy_directories).chain:
                found += in_force(one, loaded)
    return found


def running_or_settings(loaded: Loaded) -> str:
    """As far as it can be told: where it cannot, `check` and `doctor` say so."""
    try:
        return running_name(loaded)
    except PolicyError:
        return loaded.settings.policy.name


def names_to_check(loaded: Loaded) -> list[str]:
    """All files, and what the settings name."""
    used = {running_or_settings(loaded), *(scope.policy for scope in loaded.settings.scope)}
    return sorted(used | {name for name, _, _ in policies_there(loaded) if name not in PRESETS})


def all_problems(name: str, loaded: Loaded) -> list[str]:
    """Everything that is wrong with the file of a policy; nothing when there is no such file."""
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
    """What conditions may name; sources and groups only as far as the store can be asked."""
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


# Until both have passed nobody knows what the policy does to this office's callers.
FEW_DECISIONS = 500


def policy_loads(context: CheckContext) -> Finding:
    """The policy, and those of its scopes, can be used."""
    try:
        policies = policies_of(context.loaded)
    except PolicyError as error:
        return fail(str(error), "callsieve policy check")
    policy = policies.default
    named: str | Wording = policy.name
    if policies.scopes:
        parts: Places = {"policy": policy.name, "count": len(policies.scopes)}
        named = Wording("{policy}, and {count} for parts of the calls", parts)
    return ok(Wording("{policy}: observes, never acts", {"policy": named}) if policy.observe else named)


def may_act(context: CheckContext) -> Finding:
    """A policy that does more than observe has seen enough calls here."""
    acting = context.acting_policies
    if not acting:
        return ok(Wording("observes only"))
    return context.judge_store(lambda db, now: _judged_age(db, now, acting[0].name))


def _judged_age(db: sqlite3.Connection, now: float, policy: str) -> Finding:
    first, count = first_decision(db, FEW_DECISIONS)
    if count < FEW_DECISIONS and (first is None or now - first < OBSERVE_SECONDS):
        about: Places = {"policy": policy, "count": count, "days": OBSERVE_SECONDS / DAY_SECONDS}
        return warn(
            Wording("{policy} acts already: only {count} decisions, none older than {days:.0f} days", about),
            Wording('set [policy] name = "observe" first; callsieve summary then says what would have happened'),
        )
    return ok(Wording("{policy} acts, after {count} decisions or more", {"policy": policy, "count": count}))


def takes_stopped_calls(context: CheckContext) -> Finding:
    """Calls that are routed, or fail a challenge, have somewhere to go."""
    acting = context.acting_policies
    if not any(map(stops_calls, acting)) and not (acting and _has_stopping_entry(context)):
        return ok(Wording("no policy or list entry in force challenges or routes calls"))
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
    """Whether a list entry challenges or routes calls. False if the store cannot be read: its own check says so."""
    return context.read_store(lambda db: has_entry_with(db, STOPPING_WORDS, context.now), default=False)


def _judged_route(context: CheckContext, route: str) -> Finding:
    dialplan_context, extension, _ = route.split(",")
    if dialplan_in(context.ask(f"dialplan show {extension}@{dialplan_context}")).steps:
        return ok(route)
    return warn(
        Wording(
            "{route} is not in the dialplan: a routed call rings on, a failed challenge is turned away",
            {"route": route},
        ),
        Wording("correct [actions] route, or add it to the dialplan"),
    )


def _judged_boxes(context: CheckContext, dids: Iterable[Did], boxes: frozenset[str]) -> Finding:
    """`dids`: of two with the same number the later one counts."""
    screened = {did.number: did for did in dids if did.screen}
    without = sorted(number for number, did in screened.items() if did.callee not in boxes)
    if screened and not without:
        return ok(Wording("the callee of each [[did]] has a voicemail box; other numbers have none"))
    which = and_more(Wording(without[0]), len(without) - 1) if without else Wording("no [[did]] is known")
    return warn(
        Wording(
            "no place for stopped calls ({which}): a routed call rings on, a failed challenge is turned away",
            {"which": which},
        ),
        REMEDY_ON_FREEPBX if context.is_freepbx else REMEDY,
    )


CHECKS = (
    HealthCheck(place=250, name="policy", find=policy_loads, is_quick=True),
    HealthCheck(place=260, name="stopped calls", find=takes_stopped_calls),
    HealthCheck(place=270, name="first days", find=may_act),
)

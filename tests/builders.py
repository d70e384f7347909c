"""Builders: each makes one value of the field and hides what a test does not care about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agi.protocol import Request, parse_request
from agi.screening import Screening
from agi.site import Site, Trunk
from policies.cases import Trial, read_trials
from policies.decision import IncomingCall
from policies.loader import load_policy, parse_policy
from policies.policy import Policy, PolicySet
from reputation.appeals import KeyedCode
from reputation.facts import Facts, FactsQuery
from reputation.families.block import LISTED, block_of
from reputation.feature_codes import LastCall
from reputation.model import (
    Attestation,
    AuthClass,
    CallerKind,
    ChallengeResult,
    DecisionRecord,
    Did,
    EntryKind,
    Family,
    FirstCall,
    Identity,
    Imported,
    Level,
    ListEntry,
    ListName,
    Person,
    PersonalTie,
    Reputation,
    Tie,
    Verification,
)
from reputation.numbers import Number
from reputation.own.outbound_types import OutboundFacts, OutboundQuery, OutboundRecord
from reputation.plan.rows import PlanRow, PlanSource, Purpose
from reputation.scoring import level_at
from reputation.weights import DEFAULT

NOW = 1_767_258_007.0  # 2026-01-01 09:00:07 UTC, a Thursday
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

CALLER = "+12017421834"  # a fixed or mobile line in New Jersey
PREMIUM = "+19002345678"
LONDON = "+442071838750"  # our number
SERVICE = "+8695588"  # the key of a bank's service number in China, which is dialled as 95588

# Callers without a number, by kind, as the network wrote them.
RAW_BY_KIND = {
    CallerKind.WITHHELD: "anonymous",
    CallerKind.INVALID: "1&PJSIP/trunk",
    CallerKind.INTERNAL: "201",
    CallerKind.EMERGENCY: "911",
}


def make_caller(number: str | None = CALLER, kind: CallerKind = CallerKind.WITHHELD) -> Number:
    """A caller by number; without one, of a kind."""
    if number is None:
        return Number(None, RAW_BY_KIND[kind], kind)
    return Number(number, number, CallerKind.SERVICE if number == SERVICE else CallerKind.NUMBER)


def make_call(
    number: str | None = CALLER,
    *,
    kind: CallerKind = CallerKind.WITHHELD,
    did: str | None = LONDON,
    trunk: str | None = "carrier",
    trusted: bool = False,
    attestation: Attestation = Attestation.NONE,
    verification: Verification = Verification.NONE,
    priority_callback: bool = False,
    diverted_from: str | None = None,
    name: str | None = "",
) -> IncomingCall:
    """A call over the carrier's trunk; `kind` counts for a caller without a number."""
    return IncomingCall(
        linkedid="1767258007.1",
        caller=make_caller(number, kind),
        did=did,
        trunk=trunk,
        trusted=trusted,
        attestation=attestation,
        verification=verification,
        priority_callback=priority_callback,
        diverted_from=diverted_from,
        name=name,
    )


def make_signed_call(number: str | None = CALLER) -> IncomingCall:
    """A call that the network vouches for."""
    return make_call(number, attestation=Attestation.A, verification=Verification.PASSED)


def make_person(extension: str = "201", group: str | None = "sales") -> Person:
    """Return a person with the default endpoint of the extension."""
    return Person(extension, f"PJSIP/{extension}", group)


def make_did(number: str = LONDON, group: str | None = None, *others: str, screen: bool = True) -> Did:
    """Return a DID of one group or several."""
    return Did(number, (group, *others) if group else (), screen=screen)


def make_tie(
    tie: Tie, person: str | None = "201", group: str | None = "sales", *, endpoint: str | None = ""
) -> PersonalTie:
    """A tie of one of our people to the caller; `person` None for a contact of the company."""
    if person is None:
        return PersonalTie(tie, None)
    return PersonalTie(tie, person, group, f"PJSIP/{person}" if endpoint == "" else endpoint)


def make_entry(list_name: ListName, first: str = CALLER, action: str | None = None) -> ListEntry:
    """An administrator's entry; a trailing `*` makes it a prefix."""
    if first.endswith("*"):
        return ListEntry(list_name, EntryKind.PREFIX, first[:-1], action=action)
    return ListEntry(list_name, EntryKind.EXACT, first, action=action)


def allowed(action: str | None = None) -> ListEntry:
    """The caller on the administrator's allowlist."""
    return make_entry(ListName.ALLOW, action=action)


def blocked(action: str | None = None) -> ListEntry:
    """The caller on the administrator's blocklist."""
    return make_entry(ListName.BLOCK, action=action)


def make_identity(level: int = 2, name: str = "Acme Bank") -> Identity:
    """Return an identity of the caller's number."""
    return Identity(CALLER, name, level, expires_at=NOW + 365 * DAY)


def make_plan_row(
    purpose: Purpose = Purpose.TELEMARKETING, *, prefix: str = CALLER, law: bool = False, evidence: bool = True
) -> PlanRow:
    """Return the row of a numbering plan for the caller's range."""
    source = PlanSource("regulator", "The regulator", "https://example.org/plan", date(2026, 1, 1))
    return PlanRow("US", prefix, purpose, source=source, law=source if law else None, is_evidence=evidence)


def make_imported(source: str = "ftc", verdict: str = "spam", category: str | None = None) -> Imported:
    """The caller's number as an imported source lists it."""
    return Imported(source, verdict, category)


def make_reputation(log_odds: float = 0.0, level: Level | None = None, besides: tuple[Family, ...] = ()) -> Reputation:
    """A reputation; its level follows the log-odds unless it is given. `besides`: families that do not count."""
    families = (*((Family("marks", log_odds, (("reporters", 2),)),) if log_odds else ()), *besides)
    return Reputation(log_odds, level_at(log_odds, DEFAULT.levels) if level is None else level, families)


def make_facts(
    log_odds: float = 0.0,
    *,
    level: Level | None = None,
    did: Did | None = None,
    callee: Person | None = None,
    caller_person: Person | None = None,
    allow: ListEntry | None = None,
    block: ListEntry | None = None,
    ties: Iterable[PersonalTie] = (),
    identity: Identity | None = None,
    imported: Iterable[Imported] = (),
    passed_until: float | None = None,
    passed_at: float | None = None,
    dialled_at: float | None = None,
    is_company_known: bool = False,
    emergency_at: float | None = None,
    emergency_closed_at: float | None = None,
    own_number: bool = False,
    quiet: Iterable[Person] = (),
    plan: PlanRow | None = None,
    recent_calls: Iterable[float] = (),
    recent_block_calls: Iterable[float] = (),
    recent_dids: Iterable[str] = (),
    first_call: FirstCall | None = None,
    bad_neighbours: int | None = None,
) -> Facts:
    """Return the facts of a call, empty except for the arguments."""
    return Facts(
        did=did,
        callee=callee,
        caller_person=caller_person,
        allow=allow,
        block=block,
        ties=tuple(ties),
        identity=identity,
        imported=tuple(imported),
        passed_until=passed_until,
        passed_at=passed_at,
        dialled_at=dialled_at,
        is_company_known=is_company_known,
        emergency_at=emergency_at,
        emergency_closed_at=emergency_closed_at,
        own_number=own_number,
        quiet=tuple(quiet),
        reputation=make_reputation(log_odds, level, families_near(bad_neighbours or 0)),
        plan=plan,
        recent_calls=tuple(recent_calls),
        recent_block_calls=tuple(recent_block_calls),
        recent_dids=tuple(recent_dids),
        first_call=first_call,
        is_storm=first_call is not None and first_call.is_storm(DEFAULT.outside.storm),
    )


def families_near(bad_numbers: int) -> tuple[Family, ...]:
    """Return the evidence of a block with so many listed numbers."""
    found = block_of(LISTED, bad_numbers, DEFAULT.block)
    return () if found is None else (found,)


def make_policy(text: str = "", name: str = "house") -> Policy:
    """A policy from its TOML; `extends` finds the presets."""
    return parse_policy(text, name, f"{name}.toml", load_policy)


def trials_of(text: str, region: str = "US") -> tuple[Trial, ...]:
    """Return the cases of a file, which must be valid."""
    trials, problems = read_trials(text, region)
    assert problems == []
    return trials


def policy_ordering(action: str, *, observe: bool = False) -> Policy:
    """Return a policy with the same action for every call."""
    return make_policy(f'default = "{action}"\nobserve = {str(observe).lower()}')


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Memory:
    """The store for screening (`agi.screening.Knowledge`) in memory. Keeps all queries and records.

    `failure` is raised by every read; `reads_take` is turned on `clock` by each of them.
    """

    clock: Clock
    facts_now: Facts = field(default_factory=make_facts)
    failure: BaseException | None = None
    reads_take: float = 0.0
    queries: list[FactsQuery] = field(default_factory=list)
    give_up_at: list[float] = field(default_factory=list)
    emergencies: list[float] = field(default_factory=list)
    passes: list[tuple[str, AuthClass, float]] = field(default_factory=list)
    challenges: list[tuple[str, ChallengeResult]] = field(default_factory=list)
    codes: list[tuple[str, str, float]] = field(default_factory=list)
    keyed: list[tuple[str, str, float]] = field(default_factory=list)
    right_code: str = ""
    word_for_codes: str = "marked"
    explained: list[tuple[str, float]] = field(default_factory=list)
    passcode: str | None = "40815162"
    passcode_until: float = 0.0
    last: LastCall | None = None
    decisions: list[DecisionRecord] = field(default_factory=list)
    outbound_now: OutboundFacts = field(default_factory=OutboundFacts)
    outbound_queries: list[OutboundQuery] = field(default_factory=list)
    outbound: list[OutboundRecord] = field(default_factory=list)

    async def facts(self, query: FactsQuery, give_up_at: float) -> Facts:
        self.queries.append(query)
        self.give_up_at.append(give_up_at)
        self.clock.now += self.reads_take
        if self.failure is not None:
            raise self.failure
        return self.facts_now

    async def record_emergency(self, at: float, who: str = "Asterisk") -> None:
        self.emergencies.append(at)

    async def record_challenge(
        self, linkedid: str, number: str | None, auth_class: AuthClass, result: ChallengeResult, at: float
    ) -> None:
        self.challenges.append((linkedid, result))
        if number is not None and result is ChallengeResult.PASSED:
            self.passes.append((number, auth_class, at))

    async def apply_feature_code(self, endpoint: str, code: str, at: float, give_up_at: float) -> str:
        self.codes.append((endpoint, code, at))
        return self.word_for_codes

    async def prove_by_call(self, keyed: KeyedCode, at: float, give_up_at: float) -> bool:
        self.keyed.append((keyed.number, keyed.code, at))
        return keyed.code == self.right_code

    async def last_call(self, endpoint: str, now: float) -> LastCall | None:
        self.explained.append((endpoint, now))
        return self.last

    async def make_passcode(self, endpoint: str, at: float, give_up_at: float) -> str | None:
        self.passcode_until = give_up_at
        return self.passcode

    async def outbound_facts(self, query: OutboundQuery, give_up_at: float) -> OutboundFacts:
        self.outbound_queries.append(query)
        self.clock.now += self.reads_take
        if self.failure is not None:
            raise self.failure
        return self.outbound_now

    def record_outbound(self, record: OutboundRecord) -> None:
        self.outbound.append(record)

    def record_decision(self, record: DecisionRecord) -> None:
        self.decisions.append(record)


CARRIER = Trunk("carrier", "PJSIP/carrier-*", "US")
BACKBONE = Trunk("backbone", "PJSIP/backbone-*", "GB", trusted=True, reject="607")


def make_site(**more: Any) -> Site:
    """A PBX in the US with an untrusted trunk and a trusted one."""
    return Site("US", (CARRIER, BACKBONE), **more)


def make_screening(
    memory: Memory, policies: Policy | PolicySet | None = None, *, site: Site | None = None
) -> Screening:
    """Screening by the memory's clock; decisions are called D1, D2 and so on."""
    if policies is None:
        policies = load_policy("strict")
    ids = iter(range(1, 1_000_000))
    return Screening(
        site=site or make_site(),
        policies=policies if isinstance(policies, PolicySet) else PolicySet(policies),
        knowledge=memory,
        new_id=lambda: f"D{next(ids)}",
        deadline_seconds=0.4,
        wall_clock=memory.clock,
        monotonic=memory.clock,
    )


# The header of every request of Asterisk 22, in its order; "unknown" means no value.
HEADER = {
    "agi_network": "yes",
    "agi_network_script": "screen",
    "agi_request": "agi://127.0.0.1/screen",
    "agi_channel": "PJSIP/carrier-00000001",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "1767258007.12",
    "agi_version": "22.10.1",
    "agi_callerid": CALLER,
    "agi_calleridname": "unknown",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "442071838750",
    "agi_rdnis": "unknown",
    "agi_context": "from-carrier",
    "agi_extension": "442071838750",
    "agi_priority": "2",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140244",
}


def make_request(path: str = "screen", arguments: str = "did=+442071838750", /, **header: str) -> Request:
    """A request as the dialplan makes it: `AGI(agi://127.0.0.1/PATH,ARGUMENTS)`. Header fields without `agi_`."""
    lines = HEADER | {"agi_network_script": path} | {f"agi_{name}": value for name, value in header.items()}
    given = [f"agi_arg_{count}: {text}" for count, text in enumerate(arguments.split(","), start=1) if text]
    return parse_request("\n".join([*(f"{name}: {value}" for name, value in lines.items()), *given]))

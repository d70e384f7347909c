"""The types of what we know: callers, people, lists, evidence, and the facts of one call in one value.

Everything that is stored or read is one of these. Instants are UTC seconds (`at`), numbers are E.164 text
with a leading `+`. All values are immutable; the store makes them, `policies` only reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class CallerKind(StrEnum):
    """What the network's caller text turned out to be. Only NUMBER has an E.164 form and a reputation."""

    NUMBER = "number"
    WITHHELD = "withheld"
    INVALID = "invalid"
    INTERNAL = "internal"
    EMERGENCY = "emergency"
    SHORT_CODE = "short-code"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the network *says* is calling: untrusted. `raw` is bounded to 64 printable characters."""

    e164: str | None
    raw: str
    kind: CallerKind


class Attestation(StrEnum):
    """SHAKEN attestation level (RFC 8588): what the signing carrier vouches for; not whether it was checked."""

    A = "A"
    B = "B"
    C = "C"
    NONE = "none"


class Verification(StrEnum):
    """Outcome of checking the signature (RFC 8224)."""

    PASSED = "passed"
    FAILED = "failed"
    NONE = "none"


class AuthClass(StrEnum):
    """Evidence is kept per class, so that a spoofer cannot spend the owner's name."""

    AUTHENTICATED = "authenticated"
    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN = "unknown"


def auth_class_of(attestation: Attestation, verification: Verification, trusted: bool) -> AuthClass:
    """The class of a call. A failed verification outweighs a trusted trunk; A counts only when verified."""
    if verification is Verification.FAILED:
        return AuthClass.UNAUTHENTICATED
    if trusted or (attestation is Attestation.A and verification is Verification.PASSED):
        return AuthClass.AUTHENTICATED
    if attestation is Attestation.NONE:
        return AuthClass.UNKNOWN
    return AuthClass.UNAUTHENTICATED


class Level(IntEnum):
    """What the log-odds alone would justify, weakest first."""

    NONE = 0
    TAG = 1
    WARN = 2
    CHALLENGE = 3
    ROUTE = 4
    REJECT = 5

    @property
    def word(self) -> str:
        """The word used in policies, the journal and on screens."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Family:
    """One family of evidence: its bounded log-odds and the counts behind it."""

    name: str
    log_odds: float
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Reputation:
    """Natural log-odds, relative to an average caller, that a call is unwanted. Not a probability."""

    log_odds: float = 0.0
    level: Level = Level.NONE
    families: tuple[Family, ...] = ()

    @property
    def points(self) -> int:
        """Log-odds as people see them: ten points more are ten times the odds (4.34 = 10 / ln 10)."""
        return round(4.34 * self.log_odds)


class ListName(StrEnum):
    """An administrator's list, or a person's own."""

    ALLOW = "allow"
    BLOCK = "block"


class EntryKind(StrEnum):
    """How an entry matches: one number, all numbers that start so, or all numbers between two."""

    EXACT = "exact"
    PREFIX = "prefix"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry of an administrator's list. `first`: number or prefix; `last`: end of a range, else None.

    `action` is the word of a policies.Action; None means reject on the blocklist, allow on the allowlist.
    """

    list_name: ListName
    kind: EntryKind
    first: str
    last: str | None = None
    action: str | None = None
    note: str = ""
    expires_at: float | None = None
    added_at: float = 0.0

    @property
    def text(self) -> str:
        """The entry as it is typed: `+12015550123`, `+1900*` or `+12015550100-+12015550199`."""
        if self.kind is EntryKind.PREFIX:
            return f"{self.first}*"
        return f"{self.first}-{self.last}" if self.kind is EntryKind.RANGE else self.first


@dataclass(frozen=True, slots=True)
class Person:
    """Someone of ours. `extension` is the key; `endpoint` as Asterisk names it (`PJSIP/201`)."""

    extension: str
    endpoint: str | None = None
    group: str | None = None
    language: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Did:
    """Our number that the caller dialled. `screen` is False for fax, alarm and lift lines."""

    number: str
    group: str | None = None
    callee: str | None = None
    screen: bool = True


class Tie(StrEnum):
    """Why one of our people is tied to a caller."""

    ALLOW = "allow"  # on the person's own allowlist
    BLOCK = "block"  # on the person's own blocklist
    EXPECTED = "expected"  # the person said "I expect a call"
    CONTACT = "contact"  # in the person's (or, with no person, everybody's) contacts


@dataclass(frozen=True, slots=True)
class PersonalTie:
    """One tie between a caller and one of ours. `person` is an extension, None for a company contact."""

    tie: Tie
    person: str | None
    group: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A number as one imported source lists it. `verdict` is spam or ok."""

    source: str
    verdict: str
    category: str | None = None
    name: str | None = None
    note: str | None = None
    imported_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a number belongs to, and how well that is proven (stored level 1 or 2)."""

    number: str
    name: str
    level: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that we know about one call, read at one instant.

    `caller_person`: the channel is the endpoint of one of our own people. `recent_calls` are the instants of
    earlier calls of the number within the hour, `recent_block_calls` those of its block of 1000 numbers.
    """

    did: Did | None = None
    callee: Person | None = None
    caller_person: Person | None = None
    allow: ListEntry | None = None
    block: ListEntry | None = None
    ties: tuple[PersonalTie, ...] = ()
    identity: Identity | None = None
    imported: tuple[Imported, ...] = ()
    challenge_passed_at: float | None = None
    emergency_at: float | None = None
    own_number: bool = False
    reputation: Reputation = field(default_factory=Reputation)
    recent_calls: tuple[float, ...] = ()
    recent_block_calls: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class FactsQuery:
    """What the one read of the hot path asks for.

    `number` is None for a caller without a number; `channel_endpoint` is where the call comes from, `endpoint`
    the phone it is for, where that is known (else the DID's own callee counts).
    """

    number: str | None
    auth_class: AuthClass
    did: str | None
    now: float
    endpoint: str | None = None
    channel_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision as the journal keeps it. `would_be` differs from `action` in observe mode only.

    `vector` is the evidence by family, as JSON text; `elapsed_ms` from the request's last byte to the answer.
    """

    id: str
    at: float
    linkedid: str
    caller: str | None
    caller_kind: CallerKind
    auth_class: AuthClass
    did: str | None
    trunk: str | None
    callee: str | None
    action: str
    would_be: str
    rule: str
    reason: str
    level: str
    log_odds: float
    vector: str
    policy: str
    elapsed_ms: float

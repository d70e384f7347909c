"""The types of what we know: callers, people, lists, evidence, and the facts of one call in one value.

Everything that is stored or read is one of these. Instants are UTC seconds (`at`), numbers are E.164 text
with a leading `+`. All values are immutable; the store makes them, `policies` only reads them. What is
made for every call is a tuple: it takes a fifth of the time that a frozen dataclass does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import product
from typing import Annotated, NamedTuple

from msgspec import Meta

from reputation.columns import NAMED, ORIGIN, Column, Key, Own
from reputation.encoding import Instant, told
from reputation.wording import Wording

# The word of a policies.Action.
ActionWord = Annotated[
    str,
    Meta(max_length=20, extra_json_schema={"enum": ["allow", "tag", "warn", "challenge", "route", "reject"]}),
]


class CallerKind(StrEnum):
    """What the network's caller text turned out to be. NUMBER and SERVICE have a key and a reputation, others neither.

    SERVICE: a national service number without an E.164 form; its key is `+`, calling code and digits (`+8695588`).
    """

    NUMBER = "number"
    WITHHELD = "withheld"
    INVALID = "invalid"
    INTERNAL = "internal"
    EMERGENCY = "emergency"
    SERVICE = "service"


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
    return _AUTH_CLASS_OF[attestation, verification, trusted]


def _auth_class_of(attestation: Attestation, verification: Verification, trusted: bool) -> AuthClass:
    if verification is Verification.FAILED:
        return AuthClass.UNAUTHENTICATED
    if trusted or (attestation is Attestation.A and verification is Verification.PASSED):
        return AuthClass.AUTHENTICATED
    if attestation is Attestation.NONE:
        return AuthClass.UNKNOWN
    return AuthClass.UNAUTHENTICATED


_AUTH_CLASS_OF = {of: _auth_class_of(*of) for of in product(Attestation, Verification, (False, True))}


class Level(IntEnum):
    """What the log-odds alone would justify, weakest first. `word`: in policies, the journal and on screens."""

    word: str

    NONE = 0
    TAG = 1
    WARN = 2
    CHALLENGE = 3
    ROUTE = 4
    REJECT = 5


for _level in Level:  # once: a property would make the text anew for every call
    _level.word = _level._name_.lower()


class Family(NamedTuple):
    """One family of evidence: its bounded log-odds and the counts behind it."""

    name: str
    log_odds: float
    counts: tuple[tuple[str, int], ...] = ()


class Happening(StrEnum):
    """What can happen to a number that would make its level lower, or higher. The journal keeps the codes."""

    ANSWERED = "10 more people answer and do not mark it"
    CALLED_BACK = "one of us calls it back and talks for 30 s"
    PASSED = "it presses the digit when it is asked"
    UNLISTED = "no imported source lists it any more"
    UNLISTED_BY_PEERS = "no other company lists it any more"
    VERIFIED = "its owner is verified"
    UPHELD = "an appeal is upheld"
    # What would make it higher.
    WITNESSED = "marks or hang-ups by {n} more of our people"
    LISTED = "one more source outside lists it as spam"
    FAILED = "it fails a challenge"
    LISTED_AND_FAILED = "one more source outside lists it as spam, and it fails a challenge"

    @property
    def code(self) -> str:
        """`called-back`."""
        return self._name_.lower().replace("_", "-")


class Witnesses(NamedTuple):
    """How many of our people and of other sites have something against a number, and how many a label and a challenge
    take. Another site is one, whoever has told it there.

    `seen` is not counted beyond the most that any office needs.
    """

    seen: int
    label: int
    challenge: int


class LevelChange(NamedTuple):
    """Something that would make a level lower or higher, and what the reputation would be then. `people`: how many it
    takes, where it takes people.
    """

    what: Happening
    level: Level
    log_odds: float
    people: int = 0

    @property
    def words(self) -> Wording:
        """`marks or hang-ups by 5 more of our people`."""
        return Wording(self.what.value, {"n": self.people} if self.people else {})


class Reputation(NamedTuple):
    """Natural log-odds, relative to an average caller, that a call is unwanted. Not a probability.

    `would_change` is filled where the level is above none and somebody may ask why (reputation/explaining.py),
    `would_raise` where somebody does ask.
    `appeal`: the reference of the number's appeal that is in force. `witnesses`: how many have something against
    the number, where any have.
    """

    log_odds: float = 0.0
    level: Level = Level.NONE
    families: tuple[Family, ...] = ()
    would_change: tuple[LevelChange, ...] = ()
    appeal: str | None = None
    witnesses: Witnesses | None = None
    would_raise: tuple[LevelChange, ...] = ()

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
    """One entry of an administrator's list.

    Attributes:
        first: The number, the prefix, or the beginning of the range.
        last: The end of a range, else null.
        action: What is done with a call that it matches; null: reject on the blocklist, allow on the allowlist.
        expires_at: When it stops to count, null for never.
    """

    list_name: Annotated[ListName, Key(1), Column("list")]
    kind: Annotated[EntryKind, Key(2)]
    first: str
    last: Annotated[str | None, Key(3)] = None
    action: ActionWord | None = None
    note: str = ""
    expires_at: Instant | None = None
    added_at: Instant = 0.0

    @property
    @told
    def text(self) -> str:
        """The entry as it is typed: `+12015550123`, `+1900*` or `+12015550100-+12015550199`."""
        if self.kind is EntryKind.PREFIX:
            return f"{self.first}*"
        return f"{self.first}-{self.last}" if self.kind is EntryKind.RANGE else self.first


@dataclass(frozen=True, slots=True)
class Person:
    """Someone of ours. `extension` is the key; `endpoint` as Asterisk names it (`PJSIP/201`)."""

    extension: Annotated[str, Key()]
    endpoint: str | None = None
    group: Annotated[str | None, Column("grp")] = None
    language: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Did:
    """Our number that the caller dialled. `screen` is False for fax, alarm and lift lines.

    `groups`: of whom its calls may reach; empty: everybody. None has a comma in its name.
    """

    number: str
    groups: Annotated[tuple[str, ...], Column("grp")] = ()
    callee: str | None = None
    screen: bool = True


class Wish(StrEnum):
    """What a person has chosen for all calls that ring the phone."""

    NO_WHISPER = "no-whisper"  # no spoken warning before a warned call
    QUIET = "quiet-hours"  # at these hours strangers do not ring the phone


class Tie(StrEnum):
    """Why one of our people is tied to a caller."""

    ALLOW = "allow"  # on the person's own allowlist
    BLOCK = "block"  # on the person's own blocklist
    EXPECTED = "expected"  # the person said "I expect a call"
    CONTACT = "contact"  # in the person's (or, with no person, everybody's) contacts
    TALKED = "talked"  # the person called the number and talked for 30 s or more
    NOT_SPAM = "not-spam"  # the person said so of the number


class PersonalTie(NamedTuple):
    """One tie between a caller and one of ours. `person` is an extension, None for a company contact.

    `at` is set for TALKED, when the latest such talk ended, and for NOT_SPAM, when it was said.
    """

    tie: Tie
    person: str | None
    group: str | None = None
    endpoint: str | None = None
    at: float | None = None


class Imported(NamedTuple):
    """A number as one imported source lists it. `verdict` is spam or ok. `is_feed`: somebody outside keeps it up to
    date; what an administrator imported by hand is not, nor is what we report our own marks to. `looked_up`: the source
    was asked about this one number.
    """

    source: str
    verdict: str
    category: str | None = None
    name: str | None = None
    note: str | None = None
    imported_at: float = 0.0
    is_feed: bool = True
    looked_up: bool = False


class PeerWord(NamedTuple):
    """What another company publishes of a number. `weight`: what its word weighs, up to 1.

    `is_cleared`: an appeal was upheld there; then there is nothing but `last_week`. Else `level` is by its own people's
    evidence, and `witnesses` and `answered` are at least so many people. Weeks begin on Mondays; 0 is that of 1970.
    """

    peer: str
    weight: float = 1.0
    is_cleared: bool = False
    level: Level = Level.NONE
    witnesses: int = 0
    answered: int = 0
    first_week: int = 0
    last_week: int = 0
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a number belongs to, and how well that is proven.

    Attributes:
        level: 1: somebody controls the number, 2: the name is proven.
        note: How it was proven; decisions go without.
    """

    number: str
    name: str
    level: int
    expires_at: Instant
    note: Annotated[str, Own()] = ""


@dataclass(frozen=True, slots=True)
class ChallengeHistory:
    """What a number did when it was challenged, in one class of calls.

    `passes`: when it passed within 90 days of the latest, the latest first, eight at most; a proof of control is one.
    Since the latest pass: `failures`, each DID and day once; `failed_at`, the latest of them; `abandoned_at`, when the
    caller last hung up without an answer; `marked`, how many people answered its calls and marked it.
    """

    passes: tuple[float, ...] = ()
    failures: int = 0
    failed_at: float | None = None
    abandoned_at: float | None = None
    marked: int = 0

    @property
    def passed_at(self) -> float | None:
        """When it last passed."""
        return self.passes[0] if self.passes else None


NEVER_CHALLENGED = ChallengeHistory()


class ControlSample(NamedTuple):
    """Which warned calls are left without a label: one of `every`, drawn with the site's `salt`. 0: none is."""

    salt: bytes = b""
    every: int = 0


NO_SAMPLE = ControlSample()


class FirstCall(NamedTuple):
    """What strangers did shortly before the first call of a number (reputation.first_calls). `neighbours`: how many
    other numbers of its block called other DIDs of ours for the first time within the hour; `in_a_row`: how many DIDs
    strangers called one after the other in order, that of this call among them.
    """

    neighbours: int = 0
    in_a_row: int = 1


NOTHING_BEFORE = FirstCall()


NO_REPUTATION = Reputation()


class DecisionRecord(NamedTuple):
    """One decision as the journal keeps it. `would_be` differs from `action` in observe mode only.

    `vector` is the evidence by family, as JSON text; `elapsed_ms` from the request's last byte to the answer.
    `caller_text`: what the network showed where that is no number; at most 64 printable characters, untrusted.
    `first_call`: nothing was known of the number.
    """

    id: Annotated[str, Key()]
    at: float
    linkedid: Annotated[str, ORIGIN]
    caller: str | None
    caller_kind: CallerKind
    auth_class: AuthClass
    did: str | None
    trunk: str | None
    callee: Annotated[str | None, NAMED]
    action: str
    would_be: str
    rule: str
    reason: str
    level: str
    log_odds: float
    vector: str
    policy: str
    elapsed_ms: float
    caller_text: str = ""
    first_call: bool = False

    @property
    def observed(self) -> bool:
        """Whether the call went on though something else was ordered."""
        return self.action != self.would_be


# How calls end, and what is learnt from it.


class Direction(StrEnum):
    """Where a call came from and went to, seen from this PBX."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Disposition(StrEnum):
    """What became of a call. ANSWERED: a person or a machine of ours took it; voicemail and menus alone did not."""

    ANSWERED = "answered"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"


class EndedBy(StrEnum):
    """Who ended it. The caller is who called: of an outbound call our own person. SYSTEM: the PBX, a restart."""

    CALLER = "caller"
    CALLEE = "callee"
    SYSTEM = "system"


class ChallengeResult(StrEnum):
    """What a challenged caller did."""

    PASSED = "passed"  # pressed the right digit
    WRONG = "wrong"  # pressed another one
    SILENT = "silent"  # pressed nothing at all
    ABANDONED = "abandoned"  # hung up before there was an answer
    MESSAGE = "message"  # did not pass, and then left a message: neither for nor against the caller


class SignalCategory(StrEnum):
    """What one call showed (docs/explanation/model.md)."""

    HUNG_UP_ON = "hung-up-on"  # the callee hung up within 6 s of answering
    ONE_RING = "one-ring"  # the caller gave up within 6 s of ringing
    UNANSWERED = "unanswered"
    VOICEMAIL = "voicemail"  # left a message
    LONG_TALK = "long-talk"  # more than 60 s
    CALLED_BACK = "called-back"  # the callee called the number and talked for 30 s or more
    SECOND_TALK = "second-talk"  # talked for 30 s or more with the same callee on another day
    NOT_SPAM = "not-spam"  # no call: one of us said so; counts as a call-back of that person


class Answered(NamedTuple):
    """A callee of ours who answered calls of the number, and when last: whether or not they marked it."""

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    callee: Annotated[str, Key(3), ORIGIN]
    at: float
    epoch: Annotated[int, Key(2)] = 0


@dataclass(frozen=True, slots=True)
class Challenged:
    """A challenge of the number on one call, and what the caller did. `did`: the number dialled, "" if not known."""

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    did: Annotated[str, NAMED]
    result: ChallengeResult
    at: float
    linkedid: Annotated[str, Key(3), ORIGIN]
    epoch: Annotated[int, Key(2)] = 0


class Verdict(StrEnum):
    """What a person says about a number. RETRACTED: said something, and took it back."""

    SPAM = "spam"
    OK = "ok"
    RETRACTED = "retracted"


class MarkChannel(StrEnum):
    """How a mark reached us; its weight depends on it."""

    EXTENSION = "extension"
    WEB = "web"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's statement about a number, in the class of the call it is about. The reporter's latest is kept.

    `reporter` is an extension, `group` the reporter's at that time; `linkedid` the call it is about, if one is known.
    """

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    reporter: Annotated[str, Key(3), ORIGIN]
    verdict: Verdict
    at: Instant
    channel: MarkChannel
    group: Annotated[str | None, Column("grp"), Own("{site}")] = None
    category: str | None = None
    reason: Annotated[str, Own()] = ""
    linkedid: Annotated[str | None, NAMED] = None
    epoch: Annotated[int, Key(2)] = 0

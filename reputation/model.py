"""The types of the data model: callers, people, lists, evidence, and the facts of a call.

Instants are UTC seconds (`at`), numbers are E.164 text with a leading `+`. All values are immutable. Values made for
every call are named tuples, because making one takes a fifth of the time of a frozen dataclass.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import product
from typing import Annotated, NamedTuple

from msgspec import Meta

from reputation.columns import NAMED, ORIGIN, Column, Key, Own
from reputation.encoding import HIDDEN, Instant, encoded
from reputation.wording import Wording

# The word of a policies.Action.
ActionWord = Annotated[
    str,
    Meta(max_length=20, extra_json_schema={"enum": ["allow", "tag", "warn", "challenge", "route", "reject"]}),
]


class CallerKind(StrEnum):
    """The kind of caller text that the network sent. Only NUMBER and SERVICE have a key and a reputation.

    SERVICE: a national service number without an E.164 form; its key is `+`, calling code and digits (`+8695588`).
    """

    NUMBER = "number"
    WITHHELD = "withheld"
    INVALID = "invalid"
    INTERNAL = "internal"
    EMERGENCY = "emergency"
    SERVICE = "service"


class Attestation(StrEnum):
    """SHAKEN attestation (RFC 8588): what the signing carrier claims about the caller, whether verified or not."""

    A = "A"
    B = "B"
    C = "C"
    NONE = "none"


class Verification(StrEnum):
    """The result of checking the signature (RFC 8224)."""

    PASSED = "passed"
    FAILED = "failed"
    NONE = "none"


class AuthClass(StrEnum):
    """How well a caller's number is authenticated.

    Evidence is kept separately for each class, so a spoofed call does not profit from evidence about the number's
    owner.
    """

    AUTHENTICATED = "authenticated"
    UNAUTHENTICATED = "unauthenticated"
    UNKNOWN = "unknown"


def auth_class_of(attestation: Attestation, verification: Verification, trusted: bool) -> AuthClass:
    """Return the auth class of a call. `trusted`: whether the call came in on a trusted trunk.

    A failed verification outweighs a trusted trunk. Only a verified attestation A authenticates the caller.
    """
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
    """The strongest action that the evidence alone would justify. The weakest is first. `word`: the name as shown."""

    word: str

    NONE = 0
    TAG = 1
    WARN = 2
    CHALLENGE = 3
    ROUTE = 4
    REJECT = 5


for _level in Level:  # once, because a property would make the text again for every call
    _level.word = _level._name_.lower()


class Family(NamedTuple):
    """A family of evidence: its log-odds, within fixed limits, and the counts from which these are computed."""

    name: str
    log_odds: float
    counts: tuple[tuple[str, int], ...] = ()


class Happening(StrEnum):
    """An event that would make the level of a number lower or higher. The journal stores its code."""

    ANSWERED = "10 more people answer and do not mark the number"
    CALLED_BACK = "one of our people calls the number back and talks for 30 s"
    PASSED = "the caller presses the digit when asked"
    UNLISTED = "imported sources stop listing the number"
    VERIFIED = "the number's owner is verified"
    UPHELD = "an appeal is upheld"
    # These would make it higher.
    WITNESSED = "marks or hang-ups by {n} more of our people"
    LISTED = "one more source lists the number as spam"
    FAILED = "the caller fails a challenge"
    LISTED_AND_FAILED = "one more source lists the number as spam, and the caller fails a challenge"

    @property
    def code(self) -> str:
        """The code, such as `called-back`."""
        return self._name_.lower().replace("_", "-")


class Witnesses(NamedTuple):
    """How many witnesses have evidence against a number. Another site counts as a single witness.

    Attributes:
        seen: How many witnesses were found. Counting stops at the number that the largest office needs.
        label: How many are needed for a label.
        challenge: How many are needed for a challenge.
    """

    seen: int
    label: int
    challenge: int


class LevelChange(NamedTuple):
    """An event that would change the level, and the reputation after the event.

    Attributes:
        level: The level after the event.
        log_odds: The evidence against the number after the event, in log-odds.
        people: How many people must act in the event; 0 if the event needs nobody.
    """

    what: Annotated[Happening, HIDDEN]
    level: Level
    log_odds: float
    people: int = 0

    @property
    @encoded
    def code(self) -> str:
        """The code of the event that would change the level."""
        return self.what.code

    @property
    @encoded
    def words(self) -> Wording:
        """The event that would change the level, as text."""
        return Wording(self.what.value, {"n": self.people} if self.people else {})


class LowerIn(NamedTuple):
    """When the level falls next without new evidence. `days`: after how many days. `level`: the level after that."""

    days: int
    level: Level


class Reputation(NamedTuple):
    """The reputation of a caller: how much likelier their call is unwanted than an average caller's. Not a probability.

    `log_odds`: this value as natural log-odds. `would_change`: the events that would lower the level, if a reason is
    wanted and the level is above `none`. `would_raise`: the events that would raise the level, if they are requested.
    `appeal`: the reference of the number's appeal that is in force. `witnesses`: how many witnesses have evidence
    against the number; None if none has.
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
        """The log-odds as shown to people: ten points more mean ten times the odds (4.34 = 10 / ln 10)."""
        return round(4.34 * self.log_odds)


class ListName(StrEnum):
    """A list of the organisation or of a person: the allowlist or the blocklist."""

    ALLOW = "allow"
    BLOCK = "block"


class EntryKind(StrEnum):
    """How a list entry matches: by a single number, a prefix, or a range."""

    EXACT = "exact"
    PREFIX = "prefix"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An entry of a list of the organisation.

    Attributes:
        list_name: Which list: `allow` or `block`.
        kind: How the entry matches: one number, a prefix, or a range.
        first: The number, the prefix, or the first number of the range.
        last: The last number of a range, else null.
        action: The action for a call that matches; null: reject on the blocklist, allow on the allowlist.
        note: A note, one line.
        expires_at: When the entry expires, null for never.
        added_at: When the entry was added.
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
    @encoded
    def text(self) -> str:
        """The entry as people type it: `+12015550123`, `+1900*` or `+12015550100-+12015550199`."""
        if self.kind is EntryKind.PREFIX:
            return f"{self.first}*"
        return f"{self.first}-{self.last}" if self.kind is EntryKind.RANGE else self.first


@dataclass(frozen=True, slots=True)
class Person:
    """A person of this organisation, identified by the extension.

    Attributes:
        extension: The extension of the person.
        endpoint: The phone as Asterisk names it: `PJSIP/201`.
        group: The group of the person.
        language: The language of the person.
        name: The name of the person.
    """

    extension: Annotated[str, Key()]
    endpoint: str | None = None
    group: Annotated[str | None, Column("grp")] = None
    language: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Did:
    """A DID (a number that callers dial), and how calls to the DID are treated.

    Attributes:
        number: A telephone number: E.164, or the key of a service number.
        groups: The groups whose people its calls may reach; empty for everybody. A group's name has no comma.
        callee: The extension that rings for the DID, null for none.
        screen: Whether calls to the number are screened; false for fax, alarm and lift lines.
        trap: Whether the number was given to nobody, so that only callers who dial from a list reach it.
    """

    number: str
    groups: Annotated[tuple[str, ...], Column("grp")] = ()
    callee: str | None = None
    screen: bool = True
    trap: bool = False


class PhoneSetting(StrEnum):
    """A setting that a person can choose for their phone."""

    NO_WHISPER = "no-whisper"  # no spoken warning before a warned call
    QUIET = "quiet-hours"  # at these hours strangers do not ring the phone


class Tie(StrEnum):
    """Why a person is connected to a caller."""

    ALLOW = "allow"  # on the person's own allowlist
    BLOCK = "block"  # on the person's own blocklist
    EXPECTED = "expected"  # the person said "I expect a call"
    CONTACT = "contact"  # in the person's (or, with no person, everybody's) contacts
    TALKED = "talked"  # the person called the number and talked for 30 s or more
    NOT_SPAM = "not-spam"  # the person said so of the number


class PersonalTie(NamedTuple):
    """A tie between a caller and a person. `person`: an extension; None: the caller is a contact of the whole company.

    `at`: with TALKED, when the latest conversation ended; with NOT_SPAM, when the mark was made.
    """

    tie: Tie
    person: str | None
    group: str | None = None
    endpoint: str | None = None
    at: float | None = None


class Imported(NamedTuple):
    """The information of an imported source about a number.

    Attributes:
        source: The name of the source.
        verdict: The verdict of the source: `spam` or `ok`.
        category: The kind of call, if the source gives it.
        name: The owner of the number, according to the source.
        note: Other information of the source.
        imported_at: When the number was imported.
        is_feed: Whether others keep the source up to date; false for a file imported by hand and a service we report
            to.
        looked_up: Whether the source was queried about this number alone.
        is_proven: Whether the source was right about nearly all callers that are known here.
    """

    source: str
    verdict: str
    category: str | None = None
    name: str | None = None
    note: str | None = None
    imported_at: Instant = 0.0
    is_feed: bool = True
    looked_up: bool = False
    is_proven: bool = False


class PeerWord(NamedTuple):
    """A row that another company published about a number. Week 0 is the first week of 1970. Weeks begin on Monday.

    Attributes:
        peer: The name of the company.
        weight: The weight of the row, up to 1.
        is_cleared: Whether the company upheld an appeal. If so, `last_week` is the only other information in the row.
        level: The level that the evidence of the company's people justifies.
        witnesses: At least how many of the company's people have evidence against the number.
        answered: At least how many of the company's people answered calls of the number.
        first_week: The week of the company's first evidence.
        last_week: The week of the company's latest evidence.
        category: The kind of call, if the company gives it.
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
    """The owner of a number, and how well the ownership is proven.

    Attributes:
        number: A telephone number: E.164, or the key of a service number.
        name: The name of the owner.
        level: 1: the control of the number is proven, 2: the name of the owner too.
        expires_at: Until when the identity is valid; null for no limit.
        note: How the ownership was proven. Empty in the facts of a decision, which need no note.
    """

    number: str
    name: str
    level: int
    expires_at: Instant
    note: Annotated[str, Own()] = ""


@dataclass(frozen=True, slots=True)
class ChallengeHistory:
    """The challenges of a number in one auth class. `of_number` and `marked` are about calls of every class.

    Attributes:
        passes: The times of passes within 90 days of the latest pass, newest first, eight at most. Proofs of control
            count as passes.
        failures: How often the number failed since the latest pass, counted once per DID and day.
        failed_at: When the number last failed since the latest pass.
        abandoned: How often the caller hung up without an answer, since the latest pass.
        abandoned_at: When the caller last hung up without an answer.
        of_number: The times of passes in calls of any class.
        marked: How many people marked the number and answered its calls, since the latest pass of any class.
        unpassed: The times of failures and hang-ups since the latest pass, newest first, at most as many as a challenge
            in the largest office needs.
        robot_at: When an automated caller last gave a name. All its calls together count as one of the failures.
    """

    passes: tuple[Instant, ...] = ()
    failures: int = 0
    failed_at: Instant | None = None
    abandoned: int = 0
    abandoned_at: Instant | None = None
    of_number: tuple[Instant, ...] = ()
    marked: int = 0
    unpassed: tuple[Instant, ...] = ()
    robot_at: Instant | None = None

    @property
    def passed_at(self) -> float | None:
        """When the number last passed a challenge in this auth class; None if never."""
        return self.passes[0] if self.passes else None


NEVER_CHALLENGED = ChallengeHistory()


class ControlSample(NamedTuple):
    """How the control sample is drawn: one of `every` calls due for a tag or warning gets neither; 0: no call is drawn.

    `salt`: the site's key for the random choice.
    """

    salt: bytes = b""
    every: int = 0


NO_SAMPLE = ControlSample()


class FirstCall(NamedTuple):
    """The first calls of other unknown numbers shortly before an unknown number's first call (reputation.first_calls).

    `neighbours`: how many other numbers of the same block of 1000 first called other DIDs within the hour.
    `in_a_row`: how many neighbouring DIDs unknown numbers called within minutes, including this call's DID. `is_burst`:
    whether unknown numbers call much more often than usual.
    """

    neighbours: int = 0
    in_a_row: int = 1
    is_burst: bool = False

    def is_storm(self, least: int) -> bool:
        """Return whether at least `least` calls form a pattern, which is no chance. Always False if `least` is 0.

        A few calls are no storm: a company's new lines also call a few people on their first day.
        """
        return least > 0 and (self.in_a_row >= least or self.neighbours >= least - self.is_burst)


NOTHING_BEFORE = FirstCall()


NO_REPUTATION = Reputation()


class DecisionRecord(NamedTuple):
    """A decision as the journal stores it.

    Attributes:
        id: The short id of the decision.
        at: When the decision was made.
        linkedid: Asterisk's id of the whole call.
        caller: The number of the caller, or null.
        caller_kind: The kind of caller text.
        auth_class: How well the caller's number is authenticated.
        did: The DID that was dialled.
        trunk: The trunk that the call came in on.
        callee: The extension of the person who is called.
        action: The action that was taken.
        would_be: The action that would have been taken without observe mode.
        rule: The rule that decided; `fail-open` if no rule did.
        reason: The reason, as the journal stores it.
        level: The level of the evidence.
        log_odds: The evidence against the caller.
        vector: The evidence by family, as JSON text.
        policy: The policy that decided.
        elapsed_ms: Milliseconds from the last byte of the request to the answer.
        caller_text: The network's caller text if it is not a number. At most 64 printable characters, untrusted.
        first_call: Whether it was the number's first call.
    """

    id: Annotated[str, Key()]
    at: Instant
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
        """Whether the action in `would_be` was not taken because the policy only observes."""
        return self.action != self.would_be


# How calls end, and the evidence that follows.


class Direction(StrEnum):
    """The direction of a call, seen from this PBX."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Disposition(StrEnum):
    """How a call ended. ANSWERED: a person or a program here answered, not only voicemail or a menu."""

    ANSWERED = "answered"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"


class EndedBy(StrEnum):
    """The party that ended the call. In an outgoing call the caller is a person here. SYSTEM: the PBX ended it."""

    CALLER = "caller"
    CALLEE = "callee"
    SYSTEM = "system"


class ChallengeResult(StrEnum):
    """The result of a challenge, such as asking the caller to press a digit or to say a name."""

    PASSED = "passed"  # pressed the right digit
    WRONG = "wrong"  # pressed another one
    SILENT = "silent"  # pressed nothing at all
    ABANDONED = "abandoned"  # hung up before there was an answer
    MESSAGE = "message"  # written by older versions: did not pass, and then left a message
    ROBOT = "robot"  # gave a name with the voice of a machine; known when the call is over


class Voice(StrEnum):
    """The kind of speaker that was heard when the caller was asked for a name."""

    ROBOT = "robot"
    PERSON = "person"
    UNCLEAR = "unclear"


class SignalCategory(StrEnum):
    """The kind of signal that a call gave (docs/contributing/model.md)."""

    HUNG_UP_ON = "hung-up-on"  # the callee hung up within 6 s of answering
    ONE_RING = "one-ring"  # the caller gave up within 6 s of ringing
    UNANSWERED = "unanswered"
    VOICEMAIL = "voicemail"  # left a message
    LONG_TALK = "long-talk"  # more than 60 s
    CALLED_BACK = "called-back"  # the callee called the number and talked for 30 s or more
    SECOND_TALK = "second-talk"  # talked for 30 s or more with the same callee on another day
    NOT_SPAM = "not-spam"  # no call: a person marked it so; counts as a call-back of that person


class Answered(NamedTuple):
    """A callee who answered calls from a number, with or without marking it. `at`: when the latest such call ended."""

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    callee: Annotated[str, Key(3), ORIGIN]
    at: float
    epoch: Annotated[int, Key(2)] = 0


class TrapCall(NamedTuple):
    """A call from a number to a trap (a DID that belongs to nobody). `verified`: whether its signature was valid."""

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    did: str
    verified: bool
    at: float
    linkedid: Annotated[str, Key(3), ORIGIN]
    epoch: Annotated[int, Key(2)] = 0


@dataclass(frozen=True, slots=True)
class Challenged:
    """A challenge of a number during a call, and its result. `did`: the DID that was dialled; empty if unknown."""

    number: str
    auth_class: Annotated[AuthClass, Key(1)]
    did: Annotated[str, NAMED]
    result: ChallengeResult
    at: float
    linkedid: Annotated[str, Key(3), ORIGIN]
    epoch: Annotated[int, Key(2)] = 0


class Verdict(StrEnum):
    """A person's judgement of a number. RETRACTED: the person withdrew an earlier judgement."""

    SPAM = "spam"
    OK = "ok"
    RETRACTED = "retracted"


class MarkChannel(StrEnum):
    """The way in which a person made a mark. The weight of the mark depends on it."""

    EXTENSION = "extension"
    WEB = "web"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's latest mark of a number, in the auth class of the call that the mark is about.

    Attributes:
        number: The number that was marked.
        auth_class: The auth class of the call.
        reporter: The extension of the person.
        verdict: The verdict of the person.
        at: When the person made the mark.
        channel: How the person made the mark.
        group: The group of the person at that time.
        category: The kind of spam.
        reason: The text that the person wrote.
        linkedid: The call that the mark is about, if known.
        epoch: How many owners the number had before.
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

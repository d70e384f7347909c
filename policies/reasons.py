"""The reason of a decision: a code with values for its text, or an administrator's own text. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter

from reputation.own.grades import REASON_WORDS, GradeReason
from reputation.wording import Wording


class Reason(StrEnum):
    """The reasons that the engine gives. `{entry}` is an entry of an administrator's list."""

    INTERNAL = "the call comes from one of our own endpoints"
    EMERGENCY_NUMBER = "an emergency number is calling"
    UNSCREENED_DID = "screening is switched off for the dialled number"
    EMERGENCY_WINDOW = "somebody in the organisation made an emergency call recently"
    EMERGENCY_CALLBACK = "a trusted trunk marks the call as an emergency call-back"
    TRAP = "the dialled number is a trap number that belongs to nobody"
    CALLEE_ALLOWS = "the callee has allowed this caller"
    CALLEE_BLOCKS = "the callee has blocked this caller"
    CALLEE_EXPECTS = "the callee expects a call"
    ON_ALLOWLIST = "{entry} is on the allowlist"
    ON_BLOCKLIST = "{entry} is on the blocklist"
    WITHHOLDS_BLOCKED = "the caller withholds a number that is on the blocklist"
    CONTACT_OF_CALLEE = "the callee has this caller as a contact"
    CONTACT_OF_COMPANY = "the caller is a contact of the company"
    CALLEE_TALKED = "the callee has called this number and had a conversation"
    QUIET_HOURS = "the callee has quiet hours and does not know the caller"
    DEFAULT = "no rule of the policy matches the call"
    # Reasons of limits, which weaken an action.
    SOMEBODY_INVITES = "somebody here has allowed the caller or expects a call"
    SOMEBODY_KNOWS = "somebody here has the caller as a contact"
    SOMEBODY_TALKED = "somebody here has called this number and had a conversation"
    SHOWS_OWN_NUMBER = "the call shows one of our own numbers"
    VERIFIED = "the caller is verified"
    PASSED_CHALLENGE = "the caller passed a challenge"
    NOT_SPAM_FOR_CALLEE = "the callee marked this number as not spam"
    REDIALLED = "the caller called again within 3 min"
    LAW_FORBIDS = "the law forbids blocking calls from this number range"
    APPEALED = "an appeal is in force"
    CONTROL_SAMPLE = "the call is in the control sample, which gets no tag and no warning"


class PresetReason(StrEnum):
    """The reasons in the rules of the presets. An operator's rule with the same text is translated as well."""

    VERY_STRONG_EVIDENCE = "very strong evidence against this number"
    STRONG_EVIDENCE = "strong evidence against this number, partly from how its earlier calls went"
    COMPLAINTS = "other people have complained about this number"
    SPOOFS_US = "the call shows one of our own numbers but comes from outside"
    BAD_SIGNATURE = "the signature of the caller's number is not valid"
    SOME_EVIDENCE = "there is some evidence against this number"
    TELEMARKETING_RANGE = "the numbering plan reserves this range for telemarketing"
    CARRIER_WARNS = "the carrier warns about this call"
    NOBODYS_RANGE = "no genuine call comes from a number in this range"
    STORM = "several new numbers are calling several DIDs at the same time"
    COMPANIES_COMPLAIN = "people at other companies complain about this number"
    ONE_SOURCE = "only one source lists this number as spam"
    ONE_SOURCE_ASKS = "a source that was nearly always right lists this number as spam"
    NO_TELEPHONE_NUMBER = "the caller's number cannot be read as a telephone number"
    WITHHOLDS = "the caller withholds the number"
    KNOWN_TO_NOBODY = (
        "nobody in the organisation knows the number, and its caller has not passed a challenge within 90 days"
    )
    OVERWHELMING_EVIDENCE = "overwhelming evidence against this number, from several groups of people"


class FailOpen(StrEnum):
    """The reasons why a call was answered without a decision. Each reason is a key of Stats.failed_open."""

    TIMED_OUT = "timed out"
    FAILED = "failed"
    PROTOCOL = "protocol error"
    HEADER = "incomplete request"
    OVER_LIMIT = "too many calls"
    STOPPING = "stopping"
    STRANGER = "not asked by Asterisk"


class OutboundReason(StrEnum):
    """The reasons in decisions about outgoing calls."""

    EMERGENCY = "an emergency call is always allowed"
    NOT_A_NUMBER = "the dialled text is not a telephone number"
    DO_NOT_CALL = "the called person asked on {day} not to be called again"
    DO_NOT_CALL_BY = (
        "the called person asked on {day} not to be called again, which is valid for at least {days} days ({law})"
    )
    ON_REGISTER = "the called number is on the do-not-call register {register}, in the file of {day} ({law})"
    ON_OLD_REGISTER = (
        "the called number is on the do-not-call register {register}, in the file of {day}, which is too old: "
        "{law} allows {days} days"
    )
    NO_CONSENT = "no consent from the called person is recorded ({law})"
    RETIRED = "the number that the call would show is retired"
    RESTING = "the number that the call would show is resting until {day}"
    AT_RISK = "the number that the call would show is at risk of being marked as spam"
    AT_RISK_FOR = "the number that the call would show is at risk of being marked as spam: {why}"
    BAD_HOURS = "the time is outside calling hours where the called person is"
    BAD_HOURS_BY = "the time is outside calling hours where the called person is ({law})"
    HOLIDAY = "it is a public holiday where the called person is ({law})"
    LAW_LIMIT = "the person was called {calls} times within {days} days of 24 hours each ({law})"
    PERSON_ONCE = "the person was already called once today"
    PERSON_TWICE = "the person was already called twice today"
    PERSON_DAY = "the person was already called {calls} times today"
    NUMBER_HOUR = "{calls} calls that showed the same number were made within an hour"
    NUMBER_DAY = "{calls} calls that showed the same number were made today"
    YOUNG_NUMBER_DAY = "{calls} calls today showed the same number, which has been in use for less than 30 days"
    NOTHING_AGAINST = "nothing speaks against the call"
    ADVISED_AGAINST = "the call is allowed, but this is not a recommended time where the called person is ({law})"
    OLD_REGISTER = (
        "the copy of the do-not-call register {register} dates from {day} and is too old: {law} allows {days} days"
    )


CAPPED = "{reason} ({cap})"
CAP_WITH_REFERENCE = "{cap}: {reference}"

CodedReason = Reason | PresetReason | FailOpen | OutboundReason
BY_CODE: Mapping[str, CodedReason] = {
    reason._name_.lower().replace("_", "-"): reason
    for table in (Reason, PresetReason, FailOpen, OutboundReason)
    for reason in table
}
CODES: Mapping[str, str] = {reason: code for code, reason in BY_CODE.items()}
PLACES: Mapping[str, tuple[str, ...]] = {
    reason: tuple(name for _, name, *_ in Formatter().parse(reason) if name) for reason in CODES
}
KEPT: Mapping[str, str] = {reason: json.dumps({"code": code}) for reason, code in CODES.items()}
CODED = '{"code"'  # the start of a coded reason in the journal
_OF_RULES: Mapping[str, PresetReason] = {reason.value: reason for reason in PresetReason}
_OF_FAILURES: Mapping[str, FailOpen] = {failure.value: failure for failure in FailOpen}


@dataclass(frozen=True, slots=True)
class Why:
    """A reason with its values, or an administrator's own text. `cap`: the reason of a limit, if any.

    `about`: the values for the text, such as `entry` and `day`, and an appeal's `reference`. For an own number at risk,
    `about` has the code of a GradeReason under the key `why` (in rows of older versions, a text).
    """

    reason: CodedReason | str
    about: Mapping[str, str | int | float] = field(default_factory=dict, hash=False)
    cap: Reason | None = None

    @property
    def code(self) -> str:
        """Return the code of the reason, or an empty text for an administrator's own text."""
        return CODES[self.reason] if isinstance(self.reason, StrEnum) else ""

    @property
    def words(self) -> str | Wording:
        """Return the text of the reason. The text can be translated unless an administrator wrote it."""
        words: str | Wording = self.reason
        if isinstance(self.reason, StrEnum):
            words = Wording(self.reason.value, {name: self._place(name) for name in PLACES[self.reason]})
        if self.cap is None:
            return self._with_reference(words)
        return Wording(CAPPED, {"reason": words, "cap": self._with_reference(Wording(self.cap.value))})

    @property
    def kept(self) -> str:
        """Return the value for the journal: `{"code": "on-blocklist", "entry": "+1900*"}`, or an administrator's text.

        If a limit applies, an administrator's text is stored under the key `text`.
        """
        if self.cap is None and not self.about:  # nearly every call
            return KEPT[self.reason] if isinstance(self.reason, StrEnum) else self.reason
        fields = {"code": self.code, **self.about}
        if not self.code:
            fields["text"] = str(self.reason)
        if self.cap is not None:
            fields["cap"] = CODES[self.cap]
        return json.dumps(fields, ensure_ascii=False)

    def _place(self, name: str) -> str | int | float | Wording:
        value = self.about.get(name, "?")
        return GradeReason(str(value), self.about).words if name == "why" and value in REASON_WORDS else value

    def _with_reference(self, words: str | Wording) -> str | Wording:
        reference = self.about.get("reference")
        return words if reference is None else Wording(CAP_WITH_REFERENCE, {"cap": words, "reference": reference})

    def __str__(self) -> str:
        return str(self.words if self.cap is not None or self.about else self.reason)


def capped(why: Why, cap: Why | None) -> Why:
    """Return the reason of a decision with the reason of its limit added."""
    if cap is None:
        return why
    return Why(why.reason, {**why.about, **cap.about}, Reason(cap.reason))


def why_of(kept: str) -> Why:
    """Return the reason from its value in the journal. A code that this version does not know becomes a text."""
    if not kept.startswith(CODED):
        return Why(kept)
    try:
        fields = json.loads(kept)
        code, cap = fields.pop("code"), fields.pop("cap", None)
        reason = BY_CODE[code] if code else fields.pop("text")
        why = Why(reason, fields, None if cap is None else Reason(BY_CODE[cap]))
        str(why)  # raises KeyError if a value for the text is missing
        return why
    except (ValueError, KeyError, TypeError):
        return Why(kept)


def is_of_sample(kept: str) -> bool:
    """Return whether a reason from the journal belongs to a call in the control sample."""
    return CODES[Reason.CONTROL_SAMPLE] in kept and why_of(kept).cap is Reason.CONTROL_SAMPLE


def why_of_rule(text: str) -> Why:
    """Return the reason for the text of a policy's rule: as a code if a preset has the same text."""
    return Why(_OF_RULES.get(text, text))


def why_of_failure(text: str) -> Why:
    """Return the reason of a fail-open decision from its text: as a code if the text is a FailOpen."""
    return Why(_OF_FAILURES.get(text, text))

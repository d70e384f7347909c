"""Spoken texts as sequences of prompts: numbers, references, warnings, and explanations of decisions. No I/O.

The key of a prompt is a name in asterisk-conf/prompts/*.toml. `sounds_of` joins several keys for Playback, Read and
BackGround. The order of prompts is the same in every language, and the texts are written for that order.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain

from policies.decision import FAIL_OPEN_RULE, Action
from policies.reasons import is_of_sample
from reputation.families.kind import Speaker, count_key
from reputation.families.table import KIND_BY_NAME
from reputation.model import DecisionRecord, Family
from reputation.scoring import families_of, witnesses_in
from reputation.site_names import ALPHABET
from reputation.speakers import speakers_of

Keys = tuple[str, ...]

FOLDER = "callsieve"  # below <sounds>/<language>/

ENGLISH, MANDARIN = "en", "zh"
LANGUAGES = (ENGLISH, MANDARIN)
# Countries in which most people understand Mandarin. Callers from others hear the fallback.
LANGUAGE_BY_COUNTRY = {"CN": MANDARIN, "TW": MANDARIN, "HK": MANDARIN, "MO": MANDARIN}
# Countries whose callers nearly all speak English, for speech recognition. For others the language is detected.
ENGLISH_COUNTRIES = frozenset({"US", "GB", "IE", "AU", "NZ"})

MAX_DIGITS = 15  # of E.164
MAX_REFERENCE = 12
ENDING_DIGITS = 4  # enough to recognise the call, and spoken in 2 s
MAX_REASONS = 3


class Phrase(StrEnum):
    """Keys of prompts that contain no number."""

    APPEAL_HOW = "appeal-how"
    APPEAL_ADDRESS = "appeal-address"
    LATE = "explain-late"
    INTERNAL = "explain-internal"
    EMERGENCY = "explain-emergency"
    EMERGENCY_WINDOW = "explain-emergency-window"
    UNSCREENED = "explain-unscreened"
    ALLOWED_BY_YOU = "explain-allowed-by-you"
    BLOCKED_BY_YOU = "explain-blocked-by-you"
    EXPECTED = "explain-expected"
    ALLOWLIST = "explain-allowlist"
    BLOCKLIST = "explain-blocklist"
    CONTACT = "explain-contact"
    TALKED = "explain-talked"
    QUIET_HOURS = "explain-quiet-hours"
    OWN_NUMBER = "explain-own-number"
    FALSE_SIGNATURE = "explain-false-signature"
    NOT_A_NUMBER = "explain-not-a-number"
    HIDDEN = "explain-hidden"
    TELEMARKETING = "explain-telemarketing"
    NOBODYS_RANGE = "explain-nobodys-range"
    CARRIER_WARNS = "explain-carrier-warns"
    OTHER_COMPANIES = "explain-other-companies"
    NEW_NUMBERS = "explain-new-numbers"
    TRAP = "explain-trap"
    NUMBER = "explain-number"
    LAST = "explain-last"
    OBSERVING = "explain-observing"
    RULE = "explain-rule"
    NOTHING = "explain-nothing"
    WITNESSES = "explain-witnesses"
    WITNESSES_NEEDED = "explain-witnesses-needed"
    UNASKED = "explain-unasked"
    PASSCODE = "passcode-is"
    PASSCODE_AGAIN = "passcode-again"
    PASSCODE_ENDS = "passcode-ends"
    PASSCODE_NOBODY = "passcode-nobody"


def sounds_of(keys: Iterable[str]) -> str:
    """Return the sound files of these prompts in the dialplan's form: `callsieve/say-spam&callsieve/digit-1`."""
    return "&".join(f"{FOLDER}/{key}" for key in keys)


def language_of(country: str | None, fallback: str = ENGLISH) -> str:
    """Return the language of prompts for callers from a country: Mandarin or `fallback` (LANGUAGE_BY_COUNTRY)."""
    return LANGUAGE_BY_COUNTRY.get(country or "", fallback)


def spoken_language_of(country: str | None) -> str:
    """Return the language in which to recognise the words of callers from a country; empty if it must be detected."""
    return ENGLISH if country in ENGLISH_COUNTRIES else language_of(country, "")


def number_keys(text: str) -> Keys:
    """Return the prompts that speak a telephone number digit by digit. Other characters are left out."""
    return tuple(f"digit-{c}" for c in text if c in "0123456789")[:MAX_DIGITS]


def reference_keys(text: str) -> Keys:
    """Return the prompts that spell a reference, such as the ID of a decision."""
    named = (c.lower() for c in text.upper() if c in ALPHABET)
    return tuple(f"digit-{c}" if c.isdigit() else f"letter-{c}" for c in named)[:MAX_REFERENCE]


def appeal_keys(decision_id: str) -> Keys:
    """Return the prompts that tell a stopped caller the reference of the call and where to appeal."""
    return (Phrase.APPEAL_HOW, *reference_keys(decision_id), Phrase.APPEAL_ADDRESS)


def passcode_keys(passcode: str) -> Keys:
    """Return the prompts that speak a passcode twice."""
    digits = number_keys(passcode)
    return (Phrase.PASSCODE, *digits, Phrase.PASSCODE_AGAIN, *digits, Phrase.PASSCODE_ENDS)


# Rules that decide without evidence (policies.decision.OWN_RULES except `default`).
REASON_BY_OWN_RULE = {
    FAIL_OPEN_RULE: Phrase.LATE,
    "internal": Phrase.INTERNAL,
    "emergency-number": Phrase.EMERGENCY,
    "emergency-window": Phrase.EMERGENCY_WINDOW,
    "emergency-callback": Phrase.EMERGENCY_WINDOW,
    "trap": Phrase.TRAP,
    "unscreened-did": Phrase.UNSCREENED,
    "callee-allowlist": Phrase.ALLOWED_BY_YOU,
    "callee-blocklist": Phrase.BLOCKED_BY_YOU,
    "expected-call": Phrase.EXPECTED,
    "allowlist": Phrase.ALLOWLIST,
    "blocklist": Phrase.BLOCKLIST,
    "contact": Phrase.CONTACT,
    "talked": Phrase.TALKED,
    "quiet-hours": Phrase.QUIET_HOURS,
}
# Rules of the presets that have a spoken reason. RULES_OF_EVIDENCE below have none: they only name a level of evidence.
REASON_BY_RULE = {
    "own-number": Phrase.OWN_NUMBER,
    "failed-signature": Phrase.FALSE_SIGNATURE,
    "not-a-number": Phrase.NOT_A_NUMBER,
    "withheld": Phrase.HIDDEN,
    "telemarketing-range": Phrase.TELEMARKETING,
    "nobodys-range": Phrase.NOBODYS_RANGE,
    "carrier-warns": Phrase.CARRIER_WARNS,
    "companies-complain": Phrase.OTHER_COMPANIES,
    "storm": Phrase.NEW_NUMBERS,
}
RULES_OF_EVIDENCE = frozenset(
    {"default", "level-tag", "level-warn", "level-challenge", "level-route", "level-reject"} | {"one-source"}
)


def explanation_keys(record: DecisionRecord) -> Keys:
    """Return the prompts that explain a decision in at most 12 s: the call, the action, and up to three reasons."""
    action = record.action if record.action in _ACTIONS else Action.ALLOW.word
    reasons = list(dict.fromkeys(_reasons(record)))[:MAX_REASONS]
    return (*_call_keys(record.caller), f"explain-{action}", *chain.from_iterable(reasons))


_ACTIONS = frozenset(action.word for action in Action)
_ASKING = frozenset(action.word for action in Action if action >= Action.CHALLENGE)


NOBODY = "say-nobody"


def unscreened_keys(number: str | None) -> Keys:
    """Return the prompts that explain that a call from this number was not screened."""
    return (*_call_keys(number), f"explain-{Action.ALLOW.word}", Phrase.UNASKED)


def _call_keys(caller: str | None) -> Keys:
    ending = number_keys(caller or "")[-ENDING_DIGITS:]
    return (Phrase.NUMBER, *ending) if ending else (Phrase.LAST,)


def _reasons(record: DecisionRecord) -> Iterator[Keys]:
    if record.rule in REASON_BY_OWN_RULE:
        yield (REASON_BY_OWN_RULE[record.rule],)
        return
    if record.would_be != record.action or is_of_sample(record.reason):
        yield (Phrase.OBSERVING,)
    if record.rule in REASON_BY_RULE:
        yield (REASON_BY_RULE[record.rule],)
    elif record.rule not in RULES_OF_EVIDENCE:
        yield (Phrase.RULE,)
    reasons = [*_reasons_of_witnesses(record), *_reasons_of_evidence(record)]
    yield from reasons
    if not reasons and record.rule in RULES_OF_EVIDENCE:
        yield (Phrase.NOTHING,)


def _reasons_of_witnesses(record: DecisionRecord) -> Iterator[Keys]:
    """Yield prompts for how many people here have evidence against the caller, and how many the action requires.

    If other evidence is heavier, yield nothing.
    """
    witnesses, families = witnesses_in(record.vector), _families_of(record)
    who = next((speaker for speaker, _ in speakers_of(families)), None)
    if witnesses is None or who is not Speaker.OUR_PEOPLE or sum(family.log_odds for family in families) <= 0:
        return
    needed = witnesses.challenge if record.would_be in _ASKING else witnesses.label
    counted = (count_key(witnesses.seen), Phrase.WITNESSES)
    yield (*counted, count_key(needed), Phrase.WITNESSES_NEEDED) if needed > 1 else counted


def _families_of(record: DecisionRecord) -> tuple[Family, ...]:
    try:
        return families_of(record.vector)
    except ValueError:
        return ()


def _reasons_of_evidence(record: DecisionRecord) -> Iterator[Keys]:
    """Yield prompts for the evidence behind the decision, heaviest first. For `allow`: evidence for the caller."""
    speaks_for = record.would_be == Action.ALLOW.word and not is_of_sample(record.reason)
    families = _families_of(record)
    weighed = [(-family.log_odds if speaks_for else family.log_odds, family) for family in families]
    for _weight, family in sorted((pair for pair in weighed if pair[0] > 0), key=lambda pair: -pair[0]):
        kind = KIND_BY_NAME.get(family.name)
        if kind is not None:
            yield from kind.spoken(dict(family.counts), speaks_for)

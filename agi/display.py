"""The text that a phone shows for a caller: the name, with a tag or `Verified:` before it. No I/O.

    shown_of(call, decision, display) -> Shown(label="SPAM?", plain="", tagged="SPAM? Joe")

Callers choose their names. So a name is cut to the length that phones show, and characters that could steer a display
are removed. CallSieve's own tags are removed from the start of the name. So a call that arrives twice (a transfer, a
mobile phone) is tagged once, and a caller cannot pretend to be verified.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from unicodedata import east_asian_width, normalize

from agi.speech import ENGLISH, MANDARIN
from policies.decision import TAG, WARN, Decision, IncomingCall
from policies.vocabulary import ROBOT_LABEL
from reputation.model import Level
from reputation.plan.rows import AGAINST_CALLERS, Purpose

VERIFIED, SPAM, UNKNOWN, NEW_NUMBER, SAYS = "verified", "spam", "unknown", "new-number", "says"
# By language and key. [display] in the settings can replace them. The tags of the presets' rules are here too.
TEXTS: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        SPAM: "SPAM?",
        "scam": "Scam?",
        "robocall": "Robocall?",
        "telemarketing": "Sales?",
        "own-number": "Own number?",
        "unverified": "Unverified",
        "not-a-number": "Unreadable",
        "withheld": "Withheld",
        UNKNOWN: "Unknown",
        NEW_NUMBER: "New number?",
        VERIFIED: "Verified:",
        SAYS: "Says:",
        "voice-robot": ROBOT_LABEL,
        "plan-telemarketing": "Telemarketing",
        "plan-call-centre": "Call centre?",
        "plan-bank": "Bank line?",
        "plan-government": "Government?",
        "plan-service": "Service line?",
        "plan-premium": "Premium rate?",
        "plan-personal": "Personal no.?",
        "plan-voip": "VoIP?",
        "plan-machine": "Machine?",
        "plan-unallocated": "Unallocated?",
        "plan-do-not-originate": "Never calls?",
    },
    MANDARIN: {
        SPAM: "骚扰？",
        "scam": "诈骗？",
        "robocall": "机器人？",
        "telemarketing": "推销？",
        "own-number": "冒用本号？",
        "unverified": "未经核实",
        "not-a-number": "号码无法识别",
        "withheld": "号码隐藏",
        UNKNOWN: "陌生来电",
        NEW_NUMBER: "陌生新号？",
        VERIFIED: "已核实：",
        SAYS: "自称：",
        "voice-robot": "机器语音？",
        "plan-telemarketing": "营销专用号",
        "plan-call-centre": "呼叫中心？",
        "plan-bank": "银行专线？",
        "plan-government": "政府专线？",
        "plan-service": "服务专线？",
        "plan-premium": "高额付费？",
        "plan-personal": "个人通？",
        "plan-voip": "网络电话？",
        "plan-machine": "物联网？",
        "plan-unallocated": "空号？",
        "plan-do-not-originate": "从不外呼？",
    },
}
# The categories of imported numbers and of marks that have a tag of their own. Any other category is `spam`.
WORD_BY_CATEGORY = {"scam": "scam", "fraud": "scam", "robocall": "robocall", "telemarketing": "telemarketing"}
BLOCKLIST_RULE = "blocklist"
_WORD_BY_LABEL = {text: word for word, text in TEXTS[ENGLISH].items()}

# The longest prefix that leaves room for a name, and the length of a line, in Latin letters. Desk phones show 20 to 40.
MAX_PREFIX = 15
CHARACTERS = 32
MIN_CHARACTERS, MAX_CHARACTERS = 20, 80
_UNKNOWN = "unknown"  # AGI's text for a missing name
_MAX_REPEATED = 4
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Display:
    """The display settings: the default language, the line length, and texts that replace the built-in tags."""

    language: str = ENGLISH
    characters: int = CHARACTERS
    own_texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _texts: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def text(self, word: str, language: str | None) -> str:
        """Return the text for a key of TEXTS in a language, or else in the default language; empty if switched off."""
        spoken = language if language is not None and language in TEXTS else self.language
        return self.own_texts.get(spoken, {}).get(word, TEXTS[spoken][word])

    def texts(self, words: tuple[str, ...] = tuple(TEXTS[ENGLISH])) -> tuple[str, ...]:
        """Return the display texts for these keys in all languages, built-in and from the settings, longest first."""
        if words not in self._texts:  # a cache: the settings do not change, and nearly every call needs one of two sets
            tables = (*TEXTS.values(), *self.own_texts.values())
            texts = {table[word] for table in tables for word in words if table.get(word)}
            self._texts[words] = tuple(sorted(texts, key=len, reverse=True))
        return self._texts[words]


class Shown(NamedTuple):
    """The texts that phones show for a call. `label` is the tag alone, `tagged` the whole line with the tag.

    `plain` is the line without a tag, for callees who know the caller. If `plain` is empty, these phones show the name
    as received.
    """

    label: str = ""
    tagged: str = ""
    plain: str = ""


AS_RECEIVED = Shown()


def shown_of(call: IncomingCall, decision: Decision, display: Display) -> Shown:
    """Return the texts that phones show for this call."""
    label = label_of(decision, display)
    if not (label or call.name or decision.name):
        return AS_RECEIVED
    name = tidied(call.name or "")
    if decision.name is not None:
        verified = display.text(VERIFIED, decision.language)
        plain = fitting(verified, tidied(decision.name), display.characters)
    else:
        honest = without_prefix(name, display.texts((VERIFIED,)))
        plain = "" if honest == name or decision.observed else honest or call.caller.dialled
    if not label:
        return Shown(plain=plain)
    tagged_name = tidied(decision.name) if decision.name is not None else without_prefix(name, display.texts())
    return Shown(label, fitting(label, tagged_name, display.characters), plain)


def label_of(decision: Decision, display: Display) -> str:
    """Return the tag of a call: the rule's tag, else the tag for the number's category; empty if it gets no tag."""
    if decision.action not in (TAG, WARN):
        return ""
    if decision.label is not None and decision.label not in _WORD_BY_LABEL:
        return decision.label
    word = _WORD_BY_LABEL.get(decision.label or "") or word_against(decision)
    return display.text(word, decision.language)


def word_against(decision: Decision) -> str:
    """Return the key of a tag in TEXTS: the number's category, else its range's purpose, else `spam` or `unknown`."""
    purpose = decision.purpose if decision.category is None else None
    if purpose is not None and (purpose in AGAINST_CALLERS or not _is_bad(decision)):
        return f"plan-{purpose.value}"
    return spoken_word_against(decision)


def spoken_word_against(decision: Decision) -> str:
    """Return the key of the spoken warning. Only number ranges for telemarketing have their own."""
    if decision.category is not None:
        return WORD_BY_CATEGORY.get(decision.category, SPAM)
    if decision.purpose is Purpose.TELEMARKETING:
        return WORD_BY_CATEGORY["telemarketing"]
    return SPAM if _is_bad(decision) or decision.purpose in AGAINST_CALLERS else UNKNOWN


def _is_bad(decision: Decision) -> bool:
    return decision.level is not Level.NONE or decision.rule == BLOCKLIST_RULE


def tidied(raw_name: str) -> str:
    """Return a name from the network as one line of printable characters; empty for `unknown`, which means no name."""
    printable = raw_name if raw_name.isprintable() else "".join(c if c.isprintable() else " " for c in raw_name)
    name = " ".join(printable.split())
    return "" if name.casefold() == _UNKNOWN else name


def without_prefix(name: str, prefixes: tuple[str, ...]) -> str:
    """Return the name without leading prefixes, at most four. Ignore case and variants of characters (NFKC)."""
    if not name:  # most calls outside North America
        return name
    folded = _all_folded(prefixes)
    for _ in range(_MAX_REPEATED):
        left = _after_first(name, folded)
        if left is None:
            break
        name = left
    return name


@lru_cache(maxsize=16)
def _all_folded(prefixes: tuple[str, ...]) -> Mapping[str, str]:
    return {_folded(prefix): prefix for prefix in prefixes}


def _after_first(name: str, folded: Mapping[str, str]) -> str | None:
    """Return the rest of the name after a prefix in `folded` (folded text -> prefix); None if it starts with none."""
    ends: dict[str, int] = {}
    for end in range(1, min(len(name), 2 * MAX_PREFIX) + 1):
        ends.setdefault(_folded(name[:end]), end)
    if folded.keys().isdisjoint(ends):  # most names
        return None
    remainders = (_after(name[ends[begun] :], prefix) for begun, prefix in folded.items() if begun in ends)
    return next((left for left in remainders if left is not None), None)


def _after(follows: str, prefix: str) -> str | None:
    ends_a_word = not prefix[-1].isalnum() or not follows[:1].isalnum()
    return follows.strip() if ends_a_word else None


def _folded(text: str) -> str:
    return normalize("NFKC", text).casefold().strip()


def fitting(prefix: str, name: str, characters: int) -> str:
    """Return prefix and name as a line of at most `characters` (Latin letters wide). Only the name is shortened."""
    has_room_after_it = (
        _width_of(prefix[-1:]) == 2 and not prefix[-1].isalnum()
    )  # full-width punctuation includes a space
    line = f"{prefix}{'' if has_room_after_it else ' '}{name}".strip()
    if _width_of(line) <= characters:
        return line
    while line and _width_of(line) >= characters:
        line = line[:-1]
    return line.rstrip() + _CUT


def _width_of(text: str) -> int:
    """Return the width of the text on a display, in Latin letters. A Chinese character counts as two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)

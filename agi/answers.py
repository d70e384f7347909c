"""Builds the answers to the dialplan: each decision as a set of CALLSIEVE_* variables.

Only CALLSIEVE_LABEL, _DISPLAY, _NAME, _HEARD, _REASON and _OUTBOUND_REASON can hold arbitrary text. All other values
have a known format.
"""

import re
from math import ceil
from typing import Final

from agi.display import SAYS, Display, fitting, shown_of, spoken_word_against, tidied, without_prefix
from agi.parsing import FAILED, UNKNOWN
from agi.quoting import set_variables
from agi.site import SIP_CODE_BY_REJECT, Site
from agi.speech import (
    NOBODY,
    Keys,
    Phrase,
    appeal_keys,
    explanation_keys,
    language_of,
    passcode_keys,
    sounds_of,
    unscreened_keys,
)
from policies.decision import ALLOW, CHALLENGE, REJECT, ROUTE, TAG, WARN, Decision, IncomingCall
from policies.outbound import FAIL_OPEN_RULE, OutboundDecision
from policies.quiet_hours import RULE as QUIET_RULE
from policies.relations import NOTHING_DIFFERENT, PerPhone
from reputation.feature_codes import LastCall
from reputation.model import Verification

MOST_CHARACTERS = 40

_ENGLISH = (
    # Greetings.
    (
        r"\b(good (morning|afternoon|evening|day)|hello|hi there|hi|hey|yes|yeah|okay|ok|so|well|um+|uh+|er+|please)\b",
        ",",
    ),
    (r"\b(thank you( very much)?|thanks|bye( bye)?|goodbye|have a (nice|good|great) day|how are you( today)?)\b", ","),
    (r"\b(my name is|the name is|this is|it is|it's|i am|i'm|you are speaking with|speaking)\b", ","),
    # Phrases before the reason.
    (
        r"\b(and |,)*\s*(i'm |i am |i was |we are |we're )?(just |only )?(calling|phoning|ringing)( you| up| back)*"
        r"( today)?( in)?( regards?)?( about| regarding| to| because( of)?| concerning| on behalf of| from| with)?\b",
        ",",
    ),
    (r"\b(i |we )?(just )?(would like|'d like|want|wanted|need|have) to\b", ","),
    (r"\bfrom (the |a )?", ","),
    (r"\b(your|my|our|the|an|a|that|some)\b", ""),
    (r"\b(on|for) (?=(mon|tues|wednes|thurs|fri|satur|sun)day)", ""),
    (r"\b(mon|tue|wed|thu|fri|sat|sun)(day|sday|nesday|rsday|urday)\b", r"\1"),
    (r"\b(appointment)\b", "appt"),
    (r"\b(doctor\b|dr\.)", "Dr"),
)
_MANDARIN = (
    (r"(你好|您好|喂|请问|谢谢|再见|嗯|呃)", "，"),
    (r"(我的名字是|我的名字叫|我是|我叫|这里是|这边是)", "，"),
    (r"(我)?(想|要|打电话来|打电话|来电)(是|问一下|问|找您|找你|找|为了|关于)*", "，"),
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE), by) for pattern, by in (*_ENGLISH, *_MANDARIN))
_JOINING = re.compile(r"^(and|but|to|about)\b ?| ?\b(and|but)( i)?$|^i$", re.IGNORECASE)
_GAPS = re.compile(r"\s*[,.;:!?，。；：！？]+[\s,.;:!?，。；：！？]*")


def words_shown(words: str, display: Display) -> str:
    """Return the line that a phone shows for a caller's recognised words; empty if no word has a letter or digit."""
    line = without_prefix(tidied(words), display.texts())
    short = shortened(line) or line
    if not any(character.isalnum() for character in short):
        return ""
    says = display.text(SAYS, "zh" if _is_mandarin(short) else None)
    return fitting(says, short, min(display.characters, MOST_CHARACTERS))


def shortened(words: str) -> str:
    """Return a caller's words without greetings and filler phrases."""
    for pattern, by in _RULES:
        words = pattern.sub(by, words)
    pieces = [_JOINING.sub("", " ".join(piece.split())) for piece in _GAPS.split(words)]
    comma = "，" if _is_mandarin(words) else ", "
    return comma.join(piece for piece in pieces if piece)


def _is_mandarin(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


class Variable:
    """Names of the channel variables that an answer can set.

    Dial copies variables with two leading underscores to the channels of the phones, where the dialplan reads them.
    This is not an enum: before Python 3.12, looking up an enum member takes ten times as long.
    """

    KNOWN: Final = "__CALLSIEVE_KNOWN"
    BLOCKED: Final = "__CALLSIEVE_BLOCKED"
    NOWHISPER: Final = "__CALLSIEVE_NOWHISPER"
    DIAL: Final = "CALLSIEVE_DIAL"
    ROUTE: Final = "__CALLSIEVE_ROUTE"
    RECORDING: Final = "__CALLSIEVE_RECORDING"
    HEARING: Final = "CALLSIEVE_HEARING"
    HEARD: Final = "CALLSIEVE_HEARD"
    APPEAL: Final = "CALLSIEVE_APPEAL"
    LABEL: Final = "CALLSIEVE_LABEL"
    DISPLAY: Final = "CALLSIEVE_DISPLAY"
    NAME: Final = "CALLSIEVE_NAME"
    REASON: Final = "CALLSIEVE_REASON"
    PHONES_RULE: Final = "__CALLSIEVE_RULE"
    ID: Final = "__CALLSIEVE_ID"
    CALLER: Final = "__CALLSIEVE_CALLER"
    AUTH: Final = "__CALLSIEVE_AUTH"
    WHISPER: Final = "__CALLSIEVE_WHISPER"
    LEVEL: Final = "CALLSIEVE_LEVEL"
    POINTS: Final = "CALLSIEVE_POINTS"
    SIP_CODE: Final = "CALLSIEVE_SIP_CODE"
    APPEAL_ADDRESS: Final = "CALLSIEVE_APPEAL_ADDRESS"
    ASK: Final = "CALLSIEVE_ASK"
    LANG: Final = "CALLSIEVE_LANG"
    ACTION: Final = "__CALLSIEVE_ACTION"
    CALLEE: Final = "CALLSIEVE_CALLEE"
    RULE: Final = "CALLSIEVE_RULE"
    OUTBOUND_RULE: Final = "CALLSIEVE_OUTBOUND_RULE"
    OUTBOUND_ID: Final = "CALLSIEVE_OUTBOUND_ID"
    OUTBOUND_UNTIL: Final = "CALLSIEVE_OUTBOUND_UNTIL"
    OUTBOUND_REASON: Final = "CALLSIEVE_OUTBOUND_REASON"
    OUTBOUND: Final = "CALLSIEVE_OUTBOUND"
    SAY: Final = "CALLSIEVE_SAY"
    SENTENCE: Final = "CALLSIEVE_SENTENCE"
    PROVEN: Final = "CALLSIEVE_PROVEN"


OWN_NUMBER_RULE = "own-number"

# Contexts of our dialplan. The first runs on each phone's channel before it rings: only b() can change the phone's
# INVITE. The next two run on the phone that answered, before the call is connected: they play the whisper, or the name
# that the caller said when asked for it. The last receives a routed call.
CONTEXTS = PHONE_CONTEXT, WHISPER_CONTEXT, SCREENED_CONTEXT, VOICEMAIL_CONTEXT = (
    "callsieve-phone",
    "callsieve-whisper",
    "callsieve-screened",
    "callsieve-voicemail",
)
PHONE = f"b({PHONE_CONTEXT}^s^1)"
WHISPER = f"U({WHISPER_CONTEXT})"
SCREENED = f"U({SCREENED_CONTEXT})"
# Callers who may hear how to appeal, except when the callee's own list decided.
HEARD_BY_CALLER = (CHALLENGE, ROUTE, REJECT)
CALLEES_BLOCKLIST_RULE = "callee-blocklist"

# In characters, so that the important variables always fit into agi.quoting.COMMAND_LIMIT.
MAX_ENDPOINTS = 900

# Actions that change the phone's display. With other actions the call does not reach the phone, or shows nothing.
SHOWN = (TAG, WARN)


def whisper_of(decision: Decision) -> str:
    """Return the name of the warning that the callee hears (prompt `whisper-NAME`); empty for no warning."""
    if decision.action is not WARN:
        return ""
    if decision.rule == OWN_NUMBER_RULE:
        return OWN_NUMBER_RULE
    return spoken_word_against(decision)


def dial_options_of(decision: Decision, per_phone: PerPhone, ask: str = "") -> str:
    """Return the options, without commas, to add to an administrator's own Dial(). `ask`: the kind of challenge."""
    phone = PHONE if per_phone.known or per_phone.blocked or decision.action in SHOWN else ""
    return phone + (WHISPER if decision.action is WARN else SCREENED if ask == "name" else "")


def ask_of(call: IncomingCall, decision: Decision, site: Site) -> str:
    """Return the kind of challenge (decision.ASKS); empty without one. Callers who show a number need not key it in."""
    if decision.action is not CHALLENGE:
        return ""
    ask = decision.ask or site.ask
    if ask == "number" and call.caller.key is not None:
        ask = site.ask
    return "digit" if ask == "name" and not site.recordings else ask


def appeal_of(decision: Decision, decision_id: str, site: Site) -> str:
    """Return the sound files that tell a stopped caller how to appeal; empty if the caller may not appeal."""
    if not site.appeal or not _may_appeal(decision, decision_id):
        return ""
    return sounds_of(appeal_keys(decision_id))


def appeal_address_of(decision: Decision, decision_id: str, site: Site) -> str:
    """Return the web address for an appeal, which the SIP rejection carries; empty if the caller may not appeal."""
    if not site.appeal_address or decision.action is not REJECT or not _may_appeal(decision, decision_id):
        return ""
    return f"{site.appeal_address}/r/{decision_id}"


def _may_appeal(decision: Decision, decision_id: str) -> bool:
    """Return whether the caller may appeal. Nobody may appeal against the callee's own blocklist, which is private."""
    return bool(decision_id) and decision.action in HEARD_BY_CALLER and decision.rule != CALLEES_BLOCKLIST_RULE


def language_for(call: IncomingCall, decision: Decision, site: Site) -> str:
    """Return the language of the prompts that this call needs; empty if the call needs no prompts."""
    if decision.action in HEARD_BY_CALLER or decision.action is WARN:
        return language_of(call.caller.country, site.language)
    return ""


def answer_to_screen(
    call: IncomingCall, decision: Decision, decision_id: str, site: Site, per_phone: PerPhone
) -> bytes:
    """Return the answer to `/screen`, without empty variables. `decision_id` is empty if the decision was not recorded.

    Variables with free text or many endpoints come first, by importance. A single command at the end sets all others.
    """
    ask = ask_of(call, decision, site)
    shown = shown_of(call, decision, site.display)
    texts = [(Variable.DIAL, dial_options_of(decision, per_phone, ask))]
    if per_phone != NOTHING_DIFFERENT:
        texts[:0] = [
            (Variable.KNOWN, _joined(per_phone.known)),
            (Variable.BLOCKED, _joined(per_phone.blocked)),
            (Variable.NOWHISPER, _joined(per_phone.unwhispered)),
        ]
    auth = FAILED if call.verification is Verification.FAILED else call.auth_class
    words = [
        (Variable.PHONES_RULE, decision.rule),
        (Variable.ID, decision_id),
        (Variable.CALLER, call.caller.key or ""),
        (Variable.AUTH, "" if auth == UNKNOWN else auth),  # true of nearly all calls
        (Variable.LEVEL, decision.level.word),
        (Variable.POINTS, str(decision.reputation.points)),
    ]
    if decision.action is not ALLOW:  # all of these are empty for an allowed call, as most calls are
        texts += [
            (Variable.ROUTE, _route_of(decision, site)),
            (Variable.RECORDING, f"{site.recordings}/{decision_id}" if ask == "name" and decision_id else ""),
            (Variable.APPEAL, appeal_of(decision, decision_id, site)),
            (Variable.APPEAL_ADDRESS, appeal_address_of(decision, decision_id, site)),
            (Variable.LABEL, shown.label),
            (Variable.DISPLAY, shown.tagged),
        ]
        words += [
            (Variable.WHISPER, whisper_of(decision)),
            (Variable.SIP_CODE, _sip_code_of(decision, call, site)),
            (Variable.ASK, ask),
            (Variable.HEARING, "yes" if site.hears and ask == "name" and decision_id else ""),
            (Variable.LANG, language_for(call, decision, site)),
        ]
    texts += [(Variable.NAME, shown.plain), (Variable.REASON, str(decision.reason))]
    # The action is last: the call is allowed until it is set, so an incomplete answer changes nothing.
    words.append((Variable.ACTION, decision.action.word))
    return set_variables([pair for pair in (*texts, *words) if pair[1]])


def answer_ask_for_headers() -> bytes:
    """Return the answer to `/screen` that makes the dialplan read the call's SIP headers and send `/screen` again."""
    return set_variables([(Variable.ACTION, "carrier")])


def _joined(endpoints: tuple[str, ...]) -> str:
    """Return the endpoints joined by `&` for LISTFILTER, without endpoints beyond MAX_ENDPOINTS characters."""
    joined = "&".join(endpoints)
    return joined if len(joined) <= MAX_ENDPOINTS else joined[: MAX_ENDPOINTS + 1].rpartition("&")[0]


def _sip_code_of(decision: Decision, call: IncomingCall, site: Site) -> str:
    if decision.action is not REJECT:
        return ""
    return str(SIP_CODE_BY_REJECT[site.reject_on(call.trunk)])


def _route_of(decision: Decision, site: Site) -> str:
    """Return the target (`context,exten,1`) if the call is routed, fails a challenge or is declined; empty for none."""
    if decision.action not in (WARN, ROUTE, CHALLENGE):
        return ""
    voicemail = f"{VOICEMAIL_CONTEXT},{decision.callee},1" if decision.callee else ""
    return voicemail if decision.rule == QUIET_RULE else site.route or voicemail


def answer_to_hear(seconds: float) -> bytes:
    """Return the answer to `/hear`: how many ms the call may wait for the caller's recognised words."""
    return set_variables([(Variable.HEARING, str(round(1000 * seconds)))])


def answer_to_heard(words: str | None, site: Site) -> bytes:
    """Return the answer to `/heard`: the caller's words for the display. `words` None: the dialplan must ask again."""
    if words is None:
        return set_variables([(Variable.HEARING, "wait")])
    shown = words_shown(words, site.display)
    return set_variables([*([(Variable.HEARD, shown)] if shown else []), (Variable.HEARING, "over")])


def answer_to_callee(call: IncomingCall, decision: Decision | None, site: Site) -> bytes:
    """Return the answer to `/callee`: the action for the callee's phone, or `same` to keep the action of `/screen`."""
    if decision is None or decision.observed:
        return set_variables([(Variable.CALLEE, "same")])
    pairs = [
        (Variable.RULE, decision.rule),
        (Variable.SIP_CODE, _sip_code_of(decision, call, site)),
        (Variable.ROUTE, _route_of(decision, site)),
        (Variable.CALLEE, decision.action.word),
    ]
    return set_variables([(name, value) for name, value in pairs if value])


def answer_to_outbound(decision: OutboundDecision, decision_id: str) -> bytes:
    """Return the answer to `/outbound`, which sets the action last. Its time `until` is in whole UTC seconds."""
    pairs = [
        (Variable.OUTBOUND_RULE, decision.rule),
        (Variable.OUTBOUND_ID, decision_id),
        (Variable.OUTBOUND_UNTIL, str(ceil(decision.until)) if decision.until and not decision.observed else ""),
        (Variable.OUTBOUND_REASON, str(decision.reason)),
        (Variable.OUTBOUND, decision.action.word),
    ]
    return set_variables([(name, value) for name, value in pairs if value])


def answer_outbound_failed_open(reason: str) -> bytes:
    """Return the answer that allows an outgoing call about which no decision was made."""
    return set_variables([(Variable.OUTBOUND_RULE, FAIL_OPEN_RULE), (Variable.OUTBOUND_REASON, reason)])


def answer_to_mark(word: str) -> bytes:
    """Return the answer to `/mark`. `word`: the extension in context callsieve-say that speaks the result."""
    return set_variables([(Variable.RULE, "recorded"), (Variable.SAY, word)])


def answer_to_prove(is_proven: bool) -> bytes:
    """Return the answer to `/prove`: whether the caller proved control of the number, without reasons."""
    return set_variables([(Variable.RULE, "recorded"), (Variable.PROVEN, "yes" if is_proven else "no")])


def answer_to_explain(last: LastCall | None) -> bytes:
    """Return the answer to `/explain`: the sound files that explain the last call. `last` None: there was no call."""
    if last is None:
        keys: Keys = (NOBODY,)
    else:
        keys = explanation_keys(last.decision) if last.decision is not None else unscreened_keys(last.number)
    return _spoken(keys)


def answer_to_passcode(passcode: str | None) -> bytes:
    """Return the answer to `/passcode`: sound files that speak it twice. `passcode` None: nobody owns the phone."""
    return _spoken(passcode_keys(passcode) if passcode else (Phrase.PASSCODE_NOBODY,))


def _spoken(keys: Keys) -> bytes:
    return set_variables([(Variable.RULE, "recorded"), (Variable.SENTENCE, sounds_of(keys))])


def answer_fail_open(reason: str) -> bytes:
    """Return the answer for a call without a decision. It sets no action, only a reason that the dialplan can log."""
    return set_variables([(Variable.RULE, "fail-open"), (Variable.REASON, reason)])


def answer_done() -> bytes:
    """Return the answer to a request that only reports an event."""
    return set_variables([(Variable.RULE, "recorded")])


def answer_status(trouble: str) -> bytes:
    """Return the answer to `/status`. `trouble`: the present problem; empty if screening works."""
    return set_variables([(Variable.RULE, "status"), (Variable.REASON, trouble)])

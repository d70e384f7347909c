"""The simulated offices, and the attacks on numbers that call them.

There is a standard office. The others differ from it in one way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from benchmarks.accuracy.attacks import (
    MARKS,
    NOTHING,
    OWN_LIST,
    RELENTLESS,
    SLOW,
    SPLIT,
    SPOOFED,
    SPOOFED_BURSTS,
    SPOOFED_ELSEWHERE,
)
from benchmarks.accuracy.parameters import (
    ANSWERING,
    ESTABLISHED,
    ESTABLISHED_MACHINE,
    NEW_KINDS,
    SPAM_NATURES,
    STANDARD,
    Kind,
    Nature,
    Parameters,
    Reaction,
    with_habits,
)

STANDARD_NAME = "the standard office"
COLD = "office that rarely answers services: 30 % of their calls are answered, few leave a message, 1 % are called back"
COLD_NOTICED = (
    'office that rarely answers services, with notices of stopped calls, to which 15 % of people answer "not spam"'
)
NOTICED = 'notices of stopped calls, to which 15 % of people answer "not spam"'
LISTED, WRONGLY = "24 % of spam numbers are listed by two sources", "one in 20 wanted machines is listed by two sources"
TRAPS, TRAPS_UNSIGNED, TRAPS_5 = (
    "24 % of spam numbers listed, 2 traps per 100 DIDs, signed calls",
    "24 % of spam numbers listed, 2 traps per 100 DIDs, unsigned calls",
    "24 % of spam numbers listed, 5 traps per 100 DIDs, unsigned calls",
)
MIXED = "every second call of each spam number is signed"
REDIALS = "spammers hang up when they are challenged, and call again"
MESSAGES, MESSAGES_90 = (
    "spammers leave a message after half of missed calls",
    "spammers leave a message after 9 of 10 missed calls",
)
MESSAGES_FAILED = "spammers leave a message after half of failed challenges"
ACCOMPLICES = "three of our people call each spam number back"
IN_A_ROW = "a spammer calls ten of our people one after another"
FEW_MARKS, MANY_MARKS = "people mark callers 5 times less often", "people wrongly mark honest callers 4 times as often"
HARD = "people talk to spammers as long as to services, and call them back as often"
SMALL = "small office: 20 people in 4 groups, a tenth of the calls"
SMART = "robots that pass every challenge"
FARMING = "spammers who pass every challenge and keep their numbers"
BOUGHT = "spammers who have proven control of their numbers (identity level 1)"

SPAM = (Kind.SPAM, Kind.SINGLE_USE, Kind.STORM)
HONEST = (Kind.SERVICE, Kind.ONE_OFF, Kind.CONTACT, *NEW_KINDS)


def _polite_spam() -> Parameters:
    """Return an office in which people answer spam as seldom as usual, but then talk to it as long as to a service."""
    service = STANDARD.habits[Kind.SERVICE]
    return with_habits(
        SPAM_ONLY,
        SPAM,
        talk=service.talk,
        called_back=service.called_back,
        back_talk=service.back_talk,
        ended_by_callee=service.ended_by_callee,
    )


def _marks(parameters: Parameters, kinds: Sequence[Kind], factor: float) -> Parameters:
    """Return an office in which people mark these kinds of callers `factor` times as often."""
    for kind in kinds:
        habits = parameters.habits[kind]
        parameters = with_habits(
            parameters,
            (kind,),
            marked_answered=habits.marked_answered * factor,
            marked_unanswered=habits.marked_unanswered * factor,
        )
    return parameters


def _answering(natures: Sequence[Nature], **changes: Any) -> Parameters:
    """Return an office in which callers of these natures answer challenges differently.

    `changes`: fields of Answering.
    """
    changed = {nature: replace(ANSWERING[nature], **changes) for nature in natures}
    return replace(SPAM_ONLY, answering={**ANSWERING, **changed})


def _voicemail(voicemail: float, failed: float) -> Parameters:
    """Return an office in which spam leaves a message after these shares of unanswered calls and failed challenges."""
    return with_habits(SPAM_ONLY, SPAM, voicemail=voicemail, voicemail_failed=failed)


# Only offices whose figures are needed, because each takes time, and most honest callers are simply allowed.
NOBODY: Mapping[str, Any] = dict.fromkeys(
    ("contacts", "services", "one_off_a_day", "spammers", "single_use_a_day", "storms", "wangiri_bursts"), 0
)
SPAM_ONLY = replace(STANDARD, **{**NOBODY, "spammers": 75})
LINES_ONLY = replace(STANDARD, **{**NOBODY, "services": STANDARD.services})
_COLD = with_habits(LINES_ONLY, (Kind.SERVICE, *NEW_KINDS), answered=0.30, voicemail=0.15, called_back=0.01)
NOTICE = 0.15  # an assumption about people
_LISTED = replace(SPAM_ONLY, listed=0.24)
_SMALL: Mapping[str, Any] = {
    "users": 20,
    "groups": 4,
    "service_rate": (0.2, 1.5),
    "spam_rate": STANDARD.spam_rate._replace(median=0.6),
    "spam_rate_most": 2.5,
}
OFFICES: Mapping[str, Parameters] = MappingProxyType(
    {
        STANDARD_NAME: STANDARD,
        NOTICED: replace(LINES_ONLY, services=0, notice=NOTICE),
        COLD: _COLD,
        COLD_NOTICED: replace(_COLD, notice=NOTICE),
        LISTED: _LISTED,
        WRONGLY: replace(LINES_ONLY, services=20, machines=1.0, listed_wrongly=0.05),
        TRAPS: replace(_LISTED, traps=2, signed=1.0),
        TRAPS_UNSIGNED: replace(_LISTED, traps=2),
        TRAPS_5: replace(_LISTED, traps=5),
        MIXED: replace(SPAM_ONLY, mixed=1.0),
        REDIALS: _answering(SPAM_NATURES, passes=0.0, silent=0.0, wrong=0.0, redials=1.0),
        MESSAGES: _voicemail(0.5, 0.08),
        MESSAGES_90: _voicemail(0.9, 0.08),
        MESSAGES_FAILED: _voicemail(0.08, 0.5),
        ACCOMPLICES: replace(SPAM_ONLY, accomplices=3),
        IN_A_ROW: replace(SPAM_ONLY, in_a_row=10),
        FEW_MARKS: _marks(SPAM_ONLY, tuple(Kind), 0.2),
        MANY_MARKS: _marks(replace(LINES_ONLY, contacts=120, one_off_a_day=20), HONEST, 4.0),
        HARD: _polite_spam(),
        SMALL: replace(SPAM_ONLY, services=STANDARD.services, **_SMALL),
        "people answer labelled calls less often, mark more of them and hang up on more": replace(
            SPAM_ONLY, reaction=Reaction(answered=0.4, marked=3.0, hung_up_honest=0.15, hung_up_spam=0.5)
        ),
        "robots call again at once after a call that did not ring": _answering((Nature.ROBOT,), redials=1.0),
        "each robot passes one challenge in twenty": _answering((Nature.ROBOT,), never=0.0),
        SMART: _answering((Nature.ROBOT,), passes=1.0, never=0.0),
        FARMING: replace(_answering(SPAM_NATURES, passes=1.0, never=0.0), spam_life_days=1000.0, spammers=15),
        BOUGHT: replace(SPAM_ONLY, spam_identity=1),
    }
)
# Attacks by office, each with numbers of attackers and kinds of victims.
AttackPlan = Sequence[tuple[str, Sequence[int], Sequence[str]]]
ON_ALL = (*NEW_KINDS, ESTABLISHED, ESTABLISHED_MACHINE)
MACHINES = (Kind.NEW_MACHINE, ESTABLISHED_MACHINE)
_SPLIT: AttackPlan = ((NOTHING, (0,), NEW_KINDS), (SPLIT, (5, 10, 40), NEW_KINDS))
ATTACKS: Mapping[str, AttackPlan] = {
    STANDARD_NAME: (
        (NOTHING, (0,), NEW_KINDS),
        (MARKS, (1, 3, 10, 40), NEW_KINDS),
        (SPLIT, (1, 3, 5, 10, 40, 100), NEW_KINDS),
        (SPLIT, (10, 40, 100), (ESTABLISHED, ESTABLISHED_MACHINE)),
        (RELENTLESS, (3, 10, 40), NEW_KINDS),
        (OWN_LIST, (10, 40), NEW_KINDS),
        (SLOW, (10,), NEW_KINDS),
        # Numbers of insiders who help the outsider.
        (SPOOFED, (0, 2), NEW_KINDS),
        (SPOOFED, (0,), (ESTABLISHED, ESTABLISHED_MACHINE)),
        (SPOOFED_ELSEWHERE, (0,), MACHINES),
        (SPOOFED_BURSTS, (0,), NEW_KINDS),
    ),
    NOTICED: (
        *_SPLIT,
        (SPLIT, (40,), (ESTABLISHED_MACHINE,)),
        (SPOOFED, (0,), MACHINES),
    ),
    COLD: _SPLIT,
    COLD_NOTICED: _SPLIT,
    MANY_MARKS: ((NOTHING, (0,), NEW_KINDS),),
    SMALL: _SPLIT,
}

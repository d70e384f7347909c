"""Why a call was decided as it was, where no rule of a policy says so. Pure.

The journal keeps a reason as one English text. `wording_of(reason)` takes it apart by the same table that it was made
from, so that a screen can say it in another language. What an operator wrote is in no table, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from reputation.ids import ALPHABET
from reputation.wording import Wording


class Reason(StrEnum):
    """All that the engine says by itself; `{entry}` is one of the administrator's lists."""

    INTERNAL = "the call comes from one of our own endpoints"
    EMERGENCY_NUMBER = "an emergency number is calling"
    UNSCREENED_DID = "the dialled number is set not to be screened"
    EMERGENCY_WINDOW = "an emergency call was made from here a short while ago"
    EMERGENCY_CALLBACK = "a trusted trunk marks this as an emergency call-back"
    CALLEE_ALLOWS = "the callee has allowed this caller"
    CALLEE_BLOCKS = "the callee has blocked this caller"
    CALLEE_EXPECTS = "the callee expects a call"
    ON_ALLOWLIST = "{entry} is on the allowlist"
    ON_BLOCKLIST = "{entry} is on the blocklist"
    WITHHOLDS_BLOCKED = "the caller withholds a number that is on the blocklist"
    CONTACT_OF_CALLEE = "the callee has this caller as a contact"
    CONTACT_OF_COMPANY = "the caller is a contact of the company"
    CALLEE_TALKED = "the callee has called this number and talked"
    QUIET_HOURS = "the callee has quiet hours and does not know the caller"
    DEFAULT = "no rule of the policy holds"
    # Why it was no more than that.
    SOMEBODY_INVITES = "somebody here has allowed the caller or expects a call"
    SOMEBODY_KNOWS = "somebody here has the caller as a contact"
    SOMEBODY_TALKED = "somebody here has called this number and talked"
    SHOWS_OWN_NUMBER = "shows one of our own numbers"
    VERIFIED = "the caller is verified"
    PASSED_CHALLENGE = "the caller passed a challenge"
    REDIALLED = "the caller called again within 3 min"
    APPEALED = "an appeal is in force"


CAPPED = "{reason} ({cap})"
CAP_WITH_REFERENCE = "{cap}: {reference}"

_ENTRY = r"(\+?[0-9]+(?:\*|-\+[0-9]+)?)"
_LISTED = {
    one: re.compile(re.escape(one).replace(re.escape("{entry}"), _ENTRY))
    for one in (Reason.ON_ALLOWLIST, Reason.ON_BLOCKLIST)
}
_CAPPED = re.compile(r"(.+) \(([^()]+)\)")
_REFERRED = re.compile(rf"{Reason.APPEALED}: ([{ALPHABET}]{{8}})")
_WHOLE = frozenset(Reason) - frozenset(_LISTED)


def with_cap(reason: str, cap: str | None) -> str:
    """The reason of a decision, and why it was no more than that."""
    return reason if cap is None else CAPPED.format(reason=reason, cap=cap)


def wording_of(reason: str, others: Collection[str] = ()) -> Wording | None:
    """What a reason was made of; None for one that is not ours. `others` are ours too, whole: those of the presets."""
    if reason in _WHOLE or reason in others:
        return Wording(str(reason))
    for template, pattern in _LISTED.items():
        if listed := pattern.fullmatch(reason):
            return Wording(template.value, {"entry": listed[1]})
    if referred := _REFERRED.fullmatch(reason):
        return Wording(CAP_WITH_REFERENCE, {"cap": Wording(Reason.APPEALED.value), "reference": referred[1]})
    if capped := _CAPPED.fullmatch(reason):
        ordered, why_no_more = capped.groups()
        if cap := wording_of(why_no_more):
            return Wording(CAPPED, {"reason": wording_of(ordered, others) or ordered, "cap": cap})
    return None

"""The doctor's check of what phones are told: each DID's Dial carries our options, which bring labels and whispers."""

from __future__ import annotations

from collections.abc import Iterator

from callsieve.doctor.dialplan import DIAL_LINE, reaches_phones
from callsieve.doctor.finding import CheckContext, CheckStatus, Finding, and_more, warn
from callsieve.doctor.trunk_numbers import FoundTrunk, numbers_to_try, trunks_of
from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.pbx.cli_output import globals_in
from callsieve.pbx.dialplan_reach import OUR_OPTIONS, DialplanReach
from reputation.wording import Wording, listed

MOST_NUMBERS = 500
MOST_NAMED = 20


def are_labelled(ground: CheckContext) -> Finding:
    """Every Dial that a call to one of our numbers may come to carries our options. FreePBX makes its own Dial."""
    found = reaches_phones(ground)
    if found.status is not CheckStatus.OK or TRUNK_CONTEXT in ground.dialplan.contexts:
        return found
    bare = dict(_unlabelled(ground, trunks_of(ground)))
    if not bare:
        return found
    said = [Wording("{number} ({step})", {"number": number, "step": step}) for number, step in bare.items()]
    named = listed(said[:MOST_NAMED], "{some}; {more}")
    numbers = and_more(named if isinstance(named, Wording) else Wording(named), len(said[MOST_NAMED:]))
    return warn(Wording("their Dial carries no label and no whisper: {numbers}", {"numbers": numbers}), DIAL_LINE)


def _unlabelled(ground: CheckContext, trunks: list[FoundTrunk]) -> Iterator[tuple[str, str]]:
    """The numbers of which a phone rings without our options, and the place of its Dial. ConsoleError."""
    variables = globals_in(ground.ask("dialplan show globals"))
    plan = DialplanReach(ground.ask("dialplan show"), {**variables, OUR_OPTIONS: OUR_OPTIONS})
    outside = {f"{kind}/{trunk.name}" for trunk in trunks for kind in ("PJSIP", "IAX2", "SIP")}
    for trunk in trunks:
        context = trunk.context or ""
        for number in numbers_to_try(ground, trunk, context, variables, ())[:MOST_NUMBERS]:
            reaches = [plan.of(form, context) for form in number.forms if plan.found(form, context)]
            steps = sorted(step for reach in reaches for phone, step in reach.unlabelled if phone not in outside)
            if steps:
                yield number.name, steps[0]

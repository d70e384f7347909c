"""The health check of the outbound guard: is it asked before calls go out?"""

from __future__ import annotations

import re

from callsieve.doctor.dialplan import INSTALL, is_free, others
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, warn
from callsieve.install.freepbx import OUTBOUND_HOOK, calls_by_macro
from callsieve.pbx.cli_output import DialplanStep
from reputation.wording import Wording

_GUARD, _HOOK = OUTBOUND_HOOK.asks, OUTBOUND_HOOK.context
_ASKS = re.compile(rf"Gosub(?:If)?\(.*?\b(?:callsieve-outbound|{_GUARD}),s,1")


def guards_calls(context: CheckContext) -> Finding:
    """The outbound guard is asked; where it is not, whether that was to be expected."""
    steps = others(context.dialplan)
    asking = sorted({step.context for step in steps if _ASKS.search(step.application)})
    if _GUARD in context.dialplan.contexts and asking in ([], [_HOOK]):
        return _on_freepbx(steps, is_asked=bool(asking))
    if asking:
        return ok(Wording("asked in {contexts}", {"contexts": ", ".join(asking)}))
    if context.loaded.settings.outbound.observe:
        return ok(
            Wording("nobody asks: no call that leaves is looked at (the documentation says how, under Own numbers)")
        )
    return warn(
        Wording("[outbound] says observe = false, and nobody asks: no call that leaves is held or refused"),
        Wording("the line for your dialplan is in the documentation, under Own numbers"),
    )


def _on_freepbx(steps: list[DialplanStep], *, is_asked: bool) -> Finding:
    if any(calls_by_macro(step.context, step.application) for step in steps):
        return warn(Wording("FreePBX calls by Macro, as 15 and 16 do: no call that leaves is looked at"), "FreePBX 17")
    if is_asked:
        return ok(Wording("FreePBX asks before the Dial of each trunk"))
    if is_free(OUTBOUND_HOOK, steps):
        return warn(Wording("FreePBX does not ask: no call that leaves is looked at"), f"{INSTALL} --freepbx")
    return warn(
        Wording("[{context}] is somebody else's: no call that leaves is looked at", {"context": _HOOK}),
        Wording("before its Return():  {line}", {"line": OUTBOUND_HOOK.line}),
    )


CHECKS = (HealthCheck(place=140, name="outbound guard", find=guards_calls, as_root=True),)

"""The health check of the outbound guard: whether the dialplan asks CallSieve before outgoing calls."""

import re

from callsieve.doctor.dialplan import INSTALL, is_free, others
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, warn
from callsieve.install.freepbx import OUTBOUND_HOOK, calls_by_macro
from callsieve.pbx.cli_output import DialplanStep
from reputation.wording import Wording

_GUARD, _HOOK = OUTBOUND_HOOK.asks, OUTBOUND_HOOK.context
_ASKS = re.compile(rf"Gosub(?:If)?\(.*?\b(?:callsieve-outbound|{_GUARD}),s,1")


def guards_calls(context: CheckContext) -> Finding:
    """Check that the dialplan asks the outbound guard before outgoing calls. Not needed if the guard only observes."""
    steps = others(context.dialplan)
    asking = sorted({step.context for step in steps if _ASKS.search(step.application)})
    if _GUARD in context.dialplan.contexts and asking in ([], [_HOOK]):
        return _on_freepbx(steps, is_asked=bool(asking))
    if asking:
        return ok(Wording("the dialplan asks the outbound guard in {contexts}", {"contexts": ", ".join(asking)}))
    if context.loaded.settings.outbound.observe:
        return ok(
            Wording(
                "the dialplan does not ask the outbound guard: outgoing calls are not checked (callsieve help outbound)"
            )
        )
    return warn(
        Wording("[outbound] has observe = false, but the dialplan does not ask: no outgoing call is held or refused"),
        Wording("add the line from `callsieve help outbound` to your dialplan"),
    )


def _on_freepbx(steps: list[DialplanStep], *, is_asked: bool) -> Finding:
    if any(calls_by_macro(step.context, step.application) for step in steps):
        return warn(Wording("FreePBX 15 and 16 use Macro(): outgoing calls are not checked"), "FreePBX 17")
    if is_asked:
        return ok(Wording("FreePBX asks CallSieve before each outgoing call on a trunk"))
    if is_free(OUTBOUND_HOOK, steps):
        return warn(Wording("FreePBX does not ask CallSieve: outgoing calls are not checked"), f"{INSTALL} --freepbx")
    return warn(
        Wording("[{context}] has other content: outgoing calls are not checked", {"context": _HOOK}),
        Wording("add to this context, before its Return():  {line}", {"line": OUTBOUND_HOOK.line}),
    )


CHECKS = (HealthCheck(place=140, name="outbound guard", find=guards_calls, as_root=True),)

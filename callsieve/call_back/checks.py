"""Health check of call-backs: whether the call-back helper answers, and whether Asterisk reads call files."""

from contextlib import suppress
from pathlib import Path

from callsieve.call_back.client import HelperError, ping
from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ok, unknown, warn
from callsieve.pbx.cli_client import ConsoleError
from reputation.wording import Wording

SPOOL_MODULE = "pbx_spool"
START_HELPER = Wording(
    "set `enabled = true` in /etc/callsieve/call-back.toml; then systemctl enable --now callsieve-call-back; then "
    "callsieve prompts build"
)
NOT_SEEN = Wording("the console cannot check the call-back helper: run `callsieve doctor`")
LOAD_MODULE = Wording("add `load => pbx_spool.so` to modules.conf")


def are_placed(context: CheckContext) -> Finding:
    """Check that the call-back helper can place the calls that number owners request on the public page."""
    socket = context.loaded.settings.public.call_back
    if not socket:
        return ok(NONE)
    if context.fetch is None and not Path(socket).parent.exists():
        return unknown(NOT_SEEN)  # the console service has its own /run
    try:
        ping(Path(socket))
    except HelperError as error:
        return warn(Wording("nobody is called back: {why}", {"why": str(error)}), START_HELPER)
    with suppress(ConsoleError):
        if SPOOL_MODULE not in context.modules:
            return warn(Wording("nobody is called back: Asterisk does not read its call spool"), LOAD_MODULE)
    return ok(Wording("the call-back helper answers"))


CHECKS = (HealthCheck(place=380, name="calls back", find=are_placed),)

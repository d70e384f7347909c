"""The health check of look-ups at others: the process that the settings want runs, and the sources answer."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import suppress

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, and_more, ok, warn
from callsieve.lookups.client import SOCKET_NAME
from callsieve.lookups.operations import read_reason
from callsieve.settings import Settings
from reputation.store.lookups import last_failure, source_states, usage_since
from reputation.wording import Places, Wording

ANSWERS_SECONDS = 2.0
START_LOOKUPS = Wording("systemctl enable --now callsieve-lookups, or callsieve lookups serve")
RESTART_LOOKUPS = Wording("systemctl restart callsieve-lookups")
SHOW = "callsieve lookups show"
# So many failed requests of a day, and more than half of them, are worth a word.
FAILURES = 5


def are_made(ground: CheckContext) -> Finding:
    """Whoever is to be asked is asked, and answers."""
    settings = ground.loaded.settings
    if not settings.lookup:
        return ok(NONE)
    trouble = _trouble_at(str(ground.loaded.state_path(SOCKET_NAME)))
    return trouble or ground.judge_store(lambda db, now: _sources_found(db, now, settings))


def _trouble_at(path: str) -> Finding | None:
    """What is wrong with the process, which hangs up on who asks nothing. PermissionError: we may not look."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(ANSWERS_SECONDS)
        try:
            door.connect(path)
            door.sendall(b"\n")
            with suppress(ConnectionResetError):
                door.recv(1)
        except (FileNotFoundError, ConnectionRefusedError):
            return warn(Wording("nobody is asked: the look-up process does not run"), START_LOOKUPS)
        except (TimeoutError, BlockingIOError):
            return warn(Wording("nobody is asked: the look-up process does not answer"), RESTART_LOOKUPS)
    return None


def _sources_found(db: sqlite3.Connection, now: float, settings: Settings) -> Finding:
    states = {state.name: state for state in source_states(db) if state.in_settings}
    wanted = [states[table.name] for table in settings.lookup if table.name in states]
    off = [state for state in wanted if state.off_at is not None]
    if off:
        why: Places = {"source": off[0].name, "why": read_reason(off[0].off_why or "").words}
        way = Wording("callsieve lookups enable {source}", {"source": off[0].name})
        return warn(and_more(Wording("{source} is off: {why}", why), len(off) - 1), way)
    usages = [(state.name, usage_since(db, state.name, now)) for state in wanted]
    failing = [(name, usage) for name, usage in usages if usage.failed >= FAILURES and 2 * usage.failed > usage.asked]
    if failing:
        name, usage = failing[0]
        failure = last_failure(db, name) or ""
        about: Places = {"source": name, "failed": usage.failed, "asked": usage.asked, "failure": failure}
        words = Wording("{source}: {failed} of {asked} requests failed today, the last: {failure}", about)
        return warn(and_more(words, len(failing) - 1), SHOW)
    asked = sum(usage.asked for _, usage in usages)
    return ok(Wording("{count} sources, {asked} requests today", {"count": len(settings.lookup), "asked": asked}))


CHECKS = (HealthCheck(place=370, name="look-ups", find=are_made),)

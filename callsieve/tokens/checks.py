"""The health checks of the API: it is served where the settings say, and programs have tokens that count."""

from __future__ import annotations

import socket
import sqlite3

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, and_more, ok, warn
from callsieve.settings import address_of
from callsieve.text.times import day
from reputation.store.users import all_tokens
from reputation.wording import Wording

CONNECT_SECONDS = 2.0
# A token that ends within so long is to be replaced.
DUE_SECONDS = 14 * 86_400.0
OFF = Wording("it is off")
WAY_OUT = Wording(
    "callsieve asterisk install --systemd, then systemctl enable --now callsieve-api; or run: callsieve api"
)
WAY_OUT_OF_CONSOLE = Wording("systemctl restart callsieve; or run: callsieve web")


def is_served(ground: CheckContext) -> Finding:
    """Somebody listens where programs ask, and no token asks about so many calls that some are not recorded."""
    settings, path = ground.loaded.settings, ground.loaded.api_socket_path
    if not settings.api.enabled:
        return ok(OFF)
    if not _answers(socket.AF_UNIX, str(path)):
        return warn(Wording("nobody answers on {where}", {"where": str(path)}), WAY_OUT)
    console = settings.web.listen if settings.web.enabled else ""
    where = tuple(filter(None, (console, settings.api.listen)))
    for listen in where:
        host, port = address_of(listen)
        if not _answers(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)):
            way_out = WAY_OUT_OF_CONSOLE if listen == console else WAY_OUT
            return warn(Wording("nobody answers on {where}", {"where": listen}), way_out)
    telemetry = ground.telemetry
    if telemetry is not None and telemetry.unrecorded:
        return warn(
            Wording(
                "{calls:,} calls were decided but not recorded since the daemon's start",
                {"calls": telemetry.unrecorded},
            ),
            Wording(
                "a token asks about more than {rate} calls a second: callsieve token list; raise [api] "
                "recorded_per_second if a switch has so many",
                {"rate": settings.api.recorded_per_second},
            ),
        )
    return ok(Wording("at {where}", {"where": ", ".join((str(path), *where))}))


def _answers(family: int, address: tuple[str, int] | str) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_SECONDS)
        return probe.connect_ex(address) == 0


def has_tokens(ground: CheckContext) -> Finding:
    """There is a token, and none has ended or ends soon."""
    if not ground.loaded.settings.api.enabled:
        return ok(OFF)
    return ground.judge_store(_tokens_found)


def _tokens_found(db: sqlite3.Connection, now: float) -> Finding:
    tokens = [one.token for one in all_tokens(db)]
    if not tokens:
        return warn(Wording("no program has one"), "callsieve token add NAME")
    ends = [(one.expires_at, one.name) for one in tokens if one.expires_at is not None]
    due = sorted((at, name) for at, name in ends if at <= now + DUE_SECONDS)
    if due:
        at, name = due[0]
        ended = Wording("{name} ended {day}", {"name": name, "day": day(at)})
        ending = Wording("{name} ends {day}", {"name": name, "day": day(at)})
        return warn(
            and_more(ended if at <= now else ending, len(due) - 1),
            Wording("callsieve token revoke {name}, and add another", {"name": name}),
        )
    return ok(str(len(tokens)))


CHECKS = (
    HealthCheck(place=480, name="API", find=is_served),
    HealthCheck(place=490, name="API tokens", find=has_tokens),
)

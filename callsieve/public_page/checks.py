"""Health checks of the public page: its process, its address, and notifications about appeals."""

import grp
import os
import socket
import sqlite3
import time
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from callsieve.doctor.daemon import answer_on
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, fail, ok, unknown, warn
from callsieve.settings import Loaded, address_of
from callsieve.signing.keys import KEY_FILE, KeyFileError, signing_key
from callsieve.system.privileges import PUBLIC_USER, SERVICE_USER, ids_of, user_id_of
from callsieve.system.service_process import users_of
from reputation.events import EventKind
from reputation.store.outbox import is_wanted
from reputation.wording import Places, Wording

ANSWER_SECONDS = 2.0
OFF = Wording("switched off in the settings")
START = Wording(
    "systemctl enable --now callsieve-public; if the page has ended, journalctl -u callsieve-public says why"
)
UNITS = Wording(
    "run callsieve asterisk install --systemd, then systemctl daemon-reload and systemctl restart callsieve-public"
)
PROXY = Wording("check the web proxy in front of the page: callsieve help public-page")
APPEAL = Wording("set `appeal = true` in [actions] of the settings, then run systemctl restart callsieve")
TELL = Wording("have the event appeal.due or the digest sent to somebody: callsieve help public-page")
NOT_ASKED = Wording("not checked: the console connects to no other server; to check, run callsieve doctor")
# A file by which the page is recognised.
MARK = "/public.css"


def is_served(context: CheckContext) -> Finding:
    """Check that the page answers the proxy, statements can be signed, and somebody is notified of new appeals."""
    loaded = context.loaded
    public = loaded.settings.public
    if not public.enabled:
        return ok(OFF)
    if (trouble := _trouble_at(loaded) or _trouble_of_user(loaded)) is not None:
        return trouble
    if (loaded.state / KEY_FILE).exists():
        try:
            signing_key(loaded.state)
        except KeyFileError as error:
            return fail(Wording("no appeal can be upheld: {problem}", {"problem": str(error)}))
    if not (loaded.settings.actions.appeal or public.in_answers):
        return warn(Wording("rejected callers hear no reference, which an appeal needs"), APPEAL)
    return context.judge_store(lambda db, _now: _appeal_finding(db, loaded))


def is_reached(context: CheckContext) -> Finding:
    """Check that the public address leads to this page, over trusted TLS. Unknown if `context.fetch` is None."""
    public = context.loaded.settings.public
    if not public.enabled:
        return ok(OFF)
    if context.fetch is None:
        return unknown(NOT_ASKED)
    answer = context.fetch(public.address + MARK)
    if isinstance(answer, Wording):
        return warn(answer, PROXY)
    status, body = answer
    if status != 200 or body != _mark():
        where: Places = {"address": public.address, "status": status}
        return warn(Wording("another server answers at {address} (HTTP {status})", where), PROXY)
    return ok(public.address)


def _trouble_at(loaded: Loaded) -> Finding | None:
    """Return an error unless the process behind the proxy is our page and trusts a proxy on this server."""
    public = loaded.settings.public
    host, port = address_of(public.listen)
    if ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    name = urlsplit(public.address).hostname or ""
    request = f"GET {MARK} HTTP/1.1\r\nHost: {name}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            connection.sendall(request.encode())
            answer = answer_on(connection, time.monotonic() + ANSWER_SECONDS)
    except OSError:
        return warn(Wording("nothing answers on {where}", {"where": public.listen}), START)
    if answer.endswith(_mark()):
        if user_id_of(SERVICE_USER) not in users_of(port):
            return None
        return fail(Wording("the page runs as {user}, a user that the daemon trusts", {"user": SERVICE_USER}), UNITS)
    if b"accepts HTTPS only" not in answer:  # callsieve/web/security_headers.py
        return warn(Wording("another program answers on {where}", {"where": public.listen}), START)
    if host not in public.proxies:
        return None  # its proxy is on another server
    return fail(Wording("the page trusts no proxy on this server, so it refuses every request"), UNITS)


def _trouble_of_user(loaded: Loaded) -> Finding | None:
    """Return an error if the page's user may open files of Asterisk's group, such as the store."""
    ids = ids_of(PUBLIC_USER)
    try:
        group = Path(loaded.settings.asterisk.etc).stat().st_gid
        name = grp.getgrgid(group).gr_name
    except (OSError, KeyError):
        return None
    if ids is None or group not in os.getgrouplist(PUBLIC_USER, ids[1]):
        return None
    places: Places = {"user": PUBLIC_USER, "group": name}
    remedy = Wording("gpasswd --delete {user} {group}, then systemctl restart callsieve-public", places)
    return fail(Wording("the page's user {user} is in the group {group}, which may read the store", places), remedy)


def _appeal_finding(db: sqlite3.Connection, loaded: Loaded) -> Finding:
    if not is_wanted(db, EventKind.APPEAL_DUE) and not loaded.settings.digest.to:
        return warn(Wording("nobody is notified when the decision of an appeal is due"), TELL)
    return ok(Wording("answers at {where}", {"where": loaded.settings.public.listen}))


def _mark() -> bytes:
    return (files("callsieve.public_page.web") / "static" / "public.css").read_bytes()


CHECKS = (
    HealthCheck(place=400, name="public page", find=is_served),
    HealthCheck(place=410, name="public address", find=is_reached),
)

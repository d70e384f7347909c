"""The doctor's checks of the daemon: it answers on both sockets, and only those who may ask it do."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from agi.protocol import STATUS_HELLO
from agi.quoting import variables_in
from ami_listener.errors import TroubleKind
from callsieve.doctor.finding import RESTART, CheckContext, Finding, fail, ok, unknown, warn
from callsieve.install.plan import OUR_UNIT
from callsieve.settings import Ami, address_of
from callsieve.system.files import naming
from callsieve.system.service_process import holder_of, is_failing
from callsieve.telemetry import is_outdated
from policies.reasons import FailOpen
from reputation.wording import Places, Wording

STATUS_SECONDS = 2.0
ANSWER_LIMIT = 64 * 1024
START = Wording("systemctl start callsieve, or callsieve serve")
RESTART_ALL = f"{RESTART} callsieve-api"
STATUS = "systemctl status callsieve"


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """What the daemon said to `/status`, and how long it took in milliseconds."""

    variables: dict[str, str]
    milliseconds: float


def ask_status(connect: Callable[[float], socket.socket]) -> StatusAnswer:
    """Ask the daemon how it is, in a way that no other FastAGI server acts on. `connect` is given seconds. OSError."""
    began = time.monotonic()
    deadline = began + STATUS_SECONDS
    with closing(connect(STATUS_SECONDS)) as connection:
        connection.sendall(STATUS_HELLO)
        said = answer_on(connection, deadline)
        milliseconds = 1000 * (time.monotonic() - began)
        connection.sendall(b"200 result=1\n" * said.count(b"\n"))
    return StatusAnswer(variables_in(said), milliseconds)


def answer_on(connection: socket.socket, deadline: float, end: bytes | None = None) -> bytes:
    """What is said up to the `end`, or until the other side has no more to say. OSError, TimeoutError among them."""
    said = b""
    while len(said) < ANSWER_LIMIT and not (end and end in said):
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = connection.recv(ANSWER_LIMIT)
        if not chunk:
            break
        said += chunk
    return said


def daemon_answers(context: CheckContext) -> Finding:
    """Return whether the daemon answers on its FastAGI port, and says that all is well."""
    listen = context.loaded.settings.agi.listen
    address = address_of(listen)
    try:
        with naming(listen):
            answer = ask_status(lambda seconds: socket.create_connection(address, seconds))
    except ConnectionRefusedError:
        if is_failing(OUR_UNIT):
            words = "the service ends as soon as it is started, and nobody answers on {where}: calls go on unscreened"
            return fail(Wording(words, {"where": listen}), STATUS)
        return fail(Wording("nobody answers on {where}: calls go on unscreened", {"where": listen}), START)
    except TimeoutError:
        holder: Places = {"where": listen, "holder": holder_of(address[1])}
        return fail(
            Wording("{holder} has {where} and does not answer: calls wait 0.6 s, then go on unscreened", holder),
            Wording(
                "if that is CallSieve: systemctl restart callsieve; else choose another [agi] listen, and install again"
            ),
        )
    finding = _judged(context, answer, listen, holder_of(address[1]))
    if answer.variables.get("CALLSIEVE_RULE") == "status" and is_outdated(context.loaded.state, context.now):
        return outdated(listen, answer.variables.get("CALLSIEVE_REASON", ""))
    return finding


def outdated(where: str, trouble: str) -> Finding:
    """Return that the daemon is of an older version than the program, with its trouble."""
    about: Places = {"where": where, "why": trouble}
    if trouble:
        return warn(Wording("an older version of CallSieve answers on {where}, and says: {why}", about), RESTART_ALL)
    return warn(Wording("an older version of CallSieve answers on {where}", about), RESTART_ALL)


def socket_answers(context: CheckContext) -> Finding:
    """The same over the Unix socket, which the classic script uses."""
    path = context.loaded.socket_path
    where: Places = {"file": str(path)}

    def connect(seconds: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
        except BaseException:
            connection.close()
            raise
        return connection

    try:
        with naming(path):
            answer = ask_status(connect)
    except FileNotFoundError:
        return warn(
            Wording("{file} is not there", where),
            Wording("only the classic script needs it: is the daemon's state directory another?"),
        )
    except PermissionError:
        return unknown(
            Wording("this user may not use {file}", where), Wording("run this as root or in Asterisk's group")
        )
    except ConnectionRefusedError:
        return warn(Wording("nobody answers on {file}", where), START)
    except TimeoutError:
        return fail(Wording("no answer on {file}", where), RESTART)
    return _judged(context, answer, str(path), "another process")


def is_asked_by_asterisk(context: CheckContext) -> Finding:
    """Nobody on this machine but Asterisk, root and the service asked the daemon for anything since its start."""
    told = context.fresh_telemetry
    if told is None:
        return unknown(Wording("the daemon did not say lately"), START)
    if told.is_blind:
        remedy = Wording("callsieve asterisk install --systemd: the unit needs AF_NETLINK")
        return fail(Wording("the kernel does not say who asks: no call is screened"), remedy)
    if told.server.strangers:
        remedy = Wording("the daemon's log has the user: if Asterisk runs as that, add it to [agi] users and restart")
        return fail(
            Wording("{count} connections of another user were refused", {"count": told.server.strangers}), remedy
        )
    return ok(Wording("only Asterisk, root and the service asked"))


def _without_ami(reason: str, ami: Ami) -> str:
    """What the daemon says is wrong, but for its connection to Asterisk: that is down, as the check of it says."""
    where = f"{ami.host}:{ami.port}"
    for kind in TroubleKind:
        said = re.escape(f"{where}: {kind.words}") + r"(?: \([^)]*\))?" + re.escape(f": {kind.remedy}")
        reason = re.sub(said, "", reason)
    return reason.strip("; ")


def _judged(context: CheckContext, answer: StatusAnswer, where: str, holder: str) -> Finding:
    rule, reason = answer.variables.get("CALLSIEVE_RULE"), answer.variables.get("CALLSIEVE_REASON", "")
    if context.is_asterisk_down:
        reason = _without_ami(reason, context.loaded.settings.ami)
    about: Places = {"took": f"{answer.milliseconds:.1f} ms", "why": reason, "where": where}
    more = Wording("its log says more")
    if rule == "status" and reason:
        return warn(Wording("it answers ({took}), but: {why}", about), more)
    if rule == "status":
        return ok(Wording("{where}, {took}", about))
    if rule == "fail-open" and reason == FailOpen.HEADER:  # it does not know our question
        return outdated(where, "")
    if rule == "fail-open":
        return warn(Wording("it lets calls go on unscreened ({took}): {why}", about), more)
    another = Wording("choose another [agi] listen, and install again")
    return fail(Wording("{holder} answers on {where}, and is not CallSieve", {**about, "holder": holder}), another)

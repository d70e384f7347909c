"""The doctor's checks of the daemon: whether it answers on both sockets, and whether only allowed users query it."""

import re
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agi.protocol import STATUS_HELLO
from agi.quoting import variables_in
from ami_listener.errors import TroubleKind
from callsieve.doctor.finding import RESTART, CheckContext, Finding, fail, ok, unknown, warn
from callsieve.install.plan import OUR_UNIT, SYSTEM_UNITS
from callsieve.settings import Ami, address_of
from callsieve.system.files import naming
from callsieve.system.service_process import holder_of, is_failing
from callsieve.telemetry import is_outdated
from policies.reasons import FailOpen
from reputation.wording import Places, Wording

STATUS_SECONDS = 2.0
ANSWER_LIMIT = 64 * 1024
START = Wording("systemctl start callsieve, or callsieve serve")
INSTALL = Wording("callsieve asterisk install --systemd, then systemctl enable --now callsieve")
UNITS = (SYSTEM_UNITS, Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
RESTART_ALL = f"{RESTART} callsieve-api"
STATUS = "systemctl status callsieve"


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The daemon's answer to `/status`. `milliseconds`: how long the daemon took to answer."""

    variables: dict[str, str]
    milliseconds: float


def ask_status(connect: Callable[[float], socket.socket]) -> StatusAnswer:
    """Query the daemon's status. Other FastAGI servers ignore the query. Raise OSError if no answer arrives in time.

    `connect`: opens a connection within the given seconds, or raises OSError.
    """
    began = time.monotonic()
    deadline = began + STATUS_SECONDS
    with closing(connect(STATUS_SECONDS)) as connection:
        connection.sendall(STATUS_HELLO)
        answer = answer_on(connection, deadline)
        milliseconds = 1000 * (time.monotonic() - began)
        connection.sendall(b"200 result=1\n" * answer.count(b"\n"))
    return StatusAnswer(variables_in(answer), milliseconds)


def answer_on(connection: socket.socket, deadline: float, end: bytes | None = None) -> bytes:
    """Return the bytes received up to `end`, or until the connection closes. Raise OSError or TimeoutError."""
    received = b""
    while len(received) < ANSWER_LIMIT and not (end and end in received):
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = connection.recv(ANSWER_LIMIT)
        if not chunk:
            break
        received += chunk
    return received


def daemon_answers(context: CheckContext) -> Finding:
    """Check that the daemon answers on its FastAGI port and reports no problem."""
    listen = context.loaded.settings.agi.listen
    address = address_of(listen)
    try:
        with naming(listen):
            answer = ask_status(lambda seconds: socket.create_connection(address, seconds))
    except ConnectionRefusedError:
        if is_failing(OUR_UNIT):
            words = "the service stops as soon as it is started, and nothing answers on {where}: calls go on unscreened"
            return fail(Wording(words, {"where": listen}), STATUS)
        return fail(Wording("nothing answers on {where}: calls go on unscreened", {"where": listen}), start_remedy())
    except TimeoutError:
        holder: Places = {"where": listen, "holder": holder_of(address[1])}
        return fail(
            Wording("{holder} uses {where} and does not answer: calls wait 0.6 s, then go on unscreened", holder),
            Wording(
                "if this program is CallSieve: systemctl restart callsieve; otherwise choose another `listen` in "
                "[agi], then callsieve asterisk install"
            ),
        )
    finding = _judged(context, answer, listen, holder_of(address[1]))
    if answer.variables.get("CALLSIEVE_RULE") == "status" and is_outdated(context.loaded.state, context.now):
        return outdated(listen, answer.variables.get("CALLSIEVE_REASON", ""))
    return finding


def outdated(where: str, trouble: str) -> Finding:
    """Return the finding that the daemon is older than the installed program. `trouble`: problems that it reports."""
    about: Places = {"where": where, "why": trouble}
    if trouble:
        return warn(Wording("an older version of CallSieve answers on {where}, and reports: {why}", about), RESTART_ALL)
    return warn(Wording("an older version of CallSieve answers on {where}", about), RESTART_ALL)


def start_remedy(units: Iterable[Path] = UNITS) -> Wording:
    """Return how to start the daemon. If the daemon's systemd unit is missing, return how to install the unit."""
    return START if any((folder / OUR_UNIT).exists() for folder in units) else INSTALL


def socket_answers(context: CheckContext) -> Finding:
    """Check that the daemon answers on the Unix socket, which the classic AGI script uses."""
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
            Wording("{file} does not exist", where),
            Wording("only the classic script needs this file: check whether the daemon uses another state directory"),
        )
    except PermissionError:
        return unknown(
            Wording("this user may not use {file}", where), Wording("run this as root or in Asterisk's group")
        )
    except ConnectionRefusedError:
        return warn(Wording("nothing answers on {file}", where), start_remedy())
    except TimeoutError:
        return fail(Wording("no answer on {file}", where), RESTART)
    return _judged(context, answer, str(path), "another process")


def has_only_known_users(context: CheckContext) -> Finding:
    """Check that only Asterisk, root and the service have sent requests to the daemon since its start."""
    telemetry = context.fresh_telemetry
    if telemetry is None:
        return unknown(Wording("no recent report from the daemon"), start_remedy())
    if telemetry.is_blind:
        remedy = Wording("callsieve asterisk install --systemd: the unit needs AF_NETLINK")
        return fail(Wording("the kernel does not report which user connects: no call is screened"), remedy)
    if telemetry.server.strangers:
        remedy = Wording(
            "the daemon's log names the user: if Asterisk runs as this user, add the user to `users` in [agi] and "
            "restart the daemon"
        )
        return fail(
            Wording("{count} connections from another user were refused", {"count": telemetry.server.strangers}), remedy
        )
    return ok(Wording("only Asterisk, root and the service have sent requests"))


def _without_ami(reason: str, ami: Ami) -> str:
    """Return the daemon's problems without problems of the AMI connection, which another check reports."""
    where = f"{ami.host}:{ami.port}"
    for kind in TroubleKind:
        trouble = re.escape(f"{where}: {kind.words}") + r"(?: \([^)]*\))?" + re.escape(f": {kind.remedy}")
        reason = re.sub(trouble, "", reason)
    return reason.strip("; ")


def _judged(context: CheckContext, answer: StatusAnswer, where: str, holder: str) -> Finding:
    rule, reason = answer.variables.get("CALLSIEVE_RULE"), answer.variables.get("CALLSIEVE_REASON", "")
    if context.is_asterisk_down:
        reason = _without_ami(reason, context.loaded.settings.ami)
    about: Places = {"took": f"{answer.milliseconds:.1f} ms", "why": reason, "where": where}
    more = Wording("the daemon's log has details")
    if rule == "status" and reason:
        return warn(Wording("the daemon answers ({took}), but: {why}", about), more)
    if rule == "status":
        return ok(Wording("{where}, {took}", about))
    if rule == "fail-open" and reason == FailOpen.HEADER:  # an older version does not know our request
        return outdated(where, "")
    if rule == "fail-open":
        return warn(Wording("the daemon lets calls go on unscreened ({took}): {why}", about), more)
    another = Wording("choose another `listen` in [agi], then callsieve asterisk install")
    return fail(Wording("{holder} answers on {where}, and is not CallSieve", {**about, "holder": holder}), another)

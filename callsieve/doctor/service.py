"""The doctor's checks of ourselves: the daemon answers, and what it needs is there, sound and private."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agi.protocol import STATUS_HELLO
from agi.quoting import variables_in
from ami_listener.errors import TroubleKind
from callsieve.doctor.finding import NONE, CheckContext, Finding, and_more, fail, ok, unknown, warn
from callsieve.doctor.trunk_numbers import undescribed_trunks
from callsieve.exchange.views import ExchangeShown, exchange_shown
from callsieve.imports.feed_health import FeedStatus, health_of, health_of_missing, nobody_fetches
from callsieve.install.plan import OUR_UNIT
from callsieve.pbx.cli_client import ConsoleError
from callsieve.pbx.config_files import read_text
from callsieve.settings import Ami, SettingsError, SettingsUnreadable, address_of, parse_settings
from callsieve.system.files import naming
from callsieve.system.port_holder import holder_of
from callsieve.system.privileges import acting_for
from callsieve.system.unit_state import is_failing
from callsieve.telemetry import is_fresh, is_outdated, read_telemetry
from callsieve.text.times import span_words
from callsieve.wiring import dids_of, people_of, policies_of
from policies.policy import PolicyError
from policies.reasons import FailOpen
from reputation.store.backup import backups_of
from reputation.store.database import is_lost
from reputation.store.errors import StoreError, store_errors
from reputation.store.feed_fetches import feed_fetches
from reputation.store.feeds import feed_sources
from reputation.store.migrations import known_migrations, pending
from reputation.store.people import all_dids, all_people
from reputation.store.recovery import quarantined_of
from reputation.wording import Places, Wording, listed

T = TypeVar("T")

STATUS_SECONDS = 2.0
ANSWER_LIMIT = 64 * 1024
STORE_SECONDS = 2.0
BACKUP_DAYS = 2.0
FEEDS = "callsieve feeds"
EXCHANGE = "callsieve exchange status"
EXCHANGE_TIMER = Wording("systemctl enable --now callsieve-exchange.timer, or callsieve exchange run by cron")
FETCH_TIMER = Wording("systemctl enable --now callsieve-feeds.timer, or callsieve feeds fetch by cron")
# Below this the journal may stop at any moment; a backup needs the size of the store once more.
LEAST_FREE = 50 * 1024 * 1024
_RUNS_AS = re.compile(r"^(User|Group)=(\S+)$", re.MULTILINE)
START = Wording("systemctl start callsieve, or callsieve serve")
RESTART = "systemctl restart callsieve"
RESTART_ALL = f"{RESTART} callsieve-api"
STATUS = "systemctl status callsieve"
MIGRATE = Wording("systemctl restart callsieve, which migrates it; without a service: callsieve db migrate")


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


def daemon_answers(ground: CheckContext) -> Finding:
    """The daemon answers on its FastAGI port, and says that all is well."""
    answer = answer_of_daemon(ground)
    return answer if isinstance(answer, Finding) else judged(ground, answer)


def answer_of_daemon(ground: CheckContext) -> StatusAnswer | Finding:
    """What whoever listens on the FastAGI port said; or that nobody did."""
    listen = ground.loaded.settings.agi.listen
    address = address_of(listen)
    try:
        with naming(listen):
            return ask_status(lambda seconds: socket.create_connection(address, seconds))
    except ConnectionRefusedError:
        if is_failing(OUR_UNIT):
            words = "the service ends as soon as it is started, and nobody answers on {where}: calls go on unscreened"
            return fail(Wording(words, {"where": listen}), STATUS)
        return fail(
            Wording("nobody answers on {where}: calls go on unscreened", {"where": listen}),
            START,
        )
    except TimeoutError:
        holder: Places = {"where": listen, "holder": holder_of(address[1])}
        return fail(
            Wording("{holder} has {where} and does not answer: calls wait 0.6 s, then go on unscreened", holder),
            Wording(
                "if that is CallSieve: systemctl restart callsieve; else choose another [agi] listen, and install again"
            ),
        )


def judged(ground: CheckContext, answer: StatusAnswer) -> Finding:
    """Return what is to be thought of an answer on the FastAGI port."""
    listen = ground.loaded.settings.agi.listen
    finding = _judged(ground, answer, listen, holder_of(address_of(listen)[1]))
    if answer.variables.get("CALLSIEVE_RULE") != "status":
        return finding
    if not is_outdated(ground.loaded.state, ground.now):
        return finding
    return outdated(listen, answer.variables.get("CALLSIEVE_REASON", ""))


def outdated(where: str, trouble: str) -> Finding:
    """Return that the daemon is of an older version than the program, with its trouble."""
    about: Places = {"where": where, "why": trouble}
    if trouble:
        return warn(Wording("an older version of CallSieve answers on {where}, and says: {why}", about), RESTART_ALL)
    return warn(Wording("an older version of CallSieve answers on {where}", about), RESTART_ALL)


def socket_answers(ground: CheckContext) -> Finding:
    """The same over the Unix socket, which the classic script uses."""
    path = ground.loaded.socket_path
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
    return _judged(ground, answer, str(path), "another process")


def is_asked_by_asterisk(ground: CheckContext) -> Finding:
    """Nobody on this machine but Asterisk, root and the service asked the daemon for anything since its start."""
    told = read_telemetry(ground.loaded.state)
    if told is None or not is_fresh(told, ground.now):
        return unknown(Wording("the daemon did not say lately"), START)
    if told.is_blind:
        way_out = Wording("callsieve asterisk install --systemd: the unit needs AF_NETLINK")
        return fail(Wording("the kernel does not say who asks: no call is screened"), way_out)
    if told.server.strangers:
        way_out = Wording("the daemon's log has the user: if Asterisk runs as that, add it to [agi] users and restart")
        return fail(
            Wording("{count} connections of another user were refused", {"count": told.server.strangers}), way_out
        )
    return ok(Wording("only Asterisk, root and the service asked"))


def _without_ami(reason: str, ami: Ami) -> str:
    """What the daemon says is wrong, but for its connection to Asterisk: that is down, as the check of it says."""
    where = f"{ami.host}:{ami.port}"
    for kind in TroubleKind:
        said = re.escape(f"{where}: {kind.words}") + r"(?: \([^)]*\))?" + re.escape(f": {kind.way_out}")
        reason = re.sub(said, "", reason)
    return reason.strip("; ")


def _judged(ground: CheckContext, answer: StatusAnswer, where: str, holder: str) -> Finding:
    rule, reason = answer.variables.get("CALLSIEVE_RULE"), answer.variables.get("CALLSIEVE_REASON", "")
    if ground.is_asterisk_down:
        reason = _without_ami(reason, ground.loaded.settings.ami)
    about: Places = {"took": f"{answer.milliseconds:.1f} ms", "why": reason, "where": where}
    more = Wording("its log says more")
    if rule == "status" and reason:
        return warn(Wording("it answers ({took}), but: {why}", about), more)
    if rule == "status":
        return ok(Wording("{where}, {took}", about))
    if rule == "fail-open" and reason == FailOpen.HEADER:  # it does not know our question
        return warn(Wording("an older version of CallSieve answers on {where}", about), RESTART_ALL)
    if rule == "fail-open":
        return warn(Wording("it lets calls go on unscreened ({took}): {why}", about), more)
    another = Wording("choose another [agi] listen, and install again")
    return fail(Wording("{holder} answers on {where}, and is not CallSieve", {**about, "holder": holder}), another)


def settings_are_private(ground: CheckContext) -> Finding:
    """They can be used, nobody else reads the secret or writes where we read, and the service can read them."""
    if isinstance(ground.read, SettingsUnreadable):
        return unknown(str(ground.read), Wording("run this as root"))
    if isinstance(ground.read, SettingsError):
        return fail(str(ground.read), Wording("correct the file; until then the daemon can neither start nor reload"))
    file, state = ground.loaded.file, ground.loaded.state
    if file is not None:
        mode = file.stat().st_mode
        if mode & 0o002 or file.parent.stat().st_mode & 0o1002 == 0o002:
            return fail(Wording("others may change {file}", {"file": str(file)}), f"chmod o-w {file} {file.parent}")
        # Of the manager user: the secrets of others stand elsewhere, and the environment may have another one.
        written = parse_settings(file.read_text("utf-8"), str(file))
        if mode & 0o004 and (written.ami.secret or written.agi.key):
            return fail(Wording("others may read the secret in {file}", {"file": str(file)}), f"chmod o-r {file}")
        service = dict(_RUNS_AS.findall(read_text(ground.place.unit) or ""))
        if service.keys() >= {"User", "Group"} and not _may_read(file, service["User"], service["Group"]):
            may_not: Places = {"user": service["User"], "what": str(file)}
            way_out = f"chgrp {service['Group']} {file}; chmod g+r {file}"
            return fail(Wording("{user} may not read {what}", may_not), way_out)
        if service and not (_is_roots_alone(file) and _is_roots_alone(file.parent)):
            others = Wording(
                "others than root may change {file}, and root runs [asterisk] command", {"file": str(file)}
            )
            return fail(others, f"chown root {file.parent} {file}; chmod g-w {file.parent} {file}")
    if state.exists() and state.stat().st_mode & 0o002:
        return fail(Wording("others may write in {folder}", {"folder": str(state)}), f"chmod o-w {state}")
    where: Places = {"file": str(file) if file else Wording("no file, all as it comes"), "folder": str(state)}
    return ok(Wording("{file}; state in {folder}", where))


def _is_roots_alone(path: Path) -> bool:
    status = path.stat()
    return status.st_uid == 0 and not status.st_mode & 0o020


def _may_read(file: Path, user: str, group: str) -> bool:
    """Whether a service of this user and group, named as in its unit, may; also where they are not there (yet)."""
    try:
        uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        return True
    groups = os.getgrouplist(user, gid)

    def may(path: Path, bit: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid in groups else 0
        return bool(status.st_mode >> shift & bit)

    return may(file.parent, 0o1) and may(file, 0o4)


def policy_loads(ground: CheckContext) -> Finding:
    """The policy, and those of its scopes, can be used."""
    try:
        policies = policies_of(ground.loaded)
    except PolicyError as error:
        return fail(str(error), "callsieve policy check")
    policy = policies.default
    named: str | Wording = policy.name
    if policies.scopes:
        parts: Places = {"policy": policy.name, "count": len(policies.scopes)}
        named = Wording("{policy}, and {count} for parts of the calls", parts)
    return ok(Wording("{policy}: observes, never acts", {"policy": named}) if policy.observe else named)


def store_opens(ground: CheckContext) -> Finding:
    """The store opens, is of this version, and has room to grow."""
    path = ground.loaded.store_path
    if not path.exists():
        if is_lost(path):
            return fail(Wording("{file} is missing, but it has backups", {"file": str(path)}), "callsieve db restore")
        return warn(Wording("{file} is not there yet", {"file": str(path)}), START)
    if not os.access(path, os.R_OK):
        return unknown(
            Wording("this user may not read {file}", {"file": str(path)}),
            Wording("run this as root or the daemon's user"),
        )
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return fail(
            Wording("{file} is on a read-only file system: nothing is recorded", {"file": str(path)}),
            Wording("look for the reason (dmesg), then: mount -o remount,rw {folder}", {"folder": str(path.parent)}),
        )
    try:
        with read_only(path) as db:
            waiting = pending(db)
    except StoreError as error:
        return fail(str(error))
    if waiting:
        behind: Places = {"file": str(path), "steps": len(waiting)}
        return warn(Wording("{file} is of an older version ({steps} steps behind)", behind), MIGRATE)
    return _with_room(path, path.stat().st_size, shutil.disk_usage(path.parent).free)


def _with_room(path: Path, size: int, free: int) -> Finding:
    figures: Places = {"size": _size(size), "schema": known_migrations()[-1].version, "free": _size(free)}
    about = Wording("{size}, schema {schema}, {free} free", figures)
    room: Places = {"folder": str(path.parent), "size": _size(size)}
    if free < LEAST_FREE:
        return fail(
            Wording("the disk is full: {about}", {"about": about}), Wording("free some space in {folder}", room)
        )
    if free < LEAST_FREE + 2 * size:
        way_out = Wording("free some space in {folder}: a backup needs {size}", room)
        return warn(Wording("there is little space: {about}", {"about": about}), way_out)
    if damaged := quarantined_of(path):
        older: Places = {"about": about, "file": damaged[-1].name}
        return warn(
            Wording("{about}; an older one was damaged: {file}", older), Wording("look into it, then delete it")
        )
    return ok(about)


def has_backup(ground: CheckContext) -> Finding:
    """There is a backup of yesterday or today."""
    path = ground.loaded.store_path
    backups = backups_of(path)
    if not backups:
        return warn(Wording("none yet: the daemon makes one a day"), "callsieve db backup")
    days = (ground.now - backups[0].stat().st_mtime) / 86400
    if days > BACKUP_DAYS:
        return warn(
            Wording("the last one is {days:.0f} days old", {"days": days}),
            Wording("callsieve db backup; does the daemon run?"),
        )
    return ok(Wording("{count}, the last one {hours:.0f} h old", {"count": len(backups), "hours": 24 * days}))


def check_of_store(judge: Callable[[sqlite3.Connection, float], Finding]) -> Callable[[CheckContext], Finding]:
    """The check that asks the store alone."""
    return lambda ground: told_by_store(ground, judge)


def has_fresh_feeds(ground: CheckContext) -> Finding:
    """Feeds still come, and are as large as they used to be; those of the settings are fetched."""
    wanted = [feed.name for feed in ground.loaded.settings.feed]
    return told_by_store(ground, lambda db, now: _feeds_found(db, now, wanted))


def _feeds_found(db: sqlite3.Connection, now: float, wanted: Sequence[str]) -> Finding:
    feeds, fetches = feed_sources(db), feed_fetches(db)
    if nobody_fetches(wanted, fetches, now):
        return warn(Wording("nobody fetches them: the timer does not run"), FETCH_TIMER)
    missing = set(wanted) - {feed.name for feed in feeds}
    found = [(feed.name, health_of(feed, now)) for feed in feeds]
    found += [(name, health_of_missing(fetches.get(name), now)) for name in sorted(missing)]
    ill = [one for one in found if one[1].health is not FeedStatus.OK]
    if ill:
        name, health = ill[0]
        return warn(and_more(Wording("{feed} {health}", {"feed": name, "health": health.said}), len(ill) - 1), FEEDS)
    if not feeds:
        return ok(NONE)
    oldest = span_words(max(0.0, now - min(feed.imported_at for feed in feeds)))
    return ok(Wording("{count}, the oldest {age} old", {"count": len(feeds), "age": oldest}))


def has_fresh_exchange(ground: CheckContext) -> Finding:
    """What other companies publish still comes, and what we publish is of yesterday or today."""
    return told_by_store(ground, lambda db, now: _exchange_found(exchange_shown(db, ground.loaded, now), now))


def _exchange_found(shown: ExchangeShown, now: float) -> Finding:
    if shown.nobody_fetches:
        return warn(Wording("nobody fetches the companies of the settings: the timer does not run"), EXCHANGE_TIMER)
    if shown.published is not None and shown.published.is_late:
        return warn(Wording("nothing was published for two days"), EXCHANGE_TIMER)
    ill = [one for one in shown.peers if not one.is_well]
    if ill:
        first = Wording("{company} {health}", {"company": ill[0].name, "health": ill[0].health.said})
        return warn(and_more(first, len(ill) - 1), EXCHANGE)
    if not shown.peers:
        return ok(NONE if shown.published is None else Wording("published"))
    taken = [one for one in shown.peers if one.state.came_at is not None]
    if not taken:
        return ok(Wording("none has come yet"))
    oldest = span_words(max(0.0, *(now - (one.state.came_at or now) for one in taken)))
    about: Places = {"count": len(taken), "age": oldest, "numbers": sum(one.state.numbers for one in taken)}
    return ok(Wording("{count}, the oldest {age} old; numbers: {numbers:,}", about))


def told_by_store(ground: CheckContext, judge: Callable[[sqlite3.Connection, float], Finding]) -> Finding:
    """What `judge` finds in the store at this time, if there is one and it can be read."""
    path = ground.loaded.store_path
    if not path.exists():
        return ok(NONE)
    try:
        with read_only(path) as db:
            if pending(db):
                return unknown(Wording("the store is of an older version"), MIGRATE)
            return judge(db, ground.now)
    except StoreError as error:
        return unknown(str(error))


def knows_us(ground: CheckContext) -> Finding:
    """Trunks, numbers and people have names, so that lists, marks and trust can be about them."""
    settings = ground.loaded.settings
    dids = len({did.number for did in (*read_of_store(ground, all_dids), *dids_of(settings))})
    known_people = (*read_of_store(ground, all_people), *people_of(settings))
    people = len({one.extension for one in known_people})
    counts = (
        (len(settings.trunk), Wording("1 trunk"), Wording("{n} trunks", {"n": len(settings.trunk)})),
        (dids, Wording("1 DID"), Wording("{n} DIDs", {"n": dids})),
        (people, Wording("1 person"), Wording("{n} people", {"n": people})),
    )
    words = listed([one if count == 1 else many for count, one, many in counts], "{some}, {more}")
    if not settings.trunk:
        if settings.ami.username and not people:
            guessed = Wording("{known}: what is a phone is guessed, from names like PJSIP/201", {"known": words})
            return warn(guessed, ground.take_over)
        nobody = Wording("{known}: without a trunk's name no caller can be authenticated", {"known": words})
        return warn(nobody, Wording("[[trunk]] in the settings"))
    trunks = _undescribed_trunks(ground, {one.endpoint for one in known_people if one.endpoint})
    if trunks:
        missing: Places = {"known": words, "trunks": listed(trunks[:4], "{some}, {more}")}
        way = Wording("[[trunk]] in the settings: callsieve import people prints the lines")
        return warn(Wording("{known}; taken for phones, because no [[trunk]] describes them: {trunks}", missing), way)
    return ok(words)


def _undescribed_trunks(ground: CheckContext, phones: Container[str]) -> list[str]:
    """Nothing where Asterisk cannot be asked: another check says that."""
    try:
        return undescribed_trunks(ground, phones)
    except ConsoleError:
        return []


def read_of_store(ground: CheckContext, read: Callable[[sqlite3.Connection], list[T]]) -> list[T]:
    """What the store has; nothing where it cannot be read."""
    try:
        with read_only(ground.loaded.store_path) as db:
            return read(db)
    except StoreError:
        return []


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """The store as it is, for looking: root, too, only with the rights of its owner. StoreError."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with acting_for(path), store_errors(path):
        if path.exists() and not path.is_file():  # a pipe would never open
            raise StoreError(f"{path}: not a regular file: move it away, then callsieve db restore")
        with closing(sqlite3.connect(uri, uri=True, timeout=STORE_SECONDS)) as db:
            yield db


def _size(count: int) -> str:
    for limit, unit in ((1 << 30, "GB"), (1 << 20, "MB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count / 1024:.0f} kB"

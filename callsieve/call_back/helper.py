"""The call-back helper. It receives requests as datagrams on a Unix socket, and writes call files for allowed requests.

The process of the public page may send datagrams, but not open connections. A datagram arrives whole and names its
sender.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import pwd
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from agi.sockets import SOCKET_MODE, make_unix_socket, temporary_path_of, unlink_own
from agi.speech import ENGLISH, FOLDER, LANGUAGE_BY_COUNTRY, language_of
from callsieve.call_back.client import CREDENTIALS, LINE_BYTES, PING, HelperAnswer, sender_of
from callsieve.call_back.settings import HelperSettings
from callsieve.settings import SettingsError
from callsieve.system.files import complete_file
from policies.files import open_regular
from reputation.appeals import TICKET_DIGITS
from reputation.numbers import PAY_PER_CALL, NumberType, country_of, masked, number_of, number_type_of, time_zones_of
from reputation.own.hours import daily, is_open

STATE_FILE = "calls.json"
COUNTS_MODE = 0o600
MOST_BYTES = 1 << 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class StateError(Exception):
    """The file of placed calls cannot be read, so no call is placed. The message says what to do."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A placed call. `uptime`, `at`: when, in seconds since boot and UTC seconds. `who`: the number's keyed digest."""

    uptime: float
    at: float
    who: str


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of placed calls. `boot`: the id of the boot in which it was written. `key`: the key of the digests."""

    boot: str
    key: str
    calls: tuple[_Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of a server. `uptime` returns seconds since the boot with id `boot`. `wall` returns UTC seconds."""

    boot: str
    uptime: Callable[[], float]
    wall: Callable[[], float] = time.time


def machine_clocks() -> Clocks:
    """Return the clocks of this server. Raise OSError if the kernel does not report its boot id."""
    return Clocks(_BOOT_ID.read_text("ascii").strip(), lambda: time.clock_gettime(time.CLOCK_BOOTTIME))


class PlacedCalls:
    """The calls placed in the last day, stored in a file. The constructor raises StateError for an unreadable file."""

    def __init__(self, directory: Path, clocks: Clocks) -> None:
        self._path, self._clocks = directory / STATE_FILE, clocks
        state = _read(self._path) or _State(clocks.boot, secrets.token_hex(16))
        self._key = state.key
        now, wall = clocks.uptime(), clocks.wall()
        self.calls = tuple(
            PlacedCall(
                min(kept.uptime, now) if state.boot == clocks.boot else now - max(0.0, wall - kept.at),
                kept.who,
            )
            for kept in state.calls
        )

    def who(self, number: str) -> str:
        """Return the keyed digest of the number."""
        return hmac.digest(self._key.encode(), number.encode(), "sha256").hex()[:32]

    def now(self) -> float:
        """Return the seconds since boot. The times of `calls` are on the same clock."""
        return self._clocks.uptime()

    def wall(self) -> float:
        """Return the current time in UTC seconds."""
        return self._clocks.wall()

    def add(self, number: str) -> None:
        """Record a call before it is placed. Raise OSError if the file cannot be written."""
        now, wall = self._clocks.uptime(), self._clocks.wall()
        lately = tuple(call for call in self.calls if now - call.at < DAY)
        calls = (*lately, PlacedCall(now, self.who(number)))
        kept = tuple(_Kept(call.at, wall - (now - call.at), call.who) for call in calls)
        with complete_file(self._path, COUNTS_MODE, (os.geteuid(), os.getegid())) as file:
            file.write(msgspec.json.encode(_State(self._clocks.boot, self._key, kept)))
        self.calls = calls


def _read(path: Path) -> _State | None:
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=_State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        words = (
            f"{path}: cannot be read ({error}), so the limits on calls cannot be checked: find the reason, then "
            "remove the file"
        )
        raise StateError(words) from None


OUTGOING, BESIDE = "outgoing", "callsieve-call-back"
MODE = 0o600
TEMPLATE = """\
Channel: {channel}
CallerID: {caller_id}
MaxRetries: 0
WaitTime: {ring_seconds}
Context: callsieve-call-back
Extension: s
Priority: 1
Setvar: CALLSIEVE_CALLER={number}
Setvar: CALLSIEVE_TICKET={ticket}
Setvar: CALLSIEVE_LANG={language}
Setvar: CALLSIEVE_SECONDS={seconds}
"""


def call_file_text(request: CallRequest, settings: HelperSettings) -> str:
    """Return the text of the call file with which Asterisk places the requested call."""
    channel = settings.channel.replace("{number}", request.number).replace("{digits}", request.number[1:])
    return TEMPLATE.format(
        channel=channel,
        caller_id=f"<{settings.caller_id}>" if settings.caller_id else "",
        ring_seconds=settings.ring_seconds,
        number=request.number,
        ticket=request.ticket,
        language=language_of(country_of(request.number)),
        seconds=settings.seconds,
    )


def put_in_spool(text: str, spool: Path) -> None:
    """Write the call file into Asterisk's spool in one step. Raise OSError if the file cannot be written."""
    beside = spool / BESIDE
    beside.mkdir(mode=0o700, exist_ok=True)
    path = beside / f"{secrets.token_hex(8)}.call"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path, spool / OUTGOING / path.name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


KINDS = frozenset({NumberType.FIXED, NumberType.MOBILE, NumberType.FIXED_OR_MOBILE})
HOUR, DAY = 3600.0, 86_400.0
SETTING_UP = 10.0  # seconds that Asterisk may need to find a call file, and to end a call

_LINE = re.compile(rf"(\+[1-9][0-9]{{6,14}}) ([0-9]{{{TICKET_DIGITS}}})\n", re.ASCII)


class CallRequest(NamedTuple):
    """A request to call a number. `ticket`: the text by which the daemon recognises the call."""

    number: str
    ticket: str


class PlacedCall(NamedTuple):
    """A call that was placed. `at`: when, in seconds since boot. `who`: the keyed digest of the called number."""

    at: float
    who: str


def parse_line(line: bytes) -> CallRequest | None:
    """Parse a request of exactly one line. Return None for anything else."""
    match = _LINE.fullmatch(line.decode("ascii", "replace"))
    return None if match is None else CallRequest(match[1], match[2])


def refusal_of(number: str, settings: HelperSettings) -> HelperAnswer | None:
    """Return why the settings never allow calls to this number; None if they allow them at some hours."""
    if number_of(number, "ZZ") != number or number_type_of(number) not in KINDS or PAY_PER_CALL.fullmatch(number):
        return HelperAnswer.KIND
    if country_of(number) not in settings.countries:
        return HelperAnswer.COUNTRY
    return HelperAnswer.REFUSED if number.startswith(settings.refused) else None


def is_allowed_hour(number: str, settings: HelperSettings, at: float) -> bool:
    """Return whether `at` (UTC seconds) is within the allowed hours in every time zone of the number."""
    zones, hours = time_zones_of(number), daily(settings.first_hour, settings.last_hour)
    return bool(zones) and all(is_open(hours, zone, at) for zone in zones)


def limit_reached(placed: Sequence[PlacedCall], who: str, settings: HelperSettings, now: float) -> HelperAnswer | None:
    """Return the answer for a limit that another call now would exceed, or None. `who`: the digest of its number."""

    def since(seconds: float) -> list[PlacedCall]:
        return [call for call in placed if now - call.at < seconds]

    today = since(DAY)
    same = [call for call in today if call.who == who]
    reached = (
        (len(today) >= settings.a_day, HelperAnswer.DAY),
        (len(same) >= settings.a_number_a_day, HelperAnswer.NUMBER_TODAY),
        (any(now - call.at < settings.a_number_minutes * 60 for call in same), HelperAnswer.NUMBER_LATELY),
        (len(since(HOUR)) >= settings.an_hour, HelperAnswer.HOUR),
        (len(since(longest_call(settings))) >= settings.at_once, HelperAnswer.BUSY),
    )
    return next((answer for is_reached, answer in reached if is_reached), None)


def longest_call(settings: HelperSettings) -> float:
    """Return the longest possible time from writing the call file to the end of the call, in seconds."""
    return settings.ring_seconds + settings.seconds + SETTING_UP


# The prompts of [callsieve-call-back] in callsieve-caller.conf.
PROMPTS = ("proof-hello", "proof-ask", "proof-wrong", "proof-right", "proof-sorry", "caller-goodbye")
# Asterisk's own default of astdatadir, and Debian's.
USUAL_SOUNDS = ("/var/lib/asterisk/sounds", "/usr/share/asterisk/sounds")


def missing_part(settings: HelperSettings, state: Path) -> str | None:
    """Return what is missing to place calls, such as a directory, and how to provide it. None if nothing is missing."""
    return next(_missing(settings, state), None)


def _missing(settings: HelperSettings, state: Path) -> Iterator[str]:
    spool = Path(settings.spool)
    for directory, remedy in (
        (state, "start the helper with systemd, which creates the directory, or name another directory with --state"),
        (spool, "set `spool` in the helper's settings to astspooldir of asterisk.conf"),
        (
            spool / OUTGOING,
            "load pbx_spool.so, which creates the directory, or set `spool` to astspooldir of asterisk.conf",
        ),
    ):
        if not directory.is_dir():
            yield f"{directory}: no such directory: {remedy}"
        elif not os.access(directory, os.W_OK | os.X_OK):
            yield f"{directory}: user {os.geteuid()} may not write there: run the helper as Asterisk's user"
    places = [Path(settings.sounds)] if settings.sounds else [Path(place) for place in USUAL_SOUNDS]
    languages = dict.fromkeys(LANGUAGE_BY_COUNTRY.get(country, ENGLISH) for country in settings.countries)
    for name in (f"{language}/{FOLDER}/{key}.wav" for language in languages for key in PROMPTS):
        if not any((place / name).is_file() for place in places):
            where = " or ".join(map(str, places))
            yield (
                f"{name}: no such prompt in {where}: run `callsieve prompts build`, or set `sounds` to the "
                "directory of the prompts"
            )


logger = logging.getLogger("callsieve.call_back")


class Helper:
    """Answers call-back requests. Reads its settings only at the start. `state`: the folder with the placed calls."""

    def __init__(self, settings: HelperSettings, placed: PlacedCalls, state: Path) -> None:
        self._settings, self._placed, self._state = settings, placed, state
        self._users = user_ids_of(settings)

    def has_all_parts(self) -> bool:
        """Return whether calls can be placed, and log what is missing. Called for each request."""
        missing = missing_part(self._settings, self._state)
        if missing is not None:
            logger.error("call-backs are impossible: %s", missing)
        return missing is None

    def may_ask(self, user: int | None) -> bool:
        """Return whether the user with this ID may send requests. An unknown user (None) may not."""
        return user in self._users

    def answer(self, line: bytes) -> HelperAnswer:
        """Place the requested call and return `CALLED`, or return why the call was not placed."""
        if line == PING:  # the doctor, every hour: no warning
            return HelperAnswer.BAD_LINE if self.has_all_parts() else HelperAnswer.FAILED
        request = parse_line(line)
        if request is None:
            return self._log_answer(HelperAnswer.BAD_LINE, None)
        number = request.number
        refusal = self._refusal_of(number)
        if refusal is not None:
            return self._log_answer(refusal, number)
        if not self.has_all_parts():
            return self._log_answer(HelperAnswer.FAILED, number)
        try:
            self._placed.add(number)  # first, so that every call is counted, even if it then fails
            put_in_spool(call_file_text(request, self._settings), Path(self._settings.spool))
        except OSError as error:
            logger.error("%s: %s", error.filename or "a file", error.strerror)
            return self._log_answer(HelperAnswer.FAILED, number)
        return self._log_answer(HelperAnswer.CALLED, number)

    def _refusal_of(self, number: str) -> HelperAnswer | None:
        settings, placed = self._settings, self._placed
        never = refusal_of(number, settings)
        if never is None and not is_allowed_hour(number, settings, placed.wall()):
            return HelperAnswer.NIGHT
        return never or limit_reached(placed.calls, placed.who(number), settings, placed.now())

    @staticmethod
    def _log_answer(answer: HelperAnswer, number: str | None) -> HelperAnswer:
        level = logging.INFO if answer is HelperAnswer.CALLED else logging.WARNING
        logger.log(level, "%s: %s", masked(number), answer)
        return answer


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Open the Unix socket and let its group write to it. Raise OSError if another process uses the same socket."""
    sock = make_unix_socket(str(path), SOCKET_MODE, socket.SOCK_DGRAM)
    with sock:
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        os.rename(temporary_path_of(str(path)), path)
        inode = os.stat(path).st_ino
        try:
            yield sock
        finally:
            unlink_own(str(path), inode)


def serve(sock: socket.socket, helper: Helper) -> None:
    """Answer requests until the process ends, one at a time, because parallel requests could exceed a limit."""
    while True:
        line, ancillary, _, sender = sock.recvmsg(LINE_BYTES + 1, socket.CMSG_SPACE(CREDENTIALS.size))
        user = sender_of(ancillary)
        if not helper.may_ask(user):
            logger.warning("request ignored: sender not in users, user=%s", user)
            continue
        answer = helper.answer(line)  # a longer request was cut off, so it is invalid
        if sender:
            _send(answer, sender)


def _send(answer: HelperAnswer, sender: str | bytes) -> None:
    """Send the answer from a new socket. Otherwise a client that does not read would block other clients."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):  # the client may have ended
        sock.sendto(f"{answer}\n".encode(), socket.MSG_DONTWAIT, sender)


def user_ids_of(settings: HelperSettings) -> frozenset[int]:
    """Return the IDs of the users who may send requests. Raise SettingsError if a user does not exist."""
    ids = []
    for name in settings.users:
        try:
            ids.append(pwd.getpwnam(name).pw_uid)
        except (KeyError, ValueError):
            raise SettingsError(f"users: this server has no user {name!r}") from None
    return frozenset(ids)

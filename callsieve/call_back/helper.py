"""The call-back helper: one datagram on a Unix socket is one request, and a call file follows where that may be.

The kernel says who has sent it, and hands it over whole: there is no connection to hold open and nobody to wait for.
The public process may open no connection at all (its unit), and needs none for a datagram.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agi.sockets import SOCKET_MODE, make_unix_socket, unborn_path_of, unlink_own
from callsieve.call_back.answers import CREDENTIALS, LINE_BYTES, PING, HelperAnswer, sender_of
from callsieve.call_back.call_file import call_file_text, put_in_spool
from callsieve.call_back.limits import is_by_day, limit_reached, parse_line, refusal_of
from callsieve.call_back.missing_parts import missing_part
from callsieve.call_back.placed_calls import PlacedCalls
from callsieve.call_back.settings import HelperSettings
from callsieve.settings import SettingsError
from reputation.numbers import masked

logger = logging.getLogger("callsieve.call_back")


class Helper:
    """Decides about each request by the settings it was started with. `state`: where its calls are counted."""

    def __init__(self, settings: HelperSettings, placed: PlacedCalls, state: Path) -> None:
        self._settings, self._placed, self._state = settings, placed, state
        self._users = user_ids_of(settings)

    def has_all_parts(self) -> bool:
        """Log what is missing for a call, if anything. Parts may come later: Asterisk makes its spool as it starts."""
        missing = missing_part(self._settings, self._state)
        if missing is not None:
            logger.error("no call can be placed: %s", missing)
        return missing is None

    def may_ask(self, user: int | None) -> bool:
        """Whether a user is heard."""
        return user in self._users

    def answer(self, line: bytes) -> HelperAnswer:
        """Places the call, or says why not."""
        if line == PING:  # the doctor, every hour: no warning
            return HelperAnswer.BAD_LINE if self.has_all_parts() else HelperAnswer.FAILED
        request = parse_line(line)
        if request is None:
            return self._said(HelperAnswer.BAD_LINE, None)
        number = request.number
        refusal = self._refusal_of(number)
        if refusal is not None:
            return self._said(refusal, number)
        if not self.has_all_parts():
            return self._said(HelperAnswer.FAILED, number)
        try:
            self._placed.add(number)  # first: a call that was not made counts, one that was not counted is not made
            put_in_spool(call_file_text(request, self._settings), Path(self._settings.spool))
        except OSError as error:
            logger.error("%s: %s", error.filename or "a file", error.strerror)
            return self._said(HelperAnswer.FAILED, number)
        return self._said(HelperAnswer.CALLED, number)

    def _refusal_of(self, number: str) -> HelperAnswer | None:
        settings, placed = self._settings, self._placed
        never = refusal_of(number, settings)
        if never is None and not is_by_day(number, settings, placed.wall()):
            return HelperAnswer.NIGHT
        return never or limit_reached(placed.calls, placed.who(number), settings, placed.now())

    @staticmethod
    def _said(answer: HelperAnswer, number: str | None) -> HelperAnswer:
        level = logging.INFO if answer is HelperAnswer.CALLED else logging.WARNING
        logger.log(level, "%s: %s", masked(number), answer)
        return answer


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """The socket, which our group may send to. OSError where another process has it."""
    sock = make_unix_socket(str(path), SOCKET_MODE, socket.SOCK_DGRAM)
    with sock:
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        os.rename(unborn_path_of(str(path)), path)
        inode = os.stat(path).st_ino
        try:
            yield sock
        finally:
            unlink_own(str(path), inode)


def serve(sock: socket.socket, helper: Helper) -> None:
    """Answers until the process ends. One at a time: a limit is counted and used up with nobody in between."""
    while True:
        line, ancillary, _, sender = sock.recvmsg(LINE_BYTES + 1, socket.CMSG_SPACE(CREDENTIALS.size))
        user = sender_of(ancillary)
        if not helper.may_ask(user):
            logger.warning("user %s may not ask: what was sent is not looked at", user)
            continue
        answer = helper.answer(line)  # what is too long was cut, and is no line
        if sender:
            _send(answer, sender)


def _send(answer: HelperAnswer, sender: str | bytes) -> None:
    """By a socket of its own: what somebody does not read fills its buffer, and nobody else would be answered."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:  # it may be gone
        sock.sendto(f"{answer}\n".encode(), socket.MSG_DONTWAIT, sender)


def user_ids_of(settings: HelperSettings) -> frozenset[int]:
    """Who may ask. SettingsError where this machine has no such user."""
    ids = []
    for name in settings.users:
        try:
            ids.append(pwd.getpwnam(name).pw_uid)
        except (KeyError, ValueError):
            raise SettingsError(f"users: this machine has no user {name!r}") from None
    return frozenset(ids)

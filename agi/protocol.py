"""AGI without I/O: bytes in, values out. Start here to see the data that Asterisk sends.

    session.receive_data(data)             b"" means that Asterisk hung up
    event = session.next_event()           Request, then Reply or HungUp, then Closed; None: need more data

Asterisk first sends a block of `agi_name: value` lines up to a blank line, and then a reply for each command. The same
bytes give the same events or the same ProtocolError, however the bytes are split into reads. Error messages do not
quote the input, because it contains text from the caller.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

# `callsieve doctor` asks for the status with this line, without an empty line after it. An empty line would start a
# script on another FastAGI server, and FreePBX's server crashes on an unknown script.
STATUS_HELLO = b"callsieve: status\n"

HEADER_LIMIT = 16 * 1024
HEADER_LINES_LIMIT = 128
LINE_LIMIT = 8 * 1024

# The names that Asterisk 22 sends (res_agi.c, setup_env). Other names of the same form are accepted too.
_USUAL_NAMES = frozenset(
    f"agi_{name}"
    for name in (
        *("network", "network_script", "request", "channel", "language", "type", "uniqueid", "version"),
        *(
            "callerid",
            "calleridname",
            "callingpres",
            "callingani2",
            "callington",
            "callingtns",
            "dnid",
            "rdnis",
        ),
        *("context", "extension", "priority", "enhanced", "accountcode", "threadid"),
    )
)
_ARGUMENTS = tuple([f"agi_arg_{number}" for number in range(1, HEADER_LINES_LIMIT + 1)])
_NAME = re.compile(r"agi_[a-z0-9_]+")
_KEY = re.compile(r"[a-z_]+")
_RESULT = re.compile(r"result=(\S*)(?: \((.*)\))?(?: endpos=(\d{1,18}))?")

# As agi.quoting does in the other direction: C0 and C1 controls, and the line ends of Unicode become spaces.
_ONE_LINE = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")

# Replies with a sentence instead of a result (res_agi.c): trying, unknown command, dead channel, bad syntax.
_SENTENCE_CODES = {"100": 100, "510": 510, "511": 511, "520": 520}


class ProtocolError(Exception):
    """The error for input that is not valid AGI. The message does not quote the input."""


@dataclass(slots=True)  # not frozen, which is five times faster: every call creates one
class Request:
    """A request from the dialplan. Its values are untrusted.

    `path`: `screen` for `agi://host/screen`; for a classic script, its file name. `variables`: Asterisk's header lines
    by name, for instance `agi_callerid`. `accepted_at`: when the connection was accepted, in monotonic time. The
    deadline counts from then; None without a deadline.
    """

    path: str
    arguments: Mapping[str, str]
    variables: Mapping[str, str]
    accepted_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """Asterisk's reply to a command. `result` is empty if `code` is not 200.

    `endpos`: where playback of a sound file stopped, in samples, if the reply has it. `data`: the text in brackets; for
    codes other than 200, the text after the code. A caller may have chosen this text, so `(hangup)` does not count as a
    hang-up.
    """

    code: int
    result: str = ""
    data: str = ""
    endpos: int | None = None


@dataclass(frozen=True, slots=True)
class HungUp:
    """A `HANGUP` line: the channel is gone, but the connection is still open."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Asterisk closed the connection after a complete line."""


Event = Request | Reply | HungUp | Closed


@dataclass(slots=True)
class AgiSession:
    """The server's side of an AGI conversation. After a ProtocolError, `next_event` raises the same error again."""

    accepted_at: float | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _in_header: bool = True
    _ended: bool = False
    _usage: list[str] = field(default_factory=list)
    _error: str = ""

    def receive_data(self, data: bytes) -> None:
        """Add data from the connection. b"" marks the end of the connection, after which data is ignored."""
        if not data:
            self._ended = True
        elif not self._ended:
            self._buffer += data

    def next_event(self) -> Event | None:
        """Return the next event, or None if more data is needed. Raise ProtocolError if the data is not AGI."""
        if self._error:
            raise ProtocolError(self._error)
        if self._in_header:
            return self._next_request()
        while (line := self._next_line()) is not None:
            if (event := self._event_of(line)) is not None:
                return event
        return Closed() if self._ended else None

    def _next_request(self) -> Request | Closed | None:
        if self._buffer.startswith(b"\n"):
            self._fail("the header block is empty")
        if self._buffer.startswith(STATUS_HELLO):
            del self._buffer[: len(STATUS_HELLO)]
            self._in_header, self._searched = False, 0
            return Request("status", {}, {})
        end = self._buffer.find(b"\n\n", self._searched, HEADER_LIMIT)
        if end < 0:
            return self._incomplete_header()
        block = self._buffer[:end].decode("utf-8", "replace")
        del self._buffer[: end + 2]
        self._in_header = False
        self._searched = 0
        try:
            return parse_request(block, self.accepted_at)
        except ProtocolError as error:
            self._fail(str(error))

    def _incomplete_header(self) -> Closed | None:
        size = len(self._buffer)
        if size >= HEADER_LIMIT:
            self._fail(f"the header block is longer than {HEADER_LIMIT} bytes")
        self._searched = max(size - 1, 0)
        if not self._ended:
            return None
        if size:
            self._fail("the connection ended inside the header block")
        return Closed()

    def _next_line(self) -> str | None:
        end = self._buffer.find(b"\n", self._searched, LINE_LIMIT)
        if end < 0:
            self._searched = size = len(self._buffer)
            if size >= LINE_LIMIT:
                self._fail(f"a line is longer than {LINE_LIMIT} bytes")
            if self._ended and (size or self._usage):
                self._fail("the connection ended inside a reply")
            return None
        line = self._buffer[:end].decode("utf-8", "replace")
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _event_of(self, line: str) -> Reply | HungUp | None:
        if self._usage or line.startswith("520-"):
            return self._usage_line(line)
        if line == "HANGUP":
            return HungUp()
        code, _, rest = line.partition(" ")
        if code == "200":
            if (match := _RESULT.match(rest)) is None:
                self._fail("an AGI reply with code 200 has no `result=`")
            result, data, endpos = match.groups("")
            return Reply(200, result, data, int(endpos) if endpos else None)
        if code not in _SENTENCE_CODES:
            self._fail("Asterisk sent a line that is not an AGI reply")
        return Reply(_SENTENCE_CODES[code], data=rest)

    def _usage_line(self, line: str) -> Reply | None:
        self._usage.append(line[4:] if line.startswith(("520-", "520 ")) else line)
        if sum(map(len, self._usage)) > LINE_LIMIT:
            self._fail(f"a reply is longer than {LINE_LIMIT} characters")
        if not line.startswith("520 "):
            return None
        text = "\n".join(self._usage)
        self._usage.clear()
        return Reply(520, data=text)

    def _fail(self, reason: str) -> NoReturn:
        self._error = reason
        self._buffer.clear()
        raise ProtocolError(reason)


def parse_request(block: str, accepted_at: float | None = None) -> Request:
    """Parse a header block without its blank line. Raise ProtocolError if it is malformed or forged.

    A repeated line, or an argument out of order, shows that a caller's name contained a newline. A repeated key shows
    that an argument contained a comma. Such a block is treated as forged.
    """
    lines = block.split("\n")
    if len(lines) > HEADER_LINES_LIMIT:
        raise ProtocolError(f"the header block has more than {HEADER_LINES_LIMIT} lines")
    try:
        variables = dict([line.split(": ", 1) for line in lines])
    except ValueError:  # a line without ": ": an empty value without its space, or not a header line
        variables = dict([_split_header_line(line) for line in lines])
    if len(variables) != len(lines):
        raise ProtocolError("a header line occurs twice")
    return request_of(variables, accepted_at)


def block_of(request: Request) -> bytes:
    """Return the header block, with its blank line, that Asterisk would send for a request.

    Control characters in values become spaces, because a line end would forge a line. Raise ValueError if the block is
    longer than HEADER_LIMIT, or has a key that parse_request refuses.
    """
    if not all(map(_KEY.fullmatch, request.arguments)) or not all(map(_NAME.fullmatch, request.variables)):
        raise ValueError("the key of an argument or the name of a header line has characters that AGI does not allow")
    lines = {"agi_network_script": request.path, **request.variables}
    arguments = enumerate(request.arguments.items(), 1)
    lines |= {f"agi_arg_{number}": f"{key}={value}" for number, (key, value) in arguments}
    block = "".join(f"{name}: {value.translate(_ONE_LINE)}\n" for name, value in lines.items()) + "\n"
    if len(raw := block.encode("utf-8", "replace")) > HEADER_LIMIT:
        raise ValueError(f"the header block would be longer than {HEADER_LIMIT} bytes")
    return raw


def request_of(variables: dict[str, str], accepted_at: float | None = None) -> Request:
    """Return the request in these header lines. Raise ProtocolError if it is malformed or forged.

    Its arguments are removed from `variables`.
    """
    arguments: dict[str, str] = {}
    count = 0
    for name in _ARGUMENTS:
        argument = variables.pop(name, None)
        if argument is None:
            break
        count += 1
        key, equals, value = argument.partition("=")
        if not equals:
            raise ProtocolError("an AGI argument does not have the form `key=value`")
        arguments[key] = value
    if len(arguments) != count:
        raise ProtocolError("an AGI argument occurs twice")
    if not all(map(_KEY.fullmatch, arguments)):
        raise ProtocolError("the key of an AGI argument has characters other than a-z and _")
    if not _USUAL_NAMES.issuperset(variables):
        _check_names(variables)
    path = variables.get("agi_network_script")
    if path is None:
        path = variables.get("agi_request", "").rpartition("/")[2]
        if not path:
            raise ProtocolError("the header block has no script name")
    return Request(path, arguments, variables, accepted_at)


def _split_header_line(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ProtocolError("a header line has no colon")
    return name, value.removeprefix(" ")


def _check_names(variables: Mapping[str, str]) -> None:
    for name in variables:
        if not _NAME.fullmatch(name):
            raise ProtocolError("the name of a header line is not `agi_` followed by characters from a-z, 0-9 and _")
        if name.startswith("agi_arg_"):
            raise ProtocolError("the arguments agi_arg_1, agi_arg_2 and so on are not numbered in order")

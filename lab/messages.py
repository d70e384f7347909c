"""SIP messages, as SIPp's trace records them.

The text is untrusted and kept unchanged, but SIPp drops carriage returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# SIPp's -trace_msg: a rule with the time, a line with the direction, an empty line, the message.
_TRACE_HEADING = re.compile(
    rb"^-{40,} (?P<at>\d{4}-\d\d-\d\dT[\d:.]+Z)\n\w+ message (?P<way>sent|received) [^\n]*\n\n", re.MULTILINE
)
_NAME_ADDR = re.compile(r'\s*(?:"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<token>[^<"]*?))\s*<(?P<uri>[^>]*)>', re.DOTALL)
_SDP_AUDIO = re.compile(r"^c=IN IP4 (?P<address>\S+).*?^m=audio (?P<port>\d+)", re.MULTILINE | re.DOTALL)
_URI_USER = re.compile(r"sips?:(?P<user>[^@]*)@|tel:(?P<tel>[^;>]*)")


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A SIP message. Text is decoded as UTF-8 with surrogate escapes, so that hostile bytes can be compared."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str
    raw: bytes
    at: float
    sent: bool

    @property
    def code(self) -> int | None:
        """The status code of a response; None for a request."""
        return int(self.start_line.split(" ", 2)[1]) if self.start_line.startswith("SIP/2.0 ") else None

    @property
    def reason(self) -> str:
        return self.start_line.split(" ", 2)[2] if self.start_line.count(" ") > 1 else ""

    @property
    def method(self) -> str:
        """The method of a request; for a response, the method of the request that it answers."""
        return self.header("CSeq").rpartition(" ")[2] if self.code else self.start_line.partition(" ")[0]

    def header(self, name: str) -> str:
        """Return the first header with this name, in any case; an empty text if the header is missing."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return every header with this name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def from_name(self) -> str:
        """The display name in From, as a phone shows it."""
        return display_name(self.header("From"))

    @property
    def from_number(self) -> str:
        return uri_user(self.header("From"))

    @property
    def audio_address(self) -> tuple[str, int] | None:
        """The address in the SDP to which audio must be sent; None if there is no SDP."""
        address = _SDP_AUDIO.search(self.body)
        return (address["address"], int(address["port"])) if address else None


def display_name(name_addr: str) -> str:
    """Return the display name of a From-like header, unquoted and unescaped."""
    match = _NAME_ADDR.match(name_addr)
    if match is None:
        return ""
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", r"\1", match["quoted"], flags=re.DOTALL)
    return (match["token"] or "").strip()


def uri_user(name_addr: str) -> str:
    """Return the user part of the URI in a From-like header, or its telephone number."""
    match = _NAME_ADDR.match(name_addr)
    user = _URI_USER.search(match["uri"] if match else name_addr)
    return (user["user"] or user["tel"] or "") if user else ""


def load_trace(path: Path) -> list[SipMessage]:
    """Return the messages of a SIPp trace in order, including retransmissions; an empty list if there is no file."""
    try:
        trace = path.read_bytes()
    except FileNotFoundError:
        return []
    return list(_parse_trace(trace))


def _parse_trace(trace: bytes) -> Iterator[SipMessage]:
    headings = list(_TRACE_HEADING.finditer(trace))
    ends = [*(heading.start() for heading in headings[1:]), len(trace)]
    for heading, end in zip(headings, ends, strict=False):
        at = datetime.fromisoformat(heading["at"].decode()).timestamp()
        yield parse_message(trace[heading.end() : end], at=at, sent=heading["way"] == b"sent")


def parse_message(raw: bytes, *, at: float, sent: bool) -> SipMessage:
    """Parse a SIP message with CRLF or LF line ends. Folded lines stay part of their header."""
    head, _, body = raw.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape").partition("\n\n")
    start_line, *lines = head.split("\n")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t")):
            headers.append((name.strip(), value.strip(" ")))
        elif headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]}\n{line}")
    return SipMessage(start_line, tuple(headers), body, raw, at, sent)

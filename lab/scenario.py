"""Builds SIPp scenarios from a description of a call.

Only numbers and fixed words are written into a scenario. Any other text from a test appears there as a `[keyword]`,
which `-key` fills in (see `lab.sipp`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Final responses that a trunk may get: RFC 3261 section 21, and 607 (RFC 8197) and 608 (RFC 8688).
REFUSALS = (
    *(300, 301, 302, 305, 380),
    *(400, 401, 403, 404, 405, 406, 407, 408, 410, 413, 414, 415, 416, 420, 421, 423, 480, 481, 482, 483, 484, 485),
    *(486, 487, 488, 491, 493, 500, 501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606, 607, 608),
)

_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="{name}">
{steps}
</scenario>
"""
_SDP = """\
v=0
o=lab 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio {port} RTP/AVP {payloads}
a=rtpmap:0 PCMU/8000{telephone_event}
a=ptime:20
a=sendrecv
"""
_TELEPHONE_EVENT = "\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16"

# Every request of the calling side. INVITE, its CANCEL and the ACK of a refusal have one branch: one transaction.
_REQUEST = """\
<send{attributes}><![CDATA[
{method} sip:[request_user]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK.[pid].[call_number].{branch}
Max-Forwards: 70{extra}
From: [from];tag=[pid].[call_number]
{to}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:[contact_user]@[local_ip]:[local_port]>
{body}]]></send>"""
_NO_BODY = "Content-Length: 0\n\n"
_TO_DID = "To: <sip:[did]@[remote_ip]>"
_TO_DIALOG = "[last_To:]"

# Every answer of the called side, to the request received last.
_ANSWER = """\
<send{attributes}><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
{cseq}
Contact: <sip:[contact_user]@[local_ip]:[local_port]>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE
{body}]]></send>"""
_BYE_OF_CALLED = """\
<send retrans="500"><![CDATA[
BYE sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK.[pid].[call_number].bye
Max-Forwards: 70
From:[$ours]
To:[$theirs]
[last_Call-ID:]
CSeq: 1 BYE
Content-Length: 0

]]></send>"""
_TAG = ";tag=[pid].[call_number]"


def document(name: str, steps: Iterable[str]) -> str:
    return _DOCUMENT.format(name=name, steps="\n".join(steps))


def sdp(*, port: str = "[media_port]", telephone_event: bool = True) -> str:
    """Return an SDP offer or answer for u-law audio, with its Content headers. `[media_port]` is SIPp's audio port."""
    payloads, event = ("0 101", _TELEPHONE_EVENT) if telephone_event else ("0", "")
    body = _SDP.format(port=port, payloads=payloads, telephone_event=event)
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}"


def request(
    method: str, *, branch: str, cseq: int, to: str, body: str = _NO_BODY, extra: str = "", attributes: str = ""
) -> str:
    return _REQUEST.format(
        method=method, branch=branch, cseq=cseq, to=to, body=body, extra=extra, attributes=attributes
    )


def answer(
    status: str, *, cseq: str = "[last_CSeq:]", body: str = _NO_BODY, first: bool = True, attributes: str = ""
) -> str:
    """Return a response to the last request.

    `first`: whether it is the call's first, with the tag that later responses copy.
    """
    tag = _TAG if first else ""
    return _ANSWER.format(status=status, cseq=cseq, body=body, tag=tag, attributes=attributes)


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def outgoing_call(
    *,
    hang_up_after: float | None,
    cancel_after: float | None,
    telephone_event: bool = True,
) -> str:
    """Return the scenario of the calling side: INVITE, the response, and the end of the call.

    `cancel_after` counts from the last provisional response, `hang_up_after` from the answer, in seconds.
    """
    # SIPp looks at the time-out of the step it has reached, which is the one after the last response that came.
    give_up = _timeout(cancel_after, "cancel")
    return document(
        "outgoing call",
        (
            request(
                "INVITE",
                branch="invite",
                cseq=1,
                to=_TO_DID,
                body=sdp(port="[audio_port]", telephone_event=telephone_event),
                extra="[extra_headers]",
                attributes=' retrans="500" start_rtd="setup"',
            ),
            *(f'<recv response="{code}" optional="true"{give_up}/>' for code in (100, 180, 181, 182, 183)),
            *(f'<recv response="{code}" optional="true" next="refused"{give_up}/>' for code in REFUSALS),
            f'<recv response="200" rtd="setup"{give_up}/>',
            request("ACK", branch="ack", cseq=1, to=_TO_DIALOG),
            f'<recv request="BYE"{_timeout(hang_up_after, "hang-up")}/>',
            answer("200 OK", first=False, attributes=' next="end"'),
            '<label id="hang-up"/>',
            request("BYE", branch="bye", cseq=2, to=_TO_DIALOG, attributes=' retrans="500"'),
            '<recv response="200" next="end"/>',
            '<label id="cancel"/>',
            request("CANCEL", branch="invite", cseq=1, to=_TO_DID, attributes=' retrans="500"'),
            '<recv response="200"/>',
            '<recv response="487"/>',
            '<label id="refused"/>',
            request("ACK", branch="invite", cseq=1, to=_TO_DIALOG),
            '<label id="end"/>',
            "<nop/>",
        ),
    )


# RFC 6086, with a body that all devices understand, although no RFC defines it: a key without audio.
_KEY = "Content-Type: application/dtmf-relay\nContent-Length: [len]\n\nSignal={key}\nDuration=100\n"


def load_call(*, expected: int, hang_up_after: float, key: str = "", key_after: float = 1.0) -> str:
    """Return the scenario for a load. A call fails if its final response is not `expected`.

    SIPp reads the callers' numbers from a file. `key` is pressed `key_after` seconds after the answer, by SIP INFO.
    """
    steps = [
        request(
            "INVITE",
            branch="invite",
            cseq=1,
            to=_TO_DID,
            body=sdp(port="[audio_port]"),
            attributes=' retrans="500" start_rtd="setup"',
        ),
        *(f'<recv response="{code}" optional="true"/>' for code in (100, 180, 181, 182, 183)),
        f'<recv response="{expected}" rtd="setup"/>',
    ]
    if expected == 200:
        steps += [request("ACK", branch="ack", cseq=1, to=_TO_DIALOG)]
        if key:
            body = _KEY.format(key=key)
            steps += [
                _pause(key_after),
                request("INFO", branch="key", cseq=2, to=_TO_DIALOG, body=body, attributes=' retrans="500"'),
                '<recv response="200"/>',
            ]
        steps += [
            _pause(hang_up_after),
            request("BYE", branch="bye", cseq=3, to=_TO_DIALOG, attributes=' retrans="500"'),
            '<recv response="200"/>',
        ]
    else:
        steps.append(request("ACK", branch="invite", cseq=1, to=_TO_DIALOG))
    return document("load", steps).replace("From: [from];", "From: <sip:[field0]@[local_ip]>;")


def incoming_call(
    *,
    status: str | None,
    ring_seconds: float,
    hang_up_after: float | None,
    ringing: str = "180 Ringing",
    before: Sequence[tuple[str, float]] = (),
    audio_port: str = "[media_port]",
) -> str:
    """Return the scenario of the called side: ring, answer with `status` (None: never answer), then hang up or wait.

    A CANCEL is accepted during the ringing. `before`: responses before ringing, each with its duration in seconds; a
    183 has an SDP, for early media. `audio_port` is a port number or a SIPp keyword.
    """
    return document(
        "incoming call",
        (
            f'<recv request="INVITE"><action>{_keep("CSeq:", "[0-9]+", "cseq")}</action></recv>',
            '<Reference variables="cseq"/>',
            *(step for said, seconds in before for step in (_provisional(said, audio_port), _pause(seconds))),
            _provisional(ringing, audio_port),
            *_ring(None if status is None else ring_seconds),
            *_pick_up(status or "200 OK", hang_up_after, audio_port),
            '<label id="end"/>',
            "<nop/>",
        ),
    )


def _provisional(status: str, audio_port: str) -> str:
    return answer(status, body=sdp(port=audio_port) if status.startswith("183") else _NO_BODY)


def _pause(seconds: float) -> str:
    return f'<pause milliseconds="{milliseconds(seconds)}"/>'


def _ring(seconds: float | None) -> list[str]:
    """Return the steps that ring until the call is cancelled or `seconds` are over. None: no time limit."""
    if seconds is not None and seconds <= 0:
        return []
    return [
        f'<recv request="CANCEL"{_timeout(seconds, "pick-up")}/>',
        answer("200 OK"),
        answer("487 Request Terminated", cseq="CSeq: [$cseq] INVITE", attributes=' retrans="500"'),
        '<recv request="ACK" next="end"/>',
        '<label id="pick-up"/>',
    ]


def _pick_up(status: str, hang_up_after: float | None, audio_port: str) -> list[str]:
    if not status.startswith("200"):
        return [answer(status, attributes=' retrans="500"'), '<recv request="ACK"/>']
    sides = _keep("To:", ".*", "ours") + _keep("From:", ".*", "theirs")
    return [
        answer(status, body=sdp(port=audio_port), attributes=' retrans="500"'),
        f'<recv request="ACK" rrs="true"><action>{sides}</action></recv>',
        f'<recv request="BYE"{_timeout(hang_up_after, "hang-up")}/>',
        answer("200 OK", first=False, attributes=' next="end"'),
        '<label id="hang-up"/>',
        _BYE_OF_CALLED,
        '<recv response="200"/>',
    ]


def _keep(header: str, pattern: str, variable: str) -> str:
    return f'<ereg regexp="{pattern}" search_in="hdr" header="{header}" assign_to="{variable}"/>'


def _timeout(seconds: float | None, label: str) -> str:
    return "" if seconds is None else f' timeout="{milliseconds(seconds)}" ontimeout="{label}"'

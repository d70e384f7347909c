"""X.509 certificates of the lab's own authority (RFC 5280), with what STIR/SHAKEN wants in them (RFC 8226)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from lab.elliptic import SIZE, Key

# Object identifiers: RFC 5280, RFC 5480, RFC 8226.
COMMON_NAME, BASIC_CONSTRAINTS, KEY_USAGE = "2.5.4.3", "2.5.29.19", "2.5.29.15"
EC_PUBLIC_KEY, P256, ECDSA_SHA256 = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.2.840.10045.4.3.2"
TN_AUTH_LIST = "1.3.6.1.5.5.7.1.26"

BOOLEAN, INTEGER, BITS, OCTETS, OBJECT, UTF8, ASCII, UTC_TIME, SEQUENCE, SET = (
    *(0x01, 0x02, 0x03, 0x04, 0x06, 0x0C, 0x16, 0x17, 0x30, 0x31),
)
TRUE = b"\xff"


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs certificates: a name and a key, and its own certificate in PEM."""

    name: str
    key: Key

    @classmethod
    def make(cls, name: str) -> Self:
        return cls(name, Key.make())

    def root(self) -> str:
        """The certificate that others are to trust."""
        extensions = [
            (BASIC_CONSTRAINTS, True, sequence(der(BOOLEAN, TRUE))),
            (KEY_USAGE, True, der(BITS, b"\x02\x04")),
        ]
        return self._certificate(1, self.name, self.key, extensions)

    def issue(self, name: str, key: Key, provider_code: str) -> str:
        """A certificate for a carrier that signs calls, with the code that says whose numbers it may sign for."""
        codes = sequence(der(0xA0, der(ASCII, provider_code.encode())))
        usage = der(BITS, b"\x07\x80")  # to sign anything else
        extensions = [(KEY_USAGE, True, usage), (TN_AUTH_LIST, False, codes)]
        return self._certificate(2, name, key, extensions)

    def _certificate(self, serial: int, name: str, key: Key, extensions: list[tuple[str, bool, bytes]]) -> str:
        now = datetime.now(UTC)
        validity = sequence(*(_time(now + timedelta(days=days)) for days in (-1, 30)))
        algorithm = sequence(_object(ECDSA_SHA256))
        point = b"\x04" + b"".join(part.to_bytes(SIZE) for part in key.public)
        body = sequence(
            der(0xA0, number(2)),  # version 3
            number(serial),
            algorithm,
            _name(self.name),
            validity,
            _name(name),
            sequence(sequence(_object(EC_PUBLIC_KEY), _object(P256)), der(BITS, b"\0" + point)),
            der(0xA3, sequence(*(_extension(*extension) for extension in extensions))),
        )
        signature = sequence(*(number(part) for part in self.key.sign(body)))
        return _pem("CERTIFICATE", sequence(body, algorithm, der(BITS, b"\0" + signature)))


def der(tag: int, content: bytes) -> bytes:
    """One value in DER (X.690)."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def sequence(*parts: bytes) -> bytes:
    return der(SEQUENCE, b"".join(parts))


def number(value: int) -> bytes:
    """A positive INTEGER."""
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _object(identifier: str) -> bytes:
    first, second, *rest = (int(part) for part in identifier.split("."))
    content = bytes([40 * first + second])
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | part & 0x7F)
        content += bytes(reversed(groups))
    return der(OBJECT, content)


def _name(common: str) -> bytes:
    return sequence(der(SET, sequence(_object(COMMON_NAME), der(UTF8, common.encode()))))


def _time(at: datetime) -> bytes:
    return der(UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())  # RFC 5280 wants it until 2049


def _extension(identifier: str, critical: bool, value: bytes) -> bytes:
    marked = der(BOOLEAN, TRUE) if critical else b""
    return sequence(_object(identifier), marked, der(OCTETS, value))


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"

"""ECDSA on P-256 (FIPS 186-4, SEC 1), for signing a few calls and certificates of the lab. Never for anything real:
it is slow, and not hardened against somebody who measures it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Self

# SEC 2, section 2.4.2: secp256r1. The curve is y^2 = x^3 - 3x + b over the integers modulo P; N is the order of BASE.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SIZE = 32

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Key:
    """A private key, and its public point."""

    secret: int
    public: Point

    @classmethod
    def make(cls) -> Self:
        secret = 1 + secrets.randbelow(N - 1)
        return cls(secret, multiply(BASE, secret))

    def sign(self, message: bytes) -> tuple[int, int]:
        """The signature (r, s) over the SHA-256 of a message."""
        digest = int.from_bytes(hashlib.sha256(message).digest())
        while True:
            nonce = 1 + secrets.randbelow(N - 1)
            r = multiply(BASE, nonce)[0] % N
            s = pow(nonce, -1, N) * (digest + r * self.secret) % N
            if r and s:
                return r, s


def multiply(point: Point, times: int) -> Point:
    """`point` added to itself, `times` >= 1."""
    result: Point | None = None
    while times:
        if times & 1:
            result = _add(result, point)
        point = _add(point, point)
        times >>= 1
    assert result is not None
    return result


def _add(left: Point | None, right: Point) -> Point:
    """The sum of two points; None is the one at infinity. That two add up to it does not happen within the order."""
    if left is None:
        return right
    (x1, y1), (x2, y2) = left, right
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if left == right else (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P

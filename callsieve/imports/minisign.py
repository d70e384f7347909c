"""Signatures of minisign 0.8 and later: Ed25519 of the file's BLAKE2b, with a comment that is signed as well. Pure.

A signature is four lines of text: a comment of no worth, base64 of `ED`, eight bytes that name the key and the
signature; `trusted comment: `, and base64 of the signature of the signature with that comment.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREHASHED, PLAIN = b"ED", b"Ed"  # PLAIN: a public key, or a signature of the file itself, as `minisign -l` makes
MOST_SIGNATURE_BYTES = 16_384
TRUSTED = "trusted comment: "
_TIMESTAMP = re.compile(r"\btimestamp:([0-9]{1,12})\b", re.ASCII)


class SignatureError(ValueError):
    """The file is not signed by this key."""


@dataclass(frozen=True, slots=True)
class MinisignKey:
    """The key of whoever publishes, and the eight bytes that name it."""

    name: bytes
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> MinisignKey:
        """The line `RW...` of a minisign.pub. SignatureError."""
        raw = _decoded(text, 42)
        if raw[:2] != PLAIN:
            raise SignatureError
        return cls(raw[2:10], Ed25519PublicKey.from_public_bytes(raw[10:]))


def signed_at(file: BinaryIO, signature: bytes, key: MinisignKey) -> int | None:
    """When the file was signed (UTC seconds), as its trusted comment says; None where that says nothing of it.

    SignatureError unless it is signed by this key, file and comment.
    """
    digest = blake2b()
    while piece := file.read(1 << 20):
        digest.update(piece)
    try:
        _, line, comment, whole = signature[:MOST_SIGNATURE_BYTES].decode("utf-8").splitlines()[:4]
    except (UnicodeDecodeError, ValueError):
        raise SignatureError from None
    raw = _decoded(line, 74)
    if raw[:2] != PREHASHED or raw[2:10] != key.name or not comment.startswith(TRUSTED):
        raise SignatureError
    trusted = comment.removeprefix(TRUSTED)
    try:
        key.key.verify(raw[10:], digest.digest())
        key.key.verify(_decoded(whole, 64), raw[10:] + trusted.encode())
    except InvalidSignature:
        raise SignatureError from None
    found = _TIMESTAMP.search(trusted)
    return int(found[1]) if found else None


def _decoded(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError from None
    if len(raw) != length:
        raise SignatureError
    return raw

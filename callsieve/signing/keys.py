"""The Ed25519 key with which this installation signs. The key is created on first use, in the state directory."""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from policies.files import open_regular

KEY_FILE = "signing.key"
KEY_BYTES = 32
MODE = 0o600


class KeyFileError(ValueError):
    """Raised if a text is not a key. The message names the file, if there is one, and a remedy."""


class BadSignature(ValueError):
    """Raised if a signature does not match the text and the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key. `raw`: its 32 bytes, which others get as base64."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Parse a line printed by `callsieve signing key`. Raise KeyFileError if the text is no such line."""
        return cls(_decoded(text, "a public key is 44 characters, as `callsieve signing key` prints it"))

    @property
    def id(self) -> str:
        """The key's id: the first 16 hex digits of its SHA-256."""
        return sha256(self.raw).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The key as base64."""
        return base64.b64encode(self.raw).decode()

    def verify(self, signature: bytes, signed: bytes) -> None:
        """Verify a signature made with this key. Raise BadSignature if it does not match."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, signed)
        except InvalidSignature:
            raise BadSignature from None


class SigningKey:
    """A secret key. `seed`: its 32 bytes."""

    __slots__ = ("_key", "public_key")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, what: bytes) -> bytes:
        """Return the 64-byte signature of the bytes."""
        return self._key.sign(what)


def signing_key(state: Path) -> SigningKey:
    """Return the key in the state directory; create it if missing. Raise KeyFileError or OSError."""
    path = state / KEY_FILE
    text = _read(path) or _made(path)
    remedy = f"{path}: not a key: restore it from a backup, or remove it to make a new key"
    return SigningKey(_decoded(text, remedy))


def _read(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return file.read(1024).decode("ascii", "replace") or "-"
    except FileNotFoundError:
        return ""


def _made(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)  # mkstemp: 0600
    try:
        with open(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(handle)
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    return _read(path)


def _decoded(text: str, problem: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFileError(problem) from None
    if len(raw) != KEY_BYTES:
        raise KeyFileError(problem)
    return raw

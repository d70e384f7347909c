"""What proves to the console that it was asked by somebody who is logged in, and from one of its own pages. Pure.

The cookie holds a random token; the store its SHA-256; the forms what HMAC makes of it, so that a page that leaks shows
nobody the cookie, and a form from elsewhere cannot know it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def parse_token(text: str | None) -> str | None:
    """The token of a cookie; None for what cannot be one."""
    return text if text and _TOKEN.fullmatch(text) else None


def hash_of(token: str) -> str:
    """What the store keeps."""
    return sha256(token.encode()).hexdigest()


def browser_token(name: str, password: str) -> str:
    """What a browser keeps that the user has logged in with. `password`: the hash that is stored."""
    token = new_token()
    return f"{token}.{_browser_proof(token, name, password)}"


def browser_of(text: str, name: str, password: str) -> str | None:
    """Which browser it is, if this user has logged in with it and has the same password still."""
    token, _, proof = text.partition(".")
    expected = _browser_proof(token, name, password)
    return token if hmac.compare_digest(proof.encode(), expected.encode()) else None


def _browser_proof(token: str, name: str, password: str) -> str:
    return hmac.digest(password.encode(), f"callsieve browser {name} {token}".encode(), "sha256").hex()


def form_token(token: str) -> str:
    """What every form of this session carries."""
    return hmac.digest(token.encode(), b"callsieve form", "sha256").hex()


def is_form_token(text: str, token: str) -> bool:
    """Whether a form carries it."""
    return hmac.compare_digest(text.encode(), form_token(token).encode())

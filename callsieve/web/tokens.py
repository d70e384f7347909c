"""Tokens for the console's sessions and forms. Pure functions.

The cookie holds a random token, and the store its SHA-256. Forms carry an HMAC of the token: a leaked page does not
disclose the cookie, and another website cannot guess the value.
"""

import hmac
import re
import secrets
from hashlib import sha256

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def new_token() -> str:
    """Return a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def parse_token(text: str | None) -> str | None:
    """Return the token in a cookie, or None if it is malformed."""
    return text if text and _TOKEN.fullmatch(text) else None


def hash_of(token: str) -> str:
    """Return the hash under which the store keeps a token."""
    return sha256(token.encode()).hexdigest()


def browser_token(name: str, password: str) -> str:
    """Return a cookie value that marks a browser where this user has logged in. `password`: the stored hash."""
    token = new_token()
    return f"{token}.{_browser_proof(token, name, password)}"


def browser_of(text: str, name: str, password: str) -> str | None:
    """Return the browser's token; None if the token is of another user or the user's password has changed since."""
    token, _, proof = text.partition(".")
    expected = _browser_proof(token, name, password)
    return token if hmac.compare_digest(proof.encode(), expected.encode()) else None


def _browser_proof(token: str, name: str, password: str) -> str:
    return hmac.digest(password.encode(), f"callsieve browser {name} {token}".encode(), "sha256").hex()


def form_token(token: str) -> str:
    """Return the form token for the session token `token`. Every form of the session contains the form token."""
    return hmac.digest(token.encode(), b"callsieve form", "sha256").hex()


def is_form_token(text: str, token: str) -> bool:
    """Return whether `text` is the form token that belongs to the session token `token`."""
    return hmac.compare_digest(text.encode(), form_token(token).encode())

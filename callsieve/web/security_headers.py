"""What every answer carries and every request must have, before anything looks at it. ASGI, no page knows of it.

- The name in `Host` is one that the console is reached by: else a page of somebody's could turn its own name to us.
- Behind a proxy all is https: the cookie would else go over the network in the clear.
- A body is bounded where it is read (request.py); what is longer is not read.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "media-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
POLICY_HEADER = "content-security-policy"
HEADERS = {
    POLICY_HEADER: POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Whoever watches over us asks in the clear, from this machine.
PLAIN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


def policy_with(style: str, policy: str = POLICY) -> str:
    """The policy of a document that brings this one style with it, and needs nothing else: that text and no other.

    The hash is that of Content Security Policy Level 3, of what stands between `<style>` and `</style>`.
    """
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return policy.replace("style-src 'self'", f"style-src 'sha256-{digest}'")


class SecurityHeaders:
    """Around the whole application. An answer that has a policy of its own (`policy_with`) keeps it.

    `may_be_plain`: which requests need no https where all others do; `other_name`: what is said to another `Host`.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] = (),
        *,
        https_only: bool = False,
        may_be_plain: Callable[[Scope], bool] = lambda scope: False,
        other_name: str = "The console is not reached by this name: add it to [web] hosts.\n",
    ) -> None:
        self._app = app
        self._other_name = other_name
        self._may_be_plain = may_be_plain
        self._hosts = frozenset(host.lower() for host in hosts) | LOCAL_NAMES
        self._https_only = https_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if name != POLICY_HEADER or name not in headers:
                        headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
            await send(message)

        refusal = self._refusal(scope)
        answer: ASGIApp = PlainTextResponse(refusal, 400) if refusal else self._app
        await answer(scope, receive, send_hardened)

    def _refusal(self, scope: Scope) -> str:
        """Why the request is not looked at; empty when it is."""
        if host_of(Headers(scope=scope).get("host", "")) not in self._hosts:
            return self._other_name
        may_be_plain = scope["path"] in PLAIN_PATHS or self._may_be_plain(scope)
        if self._https_only and scope["scheme"] != "https" and not may_be_plain:
            return "This is reached over https only: the proxy must send X-Forwarded-Proto.\n"
        return ""


def host_of(header: str) -> str:
    """The name in a Host header, without its port and the brackets of IPv6."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()

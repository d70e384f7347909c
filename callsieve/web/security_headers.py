"""ASGI middleware that adds security headers to every answer and refuses unsafe requests before they reach a page.

- `Host` must be a known name of the console. Otherwise a website could point its own name to this server.
- Behind a proxy every request must be HTTPS. Otherwise the cookie would cross the network unencrypted.

request.py limits the length of a body, because only the page that reads the body knows its limit.
"""

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
# Monitoring asks over HTTP, from this server.
PLAIN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


def policy_with(style: str, policy: str = POLICY) -> str:
    """Return a content security policy for a self-contained document that allows only this inline style sheet.

    The hash covers the text between `<style>` and `</style>` (Content Security Policy Level 3).
    """
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return policy.replace("style-src 'self'", f"style-src 'sha256-{digest}'")


class SecurityHeaders:
    """Middleware around the whole application. An answer that sets its own policy (`policy_with`) keeps that policy.

    `may_be_plain`: requests that may use HTTP despite `https_only`. `other_name`: the answer to an unknown `Host`.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] = (),
        *,
        https_only: bool = False,
        may_be_plain: Callable[[Scope], bool] = lambda scope: False,
        other_name: str = "Unknown host name. To reach the console by this name, add it to [web] hosts.\n",
    ) -> None:
        self._app = app
        self._other_name = other_name
        self._may_be_plain = may_be_plain
        self._hosts = frozenset(host.lower() for host in hosts) | LOCAL_NAMES
        self._https_only = https_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers, or refuse it."""
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
        if host_of(Headers(scope=scope).get("host", "")) not in self._hosts:
            return self._other_name
        may_be_plain = scope["path"] in PLAIN_PATHS or self._may_be_plain(scope)
        if self._https_only and scope["scheme"] != "https" and not may_be_plain:
            return "This server accepts HTTPS only. The proxy must send X-Forwarded-Proto: https.\n"
        return ""


def host_of(header: str) -> str:
    """Return the host name in a Host header, without the port and IPv6 brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()

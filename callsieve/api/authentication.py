"""Authentication of API requests by a token in `Authorization: Bearer`.

Root and Asterisk's user need no token at the Unix socket. Cookies are ignored: otherwise a web page could send requests
with a visitor's rights. Without a valid token every path returns the same error, whether or not the path exists. Each
wrong token lengthens the wait before the next try from the same address. Known valid tokens never wait.
"""

import asyncio
import hmac
import logging
import pwd
from collections import OrderedDict
from contextlib import suppress
from http import HTTPStatus

from starlette.requests import Request

from callsieve.api.problem import ApiError
from callsieve.system.privileges import accepted_users
from callsieve.web.app_state import AppState
from callsieve.web.connections import PEER_USER, network_of
from callsieve.web.store_client import StoreClient
from callsieve.web.throttle import Throttle
from reputation.store.errors import StoreError
from reputation.store.users import KeptToken, all_tokens, token_by_digest, touch_token
from reputation.users import ApiToken, Role, Scope, digest_of

LOCAL = 0  # the token id of a local user, who has no token

logger = logging.getLogger("callsieve.api")

TRIES_OF_AN_ADDRESS = 20
MOST_KNOWN = 1000
TOUCH_SECONDS = 60.0
OPENING_SECONDS = 2.0
ADDRESS_CHARACTERS = 64
SCHEME = "bearer"
NO_TOKEN = "send a token as `Authorization: Bearer cs_...`; `callsieve token add NAME` makes one"
WRONG_TOKEN = "unknown, revoked or expired token: `callsieve token list` shows the valid ones"


class Authentication:
    """Checks the token of each request, and slows down clients that guess tokens."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        # A separate store client, so that calls waiting for `/decide` do not queue behind a slow page.
        self._store = StoreClient(state.loaded.store_path)
        self._tries = Throttle(TRIES_OF_AN_ADDRESS)
        self._known: OrderedDict[str, None] = OrderedDict()  # digests of tokens that were valid, the latest last
        self._has_recalled = False

    async def token_of(self, request: Request, now: float) -> KeptToken:
        """Return the valid token of the request, or raise ApiError. The time of use is stored at most once a minute."""
        local = None if "authorization" in request.headers else self._local_user(request)
        if local is not None:
            return local
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != SCHEME or not secret:
            raise _unauthorised("no-token", NO_TOKEN)
        digest = digest_of(secret.strip())
        address = network_of(request.client.host) if request.client else "local"
        if digest is None or not await self._was_right_before(digest):
            self._check_may_try(address, now)
        kept = None if digest is None else await self._store.read(token_by_digest, digest)
        if digest is None or kept is None or not hmac.compare_digest(kept.digest, digest) or _is_over(kept, now):
            self._known.pop(digest or "", None)
            self._tries.failed(address, now)
            logger.warning("API: wrong token: address=%s", _printable_address(request))
            raise _unauthorised("wrong-token", WRONG_TOKEN, 'error="invalid_token"')
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        if kept.used_at is None or now - kept.used_at >= TOUCH_SECONDS:
            task = asyncio.ensure_future(self._touch(kept.id, now))
            self._state.background.add(task)
            task.add_done_callback(self._state.background.discard)
        return kept

    def _local_user(self, request: Request) -> KeptToken | None:
        """Return a token with all rights if the Unix socket's peer is root or Asterisk's user, otherwise None.

        The service's own user needs a token, so that an attacker who controls a process of the service gains nothing.
        """
        user = getattr(request.state, PEER_USER, None)
        if user is None or user not in accepted_users(self._state.loaded.settings, service=0):
            return None
        try:
            name = pwd.getpwuid(user).pw_name
        except KeyError:
            name = str(user)
        return KeptToken(LOCAL, "", None, ApiToken(name, Role.ADMINISTRATOR, tuple(Scope), 0.0))

    async def open(self) -> None:
        """Open the store in advance. Otherwise the first request during a call would wait until the store is open."""
        await self._store.open(OPENING_SECONDS)

    async def _was_right_before(self, digest: str) -> bool:
        """Return whether this token was valid in an earlier request, even before a restart. `digest`: its hash."""
        if not self._has_recalled:
            used = [kept.digest for kept in await self._store.read(all_tokens) if kept.used_at is not None]
            self._known = OrderedDict.fromkeys((*used, *self._known))
            self._has_recalled = True
        return digest in self._known

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    def _check_may_try(self, address: str, now: float) -> None:
        wait = self._tries.wait_seconds(address, now)
        if wait > 0:
            seconds = int(wait) + 1
            words = f"too many wrong tokens from this address: try again in {seconds} s"
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-tries", words, headers={"Retry-After": str(seconds)})

    async def _touch(self, token_id: int, now: float) -> None:
        with suppress(StoreError):  # the time of last use is not worth an error
            await self._store.write(touch_token, token_id, now)


def _printable_address(request: Request) -> str:
    # A proxy may pass on any text as the address.
    host = request.client.host if request.client else "local"
    return "".join(filter(str.isprintable, host))[:ADDRESS_CHARACTERS]


def _is_over(kept: KeptToken, now: float) -> bool:
    expires_at = kept.token.expires_at
    return expires_at is not None and expires_at <= now


def _unauthorised(code: str, words: str, more: str = "") -> ApiError:
    challenge = f'Bearer realm="callsieve"{f", {more}" if more else ""}'
    return ApiError(HTTPStatus.UNAUTHORIZED, code, words, headers={"WWW-Authenticate": challenge})

"""Operations that create and revoke API tokens (callsieve/changes/operation.py), and health checks of the API."""

import socket
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import ChangeId, NameText, TimeText
from callsieve.changes.operation import Context, Refused, change
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.changes.undo import UndoKind
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, and_more, ok, warn
from callsieve.settings import address_of
from callsieve.text.times import TimeError, day, expiry_of
from policies.files import nearest
from reputation import users
from reputation.encoding import Instant, parse_plain
from reputation.store.users import KeptToken, add_token, all_tokens, remove_token, token_of
from reputation.users import ROLE_BY_WORD, Scope
from reputation.wording import Wording

MOST_TOKENS = 500
MOST_PER_MINUTE = 100_000
NEVER = "never"
NO_NAME = "A name must be at most 64 letters, digits, _ . @ and -, and begin with a letter or digit."
TAKEN = "A token of this name exists already: revoke it first, or choose another name."
TOO_MANY = f"There are {MOST_TOKENS} tokens already: revoke unused ones first."
NO_SCOPE = f"name at least one of: {', '.join(Scope)}"
ScopeWord = Annotated[str, Meta(extra_json_schema={"enum": [scope.value for scope in Scope]})]
OWN = "A token cannot revoke itself: use another token, or run `callsieve token revoke`."
ADMINISTRATORS = "Only an administrator can do this."


class NewToken(msgspec.Struct, frozen=True):
    """A token to create.

    Attributes:
        scopes: The permitted uses, at least one.
        expires: When the token expires: `30d`, `2026-12-31` or `never`.
        per_minute: How many requests are allowed per minute; null: as in the settings.
    """

    name: users.UserName
    role: users.RoleWord
    scopes: Sequence[ScopeWord]
    expires: TimeText
    per_minute: Annotated[int, Meta(ge=1, le=MOST_PER_MINUTE)] | None = None


class TokenAdded(NamedTuple):
    """A token that was created.

    Attributes:
        secret: The secret that the program sends. The secret is shown only once and not stored.
        token: The token.
    """

    change_id: ChangeId | None
    secret: str
    token: users.ApiToken


class TokenRevoked(NamedTuple):
    """A token that was revoked, effective from its next request. `token`: the revoked token, without its secret."""

    change_id: ChangeId | None
    token: users.ApiToken


@dataclass(frozen=True, slots=True)
class TokenShown:
    """A token without the hash of its secret.

    Attributes:
        token: The token.
        used_at: When the token was last used, to the minute; null if never.
        is_over: Whether the token has expired.
    """

    token: users.ApiToken
    used_at: Instant | None
    is_over: bool


def add(db: sqlite3.Connection, context: Context, request: NewToken) -> TokenAdded:
    """Create a token for a program. Only this result contains its secret."""
    _check_administrator(context)
    token = _token_of(context, request)
    secret = users.new_secret()
    digest = users.digest_of(secret)
    assert digest is not None
    with change(db, context, "token add", name=token.name) as changed:
        existing = all_tokens(db)
        if any(kept.token.name == token.name for kept in existing):
            raise Refused("name-taken", TAKEN)
        if len(existing) >= MOST_TOKENS:
            raise Refused("too-many-tokens", TOO_MANY)
        changed.after = token
        add_token(db, token, digest)
    return TokenAdded(changed.id, secret, token)


def revoke(db: sqlite3.Connection, context: Context, name: NameText) -> TokenRevoked:
    """Revoke a program's token, effective from its next request."""
    _check_administrator(context)
    if context.actor.partition("/")[0] == f"token:{name}":
        raise Refused("own-token", OWN)
    with change(db, context, "token revoke", name=name) as changed:
        token = _token_named(db, name).token
        changed.before = token
        remove_token(db, name)
    return TokenRevoked(changed.id, token)


def find_tokens(db: sqlite3.Connection, context: Context, request: PageQuery) -> ResultPage[TokenShown]:
    """Return the tokens, sorted by name."""
    return page_from(
        all_tokens(db), request, lambda kept: (kept.token.name,), lambda kept: token_shown(kept, context.at)
    )


def find_token(db: sqlite3.Connection, context: Context, name: NameText) -> TokenShown:
    """Return a token."""
    return token_shown(_token_named(db, name), context.at)


def token_shown(kept: KeptToken, now: float) -> TokenShown:
    """Return the token without the hash of its secret."""
    return TokenShown(kept.token, kept.used_at, is_over(kept.token, now))


def is_over(token: users.ApiToken, now: float) -> bool:
    """Return whether the token has expired."""
    return token.expires_at is not None and token.expires_at <= now


TOKEN = UndoKind(
    lambda _db, _row, value: parse_plain(value, users.ApiToken),
    lambda db, _, token: (kept := token_of(db, token.name)) and kept.token,
    lambda db, _, token: remove_token(db, token.name),
    lambda *_: None,  # its secret is not stored
)


def _token_named(db: sqlite3.Connection, name: str) -> KeptToken:
    kept = token_of(db, name)
    if kept is None:
        names = [kept.token.name for kept in all_tokens(db)]
        hint = nearest(name, names) if names else ""
        raise Refused("no-such-token", f"there is no token {name[:40]!r}{hint}; `callsieve token list` shows all")
    return kept


def _token_of(context: Context, request: NewToken) -> users.ApiToken:
    if not users.NAME.fullmatch(request.name):
        raise Refused("bad-name", NO_NAME)
    if request.role not in ROLE_BY_WORD:
        words = f"there is no role {request.role[:40]!r}{nearest(request.role, ROLE_BY_WORD)}"
        raise Refused("unknown-role", words, "role")
    role = ROLE_BY_WORD[request.role]
    scopes = _scopes(request.scopes, role)
    if request.per_minute is not None and not 1 <= request.per_minute <= MOST_PER_MINUTE:
        raise Refused("bad-rate", f"must be 1 to {MOST_PER_MINUTE} requests", "per-minute")
    try:
        expires_at = None if request.expires == NEVER else expiry_of(request.expires, context.at)
    except TimeError as error:
        raise Refused("bad-time", f"{error}; or {NEVER}", "expires") from None
    return users.ApiToken(request.name, role, scopes, context.at, expires_at, request.per_minute)


def _scopes(words: Sequence[str], role: users.Role) -> tuple[Scope, ...]:
    for word in words:
        if word not in tuple(Scope):
            raise Refused("unknown-scope", f"there is no scope {word[:40]!r}{nearest(word, Scope)}", "scope")
    scopes = tuple(scope for scope in Scope if scope in words)
    if not scopes:
        raise Refused("no-scope", NO_SCOPE, "scope")
    for scope in scopes:
        if role < users.LEAST_ROLE[scope]:
            least = users.LEAST_ROLE[scope].word
            problem = f"{scope} needs the role {least}, not {role.word}"
            raise Refused("scope-beyond-role", problem, "scope")
    return scopes


def _check_administrator(context: Context) -> None:
    if context.role < users.Role.ADMINISTRATOR:
        raise Refused("administrators-only", ADMINISTRATORS)


CONNECT_SECONDS = 2.0
# A token that expires within this time should be replaced.
DUE_SECONDS = 14 * 86_400.0
OFF = Wording("switched off in the settings")
REMEDY = Wording(
    "run callsieve asterisk install --systemd, then systemctl enable --now callsieve-api; or run callsieve api"
)
REMEDY_OF_CONSOLE = Wording("run systemctl restart callsieve; or run callsieve web")


def is_served(context: CheckContext) -> Finding:
    """Check that the API answers as configured, and that all calls about which programs asked were recorded."""
    settings, path = context.loaded.settings, context.loaded.api_socket_path
    if not settings.api.enabled:
        return ok(OFF)
    if not _answers(socket.AF_UNIX, str(path)):
        return warn(Wording("nothing answers on {where}", {"where": str(path)}), REMEDY)
    console = settings.web.listen if settings.web.enabled else ""
    where = tuple(filter(None, (console, settings.api.listen)))
    for listen in where:
        host, port = address_of(listen)
        if not _answers(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)):
            remedy = REMEDY_OF_CONSOLE if listen == console else REMEDY
            return warn(Wording("nothing answers on {where}", {"where": listen}), remedy)
    telemetry = context.telemetry
    if telemetry is not None and telemetry.unrecorded:
        return warn(
            Wording(
                "{calls:,} calls were decided but not recorded since the daemon's start",
                {"calls": telemetry.unrecorded},
            ),
            Wording(
                "a token asks about more than {rate} calls a second; `callsieve token list` shows which. If a switch "
                "really has so many calls, raise `recorded_per_second` in [api]",
                {"rate": settings.api.recorded_per_second},
            ),
        )
    return ok(Wording("answers at {where}", {"where": ", ".join((str(path), *where))}))


def _answers(family: int, address: tuple[str, int] | str) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_SECONDS)
        return probe.connect_ex(address) == 0


def has_tokens(context: CheckContext) -> Finding:
    """Check that there are tokens, and that none has expired or expires soon."""
    if not context.loaded.settings.api.enabled:
        return ok(OFF)
    return context.judge_store(_tokens_found)


def _tokens_found(db: sqlite3.Connection, now: float) -> Finding:
    tokens = [token.token for token in all_tokens(db)]
    if not tokens:
        return warn(Wording("there are no tokens"), "callsieve token add NAME")
    ends = [(token.expires_at, token.name) for token in tokens if token.expires_at is not None]
    due = sorted((at, name) for at, name in ends if at <= now + DUE_SECONDS)
    if due:
        at, name = due[0]
        ended = Wording("{name} expired {day}", {"name": name, "day": day(at)})
        ending = Wording("{name} expires {day}", {"name": name, "day": day(at)})
        return warn(
            and_more(ended if at <= now else ending, len(due) - 1),
            Wording("callsieve token revoke {name}, and add another", {"name": name}),
        )
    return ok(str(len(tokens)))


CHECKS = (
    HealthCheck(place=480, name="API", find=is_served),
    HealthCheck(place=490, name="API tokens", find=has_tokens),
)

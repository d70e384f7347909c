"""Administration of the hub's database: its schema, its sites, and the login of this site.

All functions that take a `hub` raise HubError if the database refuses a statement.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

from callsieve.hub.operations import secret_source
from callsieve.hub.postgresql import Hub, HubError, with_login
from callsieve.outside.errors import OutsideError
from callsieve.outside.secrets import secret_of
from callsieve.settings import Loaded
from reputation.store.hub.rows import KINDS, SharedWith

OWNER: Final = "callsieve_hub"
SITES: Final = "callsieve_site"
PARTITIONS: Final = 16
LEAST_VERSION: Final = 140_000
# From this version on, CREATEROLE covers only roles that one administers: the owner may forbid sites to log in.
ROLES_VERSION: Final = 160_000
MIGRATION: Final = """
CREATE TABLE IF NOT EXISTS callsieve.migration (
    version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now())
"""
GRANTS: Final = (
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA callsieve FROM PUBLIC",
    f"GRANT USAGE ON SCHEMA callsieve TO {SITES}",
    f"GRANT SELECT ON callsieve.site, callsieve.notice, callsieve.own_part TO {SITES}",
    f"""GRANT SELECT (organisation, kind, origin, number, key, payload, at_us, version, received_at, deleted, private,
                  xid, id) ON callsieve.evidence_row TO {SITES}""",
    f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA callsieve TO {SITES}",
    f"""REVOKE EXECUTE ON FUNCTION callsieve.channel_of(text), callsieve.present_history(), callsieve.require_part(),
                                   callsieve.close_login(text), callsieve.too_old(integer),
                                   callsieve.remove_number(callsieve.site, text, boolean),
                                   callsieve.wake_others(text, text, boolean, timestamptz) FROM {SITES}""",
)
# A site only reads and calls functions. It may create neither tables nor temporary objects in the hub's database.
REVOKES: Final = (
    """DO $$ BEGIN
        EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
        IF to_regnamespace('public') IS NOT NULL THEN REVOKE CREATE ON SCHEMA public FROM PUBLIC; END IF;
    END $$""",
)
# Large objects (which no quota bounds), advisory locks (which fill the one lock table) and plpgsql belong to
# PostgreSQL, not to the hub: only a superuser may revoke them.
OF_SUPERUSER: Final = (
    f"""DO $$ DECLARE func regprocedure; BEGIN
        FOR func IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
                      AND proname ~ '^(lo_|loread$|lowrite$|pg_(try_)?advisory_)' LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', func);
        END LOOP;
        REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
        GRANT USAGE ON LANGUAGE plpgsql TO {OWNER};
    END $$""",
)
# Disk space for the sorts of one process. A role cannot lift this limit itself.
LIMIT_TEMPORARY: Final = "ALTER ROLE \"{role}\" SET temp_file_limit = '1GB'"
IS_SUPERUSER: Final = "SELECT current_setting('is_superuser') = 'on'"
# Other databases of the same server that sites can log in to. Nothing is revoked there.
OPEN_ELSEWHERE: Final = f"""
SELECT datname FROM pg_database
 WHERE datallowconn AND datname <> current_database() AND has_database_privilege('{SITES}', oid, 'CONNECT') ORDER BY 1
"""
# Open logins of sites that were expelled or have left: from an older CallSieve, or on PostgreSQL 14 and 15.
OPEN_LOGINS: Final = """
SELECT role FROM callsieve.site JOIN pg_roles ON rolname = role
 WHERE expelled_at IS NOT NULL AND (rolcanlogin OR pg_has_role(pg_roles.oid, 'callsieve_site', 'MEMBER'))
"""
# A dump restored on another server has other transaction numbers: every row gets a new place.
IS_MOVED: Final = """
SELECT EXISTS (SELECT 1 FROM callsieve.evidence_row WHERE xid > pg_current_xact_id())
    OR EXISTS (SELECT 1 FROM callsieve.notice WHERE xid > pg_current_xact_id())
"""
MOVE: Final = (
    "TRUNCATE callsieve.fresh",
    "UPDATE callsieve.evidence_row SET xid = pg_current_xact_id(), id = nextval('callsieve.place')",
    "UPDATE callsieve.notice SET xid = pg_current_xact_id(), id = nextval('callsieve.place')",
    "UPDATE callsieve.hub SET id = gen_random_uuid()",
)
ADD_SITE: Final = """
INSERT INTO callsieve.site (organisation, name, role, is_central) VALUES (%s, %s, %s, %s)
ON CONFLICT (organisation, name) DO UPDATE SET is_central = excluded.is_central, expelled_at = NULL, joined_at = now()
"""
ADD_KIND: Final = """
INSERT INTO callsieve.kind (name, days, is_of_standby, is_evidence) VALUES (%s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE
SET days = excluded.days, is_of_standby = excluded.is_of_standby, is_evidence = excluded.is_evidence
"""
SET_QUOTA: Final = "UPDATE callsieve.site SET most_rows = %s WHERE organisation = %s AND name = %s RETURNING rows_kept"


class SiteLogin(NamedTuple):
    """The PostgreSQL role and the password with which a site logs in to the hub."""

    role: str
    password: str


class Initialised(NamedTuple):
    """The result of `initialise`. `migrations`: the names of the migrations that were applied.

    `is_moved`: whether the database came from another server. `is_closed`: whether the sites lost rights that only a
    superuser can revoke. `elsewhere`: other databases on the server that sites can log in to.
    """

    migrations: tuple[str, ...]
    is_moved: bool
    is_closed: bool
    elsewhere: tuple[str, ...]


async def initialise(hub: Hub, partitions: int = PARTITIONS) -> Initialised:
    """Create or upgrade roles and schema. A second run changes nothing. `partitions`: only used by the first run."""
    ((version,),) = await hub.rows("SELECT current_setting('server_version_num')::integer")
    if version < LEAST_VERSION:
        raise HubError(f"the database is PostgreSQL {version // 10_000}, but the hub needs 14 or later")
    applied = []
    async with hub.transaction():
        await hub.rows("SELECT pg_advisory_xact_lock(hashtext('callsieve.init'))")
        await _make_roles(hub, version)
        await hub.rows(f"CREATE SCHEMA IF NOT EXISTS callsieve AUTHORIZATION {OWNER}")
        await hub.rows(f"SET LOCAL ROLE {OWNER}")
        await hub.rows(MIGRATION)
        known = dict(await hub.rows("SELECT version, sha256 FROM callsieve.migration"))
        for number, name, sql in _migrations():
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if number not in known:
                await hub.rows(sql)
                values = (number, name, digest)
                await hub.rows("INSERT INTO callsieve.migration (version, name, sha256) VALUES (%s, %s, %s)", values)
                applied.append(name)
            elif known[number] != digest:
                raise HubError(
                    f"migration {name} differs from the applied one: use the CallSieve version that applied it"
                )
        if newer := known.keys() - {number for number, _, _ in _migrations()}:
            raise HubError(
                f"the database was set up by a newer CallSieve (migration {max(newer)}): update CallSieve here"
            )
        await _make_partitions(hub, partitions)
        for kind in KINDS.values():
            await hub.rows(ADD_KIND, (kind.name, kind.days, kind.scope is SharedWith.STANDBY, kind.is_evidence))
        for grant in GRANTS:
            await hub.rows(grant)
        roles = await hub.rows("SELECT role FROM callsieve.site JOIN pg_roles ON rolname = role")
        await hub.rows("RESET ROLE")
        ((is_superuser,),) = await hub.rows(IS_SUPERUSER)
        for (role,) in roles:
            await _grant_to_site(hub, role)
            if is_superuser:
                await hub.rows(LIMIT_TEMPORARY.format(role=role))
        await _close_logins(hub)
        for revoke in (*REVOKES, *(OF_SUPERUSER if is_superuser else ())):
            await hub.rows(revoke)
        elsewhere = tuple(name for (name,) in await hub.rows(OPEN_ELSEWHERE))
        await hub.rows(f"SET LOCAL ROLE {OWNER}")
        ((is_moved,),) = await hub.rows(IS_MOVED)
        for statement in MOVE if is_moved else ():
            await hub.rows(statement)
    return Initialised(tuple(applied), bool(is_moved), bool(is_superuser), elsewhere)


async def add_site(hub: Hub, organisation: str, site: str, *, is_central: bool = False) -> SiteLogin:
    """Create the role of a site and return its login. If the site exists or was expelled, it gets a new password."""
    role, password = f"callsieve:{organisation}:{site}", secrets.token_hex(24)
    async with hub.transaction():
        exists = await hub.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
        verb = "ALTER" if exists else "CREATE"
        # Both texts are of alphabets that need no escaping (kinds.SITE, hexadecimal digits).
        await hub.rows(f"{verb} ROLE \"{role}\" LOGIN PASSWORD '{password}' CONNECTION LIMIT 8")
        await _grant_to_site(hub, role)
        ((is_superuser,),) = await hub.rows(IS_SUPERUSER)
        if is_superuser:
            await hub.rows(LIMIT_TEMPORARY.format(role=role))
        await hub.rows(f"SET LOCAL ROLE {OWNER}")
        await hub.rows(ADD_SITE, (organisation, site, role, is_central))
    return SiteLogin(role, password)


async def expel_site(hub: Hub, organisation: str, site: str) -> int:
    """Remove a site, and return how many rows were removed. Needs the login of an administrator or central console."""
    ((removed,),) = await hub.rows("SELECT callsieve.expel(%s, %s, true)", (organisation, site))
    ((is_administrator,),) = await hub.rows(f"SELECT pg_has_role('{OWNER}', 'MEMBER')")
    if is_administrator:
        async with hub.transaction():
            await _close_logins(hub)
    return int(removed)


async def set_quota(hub: Hub, organisation: str, site: str, rows: int) -> int:
    """Set how many rows of a site the hub may store. Return how many are stored now. Needs an administrator's login."""
    async with hub.transaction():
        await hub.rows(f"SET LOCAL ROLE {OWNER}")
        updated = await hub.rows(SET_QUOTA, (rows, organisation, site))
    if not updated:
        raise HubError(f"the hub has no site {site} of {organisation}")
    return int(updated[0][0])


async def _grant_to_site(hub: Hub, role: str) -> None:
    """Grant the rights of a site to its role. The hub's owner grants them, because only the grantor can revoke them."""
    await hub.rows(f'GRANT "{role}" TO {OWNER} WITH ADMIN OPTION')
    await hub.rows(f'REVOKE {SITES} FROM "{role}"')
    await hub.rows(f"SET LOCAL ROLE {OWNER}")
    await hub.rows(f'GRANT {SITES} TO "{role}"')
    await hub.rows("RESET ROLE")


async def _close_logins(hub: Hub) -> None:
    """Disable the logins of all sites that were expelled or have left. Call it in a transaction."""
    for (role,) in await hub.rows(OPEN_LOGINS):
        await hub.rows(f'ALTER ROLE "{role}" NOLOGIN')
        await hub.rows(f"SET LOCAL ROLE {OWNER}")
        await hub.rows("SELECT callsieve.close_login(%s)", (role,))
        await hub.rows("RESET ROLE")


async def _make_roles(hub: Hub, version: int) -> None:
    for role in (OWNER, SITES):
        if not await hub.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)):
            await hub.rows(f"CREATE ROLE {role} NOLOGIN")
    await hub.rows(f"GRANT {OWNER} TO CURRENT_USER")
    await hub.rows(f"GRANT {SITES} TO {OWNER} WITH ADMIN OPTION")
    if version >= ROLES_VERSION:
        await hub.rows(f"ALTER ROLE {OWNER} CREATEROLE")


async def _make_partitions(hub: Hub, partitions: int) -> None:
    if await hub.rows("SELECT 1 FROM pg_inherits WHERE inhparent = 'callsieve.evidence_row'::regclass LIMIT 1"):
        return
    for rest in range(partitions):
        await hub.rows(
            f"CREATE TABLE callsieve.evidence_row_{rest} PARTITION OF callsieve.evidence_row"
            f" FOR VALUES WITH (MODULUS {partitions}, REMAINDER {rest})"
        )


def _migrations() -> Iterator[tuple[int, str, str]]:
    folder = files("callsieve.hub") / "schema"
    texts = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")}
    for name in sorted(texts):
        yield int(name[:4]), name.removesuffix(".sql"), texts[name]


def address_of_site(loaded: Loaded) -> str:
    """Return the hub's address with this site's login. Raise HubError if the address or the secret is missing."""
    settings = loaded.settings.hub
    if not settings.address:
        raise HubError(f"{loaded.settings_file}: `address` is missing in [hub], so nothing is shared")
    source = secret_source(loaded)
    try:
        role, separator, password = secret_of(source).partition(" ")
    except OutsideError as error:
        raise HubError(f"{error.words}: run `callsieve hub join`, which writes this file") from None
    if not separator:
        raise HubError(f"{source}: not in the format that `callsieve hub join` writes: run it again")
    return with_login(settings.address, role, password)


def write_secret(path: Path, login: SiteLogin) -> None:
    """Write the site's login to a file that only its owner can read. Replace an earlier file."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{login.role} {login.password}\n")
    partial.rename(path)

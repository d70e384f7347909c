"""A PBX's database, and the file in which FreePBX says how to get there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.mariadb import PASSWORD, USER, MariaDb


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture
def pbx(server: MariaDb) -> MariaDb:
    """A database server with FreePBX's tables, empty. FreePBX's own database is `asterisk`."""
    server.make_tables()
    server.run("CREATE DATABASE IF NOT EXISTS asterisk")
    return server


@pytest.fixture
def freepbx_conf(pbx: MariaDb) -> str:
    """The lines that FreePBX writes, with its user's password."""
    escaped = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"<?php\n$amp_conf['AMPDBUSER'] = '{USER}';\n$amp_conf['AMPDBPASS'] = '{escaped}';\n"
        "$amp_conf[\"AMPDBHOST\"] = \"localhost\";\n$amp_conf['AMPDBNAME'] = 'asterisk';\n"
        f"$amp_conf['AMPDBSOCK'] = '{pbx.socket_path}';\n?>\n"
    )

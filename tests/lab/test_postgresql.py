"""The lab's PostgreSQL runs without root's rights, survives a kill, and has a certificate if a test wants one."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from lab.postgresql import TLS_NAME, PostgreSql
from lab.private_server import ADDRESS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSql]:
    with PostgreSql(tls=True) as server:
        yield server


def test_written_rows_survive_a_kill(server: PostgreSql) -> None:
    server.run("CREATE TABLE kept (id integer)")
    server.run("INSERT INTO kept VALUES (%s)", (7,))
    server.run("CHECKPOINT")
    server.kill()
    with pytest.raises(psycopg.OperationalError):
        server.run("SELECT 1")
    server.start()
    assert server.run("SELECT id FROM kept") == [(7,)]


def test_the_certificate_is_valid_only_for_its_name(server: PostgreSql) -> None:
    trust = f"sslmode=verify-full&sslrootcert={server.authority_file}"
    with psycopg.connect(server.address(query=f"{trust}&host={TLS_NAME}&hostaddr={ADDRESS}")) as connection:
        assert connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="certificate"):
        psycopg.connect(server.address(query=trust)).close()

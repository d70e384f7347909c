"""Failover of the hub's PostgreSQL to a replica that lacks the latest rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.postgresql import REPLICATED, PostgreSql, Replica
from reputation.model import ListName
from reputation.store.lists import add_entry, remove_entry
from tests.callsieve.hub.sites import CALLER, Site, TestHub
from tests.reputation.store_builders import make_entry
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
OTHER, THIRD, FOURTH = "+12015550124", "+12015550125", "+12015550126"
BURN = "DO $$ BEGIN FOR n IN 1..%d LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


class Pair:
    """A server and its replica, and the hub on whichever of them is there."""

    def __init__(self, primary: PostgreSql, replica: Replica, folder: Path) -> None:
        self.primary, self.replica = primary, replica
        self.hub = TestHub(primary, folder).make()

    def cut_off(self) -> None:
        """Stop replication, so that later writes are lost."""
        wait_until(self.replica.has_all, "replication")
        self.replica.stop()

    def fail_over(self) -> None:
        self.primary.kill()
        self.replica.start()
        self.replica.promote()
        self.hub.server = self.replica

    def burn(self, transactions: int) -> None:
        """Use up transaction ids."""
        self.hub.run(BURN % transactions)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with PostgreSql(options=REPLICATED) as primary, Replica(primary) as replica:
        yield Pair(primary, replica, tmp_path)


def use_replica(site: Site, **settings: object) -> Site:
    site.write_settings(settings)
    return site


def test_rows_lost_by_a_replica_are_sent_again(pair: Pair) -> None:
    hub = pair.hub
    berlin, london = hub.join("berlin"), hub.join("london", follow=["berlin"])
    paris, rome = hub.join("paris"), hub.join("rome")
    berlin.mark(CALLER, "201", time.time() - 90)
    entry = make_entry(THIRD, list_name=ListName.BLOCK)
    berlin.write(add_entry, entry)
    hub.settle()
    assert london.rows("SELECT first FROM list_entry") == [(THIRD,)]
    pair.cut_off()

    # Lost at the replica: a mark, a retraction and a deletion. London and Rome have received all.
    berlin.mark(OTHER, "201", time.time() - 60)
    berlin.mark(CALLER, "201", time.time() - 50, "retracted")
    berlin.write(remove_entry, entry)
    pair.burn(300)
    hub.settle()
    assert london.marks() == {"berlin:201": "retracted"}
    assert london.rows("SELECT first FROM list_entry") == []

    pair.fail_over()
    # A site that tells something before anybody else is there, in transactions that others had behind them.
    use_replica(paris).mark(FOURTH, "401", time.time() - 40)
    paris.exchange()
    pair.burn(600)
    use_replica(berlin)
    use_replica(london, follow=["berlin"])
    use_replica(rome)
    hub.settle(3)
    for site in (berlin, london, paris, rome):
        assert site.stored() == hub.checksums()
    assert paris.marks(OTHER) == {"berlin:201": "spam"}
    assert paris.marks(CALLER) == {"berlin:201": "retracted"}
    assert london.marks(FOURTH) == rome.marks(FOURTH) == {"paris:401": "spam"}
    entries = "SELECT deleted FROM callsieve.evidence_row WHERE kind = 'list_entry'"
    assert hub.run(entries) == [(True,)]


def test_rows_of_site_and_standby_survive_a_failover(pair: Pair) -> None:
    """A PBX and its standby share a counter in the hub, so later rows of the standby have later versions."""
    hub = pair.hub
    berlin, london = hub.join("berlin", private=True), hub.join("london")
    second = Site(hub, "berlin", "main", hub.folder / "second")
    second.write_settings({"standby": True, "private": True})
    secret = second.loaded.state / "hub.secret"
    secret.write_bytes((berlin.loaded.state / "hub.secret").read_bytes())
    secret.chmod(0o600)
    hub.settle()
    second.exchange()
    pair.cut_off()
    berlin.mark(CALLER, "201", time.time() - 60)
    berlin.exchange()
    pair.fail_over()
    use_replica(second, standby=True, private=True).mark(OTHER, "202", time.time() - 30)
    second.exchange()
    use_replica(berlin, private=True)
    use_replica(london)
    hub.settle()
    assert london.marks(CALLER) == {"berlin:201": "spam"}
    assert london.marks(OTHER) == {"berlin:202": "spam"}
    assert london.stored() == hub.checksums()


def test_complete_replica_causes_no_resend(pair: Pair) -> None:
    """Only recent rows are sent again, and none is pulled again."""
    hub = pair.hub
    berlin, london = hub.join("berlin"), hub.join("london")
    for last in range(20):
        berlin.mark(f"+120155502{last:02}", "201", time.time() - 60)
    hub.settle()
    # As if it were long ago, also by version.
    for table in ("hub_row", "hub_link"):
        column = "version" if table == "hub_row" else "clock_us"
        berlin.write(lambda db: db.execute(f"UPDATE {table} SET {column} = {column} - 3600000000"))  # noqa: B023
    hub.run("UPDATE callsieve.site SET version = version - 3600000000 WHERE name = 'berlin'")
    berlin.mark(CALLER, "201", time.time() - 30)
    hub.settle()
    pair.cut_off()
    pair.fail_over()
    told = "SELECT rows_pushed FROM callsieve.site WHERE name = 'berlin'"
    assert hub.run(told) == [(21,)]
    use_replica(berlin)
    use_replica(london)
    hub.settle()
    assert hub.run(told) == [(22,)]
    assert london.stored() == berlin.stored() == hub.checksums()

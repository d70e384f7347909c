"""Health of the hub link in doctor and metrics, without waiting for PostgreSQL."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.hub.checks import is_exchanged
from callsieve.hub.operations import LEAST_LATE_SECONDS, UPDATE, health_of, hub_figures, is_late, secret_path
from callsieve.settings import Loaded, parse_settings
from callsieve.source_health import SourceStatus
from reputation.store.database import open_store
from reputation.store.hub.link import FirstTry, Link, link_of, note_refused, pull_again, set_link
from reputation.store.hub.rows import Unfit
from reputation.store.transaction import transaction
from tests.callsieve.hub.sites import CALLER, Site, TestHub, running
from tests.waiting import wait_until

NOW = 1_790_000_000.0
POLL = 5.0


def check_hub(loaded: Loaded, at: float | None = None) -> Finding:
    answers: dict[str, str] = {}
    return is_exchanged(CheckContext(loaded, answers.__getitem__, time.time() if at is None else at))


def places(finding: Finding) -> dict[str, object]:
    assert not isinstance(finding.detail, str)
    return dict(finding.detail.places)


def make_link(pulled_at: float | None = NOW, failed_at: float | None = None) -> Link:
    failure = "" if failed_at is None else "connection refused"
    return Link("berlin", "main", "hub", (1, 1), (1, 1), 7, "1", None, pulled_at, failed_at, failure)


@pytest.mark.parametrize(
    ("link", "after", "status", "late"),
    [
        pytest.param(None, 0.0, "waiting", False, id="has never run"),
        pytest.param(make_link(None), 9e6, "waiting", False, id="first exchange may take long"),
        pytest.param(make_link(None, NOW), 600.0, "failed", False, id="the first exchange failed"),
        pytest.param(make_link(None, NOW), 601.0, "failed", True, id="and goes on failing"),
        pytest.param(make_link(), 600.0, "ok", False, id="came"),
        pytest.param(make_link(), -60.0, "ok", False, id="a clock was set back"),
        pytest.param(make_link(), 601.0, "stale", True, id="comes no more"),
        pytest.param(make_link(NOW, NOW + 3), 4.0, "failed", False, id="is away for a moment"),
        pytest.param(make_link(NOW, NOW + 599), 601.0, "failed", True, id="is away since the last exchange"),
    ],
)
def test_health_follows_the_last_exchange(link: Link | None, after: float, status: str, late: bool) -> None:
    state = (link, POLL, NOW + after)
    assert (health_of(*state).health, is_late(*state)) == (SourceStatus(status), late)


@pytest.mark.parametrize(
    ("failure", "after", "status", "late"),
    [
        pytest.param("", 600.0, "waiting", False, id="is started soon"),
        pytest.param("", 601.0, "stale", True, id="was never started"),
        pytest.param("connection refused", 5.0, "failed", False, id="cannot log in"),
        pytest.param("connection refused", 601.0, "failed", True, id="and goes on failing"),
    ],
)
def test_health_before_the_first_connection(failure: str, after: float, status: str, late: bool) -> None:
    state = (None, POLL, NOW + after, FirstTry(NOW, failure))
    assert (health_of(*state).health, is_late(*state)) == (SourceStatus(status), late)


def test_late_limit_grows_with_the_poll_interval() -> None:
    assert not is_late(make_link(), 3600.0, NOW + 10_800.0)
    assert is_late(make_link(), 3600.0, NOW + 10_801.0)


class TestDoctor:
    """`callsieve doctor`, the check `hub`."""

    def test_disabled_hub_is_ok_until_a_link_remains(self, tmp_path: Path) -> None:
        loaded = Loaded(settings=parse_settings("", "test"), file=None, state=tmp_path)
        assert check_hub(loaded).status is CheckStatus.OK
        with open_store(loaded.store_path) as db, transaction(db):
            set_link(db, "berlin", "main", "hub")
        assert (check_hub(loaded).status, check_hub(loaded).remedy) == (CheckStatus.WARN, "callsieve hub leave")

    def test_missing_secret_is_a_warning(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        secret_path(berlin.loaded).unlink()
        found = check_hub(berlin.loaded)
        assert (found.status, found.remedy) == (CheckStatus.WARN, "callsieve hub join")

    def test_secret_readable_by_others_fails(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        secret_path(berlin.loaded).chmod(0o644)
        assert check_hub(berlin.loaded).status is CheckStatus.FAIL

    def test_missing_first_exchange_is_a_warning(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        berlin.write(link_of)  # makes the store
        assert check_hub(berlin.loaded).status is CheckStatus.WARN

    def test_exchanging_site_is_ok(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        berlin.exchange()
        found = check_hub(berlin.loaded)
        assert found.status is CheckStatus.OK
        assert (places(found)["site"], places(found)["count"]) == ("berlin", 0)

    def test_stopped_process_is_a_warning(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        berlin.exchange()
        berlin.mark(CALLER, "201", time.time())
        assert check_hub(berlin.loaded).status is CheckStatus.OK
        found = check_hub(berlin.loaded, time.time() + LEAST_LATE_SECONDS + 60)
        assert (found.status, places(found)["count"]) == (CheckStatus.WARN, 1)
        assert "restart callsieve-hub" in str(found.remedy)

    def test_rows_of_newer_sites_are_a_warning_until_an_update(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        berlin.exchange()
        berlin.write(note_refused, {("paris", Unfit.NEWER): 2, ("london", Unfit.NEWER): 1, ("rome", Unfit.ODD): 1})
        found = check_hub(berlin.loaded)
        assert (found.status, places(found)["count"]) == (CheckStatus.WARN, 3)
        assert (places(found)["sites"], found.remedy) == ("london, paris", UPDATE[Unfit.NEWER])
        berlin.write(pull_again)  # as after an update
        assert check_hub(berlin.loaded).status is CheckStatus.OK

    @pytest.mark.slow
    def test_database_that_was_never_reached_is_a_warning(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        berlin.write_settings({}, "postgresql://127.0.0.1:1/hub")
        with running(berlin):
            wait_until(lambda: "refused" in str(check_hub(berlin.loaded).detail), "a failure")
        assert check_hub(berlin.loaded).status is CheckStatus.WARN
        berlin.write_settings({})
        berlin.exchange()
        assert check_hub(berlin.loaded).status is CheckStatus.OK

    @pytest.mark.slow
    def test_unreachable_database_is_a_warning(self, hub: TestHub) -> None:
        berlin = hub.join("berlin")
        berlin.exchange()
        berlin.write_settings({}, "postgresql://127.0.0.1:1/hub")
        with running(berlin):
            wait_until(lambda: bool(figures_of(berlin).failure), "a failure")
        found = check_hub(berlin.loaded)
        assert found.status is CheckStatus.WARN
        assert "refused" in str(found.detail)
        berlin.write_settings({})
        berlin.exchange()
        assert check_hub(berlin.loaded).status is CheckStatus.OK


def figures_of(site: Site) -> Link:
    link = site.read(hub_figures, site.loaded.settings.hub, time.time()).link
    assert link is not None
    return link

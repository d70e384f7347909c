"""What those who watch over machines are told, and who is told nothing."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct
from prometheus_client.parser import text_string_to_metric_families

from agi.server import Stats
from callsieve.daemon.background import write_telemetry
from callsieve.doctor.stored_findings import Findings, findings_of, store_findings
from callsieve.events.checks import event_metrics
from callsieve.events.operations import EventsShown, ReceiverShown
from callsieve.exchange.checks import peer_metrics
from callsieve.health import Check, CheckStatus
from callsieve.hearing.checks import hearing_metrics
from callsieve.hub.checks import hub_metrics
from callsieve.hub.operations import HubFigures, health_of
from callsieve.imports.feed_health import feed_metrics
from callsieve.maintenance.operations import store_metrics
from callsieve.monitoring.metrics import doctor_metrics, exposition, single
from callsieve.monitoring.web.probes import STORE_UP
from callsieve.source_health import SourceStatus
from callsieve.telemetry import NAME, LookUpCounts
from policies.decision import ACTION_BY_WORD
from policies.reasons import FailOpen
from reputation.store.event_deliveries import ReceiverState
from reputation.store.hub.link import Link
from reputation.store.peers import PeerState
from reputation.store.sources import FeedSource
from tests.builders import DAY, HOUR
from tests.callsieve.browsing import NOW, ROLES, Console, Office
from tests.callsieve.daemon.test_telemetry import make_telemetry
from tests.office import SETTINGS

DOCUMENTED = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"
FEED = FeedSource('the "ftc"', "spam", "ftc", 1234, NOW - 60.0)

CRM = ReceiverState("webhook/crm", 3, 2, 1, 0, NOW, NOW, "", "", 5, NOW, 1)
EVENTS = EventsShown((ReceiverShown(CRM.name, SourceStatus.OK, CRM),), NOW, NOW)

_TAKEN = ("Partner Ltd", 7, "d", NOW - HOUR, NOW + 7 * DAY, 214, 2, NOW - 60.0, NOW - 60.0, NOW + HOUR)
PARTNER = PeerState("partner", True, 1.0, 6 * HOUR, *_TAKEN, None, None, 0, None, None, 0.0, 1, 38, 41)
_NEVER = ("", 0, "", None, 0.0, 0, 0, None, NOW, NOW + HOUR)
PAUSED = PeerState("paused", True, 1.0, 6 * HOUR, *_NEVER, NOW, '{"code": "store"}', 3, NOW, None, 0.0, 2)

LINK = Link("berlin", "main", "hub", (1, 1), (1, 1), 7, "1", None, NOW - 30.0, None, "")
HUB = HubFigures(LINK, 12, health_of(LINK, 5, NOW))

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_in(text: str) -> Samples:
    """(name, labels) -> value, as Prometheus itself reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def exported() -> Samples:
    findings = Findings(
        NOW - 90.0, "1", (Check("trunks", CheckStatus.FAIL, ""), Check("store", CheckStatus.OK, "")), NOW
    )
    families = [single("store_up", STORE_UP, 1), *store_metrics(4096, 60.0), *feed_metrics([FEED], NOW)]
    families += [*peer_metrics([PARTNER, PAUSED], NOW), *event_metrics(EVENTS), *hub_metrics(HUB)]
    families += doctor_metrics(findings, NOW)
    daemon = make_telemetry(NOW - 1.0)
    assert daemon.hearing is not None
    families += hearing_metrics(daemon.hearing)
    return samples_in(exposition(daemon, families, NOW).decode())


def test_decisions_count_by_action_and_failures_by_reason(exported: Samples) -> None:
    assert exported["callsieve_calls_decided_total", (("action", "allow"),)] == 2
    assert exported["callsieve_calls_decided_total", (("action", "tag"),)] == 1
    assert exported["callsieve_calls_failed_open_total", (("reason", "timed out"),)] == 1
    assert exported["callsieve_daemon_up", ()] == exported["callsieve_store_up", ()] == 1


def test_counter_begins_at_zero() -> None:
    daemon = replace_struct(make_telemetry(NOW - 1.0), by_action={}, server=Stats(), look_ups=LookUpCounts())
    new = EventsShown((ReceiverShown("webhook/new", SourceStatus.WAITING, None),), NOW, NOW)
    exported = samples_in(exposition(daemon, [*store_metrics(4096, None), *event_metrics(new)], NOW).decode())
    counters = {key: value for key, value in exported.items() if key[0].endswith("_total")}
    actions = {labels[0][1] for name, labels in counters if name == "callsieve_calls_decided_total"}
    reasons = {labels[0][1] for name, labels in counters if name == "callsieve_calls_failed_open_total"}
    assert (actions, reasons) == (set(ACTION_BY_WORD), {reason.value for reason in FailOpen})
    assert counters["callsieve_events_delivered_total", (("receiver", "webhook/new"),)] == 0
    assert {value for (name, _), value in counters.items() if "ami" not in name and "outcomes" not in name} == {0}


def test_decision_time_buckets_are_cumulative(exported: Samples) -> None:
    buckets = [value for (name, _), value in exported.items() if name == "callsieve_decision_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert exported["callsieve_decision_seconds_bucket", (("le", "+Inf"),)] == 3
    assert exported["callsieve_decision_seconds_count", ()] == 3


def test_feed_metrics_are_labelled_by_feed(exported: Samples) -> None:
    assert exported["callsieve_feed_numbers", (("feed", 'the "ftc"'),)] == 1234
    assert exported["callsieve_feed_healthy", (("feed", 'the "ftc"'),)] == 1


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (PARTNER, {"age_seconds": 60, "numbers": 214, "cleared": 2, "failures": 0, "healthy": 1, "paused": 0}),
        (PAUSED, {"numbers": 0, "cleared": 0, "failures": 3, "healthy": 0, "paused": 1}),
    ],
    ids=lambda word: getattr(word, "name", ""),
)
def test_peer_metrics_are_labelled_by_peer(exported: Samples, peer: PeerState, expected: dict[str, float]) -> None:
    judged = {"right": peer.was_right, "judged": peer.was_told}
    labels = (("peer", peer.name),)
    assert {name.removeprefix("callsieve_peer_"): value for (name, of), value in exported.items() if of == labels} == (
        expected | judged
    )


def test_hub_metrics_have_no_site_label(exported: Samples) -> None:
    hub = {key: value for key, value in exported.items() if key[0].startswith("callsieve_hub")}
    assert hub == {
        ("callsieve_hub_up", ()): 1,
        ("callsieve_hub_outbox_rows", ()): 12,
        ("callsieve_hub_last_exchange_timestamp_seconds", ()): NOW - 30.0,
    }


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(None, id="never took part"),
        pytest.param(replace(LINK, pulled_at=NOW - 9000.0), id="comes no more"),
        pytest.param(replace(LINK, failed_at=NOW - 2.0, failure="refused"), id="is away"),
    ],
)
def test_hub_without_recent_exchange_is_down(link: Link | None) -> None:
    figures = HubFigures(link, 12, health_of(link, 5, NOW))
    samples = samples_in(exposition(None, hub_metrics(figures), NOW).decode())
    assert (samples["callsieve_hub_up", ()], samples["callsieve_hub_outbox_rows", ()]) == (0, 12)


def test_hub_metrics_exist_if_the_settings_name_a_hub(tmp_path: Path) -> None:
    hub = '[hub]\naddress = "postgresql://127.0.0.1:1/hub"\nsite = "berlin"\n'
    for text, expected in ((SETTINGS, set()), (SETTINGS + hub, {"callsieve_hub_up", "callsieve_hub_outbox_rows"})):
        folder = tmp_path / str(len(expected))
        folder.mkdir()
        with Office(folder, text).console() as console:
            samples = samples_in(console.browser(address="127.0.0.1").text("/metrics"))
        assert {name for name, _ in samples if name.startswith("callsieve_hub")} == expected


def test_doctor_findings_of_root_count_by_status(exported: Samples) -> None:
    by_status = {
        dict(labels)["status"]: count for (name, labels), count in exported.items() if name.endswith("doctor_checks")
    }
    assert by_status == {"ok": 1, "warn": 0, "fail": 1, "unknown": 0}
    assert exported["callsieve_doctor_age_seconds", ()] == 90


def test_doctor_metrics_are_absent_until_root_ran_it(console: Console) -> None:
    browser = console.browser(address="127.0.0.1")
    assert "callsieve_doctor" not in browser.text("/metrics")
    path = console.office.load().findings_path
    path.parent.mkdir()
    store_findings(path, findings_of([Check("trunks", CheckStatus.WARN, "")], NOW - 5.0, NOW))
    samples = samples_in(browser.text("/metrics"))
    assert samples["callsieve_doctor_checks", (("status", "warn"),)] == 1
    assert samples["callsieve_doctor_age_seconds", ()] == 5
    path.write_bytes(b"damaged")
    assert "callsieve_doctor" not in browser.text("/metrics")


def test_metrics_and_their_documentation_agree(exported: Samples) -> None:
    documented = set(re.findall(r"`(callsieve_[a-z_]+)", DOCUMENTED.read_text("utf-8")))
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in exported}
    assert names - {name for name in names if name.endswith("_created")} == documented


@pytest.mark.parametrize(
    "at", [pytest.param(None, id="never said anything"), pytest.param(NOW - 60.0, id="says no more")]
)
def test_counts_of_a_stopped_daemon_are_not_shown(console: Console, at: float | None) -> None:
    if at is not None:
        write_telemetry(console.office.state, make_telemetry(at))
    samples = samples_in(console.browser(address="127.0.0.1").text("/metrics"))
    assert samples["callsieve_daemon_up", ()] == 0
    assert "callsieve_requests_total" not in {name for name, _ in samples}


def test_hearing_metrics(exported: Samples) -> None:
    heard = {labels: value for (name, labels), value in exported.items() if name == "callsieve_callers_heard_total"}
    assert heard == {(("result", "understood"),): 3, (("result", "nothing"),): 2, (("result", "missed"),): 1}
    states = {name: value for (name, _), value in exported.items() if name.startswith("callsieve_hearing_")}
    assert states == {"callsieve_hearing_waiting": 1, "callsieve_hearing_ready": 1, "callsieve_hearing_late": 0}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.8.8.8"])
def test_loopback_reads_metrics_without_login(console: Console, address: str) -> None:
    write_telemetry(console.office.state, make_telemetry(NOW))
    samples = samples_in(console.browser(address=address).text("/metrics"))
    assert samples["callsieve_daemon_up", ()] == 1
    assert samples["callsieve_hearing_ready", ()] == 1


@pytest.mark.parametrize("address", ["192.0.2.7", "testclient", ""])
def test_metrics_of_other_addresses_need_a_login(console: Console, address: str) -> None:
    answer = console.browser(address=address).get("/metrics")
    assert answer.status_code == 404
    assert "callsieve_" not in answer.text
    for role in ROLES:
        assert console.browser(role, address).get("/metrics").status_code == 200


def test_no_number_is_ever_a_label(exported: Samples) -> None:
    assert {key for _, labels in exported for key, _ in labels} == {
        "action",
        "reason",
        "le",
        "feed",
        "peer",
        "receiver",
        "status",
        "result",
    }


def test_live_and_ready_with_a_store(console: Console) -> None:
    browser = console.browser()
    assert (browser.get("/livez").status_code, browser.get("/readyz").status_code) == (200, 200)


def test_live_but_not_ready_with_an_unreadable_store(console: Console) -> None:
    os.replace(console.office.store, console.office.state / "elsewhere.db")
    console.office.store.write_bytes(b"no store at all" * 1000)
    browser = console.browser(address="127.0.0.1")
    assert (browser.get("/livez").status_code, browser.get("/readyz").status_code) == (200, 503)
    assert samples_in(browser.text("/metrics"))["callsieve_store_up", ()] == 0


def test_broken_telemetry_file_counts_as_daemon_down(console: Console) -> None:
    (console.office.state / NAME).write_bytes(b"\x00")
    assert samples_in(console.browser(address="::1").text("/metrics"))["callsieve_daemon_up", ()] == 0

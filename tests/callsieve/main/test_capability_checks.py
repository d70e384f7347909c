"""What a capability declares is run: its health checks by doctor, its metrics by /metrics, the rest by the sender."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from callsieve.capability import Capability
from callsieve.daemon.background import write_telemetry
from callsieve.doctor.checks import checks_of
from callsieve.doctor.finding import HealthCheck, ScheduledCheck
from callsieve.events.checks import scheduled_checks
from callsieve.main.capabilities import ALL, CAPABILITIES
from reputation.store.database import open_store
from reputation.store.peers import WantedPeer, replace_peers
from tests.callsieve.browsing import Office
from tests.callsieve.daemon.test_telemetry import make_telemetry
from tests.callsieve.monitoring.test_web_probes import samples_in
from tests.callsieve.program import Program
from tests.office import ROOT, SETTINGS

WATCHED = """
[hub]
address = "postgresql://127.0.0.1:1/hub"
site = "berlin"
[[webhook]]
name = "crm"
url = "https://crm.example.com/"
secret = "env:SECRET"
"""


def declaring(field: str) -> list[Capability]:
    return [capability for capability in CAPABILITIES if getattr(capability, field)]


def test_doctor_makes_every_check_that_a_capability_declares(callsieve: Program) -> None:
    declared = [check for item in declaring("checks") for check in item.load(item.checks)]
    made = [check["name"] for check in json.loads(callsieve("doctor", "--json").out)]
    assert sorted(made) == sorted(check.name for check in declared)
    assert len(set(made)) == len({check.place for check in declared}) == len(declared)


@pytest.mark.parametrize("capability", declaring("metrics"), ids=lambda item: item.name)
def test_every_metric_that_a_capability_declares_is_shown(capability: Capability, tmp_path: Path) -> None:
    office = Office(tmp_path, SETTINGS + WATCHED)
    with office.console() as console:
        loaded = office.load()
        with open_store(loaded.store_path) as db:
            replace_peers(db, {"partner": WantedPeer("key", 1.0, 86_400.0)})
            write_telemetry(loaded.state, make_telemetry(office.clock()))
            families = list(capability.load(capability.metrics)(db, loaded, office.clock()))
        text = console.browser(address="127.0.0.1").text("/metrics")
    assert families
    assert {family.name for family in families if f"# HELP callsieve_{family.name}" not in text} == set()
    assert samples_in(text)["callsieve_store_up", ()] == 1


def test_every_table_of_checks_is_declared() -> None:
    """A folder cannot have checks that nobody runs."""
    found: set[int] = set()
    for file in (ROOT / "callsieve").glob("*/*.py"):
        if re.search(r"^(CHECKS|SCHEDULED|def metrics)\b", file.read_text(), re.MULTILINE):
            module = import_module(f"callsieve.{file.parent.name}.{file.stem}")
            checks = (check for name in ("CHECKS", "SCHEDULED") for check in getattr(module, name, ()))
            found |= {id(check) for check in checks if isinstance(check, HealthCheck | ScheduledCheck)}
            assert not hasattr(module, "metrics") or file.parent.name in {item.name for item in declaring("metrics")}
    run = [*checks_of(ALL), *scheduled_checks(ALL)]
    assert all(isinstance(check, HealthCheck | ScheduledCheck) for check in run)
    assert {id(check) for check in run} == found

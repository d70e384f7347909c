"""The doctor's check of the policy, beside what the daemon reports."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from callsieve.daemon.background import write_telemetry
from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.policy.catalogue import policy_loads
from callsieve.settings import load_settings
from tests.callsieve.daemon.test_telemetry import make_telemetry

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("named", "seconds_ago", "reported_ago", "status"),
    [
        pytest.param("cautious", 60.0, 1.0, CheckStatus.OK, id="the-same"),
        pytest.param("balanced", 60.0, 1.0, CheckStatus.WARN, id="not-reloaded"),
        pytest.param("balanced", 2.0, 1.0, CheckStatus.OK, id="just-changed"),
        pytest.param("balanced", 600.0, 300.0, CheckStatus.OK, id="no-daemon"),
    ],
)
def test_doctor_reports_settings_the_daemon_has_not_read(
    tmp_path: Path, named: str, seconds_ago: float, reported_ago: float, status: CheckStatus
) -> None:
    config = tmp_path / "callsieve.toml"
    config.write_text(f'[policy]\nname = "{named}"\n')
    os.utime(config, (NOW - seconds_ago, NOW - seconds_ago))
    write_telemetry(tmp_path, msgspec.structs.replace(make_telemetry(NOW - reported_ago), policy="cautious"))
    loaded = load_settings(config, {"CALLSIEVE_STATE": str(tmp_path)})
    found = policy_loads(CheckContext(loaded, lambda command: "", NOW))
    assert found.status is status
    assert ("reload" in str(found.remedy)) == (status is CheckStatus.WARN)

"""schemathesis sends the running API valid and invalid requests from its OpenAPI document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.callsieve.api.serving import serving_api

pytestmark = pytest.mark.slow

# Operations also refuse what no schema can express: an invalid number, an expiry in the past.
# A stream ends after the requested time.
CONFIG = """\
parameters = { "query.seconds" = 0 }

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "503"]
"""


@pytest.mark.timeout(420)
def test_schemathesis_finds_no_failure(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "o").mkdir()  # the path of a socket is short
    # It sends many wrong tokens and expects 401 for each.
    with serving_api(tmp_path / "o", program="tests.callsieve.api.patient_api") as served:
        words = ("run", f"{served.url}/openapi.json", "-H", f"Authorization: Bearer {served.secret}")
        options = (*("--checks", "all", "--seed", "17", "--max-examples", "8", "--continue-on-failure", "--no-color"),)
        result = subprocess.run(
            [str(Path(sys.executable).parent / "schemathesis"), *words, *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=400,
        )
    assert result.returncode == 0, result.stdout + result.stderr

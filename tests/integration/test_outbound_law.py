"""The law on a real Asterisk: the daemon's clock is set to noon in Shanghai, and a call there waits."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lab import Phone
from lab.daemon import Daemon
from lab.screened import SETTINGS, ScreenedPbx
from tests.integration.office import install_prompts, start_listening
from tests.integration.outbound import GUARDED, decided, dial

SHANGHAI, LONDON = "+8613800138000", "+442071838799"
CHINA = ZoneInfo("Asia/Shanghai")
# Acts, and follows good practice too: the noon rest is in no law that was read.
ACTING = "[outbound]\nobserve = false\nfollow_advice = true\n"


def next_half_past_twelve() -> float:
    """Return the next half past twelve in Shanghai. Asterisk, whose clock is right, gets a time in the future."""
    now = datetime.now(CHINA)
    noon = now.replace(hour=12, minute=30, second=0, microsecond=0)
    return (noon if noon > now else noon + timedelta(days=1)).timestamp()


def python_with_clock(folder: Path, ahead_seconds: float) -> str:
    """Make a Python that runs `-m NAME` with a time.time() that is ahead."""
    script = folder / "python-with-clock"
    script.write_text(
        textwrap.dedent(f"""\
        #!{sys.executable}
        import runpy, sys, time
        real = time.time
        time.time = lambda: real() + {ahead_seconds!r}
        sys.argv[:3] = [sys.argv[2]]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        """)
    )
    script.chmod(0o755)
    return str(script)


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScreenedPbx]:
    with ScreenedPbx(extensions=GUARDED, start_daemon=False) as office:
        python = python_with_clock(tmp_path_factory.mktemp("clock"), next_half_past_twelve() - time.time())
        set_ahead = Daemon(office.state, python=python)
        set_ahead.port = office.daemon.port
        office.daemon = set_ahead
        start_listening(office, SETTINGS + ACTING)
        install_prompts(office, {"outbound-refuse": 0.7, "outbound-hold": 0.7})
        yield office
        set_ahead.stop()


def test_a_call_to_china_is_held_during_the_noon_rest(pbx: ScreenedPbx) -> None:
    with Phone(pbx.asterisk, "carrier") as carrier:
        result = dial(pbx, SHANGHAI)
        assert result.code == 403
        assert result.heard.audible_seconds > 1.0, "the prompt and the time"
        assert carrier.invites() == []
    [record] = decided(pbx, SHANGHAI)
    assert (record.action, record.rule) == ("hold", "hours")
    assert record.until is not None
    until = datetime.fromtimestamp(record.until, CHINA)
    assert (until.hour, until.minute) == (14, 0)
    assert "(advice)" in record.reason, "the source is named"
    said = pbx.daemon.callsieve("own", "decisions", "--held").stdout
    assert "CN: good practice (advice)" in " ".join(said.split())

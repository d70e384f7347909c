"""Learning: from what Asterisk's manager says to rows in the store, by the settings that are in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.composing import site_of
from callsieve.keeper import Keeper
from callsieve.learning import Learning
from callsieve.settings import Ami, parse_settings
from lab.recorder import load_recording
from reputation.own.tally import OwnDay
from reputation.store.own_days import days_of
from tests.ami_listener.fake_manager import managing, until
from tests.ami_listener.replaying import FOLDER

OWN = "+442071838751"  # which calls somebody in Chicago in the recording
TRUNK = '[[trunk]]\nname = "carrier"\nchannels = "PJSIP/carrier-*"\n'
NEVER = f'{TRUNK}[[hours]]\nregion = "US"\n'
ALWAYS = f'{TRUNK}[outbound]\nfirst_hour = 0\nlast_hour = 24\n[[hours]]\nregion = "GB"\n'


@pytest.mark.parametrize(("settings", "outside"), [(NEVER, 1), (ALWAYS, 0)], ids=["never", "always"])
async def test_a_call_counts_as_at_a_bad_hour_by_the_hours_of_the_settings(
    tmp_path: Path, settings: str, outside: int
) -> None:
    site = site_of(parse_settings(settings, "callsieve.toml"))
    async with managing() as manager:
        keeper = Keeper(tmp_path / "callsieve.db")
        await keeper.start()
        account = manager.account
        learning = Learning(Ami("127.0.0.1", manager.port, account.username, account.secret), lambda: site, keeper)
        learning.start()
        try:
            await until(lambda: "CoreShowChannels" in manager.names())
            said = [chunk.data for chunk in load_recording(FOLDER / "outbound-unanswered.ami")]
            manager.send(b"".join(data for data in said if data.startswith(b"Event: ")))
            await until(lambda: learning.recorded)
            [day] = await keeper.read(days_of, OWN, 0)
        finally:
            await learning.close()
            await keeper.close()
    assert day == OwnDay(OWN, day.day, 1, unanswered=1, abandoned=day.abandoned, outside=outside, people=1, most=1)

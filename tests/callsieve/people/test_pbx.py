"""Who is taken for a person, from what Asterisk's console prints."""

from __future__ import annotations

from pathlib import Path

from callsieve.doctor.finding import CheckContext
from callsieve.people.pbx import PbxKind, read_pbx
from callsieve.settings import Loaded, Settings, TrunkTable

CONSOLE = {
    "dialplan show": (
        "[ Context 'office' created by 'pbx_config' ]\n"
        "  '204' =>          hint: IAX2/joe                                [extensions.conf:1]\n"
        "  '900' =>          hint: IAX2/carrier                            [extensions.conf:2]\n"
    ),
    "module show": "chan_iax2.so    Inter Asterisk eXchange (Ver 2)   0          Running          core\n",
}


def test_a_hint_may_watch_a_trunk_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(trunk=(TrunkTable(name="carrier", channels="IAX2/carrier-*"),))
    ground = CheckContext(
        Loaded(settings=settings, file=None, state=tmp_path), lambda command: CONSOLE.get(command, ""), 0.0
    )
    found = read_pbx(ground, PbxKind.ASTERISK)
    assert [(one.extension, one.endpoint) for one in found.people] == [("204", "IAX2/joe")]

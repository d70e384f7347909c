"""Which data of the machine a test's Asterisk uses."""

from __future__ import annotations

from pathlib import Path

from lab.asterisk import _link_data
from lab.configuration import Directories
from lab.fetch import PbxPaths


def test_our_prompts_of_the_machine_are_left_out(tmp_path: Path) -> None:
    sounds = tmp_path / "asterisk" / "sounds" / "en"
    for name in ("callsieve", "digits"):
        (sounds / name).mkdir(parents=True)
    directories = Directories(tmp_path / "run")
    (directories.data / "moh").mkdir(parents=True)
    _link_data(PbxPaths((), (), tmp_path, tmp_path / "asterisk", sounds), directories)
    assert [path.name for path in directories.sounds.iterdir()] == ["digits"]

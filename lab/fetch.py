"""Finds Asterisk and SIPp, or fetches both once without installing anything.

An `asterisk` or `sipp` on PATH is used. Otherwise packages of a later Debian are unpacked in the cache. These programs
run with the loader and the libraries of that Debian, independent of the installed release.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, unpacked

# Debian 13 has no Asterisk; forky has Asterisk 22.
PBX = Bundle("root", ("asterisk", "asterisk-core-sounds-en-gsm", "sip-tester"), suite="forky")
# Where an installed Asterisk keeps its modules and its data, for one found on PATH.
INSTALLED_MODULES = ("usr/lib/*/asterisk/modules", "usr/lib/asterisk/modules", "usr/lib64/asterisk/modules")
INSTALLED_DATA = ("usr/share/asterisk", "var/lib/asterisk")
ENGLISH_SOUNDS = ("sounds/en", "sounds/en_US_f_Allison")


@dataclass(frozen=True, slots=True)
class PbxPaths:
    """The paths of Asterisk and SIPp. Each command is a list to which arguments are added."""

    asterisk: tuple[str, ...]
    sipp: tuple[str, ...]
    modules: Path
    data: Path
    sounds: Path

    def describe(self) -> str:
        return "\n".join(
            (
                f"asterisk  {' '.join(self.asterisk)}",
                f"sipp      {' '.join(self.sipp)}",
                f"modules   {self.modules}",
                f"data      {self.data}",
                f"sounds    {self.sounds}",
            )
        )


def ensure_pbx(progress: Progress = lambda line: None) -> PbxPaths:
    """Return the paths of Asterisk and SIPp, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    asterisk, sipp = shutil.which("asterisk"), shutil.which("sipp")
    if asterisk and sipp:
        return _paths_in(Path("/"), (asterisk,), (sipp,))
    root, fetched = packaged_pbx(progress)
    if asterisk:
        return _paths_in(Path("/"), (asterisk,), fetched.sipp)
    return _paths_in(root, fetched.asterisk, (sipp,) if sipp else fetched.sipp)


def packaged_pbx(progress: Progress = lambda line: None) -> tuple[Path, PbxPaths]:
    """Return the folder of Debian's Asterisk and SIPp, and their paths, even if other versions are installed."""
    root = unpacked(PBX, progress)
    asterisk, sipp = ((*_loader(root), str(root / program)) for program in ("usr/sbin/asterisk", "usr/bin/sipp"))
    return root, _paths_in(root, asterisk, sipp)


def _loader(root: Path) -> tuple[str, ...]:
    """Return the dynamic loader of the fetched C library. The installed C library may be too old for the programs."""
    libraries = _modules_in(root, INSTALLED_MODULES[:1]).parent.parent
    loaders = sorted((*libraries.glob("ld-linux*.so.*"), *libraries.glob("ld64.so.*")))
    if not loaders:
        raise LabUnavailable(f"no dynamic loader of the C library in {libraries}")
    return (str(loaders[0]), "--library-path", str(libraries))


def _modules_in(root: Path, places: Sequence[str]) -> Path:
    for place in places:
        for folder in root.glob(place):
            return folder
    raise LabUnavailable(f"no Asterisk modules under {root}")


def _paths_in(root: Path, asterisk: tuple[str, ...], sipp: tuple[str, ...]) -> PbxPaths:
    data = next((root / place for place in INSTALLED_DATA if (root / place / "documentation").is_dir()), None)
    if data is None:
        raise LabUnavailable(f"no Asterisk documentation under {root}: Asterisk's applications need it to register")
    sounds = next((data / place for place in ENGLISH_SOUNDS if (data / place).is_dir()), data / "sounds/en")
    return PbxPaths(asterisk, sipp, _modules_in(root, INSTALLED_MODULES), data, sounds)

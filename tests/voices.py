"""The prompts in the synthetic voice, made once for all tests of a run: they are 15 s of a processor."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from agi.speech import LANGUAGES
from callsieve.prompts.catalogue import prompts_of
from callsieve.prompts.files import build, files_of, to_make


def shared_by_workers(factory: pytest.TempPathFactory) -> Path:
    """The folder of this run that all of xdist's workers see."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def make_voices(folder: Path) -> Path:
    """Both languages below `folder`, as `callsieve prompts build` makes them; whoever comes first makes them."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for language in LANGUAGES:
            files = files_of(prompts_of(language), {}, folder / "sounds")
            (folder / "sounds").mkdir(exist_ok=True)
            assert build(files, to_make(files))[1] == []
    return folder / "sounds"


def copy_voices(voices: Path, sounds: Path, *languages: str) -> None:
    """Copy the prompts to Asterisk's sounds, where a build takes them for finished."""
    for language in languages:
        shutil.copytree(voices / language / "callsieve", sounds / language / "callsieve", dirs_exist_ok=True)

"""Clocks that are wrong, for processes of the tests: they start by an interpreter whose `time.time` is moved."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

# `site` imports it before anything else runs. How far the clock is ahead is when the file was changed.
SITECUSTOMIZE: Final = """\
import os, time
real = time.time
time.time = lambda: real() + os.stat({file!r}).st_mtime
"""
SCRIPT: Final = """\
#!/bin/sh
PYTHONPATH="{folder}:$PYTHONPATH" exec "{python}" "$@"
"""


class MovedClock:
    """An interpreter like this one, and its clock. `python`: its path; its files are in that folder."""

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "ahead"
        self._file.touch()
        self.be_ahead(seconds)
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(file=str(self._file)))
        script = folder / "python"
        script.write_text(SCRIPT.format(folder=folder, python=sys.executable))
        script.chmod(0o755)
        self.python = str(script)

    def be_ahead(self, seconds: float) -> None:
        """Of the real clock, from now on, in all processes that run by it."""
        os.utime(self._file, (seconds, seconds))

"""`python -m lab.hearing PACKAGES SOCKET`: run `callsieve hearing` with the packages of lab/speech.py added."""

from __future__ import annotations

import sys
from pathlib import Path

from callsieve.hearing.cli.commands import hear

if __name__ == "__main__":
    packages, path = sys.argv[1:]
    sys.path.append(packages)
    hear(Path(path))

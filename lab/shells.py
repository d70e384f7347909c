"""Shells that tests complete commands in, and the program that checks the manual page: one on PATH, else Debian's."""

from __future__ import annotations

import shutil

from lab.debian import Bundle, unpacked
from lab.tools import library_path

SHELLS = Bundle("shells", ("zsh", "fish", "mandoc"))


def shell_command(name: str) -> tuple[str, ...]:
    """How to run zsh, fish or mandoc: a command to put arguments after. Fetched the first time; LabUnavailable."""
    installed = shutil.which(name)
    if installed:
        return (installed,)
    root = unpacked(SHELLS, lambda line: None)
    return ("env", f"LD_LIBRARY_PATH={library_path(root)}", str(root / "usr/bin" / name))

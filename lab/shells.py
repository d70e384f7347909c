"""Finds shells for the tests of completion, and the checker of the manual page, or fetches them from Debian."""

from __future__ import annotations

import shutil

from lab.debian import Bundle, unpacked
from lab.tools import library_path

SHELLS = Bundle("shells", ("zsh", "fish", "mandoc"))


def shell_command(name: str) -> tuple[str, ...]:
    """Return the command of zsh, fish or mandoc, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    installed = shutil.which(name)
    if installed:
        return (installed,)
    root = unpacked(SHELLS, lambda line: None)
    return ("env", f"LD_LIBRARY_PATH={library_path(root)}", str(root / "usr/bin" / name))

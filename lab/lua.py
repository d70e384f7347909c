"""Finds Lua on PATH, or unpacks Debian's package in its own folder. The test of the FreeSWITCH example uses Lua."""

from __future__ import annotations

import shutil

from lab.debian import Bundle, LabUnavailable, Progress, unpacked

LUA = Bundle("lua", ("lua5.4",))
PROGRAM = "lua5.4"


def ensure_lua(progress: Progress = lambda line: None) -> str:
    """Return the path of Lua, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    if installed := shutil.which(PROGRAM):
        return installed
    program = unpacked(LUA, progress) / "usr/bin" / PROGRAM
    if not program.exists():
        raise LabUnavailable(f"the packages {' '.join(LUA.packages)} contain no {PROGRAM}: install Lua yourself")
    return str(program)

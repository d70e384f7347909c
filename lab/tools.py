"""Finds or fetches the programs that tests run, besides Asterisk and SIPp.

A program on PATH is used. Other programs are unpacked from packages of the installed Debian release. A script starts
each unpacked program with the paths of its libraries and data.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, cache_directory, unpacked

# Program -> the Debian packages it comes from. With the browser: a font for the console's Chinese pages, and a library
# that the Node.js of Playwright needs.
TOOLS = {
    "chromium": ("chromium", "fonts-noto-cjk", "libatomic1"),
    "curl": ("curl",),
    "espeak-ng": ("espeak-ng",),
    "sox": ("sox",),
    "soxi": ("sox",),
    "pocketsphinx_batch": ("pocketsphinx", "pocketsphinx-en-us"),
    "strace": ("strace",),
    "systemd-analyze": ("systemd",),
}
FOLDER = "tools"
# Beside usr/bin, so that ../share is the program's own as it is for an installed one.
SCRIPTS = "usr/scripts"
# Debian's chromium is a script that looks for its parts in /usr.
PROGRAM_PATHS = {"chromium": "usr/lib/chromium/chromium"}
# Debian's library folders that an installed package would register in other ways.
LIBRARY_FOLDERS = ("", "blas", "lapack", "pulseaudio", "systemd")
NOT_RUNNABLE = (126, 127)  # exit statuses: of a shell that cannot start a program, and of the loader without a library

SCRIPT = """\
#!/bin/sh
export LD_LIBRARY_PATH={libraries} ESPEAK_DATA_PATH={data} FONTCONFIG_FILE={fonts}
exec {program} "$@"
"""
# What makes `sans-serif` one, wherever the package is: installed, or unpacked.
FONT_RULES = ("45-latin.conf", "49-sansserif.conf", "60-latin.conf")
FONT_RULE = '  <include ignore_missing="yes">{root}/usr/share/fontconfig/conf.avail/{name}</include>\n'
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
{includes}</fontconfig>
"""


def ensure_tools(progress: Progress = lambda line: None) -> None:
    """Find every program of TOOLS on PATH, or fetch it. Raise LabUnavailable, with a text that says what to do."""
    missing = missing_tools(os.environ.get("PATH", os.defpath))
    if not missing:
        return
    packages = packages_of(missing)
    try:
        root = unpacked(Bundle(FOLDER, packages), progress)
        write_scripts(root)
        for tool in missing:
            _try(root / SCRIPTS / tool)
    except LabUnavailable as reason:
        wanted = f"install {', '.join(missing)} yourself (as root: apt-get install {' '.join(packages)})"
        raise LabUnavailable(f"{reason}; {wanted}") from reason


def tools_root() -> Path:
    return cache_directory() / FOLDER


def use_fetched_tools() -> None:
    """Add the fetched programs to the end of the PATH of this process and its children."""
    folder, path = str(tools_root() / SCRIPTS), os.environ.get("PATH", os.defpath)
    if folder not in path.split(os.pathsep):
        os.environ["PATH"] = f"{path}{os.pathsep}{folder}"


def library_path(root: Path) -> str:
    """Return an LD_LIBRARY_PATH for the libraries that are unpacked below a folder."""
    return ":".join(str(_libraries(root) / folder) for folder in LIBRARY_FOLDERS)


def missing_tools(path: str) -> tuple[str, ...]:
    """Return the programs of TOOLS that are not on the given PATH."""
    return tuple(tool for tool in TOOLS if shutil.which(tool, path=path) is None)


def packages_of(tools: Iterable[str]) -> tuple[str, ...]:
    """Return the Debian packages that contain these programs, without duplicates."""
    return tuple(dict.fromkeys(package for tool in tools for package in TOOLS[tool]))


def write_scripts(root: Path) -> None:
    fonts = root / SCRIPTS / "fonts.conf"
    fonts.parent.mkdir(exist_ok=True)
    rules = (FONT_RULE.format(root=place, name=name) for name in FONT_RULES for place in (root, ""))
    fonts.write_text(FONTS.format(root=root, includes="".join(rules)), encoding="utf-8")
    for tool in TOOLS:
        program = root / PROGRAM_PATHS.get(tool, f"usr/bin/{tool}")
        if program.exists():
            places = {
                "libraries": library_path(root),
                "data": str(_libraries(root)),
                "fonts": str(fonts),
                "program": str(program),
            }
            script = root / SCRIPTS / tool
            script.write_text(SCRIPT.format_map({key: shlex.quote(value) for key, value in places.items()}))
            script.chmod(0o755)


def _libraries(root: Path) -> Path:
    return next(root.glob("usr/lib/*-linux-gnu*"), root / "usr/lib")


def _try(script: Path) -> None:
    """Start the program once. Raise LabUnavailable if this fails, for example because a library is missing."""
    if not script.exists():
        raise LabUnavailable(f"the Debian package of {script.name} does not contain this program")
    done = subprocess.run((script, "--version"), capture_output=True, text=True, check=False, timeout=60)
    if done.returncode in NOT_RUNNABLE:
        raise LabUnavailable(f"{script.name} cannot be run from its unpacked package: {done.stderr.strip()}")

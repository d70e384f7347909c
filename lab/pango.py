"""Makes Pango available for WeasyPrint, which writes PDF files: installed, or fetched from a Debian package."""

from __future__ import annotations

import ctypes
import os
from ctypes.util import find_library
from pathlib import Path

from lab.debian import Bundle, Progress, cache_directory, unpacked
from lab.tools import FONTS, library_path

PACKAGES = Bundle("pango", ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"))
FONTS_FILE = "fonts.conf"  # lists the fetched fonts
LIBRARIES = ("pango-1.0", "pangoft2-1.0")


def ensure_pango(progress: Progress = lambda line: None) -> None:
    """Fetch Pango for `use_fetched_pango` if Pango is not installed. Raise LabUnavailable if the fetch fails."""
    if not all(map(find_library, LIBRARIES)):
        root = unpacked(PACKAGES, progress)
        (root / FONTS_FILE).write_text(FONTS.format(root=root, includes=""), encoding="utf-8")


def use_fetched_pango() -> None:
    """Make a fetched Pango available to this process and its children."""
    root = cache_directory() / PACKAGES.folder
    if not PACKAGES.is_in(root) or all(map(find_library, LIBRARIES)):
        return
    paths = library_path(root)
    os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, (paths, os.environ.get("LD_LIBRARY_PATH"))))
    os.environ.setdefault("FONTCONFIG_FILE", str(root / FONTS_FILE))
    _load({path for folder in paths.split(":") for path in Path(folder).glob("*.so.*")})


def _load(files: set[Path]) -> None:
    """Load the libraries in the order of their dependencies. A change of LD_LIBRARY_PATH now would come too late."""
    while files:
        loaded = {path for path in files if _is_loadable(path)}
        if not loaded:
            return
        files = files - loaded


def _is_loadable(path: Path) -> bool:
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True

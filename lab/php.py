"""Finds PHP and PHPUnit on PATH, or unpacks Debian's packages in their own folder. For tests of the FreePBX module."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.debian import Bundle, LabUnavailable, Progress, unpacked
from lab.tools import library_path

PHP = Bundle("php", ("php-cli", "phpunit"))
# The extensions that PHPUnit needs, in the order of their dependencies. An installed PHP loads them automatically.
EXTENSIONS = ("ctype", "dom", "mbstring", "phar", "posix", "tokenizer", "xml", "xmlwriter", "simplexml")
CLASSES = "usr/share/php"
# For the benchmark of scripts that use their own database.
WITH_SQLITE = Bundle("php-sqlite", ("php-cli", "php-sqlite3"))


def ensure_php(progress: Progress = lambda line: None) -> str:
    """Return the path of PHP, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    return shutil.which("php") or str(_fetched(progress) / "php")


def ensure_php_with_sqlite(progress: Progress = lambda line: None) -> str:
    """Return the path of a PHP that has the class SQLite3. Raise LabUnavailable if no such PHP can be fetched."""
    installed = shutil.which("php")
    if installed is not None:
        modules = subprocess.run((installed, "-m"), capture_output=True, text=True, check=False, timeout=60).stdout
        if "sqlite3" in modules.split():
            return installed
    root = unpacked(WITH_SQLITE, progress).resolve()
    if not (root / "php").exists():
        _write_script(root, ("sqlite3",))
    return str(root / "php")


def ensure_phpunit(progress: Progress = lambda line: None) -> tuple[str, ...]:
    """Return the command that runs PHPUnit, without arguments. Raise LabUnavailable if the fetch fails."""
    if shutil.which("php") and (installed := shutil.which("phpunit")):
        return (installed,)
    root = _fetched(progress)
    return (str(root / "php"), str(root / "usr/bin/phpunit"))


def _fetched(progress: Progress) -> Path:
    root = unpacked(PHP, progress).resolve()
    if not (root / "php").exists():
        _find_classes_in(root)
        _write_script(root)
    return root


def _find_classes_in(root: Path) -> None:
    """Correct the paths in Debian's PHPUnit, which expects its classes in the directory of an installed package."""
    for path in (root / "usr/bin/phpunit", *(root / CLASSES).rglob("*.php")):
        text = path.read_bytes()
        moved = text.replace(f"'/{CLASSES}/".encode(), f"'{root / CLASSES}/".encode())
        if moved != text:
            path.write_bytes(moved)


def _write_script(root: Path, extensions: Sequence[str] = EXTENSIONS) -> None:
    program = next(iter(sorted(root.glob("usr/bin/php[0-9]*.[0-9]"))), None)
    folder = next(iter(sorted(root.glob("usr/lib/php/2*"))), None)
    if program is None or folder is None:
        raise LabUnavailable(f"the packages {', '.join(PHP.packages)} contain no PHP")
    settings = [f"extension_dir={folder}", f"include_path=.:{root / CLASSES}", "date.timezone=UTC"]
    settings += [f"extension={name}" for name in extensions if (folder / f"{name}.so").exists()]
    command = shlex.join([str(program), "-n", *(part for setting in settings for part in ("-d", setting))])
    script = root / f"php.{os.getpid()}"
    script.write_text(f'#!/bin/sh\nexport LD_LIBRARY_PATH={shlex.quote(library_path(root))}\nexec {command} "$@"\n')
    script.chmod(0o755)
    done = subprocess.run((str(script), "-v"), capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise LabUnavailable(f"PHP cannot be run from its unpacked package: {done.stderr.strip()}")
    script.rename(root / "php")

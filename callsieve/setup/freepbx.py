"""Install and remove the FreePBX module: copy it from the installed program and run `fwconsole`."""

import os
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from callsieve.install.freepbx import find_hooks
from callsieve.install.plan import InstallPaths
from callsieve.pbx.config_files import read_text

NAME = "callsieve"
# Where FreePBX keeps its own settings as `KEY=value`, and what it takes if they do not say where its pages are.
AMPORTAL = "amportal.conf"
WEB_ROOT = Path("/var/www/html")

_WEB_ROOT = re.compile(r"^AMPWEBROOT=(.+)$", re.MULTILINE)

Run = Callable[[list[str]], bool]


def module_source() -> Path:
    """Return the directory of our FreePBX module: in the installed package, else in the source tree."""
    installed = Path(str(files("callsieve"))) / "freepbx"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "freepbx" / NAME


def modules_directory(place: InstallPaths) -> Path | None:
    """Return FreePBX's directory of modules; None if this server does not run FreePBX 17."""
    if find_hooks(place).by_macro or shutil.which("fwconsole") is None:
        return None
    match = _WEB_ROOT.search(read_text(place.etc.parent / AMPORTAL) or "")
    directory = (Path(match[1].strip()) if match else WEB_ROOT) / "admin" / "modules"
    return directory if directory.is_dir() else None


def install_module(directory: Path, run: Run) -> bool:
    """Copy the module, replacing an older one, have FreePBX install it, and reload. Return whether this succeeded."""
    owner = directory.stat()
    new, target = directory / f".{NAME}.new", directory / NAME
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(module_source(), new)
    for path in (new, *new.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
    return run(["fwconsole", "ma", "install", NAME, "--autoenable"]) and run(["fwconsole", "reload"])


def remove_module(directory: Path, run: Run) -> bool:
    """Have FreePBX uninstall and delete the module, and reload. Return whether it was removed."""
    if not (directory / NAME).is_dir():
        return True
    commands = (["ma", "uninstall", NAME], ["ma", "delete", NAME], ["reload"])
    return all(run(["fwconsole", *command]) for command in commands)

"""Find an Asterisk and a SIPp to run, or fetch both once without installing anything.

An `asterisk` or `sipp` on PATH wins. Otherwise Debian's packages are downloaded with apt's own private directories
and unpacked under `.cache/pbx`; the programs are then run with the loader and the libraries they came with,
whatever release this machine is on. Mirror and architecture are those apt already uses here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# The Debian suite that has Asterisk 22: Debian 13 has none.
SUITE = "forky"
PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm", "sip-tester")
CACHE_VARIABLE = "CALLSIEVE_LAB_CACHE"
APT_ATTEMPTS = 3
APT_SECONDS = 600.0
# Where an installed Asterisk keeps its modules and its data, for one found on PATH.
INSTALLED_MODULES = ("usr/lib/*/asterisk/modules", "usr/lib/asterisk/modules", "usr/lib64/asterisk/modules")
INSTALLED_DATA = ("usr/share/asterisk", "var/lib/asterisk")
ENGLISH_SOUNDS = ("sounds/en", "sounds/en_US_f_Allison")

Progress = Callable[[str], None]


class LabUnavailable(Exception):
    """There is no Asterisk or no SIPp here and none can be had; the text says why. Tests skip with it."""


@dataclass(frozen=True, slots=True)
class PbxPaths:
    """Where Asterisk and SIPp are, and how to run them: each command is a list to put arguments after."""

    asterisk: tuple[str, ...]
    sipp: tuple[str, ...]
    modules: Path
    data: Path
    sounds: Path

    def describe(self) -> str:
        return "\n".join(
            (
                f"asterisk  {' '.join(self.asterisk)}",
                f"sipp      {' '.join(self.sipp)}",
                f"modules   {self.modules}",
                f"data      {self.data}",
                f"sounds    {self.sounds}",
            )
        )


def cache_directory() -> Path:
    """`.cache/pbx` of the repository, or what CALLSIEVE_LAB_CACHE says."""
    override = os.environ.get(CACHE_VARIABLE)
    return Path(override).resolve() if override else Path(__file__).resolve().parent.parent / ".cache" / "pbx"


def ensure_pbx(progress: Progress = lambda line: None) -> PbxPaths:
    """Paths of a usable Asterisk and SIPp, fetched if this is the first time; raises LabUnavailable.

    Safe when several processes ask at once: one fetches, the others wait for it.
    """
    asterisk, sipp = shutil.which("asterisk"), shutil.which("sipp")
    if asterisk and sipp:
        return _paths_in(Path("/"), (asterisk,), (sipp,))
    cache = cache_directory()
    root = cache / "root"
    if not _is_complete(root):
        with _locked(cache):
            if not _is_complete(root):
                _fetch(cache, root, progress)
    fetched_sipp = (*_loader(root), str(root / "usr/bin/sipp"))
    if asterisk:
        return _paths_in(Path("/"), (asterisk,), fetched_sipp)
    fetched_asterisk = (*_loader(root), str(root / "usr/sbin/asterisk"))
    return _paths_in(root, fetched_asterisk, (sipp,) if sipp else fetched_sipp)


def _stamp(root: Path) -> Path:
    return root / "fetched"


def _is_complete(root: Path) -> bool:
    stamp = _stamp(root)
    return stamp.is_file() and stamp.read_text(encoding="ascii").split() == [SUITE, *PACKAGES]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabUnavailable(f"cannot write the lab's cache: {error}") from error
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path, root: Path, progress: Progress) -> None:
    """Download and unpack beside the final place, then move there in one step."""
    missing = [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]
    if missing:
        raise LabUnavailable(f"no asterisk or sipp on PATH, and no {' or '.join(missing)} to fetch them with")
    for aborted in cache.glob("fetch-*"):
        shutil.rmtree(aborted, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as work_name:
        work = Path(work_name)
        archives = _download(work, progress)
        partial = work / "root"
        partial.mkdir()
        progress(f"unpacking {len(archives)} packages")
        for archive in archives:
            _run(("dpkg", "-x", str(archive), str(partial)), progress)
        _stamp(partial).write_text(" ".join((SUITE, *PACKAGES)) + "\n", encoding="ascii")
        shutil.rmtree(root, ignore_errors=True)
        partial.rename(root)


def _download(work: Path, progress: Progress) -> Sequence[Path]:
    apt = _apt_command(work)
    for attempt in range(1, APT_ATTEMPTS + 1):
        try:
            progress(f"reading the package lists of Debian {SUITE}")
            _run((*apt, "update"), progress)
            progress(f"downloading {', '.join(PACKAGES)} and what they need")
            _run((*apt, "--yes", "--download-only", "install", *PACKAGES), progress)
            break
        except LabUnavailable as failure:
            if attempt == APT_ATTEMPTS:
                raise
            progress(f"{failure}: trying again ({attempt} of {APT_ATTEMPTS - 1})")
            time.sleep(2.0 * attempt)
    return sorted((work / "cache/archives").glob("*.deb"))


def _apt_command(work: Path) -> tuple[str, ...]:
    """apt-get with every directory of its own: it neither reads nor changes what is installed here."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (work / directory).mkdir(parents=True)
    (work / "status").touch()
    sources = work / "sources.list"
    sources.write_text(f"deb {_mirror()} {SUITE} main\n", encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": work,
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "20",
        "Debug::NoLocking": "1",
    }
    options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    return ("apt-get", "-q", *options)


def _mirror() -> str:
    """The Debian mirror this machine's apt is set to use."""
    listing = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    for uri in listing.stdout.split():
        if uri.startswith(("http:", "https:")) and "security" not in uri:
            return uri
    raise LabUnavailable("no asterisk or sipp on PATH, and apt has no network mirror to fetch them from")


def _run(command: Sequence[str], progress: Progress) -> None:
    """Run to the end, passing each line on; raises LabUnavailable with the last error line."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(APT_SECONDS, process.kill)
        watchdog.start()
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            progress(f"  {line.rstrip()}")
            said = line.strip() if line.startswith(("E:", "Err", "dpkg")) or not said else said
        watchdog.cancel()
    if process.returncode != 0:
        raise LabUnavailable(f"{Path(command[0]).name} {command[-1]} failed: {said}")


def _loader(root: Path) -> tuple[str, ...]:
    """The fetched C library's own loader: the programs may need a newer one than this machine has."""
    libraries = _modules_in(root, INSTALLED_MODULES[:1]).parent.parent
    loaders = sorted((*libraries.glob("ld-linux*.so.*"), *libraries.glob("ld64.so.*")))
    if not loaders:
        raise LabUnavailable(f"no dynamic loader in {libraries}")
    return (str(loaders[0]), "--library-path", str(libraries))


def _modules_in(root: Path, places: Sequence[str]) -> Path:
    for place in places:
        for found in root.glob(place):
            return found
    raise LabUnavailable(f"no Asterisk modules under {root}")


def _paths_in(root: Path, asterisk: tuple[str, ...], sipp: tuple[str, ...]) -> PbxPaths:
    data = next((root / place for place in INSTALLED_DATA if (root / place / "documentation").is_dir()), None)
    if data is None:
        raise LabUnavailable(f"no Asterisk documentation under {root}: its applications would not register")
    sounds = next((data / place for place in ENGLISH_SOUNDS if (data / place).is_dir()), data / "sounds/en")
    return PbxPaths(asterisk, sipp, _modules_in(root, INSTALLED_MODULES), data, sounds)

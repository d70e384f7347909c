"""Downloads Debian packages with private apt directories and unpacks them under `.cache/pbx`. Nothing is installed.

No root is needed. The mirror and the architecture are those of the installed apt. A file in each unpacked folder lists
the versions of the packages.
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
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

CACHE_VARIABLE = "CALLSIEVE_LAB_CACHE"
APT_ATTEMPTS = 3
APT_SECONDS = 600.0
VALID_UNTIL = "Valid-Until:"
# One package a line, as `asterisk_1:22.8.2+dfsg-1_amd64`.
VERSIONS = "versions"

Progress = Callable[[str], None]


class LabUnavailable(Exception):
    """The error when a program of the lab is not installed and cannot be fetched. The message gives the reason."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Packages that are unpacked together in a folder of the cache.

    `suite`: fetch packages of this release with all dependencies, whatever is installed. Without a suite, packages of
    the installed release are fetched, with the dependencies that are not installed.
    """

    folder: str
    packages: tuple[str, ...]
    suite: str = ""

    @property
    def stamp(self) -> str:
        return " ".join((self.suite, *self.packages)).strip()

    def is_in(self, root: Path) -> bool:
        """Return whether these packages are unpacked in a folder. The folder may also have other packages."""
        stamp = root / "fetched"
        return stamp.is_file() and set(self.stamp.split()) <= set(stamp.read_text(encoding="ascii").split())


def cache_directory() -> Path:
    """Return `.cache/pbx` of the repository, or the directory that CALLSIEVE_LAB_CACHE names."""
    override = os.environ.get(CACHE_VARIABLE)
    return Path(override).resolve() if override else Path(__file__).resolve().parent.parent / ".cache" / "pbx"


def unpacked(bundle: Bundle, progress: Progress) -> Path:
    """Return the folder of the unpacked packages, fetched at the first use. Raise LabUnavailable on failure.

    Several processes may call this at once: one fetches, and the others wait.
    """
    cache = cache_directory()
    root = cache / bundle.folder
    if not bundle.is_in(root):
        with _locked(cache):
            if not bundle.is_in(root):
                _fetch(bundle, cache, root, progress)
    return root


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabUnavailable(f"cannot write the lab's cache: {error}") from error
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(bundle: Bundle, cache: Path, root: Path, progress: Progress) -> None:
    """Download and unpack packages in a temporary folder, then move the whole folder to `root` in one step."""
    missing = [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]
    if missing:
        raise LabUnavailable(f"{' and '.join(missing)} not found: cannot fetch {', '.join(bundle.packages)}")
    for aborted in cache.glob("fetch-*"):
        shutil.rmtree(aborted, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as work_name:
        work = Path(work_name)
        archives = _download(bundle, work, progress)
        partial = work / "root"
        partial.mkdir()
        progress(f"unpacking {len(archives)} packages; their versions will be in {root / VERSIONS}")
        for archive in archives:
            _run(("dpkg", "-x", str(archive), str(partial)), progress)
        versions = sorted(unquote(archive.stem) for archive in archives)
        (partial / VERSIONS).write_text("".join(f"{version}\n" for version in versions), encoding="utf-8")
        (partial / "fetched").write_text(f"{bundle.stamp}\n", encoding="ascii")
        shutil.rmtree(root, ignore_errors=True)
        partial.rename(root)


def _download(bundle: Bundle, work: Path, progress: Progress) -> Sequence[Path]:
    apt = _apt_command(bundle.suite, work)
    for attempt in range(1, APT_ATTEMPTS + 1):
        try:
            progress(f"reading the package lists of {f'Debian {bundle.suite}' if bundle.suite else 'this release'}")
            _run((*apt, "update"), progress)
            for warning in _expired_indexes(work / "lists"):
                progress(f"warning: {warning}")
            progress(f"downloading {', '.join(bundle.packages)} and their dependencies")
            _run((*apt, "--yes", "--download-only", "install", *bundle.packages), progress)
            break
        except LabUnavailable as failure:
            if attempt == APT_ATTEMPTS:
                raise
            progress(f"{failure}: trying again ({attempt} of {APT_ATTEMPTS - 1})")
            time.sleep(2.0 * attempt)
    return sorted((work / "cache/archives").glob("*.deb"))


def _expired_indexes(lists: Path) -> Iterator[str]:
    """Yield a message for each apt package list whose validity date has passed."""
    for release in sorted(lists.glob("*Release")):
        for line in release.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(VALID_UNTIL):
                until = parsedate_to_datetime(line.removeprefix(VALID_UNTIL))
                if until < datetime.now(UTC):
                    yield f"the package list {release.name} expired at {until:%Y-%m-%d %H:%M} UTC, but is used anyway"


def _apt_command(suite: str, work: Path) -> tuple[str, ...]:
    """Return an apt-get command that writes only to private directories and changes no installed package."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (work / directory).mkdir(parents=True)
    settings: dict[str, object] = {
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Dir::Cache::Archives": work / "cache/archives",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "20",
        # An expired package list is still signed, and so are its packages.
        "Acquire::Check-Valid-Until": "false",
        "Debug::NoLocking": "1",
    }
    if suite:
        settings |= _another_release(suite, work)
    options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    return ("apt-get", "-q", *options)


def _another_release(suite: str, work: Path) -> dict[str, object]:
    """Return apt settings for a command that uses only this release and ignores the installed packages."""
    (work / "status").touch()
    sources = work / "sources.list"
    sources.write_text(f"deb {_mirror()} {suite} main\n", encoding="utf-8")
    return {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": work,
        "Dir::State::Status": work / "status",
    }


def _mirror() -> str:
    """Return the Debian mirror that the installed apt uses."""
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
    raise LabUnavailable("apt has no network mirror to fetch packages from")


def _run(command: Sequence[str], progress: Progress) -> None:
    """Run a command and pass each output line to `progress`. Raise LabUnavailable with the last error line."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watchdog = threading.Timer(APT_SECONDS, process.kill)
        watchdog.start()
        last_error = ""
        assert process.stdout is not None
        for line in process.stdout:
            progress(f"  {line.rstrip()}")
            last_error = line.strip() if line.startswith(("E:", "Err", "dpkg")) or not last_error else last_error
        watchdog.cancel()
    if process.returncode != 0:
        raise LabUnavailable(f"{Path(command[0]).name} {command[-1]} failed: {last_error}")

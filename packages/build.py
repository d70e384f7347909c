"""Builds the Debian packages: `make packages`, or `python -m packages.build SUITE...`.

For each suite the locked wheels of its Python are unpacked into a virtual environment below /usr/lib/callsieve. The
suite's Python and a chroot are not needed. nfpm writes the packages. The same inputs give the same bytes.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "packages"
OUT = ROOT / "build" / "packages"
PROGRAM = Path("/usr/lib/callsieve")
UNITS = Path("/usr/lib/systemd/system")
PLATFORM, LIBC = "x86_64-manylinux_2_28", "libc6 (>= 2.28)"
AUTHORS = "The CallSieve authors <callsieve@localhost>"
# The Python of each suite. arm64 and .rpm packages come from the same file, and are not tested.
PYTHON_BY_SUITE = {"bookworm": "3.11", "trixie": "3.13", "forky": "3.14"}
DEBIAN_BY_SUITE = {"bookworm": "deb12", "trixie": "deb13", "forky": "deb14"}


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package: its description, its lock file of Python distributions, and the system packages that it needs.

    `only`: the distributions of the lock file that the package contains; empty: all that are in no other package.
    """

    name: str
    description: str
    lock: str
    only: frozenset[str] = frozenset()
    depends: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()


MAIN = Package(
    "callsieve",
    "Call screening for Asterisk\n"
    "CallSieve looks each inbound caller up in a local reputation store, and\n"
    "routes, tags, warns about, challenges or rejects the call. If CallSieve\n"
    "fails, calls continue without it.",
    "runtime.txt",
    recommends=("espeak-ng", "sox"),
)
HUB = Package(
    "callsieve-hub",
    "PostgreSQL for CallSieve's hub\n"
    "A hub shares evidence and lists between PBXs. This package contains the\n"
    "client for the PostgreSQL database of the hub.",
    "runtime.txt",
    only=frozenset({"psycopg", "psycopg-binary"}),
)
PDF = Package(
    "callsieve-pdf",
    "Evidence packs of CallSieve as PDF\nWith this package, evidence packs contain a PDF. Without it, they are HTML.",
    "pdf.txt",
    depends=("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"),
)
SPEECH = Package(
    "callsieve-speech",
    "Speech recognition for CallSieve\n"
    "CallSieve can show what callers say as text. This package contains the program\n"
    "that does it, but no language model: install one separately.",
    "speech.txt",
    depends=("libstdc++6", "libgcc-s1"),
)
PACKAGES = (MAIN, HUB, PDF, SPEECH)


def main(suites: Sequence[str] = tuple(PYTHON_BY_SUITE), wheel: Path | None = None) -> None:
    """Build the packages for these suites, and write their SHA-256 hashes to a file beside them."""
    os.umask(0o022)
    os.environ["SOURCE_DATE_EPOCH"] = str(commit_seconds())
    shutil.rmtree(OUT, ignore_errors=True)
    wheel = wheel or _wheel()
    made = [package for suite in suites for package in _suite(suite, wheel)]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(made)]
    (OUT / "SHA256SUMS").write_text("\n".join(lines) + "\n")


def _wheel() -> Path:
    folder = OUT / "wheel"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    return next(folder.glob("*.whl"))


def _suite(suite: str, wheel: Path) -> list[Path]:
    python = PYTHON_BY_SUITE[suite]
    taken = set[str]().union(*(package.only for package in PACKAGES))
    made = []
    for package in PACKAGES:
        tree = OUT / suite / package.name
        site = tree / PROGRAM.relative_to("/") / f"lib/python{python}/site-packages"
        with step(f"{suite}: {package.name}, wheels"):
            entries = entries_of((ROOT / "requirements" / package.lock).read_text())
            wanted = package.only or entries.keys() - taken
            taken |= wanted
            lock = OUT / f"{suite}-{package.name}.txt"
            _write(lock, "".join(entries[name] for name in sorted(wanted)).encode())
            _install(site, python, "--require-hashes", "-r", str(lock))
        with step(f"{suite}: {package.name}, other files"):
            if package is MAIN:
                # By name, because a path would be stored in the package. Without uv's cache, which keys by name.
                _install(site, python, "--no-cache", "--no-index", "--find-links", str(wheel.parent), "callsieve")
                _check_is_new(site)
                _remove_time_of_build(site)
                add_program(tree, python, wheel)
            shutil.rmtree(site / "bin", ignore_errors=True)
            (site / ".lock").unlink(missing_ok=True)
            add_documents(tree / "usr/share", package, suite)
            set_modes_and_times(tree)
        with step(f"{suite}: {package.name}, .deb"):
            made.append(_packed(package, suite, tree))
    return made


def entries_of(lock: str) -> dict[str, str]:
    """Return the entries of a lock file, by the name of the Python distribution."""
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.M)[1:]
    return {entry.partition("==")[0]: entry for entry in entries}


def _install(site: Path, python: str, *what: str) -> None:
    command = (
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--target",
        str(site),
        "--no-deps",
        "--link-mode",
        "copy",
    )
    run(*command, "--python-version", python, "--python-platform", PLATFORM, "--only-binary", ":all:", *what)


def _check_is_new(site: Path) -> None:
    """End the program if the installed code differs from the checkout, because an older wheel was installed."""
    for source in (ROOT / "callsieve").rglob("*.py"):
        if (site / source.relative_to(ROOT)).read_bytes() != source.read_bytes():
            sys.exit(
                f"{source} differs from the packaged file, because another wheel was installed: build the wheel again"
            )


def _remove_time_of_build(site: Path) -> None:
    """Remove uv's file with the build time of the wheel, and its line in RECORD."""
    (note,) = site.glob("callsieve-*.dist-info/uv_cache.json")
    note.unlink()
    record = note.with_name("RECORD")
    record.write_text("".join(line for line in record.open() if note.name not in line))


def add_program(tree: Path, python: str, wheel: Path) -> None:
    """Add the virtual environment, the command, the units, the manual page and the completions to `tree`."""
    program = tree / PROGRAM.relative_to("/")
    (program / "bin").mkdir()
    (program / "bin/python3").symlink_to("../../../bin/python3")
    (program / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")
    for name, entry in (("callsieve", "entry"), ("callsieve-agi", "agi_script")):
        path = program / "bin" / name
        path.write_text(
            f"#!{PROGRAM}/bin/python3 -I\nimport sys\nfrom callsieve.main.{entry} import main\n\nsys.exit(main())\n"
        )
        path.chmod(0o755)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/callsieve").symlink_to(f"../{PROGRAM.relative_to('/usr')}/bin/callsieve")
    for source in (ROOT / "asterisk-conf").iterdir():
        if source.suffix in (".service", ".timer", ".path"):
            text = source.read_text().replace("@CALLSIEVE@", str(PROGRAM / "bin/callsieve"))
            _write(tree / UNITS.relative_to("/") / source.name, text.encode())
    _write(tree / "usr/share/man/man1/callsieve.1.gz", gzip.compress(_printed_by(wheel, "man"), mtime=0))
    for shell, place in _COMPLETIONS.items():
        _write(tree / place, _printed_by(wheel, "completion", shell))


@cache
def _printed_by(wheel: Path, *command: str) -> bytes:
    """Return what a command of CallSieve prints.

    It runs from the wheel, because only the wheel contains the version.
    """
    return run("env", f"PYTHONPATH={wheel}", sys.executable, "-m", "callsieve.main.entry", *command).encode()


def add_documents(share: Path, package: Package, suite: str) -> None:
    """Add the files that Debian's policy requires: licence, both changelogs, and overrides for lintian."""
    date = datetime.fromtimestamp(commit_seconds(), UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    entry = f"callsieve ({_version(suite)}) {suite}; urgency=medium\n\n  * See changelog.gz.\n\n -- {AUTHORS}  {date}\n"
    folder = share / "doc" / package.name
    _write(folder / "copyright", (HERE / "copyright").read_bytes())
    _write(folder / "changelog.gz", gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0))
    _write(folder / "changelog.Debian.gz", gzip.compress(entry.encode(), mtime=0))
    _write(share / "lintian/overrides" / package.name, (HERE / "lintian-overrides").read_bytes())


def set_modes_and_times(tree: Path) -> None:
    """Give all files the time of the commit. Make only commands executable: some wheels have executable libraries."""
    seconds = commit_seconds()
    for path in sorted(tree.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        os.utime(path, (seconds, seconds), follow_symlinks=False)


_COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/callsieve",
    "zsh": "usr/share/zsh/vendor-completions/_callsieve",
    "fish": "usr/share/fish/vendor_completions.d/callsieve.fish",
}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _packed(package: Package, suite: str, tree: Path) -> Path:
    python, version = PYTHON_BY_SUITE[suite], _version(suite)
    major, minor = python.split(".")
    depends = [f"python3 (>= {python})", f"python3 (<< {major}.{int(minor) + 1})", LIBC, *package.depends]
    if package is not MAIN:
        depends = [f"callsieve (= {version})", LIBC, *package.depends]
    config: Mapping[str, object] = {
        "name": package.name,
        "arch": "amd64",
        "platform": "linux",
        "version": version,
        "version_schema": "none",
        "section": "comm",
        "priority": "optional",
        "maintainer": AUTHORS,
        "description": package.description,
        "license": "Apache-2.0",
        "mtime": _instant(),
        "depends": depends,
        "recommends": list(package.recommends),
        "contents": [{"src": f"{tree}/", "dst": "/", "type": "tree", "file_info": {"mtime": _instant()}}],
        "deb": {"compression": "gzip:6"},  # the highest level takes six times as long, and saves 3 %
        "scripts": scripts(package, OUT / f"{suite}-{package.name}-scripts"),
    }
    file = OUT / f"{suite}-{package.name}.json"
    file.write_text(json.dumps(config, indent=1))
    target = OUT / f"{package.name}_{version}_amd64.deb"
    run(str(Path(sys.executable).parent / "nfpm"), "package", "-f", str(file), "-p", "deb", "-t", str(target))
    return target


def scripts(package: Package, folder: Path) -> dict[str, str]:
    """Write the package's scripts, such as `postinst`, to this folder. Return their paths by nfpm's names for them."""
    newest = max(int(path.name[:4]) for path in (ROOT / "reputation/store/migrations").glob("*.sql"))
    written = {}
    for path in sorted((HERE / "scripts" / ("" if package is MAIN else "addition")).glob("p*")):
        _write(folder / path.name, path.read_text().replace("@NEWEST_MIGRATION@", str(newest)).encode())
        written[_SCRIPTS[path.name]] = str(folder / path.name)
    return written


_SCRIPTS = {"preinst": "preinstall", "postinst": "postinstall", "prerm": "preremove", "postrm": "postremove"}


def _version(suite: str) -> str:
    """Return the Debian version. A version between releases contains the time of its commit."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return f"{version.replace('.dev0', f'~dev{commit_seconds()}')}-1~{DEBIAN_BY_SUITE[suite]}"


def _instant() -> str:
    return datetime.fromtimestamp(commit_seconds(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit_seconds() -> int:
    """Return the Unix time of the commit, which becomes the time of all packaged files."""
    return int(run("git", "log", "-1", "--format=%ct"))


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the name of a build step, and after the `with` block how many seconds the step took."""
    print(f"{name} ...", end=" ", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.0f} s", flush=True)


def run(*command: str) -> str:
    """Run a command in the root of the checkout, and return its output. End the program if the command fails."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}{done.stderr}{' '.join(command)} failed")
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1:] or tuple(PYTHON_BY_SUITE))
    print((OUT / "SHA256SUMS").read_text(), end="")

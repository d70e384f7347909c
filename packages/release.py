"""Makes a release: `make release`, or `python -m packages.release [check | twice] [SUITE ...]`.

`make release` needs a clean work tree. It runs the checks, turns the open section of CHANGELOG.md into the section of
the release, commits this change, and builds everything in build/release with SHA-256 hashes. `check` builds the work
tree as it is. `twice` builds the commit in two clones that differ in path, time zone, umask and language, and compares
every hash.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from packages.build import OUT as PACKAGES_OUT
from packages.build import PYTHON_BY_SUITE, ROOT, commit_seconds, run, step
from packages.build import main as build_packages

PYPROJECT, CHANGELOG = ROOT / "pyproject.toml", ROOT / "CHANGELOG.md"
OUT = ROOT / "build" / "release"
TOOLS = ROOT / "build" / "release-tools" / "bin"
# FreePBX 17 runs on Debian 12.
FREEPBX_PYTHON = "3.11"
FREEPBX_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
FREEPBX_SETUP = ROOT / "packages" / "freepbx-install.sh"
# An SBOM for each lock that a user installs.
LOCKS = {"callsieve": "runtime.txt", "callsieve-pdf": "pdf.txt", "callsieve-speech": "speech.txt"}
_HEADING = re.compile(r"^## (?:(?P<number>\d+\.\d+\.\d+)(?: \((?P<state>[^)]+)\))?|Unreleased)$", re.I | re.M)
_VERSION = re.compile(r'^version = "([^"]+)"$', re.M)
_DEVELOPMENT = ".dev0"


class ReleaseError(Exception):
    """The error for a work tree that cannot be released. The text gives the reason."""


def version_in(pyproject: str) -> str:
    """Return the version of the project from the text of pyproject.toml."""
    version: str = tomllib.loads(pyproject)["project"]["version"]
    return version


def check_version(pyproject: str, changelog: str, tags: Sequence[str]) -> None:
    """Check that the version agrees with the newest heading of the changelog and with the tags.

    A version in development ends with `.dev0`, and its heading has no date.

    Args:
        pyproject: The text of pyproject.toml.
        changelog: The text of CHANGELOG.md.
        tags: All tags, such as `v0.2.0`.

    Raises:
        ReleaseError: The version does not agree with the heading or the tags.
    """
    version = version_in(pyproject)
    number = version.removesuffix(_DEVELOPMENT)
    heading = _newest_heading(changelog)
    if heading["number"] not in (None, number):
        raise ReleaseError(f"CHANGELOG.md begins with version {heading['number']}, but pyproject.toml has {version}")
    if _is_open(heading) != version.endswith(_DEVELOPMENT):
        raise ReleaseError(
            f"the heading {heading[0]!r} of CHANGELOG.md does not match version {version} in pyproject.toml"
        )
    released = [_order(tag) for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]
    newest = max(released, default=())
    if newest > _order(number) or (newest == _order(number) and version != number):
        raise ReleaseError(f"the newest tag is {'.'.join(map(str, newest))}, but pyproject.toml has {version}")


def cut(pyproject: str, changelog: str, date: str) -> tuple[str, str]:
    """Return both texts with the development version turned into a release of this date.

    If the version is already a release, the texts stay unchanged.

    Raises:
        ReleaseError: The changelog's section of the version is empty.
    """
    version = version_in(pyproject)
    heading = _newest_heading(changelog)
    if not _is_open(heading):
        return pyproject, changelog
    number = version.removesuffix(_DEVELOPMENT)
    section = changelog[heading.end() :].split("\n## ", 1)[0]
    if not re.search(r"^- ", section, re.M):
        raise ReleaseError(f"the section {heading[0]!r} of CHANGELOG.md has no entry")
    released = f"{changelog[: heading.start()]}## {number} ({date}){changelog[heading.end() :]}"
    return _VERSION.sub(f'version = "{number}"', pyproject, count=1), released


def _newest_heading(changelog: str) -> re.Match[str]:
    heading = _HEADING.search(changelog)
    if heading is None:
        raise ReleaseError("CHANGELOG.md has no heading such as `## 1.2.3 (2026-12-01)` or `## Unreleased`")
    return heading


def _is_open(heading: re.Match[str]) -> bool:
    return heading["state"] in (None, "unreleased")


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


# Building


def build(suites: Sequence[str] = tuple(PYTHON_BY_SUITE)) -> str:
    """Build all files of a release in build/release. Return the text of SHA256SUMS."""
    os.umask(0o022)
    os.environ["SOURCE_DATE_EPOCH"] = str(commit_seconds())
    shutil.rmtree(OUT, ignore_errors=True)
    with step("source archive and wheel"):
        run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(OUT))
        (wheel,) = OUT.glob("*.whl")
        run(str(TOOLS / "twine"), "check", "--strict", *map(str, sorted(OUT.iterdir())))
    build_packages(suites, wheel)
    for package in PACKAGES_OUT.glob("*.deb"):
        shutil.copy(package, OUT)
    version = version_in(PYPROJECT.read_text())
    with step("archive for FreePBX"):
        _freepbx(OUT / f"callsieve-freepbx-{version}.tar.gz", wheel)
    with step("lists of components"):
        for name, lock in LOCKS.items():
            _sbom(OUT / f"{name}-{version}.cdx.json", ROOT / "requirements" / lock)
    return _write_sums(OUT)


def _freepbx(target: Path, wheel: Path) -> None:
    """Write the tarball for FreePBX: the module, the program, its dependencies, and an installation script."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / target.name.removesuffix(".tar.gz")
        lock = ROOT / "requirements" / "runtime.txt"
        (tree / "wheels").mkdir(parents=True)
        platforms = [word for name in FREEPBX_PLATFORMS for word in ("--platform", name)]
        where = ("--python-version", FREEPBX_PYTHON, *platforms, "--only-binary", ":all:", "-d", str(tree / "wheels"))
        run(
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock), *where
        )
        shutil.copy(wheel, tree / "wheels")
        shutil.copy(lock, tree / "requirements.txt")
        shutil.copy(FREEPBX_SETUP, tree / "install.sh")
        run("make", "--silent", "freepbx-module", f"FREEPBX_MODULE={tree / 'callsieve-freepbx.tgz'}")
        same = ("--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rwX,go+rX,go-w")
        when = f"--mtime=@{commit_seconds()}"
        run("tar", *same, when, "--use-compress-program=gzip -n", "-C", scratch, "-cf", str(target), tree.name)


def _sbom(target: Path, lock: Path) -> None:
    project = ("--pyproject", str(PYPROJECT))
    run(str(TOOLS / "cyclonedx-py"), "requirements", *project, "--output-reproducible", "-o", str(target), str(lock))


def _write_sums(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / "SHA256SUMS").write_text(sums)
    return sums


# Commands


def release() -> None:
    """Check the work tree, close the changelog section, commit, build, and print the publishing steps."""
    if run("git", "status", "--porcelain").strip():
        raise ReleaseError("the work tree has uncommitted changes: commit them first")
    _check_tree()
    with step("make check"):
        run("make", "check")
    before = PYPROJECT.read_text(), CHANGELOG.read_text()
    after = cut(*before, datetime.now(UTC).date().isoformat())
    version = version_in(after[0])
    if after != before:
        for path, text in zip((PYPROJECT, CHANGELOG), after, strict=True):
            path.write_text(text)
        _check_tree()
        run("git", "commit", "--quiet", "-m", f"release: {version}", str(PYPROJECT), str(CHANGELOG))
    print(build(), end="")
    print(
        f"Built in {OUT.relative_to(ROOT)}. Test the packages, then run: git tag -a v{version} -m {version} && git "
        f"push --follow-tags"
    )
    print(
        "Then begin the next version: add a heading `## Unreleased` to CHANGELOG.md, and set the next version with "
        ".dev0 in pyproject.toml."
    )


def _check_tree() -> None:
    check_version(PYPROJECT.read_text(), CHANGELOG.read_text(), run("git", "tag", "--list").split())


def build_twice(suites: Sequence[str]) -> None:
    """Build the commit in two clones, and compare the hashes.

    Raises:
        ReleaseError: A file differs.
    """
    surroundings = (
        {"TZ": "UTC", "LC_ALL": "C.UTF-8", "umask": "022"},
        {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7", "umask": "077"},
    )
    commit = run("git", "rev-parse", "HEAD").strip()
    first, second = (_build_in_a_clone(commit, each, suites) for each in surroundings)
    print(first, end="")
    if different := sorted(set(first.splitlines()) ^ set(second.splitlines())):
        raise ReleaseError("these files differ between the two builds:\n" + "\n".join(different))
    print(f"{len(first.splitlines())} files are identical in both builds")


def _build_in_a_clone(commit: str, surroundings: Mapping[str, str], suites: Sequence[str]) -> str:
    with tempfile.TemporaryDirectory(prefix="callsieve-release-") as scratch:
        clone = Path(scratch) / "source"
        run("git", "clone", "--quiet", "--local", str(ROOT), str(clone))
        run("git", "-C", str(clone), "checkout", "--quiet", commit)
        (clone / "build").mkdir()
        (clone / "build/release-tools").symlink_to(TOOLS.parent)
        shell = f"umask {surroundings['umask']} && exec {sys.executable} -m packages.release check {' '.join(suites)}"
        subprocess.run(("sh", "-c", shell), cwd=clone, env={**os.environ, **surroundings}, check=True)
        return (clone / "build/release/SHA256SUMS").read_text()


def main(arguments: Sequence[str]) -> None:
    """Run the command in `arguments`: `check`, `twice`, or none for a release."""
    command, suites = (arguments[0], arguments[1:] or tuple(PYTHON_BY_SUITE)) if arguments else ("", ())
    try:
        if command == "":
            release()
        elif command == "check":
            print(build(suites), end="")
        elif command == "twice":
            build_twice(suites)
        else:
            sys.exit(__doc__)
    except (ReleaseError, subprocess.CalledProcessError) as error:
        sys.exit(f"release: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])

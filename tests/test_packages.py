"""Debian's packages: what can be tested without building them. first_contact/packaged.py tries built ones."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from packages.build import (
    DEBIAN_BY_SUITE,
    HERE,
    MAIN,
    PACKAGES,
    PDF,
    PROGRAM,
    PYTHON_BY_SUITE,
    ROOT,
    SPEECH,
    UNITS,
    Package,
    add_documents,
    add_program,
    commit_seconds,
    scripts,
    set_modes_and_times,
)
from reputation.store.database import open_store
from reputation.store.migrations import known_migrations, migrate
from tests.test_requirements import PYTHONS, versions_of

SCRIPTS = sorted(path for path in (HERE / "scripts").rglob("*") if path.is_file())


def test_each_suite_has_a_python_with_locks() -> None:
    assert set(PYTHON_BY_SUITE) == set(DEBIAN_BY_SUITE)
    assert set(PYTHON_BY_SUITE.values()) <= set(PYTHONS)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_dependencies_are_locked(package: Package) -> None:
    locked = versions_of(package.lock.removesuffix(".txt"), "3.13")
    assert locked
    assert package.only <= set(locked)


@pytest.mark.parametrize("python", PYTHON_BY_SUITE.values())
def test_speech_and_pdf_share_only_libraries_of_the_main_package(python: str) -> None:
    """Each of these two packages works without the other."""
    of_main, *others = (set(versions_of(package.lock.removesuffix(".txt"), python)) for package in (MAIN, PDF, SPEECH))
    assert set.intersection(*others) <= of_main


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(HERE)))
def test_root_script_is_valid_and_writes_nothing_to_tmp(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "/tmp/" not in script.read_text()


def test_each_unit_starts_the_packaged_program() -> None:
    units = [path for path in (ROOT / "asterisk-conf").glob("*.service") if "ExecStart=" in path.read_text()]
    assert units
    assert [path.name for path in units if "ExecStart=@CALLSIEVE@ " not in path.read_text()] == []


@pytest.mark.parametrize(
    ("written", "code"),
    [
        pytest.param(None, 0, id="no store"),
        pytest.param("older", 0, id="older store"),
        pytest.param("same", 0, id="store of this version"),
        pytest.param("newer", 1, id="newer store"),
        pytest.param("damaged", 0, id="damaged store, which the daemon replaces"),
    ],
)
@pytest.mark.usefixtures("migrating_stores")
def test_package_refuses_an_unreadable_store(tmp_path: Path, written: str | None, code: int) -> None:
    store = tmp_path / "var/lib/callsieve/callsieve.db"
    store.parent.mkdir(parents=True)
    if written == "damaged":
        store.write_text("no store")
    elif written is not None:
        with open_store(store, migrated=False) as db:
            migrate(db, known_migrations()[:-1] if written == "older" else None)
            if written == "newer":
                db.execute(
                    "INSERT INTO migration SELECT version + 1, 'later', sha256, at FROM migration LIMIT 1 OFFSET ?",
                    (len(known_migrations()) - 1,),
                )
    script = scripts(MAIN, tmp_path / "scripts")["preinstall"]
    done = subprocess.run(
        ["sh", script, "upgrade", "0.2.0"],
        env={**os.environ, "DPKG_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert ("callsieve db restore" in done.stderr) == (code == 1)


def test_a_removed_addition_leaves_no_compiled_module(tmp_path: Path) -> None:
    library = tmp_path / PROGRAM.relative_to("/") / "lib"
    for name in ("kept/a.py", "kept/__pycache__/a.pyc", "gone/part/__pycache__/b.pyc", "gone/__pycache__/b.pyc"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).touch()
    script = scripts(SPEECH, tmp_path / "scripts")["postremove"]
    subprocess.run(["sh", script, "remove"], env={**os.environ, "DPKG_ROOT": str(tmp_path)}, check=True)
    assert {str(path.relative_to(library)) for path in library.rglob("*") if path.is_file()} == {
        "kept/a.py",
        "kept/__pycache__/a.pyc",
    }
    assert not (library / "gone").exists()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the package `callsieve` but for the wheels."""
    tree = tmp_path_factory.mktemp("tree")
    library = tree / PROGRAM.relative_to("/") / "lib" / "of-a-wheel.so"
    library.parent.mkdir(parents=True)
    library.touch(0o775)
    wheel = tmp_path_factory.mktemp("wheel") / "callsieve-9.8.7-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr(
            "callsieve-9.8.7.dist-info/METADATA", "Metadata-Version: 2.4\nName: callsieve\nVersion: 9.8.7\n"
        )
    add_program(tree, "3.13", wheel)
    add_documents(tree / "usr/share", MAIN, "trixie")
    set_modes_and_times(tree)
    return tree


def test_package_holds_units_and_man_pages_but_no_etc(tree: Path) -> None:
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    units = {path.name for path in (ROOT / "asterisk-conf").iterdir() if path.suffix in (".service", ".timer", ".path")}
    assert files == {
        "usr/bin/callsieve",
        *(f"usr/lib/callsieve/{name}" for name in ("bin/python3", "bin/callsieve", "bin/callsieve-agi", "pyvenv.cfg")),
        "usr/lib/callsieve/lib/of-a-wheel.so",
        *(f"{UNITS.relative_to('/')}/{name}" for name in units),
        "usr/share/man/man1/callsieve.1.gz",
        "usr/share/bash-completion/completions/callsieve",
        "usr/share/zsh/vendor-completions/_callsieve",
        "usr/share/fish/vendor_completions.d/callsieve.fish",
        *(f"usr/share/doc/callsieve/{name}" for name in ("copyright", "changelog.gz", "changelog.Debian.gz")),
        "usr/share/lintian/overrides/callsieve",
    }
    texts = {path.name: path.read_text() for path in (tree / UNITS.relative_to("/")).iterdir()}
    assert [name for name, text in texts.items() if "@CALLSIEVE@" in text] == []


def test_the_manual_page_has_the_version_of_the_wheel(tree: Path) -> None:
    """The checkout may be installed as the version before the release."""
    page = gzip.decompress((tree / "usr/share/man/man1/callsieve.1.gz").read_bytes()).decode()
    assert '"CallSieve 9.8.7"' in page.splitlines()[0]


def test_only_commands_are_executable(tree: Path) -> None:
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.name for path in files if path.stat().st_mode & 0o111} == {"callsieve", "callsieve-agi"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o755, 0o644}


def test_package_files_have_the_time_of_the_commit(tree: Path) -> None:
    assert {int(path.lstat().st_mtime) for path in tree.rglob("*")} == {commit_seconds()}


def test_package_links_stay_inside_or_lead_to_debians_python(tree: Path) -> None:
    links = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_symlink()}
    assert {name: str((path.parent / path.readlink()).resolve().relative_to(tree)) for name, path in links.items()} == {
        "usr/bin/callsieve": "usr/lib/callsieve/bin/callsieve",
        "usr/lib/callsieve/bin/python3": "usr/bin/python3",
    }

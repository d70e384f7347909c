"""Which programs of the tests are fetched, and how a fetched one is started."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from lab.debian import Bundle, LabUnavailable
from lab.tools import (
    SCRIPTS,
    TOOLS,
    ensure_tools,
    missing_tools,
    packages_of,
    tools_root,
    use_fetched_tools,
    write_scripts,
)

LIBRARIES = "usr/lib/x86_64-linux-gnu"


def install(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        pytest.param((), "", id="nothing"),
        pytest.param(("chromium",), "chromium fonts-noto-cjk libatomic1", id="with-what-it-needs"),
        pytest.param(("soxi",), "sox", id="half-of-a-package"),
        pytest.param(("sox", "soxi"), "sox", id="two-of-one-package"),
        pytest.param(tuple(TOOLS), " ".join(dict.fromkeys(chain(*TOOLS.values()))), id="everything"),
    ],
)
def test_tools_missing_from_path_are_fetched(tmp_path: Path, missing: tuple[str, ...], packages: str) -> None:
    for tool in TOOLS.keys() - set(missing):
        install(tmp_path / tool)
    assert missing_tools(str(tmp_path)) == missing
    assert packages_of(missing) == tuple(packages.split())


@pytest.mark.parametrize(
    ("stamp", "complete"),
    [
        pytest.param(None, False, id="nothing"),
        pytest.param("forky asterisk sip-tester", True, id="the-same"),
        pytest.param("forky asterisk sip-tester sox", True, id="with-others"),
        pytest.param("forky asterisk", False, id="one-missing"),
        pytest.param("trixie asterisk sip-tester", False, id="another-suite"),
    ],
)
def test_an_unpacked_bundle_is_not_fetched_again(tmp_path: Path, stamp: str | None, complete: bool) -> None:
    if stamp is not None:
        (tmp_path / "fetched").write_text(f"{stamp}\n")
    assert Bundle("root", ("asterisk", "sip-tester"), suite="forky").is_in(tmp_path) is complete


def test_a_fetched_program_runs_in_a_folder_with_a_space(tmp_path: Path) -> None:
    root = tmp_path / "my cache"
    (root / LIBRARIES).mkdir(parents=True)
    report = '#!/bin/sh\necho "$LD_LIBRARY_PATH"\necho "$ESPEAK_DATA_PATH"\ncat "$FONTCONFIG_FILE"\necho "$@"\n'
    install(root / "usr/lib/chromium/chromium", report)
    write_scripts(root)
    done = subprocess.run([root / SCRIPTS / "chromium", "a b"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert f"{root / LIBRARIES}/pulseaudio" in lines[0].split(":")
    assert lines[1] == str(root / LIBRARIES)
    assert f"  <dir>{root}/usr/share/fonts</dir>" in lines
    assert lines[-1] == "a b"
    # One missing rule would leave the browser without our fonts.
    rules = [line for line in lines if "<include" in line]
    assert [line for line in rules if 'ignore_missing="yes"' not in line] == []
    assert any(f">{root}/usr/share/fontconfig" in line for line in rules)
    assert any(">/usr/share/fontconfig" in line for line in rules)
    assert {path.name for path in (root / SCRIPTS).iterdir()} == {"chromium", "fonts.conf"}


def test_a_program_on_path_comes_before_a_fetched_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSIEVE_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    installed = install(tmp_path / "bin/sox")
    install(tools_root() / SCRIPTS / "sox")
    fetched = install(tools_root() / SCRIPTS / "soxi")
    for _ in range(2):
        use_fetched_tools()
    assert [shutil.which(tool) for tool in ("sox", "soxi")] == [str(installed), str(fetched)]
    assert len(os.environ["PATH"].split(os.pathsep)) == 2


@pytest.mark.parametrize(
    ("sox", "why"),
    [
        pytest.param("#!/bin/sh\nexit 127\n", "sox cannot be run from its unpacked package", id="a-library-is-missing"),
        pytest.param(None, "does not contain this program", id="another-package"),
    ],
)
def test_a_program_that_cannot_run_is_named_with_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sox: str | None, why: str
) -> None:
    monkeypatch.setenv("CALLSIEVE_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for tool in TOOLS.keys() - {"sox"}:
        install(tmp_path / "bin" / tool)
    root = tools_root()
    (root / LIBRARIES).mkdir(parents=True)
    (root / "fetched").write_text("sox\n")
    if sox is not None:
        install(root / "usr/bin/sox", sox)
    with pytest.raises(LabUnavailable, match=rf"{why}.*apt-get install sox\)"):
        ensure_tools()


def test_without_apt_the_packages_to_install_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSIEVE_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabUnavailable, match=r"apt-get and dpkg not found.*apt-get install chromium fonts-noto-cjk"):
        ensure_tools()

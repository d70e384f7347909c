"""The FreePBX module: PHP's linter, PHPUnit on its classes, and the tarball for Module Admin."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Iterator
from configparser import ConfigParser
from functools import partial
from gettext import GNUTranslations
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest

from lab.gnupg import gnupg_environment
from lab.php import ensure_php, ensure_phpunit
from lab.screened import ROOT
from reputation.feature_codes import CODES

pytestmark = pytest.mark.slow  # PHP has to be fetched

FREEPBX = ROOT / "freepbx"
MODULE = FREEPBX / "callsieve"
SOURCES = sorted(path.relative_to(FREEPBX).as_posix() for path in FREEPBX.rglob("*.php"))


@pytest.mark.parametrize("name", SOURCES)
def test_php_accepts_each_file(name: str) -> None:
    done = subprocess.run((ensure_php(), "-l", str(FREEPBX / name)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_phpunit_tests_pass(tmp_path: Path) -> None:
    command = (*ensure_phpunit(), "--no-configuration", "--do-not-cache-result", "--fail-on-warning", "--fail-on-risky")
    done = subprocess.run(
        (*command, "--fail-on-deprecation", "--display-all-issues", str(FREEPBX / "tests")),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tarball_has_the_module_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "callsieve.tgz"
    subprocess.run(("make", "--silent", f"FREEPBX_MODULE={target}", "freepbx-module"), check=True, cwd=ROOT, timeout=60)
    with tarfile.open(target) as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()}
        owners = {(member.uid, member.gid) for member in archive.getmembers()}
    assert names == {f"callsieve/{path.relative_to(MODULE)}" for path in MODULE.rglob("*") if path.is_file()}
    assert owners == {(0, 0)}
    assert "callsieve/module.xml" in names


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path, because a socket's path has at most 107 bytes."""
    with TemporaryDirectory(prefix="gpg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "home"


def test_a_signed_module_lists_the_hash_of_each_file(tmp_path: Path, home: Path) -> None:
    """As FreePBX's GPG class reads it: gpg removes the signature, and the rest is an INI file."""
    environment = gnupg_environment(home)
    run = partial(subprocess.run, env=environment, timeout=60)
    gpg = ("gpg", "--batch", "--quiet")
    key = "throw-away@example.org"
    run((*gpg, "--passphrase", "", "--quick-generate-key", key, "default", "sign"), check=True)
    target = tmp_path / "callsieve.tgz"
    command = ("make", "--silent", f"FREEPBX_MODULE={target}", f"SIGN={key}", "freepbx-module")
    run(command, check=True, cwd=ROOT)
    with tarfile.open(target) as archive:
        archive.extractall(tmp_path, filter="data")
    module = tmp_path / "callsieve"
    signed = run((*gpg, "--output", "-", str(module / "module.sig")), capture_output=True, check=True, text=True)
    listed = ConfigParser(interpolation=None, delimiters=(" = ", "="))
    listed.optionxform = str  # type: ignore[assignment,method-assign]
    listed.read_string(signed.stdout)
    files = [path for path in module.rglob("*") if path.is_file() and path.name != "module.sig"]
    hashes = {str(path.relative_to(module)): sha256(path.read_bytes()).hexdigest() for path in files}
    assert dict(listed["hashes"]) == hashes
    text = (module / "module.sig").read_text()
    (module / "module.sig").write_text(text.replace(hashes["Page.php"], "0" * 64))
    assert run((*gpg, "--verify", str(module / "module.sig")), check=False).returncode != 0


def test_everything_named_in_module_xml_exists() -> None:
    xml = ElementTree.parse(MODULE / "module.xml").getroot()
    methods = {method.text for method in xml.findall("hooks/*/method")}
    assert {"afterReload", "chownFreepbx", "ucpConfigPage"} <= methods
    # FreePBX finds a hook by the full name of the class that calls it, and UCP's has no namespace.
    classes = [each for name in ("ucp", "dashboard") for each in xml.findall(f"hooks/{name}")]
    assert [each.get("namespace") for each in classes] == [
        None,
        r"FreePBX\modules\Dashboard\Sections",
    ]
    assert all(f"function {method}(" in (MODULE / "Callsieve.class.php").read_text() for method in methods)
    (command,) = xml.findall("console/command/name")
    assert f"setName('{command.text}')" in (MODULE / "Console/Callsieve.class.php").read_text()
    assert f"*{xml.findtext('version')}*" in (xml.findtext("changelog") or "")


def test_the_feature_codes_equal_those_of_the_dialplan() -> None:
    """Each code also has a word that the daemon knows."""
    dialplan = (ROOT / "asterisk-conf" / "callsieve.conf").read_text()
    context = dialplan.partition("\n[callsieve-codes]\n")[2].partition("\n[")[0]
    theirs = {
        word or "explain": code for code, word in re.findall(r"(\*\d+),1,Gosub\([\w-]+,s,1(?:\((\w+)\))?\)", context)
    }
    names = re.findall(r"^\t\t'(\w+)' => \['(\*\d+)'", (MODULE / "Codes.php").read_text(), re.MULTILINE)
    assert dict(names) == theirs
    words = dict(re.findall(r"^\t\t'(\w+)' => '(\w*)'", (MODULE / "Dialplan.php").read_text(), re.MULTILINE))
    assert words == {name: "" if name == "explain" else name for name, _ in names}
    assert set(words.values()) - {"", "passcode"} <= set(CODES)


def test_every_text_of_the_module_has_a_chinese_translation() -> None:
    """FreePBX reads the compiled catalogue, which `msgfmt -o callsieve.mo callsieve.po` makes."""
    with (MODULE / "i18n/zh_CN/LC_MESSAGES/callsieve.mo").open("rb") as file:
        chinese = GNUTranslations(file)
    found = (re.findall(r"(?<![\w>])_\('((?:[^'\\]|\\.)*)'\)", path.read_text()) for path in MODULE.rglob("*.php"))
    texts = {text.replace("\\'", "'") for one in found for text in one}
    assert {text for text in texts if chinese.gettext(text) == text} == set()
    placeholders = re.compile(r"%(?:\d\$)?([sd])")
    assert [
        text for text in texts if len(placeholders.findall(text)) != len(placeholders.findall(chinese.gettext(text)))
    ] == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("callsieve/")])
def test_every_file_names_its_licence(name: str) -> None:
    assert "SPDX-License-Identifier: GPL-3.0-or-later" in (FREEPBX / name).read_text()

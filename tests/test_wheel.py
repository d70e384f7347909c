"""The wheel carries what the program reads: templates, catalogues, migrations, the files for Asterisk, the guide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from callsieve.guide.cli.commands import FILE_BY_LANGUAGE, guide_text
from callsieve.install.plan import asterisk_conf
from callsieve.main.console_server import WITH_TEMPLATES
from callsieve.web.rendering import loader_of
from tests.office import ROOT

PACKAGES = ("reputation", "policies", "agi", "ami_listener", "callsieve")

# Our packages must come from the installation, only their dependencies from the checkout.
READS = """
import json, sys
sys.path = [sys.argv[1], *(entry for entry in sys.path if entry != sys.argv[2])]
from jinja2 import Environment
from callsieve.guide.cli.commands import FILE_BY_LANGUAGE, guide_text
from callsieve.install.plan import asterisk_conf
from callsieve.main.console_server import WITH_TEMPLATES, make_templates
from callsieve.web.rendering import loader_of

make_templates()
loader, environment = loader_of(WITH_TEMPLATES), Environment()
for name in loader.list_templates():
    assert loader.get_source(environment, name)[1].startswith(sys.argv[1]), name
print(json.dumps({
    "from": sorted({module.__file__ for name, module in sys.modules.items() if name in sys.argv[3:]}),
    "templates": loader.list_templates(),
    "asterisk-conf": {str(f.relative_to(asterisk_conf())): f.read_text() for f in asterisk_conf().rglob("*.*")},
    "guide": {language: guide_text(language) for language in FILE_BY_LANGUAGE},
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory where the wheel is installed, without dependencies and network."""
    built, target = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    _python(ROOT, "-m", "hatchling", "build", "-t", "wheel", "-d", built)
    (wheel,) = built.glob("*.whl")
    _python(built, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--target", target, wheel)
    return target


def _python(folder: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        (sys.executable, *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _data_files(root: Path) -> set[Path]:
    files = (path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file())
    return {path.relative_to(root) for path in files if "__pycache__" not in path.parts}


def test_every_data_file_is_installed(installed: Path) -> None:
    assert _data_files(ROOT) <= _data_files(installed)


def test_installed_program_reads_its_own_files(installed: Path) -> None:
    found = json.loads(_python(installed.parent, "-I", "-c", READS, installed, ROOT, *PACKAGES))
    assert {Path(name).parents[1] for name in found["from"]} == {installed}
    assert found["templates"] == loader_of(WITH_TEMPLATES).list_templates()
    ours = asterisk_conf()
    assert found["asterisk-conf"] == {str(path.relative_to(ours)): path.read_text() for path in ours.rglob("*.*")}
    assert found["guide"] == {language: guide_text(language) for language in FILE_BY_LANGUAGE}

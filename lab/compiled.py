"""python -m lab.compiled [PYTEST ARGUMENT ...]: the unit tests of what mypyc compiles, run on the machine code.

A wheel is built as docs/decisions/compiled.md says, and unpacked beside links to the tests: so the packages that they
import are those of the wheel, with the machine code in place of the Python beside it. Needs a C compiler.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SWITCH = {"HATCH_BUILD_HOOK_ENABLE_MYPYC": "true"}
PACKAGES = ("reputation", "policies", "agi", "ami_listener", "callsieve")
# What is not in the wheel, and tests read.
BESIDE = ("tests", "lab", "benchmarks", "docs", "examples", "asterisk-conf", "freepbx", "pyproject.toml", ".cache")
TESTS = ("tests/policies", "tests/agi", "tests/ami_listener", "tests/reputation", "tests/callsieve/replay")
# Prints those of its arguments that are not machine code.
LOOK = (
    "import importlib, sys; [print(m) for m in sys.argv[1:] if not importlib.import_module(m).__file__.endswith('.so')]"
)


def main(arguments: list[str]) -> int:
    """Pytest's exit code, or 1 where a module is not compiled."""
    if not can_compile():
        print("no C compiler, or no headers of this Python (as root: apt-get install gcc python3-dev)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="callsieve-compiled-") as directory:
        place = Path(directory) / "place"
        zipfile.ZipFile(built(Path(directory))).extractall(place)
        for name in BESIDE:
            if (ROOT / name).exists():
                (place / name).symlink_to(ROOT / name)
        if plain := not_compiled(place):
            print(f"not compiled: {plain}", file=sys.stderr)
            return 1
        print(f"{len(modules())} modules are machine code")
        command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *(arguments or TESTS))
        return subprocess.run(command, cwd=place, check=False).returncode


def can_compile() -> bool:
    """Whether there are a C compiler, and the headers of this Python."""
    return shutil.which("cc") is not None and Path(sysconfig.get_path("include"), "Python.h").exists()


def modules() -> list[str]:
    """Those that the wheel compiles, as pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
    return [file.strip("/").removesuffix(".py").replace("/", ".") for file in hook["include"]]


def built(directory: Path) -> Path:
    """The wheel, built as anybody builds it."""
    source = directory / "source"  # our own: hatch-mypyc moves pyproject.toml away, and leaves what it compiled
    for name in (*PACKAGES, "asterisk-conf", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(source))
    subprocess.run(command, check=True, env={**os.environ, **SWITCH})
    return next(directory.glob("*.whl"))


def not_compiled(place: Path) -> list[str]:
    """The modules that Python takes from their source all the same."""
    done = subprocess.run(
        (sys.executable, "-c", LOOK, *modules()), cwd=place, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

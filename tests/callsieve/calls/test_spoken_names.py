"""Recordings of callers who were asked for a name: kept for a week, erased with the number."""

from __future__ import annotations

import asyncio
import os
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from callsieve.calls import spoken_names
from callsieve.calls import views as challenge_recording
from callsieve.calls.spoken_names import KEPT_SECONDS, erase, expire, keep_recordings, make_folder, of_decisions
from callsieve.calls.views import CHECKS, can_record
from callsieve.doctor.checks import examine
from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.prompts.wav import wav_of
from callsieve.settings import Loaded, parse_settings
from tests.callsieve.program import Program, make_record
from tests.waiting import until

NOW = 1_790_000_000.0
CALLER, OTHER = "+12017421834", "+12017421835"


def record(folder: Path, name: str, at: float = NOW) -> Path:
    path = folder / f"{name}.wav"
    path.write_bytes(b"RIFF")
    os.utime(path, (at, at))
    return path


def test_folder_is_open_to_daemon_and_asterisks_group(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir(mode=0o777)
    assert make_folder(tmp_path).stat().st_mode & 0o777 == 0o770
    assert make_folder(tmp_path) == tmp_path / "recordings"


def test_recording_is_deleted_after_seven_days(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    kept = record(folder, "7KQ2M4XA-1", NOW - KEPT_SECONDS + 1)
    record(folder, "7KQ2M4XB-1", NOW - KEPT_SECONDS)
    assert expire(folder, NOW) == (1, 1)
    assert list(folder.iterdir()) == [kept]
    assert expire(tmp_path / "nothing", NOW) == (0, 0)


def test_foreign_files_stay(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    (folder / "directory").mkdir()
    (folder / "link.wav").symlink_to(tmp_path / "elsewhere")
    assert expire(folder, NOW + 10 * KEPT_SECONDS) == (0, 0)


def test_recordings_are_found_by_decision_and_erased(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    own = [record(folder, "7KQ2M4XA-1"), record(folder, "7KQ2M4XA-3")]
    other = record(folder, "7KQ2M4XB-1")
    found = of_decisions(tmp_path, ["7KQ2M4XA", "ABSENT00"])
    assert found == own
    assert (erase(found), erase(found)) == (2, 0)
    assert list(folder.iterdir()) == [other]


async def test_daemon_names_the_folder_while_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spoken_names, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(spoken_names, "MAX_FILES", 2)
    said: list[str] = []
    task = asyncio.create_task(keep_recordings(tmp_path, said.append))
    folder = str(tmp_path / "recordings")
    await until(lambda: said[-1:] == [folder])
    files = [record(tmp_path / "recordings", f"7KQ2M4X{n}-1", time.time()) for n in range(2)]
    await until(lambda: said[-1] == "")
    assert [line for line in caplog.messages if "full (2 files)" in line] == caplog.messages, "said once"
    os.utime(files[0], (0, 0))
    await until(lambda: said[-1] == folder)
    assert not files[0].exists()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("name", ["two words", "comma,", "${SHELL(id)}", "a&b", "a:b", "a^b", "语"])
async def test_folder_with_an_unsafe_name_is_not_used(tmp_path: Path, name: str) -> None:
    state, said = tmp_path / name, list[str]()
    state.mkdir()
    task = asyncio.create_task(keep_recordings(state, said.append))
    await until(lambda: bool(said))
    task.cancel()
    assert said == [""]


def test_recordings_are_exported_and_erased_with_their_number(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.add_decisions(make_record("7KQ2M4XA", caller=CALLER), make_record("7KQ2M4XB", caller=OTHER))
    folder = make_folder(callsieve.state)
    own, other = record(folder, "7KQ2M4XA-1"), record(folder, "7KQ2M4XB-1")
    assert callsieve("privacy", "export", CALLER).json["recordings"] == [str(own)]
    said = callsieve.ok("privacy", "erase", CALLER, "--yes")
    assert "1 file" in said
    assert list(folder.iterdir()) == [other]


def test_calls_show_prints_the_path_of_a_recording(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.add_decisions(make_record("7KQ2M4XA", caller=CALLER))
    path = record(make_folder(callsieve.state), "7KQ2M4XA-1")
    assert str(path) in callsieve.ok("calls", "show", "7KQ2M4XA").replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("samples", "nothing"),
    [
        pytest.param([0] * 8000, True, id="silence"),
        pytest.param([90, -90] * 4000, True, id="noise-of-the-line"),
        pytest.param([0] * 4000 + [3000, -3000] * 400 + [0] * 4000, False, id="a-word"),
    ],
)
def test_calls_show_tells_silence_from_speech(tmp_path: Path, samples: list[int], nothing: bool) -> None:
    callsieve = Program(tmp_path)
    callsieve.add_decisions(make_record("7KQ2M4XA", caller=CALLER))
    path = make_folder(callsieve.state) / "7KQ2M4XA-1.wav"
    path.write_bytes(wav_of(array("h", samples).tobytes(), "test"))
    shown = callsieve.ok("calls", "show", "7KQ2M4XA")
    assert ("recordings    nothing\n" in shown, path.name in shown) == (nothing, not nothing)


# The doctor


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str], CheckContext]:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "extensions.conf").write_text("[c]\n")

    def make(settings: str) -> CheckContext:
        loaded = Loaded(settings=parse_settings(settings, "test"), file=None, state=tmp_path)
        return CheckContext(loaded, lambda _command: f"  Configuration directory:     {etc}\n", NOW)

    return make


RULE = """\
[[rule]]
name = "who"
when = { caller_kind = "withheld" }
action = "challenge"
ask = "name"
reason = "the caller hides the number"
"""
ASKED = '[actions]\nask = "name"\n'


def parse_answer(finding: Finding) -> tuple[CheckStatus, str]:
    return finding.status, str(finding.detail)


def test_doctor_checks_only_if_a_policy_asks_for_names(context: Callable[[str], CheckContext], tmp_path: Path) -> None:
    status, detail = parse_answer(can_record(context("")))
    assert (status, detail.split()[0]) == (CheckStatus.OK, "no")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.toml").write_text(RULE)
    finding = can_record(context('[policy]\nname = "mine"\n'))
    assert (finding.status, "does not exist" in str(finding.detail)) == (CheckStatus.WARN, True)
    (tmp_path / "policies" / "mine.toml").write_text("[[rule")
    [check] = examine(CHECKS, context('[policy]\nname = "mine"\n'))
    assert check.status is CheckStatus.UNKNOWN


def test_doctor_names_a_folder_of_the_wrong_group(context: Callable[[str], CheckContext], tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    os.chown(tmp_path / "etc", 0, 4712)
    assert "belong to Asterisk's group" in str(can_record(context(ASKED)).detail)
    os.chown(folder, -1, 4712)
    status, detail = parse_answer(can_record(context(ASKED)))
    assert (status, detail.startswith("0 of at most 2000"), str(folder) in detail) == (CheckStatus.OK, True, True)


def test_doctor_reports_a_full_folder(
    context: Callable[[str], CheckContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge_recording, "MAX_FILES", 1)
    record(make_folder(tmp_path), "7KQ2M4XA-1")
    assert "is full" in str(can_record(context(ASKED)).detail)

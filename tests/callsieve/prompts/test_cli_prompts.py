"""`callsieve prompts` as an administrator meets it: build, again, own recordings, and what was put there by hand."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from callsieve.prompts.catalogue import prompts_of
from callsieve.prompts.files import SCREENING_BYTES, WHISPER_BYTES
from callsieve.prompts.wav import loudness_of, seconds_of
from tests.callsieve.program import Program
from tests.callsieve.sounds import needs_voice, put_quick_voice, record
from tests.voices import copy_voices

pytestmark = [needs_voice, pytest.mark.slow]
COUNT = len(prompts_of("en"))


@pytest.fixture
def sounds(tmp_path: Path, voices: Path) -> Path:
    copy_voices(voices, tmp_path / "sounds", "en")
    return tmp_path / "sounds"


@pytest.fixture
def quick_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sounds are made, whatever they say, by programs that need a tenth of the time; a folder beside it."""
    monkeypatch.setenv("PATH", f"{put_quick_voice(tmp_path / 'voice')}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "quick").mkdir()
    return tmp_path / "quick"


def wav(sounds: Path, key: str) -> Path:
    return sounds / "en" / "callsieve" / f"{key}.wav"


def test_build_makes_all_prompts_readable_for_asterisk(callsieve: Program, quick_voice: Path) -> None:
    said = callsieve.ok("prompts", "build", "--language", "en", "--to", quick_voice)
    assert said == f"Made {COUNT} prompts in {quick_voice}.\n"
    files = list((quick_voice / "en" / "callsieve").iterdir())
    assert sorted(path.stem for path in files) == sorted(prompts_of("en"))
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    assert (quick_voice / "en" / "callsieve").stat().st_mode & 0o755 == 0o755


def test_up_to_date_prompts_are_not_built_again(callsieve: Program, sounds: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sounds.rglob("*.wav")}
    said = callsieve.ok("prompts", "build", "--language", "en", "--to", sounds)
    assert said.startswith("Nothing to build")
    assert {path: path.stat().st_mtime_ns for path in sounds.rglob("*.wav")} == before


def test_only_prompts_with_a_new_text_are_rebuilt(callsieve: Program, sounds: Path) -> None:
    callsieve.file("callsieve.toml", callsieve.config.read_text())
    (callsieve.folder / "prompts").mkdir()
    callsieve.file("prompts/en.toml", '[appeal]\naddress = "Write to spam at acme dot example."\n')
    before = wav(sounds, "appeal-address").read_bytes()
    dry = callsieve.ok("prompts", "build", "--language", "en", "--to", sounds, "--dry-run")
    assert dry.splitlines() == [
        f"Would build 1 prompt in {sounds}.",
        "  en  appeal-address  (outdated)",
        "Nothing was changed.",
    ]
    assert wav(sounds, "appeal-address").read_bytes() == before
    assert callsieve.ok("prompts", "build", "--language", "en", "--to", sounds) == f"Made 1 prompt in {sounds}.\n"
    assert wav(sounds, "appeal-address").read_bytes() != before


def test_recording_replaces_the_voice_at_the_same_loudness(callsieve: Program, sounds: Path) -> None:
    recording = record(callsieve.folder / "prompts" / "en" / "say-ok.wav", seconds=0.6, amplitude=0.02)
    dry = callsieve.ok("prompts", "build", "--language", "en", "--to", sounds, "--dry-run")
    assert f"  en  say-ok  (outdated, from {recording})" in dry
    said = callsieve.ok("prompts", "build", "--language", "en", "--to", sounds)
    assert said.startswith("Made 1 prompt, 1 of them")
    content = wav(sounds, "say-ok").read_bytes()
    assert seconds_of(content) == pytest.approx(0.67, abs=0.05), "the silence at both ends is gone"
    assert loudness_of(content[-8000:]) == pytest.approx(-18, abs=1)
    rows = callsieve("prompts", "list", "--language", "en", "--to", sounds, "--json").json
    assert [row["key"] for row in rows if row["state"] == "recorded"] == ["say-ok"]
    assert "Nothing to build" in callsieve.ok("prompts", "build", "--language", "en", "--to", sounds)
    record(recording, seconds=0.9)
    assert "Made 1 prompt" in callsieve.ok("prompts", "build", "--language", "en", "--to", sounds)
    recording.unlink()
    assert "Made 1 prompt in" in callsieve.ok("prompts", "build", "--language", "en", "--to", sounds), "the voice again"


def test_recording_beside_the_settings_takes_precedence(callsieve: Program, sounds: Path) -> None:
    record(callsieve.state / "prompts" / "en" / "say-ok.wav")
    near = record(callsieve.folder / "prompts" / "en" / "say-ok.wav")
    assert f"from {near})" in callsieve.ok("prompts", "build", "--language", "en", "--to", sounds, "--dry-run")


def test_manually_placed_sound_is_not_overwritten(callsieve: Program, sounds: Path, quick_voice: Path) -> None:
    by_hand = record(wav(sounds, "say-ok")).read_bytes()
    wav(sounds, "say-later").unlink()
    said = callsieve.ok("prompts", "build", "--language", "en", "--to", sounds)
    assert "en say-ok (--force" in said
    assert wav(sounds, "say-ok").read_bytes() == by_hand
    assert wav(sounds, "say-later").exists()
    assert f"Made {COUNT} prompts" in callsieve.ok("prompts", "build", "--language", "en", "--to", sounds, "--force")
    assert wav(sounds, "say-ok").read_bytes() != by_hand


@pytest.mark.parametrize("by_hand", [False, True])
def test_too_long_whisper_does_not_stop_other_prompts(callsieve: Program, sounds: Path, by_hand: bool) -> None:
    wav(sounds, "say-later").unlink()
    record(
        wav(sounds, "whisper-menu") if by_hand else callsieve.folder / "prompts" / "en" / "whisper-menu.wav", seconds=4
    )
    before = {path: path.read_bytes() for path in sounds.rglob("*.wav")}
    result = callsieve("prompts", "build", "--language", "en", "--to", sounds)
    assert result.code == 2
    assert re.match(r"callsieve: en: whisper-spam and whisper-menu .*[456]\.\d s", result.err)
    assert "3.8 s" in result.err
    assert result.out.startswith("Made 1 prompt in")
    made = {path: path.read_bytes() for path in sounds.rglob("*.wav")}
    assert made.pop(wav(sounds, "say-later"))
    assert made == before


def test_slow_voice_speaks_short_prompts_faster(
    callsieve: Program, voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12's espeak-ng 1.51 takes twice as long for Mandarin: no Chinese warning or menu fitted."""
    copy_voices(voices, tmp_path, "zh")
    short = [*sorted((tmp_path / "zh/callsieve").glob("whisper-*.wav")), tmp_path / "zh/callsieve/screening-menu.wav"]
    for path in short:
        path.unlink()
    slow = tmp_path / "slow" / "espeak-ng"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\nexec {shutil.which("espeak-ng")} "$1" "$2" "$3" $(($4 / 2)) "$5" "$6" "$7"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    callsieve.ok("prompts", "build", "--language", "zh", "--to", tmp_path)
    assert [path for path in short if not path.exists()] == []
    for path in short[1:]:  # the menu that is there was spoken faster
        path.unlink()
    callsieve.ok("prompts", "build", "--language", "zh", "--to", tmp_path)
    assert [path for path in short if not path.exists()] == []
    assert callsieve.ok("prompts", "build", "--language", "zh", "--to", tmp_path).startswith("Nothing to build")


def test_too_slow_language_does_not_stop_the_other(callsieve: Program, voices: Path, tmp_path: Path) -> None:
    """espeak-ng 1.51 makes a Chinese warning 4.5 s long: on Debian 12 nothing was built, not even English."""
    (callsieve.folder / "prompts").mkdir()
    callsieve.file("prompts/zh.toml", f'[whisper]\nspam = "{"这个电话可能是骚扰电话" * 3}"\n')
    copy_voices(voices, tmp_path, "en", "zh")
    for missing in ("en/callsieve/whisper-spam.wav", "en/callsieve/say-ok.wav", "zh/callsieve/whisper-spam.wav"):
        (tmp_path / missing).unlink()
    result = callsieve("prompts", "build", "--to", tmp_path)
    assert result.code == 2
    assert [line.partition(" together ")[0] for line in result.err.splitlines()] == [
        "callsieve: zh: whisper-spam and whisper-menu"
    ]
    built = {language: {path.stem for path in (tmp_path / language).rglob("*.wav")} for language in ("en", "zh")}
    assert built["en"] == set(prompts_of("en"))
    assert built["zh"] == set(prompts_of("zh")) - {"whisper-spam"}


def test_screening_menu_that_is_too_long_is_refused(callsieve: Program, sounds: Path) -> None:
    before = {path: path.read_bytes() for path in sounds.rglob("*.wav")}
    record(callsieve.folder / "prompts" / "en" / "screening-menu.wav", seconds=4.2)
    said = callsieve.fails("prompts", "build", "--language", "en", "--to", sounds)
    assert re.match(r"en: screening-menu lasts 4\.\d s, .*at most 4\.0 s", said)
    assert {path: path.read_bytes() for path in sounds.rglob("*.wav")} == before


def test_whispers_and_menu_are_short_in_both_languages(voices: Path) -> None:
    """With some room: another version of espeak-ng may speak a little slower."""
    for language in ("en", "zh"):
        size = {path.stem: path.stat().st_size for path in (voices / language).rglob("whisper-*.wav")}
        menu = size.pop("whisper-menu")
        assert len(size) == 6
        menu_after_a_name = voices / language / "callsieve" / "screening-menu.wav"
        assert menu_after_a_name.stat().st_size < 0.96 * SCREENING_BYTES, language
        assert max(size.values()) + menu < 0.96 * WHISPER_BYTES, language


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("say-okay.wav", "there is no prompt 'say-okay' (did you mean say-ok?)"),
        ("say-ok.flac", "say-ok.flac: sox failed: "),
        ("say-ok.wav", "say-ok.wav: the recording is silent: record the prompt again, or remove the file"),
    ],
)
def test_unusable_recording_is_named(callsieve: Program, sounds: Path, name: str, trouble: str) -> None:
    path = callsieve.folder / "prompts" / "en" / name
    record(path, amplitude=0)
    if name.endswith(".flac"):
        path.write_bytes(b"no sound")
    before = wav(sounds, "say-ok").read_bytes()
    said = callsieve.fails("prompts", "build", "--language", "en", "--to", sounds)
    assert trouble in said
    assert str(path) in said
    assert wav(sounds, "say-ok").read_bytes() == before


def test_unusable_recording_does_not_stop_other_prompts(callsieve: Program, sounds: Path) -> None:
    record(callsieve.folder / "prompts" / "en" / "say-ok.wav", amplitude=0)
    wav(sounds, "say-later").unlink()
    result = callsieve("prompts", "build", "--language", "en", "--to", sounds)
    assert (result.code, wav(sounds, "say-later").exists()) == (2, True)
    assert "say-ok.wav: the recording is silent" in result.err


def test_two_recordings_of_one_prompt_are_refused(callsieve: Program, sounds: Path) -> None:
    for suffix in ("wav", "au"):
        record(callsieve.folder / "prompts" / "en" / f"say-ok.{suffix}")
    said = callsieve.fails("prompts", "build", "--language", "en", "--to", sounds)
    assert "say-ok.au" in said


def test_remove_deletes_only_built_prompts(callsieve: Program, sounds: Path) -> None:
    recording = record(callsieve.folder / "prompts" / "en" / "say-ok.wav")
    by_hand = record(wav(sounds, "say-later"))
    wav(sounds, "say-spam").unlink()
    said = callsieve.ok("prompts", "remove", "--language", "en", "--to", sounds)
    assert said.startswith(f"Removed {COUNT - 2} prompts from {sounds}")
    assert said.endswith("callsieve prompts build\n")
    assert list(sounds.rglob("*.wav")) == [by_hand]
    assert recording.exists()
    by_hand.unlink()
    assert "Removed 0 prompts" in callsieve.ok("prompts", "remove", "--language", "en", "--to", sounds)
    assert not (sounds / "en").exists(), "a folder that was made for prompts goes with them"
    assert "--to DIR" in callsieve.fails("prompts", "remove", "--to", sounds / "nowhere")


def test_missing_programs_are_named_with_the_remedy(
    callsieve: Program, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav(sounds, "say-later").unlink()
    monkeypatch.setenv("PATH", str(callsieve.folder))
    said = callsieve.fails("prompts", "build", "--language", "en", "--to", sounds)
    assert said.startswith("espeak-ng and sox: not found; ")
    assert said.endswith("apt-get install espeak-ng sox")
    assert "Nothing to build" not in said


def test_sound_directory_is_read_from_asterisk(callsieve: Program, tmp_path: Path) -> None:
    (tmp_path / "data" / "sounds").mkdir(parents=True)
    script = callsieve.file("asterisk", f"#!/bin/sh\necho '  Data directory:              {tmp_path}/data'\n")
    script.chmod(0o755)
    callsieve.config.write_text(callsieve.config.read_text() + f'\n[asterisk]\ncommand = "{script}"\n')
    rows = callsieve("prompts", "list", "--json").json
    assert {Path(row["file"]).parents[2] for row in rows} == {tmp_path / "data" / "sounds"}
    assert {row["state"] for row in rows} == {"missing"}


def test_unreachable_asterisk_suggests_the_to_option(callsieve: Program) -> None:
    callsieve.config.write_text(callsieve.config.read_text() + '\n[asterisk]\ncommand = "/nowhere/asterisk"\n')
    assert callsieve.fails("prompts", "list").endswith("--to DIR")


def test_missing_directory_suggests_the_to_option(callsieve: Program, tmp_path: Path) -> None:
    said = callsieve.fails("prompts", "build", "--to", tmp_path / "nowhere")
    assert re.fullmatch(rf"{tmp_path}/nowhere: .*--to DIR", said)


def test_list_shows_state_length_and_text(callsieve: Program, sounds: Path) -> None:
    wav(sounds, "say-later").unlink()
    lines = callsieve.ok("prompts", "list", "--language", "en", "--to", sounds).splitlines()
    assert lines[0].split() == ["prompt", "state", "s", "text"]
    assert any(re.fullmatch(r"en  whisper-unknown +built +0\.\d  Unknown caller\.", line) for line in lines)
    assert lines[-2] == f"Prompts in {sounds}: {COUNT - 1} built, 1 missing."
    assert lines[-1].endswith(": callsieve prompts build")


def test_play_runs_the_player(callsieve: Program, sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = callsieve.folder / "played"
    player = callsieve.file("aplay", f'#!{sys.executable}\nimport sys\nopen("{played}", "w").write(sys.argv[-1])\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{callsieve.folder}{os.pathsep}{os.environ['PATH']}")
    said = callsieve.ok("prompts", "play", "say-ok", "--to", sounds)
    assert said.endswith(f"({wav(sounds, 'say-ok')})\n")
    assert played.read_text() == str(wav(sounds, "say-ok"))


def test_play_without_a_player_prints_the_path(
    callsieve: Program, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(callsieve.folder))
    said = callsieve.ok("prompts", "play", "say-ok", "--to", sounds)
    assert str(wav(sounds, "say-ok")) in said
    assert "No player is installed" in said


@pytest.mark.parametrize(
    ("key", "trouble"),
    [("say-okey", "there is no prompt 'say-okey' (did you mean say-ok?)"), ("say-ok", "does not exist yet")],
)
def test_play_of_a_missing_prompt_fails(callsieve: Program, sounds: Path, key: str, trouble: str) -> None:
    wav(sounds, "say-ok").unlink()
    assert trouble in callsieve.fails("prompts", "play", key, "--to", sounds)


def test_interrupted_build_leaves_no_partial_file(callsieve: Program, sounds: Path) -> None:
    """What is made takes its place by a rename: there is no half file and nothing is left over."""
    wav(sounds, "say-ok").unlink()
    wav(sounds, "say-ok").mkdir()
    assert callsieve("prompts", "build", "--language", "en", "--to", sounds).code == 2
    assert [path.name for path in (sounds / "en" / "callsieve").iterdir() if path.suffix != ".wav"] == []

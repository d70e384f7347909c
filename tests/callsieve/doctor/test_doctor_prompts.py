"""The doctor checks the prompts in Asterisk's sounds directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.prompts.catalogue import prompts_of
from callsieve.prompts.files import WITHOUT, PromptSource, are_built
from callsieve.prompts.wav import wav_of
from callsieve.settings import Loaded, Settings
from tests.callsieve.sounds import record, tone

COUNT = len(prompts_of("en"))


def check_prompts(folder: Path) -> Finding:
    loaded = Loaded(settings=Settings(), file=None, state=folder)
    return are_built(CheckContext(loaded, lambda _command: f"  Data directory:   {folder}\n", 0.0))


def build_prompts(folder: Path, language: str) -> None:
    place = folder / "sounds" / language / "callsieve"
    place.mkdir(parents=True)
    for key, prompt in prompts_of(language).items():
        (place / f"{key}.wav").write_bytes(wav_of(tone(0.1), PromptSource(prompt).note))


def test_missing_prompts_are_counted(tmp_path: Path) -> None:
    finding = check_prompts(tmp_path)
    assert (finding.status, finding.remedy) == (CheckStatus.WARN, "callsieve prompts build")
    missing = f"{COUNT} of {COUNT} prompts are missing"
    assert str(finding.detail) == "; ".join([f"en: {missing}", f"zh: {missing}", *(str(what) for _, what in WITHOUT)])


def test_consequence_is_known_for_every_missing_prompt() -> None:
    assert set.union(*(tables for tables, _ in WITHOUT)) == {key.partition("-")[0] for key in prompts_of("en")}


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("whisper-menu", ["warned calls are connected without the warning"]),
        ("challenge-press-3", ["callers hear Asterisk's own sounds"]),
        ("screening-ask", ["callers are asked for a digit instead of their name"]),
        (
            "digit-0",
            [
                "callers do not hear how to appeal",
                "*36 cannot explain decisions",
                "*39 cannot speak a passcode for a person's page",
            ],
        ),
    ],
)
def test_missing_prompt_names_its_consequence(tmp_path: Path, key: str, instead: list[str]) -> None:
    build_prompts(tmp_path, "en")
    build_prompts(tmp_path, "zh")
    (tmp_path / "sounds" / "zh" / "callsieve" / f"{key}.wav").unlink()
    assert str(check_prompts(tmp_path).detail) == "; ".join([f"zh: 1 of {COUNT} prompts are missing", *instead])


def test_outdated_and_missing_prompts_are_counted(tmp_path: Path) -> None:
    build_prompts(tmp_path, "en")
    build_prompts(tmp_path, "zh")
    finding = check_prompts(tmp_path)
    assert (finding.status, str(finding.detail).split()[0]) == (CheckStatus.OK, str(2 * COUNT))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "en.toml").write_text('[say]\nok = "Fine."\n')
    (tmp_path / "sounds" / "zh" / "callsieve" / "say-ok.wav").unlink()
    finding = check_prompts(tmp_path)
    assert str(finding.detail).startswith(f"en: 1 of {COUNT} prompts are outdated; zh: 1 of {COUNT}")


def test_unknown_recording_fails(tmp_path: Path) -> None:
    record(tmp_path / "prompts" / "en" / "say-okay.wav")
    assert "'say-okay'" in str(check_prompts(tmp_path).detail)
    assert check_prompts(tmp_path).status is CheckStatus.FAIL


def test_unknown_sounds_directory_is_unknown(tmp_path: Path) -> None:
    finding = are_built(CheckContext(Loaded(settings=Settings(), file=None, state=tmp_path), lambda _: "", 0.0))
    assert finding.status is CheckStatus.UNKNOWN

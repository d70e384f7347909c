"""The doctor looks for our prompts where Asterisk says its sounds are."""

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


def found(folder: Path) -> Finding:
    loaded = Loaded(settings=Settings(), file=None, state=folder)
    return are_built(CheckContext(loaded, lambda _command: f"  Data directory:   {folder}\n", 0.0))


def put(folder: Path, language: str) -> None:
    place = folder / "sounds" / language / "callsieve"
    place.mkdir(parents=True)
    for key, prompt in prompts_of(language).items():
        (place / f"{key}.wav").write_bytes(wav_of(tone(0.1), PromptSource(prompt).note))


def test_nothing_is_there(tmp_path: Path) -> None:
    finding = found(tmp_path)
    assert (finding.status, finding.remedy) == (CheckStatus.WARN, "callsieve prompts build")
    missing = f"{COUNT} of {COUNT} missing"
    assert str(finding.detail) == "; ".join([f"en: {missing}", f"zh: {missing}", *(str(what) for _, what in WITHOUT)])


def test_every_prompt_is_heard_somewhere() -> None:
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
def test_what_happens_without_a_prompt_is_said(tmp_path: Path, key: str, instead: list[str]) -> None:
    put(tmp_path, "en")
    put(tmp_path, "zh")
    (tmp_path / "sounds" / "zh" / "callsieve" / f"{key}.wav").unlink()
    assert str(found(tmp_path).detail) == "; ".join([f"zh: 1 of {COUNT} missing", *instead])


def test_all_are_there_then_one_has_another_text_and_one_is_gone(tmp_path: Path) -> None:
    put(tmp_path, "en")
    put(tmp_path, "zh")
    finding = found(tmp_path)
    assert (finding.status, str(finding.detail).split()[0]) == (CheckStatus.OK, str(2 * COUNT))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "en.toml").write_text('[say]\nok = "Fine."\n')
    (tmp_path / "sounds" / "zh" / "callsieve" / "say-ok.wav").unlink()
    finding = found(tmp_path)
    assert str(finding.detail).startswith(f"en: 1 of {COUNT} outdated; zh: 1 of {COUNT}")


def test_a_recording_that_is_no_prompts(tmp_path: Path) -> None:
    record(tmp_path / "prompts" / "en" / "say-okay.wav")
    assert "'say-okay'" in str(found(tmp_path).detail)
    assert found(tmp_path).status is CheckStatus.FAIL


def test_an_asterisk_that_does_not_say_where(tmp_path: Path) -> None:
    finding = are_built(CheckContext(Loaded(settings=Settings(), file=None, state=tmp_path), lambda _: "", 0.0))
    assert finding.status is CheckStatus.UNKNOWN

"""The files of our prompts below Asterisk's sounds: how each is, what has to be made, and making it.

<sounds>/<language>/callsieve/<key>.wav, where the dialplan plays them. Each file says in a note what it was made from
(callsieve.prompts.wav), so a build makes only what changed, and a file that somebody else put there is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory

from agi.speech import FOLDER
from callsieve.install.apply import make_directory
from callsieve.pbx.cli_output import setting_in
from callsieve.prompts.catalogue import Prompt, PromptError
from callsieve.prompts.synthesis import Source, programs_missing, voiced, way_out_of
from callsieve.prompts.wav import HEAD_BYTES, note_in, seconds_of, wav_of
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for
from policies.files import open_regular
from policies.hints import nearest, shown

# Of a warning and the menu together: [callsieve-whisper] plays no more, because Dial does not see the caller give up.
WHISPER_MENU, WHISPER_BYTES = "whisper-menu", 61000
# The same of the menu for who has heard a name ([callsieve-screened]).
SCREENING_MENU, SCREENING_BYTES = "screening-menu", 64000
# What sox reads as Debian has it; mp3 with libsox-fmt-mp3.
RECORDED_AS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au", ".gsm", ".ulaw", ".alaw")
FILE_BYTES = 20 << 20
FILE_MODE = 0o644


class PromptState(StrEnum):
    """How a prompt's file is: `by hand` is one that we did not make."""

    BUILT = "built"
    RECORDED = "recorded"
    BY_HAND = "by hand"
    OUTDATED = "outdated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt, what it is made from, its file, and how that is. `seconds` is None where there is no sound."""

    source: Source
    path: Path
    state: PromptState
    seconds: float | None = None

    @property
    def key(self) -> str:
        """Of the prompt."""
        return self.source.prompt.key


def sounds_of_asterisk(ask: Callable[[str], str]) -> Path:
    """Where Asterisk's sounds are; `ask` is its console. PromptError."""
    data = setting_in(ask("core show settings"), "Data directory")
    if data is None:
        raise PromptError("Asterisk does not say where its sounds are: name that directory with --to DIR")
    return Path(data) / "sounds"


def recordings_of(language: str, known: Mapping[str, Prompt], own: Sequence[Path]) -> dict[str, Path]:
    """Recordings of the administrator's own, by the prompt that each says. The first directory that has one counts.

    PromptError for a file that is no prompt's, and for two of one prompt.
    """
    found: dict[str, Path] = {}
    for directory in own:
        here: dict[str, Path] = {}
        for path in _sounds_in(directory / language):
            if path.stem not in known:
                raise PromptError(f"{path}: there is no prompt {shown(path.stem)}{nearest(path.stem, known)}")
            if path.stem in here:
                raise PromptError(f"{path}: {here[path.stem].name} says the same prompt: take one of the two away")
            here[path.stem] = path
        found = here | found
    return found


def _sounds_in(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    found = sorted(path for path in directory.iterdir() if path.suffix.lower() in RECORDED_AS and path.name[0] != ".")
    for path in found:
        if not path.is_file() or path.stat().st_size > FILE_BYTES:
            raise PromptError(f"{path}: no file of at most {FILE_BYTES >> 20} MB: not a recording of a prompt")
    return found


def files_of(prompts: Mapping[str, Prompt], recordings: Mapping[str, Path], sounds: Path) -> list[PromptFile]:
    """The file of each prompt of a language, as it is."""
    return [_file_of(Source(prompt, recordings.get(key)), sounds) for key, prompt in prompts.items()]


def _file_of(source: Source, sounds: Path) -> PromptFile:
    path = sounds / source.prompt.language / FOLDER / f"{source.prompt.key}.wav"
    try:
        with open_regular(path) as file:
            content = file.read() if path.stat().st_size <= FILE_BYTES else b""
    except FileNotFoundError:
        return PromptFile(source, path, PromptState.MISSING)
    return PromptFile(source, path, _state_of(source, note_in(content[:HEAD_BYTES])), seconds_of(content))


def _state_of(source: Source, note: str | None) -> PromptState:
    if note is None or not note.startswith("callsieve "):
        return PromptState.BY_HAND
    if note != source.note:
        return PromptState.OUTDATED
    return PromptState.RECORDED if source.recording else PromptState.BUILT


def to_make(files: Sequence[PromptFile], *, force: bool = False) -> list[PromptFile]:
    """Those that a build makes: what is missing or made from something else. With `force` all of them."""
    return [file for file in files if force or file.state in (PromptState.MISSING, PromptState.OUTDATED)]


def build(files: Sequence[PromptFile], made: Sequence[PromptFile], tell: Callable[[], None] = lambda: None) -> None:
    """Makes `made`, which are some of `files`: all of them are made before the first one takes its place.

    `tell` is called for each that is made. PromptError or OSError; then every file is as it was.
    """
    if missing := programs_missing([file.source for file in made]):
        raise PromptError(f"{' and '.join(missing)}: not found; {way_out_of(missing)}")
    contents = dict(_contents_of(made, tell))
    _check_whispers(files, contents)
    for file in made:
        with acting_for(file.path):
            make_directory(file.path.parent)
        with complete_file(file.path, FILE_MODE) as stream:
            stream.write(contents[file.path])


def remove(files: Sequence[PromptFile]) -> list[PromptFile]:
    """Takes away the files that we made, and the directories that are then empty. Returns what was taken away."""
    ours = [file for file in files if file.state not in (PromptState.MISSING, PromptState.BY_HAND)]
    for file in ours:
        file.path.unlink(missing_ok=True)
    for directory in {file.path.parent for file in files}:
        with suppress(OSError):  # something else is in it, or it is not there
            directory.rmdir()
    return ours


def _contents_of(made: Sequence[PromptFile], tell: Callable[[], None]) -> Iterator[tuple[Path, bytes]]:
    with TemporaryDirectory(prefix="callsieve-prompts-") as scratch, ThreadPoolExecutor(cpu_count()) as pool:
        try:
            for file, samples in zip(made, pool.map(lambda f: voiced(f.source, Path(scratch)), made), strict=True):
                yield file.path, wav_of(samples, file.source.note)
                tell()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _check_whispers(files: Sequence[PromptFile], contents: Mapping[Path, bytes]) -> None:
    """Each warning with its menu, and the menu after a name, is short enough. PromptError names what is not."""
    for language in sorted({file.source.prompt.language for file in files}):
        sizes = {f.key: _size_of(f, contents) for f in files if f.source.prompt.language == language}
        menu = sizes.get(WHISPER_MENU, 0)
        if sizes.get(SCREENING_MENU, 0) > SCREENING_BYTES:
            raise PromptError(
                f"{language}: {SCREENING_MENU} lasts {_seconds(sizes[SCREENING_MENU]):.1f} s, and no name would be "
                f"played: {_seconds(SCREENING_BYTES):.1f} s is the most: say less, or faster"
            )
        for key, size in sizes.items():
            if key.startswith("whisper-") and key != WHISPER_MENU and size + menu > WHISPER_BYTES:
                raise PromptError(
                    f"{language}: {key} and {WHISPER_MENU} last {_seconds(size + menu):.1f} s together, and no whisper "
                    f"would be played: {_seconds(WHISPER_BYTES):.1f} s is the most: say less, or faster, in one of them"
                )


def _size_of(file: PromptFile, contents: Mapping[Path, bytes]) -> int:
    if file.path in contents:
        return len(contents[file.path])
    return 0 if file.state is PromptState.MISSING else file.path.stat().st_size


def _seconds(size: int) -> float:
    return size / 16000

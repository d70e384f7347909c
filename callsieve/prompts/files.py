"""The sound files of prompts in Asterisk's sounds directory: their state, and how they are built and removed.

The dialplan plays <sounds>/<language>/callsieve/<key>.wav. Each file contains a note about its source
(callsieve.prompts.wav). So a build makes only what changed, and never replaces a file that somebody else put there.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from agi.speech import FOLDER, LANGUAGES
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, fail, ok, unknown, warn
from callsieve.install.steps import make_directory
from callsieve.pbx.cli_output import setting_in
from callsieve.prompts import wav
from callsieve.prompts.catalogue import Prompt, PromptError, own_directories, prompts_of
from callsieve.system.files import complete_file
from callsieve.system.privileges import acting_for, acting_ids
from policies.files import nearest, open_regular, shown
from reputation.encoding import FLAT, HIDDEN, encoded
from reputation.wording import Places, Wording, listed

ESPEAK, SOX = "espeak-ng", "sox"
PACKAGES = {ESPEAK: "espeak-ng", SOX: "sox"}  # as Debian, Fedora and Arch call them
SECONDS_ALLOWED = 30.0  # for one run of either; a prompt takes 0.05 s

# Asterisk's en_US_f_Allison, measured with callsieve.prompts.wav.loudness_of: -14.9 to -19.0 dB, median -17.5.
LOUDNESS_DB = -18.0
PEAK_DB = -1.0
LONGEST_SECONDS = 30.0  # maximum length of a recording: nobody listens longer

# Increase this if the same text would become another sound.
RECIPE = 1

_RAW = ("-t", "raw", "-r", str(wav.RATE), "-e", "signed", "-b", "16", "-c", "1")
_AT_THE_ENDS = ("silence", "1", "0.02", "-50d", "reverse") * 2
# Seconds of silence after a prompt. More after digits and letters, which people write down.
_PAUSE_BY_TABLE = {"digit": 0.2, "letter": 0.2}
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class PromptSource:
    """The source of a prompt's sound: its text, or a recording of the text."""

    prompt: Annotated[Prompt, FLAT]
    recording: Annotated[Path | None, HIDDEN] = None

    @property
    def note(self) -> str:
        """The note for the sound file. It changes with the text, voice, pace or recording."""
        if self.recording is not None:
            return f"callsieve {RECIPE} recorded {sha256(self.recording.read_bytes()).hexdigest()[:32]}"
        spoken = f"{self.prompt.voice}\n{self.prompt.words_per_minute}\n{self.prompt.text}"
        return f"callsieve {RECIPE} spoken {sha256(spoken.encode()).hexdigest()[:32]}"


def programs_missing(sources: list[PromptSource]) -> list[str]:
    """Return the programs that building these sources needs and that are not installed."""
    needed = [SOX] if sources else []
    if any(source.recording is None for source in sources):
        needed.insert(0, ESPEAK)
    return [program for program in needed if shutil.which(program) is None]


def voiced(source: PromptSource, scratch: Path) -> bytes:
    """Return a prompt's samples: 8 kHz, 16 bits, little-endian, as loud as other prompts. Raise PromptError."""
    spoken = source.recording or _spoken(source.prompt, scratch / f"{source.prompt.language}-{source.prompt.key}.wav")
    samples = _converted(source, spoken)
    seconds = len(samples) / wav.RATE / wav.SAMPLE_BYTES
    if seconds > LONGEST_SECONDS:
        raise PromptError(f"{spoken}: {seconds:.0f} s: a prompt must not be longer than {LONGEST_SECONDS:.0f} s")
    loudness = wav.loudness_of(samples)
    if loudness < -60:
        raise PromptError(f"{spoken}: the recording is silent: record the prompt again, or remove the file")
    # A voice that has peaks far above its loudness stays a little quieter: nothing is cut off or compressed.
    return wav.amplified(samples, min(LOUDNESS_DB - loudness, PEAK_DB - wav.peak_of(samples)))


def _spoken(prompt: Prompt, path: Path) -> Path:
    arguments = ("-v", prompt.voice, "-s", str(prompt.words_per_minute), "-w", str(path), "--stdin")
    _run([ESPEAK, *arguments], f"{prompt.language}: {prompt.key}", prompt.text.encode())
    return path


def _converted(source: PromptSource, sound: Path) -> bytes:
    where = str(source.recording or f"{source.prompt.language}: {source.prompt.key}")
    pause = _PAUSE_BY_TABLE.get(source.prompt.key.partition("-")[0], _PAUSE)
    effects = ("gain", "-6", "highpass", "100", *_AT_THE_ENDS, "pad", "0.02", str(pause))
    return _run([SOX, "-V1", "-D", str(sound), *_RAW, "-", *effects], where)


def _run(command: list[str], where: str, fed: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            command, input=fed, capture_output=True, timeout=SECONDS_ALLOWED, check=False, **acting_ids()
        )
    except FileNotFoundError:
        raise PromptError(f"{command[0]} is not installed: {remedy_for([command[0]])}") from None
    except subprocess.TimeoutExpired:
        raise PromptError(f"{where}: {command[0]} did not end within {SECONDS_ALLOWED:.0f} s") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise PromptError(f"{where}: {command[0]} failed: {lines[-1] if lines else 'no reason given'}")
    return done.stdout


def remedy_for(missing: list[str]) -> str:
    """Return a text that says how to install the missing programs."""
    return f"on Debian, install with: apt-get install {' '.join(PACKAGES[program] for program in missing)}"


# Maximum bytes of warning and menu in [callsieve-whisper]: meanwhile Dial would not notice a caller's hang-up.
WHISPER_MENU, WHISPER_BYTES = "whisper-menu", 61000
# Factors for the pace: espeak-ng 1.51 speaks Mandarin slower than 1.52. The second is for even slower voices.
SLOW_VOICE_PACES = (1.75, 2.25)
# Maximum bytes of the menu after a caller's name ([callsieve-screened]).
SCREENING_MENU, SCREENING_BYTES = "screening-menu", 64000
# Formats that Debian's sox reads; mp3 needs libsox-fmt-mp3.
RECORDED_AS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au", ".gsm", ".ulaw", ".alaw")
FILE_BYTES = 20 << 20
FILE_MODE = 0o644


class PromptState(StrEnum):
    """The state of a prompt's sound file. `recorded`: made from a recording. `by hand`: not built by CallSieve."""

    BUILT = "built"
    RECORDED = "recorded"
    BY_HAND = "by hand"
    OUTDATED = "outdated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt with its source, sound file and state. `seconds`: None if there is no sound file."""

    source: Annotated[PromptSource, FLAT]
    path: Annotated[Path, HIDDEN]
    state: PromptState
    seconds: float | None = None

    @property
    @encoded
    def file(self) -> str:
        """The path of the sound file."""
        return str(self.path)

    @property
    @encoded
    def recording(self) -> str | None:
        """The path of the recording used as source; null for the synthetic voice."""
        return None if self.source.recording is None else str(self.source.recording)

    @property
    def key(self) -> str:
        """The prompt's key."""
        return self.source.prompt.key


def sounds_of_asterisk(ask: Callable[[str], str]) -> Path:
    """Return Asterisk's sounds directory. `ask`: runs a command in Asterisk's console. Raise PromptError."""
    data = setting_in(ask("core show settings"), "Data directory")
    if data is None:
        raise PromptError("Asterisk does not say where its sounds are: name that directory with --to DIR")
    return Path(data) / "sounds"


def recordings_of(language: str, known: Mapping[str, Prompt], own: Sequence[Path]) -> dict[str, Path]:
    """Return the administrator's recordings by prompt key, each from the first directory that contains it.

    Raises:
        PromptError: A recording matches no prompt, or two recordings match the same prompt.
    """
    recordings: dict[str, Path] = {}
    for directory in own:
        here: dict[str, Path] = {}
        for path in _sounds_in(directory / language):
            if path.stem not in known:
                raise PromptError(f"{path}: there is no prompt {shown(path.stem)}{nearest(path.stem, known)}")
            if path.stem in here:
                raise PromptError(f"{path}: {here[path.stem].name} is for the same prompt: remove one of the two")
            here[path.stem] = path
        recordings = here | recordings
    return recordings


def _sounds_in(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in RECORDED_AS and path.name[0] != ".")
    for path in paths:
        if not path.is_file() or path.stat().st_size > FILE_BYTES:
            raise PromptError(f"{path}: not a regular file of at most {FILE_BYTES >> 20} MB: remove it")
    return paths


def files_of(prompts: Mapping[str, Prompt], recordings: Mapping[str, Path], sounds: Path) -> list[PromptFile]:
    """Return the sound file of each prompt, with its state."""
    return [_file_of(PromptSource(prompt, recordings.get(key)), sounds) for key, prompt in prompts.items()]


def _file_of(source: PromptSource, sounds: Path) -> PromptFile:
    path = sounds / source.prompt.language / FOLDER / f"{source.prompt.key}.wav"
    try:
        with open_regular(path) as file:
            content = file.read() if path.stat().st_size <= FILE_BYTES else b""
    except FileNotFoundError:
        return PromptFile(source, path, PromptState.MISSING)
    return PromptFile(source, path, _state_of(source, wav.note_in(content[: wav.HEAD_BYTES])), wav.seconds_of(content))


def _state_of(source: PromptSource, note: str | None) -> PromptState:
    if note is None or not note.startswith("callsieve "):
        return PromptState.BY_HAND
    if note != source.note:
        return PromptState.OUTDATED
    return PromptState.RECORDED if source.recording else PromptState.BUILT


def to_make(files: Sequence[PromptFile], *, force: bool = False) -> list[PromptFile]:
    """Return the files that a build makes: missing and outdated files, or all with `force`."""
    return [file for file in files if force or file.state in (PromptState.MISSING, PromptState.OUTDATED)]


def build(
    files: Sequence[PromptFile], made: Sequence[PromptFile], tell: Callable[[], None] = lambda: None
) -> tuple[list[PromptFile], list[str]]:
    """Build the prompts in `made`, a subset of `files`. Return the built prompts, and an error for each failed prompt.

    A prompt that fails keeps its file and does not stop the others. Files are replaced only after all prompts were
    tried. `tell` is called after each prompt.

    Raises:
        PromptError: A program is missing. No file was changed.
        OSError: A file cannot be written.
    """
    if missing := programs_missing([file.source for file in made]):
        raise PromptError(f"{' and '.join(missing)}: not found; {remedy_for(missing)}")
    results = dict(_contents_of(made, tell))
    results |= _spoken_faster(files, made, results)
    contents = {path: content for path, content in results.items() if isinstance(content, bytes)}
    failures = [str(error) for error in results.values() if isinstance(error, PromptError)]
    failures += _leave_out_too_long(files, contents)
    done = [file for file in made if file.path in contents]
    for file in done:
        with acting_for(file.path):
            make_directory(file.path.parent)
        with complete_file(file.path, FILE_MODE) as stream:
            stream.write(contents[file.path])
    return done, failures


def remove(files: Sequence[PromptFile]) -> list[PromptFile]:
    """Remove the sound files that CallSieve built, and directories that became empty. Return the removed files."""
    removed = [file for file in files if file.state not in (PromptState.MISSING, PromptState.BY_HAND)]
    for file in removed:
        file.path.unlink(missing_ok=True)
    for directory in {file.path.parent for file in files}:
        with suppress(OSError):  # something else is in it, or it is not there
            directory.rmdir()
            directory.parent.rmdir()
    return removed


def _contents_of(made: Sequence[PromptFile], tell: Callable[[], None]) -> Iterator[tuple[Path, bytes | PromptError]]:
    with TemporaryDirectory(prefix="callsieve-prompts-") as scratch, ThreadPoolExecutor(cpu_count()) as pool:
        try:
            for file, content in zip(made, pool.map(lambda f: _made(f, Path(scratch)), made), strict=True):
                yield file.path, content
                tell()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _made(file: PromptFile, scratch: Path) -> bytes | PromptError:
    try:
        return wav.wav_of(voiced(file.source, scratch), file.source.note)
    except PromptError as error:
        return error


def _spoken_faster(
    files: Sequence[PromptFile], made: Sequence[PromptFile], results: Mapping[Path, bytes | PromptError]
) -> dict[Path, bytes]:
    """Build too long prompts again, at a faster pace: the Mandarin voice of Debian 12 takes twice as long as others."""
    faster: dict[Path, bytes] = {}
    contents = {path: content for path, content in results.items() if isinstance(content, bytes)}
    spoken = {file.path for file in made if not file.source.recording and file.path in contents}
    for language in sorted({file.source.prompt.language for file in made}):
        all_files = [file for file in files if file.source.prompt.language == language]
        for pace in SLOW_VOICE_PACES:
            too_long = _too_long(all_files, contents | faster)
            faster |= _at_pace([file for file in too_long if file.path in spoken], pace)
    return faster


def _too_long(files: Sequence[PromptFile], contents: Mapping[Path, bytes]) -> list[PromptFile]:
    """Return the screening menu if it is too long for the dialplan.

    Add all `whisper-*` prompts if the longest warning is too long together with the menu that follows it.
    """
    sizes = {file.key: _size_of(file, contents) for file in files}
    warnings = [size for key, size in sizes.items() if key.startswith("whisper-") and key != WHISPER_MENU]
    warned = sizes.get(WHISPER_MENU, 0) + max(warnings, default=0) > WHISPER_BYTES
    return [
        file
        for file in files
        if (file.key.startswith("whisper-") and warned)
        or (file.key == SCREENING_MENU and sizes[file.key] > SCREENING_BYTES)
    ]


def _at_pace(files: Sequence[PromptFile], pace: float) -> dict[Path, bytes]:
    sounds: dict[Path, bytes] = {}
    with TemporaryDirectory(prefix="callsieve-prompts-") as scratch:
        for file in files:
            words = round(file.source.prompt.words_per_minute * pace)
            quick = replace(file.source, prompt=replace(file.source.prompt, words_per_minute=words))
            with suppress(PromptError):
                sounds[file.path] = wav.wav_of(voiced(quick, Path(scratch)), file.source.note)
    return sounds


def _leave_out_too_long(files: Sequence[PromptFile], contents: dict[Path, bytes]) -> Iterator[str]:
    """Remove sounds from `contents` that are too long for the dialplan. Yield an error for each removed sound."""
    for language in sorted({file.source.prompt.language for file in files}):
        of_key = {file.key: file for file in files if file.source.prompt.language == language}
        screening = of_key.get(SCREENING_MENU)
        if screening is not None and (size := _size_of(screening, contents)) > SCREENING_BYTES:
            contents.pop(screening.path, None)
            yield (
                f"{language}: {SCREENING_MENU} lasts {_seconds(size):.1f} s, but may last at most "
                f"{_seconds(SCREENING_BYTES):.1f} s, because the caller's name follows it: shorten it, or speak faster"
            )
        yield from _too_long_with_menu(language, of_key, contents)


def _too_long_with_menu(language: str, of_key: Mapping[str, PromptFile], contents: dict[Path, bytes]) -> Iterator[str]:
    """Yield an error for each warning that is too long with its menu. Remove the one of the two that was built now."""
    menu = of_key[WHISPER_MENU]
    for key, file in of_key.items():
        if not key.startswith("whisper-") or file is menu:
            continue
        while (size := _size_of(file, contents) + _size_of(menu, contents)) > WHISPER_BYTES:
            yield (
                f"{language}: {key} and {WHISPER_MENU} together last {_seconds(size):.1f} s, but a whisper "
                f"must not be longer than {_seconds(WHISPER_BYTES):.1f} s: shorten one of the two, or speak faster"
            )
            if contents.pop(file.path, None) is None and contents.pop(menu.path, None) is None:
                return  # both were there before


def _size_of(file: PromptFile, contents: Mapping[Path, bytes]) -> int:
    if file.path in contents:
        return len(contents[file.path])
    return 0 if file.state is PromptState.MISSING else file.path.stat().st_size


def _seconds(size: int) -> float:
    return size / 16000


BUILD = "callsieve prompts build"

# Where prompts are heard, by their tables, and what happens there without one.
WITHOUT = (
    ({"whisper"}, Wording("warned calls are connected without the warning")),
    ({"challenge", "caller", "proof"}, Wording("callers hear Asterisk's own sounds")),
    ({"screening"}, Wording("callers are asked for a digit instead of their name")),
    ({"withheld"}, Wording("callers are asked for a digit instead of their hidden number")),
    ({"appeal", "letter", "digit"}, Wording("callers do not hear how to appeal")),
    ({"outbound"}, Wording("people whose call is held hear Asterisk's own sounds")),
    ({"say"}, Wording("feature codes speak with Asterisk's own sounds")),
    ({"explain", "count", "digit"}, Wording("*36 cannot explain decisions")),
    ({"passcode", "digit"}, Wording("*39 cannot speak a passcode for a person's page")),
)


def are_built(context: CheckContext) -> Finding:
    """Check that all prompts are built. In place of a missing prompt, Asterisk plays a sound of its own, or nothing."""
    own = own_directories(context.loaded)
    troubles: list[Wording] = []
    missing = set[str]()
    built = 0
    try:
        sounds = sounds_of_asterisk(context.ask)
    except PromptError as error:
        return unknown(str(error).partition(":")[0])
    try:
        for language in LANGUAGES:
            prompts = prompts_of(language, own)
            files = files_of(prompts, recordings_of(language, prompts, own), sounds)
            for state in (PromptState.MISSING, PromptState.OUTDATED):
                if count := sum(file.state is state for file in files):
                    how: Places = {
                        "language": language,
                        "count": count,
                        "all": len(files),
                        "state": Wording(state.value),
                    }
                    troubles.append(Wording("{language}: {count} of {all} prompts are {state}", how))
            missing |= {file.key.partition("-")[0] for file in files if file.state is PromptState.MISSING}
            built += len(files)
    except PromptError as error:
        return fail(str(error))
    if troubles:
        return warn(
            listed([*troubles, *[what for tables, what in WITHOUT if tables & missing]], "{some}; {more}"), BUILD
        )
    return ok(
        Wording("{count} prompts are built, in {languages}", {"count": built, "languages": " and ".join(LANGUAGES)})
    )


CHECKS = (HealthCheck(place=160, name="prompts", find=are_built),)

"""The commands `callsieve prompts`: build the sound files of prompts, list them, and play them."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from agi.speech import LANGUAGES
from callsieve.cli.errors import CommandError, fail_with
from callsieve.cli.options import ConfigOption, JsonOption, print_json, settings_of
from callsieve.cli.output import counted, plural, print_table, say
from callsieve.install.plan import InstallError
from callsieve.pbx.cli_client import ConsoleError, console
from callsieve.prompts.catalogue import PromptError, known_language, own_directories, prompts_of
from callsieve.prompts.files import PromptFile, build, files_of, recordings_of, remove, sounds_of_asterisk, to_make
from callsieve.settings import Loaded
from callsieve.system.privileges import acting_for, acting_ids
from policies.files import nearest, shown

ToOption = Annotated[
    Path | None,
    typer.Option("--to", metavar="DIR", help="The directory of Asterisk's sounds. Default: as Asterisk reports it."),
]
LanguageOption = Annotated[
    list[str] | None,
    typer.Option("--language", metavar="LANGUAGE", help="Only this language: en or zh; may be repeated."),
]

# Programs that play 8 kHz WAV without further options, the simplest first.
PLAYERS = (("aplay", "-q"), ("play", "-q"), ("paplay",), ("afplay",))
STYLE_BY_STATE = {"built": "green", "recorded": "green", "by hand": "cyan", "outdated": "yellow", "missing": "red"}
BUILD = "callsieve prompts build"
MOST_NAMED = 4


def build_prompts(
    language: LanguageOption = None,
    to: ToOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build all prompts, and replace files that were added by hand.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be built, without building it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Build sound files for prompts that are missing, or whose text, voice or recording has changed.

    Your own recordings replace the synthetic voice: prompts/LANGUAGE/KEY.wav beside the settings or in the state
    directory.
    """
    with _one_line():
        files = _files(settings_of(config), language, to)
        made, failures = to_make(files, force=force), list[str]()
        if made and not dry_run:
            with counted(len(made), "prompts") as tell:
                made, failures = build(files, made, tell)
    recorded = sum(file.source.recording is not None for file in made)
    what = f"{plural(len(made), 'prompt')}{f', {recorded} of them from recordings' if recorded else ''}"
    where = f"in {_sounds_shown(files)}"
    if dry_run:
        say(f"Would build {what} {where}." if made else f"Nothing to build: all prompts are up to date {where}.")
        for file in made:
            say(f"  {file.source.prompt.language}  {file.key}  ({file.state}{_by(file)})")
        say("Nothing was changed.")
        return
    if made or not failures:
        say(f"Made {what} {where}." if made else f"Nothing to build: all prompts are up to date {where}.")
    if by_hand := [file for file in files if file.state == "by hand" and file not in made]:
        say(f"Not replaced, because they were added by hand: {_some(by_hand)} (--force replaces them).")
    unsaid = len(failures) - MOST_NAMED
    fail_with(
        failures[:MOST_NAMED] + ([f"and {plural(unsaid, 'prompt')} more could not be built"] if unsaid > 0 else [])
    )


def remove_prompts(language: LanguageOption = None, to: ToOption = None, config: ConfigOption = None) -> None:
    """Remove the sound files that `prompts build` made. Your recordings, your texts and files added by hand stay."""
    with _one_line():
        files = _files(settings_of(config), language, to)
    with acting_for(files[0].path):
        removed = remove(files)
    say(f"Removed {plural(len(removed), 'prompt')} from {_sounds_shown(files)}. To build them again: {BUILD}")


def _by(file: PromptFile) -> str:
    return f", from {file.source.recording}" if file.source.recording else ""


def _sounds_shown(files: list[PromptFile]) -> str:
    return str(files[0].path.parent.parent.parent)


def _some(files: list[PromptFile]) -> str:
    names = [f"{file.source.prompt.language} {file.key}" for file in files]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def list_prompts(
    language: LanguageOption = None, to: ToOption = None, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Show every prompt with its text, length, and whether its sound file is up to date.

    built: spoken by the synthetic voice; recorded: from your recording; by hand: not built by CallSieve.
    """
    with _one_line():
        files = _files(settings_of(config), language, to)
    if as_json:
        print_json(files)
        return
    print_table(
        ("", "prompt", "state", "s", "text"),
        (
            (
                file.source.prompt.language,
                file.key,
                Text(file.state.value, STYLE_BY_STATE[file.state]),
                "" if file.seconds is None else f"{file.seconds:.1f}",
                file.source.prompt.text,
            )
            for file in files
        ),
        keep=(0, 1, 2, 3),
        right=(3,),
    )
    counts = Counter(file.state.value for file in files)
    say(f"Prompts in {_sounds_shown(files)}: {', '.join(f'{count} {state}' for state, count in counts.items())}.")
    if counts["missing"] or counts["outdated"]:
        say(f"To build missing or outdated prompts: {BUILD}")


def play_prompt(
    key: Annotated[
        str,
        typer.Argument(help="The prompt's name in `callsieve prompts list`, such as whisper-spam.", show_default=False),
    ],
    language: Annotated[
        str, typer.Option("--language", metavar="LANGUAGE", help="Language of the prompt: en or zh.")
    ] = "en",
    to: ToOption = None,
    config: ConfigOption = None,
) -> None:
    """Play a prompt on this computer. If no player is installed, show the path of the file."""
    with _one_line():
        files = {file.key: file for file in _files(settings_of(config), [language], to)}
    file = files.get(key)
    if file is None:
        raise CommandError(f"there is no prompt {shown(key)}{nearest(key, files)}; `callsieve prompts list` shows them")
    if file.state == "missing":
        raise CommandError(f"{file.path} does not exist yet: to build it, run {BUILD}")
    say(f"{file.source.prompt.text}  ({file.path})")
    player = next((player for player in PLAYERS if shutil.which(player[0])), None)
    if player is None:
        say("No player is installed (aplay or play): listen to the file on another computer.")
        return
    done = subprocess.run([*player, str(file.path)], capture_output=True, timeout=60, check=False, **acting_ids())
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise CommandError(f"{player[0]} could not play the file: {last}: listen to it on another computer")


def _files(loaded: Loaded, languages: list[str] | None, to: Path | None) -> list[PromptFile]:
    wanted = [known_language(text) for text in dict.fromkeys(languages or LANGUAGES)]
    own = own_directories(loaded)
    sounds = to.absolute() if to else sounds_of_asterisk(lambda command: console(loaded.settings, command))
    if not sounds.is_dir():
        raise PromptError(f"{sounds}: no such directory: name the directory of Asterisk's sounds with --to DIR")
    files: list[PromptFile] = []
    for language in wanted:
        prompts = prompts_of(language, own)
        files += files_of(prompts, recordings_of(language, prompts, own), sounds)
    return files


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except ConsoleError as error:
        raise CommandError(f"{error}; or name the directory of Asterisk's sounds with --to DIR") from None
    except (InstallError, PromptError) as error:
        raise CommandError(str(error)) from None

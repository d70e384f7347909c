"""The doctor's check of our prompts: all are there, in every language, and say what they are to say."""

from __future__ import annotations

from agi.speech import LANGUAGES
from callsieve.examining import Finding, Ground, fail, ok, unknown, warn
from callsieve.prompt_files import State, files_of, recordings_of, sounds_of_asterisk
from callsieve.prompts import PromptError, own_directories, prompts_of

BUILD = "callsieve prompts build"


def are_built(ground: Ground) -> Finding:
    """Without them nobody is warned by voice, and Asterisk's own sounds say the rest, in their own words."""
    own = own_directories(ground.loaded)
    troubles = []
    built = 0
    try:
        sounds = sounds_of_asterisk(ground.ask)
    except PromptError as error:
        return unknown(str(error).partition(":")[0])
    try:
        for language in LANGUAGES:
            prompts = prompts_of(language, own)
            files = files_of(prompts, recordings_of(language, prompts, own), sounds)
            for state in (State.MISSING, State.OUTDATED):
                if count := sum(file.state is state for file in files):
                    troubles.append(f"{language}: {count} of {len(files)} {state}")
            built += len(files)
    except PromptError as error:
        return fail(str(error))
    if troubles:
        return warn(f"{'; '.join(troubles)}: no spoken warning without its prompt", BUILD)
    return ok(f"{built} are built, in {' and '.join(LANGUAGES)}")

"""The health check of our prompts: all are there, in every language, and say what they are to say."""

from __future__ import annotations

from agi.speech import LANGUAGES
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, fail, ok, unknown, warn
from callsieve.prompts.catalogue import PromptError, own_directories, prompts_of
from callsieve.prompts.files import PromptState, files_of, recordings_of, sounds_of_asterisk
from reputation.wording import Places, Wording, listed

BUILD = "callsieve prompts build"

# Where prompts are heard, by their tables, and what happens there without one.
WITHOUT = (
    ({"whisper"}, Wording("warned calls are connected without the warning")),
    ({"challenge", "caller", "proof"}, Wording("callers hear Asterisk's own sounds")),
    ({"screening"}, Wording("nobody is asked for a name, but for a digit")),
    ({"withheld"}, Wording("nobody is asked for a hidden number, but for a digit")),
    ({"appeal", "letter", "digit"}, Wording("nobody hears how to appeal")),
    ({"outbound"}, Wording("held calls are told so by Asterisk's own sounds")),
    ({"say"}, Wording("feature codes speak with Asterisk's own sounds")),
    ({"explain", "count", "digit"}, Wording("*36 cannot explain")),
)


def are_built(ground: CheckContext) -> Finding:
    """Without them nobody is warned by voice, and Asterisk's own sounds say the rest, in their own words."""
    own = own_directories(ground.loaded)
    troubles: list[Wording] = []
    missing = set[str]()
    built = 0
    try:
        sounds = sounds_of_asterisk(ground.ask)
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
                    troubles.append(Wording("{language}: {count} of {all} {state}", how))
            missing |= {file.key.partition("-")[0] for file in files if file.state is PromptState.MISSING}
            built += len(files)
    except PromptError as error:
        return fail(str(error))
    if troubles:
        return warn(listed([*troubles, *_instead_of(missing)], "{some}; {more}"), BUILD)
    return ok(Wording("{count} are built, in {languages}", {"count": built, "languages": " and ".join(LANGUAGES)}))


def _instead_of(missing: set[str]) -> list[Wording]:
    """What happens where prompts of these tables are missing."""
    return [what for tables, what in WITHOUT if tables & missing]


CHECKS = (HealthCheck(place=160, name="prompts", find=are_built),)

"""Names in dialplan, code and docs must agree."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from agi.answers import CONTEXTS, OWN_NUMBER_RULE, Variable
from agi.display import WORD_BY_CATEGORY
from agi.screening import PATHS
from callsieve.install.plan import FREEPBX_FILES
from callsieve.prompts.catalogue import prompts_of
from callsieve.prompts.files import SCREENING_BYTES, WHISPER_BYTES
from policies.engine import STEPS
from policies.relations import LAST_STEP_ABOVE_PEOPLE
from reputation.feature_codes import CODES, Spoken

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agi", "ami_listener", "benchmarks", "callsieve", "policies", "reputation", "tests")
DIALPLAN = "\n".join(
    line
    for name in FREEPBX_FILES
    for line in (ROOT / "asterisk-conf" / name).read_text().splitlines()
    if not line.startswith(";")
)
# Read from an administrator's own [globals], or used within the dialplan only.
DIALPLANS_OWN = {"CALLSIEVE_AGI", "CALLSIEVE_ALERT_TAG", "CALLSIEVE_ALERT_WARN", "CALLSIEVE_VERSTAT_HEADER"}
DIALPLANS_OWN |= {"CALLSIEVE_PLAIN", "CALLSIEVE_TAGGED", "CALLSIEVE_PRESSED", "CALLSIEVE_SAID", "CALLSIEVE_FROM"}
DIALPLANS_OWN |= {"CALLSIEVE_WAS", "CALLSIEVE_WAS_DIAL", "CALLSIEVE_WAS_NAME", "CALLSIEVE_USUAL", "CALLSIEVE_QUEUED"}
DIALPLANS_OWN |= {"CALLSIEVE_CARRIER", "CALLSIEVE_MONITOR"}
DIALPLANS_OWN |= {"CALLSIEVE_OUTBOUND_HELD", "CALLSIEVE_OUTBOUND_REFUSED"}
# Of the call file that the call-back helper writes.
DIALPLANS_OWN |= {"CALLSIEVE_TICKET", "CALLSIEVE_SECONDS"}
# For the dialplan and logs of an administrator. Our dialplan does not need them.
FOR_OTHERS = {"CALLSIEVE_OUTBOUND_RULE", "CALLSIEVE_OUTBOUND_ID", "CALLSIEVE_OUTBOUND_REASON"}
FOR_OTHERS |= {"CALLSIEVE_REASON", "CALLSIEVE_LEVEL", "CALLSIEVE_POINTS", "CALLSIEVE_DIAL", "CALLSIEVE_LABEL"}


IN_DIALPLAN = set(re.findall(r"CALLSIEVE_[A-Z_]+[A-Z]", DIALPLAN))


def test_dialplan_reads_exactly_the_variables_that_code_sets() -> None:
    answers = {value.removeprefix("__") for name, value in vars(Variable).items() if name.isupper()}
    assert IN_DIALPLAN - answers == DIALPLANS_OWN
    assert answers - IN_DIALPLAN <= FOR_OTHERS


def test_every_dialplan_variable_is_documented() -> None:
    page = (ROOT / "docs" / "contributing" / "architecture.md").read_text()
    missing = [name for name in IN_DIALPLAN if f"_{name.removeprefix('CALLSIEVE_')}" not in page]
    assert missing == []


def test_dialplan_stops_only_its_own_recording() -> None:
    """An administrator may record the call, too."""
    stopped = re.findall(r"StopMixMonitor\((.*)\)$", DIALPLAN, re.MULTILINE)
    assert set(stopped) == {"${CALLSIEVE_MONITOR}"}


def test_contexts_of_gosub_and_goto_exist_once() -> None:
    contexts = re.findall(r"^\[([\w-]+)\]$", DIALPLAN, re.MULTILINE)
    assert len(contexts) == len(set(contexts))
    assert {*re.findall(r"(?:Gosub|Goto)\((callsieve[\w-]*),", DIALPLAN), *CONTEXTS} <= set(contexts)


def test_goto_labels_are_in_the_same_extension() -> None:
    lost = []
    for extension in re.split(r"^(?=exten => |\[)", DIALPLAN, flags=re.MULTILINE):
        labels = set(re.findall(r"(?:1|n)\((\w+)\),", extension))
        used = set(re.findall(r"\bGoto(?:If)?\((?:.*\?:?)?([a-z]\w*)\)$", extension, re.MULTILINE))
        lost += [(extension.partition("\n")[0], label) for label in sorted(used - labels)]
    assert lost == []


def test_every_dialplan_label_is_used() -> None:
    """From their own extension, or by name from another one: `Goto(callsieve-code,s,say)`."""
    gone_to = set(re.findall(r"[?:,(]([a-z]\w*)\)$|\?([a-z]\w*):", DIALPLAN, re.MULTILINE))
    words_used = {word for pair in gone_to for word in pair if word}
    labels = set(re.findall(r"=> n\((\w+)\),", DIALPLAN))
    assert labels - words_used == set()


def test_every_dialplan_line_has_valid_syntax() -> None:
    form = re.compile(r"^(\[[\w-]+\]|exten => \S+,1,.+| same => n(\(\w+\))?,.+|)$")
    assert [line for line in DIALPLAN.splitlines() if not form.match(line)] == []


def test_agi_handles_every_path_that_the_dialplan_requests() -> None:
    asked = set(re.findall(r"(?:callsieve-ask,s,1\(|AGI\(.*\}/)(\w+)", DIALPLAN))
    assert asked <= set(PATHS)
    assert set(PATHS) - asked == {"status", "emergency"}, "the doctor, and dialplans of an older version"


def words(pattern: str, text: str) -> set[str]:
    return set(re.findall(pattern, text))


def test_rules_above_people_are_not_screened_again_after_an_ivr() -> None:
    [pattern] = [word_ for word_ in words(r'"\$\{CALLSIEVE_RULE\}" =~ "([^"]+)"', DIALPLAN) if "internal" in word_]
    above_people = {rule for step in STEPS if step.number <= LAST_STEP_ABOVE_PEOPLE for rule in step.rules}
    assert {rule for step in STEPS for rule in step.rules if re.search(pattern, rule)} == above_people


def test_every_feature_code_answer_can_be_spoken() -> None:
    spoken = words(r"exten => say-([a-z-]+),1", DIALPLAN)
    assert words(r"callsieve-code,s,1\(([a-z]+)\)", DIALPLAN) == CODES
    assert set(Spoken) == spoken - {"later"}, "later: nothing came back"


def test_whisper_size_in_dialplan_equals_that_of_the_build() -> None:
    assert words(r"\$\{menu\} > (\d+)\]", DIALPLAN) == {str(WHISPER_BYTES)}


def test_name_menu_size_in_dialplan_equals_that_of_the_build() -> None:
    assert words(r"\$\{size\} > (\d+)\]", DIALPLAN) == {str(SCREENING_BYTES)}


# Prompts whose name comes from a variable of the dialplan.
NAMED_BY_VALUE = {
    "challenge-press-${digit}": {f"challenge-press-{digit}" for digit in range(1, 10)},
    "digit-${claim:${at}:1}": {f"digit-{digit}" for digit in range(10)},
    "whisper-${CALLSIEVE_WHISPER}": {
        f"whisper-{word}" for word in {*WORD_BY_CATEGORY.values(), OWN_NUMBER_RULE, "spam", "unknown"}
    },
}


# Their prompts are put together in agi/speech.py (tests/agi/test_speech.py), or are a word of [callsieve-say].
SPOKEN_SCENES = ("say-", "explain-", "passcode-", "count-")


def prompts_of_the_dialplan() -> set[str]:
    """Return the keys of prompts that the dialplan plays or checks."""
    named = words(r"(?:callsieve-sound|callsieve-say-to-caller),s,1\(([^,)]+)", DIALPLAN)
    named |= words(r"callsieve/([a-z][^,)&]*)", DIALPLAN) | words(r"\$\{folder\}/([^,)]+?)(?:\.wav)?[,)]", DIALPLAN)
    named |= words(r"LOCAL\(said\)=([a-z][a-z-]+)\)", DIALPLAN)
    found: set[str] = set()
    for key in named:
        if not key.startswith(("${", "say-${")):  # a variable that one of the others is in, and *NN (below)
            found |= NAMED_BY_VALUE.get(key, {key})
    return {key for key in found if not key.startswith(("off", "emergency"))}  # entries of AstDB


def test_prompts_of_dialplan_and_catalogue_are_the_same() -> None:
    catalogue = set(prompts_of("en"))
    of_the_dialplan = prompts_of_the_dialplan()
    assert of_the_dialplan - catalogue == set()
    assert of_the_dialplan >= {"challenge-press-7", "screening-says-nothing", "caller-message", "digit-0"}
    others = {
        key for key in catalogue - of_the_dialplan if not key.startswith(("say-", "explain-", "passcode-", "count-"))
    }
    assert others == {"appeal-address"} | {key for key in catalogue if key.startswith("letter-")}


def test_every_documented_failure_has_a_test() -> None:
    folder = ROOT / "tests" / "integration"
    tests = "\n".join(path.read_text() for path in folder.glob("test_*.py"))
    named = re.findall(
        r"`(?:tests/integration/)?(test_\w+)", (ROOT / "docs" / "contributing" / "failures.md").read_text()
    )
    assert named
    assert [name for name in named if f"def {name}" not in tests and not (folder / f"{name}.py").exists()] == []


@pytest.mark.parametrize("package", ["agi", "ami_listener", "callsieve", "policies", "reputation", "docs"])
def test_modules_named_in_texts_exist(package: str) -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for top in (*PACKAGES, "lab", "packages")
        for path in (ROOT / top).rglob("*.py")
    }
    texts = [path for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".md")]
    named = {(path.name, name) for path in texts for name in re.findall(r"(?<![\w/])\w[\w/]*\.py\b", path.read_text())}
    assert [item for item in sorted(named) if not any(f"/{path}".endswith(f"/{item[1]}") for path in there)] == []


def test_public_class_names_are_unique() -> None:
    """A search for a class gives one result."""
    names = Counter(
        node.name
        for package in ("agi", "ami_listener", "callsieve", "policies", "reputation")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []

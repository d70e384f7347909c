"""Parsers for the output of Asterisk's console. The docstring of each parser names the console command.

The formats are those of Asterisk 22.10.1 (measured); tests/callsieve/doctor/test_doctor.py has older examples.
`database show FAMILY` prints the numbers that a PBX keeps in Asterisk's own database:

    /allowlist/12015550124                            : Our bank
    /blacklist/blocked                                : 1            (a setting of FreePBX, not a number)

The value is `1` or a description. FreePBX's Allowlist module escapes special characters in descriptions as in HTML.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

_VERSION = re.compile(r"Asterisk (?P<kind>certified[/-]|GIT-)?(?P<numbers>\d+(?:\.\d+){0,3})(?:-cert(?P<cert>\d+))?")
_MODULE = re.compile(r"^(\S+)\s.*?\s(Not Running|Running)\s+\S+\s*$", re.MULTILINE)
_CONTEXT = re.compile(r"^\[ (?:Included c|C)ontext '([^']+)' (?:\(.*\) )?created by '[^']*' ]")
_EXTENSION = re.compile(r"^  '([^']+)' (?:\(CID match '.*?'\) )?=>\s+(?:\d+|hint:?)\.? ?(.*)$")
_PRIORITY = re.compile(r"^\s+(?:\[[^]]+]\s+)?\d+\. (.*)$")
_INCLUDED = re.compile(r"^  Include =>\s+'([^'|,]+)([|,])?")
_SWITCH = re.compile(r"^  Alt\. Switch =>")
_MATCH = re.compile(r"^  '([^']+)' (\(CID match '.*?'\) )?=>\s+(\S.*)$")
_STEP = re.compile(r"^(?:\s+\[([^]]+)])?\s*(\d+)\. (.*)$")
_FEATURE = re.compile(r"^(\S.*?)\s{2,}(?:(?:\S+|no def)\s+)?(\S+)\s*$")
# "%-51s" of res_pjsip's cli_endpoint_print_body, measured.
ENDPOINT_COLUMN = 51
_ENDPOINT = re.compile(r"^ Endpoint:  (\S+)\s")
_OF_TRUNKS = re.compile(r"^\s+(?:Identify|OutAuth): ")
_QUEUE = re.compile(r"^(\S+)\s+has \d+ calls")
# `Ann (PJSIP/201) (...`, `Al (Local/204@office/n from PJSIP/alice) (...`, and without a name `PJSIP/203 (...`.
_MEMBER = re.compile(r"^ {6}(?:.* \()?([A-Za-z0-9]+/[^\s()]+)(?: from ([^\s()]+))?\)? \(")
_SOURCE = re.compile(r"\s+\[[^]]*]\s*$")


@dataclass(frozen=True, slots=True)
class AsteriskVersion:
    """A release of Asterisk, such as (22, 10, 1). `certified`: whether it is a Certified Asterisk release."""

    text: str
    numbers: tuple[int, ...]
    certified: bool = False

    @property
    def branch(self) -> int:
        """The major version."""
        return self.numbers[0]


@dataclass(frozen=True, slots=True)
class DialplanStep:
    """A step (priority) of the dialplan. `application`: the application that the step runs, with its arguments."""

    context: str
    extension: str
    application: str


@dataclass(frozen=True, slots=True)
class Dialplan:
    """The loaded dialplan. `includes`: pairs of a context and a context that it includes, in Asterisk's order.

    `timed`: includes that apply only at certain times. `switches`: contexts with a `switch` to a server or database.
    """

    contexts: frozenset[str]
    steps: tuple[DialplanStep, ...]
    includes: tuple[tuple[str, str], ...]
    timed: frozenset[tuple[str, str]] = frozenset()
    switches: frozenset[str] = frozenset()

    def reached_from(self, context: str) -> frozenset[str]:
        """Return the context and all contexts that it includes, directly or indirectly."""
        reached: set[str] = set()
        waiting = [context]
        while waiting:
            current = waiting.pop()
            if current not in reached:
                reached.add(current)
                waiting += [inner for outer, inner in self.includes if outer == current]
        return frozenset(reached)


@dataclass(frozen=True, slots=True)
class PjsipEndpoint:
    """A PJSIP endpoint. `number`: its caller ID, perhaps truncated.

    `is_trunk`: whether it is identified by IP address, or has credentials to register or call at a provider.
    """

    name: str
    number: str = ""
    is_trunk: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """An extension that matches a dialled number, with its applications by priority. `labels`: priorities by name.

    `sometimes`: whether only certain callers match. `is_switch`: whether a `switch =>` looks the number up elsewhere.
    """

    context: str
    extension: str
    sometimes: bool = False
    is_switch: bool = False
    applications: dict[int, str] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)


def version_in(output: str) -> AsteriskVersion | None:
    """Parse `core show version`: return the release; None if the output names none."""
    match = _VERSION.search(output)
    if match is None:
        return None
    numbers = tuple(int(part) for part in match["numbers"].split("."))
    text = match[0].removeprefix("Asterisk ")
    return AsteriskVersion(
        text, numbers, certified=match["cert"] is not None or (match["kind"] or "").startswith("cert")
    )


def setting_in(output: str, name: str) -> str | None:
    """Parse `core show settings`: return the value of a setting such as `AGI Scripts directory`; None if not found."""
    match = re.search(rf"^\s*{re.escape(name)}:[ \t]+(\S.*?)\s*$", output, re.MULTILINE)
    return match[1] if match else None


def reload_age_in(output: str) -> int | None:
    """Parse `core show uptime seconds`: return the seconds since modules were last loaded or reloaded."""
    match = re.search(r"^Last reload: (\d+)", output, re.MULTILINE)
    return int(match[1]) if match else None


def modules_in(output: str) -> frozenset[str]:
    """Parse `module show`: return the names of running modules, without `.so`."""
    return frozenset(name.removesuffix(".so") for name, status in _MODULE.findall(output) if status == "Running")


def dialplan_in(output: str) -> Dialplan:
    """Parse the output of `dialplan show` for all contexts."""
    contexts: list[str] = []
    steps: list[DialplanStep] = []
    includes: list[tuple[str, str]] = []
    timed: set[tuple[str, str]] = set()
    switches: set[str] = set()
    context = extension = ""
    for line in output.splitlines():
        if match := _CONTEXT.match(line):
            context, extension = match[1], ""
            contexts.append(context)
        elif match := _INCLUDED.match(line):
            includes.append((context, match[1]))
            timed |= {(context, match[1])} if match[2] else set()
        elif _SWITCH.match(line):
            switches.add(context)
        elif match := _EXTENSION.match(line):
            extension = match[1]
            steps.append(DialplanStep(context, extension, _SOURCE.sub("", match[2]).rstrip()))
        elif context and (match := _PRIORITY.match(line)):
            steps.append(DialplanStep(context, extension, _SOURCE.sub("", match[1]).rstrip()))
    return Dialplan(frozenset(contexts), tuple(steps), tuple(includes), frozenset(timed), frozenset(switches))


def matches_in(output: str) -> list[Match]:
    """Parse `dialplan show EXTEN@CONTEXT`: return the matches in the context and its includes, in Asterisk's order."""
    matches: list[Match] = []
    context = ""
    for line in output.splitlines():
        if match := _CONTEXT.match(line):
            context = match[1]
        elif match := _MATCH.match(line):
            matches.append(Match(context, match[1], sometimes=match[2] is not None))
            _add_step(matches[-1], match[3])
        elif matches and context:
            _add_step(matches[-1], line)
    return matches


def _add_step(to: Match, line: str) -> None:
    if step := _STEP.match(line):
        label, priority, application = step.groups()
        to.applications[int(priority)] = _SOURCE.sub("", application).rstrip()
        if label is not None:
            to.labels[label] = int(priority)


def globals_in(output: str) -> dict[str, str]:
    """Parse `dialplan show globals`: return the global variables."""
    pairs = (line.strip().partition("=") for line in output.splitlines())
    return {name: value for name, equals, value in pairs if equals and name.isidentifier()}


def features_in(output: str) -> dict[str, str]:
    """Parse `features show`: return the code of each feature that has a code."""
    codes = {}
    for line in output.splitlines():
        match = _FEATURE.match(line)
        if match and re.fullmatch(r"[0-9*#A-D]+", match[2]):
            codes[match[1]] = match[2]
    return codes


def mailboxes_in(output: str) -> frozenset[str]:
    """Parse `voicemail show users`: return the mailboxes in the context `default`, the only context CallSieve uses."""
    return frozenset(re.findall(r"^default\s+(\S+)\s", output, re.MULTILINE))


def endpoint_context_in(output: str) -> str | None:
    """Parse `pjsip show endpoint NAME`: return the context that receives the endpoint's calls."""
    match = re.search(r"^\s*context\s+: (\S+)\s*$", output, re.MULTILINE)
    return match[1] if match else None


def endpoints_in(output: str) -> list[str]:
    """Parse `pjsip show endpoints`: return the names of all endpoints."""
    return re.findall(r"^ Endpoint:\s+([^\s<][^\s/]*)", output, re.MULTILINE)


def identified_in(output: str) -> list[str]:
    """Parse `pjsip show endpoints`: return the endpoints that are identified by IP address, usually trunks."""
    return list(dict.fromkeys(re.findall(r"^\s*Identify:\s+[^\s<]\S*/(\S+)\s*$", output, re.MULTILINE)))


def pjsip_endpoints_in(output: str) -> list[PjsipEndpoint]:
    """Parse `pjsip show endpoints`: return the endpoints, except those whose names do not fit into the column."""
    endpoints: list[PjsipEndpoint] = []
    is_cut = False
    for line in output.splitlines():
        if match := _ENDPOINT.match(line):
            name, slash, number = match[1].partition("/")
            is_cut = (not slash and len(name) >= ENDPOINT_COLUMN) or name.startswith("<")
            endpoints += [] if is_cut else [PjsipEndpoint(name, number)]
        elif endpoints and not is_cut and _OF_TRUNKS.match(line):
            endpoints[-1] = replace(endpoints[-1], is_trunk=True)
    return endpoints


def endpoint_values_in(output: str) -> dict[str, str]:
    """Parse `pjsip show endpoint NAME`: return the endpoint's settings by name."""
    pairs = re.findall(r"^ (\w+)\s+: (.*)$", output, re.MULTILINE)
    return {key: value.strip() for key, value in pairs}


def hints_in(output: str) -> list[tuple[str, str]]:
    """Parse `dialplan show`: return pairs of an extension and the device that its hint watches."""
    return re.findall(r"^  '([^']+)' (?:\(CID match '.*?'\) )?=>\s+hint: (\S+)", output, re.MULTILINE)


def queue_members_in(output: str) -> dict[str, list[str]]:
    """Parse `queue show`: return the permanent members of each queue, such as `PJSIP/201` or `hint:201@office`."""
    members: dict[str, list[str]] = {}
    queue = ""
    for line in output.splitlines():
        if match := _QUEUE.match(line):
            queue = match[1]
            members[queue] = []
        elif queue and (match := _MEMBER.match(line)) and "(dynamic)" not in line:
            members[queue].append(match[2] or match[1])
    return members


def database_in(output: str) -> dict[str, str]:
    """Parse `database show FAMILY`: return the values by key, without the leading slash."""
    pairs = re.findall(r"^/(\S.*?)\s*: (.*)$", output, re.MULTILINE)
    return {key: value.strip() for key, value in pairs}


def mailbox_names_in(output: str) -> dict[str, str]:
    """Parse `voicemail show users`: return people's names by mailbox in `default`, truncated to the column's width."""
    pairs = re.findall(r"^default\s+(\S+)\s(.{25})", output, re.MULTILINE)
    return {box: name.strip() for box, name in pairs}


def iax_users_in(output: str) -> dict[str, str]:
    """Parse `iax2 show users`: return the context of each user. The secrets in the output are not read."""
    return dict(re.findall(r"^(\S+)\s.*\s(\S+)\s+(?:Yes|No)\s", output, re.MULTILINE))


def permissions_in(output: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """Parse `manager show user NAME`: return the user's read and write permissions; None if the user does not exist."""
    matches = {kind: re.search(rf"^\s*{kind} perm: *(\S*)", output, re.MULTILINE) for kind in ("read", "write")}
    if matches["read"] is None or matches["write"] is None:
        return None
    read, write = (frozenset(match[1].split(",")) - {"", "<none>"} for match in matches.values() if match)
    return read, write


_LINE = re.compile(r"/(?P<family>\w+)/(?P<key>.*?)\s*: (?P<value>.*)")


class NumberFamily(NamedTuple):
    """An AstDB family whose keys are numbers, apart from some settings.

    `settings`: the keys of settings. `settings_below`: how other keys of settings begin.
    """

    name: str
    settings: frozenset[str]
    settings_below: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The console command that prints the family."""
        return f"database show {self.name}"

    def is_setting(self, key: str) -> bool:
        """Return whether the key is a FreePBX setting and not a number."""
        return key in self.settings or key.startswith(self.settings_below)


# Asterisk's own family, which FreePBX uses too. `blocked`: also reject callers who withhold their number. `dest`: where
# rejected callers are sent.
BLACKLIST = NumberFamily("blacklist", frozenset({"blocked", "dest"}))
# FreePBX's contributed module Allowlist. `dest`: where other callers are sent; `pause`: until when none is;
# `knowncallers`: also admit contacts; `did`: the routes it applies to; `autoadd`: add called numbers.
ALLOWLIST = NumberFamily("allowlist", frozenset({"dest", "pause", "knowncallers"}), ("did", "autoadd"))


class FamilyLine(NamedTuple):
    """A key of an AstDB family and its description. The description is empty for the value `1`."""

    key: str
    note: str


def parse_family(text: str, family: NumberFamily) -> Iterator[FamilyLine]:
    """Yield the keys of a family, including settings, in the printed order. Other lines are skipped."""
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match and match["family"] == family.name:
            value = html.unescape(match["value"].strip())
            yield FamilyLine(match["key"].strip(), "" if value == "1" else value)

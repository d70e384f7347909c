"""Read people and numbers from a running PBX: phones, caller IDs, mailboxes, groups, queues, DIDs and trunks.

The data comes from Asterisk's console and, for FreePBX, from AstDB. Nothing is written. Texts from the PBX are not
trusted: names, extensions and endpoints must be valid as in the settings.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from callsieve.doctor.finding import CheckContext
from callsieve.doctor.trunk_numbers import numbers_in_dialplan, trunks_of
from callsieve.imports.rows import NAME, problem_of_person
from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.pbx import cli_output
from callsieve.pbx.dialplan_reach import DialplanReach, Reach
from callsieve.wiring import site_of
from reputation.channels import is_phone_name
from reputation.model import Did, Person
from reputation.numbers import did_number_of
from reputation.wording import one_line

MOST_ASKED = 1000  # endpoints: each needs a question, which takes Asterisk 5 ms
MOST_TRUNKS = 50
MOST_CHARACTERS = 80  # of a person's name
MOST_REMARKS = 20

_SHORT = re.compile(r"[0-9]{2,6}", re.ASCII)
_ASKABLE = re.compile(r"[A-Za-z0-9_.@+-]{1,79}", re.ASCII)
_PHONE = re.compile(r"(?:PJSIP|SIP|IAX2|DAHDI|SCCP|Motif)/[^&,/]+", re.IGNORECASE)
_LOCAL = re.compile(r"Local/([^@/]+)@", re.IGNORECASE)
_HINT = re.compile(r"hint:([^@]+)@", re.IGNORECASE)
_FREEPBX_DIDS = re.compile(r"ext-did-\d+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?")
# Asterisk's sample configuration has them for callers without an account.
NOBODYS = frozenset({"guest", "anonymous", "dpma_endpoint"})


class PbxKind(StrEnum):
    """The kind of PBX: any Asterisk, or FreePBX, which keeps its people in AstDB."""

    ASTERISK = "asterisk"
    FREEPBX = "freepbx"


class NotThisPbx(Exception):
    """Raised if the PBX is not of the requested kind. The text names the actual kind of PBX and a remedy."""


@dataclass(frozen=True, slots=True)
class FoundTrunk:
    """A trunk on the PBX. `channels`: a pattern for its channels. `described`: its name in `[[trunk]]`, or None."""

    channels: str
    described: str | None


@dataclass(frozen=True, slots=True)
class FoundPbx:
    """People and DIDs read from a PBX. `remarks`: why entries could not be imported, one line each.

    `rings`: for each DID that has neither a callee nor groups, the people and other phones that it rings.
    """

    kind: PbxKind
    people: tuple[Person, ...]
    dids: tuple[Did, ...]
    trunks: tuple[FoundTrunk, ...]
    remarks: tuple[str, ...] = ()
    rings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Phones:
    people: dict[str, Person] = field(default_factory=dict)
    extension_of: dict[str, str] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    teams: dict[str, str] = field(default_factory=dict)
    trunks: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, person: Person) -> None:
        """Add a person, or a remark why they cannot be added. If an extension has several phones, the first counts."""
        language = person.language if person.language and _LANGUAGE.fullmatch(person.language) else None
        name = one_line(person.name or "", MOST_CHARACTERS)
        problem = problem_of_person(person.extension, person.endpoint or "", "", language or "")
        if problem:
            self.remarks.append(f"not imported: {problem}")
        elif person.extension in self.people:
            self.extension_of.setdefault(person.endpoint or "", person.extension)
            self.remarks.append(f"{person.extension} has several phones: {person.endpoint} is not imported")
        else:
            self.people[person.extension] = replace(person, name=name or None, language=language)
            self.extension_of[person.endpoint or ""] = person.extension

    def member(self, interface: str) -> str | None:
        """Return the extension of a queue member, which is a phone or a dialled extension; None if unknown."""
        if interface in self.extension_of:
            return self.extension_of[interface]
        dialled = _LOCAL.match(interface) or _HINT.match(interface)
        return dialled[1] if dialled and dialled[1] in self.people else None


def read_pbx(context: CheckContext, kind: PbxKind) -> FoundPbx:
    """Return the people and DIDs of the PBX. Raise NotThisPbx for another kind of PBX, ConsoleError or OSError."""
    shown = context.ask("dialplan show")
    is_freepbx = bool(cli_output.database_in(context.ask("database show AMPUSER")))
    if is_freepbx and kind is PbxKind.ASTERISK:
        raise NotThisPbx("this is FreePBX: use --from freepbx")
    if not is_freepbx and kind is PbxKind.FREEPBX:
        raise NotThisPbx("FreePBX has no people in Asterisk's database (database show AMPUSER): use --from asterisk")
    plan = DialplanReach(shown, cli_output.globals_in(context.ask("dialplan show globals")), freepbx=is_freepbx)
    phones = _phones_of_freepbx(context) if is_freepbx else _phones_of_asterisk(context, shown)
    for queue, members in phones.queues.items():
        listed = {extension for member in members if (extension := phones.member(member)) is not None}
        if NAME.fullmatch(queue) and listed:
            phones.groups[queue] = listed
    _add_ring_groups(plan, phones, freepbx=is_freepbx)
    team_of = _teams(phones)
    numbers = _freepbx_numbers(context, plan) if is_freepbx else _asterisk_numbers(context, phones)
    reaches = {number: [plan.of(*spot) for spot in spots] for number, spots in numbers.items()}
    dids = {number: _did_of(number, reached, phones, team_of) for number, reached in reaches.items()}
    nobodys = [did.number for did in dids.values() if not (did.callee or did.groups)]
    people = [replace(person, group=team_of.get(person.extension)) for person in phones.people.values()]
    site = site_of(context.loaded.settings)
    trunks = [FoundTrunk(f"{trunk}-*", site.described_trunk(f"{trunk}-00000000")) for trunk in phones.trunks]
    return FoundPbx(
        kind,
        tuple(sorted(people, key=lambda person: person.extension)),
        tuple(did for _, did in sorted(dids.items())),
        tuple(trunks),
        tuple(phones.remarks[:MOST_REMARKS]),
        {number: rung for number in nobodys if (rung := _rung_by(reaches[number], phones))},
    )


# People


def _phones_of_freepbx(context: CheckContext) -> _Phones:
    """Return FreePBX's phones, from AstDB."""
    # AMPUSER has the extensions, DEVICE the phones, QPENALTY the members of queues.
    users, devices = (
        cli_output.database_in(context.ask(f"database show {family}")) for family in ("AMPUSER", "DEVICE")
    )
    phones = _Phones()
    site = site_of(context.loaded.settings)
    by_extension: dict[str, dict[str, str]] = {}
    for key, value in users.items():
        if key.count("/") == 2:
            _, extension, name = key.split("/")
            by_extension.setdefault(extension, {})[name] = value
    for extension, of_user in sorted(by_extension.items()):
        dials = [devices.get(f"DEVICE/{device}/dial", "") for device in of_user.get("device", "").split("&") if device]
        dials = [dial for dial in dials if dial]
        if not dials:
            phones.remarks.append(f"{one_line(extension, MOST_CHARACTERS)} has no phone: not imported")
        for dial in dials:
            if site.described_trunk(f"{dial}-00000000") is not None:
                phones.remarks.append(
                    f"{one_line(extension, MOST_CHARACTERS)} is not imported: its phone is a trunk in the settings"
                )
                continue
            phones.add(Person(extension, dial, None, of_user.get("language") or None, of_user.get("cidname")))
    phones.queues = cli_output.queue_members_in(context.ask("queue show"))
    for key in cli_output.database_in(context.ask("database show QPENALTY")):
        parts = key.split("/")
        if len(parts) == 4 and parts[2] == "agents":
            phones.queues.setdefault(parts[1], []).append(f"Local/{parts[3]}@from-queue/n")
    endpoints = [
        f"PJSIP/{endpoint.name}" for endpoint in cli_output.pjsip_endpoints_in(context.ask("pjsip show endpoints"))
    ]
    devices_here = {dial for key, dial in devices.items() if key.endswith("/dial")}  # also those nobody is logged in at
    known = {dial for dial in devices_here if site.described_trunk(f"{dial}-00000000") is None}
    phones.trunks = [
        endpoint for endpoint in endpoints if endpoint not in known and endpoint.partition("/")[2] not in NOBODYS
    ]
    return phones


def _phones_of_asterisk(context: CheckContext, shown: str) -> _Phones:
    """Return Asterisk's phones: PJSIP endpoints other than trunks, and other phones with a hint."""
    phones = _Phones(queues=cli_output.queue_members_in(context.ask("queue show")))
    hints: dict[str, list[str]] = {}
    for extension, watched in cli_output.hints_in(shown):
        for phone in _PHONE.findall(watched):
            hints.setdefault(phone, []).append(extension)
    boxes = cli_output.mailbox_names_in(context.ask("voicemail show users"))
    site = site_of(context.loaded.settings)
    endpoints = cli_output.pjsip_endpoints_in(context.ask("pjsip show endpoints"))
    asked = 0
    for endpoint in endpoints:
        phone = f"PJSIP/{endpoint.name}"
        if endpoint.name in NOBODYS or not _ASKABLE.fullmatch(endpoint.name):
            continue
        # Calls from people are not screened, so a trunk must never be taken for a person's phone.
        # A hint may watch a trunk as well, so that phones can show whether it is in use.
        is_own = not {endpoint.name, endpoint.number}.isdisjoint(hints.get(phone, ()))
        if site.described_trunk(f"{phone}-00000000") is not None or (endpoint.is_trunk and not is_own):
            phones.trunks.append(phone)
            continue
        asked += 1
        values = (
            cli_output.endpoint_values_in(context.ask(f"pjsip show endpoint {endpoint.name}"))
            if asked <= MOST_ASKED
            else {}
        )
        if values.get("context", "").startswith("callsieve") or values.get("context") == TRUNK_CONTEXT:
            phones.trunks.append(phone)
            continue
        name, number = _caller_id(values.get("callerid", f"<{endpoint.number}>"))
        box = values.get("mailboxes", "").split(",")[0].partition("@")[0]
        if not (phone in hints or is_phone_name(phone) or _SHORT.fullmatch(number) or box):
            phones.remarks.append(f"{phone} is not imported: it may be a phone or a trunk")
            continue
        extension = _extension(endpoint.name, hints.pop(phone, []), number, box)
        phones.add(Person(extension, phone, None, values.get("language") or None, name or boxes.get(extension)))
        team = values.get("named_call_group", "").strip()
        if NAME.fullmatch(team):  # one, not a list of several
            phones.teams[extension] = team
    if asked > MOST_ASKED:
        phones.remarks.append(f"only the names of the first {MOST_ASKED} of {asked} phones were read")
    known = {f"PJSIP/{endpoint.name}" for endpoint in endpoints}
    for phone, extensions in hints.items():
        # Asterisk's samples have hints of phones whose channel driver is not there.
        is_here = phone not in known and f"chan_{phone.partition('/')[0].lower()}" in context.modules
        if is_here and site.described_trunk(f"{phone}-00000000") is None:
            phones.add(Person(extensions[0], phone, name=boxes.get(extensions[0])))
    return phones


def _extension(name: str, hinted: list[str], number: str, box: str) -> str:
    """Return the extension of a phone: from its hint, its name, its caller ID or its mailbox, in this order."""
    if name in hinted or (not hinted and _SHORT.fullmatch(name)):
        return name
    if hinted:
        return number if number in hinted else sorted(hinted, key=lambda extension: (len(extension), extension))[0]
    return next((text for text in (number, box) if _SHORT.fullmatch(text)), name)


def _caller_id(text: str) -> tuple[str, str]:
    if text == "<unknown>":
        return "", ""
    name, number = text.strip(), ""
    before, is_opened, after = name.rpartition("<")
    if is_opened and after.endswith(">") and after.count(">") == 1:
        name, number = before.strip(), after[:-1].strip()
    return re.sub(r"\\(.)", r"\1", name.removeprefix('"').removesuffix('"')), number


# Groups


def _add_ring_groups(plan: DialplanReach, phones: _Phones, *, freepbx: bool) -> None:
    """Add groups to `phones`: extensions that ring several people, and FreePBX's ring groups. DIDs are no groups."""
    for context in ["ext-group"] if freepbx else plan.contexts:
        for extension in plan.extensions(context):
            if not re.fullmatch(r"\d{2,6}", extension) or extension in phones.people:
                continue
            reach = plan.of(extension, context)
            members = _people_in(Reach(reach.phones, reach.extensions), phones)
            if len(members) > 1 or (freepbx and members):
                phones.groups.setdefault(extension, set()).update(members)


def _teams(phones: _Phones) -> dict[str, str]:
    by_size = sorted(phones.groups.items(), key=lambda group: (len(group[1]), len(group[0]), group[0]))
    teams: dict[str, str] = {}
    for name, members in by_size:
        for member in members:
            teams.setdefault(member, name)
    return teams | phones.teams


def _people_in(reach: Reach, phones: _Phones) -> set[str]:
    people = {extension for extension in reach.extensions if extension in phones.people}
    people |= {phones.extension_of[phone] for phone in reach.phones if phone in phones.extension_of}
    return people.union(*(phones.groups.get(queue, set()) for queue in reach.queues))


# Numbers

Spots = dict[str, list[tuple[str, str]]]


def _freepbx_numbers(context: CheckContext, plan: DialplanReach) -> Spots:
    contexts = [dialplan_context for dialplan_context in plan.contexts if _FREEPBX_DIDS.fullmatch(dialplan_context)]
    spots = (
        (extension, dialplan_context)
        for dialplan_context in contexts
        for extension in plan.extensions(dialplan_context)
    )
    return _by_number(spots, context.loaded.settings.numbers.region)


def _asterisk_numbers(context: CheckContext, phones: _Phones) -> Spots:
    variables = cli_output.globals_in(context.ask("dialplan show globals"))
    home = context.loaded.settings.numbers.region
    contexts = [(trunk.context, (trunk.table.region if trunk.table else None) or home) for trunk in trunks_of(context)]
    others = (phone.partition("/")[2] for phone in phones.trunks[:MOST_TRUNKS])
    contexts += [(cli_output.endpoint_context_in(context.ask(f"pjsip show endpoint {name}")), home) for name in others]
    by_number: Spots = {}
    for dialplan_context, region in dict.fromkeys(contexts):
        patterns, extensions = numbers_in_dialplan(context.dialplan, dialplan_context or "", variables)
        for pattern in patterns:
            if (
                re.search(r"\d{3}", pattern.name)
                and (remark := f"{pattern.name} matches many numbers: add the important ones as [[did]]")
                not in phones.remarks
            ):
                phones.remarks.append(remark)
        # In some countries a number as short as an extension is a service number.
        spots = (
            (extension, dialplan_context or "")
            for extension in extensions
            if len(extension) > 4 and extension not in phones.people
        )
        for number, more in _by_number(spots, region).items():
            by_number[number] = [
                *by_number.get(number, ()),
                *(spot for spot in more if spot not in by_number.get(number, ())),
            ]
    return by_number


def _by_number(spots: Iterable[tuple[str, str]], region: str) -> Spots:
    by_number: Spots = {}
    for extension, context in spots:
        if (number := did_number_of(extension, region)) is not None:
            by_number.setdefault(number, []).append((extension, context))
    return by_number


def _rung_by(reaches: list[Reach], phones: _Phones) -> tuple[str, ...]:
    people = set[str]().union(*(_people_in(reach, phones) for reach in reaches))
    rung = {phone for reach in reaches for phone in reach.phones} - phones.extension_of.keys() - set(phones.trunks)
    queues = {f"queue {queue}" for reach in reaches for queue in reach.queues if not phones.groups.get(queue)}
    return (*sorted(people), *sorted(rung), *sorted(queues))


def _did_of(number: str, reaches: list[Reach], phones: _Phones, team_of: Mapping[str, str]) -> Did:
    people = set[str]().union(*(_people_in(reach, phones) for reach in reaches))
    rung = {phone for reach in reaches for phone in reach.phones if phone not in phones.trunks}
    queues = {queue for reach in reaches for queue in reach.queues}
    strangers = rung - phones.extension_of.keys() or any(not phones.groups.get(queue) for queue in queues)
    if strangers or any(reach.is_open for reach in reaches) or not people:
        return Did(number)
    if len(people) == 1 and not queues:
        return Did(number, callee=people.pop())
    if people - team_of.keys():
        return Did(number)
    return Did(number, tuple(sorted({team_of[person] for person in people})))

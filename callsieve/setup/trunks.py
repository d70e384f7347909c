"""Find trunks, and plan the changes of their contexts in Asterisk's files. Nothing is written here.

The old line stays above the new line as a marked comment, so that `setup --undo` restores the file exactly.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

from callsieve.doctor.finding import CheckContext
from callsieve.install.freepbx import TRUNK_CONTEXT
from callsieve.install.front_context import PREFIX, front_context_of
from callsieve.install.manager_user import toml_text
from callsieve.install.plan import FileChange, InstallError, copy_of
from callsieve.pbx.cli_output import endpoint_context_in, iax_users_in
from callsieve.pbx.config_files import MARK, Line, read_text, walk, without_our_lines
from callsieve.people.pbx import NOBODYS, PbxKind, read_pbx
from callsieve.settings import Settings

PJSIP_FILE, IAX_FILE = "pjsip.conf", "iax.conf"
REPLACED = " ; replaced by callsieve setup"
_TYPES = {PJSIP_FILE: ("endpoint",), IAX_FILE: ("user", "friend")}
_CHANNELS = {PJSIP_FILE: "PJSIP", IAX_FILE: "IAX2"}
MODULES = {PJSIP_FILE: "res_pjsip.so", IAX_FILE: "chan_iax2.so"}


@dataclass(frozen=True, slots=True)
class PbxTrunk:
    """A trunk, the context of its calls, and the line that sets the context. `name`: the trunk's section in `file`.

    `context`: the trunk's context as Asterisk reports it; None if it has no context. `place`: the line with `context`,
    or the header of the section that inherits it; None if no file sets the context.
    """

    name: str
    file: str
    context: str | None
    place: Line | None = None

    @property
    def is_screened(self) -> bool:
        """Whether the trunk's calls already go through CallSieve."""
        return self.context is not None and (self.context.startswith(PREFIX) or self.context == TRUNK_CONTEXT)

    @property
    def can_change(self) -> bool:
        """Whether setup can send the trunk's calls through CallSieve."""
        return self.context is not None and self.place is not None and not self.is_screened

    @property
    def module(self) -> str:
        """The Asterisk module to reload after a change of the file."""
        return MODULES[self.file]


def find_trunks(context: CheckContext) -> list[PbxTrunk]:
    """Return Asterisk's trunks: PJSIP endpoints that are not phones, and IAX2 users.

    Raises:
        ConsoleError: Asterisk does not answer.
        OSError: A file cannot be read.
    """
    etc = context.place.etc
    pbx = read_pbx(context, PbxKind.ASTERISK)
    names = [trunk.channels.removeprefix("PJSIP/").removesuffix("-*") for trunk in pbx.trunks]
    trunks = [
        PbxTrunk(name, PJSIP_FILE, endpoint_context_in(context.ask(f"pjsip show endpoint {name}"))) for name in names
    ]
    if "chan_iax2" in context.modules:
        others = {*NOBODYS, *((person.endpoint or "").partition("/")[2] for person in pbx.people)}
        users = iax_users_in(context.ask("iax2 show users"))
        trunks += [PbxTrunk(name, IAX_FILE, arrives) for name, arrives in users.items() if name not in others]
    return [_placed(etc, trunk) for trunk in trunks]


def _placed(etc: Path, trunk: PbxTrunk) -> PbxTrunk:
    """Return the trunk with its `place`, the line that sets its context."""
    # Asterisk reports only the beginning of an IAX2 user's context, so the full context is taken from the file.
    place = _place_of(etc, trunk)
    if trunk.file == IAX_FILE and place is not None and place.section is None:
        return replace(trunk, place=place, context=place.text.partition("=")[2].removeprefix(">").strip())
    return replace(trunk, place=place)


def _place_of(etc: Path, trunk: PbxTrunk) -> Line | None:
    blocks = list(_blocks(etc, trunk))
    own = [line for block in blocks for line in block if _key(line) == "context"]
    if own:
        return own[-1]
    wanted = _TYPES[trunk.file]
    typed = [block for block in blocks if any(_key(line) == "type" and _value(line) in wanted for line in block)]
    untyped = [block for block in blocks if not any(_key(line) == "type" for line in block)]
    chosen = typed or untyped
    return chosen[0][0] if len(chosen) == 1 else None


def _blocks(etc: Path, trunk: PbxTrunk) -> Iterator[list[Line]]:
    block: list[Line] = []
    for line in walk(etc, etc / trunk.file):
        if line.section is not None:
            if block:
                yield block
            block = [line] if line.section == trunk.name else []
        elif block:
            block.append(line)
    if block:
        yield block


def _key(line: Line) -> str:
    return line.text.partition("=")[0].strip().lower()


def _value(line: Line) -> str:
    return line.text.partition("=")[2].removeprefix(">").strip().lower()


def trunk_tables(trunks: Iterable[PbxTrunk], settings: Settings, *, is_new: bool) -> tuple[str, ...]:
    """Return the lines to add to the settings to describe these trunks.

    As soon as one trunk is described, channels of undescribed trunks count as phones. So all trunks are described or
    none. Settings that describe no trunk stay unchanged, unless the settings are new.
    """
    described = [table.channels for table in settings.trunk]
    if not described and not is_new:
        return ()
    lines = []
    for trunk in trunks:
        endpoint = f"{_CHANNELS[trunk.file]}/{trunk.name}"
        if not any(fnmatchcase(f"{endpoint}-00000000", channels) for channels in described):
            name = re.sub(r"[^A-Za-z0-9 _.-]", "_", trunk.name)[:64].lstrip(" _.-") or "trunk"
            lines += [
                "[[trunk]]",
                f"name = {toml_text(name)}",
                f"channels = {toml_text(f'{escape(endpoint)}-*')}",
                "",
            ]
    return tuple(lines)


def plan_trunks(trunks: Iterable[PbxTrunk]) -> list[FileChange]:
    """Return the file changes that send the calls of these trunks to CallSieve's contexts."""
    by_file: defaultdict[Path, list[PbxTrunk]] = defaultdict(list)
    for trunk in trunks:
        if trunk.place is not None:
            by_file[trunk.place.file].append(trunk)
    return [_changed(path, chosen) for path, chosen in by_file.items()]


def _changed(path: Path, trunks: Sequence[PbxTrunk]) -> FileChange:
    before = read_text(path) or ""
    lines = before.split("\n")
    for trunk in sorted(trunks, key=lambda trunk: trunk.place.number if trunk.place else 0, reverse=True):
        assert trunk.place is not None
        assert trunk.context is not None
        index = trunk.place.number - 1
        if index >= len(lines) or trunk.place.text not in lines[index]:
            raise InstallError(f"{path} was changed meanwhile: run callsieve setup again")
        old = lines[index]
        kept = old if trunk.place.section is not None else f";{old}{REPLACED}"
        lines[index : index + 1] = [kept, f"context = {front_context_of(trunk.context)} ; {MARK}"]
    return FileChange(path, before, "\n".join(lines), copied=True)


def plan_undo(etc: Path) -> list[FileChange]:
    """Return the file changes that restore the trunks' lines in all files that setup may have changed."""
    paths = dict.fromkeys(line.file for name in (PJSIP_FILE, IAX_FILE) for line in walk(etc, etc / name))
    return [change for path in paths for change in _undone(path)]


def _undone(path: Path) -> Iterator[FileChange]:
    before = read_text(path) or ""
    after = "\n".join(_restored(line) for line in without_our_lines(before).split("\n"))
    if after == before:
        return
    yield FileChange(path, before, after)
    copy = copy_of(path)
    if read_text(copy) == after:
        yield FileChange(copy, after, None)


def _restored(line: str) -> str:
    return line[1:].removesuffix(REPLACED) if line.startswith(";") and line.endswith(REPLACED) else line

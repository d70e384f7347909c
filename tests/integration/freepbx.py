"""A stand-in for FreePBX 17: its FastAGI server, and how calls come in through its dialplan.

It is ours: contexts, variables and the order of things are as FreePBX 17 has them (read in its modules, some of it seen
on a real one), the words are not. Calls arrive in from-trunk-callsieve once CallSieve is installed.
"""

from __future__ import annotations

import fcntl
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.integration.bare import Office, bare_office

PORT = 4573
SCRIPT = "dialparties.agi"
RESTART_SECONDS = 1.0

# What is dialled, and where it goes.
ALICE, GROUP, MUSIC_GROUP, HUNT, CONFIRM_GROUP, QUEUE, CHECKING_QUEUE, IVR, FOLLOW_ME = (
    f"+4420718387{n}" for n in range(50, 59)
)
HOOKS = ("macro-dialout-one-predial-hook", "macro-dial-ringall-predial-hook", "macro-dial-hunt-predial-hook")


class FastAgiServer:
    """FreePBX's FastAGI server: it runs the script that a header block names, and crashes if there is no such script.

    Ring groups ask it whom to dial. What watches over it starts it again a second after its death; meanwhile nobody
    answers on the port, and ring groups ring nobody. A connection alone does nothing. On FreePBX's own port it needs
    `port_alone`.
    """

    def __init__(self, port: int = PORT) -> None:
        self.port = port
        self.deaths = 0
        self.served = 0
        self.has_died = threading.Event()
        self._dying = threading.Event()
        self._stop = threading.Event()
        self._connections: list[socket.socket] = []
        self._server = listening_on(self.port)
        self._thread = threading.Thread(target=self._run, name="freepbx-fastagi")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._close()

    @property
    def is_listening(self) -> bool:
        """Return whether the server runs."""
        return not self._dying.is_set()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._dying.is_set():
                self._close()
                self.deaths += 1
                self.has_died.set()
                if not self._stop.wait(RESTART_SECONDS):
                    self._server = listening_on(self.port)
                    self._dying.clear()
                continue
            with suppress(TimeoutError):
                connection, _ = self._server.accept()
                self._connections.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection.makefile("rwb") as stream:
            header = dict(line.partition(": ")[::2] for line in iter(lambda: read_line(stream), ""))
            if header.get("agi_network_script") != SCRIPT:
                self._dying.set()
                return
            self.served += 1
            dial_parties(stream)
        with suppress(OSError):
            connection.close()


@contextmanager
def port_alone() -> Iterator[None]:
    """Keep FreePBX's port of this machine from other tests, for the `with` block.

    The lock is where all runs have it: each has temporary files of its own (tests/memory_files.py).
    """
    with Path(f"/tmp/callsieve-tests-{PORT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def listening_on(port: int) -> socket.socket:
    """Return a server socket."""
    server = socket.create_server(("127.0.0.1", port))
    server.settimeout(0.05)
    return server


def read_line(stream: BufferedIOBase) -> str:
    """Return one line. Raise ValueError at the end."""
    line = stream.readline()
    if not line:
        raise ValueError("Asterisk has hung up")
    return line.decode().rstrip("\n")


def dial_parties(stream: BufferedIOBase) -> None:
    """Run the script of ring groups: from seconds, options and members to the arguments of Dial.

    FreePBX adds its own subroutine to the options of a group, unless it or a confirmation is among them already.
    """

    def value_of(expression: str) -> str:
        found = re.fullmatch(r"200 result=1 \((.*)\)", ask(stream, f'GET FULL VARIABLE "{expression}"'))
        return found[1] if found else ""

    seconds, options, members = (value_of(f"${{ARG{n}}}") for n in (1, 2, 3))
    contacts = [value_of(f"${{PJSIP_DIAL_CONTACTS({member})}}") for member in members.split("-")]
    if value_of("${NODEST}") and not re.search("macro-auto-blkvm|confirm", options):
        options += "U(macro-auto-blkvm)"
    hunts = value_of("${RingGroupMethod}") == "hunt"
    answer = {f"HuntMember{n}": contact for n, contact in enumerate(contacts)} if hunts else {}
    answer["HuntMembers"] = str(len(contacts))
    answer["ds"] = f"{'' if hunts else '&'.join(contacts)},{seconds},{options}"
    answer["MACRODIALGOTO_PRI"] = "huntdial" if hunts else "normdial"
    for name, value in answer.items():
        ask(stream, f'SET VARIABLE {name} "{value}"')


def ask(stream: BufferedIOBase, command: str) -> str:
    """Return the answer to an AGI command."""
    stream.write(f"{command}\n".encode())
    stream.flush()
    return read_line(stream)


# What FreePBX generates. 600: everybody rings, 601: with music instead of ringing, 602: one after the other, 603: with
# Confirm Calls. Queue 400 adds its subroutine to the options whatever they are, as was read; 401 looks first.
GENERATED = f"""\
[globals]
DIAL_OPTIONS=HhTtr
RINGTIMER=20

[from-trunk]
exten => _[+0-9A-Za-z].,1,Goto(ext-did-0002,${{EXTEN}},1)

[ext-did-0002]
exten => {ALICE},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(from-did-direct,201,1)
exten => {GROUP},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ext-group,600,1)
exten => {MUSIC_GROUP},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ext-group,601,1)
exten => {HUNT},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ext-group,602,1)
exten => {CONFIRM_GROUP},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ext-group,603,1)
exten => {QUEUE},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ext-queues,400,1)
exten => {CHECKING_QUEUE},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ext-queues,401,1)
exten => {IVR},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(ivr-1,s,1)
exten => {FOLLOW_ME},1,Gosub(inbound-route,s,1(${{EXTEN}}))
 same => n,Goto(followme-check,201,1)
"""
GENERATED += r"""
[inbound-route]
exten => s,1,Set(__FROM_DID=${ARG1})
 same => n,GotoIf($[${LEN(${CALLERID(name)})} > 0]?named)
 same => n,Set(CALLERID(name)=${CALLERID(num)})
 same => n(named),Gosub(cidlookup,s,1)
 same => n,Return()

[cidlookup]
exten => s,1,GotoIf($["${DB_EXISTS(directory/${CALLERID(num)})}" = "0"]?done)
 same => n,Set(CALLERID(name)=${DB(directory/${CALLERID(num)})})
 same => n(done),Return()

[from-did-direct]
exten => _2XX,1,Goto(ext-local,${EXTEN},1)

[ext-local]
exten => _2XX,1,Gosub(macro-exten-vm,s,1(${EXTEN},${EXTEN}))
 same => n,Hangup()
exten => _vmu2XX,1,VoiceMail(${EXTEN:3}@default,u)
 same => n,Hangup()

[ext-group]
exten => _60X,1,Set(__NODEST=${EXTEN})
 same => n,Set(RingGroupMethod=${IF($[${EXTEN} = 602]?hunt:ringall)})
 same => n,Goto(dial-${EXTEN})
 same => n(dial-600),Gosub(macro-dial,s,1(20,${DIAL_OPTIONS},201-202))
 same => n,Hangup()
 same => n(dial-601),Gosub(macro-dial,s,1(20,m(default)${REPLACE(DIAL_OPTIONS,r)},201-202))
 same => n,Hangup()
 same => n(dial-602),Gosub(macro-dial,s,1(2,${DIAL_OPTIONS},201-202))
 same => n,Hangup()
 same => n(dial-603),Gosub(macro-dial,s,1(20,${DIAL_OPTIONS}U(macro-confirm),201-202))
 same => n,Hangup()

[ext-queues]
exten => 400,1,Answer()
 same => n,Set(_DIAL_OPTIONS=${DIAL_OPTIONS}U(macro-auto-blkvm))
 same => n,Set(__NODEST=${EXTEN})
 same => n,Queue(400,t,,,20)
 same => n,Hangup()
exten => 401,1,Answer()
 same => n,GotoIf($[${REGEX("U[(]macro-auto-blkvm[)]" ${DIAL_OPTIONS})} = 1]?ready)
 same => n,Set(_DIAL_OPTIONS=${DIAL_OPTIONS}U(macro-auto-blkvm))
 same => n(ready),Set(__NODEST=${EXTEN})
 same => n,Queue(400,t,,,20)
 same => n,Hangup()

[from-queue]
exten => _2XX,1,Set(__FROMQ=true)
 same => n,Goto(ext-local,${EXTEN},1)

[followme-check]
exten => _2XX,1,Set(__NODEST=${EXTEN})
 same => n,Dial(Local/FMPR-${EXTEN}@findmefollow-ringallv2,20,${DIAL_OPTIONS})
 same => n,Hangup()

[findmefollow-ringallv2]
exten => _FMPR-2XX,1,Gosub(macro-dial-one,s,1(${RINGTIMER},${DIAL_OPTIONS},${EXTEN:5}))
 same => n,Hangup()

[ivr-1]
exten => s,1,Answer()
 same => n,WaitExten(8)
exten => 1,1,Goto(from-did-direct,201,1)

[macro-exten-vm]
exten => s,1,Set(__EXTTOCALL=${ARG2})
 same => n,Gosub(macro-dial-one,s,1(${RINGTIMER},${DIAL_OPTIONS},${EXTTOCALL}))
 same => n,GotoIf($["${NODEST}" != ""]?out)
 same => n,VoiceMail(${EXTTOCALL}@default,${IF($["${DIALSTATUS}" = "BUSY"]?b:u)})
 same => n(out),Return()

[macro-dial-one]
exten => s,1,Set(DEXTEN=${ARG3})
 same => n,Set(DSTRING=${PJSIP_DIAL_CONTACTS(${DEXTEN})})
 same => n,Set(D_OPTIONS=${ARG2})
 same => n,GotoIf($["${NODEST}" = "" | ${REGEX("U[(]macro-auto-blkvm[)]" ${ARG2})} = 1]?headers)
 same => n,Set(D_OPTIONS=${ARG2}U(macro-auto-blkvm))
 same => n(headers),GotoIf($[${LEN(${ALERT_INFO})} = 0]?dial)
 same => n,Set(HASH(__SIPHEADERS,Alert-Info)=${ALERT_INFO})
 same => n(dial),Gosub(macro-dialout-one-predial-hook,s,1())
 same => n,Set(D_OPTIONS=${STRREPLACE(D_OPTIONS,T)}I)
 same => n,Gosub(dialOne-with-exten,${DEXTEN},1(${ARG1}))
 same => n,Return()

[dialOne-with-exten]
exten => _[+0-9].,1,Dial(${DSTRING},${ARG1},${D_OPTIONS}${CWRING}b(func-apply-sipheaders^s^1))
 same => n,Return()

[macro-dial]
exten => s,1,AGI(agi://127.0.0.1/dialparties.agi)
 same => n,GotoIf($["${MACRODIALGOTO_PRI}" != ""]?${MACRODIALGOTO_PRI})
 same => n,Return()
 same => n(normdial),Gosub(macro-dial-ringall-predial-hook,s,1())
 same => n,Gosub(dial-with-exten,${NODEST},1)
 same => n,Return()
 same => n(huntdial),Set(HuntLoop=0)
 same => n(member),Set(HuntMember=HuntMember${HuntLoop})
 same => n,Gosub(macro-dial-hunt-predial-hook,s,1())
 same => n,Gosub(dial-ext-with-exten,${NODEST},1)
 same => n,Set(HuntLoop=$[${HuntLoop} + 1])
 same => n,GotoIf($[${HuntLoop} < ${HuntMembers}]?member)
 same => n,Return()

[dial-with-exten]
exten => _X.,1,Dial(${ds}${CWRING}b(func-apply-sipheaders^s^1))
 same => n,Return()

[dial-ext-with-exten]
exten => _X.,1,Dial(${${HuntMember}}${ds}${CWRING}b(func-apply-sipheaders^s^1))
 same => n,Return()

[func-apply-sipheaders]
exten => s,1,Set(keys=${HASHKEYS(SIPHEADERS)})
 same => n(next),Set(key=${SHIFT(keys)})
 same => n,GotoIf($["${key}" = ""]?done)
 same => n,GotoIf($[${REGEX("^unset$" ${HASH(SIPHEADERS,${key})})} = 1]?remove)
 same => n,Set(PJSIP_HEADER(add,${key})=${HASH(SIPHEADERS,${key})})
 same => n,Goto(next)
 same => n(remove),Set(PJSIP_HEADER(remove,${key})=)
 same => n,Goto(next)
 same => n(done),Return()

[macro-auto-blkvm]
exten => s,1,Set(__MACRO_RESULT=)
 same => n,Set(MASTER_CHANNEL(VOICEMAIL_BLOCKED)=)
 same => n,Return()

[macro-confirm]
exten => s,1,Playback(beep)
 same => n,Return()
"""
# extensions.conf as FreePBX has it: its hooks are empty, and come after what is the administrator's own.
EXTENSIONS = "#include extensions_additional.conf\n#include extensions_custom.conf\n" + "".join(
    f"\n[{hook}]\nexten => s,1,Return()\n" for hook in (*HOOKS, "macro-dialout-trunk-predial-hook")
)
QUEUE_MEMBERS = "".join(f"member => Local/{n}@from-queue/n\n" for n in (201, 202))
QUEUES = f"\n[400]\nstrategy = ringall\ntimeout = 15\n{QUEUE_MEMBERS}"


@contextmanager
def freepbx(state: Path, settings: str = "", custom: str = "", port: int = PORT) -> Iterator[Office]:
    """The stand-in without CallSieve, its trunk already in our context.

    `custom`: what is the administrator's own. `port`: where ring groups ask.
    """
    with bare_office("", state) as office:
        etc = office.etc
        (etc / "extensions_additional.conf").write_text(GENERATED.replace("127.0.0.1/", f"127.0.0.1:{port}/"))
        (etc / "extensions_custom.conf").write_text(custom)
        (etc / "extensions.conf").write_text(EXTENSIONS)
        (etc / "manager_custom.conf").write_text("")
        with (etc / "manager.conf").open("a") as file:
            file.write("#include manager_custom.conf\n")
        with (etc / "queues.conf").open("a") as file:
            file.write(QUEUES)
        pjsip = etc / "pjsip.conf"
        pjsip.write_text(pjsip.read_text().replace("context = from-carrier", "context = from-trunk-callsieve"))
        office.daemon.write_settings(
            "[asterisk]" + office.daemon.config.read_text().partition("[asterisk]")[2] + settings
        )
        for command in ("dialplan reload", "queue reload all", "module reload res_pjsip.so"):
            office.asterisk.cli(command)
        yield office

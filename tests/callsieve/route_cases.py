"""A dialplan with most of what stands between a trunk and CallSieve, and what is true of a call to each number.

`tests/callsieve/doctor/test_doctor_routes.py` follows it by what Asterisk 22.10.1 said of it (`route_console.json`);
`tests/integration/test_routes.py` asks a real Asterisk, and places the calls. `python -m tests.integration.test_routes`
writes the answers down again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from callsieve.doctor.call_route import RouteReason, RouteScreening, RouteVerdict, verdict_on
from callsieve.doctor.finding import CheckContext
from callsieve.doctor.routes import Extensions
from callsieve.install.plan import packaged
from callsieve.pbx.cli_output import globals_in
from callsieve.settings import Loaded, parse_settings

ANSWERS = Path(__file__).with_name("route_console.json")

# [callsieve] stands for ours: it writes down which of the cases below asked.
DIALPLAN = r"""
[globals]
BEHIND=office

[callsieve]
exten => s,1,Set(DB(asked/${CASE})=yes)
 same => n,Return()

[from-carrier]
include => ranges
include => morning,00:00-12:00,mon-fri,*,*
include => always
exten => 2071838750,1,Answer()
 same => n,Dial(Local/1@rings,1)
exten => _X.,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Goto(office,${EXTEN},1)
exten => _20718388XX,1,NoOp(a pattern, and the next step is another one's)
exten => _2071838[89]XX,2,Gosub(callsieve,s,1(${EXTEN}))
exten => _2071838[89]XX,3,Dial(Local/1@rings,1)
exten => _20718387[67]X,2,Dial(Local/1@rings,1)
exten => _207183877X,1,NoOp(the second step is not ours)
exten => 2071838751,1,GotoIf($["${CALLERID(num)}" = "12015550199"]?vip)
 same => n,Gosub(callsieve,s,1(${EXTEN}))
 same => n(vip),Dial(Local/1@rings,1)
exten => 2071838752,1,GotoIf($["${CALLERID(num)}" = "12015550199"]?one:two)
 same => n(one),Gosub(callsieve,s,1(${EXTEN}))
 same => n,Dial(Local/1@rings,1)
 same => n(two),Gosub(callsieve,s,1(${EXTEN}))
 same => n,Hangup()
exten => 2071838753,1,Goto(${IF($["${CALLERID(num)}" = ""]?a:b)},1)
exten => 2071838754,1,Goto(menu,s,1)
exten => 2071838755,1,Verbose(1,asks, then rings)
 same => n,Wait(0.1)
 same => n,Goto(callsieve-from-trunk,${EXTEN},1)
exten => 2071838756,1,Goto(${EXTEN},3)
 same => n,Dial(Local/1@rings,1)
 same => n,Gosub(callsieve,s,1(${EXTEN}))
 same => n,Hangup()
exten => 2071838757,1,Gosub(before,s,1(${EXTEN}))
 same => n,Dial(Local/1@rings,1)
exten => 2071838758,1,Gosub(welcome,s,1)
 same => n,Gosub(callsieve,s,1(${EXTEN}))
 same => n,Dial(Local/1@rings,1)
exten => 2071838759,hint,Local/1@rings
exten => 2071838760,1,NoOp(nothing comes after it)
exten => 2071838761,1,Goto(nowhere,${EXTEN},1)
exten => 2071838762/12015550199,1,Gosub(callsieve,s,1(${EXTEN}))
exten => 2071838762/12015550199,2,Hangup()
exten => 2071838763,1(again),NoOp(round and round)
 same => n,Goto(again)
exten => 2071838764,1,ExecIf($["${CHANNEL}" != ""]?Set(LANGUAGE()=en))
 same => n,ExecIf($["${CHANNEL}" != ""]?Gosub(callsieve,s,1(${EXTEN})):NoOp())
 same => n,Dial(Local/1@rings,1)
exten => 2071838765,1,Set(NEXT=office)
 same => n,Goto(${NEXT},${EXTEN},1)
exten => 2071838766,1,GosubIf($["${CHANNEL}" != ""]?callsieve,s,1(a):callsieve,s,1(b))
 same => n,Hangup()
exten => i,1,Hangup()

[always]
exten => _+44207183875X,1,Dial(Local/1@rings,1)
exten => _+44207183876X,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Goto(office,${EXTEN:3},1)
exten => s,1,Gosub(callsieve,s,1(s))
 same => n,Goto(office,2071838750,1)

exten => +442071838780,1,NoOp(nothing comes after it)

[morning]
exten => +442071838799,1,Dial(Local/1@rings,1)

[ranges]
exten => 2071838750,1,Gosub(callsieve,s,1(an include comes after the context's own))
exten => +442071838760,1,Dial(Local/1@rings,1)

[elsewhere]
exten => 2071838750,1,Gosub(callsieve,s,1(own before the switch))
 same => n,Hangup()
switch => Loopback/x@office
include => ranges

[globally]
exten => _X.,1,Gosub(callsieve,s,1(${EXTEN}))
 same => n,Goto(${BEHIND},${FILTER(0-9A-Za-z+*#,${EXTEN})},1)

[from-trunk]
exten => _207183875X,1,Dial(Local/1@rings,1)
exten => +442071838750,1,Dial(Local/1@rings,1)
exten => s,1,Dial(Local/1@rings,1)

[office]
exten => _207183875X,1,Dial(Local/1@rings,1)
exten => _207183876X,1,Goto(menu,s,1)
exten => +442071838750,1,Dial(Local/1@rings,1)

[before]
exten => s,1,GotoIf($["${ARG1}" = ""]?done)
 same => n(done),Gosub(callsieve,s,1(${ARG1}))
 same => n,Return()

[welcome]
exten => s,1,Ringing()
 same => n,Return()

[menu]
exten => s,1,Answer()
 same => n,Background(beep)
 same => n,WaitExten(1)
exten => 1,1,Gosub(callsieve,s,1(1))

[rings]
exten => 1,1,Hangup()

[from-internal]
exten => 1,1,Hangup()

""" + packaged("callsieve-from-trunk.conf")


class Case(NamedTuple):
    """What the doctor must say of a number, and whether the call that is placed asks: None where it depends."""

    number: str
    context: str
    screening: RouteScreening
    why: RouteReason | None = None
    asks: bool | None = None


SCREENED, NOT, CANNOT_TELL = RouteScreening.SCREENED, RouteScreening.NOT_SCREENED, RouteScreening.CANNOT_TELL
CASES = {
    "an explicit number wins over the pattern": Case("2071838750", "from-carrier", NOT, RouteReason.TAKEN, False),
    "the pattern takes what is not explicit": Case("2071838149", "from-carrier", SCREENED, None, True),
    "the next step is another pattern's": Case("2071838801", "from-carrier", SCREENED, None, True),
    "the next step is not ours": Case("2071838771", "from-carrier", NOT, RouteReason.TAKEN, False),
    "only the first step is ours": Case("2071838949", "from-carrier", SCREENED, None, True),
    "a GotoIf skips it": Case("2071838751", "from-carrier", CANNOT_TELL, RouteReason.DEPENDS, True),
    "a GotoIf with us in both branches": Case("2071838752", "from-carrier", SCREENED, None, True),
    "a computed Goto": Case("2071838753", "from-carrier", CANNOT_TELL, RouteReason.COMPUTED, False),
    "an IVR": Case("2071838754", "from-carrier", NOT, RouteReason.TAKEN, False),
    "through the front context": Case("2071838755", "from-carrier", SCREENED, None, True),
    "a Goto to a priority": Case("2071838756", "from-carrier", SCREENED, None, True),
    "a subroutine asks": Case("2071838757", "from-carrier", SCREENED, None, True),
    "a subroutine before us": Case("2071838758", "from-carrier", SCREENED, None, True),
    "a hint is no step": Case("2071838759", "from-carrier", SCREENED, None, True),
    "the second step is the next match's": Case("2071838760", "from-carrier", NOT, RouteReason.TAKEN, False),
    "a Goto to nowhere": Case("2071838761", "from-carrier", NOT, RouteReason.MISSING, False),
    "a step for one caller only": Case("2071838762", "from-carrier", SCREENED, None, True),
    "round and round": Case("2071838763", "from-carrier", CANNOT_TELL, RouteReason.LONG),
    "an ExecIf": Case("2071838764", "from-carrier", CANNOT_TELL, RouteReason.DEPENDS, True),
    "a variable that is set": Case("2071838765", "from-carrier", NOT, RouteReason.TAKEN, False),
    "a GosubIf": Case("2071838766", "from-carrier", SCREENED, None, True),
    "the pattern is not for +": Case("+442071838750", "from-carrier", NOT, RouteReason.TAKEN, False),
    "an include before another": Case("+442071838760", "from-carrier", NOT, RouteReason.TAKEN, False),
    "an include that asks": Case("+442071838761", "from-carrier", SCREENED, None, True),
    "at certain times only": Case("+442071838799", "from-carrier", NOT, RouteReason.TAKEN),
    "the dialplan ends": Case("+442071838780", "from-carrier", NOT, RouteReason.ENDS, False),
    "s": Case("s", "from-carrier", SCREENED, None, True),
    "own before the switch": Case("2071838750", "elsewhere", SCREENED, None, True),
    "a switch before the include": Case("+442071838760", "elsewhere", CANNOT_TELL, RouteReason.SWITCH),
    "front": Case("2071838750", "callsieve-from-trunk", SCREENED, None, True),
    "front with +": Case("+442071838750", "callsieve-from-trunk", SCREENED, None, True),
    "front with s": Case("s", "callsieve-from-trunk", SCREENED, None, True),
    "front has nowhere to go": Case("+442071838799", "callsieve-from-trunk", NOT, RouteReason.REFUSED, False),
    "a global": Case("2071838750", "globally", SCREENED, None, True),
}


CARRIER = '[numbers]\nregion = "GB"\n[[trunk]]\nname = "carrier"\nchannels = "PJSIP/from-carrier-*"\n'
FRONT = CARRIER.replace("from-carrier", "callsieve-from-trunk")
OWN = 'own_numbers = ["+442071838750"]\n'
NOWHERE = '[[did]]\nnumber = "+442071838799"\n'
FAX = "".join(f'[[did]]\nnumber = "020718387{last}"\nscreen = false\n' for last in range(50, 80))
# Settings with which the doctor looks at all of it.
GLOBALLY = CARRIER.replace("from-carrier", "globally")
SURVEYS = (CARRIER, FRONT + OWN + NOWHERE, GLOBALLY + OWN + NOWHERE)


def check_context_of(console: Callable[[str], str], settings: str = "", now: float = 0.0) -> CheckContext:
    """What the doctor looks at. Each endpoint has the context of its name, so settings can name a context."""

    def ask(command: str) -> str:
        endpoint = command.removeprefix("pjsip show endpoint ")
        return console(command) if endpoint == command else f" context  : {endpoint}\n"

    return CheckContext(Loaded(settings=parse_settings(settings, "test"), file=None, state=Path("none")), ask, now)


def verdict(context: CheckContext, case: Case) -> RouteVerdict:
    """What is found of one case."""
    variables = globals_in(context.ask("dialplan show globals"))
    return verdict_on(Extensions(context).matches, case.number, case.context, variables)


def recorded(command: str) -> str:
    """The console as it answered when it was asked."""
    return _answers()[command]


@cache
def _answers() -> dict[str, str]:
    answers: dict[str, str] = json.loads(ANSWERS.read_text("utf-8"))
    return answers

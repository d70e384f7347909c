"""Calls whose AMI events are recorded for tests. Each scene is a small office in which people make calls.

Every number is invented. `tests/recordings/NAME.toml` has the outcomes that `ami_listener` must derive from each scene.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from lab.asterisk import Asterisk
from lab.carrier import CallSpec, Carrier
from lab.phone import Answering, Phone
from lab.recorder import MANAGER_USER, AmiRecorder, Chunk
from lab.screened import SETTINGS, ScreenedPbx

CALLER, OTHER_CALLER, OUTSIDE, SPAMMER = "+12017421834", "+12017425678", "+13125550142", "+12015550666"
ALICE = "+442071838751"
MENU, SALES, DESK, FORWARDED, FOLLOWED, MEETING = (f"+44207183876{n}" for n in range(6))
NAME = 'Zoë 王 "Jo"'

OFFICE = f"""\
[from-carrier]
exten => {ALICE},1,Dial(PJSIP/201,3,tT)
 same => n,GotoIf($["${{DIALSTATUS}}" = "BUSY"]?busy)
 same => n,GotoIf($["${{DIALSTATUS}}" = "NOANSWER"]?mail)
 same => n,Hangup()
 same => n(busy),Hangup(17)
 same => n(mail),VoiceMail(201@default,s)
 same => n,Hangup()
exten => {MENU},1,Answer()
 same => n,Wait(5)
 same => n,Hangup()
exten => {SALES},1,Dial(PJSIP/201&PJSIP/202&PJSIP/203,3)
 same => n,Hangup(19)
exten => {DESK},1,Answer()
 same => n,Queue(desk,,,,20)
 same => n,Hangup()
exten => {FORWARDED},1,Dial(PJSIP/{OUTSIDE}@carrier,20)
 same => n,Hangup()
exten => {FOLLOWED},1,Dial(Local/201@follow/n&Local/202@follow/n,20)
 same => n,Hangup()
exten => {MEETING},1,Answer()
 same => n,ConfBridge(8000)

[follow]
exten => _2XX,1,Dial(PJSIP/${{EXTEN}},20)

[from-internal]
include => parkedcalls
exten => _2XX,1,Dial(PJSIP/${{EXTEN}},20,tT)
 same => n,Hangup()
exten => 9,1,Dial(PJSIP/202,20,tT)
 same => n,Hangup()
exten => 7,1,Park()
exten => **201,1,Pickup({ALICE}@from-internal)
 same => n,Hangup()
exten => 8000,1,Answer()
 same => n,ConfBridge(8000)
exten => _+X.,1,Set(CALLERID(num)={ALICE})
 same => n,Dial(PJSIP/${{EXTEN}}@carrier,60)
 same => n,Hangup()
"""
CONFIG = {
    "manager.conf": MANAGER_USER,
    "features.conf": "[featuremap](+)\nblindxfer = ##\natxfer = *2\n",
    "queues.conf": "[desk]\nstrategy = ringall\ntimeout = 5\nretry = 1\nmember => PJSIP/201\nmember => PJSIP/202\n",
}


@dataclass(slots=True)
class Stage:
    """A running office with a recorder. A scene that begins without a recording starts it with `listen`."""

    asterisk: Asterisk
    carrier: Carrier
    _stack: ExitStack
    recorder: AmiRecorder = field(init=False)

    def listen(self) -> None:
        self.recorder = self._stack.enter_context(AmiRecorder(self.asterisk))

    @contextmanager
    def phones(self, **answering: Answering) -> Iterator[dict[str, Phone]]:
        """Switch on phones during the `with` block, by keyword, such as `p201=Answering(...)`.

        The keyword `carrier` is the far end of outgoing calls.
        """
        with ExitStack() as stack:
            yield {
                key: stack.enter_context(Phone(self.asterisk, key.removeprefix("p"), how, echo=False))
                for key, how in answering.items()
            }

    def call(self, did: str = ALICE, caller: str = CALLER, *, hang_up_after: float | None = 2.0) -> None:
        self.carrier.call(CallSpec(caller=caller, name=NAME, did=did, hang_up_after=hang_up_after))

    def gives_up(self, seconds: float, did: str = ALICE) -> None:
        """Place a call from outside. The caller gives up `seconds` after ringing starts."""
        self.carrier.call(CallSpec(caller=CALLER, name=NAME, did=did, cancel_after=seconds))


Act = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """A function that places calls (`act`), and the office for the calls.

    `late`: whether `act` starts the recorder itself.
    """

    act: Act
    late: bool = False
    office: Callable[[], AbstractContextManager[Asterisk]] = lambda: Asterisk(extensions=OFFICE, config=CONFIG)

    def play(self) -> list[Chunk]:
        """Place the calls, and return the data that the manager interface sent."""
        with self.office() as asterisk, ExitStack() as stack:
            stage = Stage(asterisk, Carrier(asterisk), stack)
            if not self.late:
                stage.listen()
            self.act(stage)
            return stage.recorder.chunks()


RINGS = Answering.never()
ANSWERS = Answering(ring_seconds=1.0)
ANSWERS_LATER = Answering(ring_seconds=1.8)


def answered(stage: Stage) -> None:
    with stage.phones(p201=ANSWERS):
        stage.call()


def withheld(stage: Stage) -> None:
    with stage.phones(p201=ANSWERS):
        stage.carrier.call(CallSpec(caller=CALLER, name=NAME, did=ALICE, privacy=True, hang_up_after=2.0))


def callee_hangs_up(stage: Stage) -> None:
    with stage.phones(p201=Answering(ring_seconds=1.0, hang_up_after=2.0)):
        stage.call(hang_up_after=None)


def one_ring(stage: Stage) -> None:
    with stage.phones(p201=RINGS):
        stage.gives_up(1.5)


def voicemail_message(stage: Stage) -> None:
    with stage.phones(p201=RINGS):
        spec = CallSpec(caller=CALLER, name=NAME, did=ALICE, voice=True, hang_up_after=4.0)
        stage.carrier.call(spec)


def voicemail_no_message(stage: Stage) -> None:
    with stage.phones(p201=RINGS):
        stage.call(hang_up_after=0.4)


def busy(stage: Stage) -> None:
    with stage.phones(p201=Answering.busy()):
        stage.call()


def rejected(stage: Stage) -> None:
    with stage.phones(p201=Answering(status="603 Decline", ring_seconds=1.0)):
        stage.call()


def phone_is_off(stage: Stage) -> None:
    with stage.phones(p201=Answering(status="480 Temporarily Unavailable", ring_seconds=0)):
        stage.call()


def menu(stage: Stage) -> None:
    stage.call(MENU)


def group_one_answers(stage: Stage) -> None:
    with stage.phones(p201=RINGS, p202=ANSWERS, p203=RINGS):
        stage.call(SALES)


def group_nobody_answers(stage: Stage) -> None:
    with stage.phones(p201=RINGS, p202=Answering.reject(), p203=RINGS):
        stage.call(SALES)


def group_through_local(stage: Stage) -> None:
    with stage.phones(p201=RINGS, p202=ANSWERS):
        stage.call(FOLLOWED)


def queue(stage: Stage) -> None:
    with stage.phones(p201=RINGS, p202=ANSWERS):
        stage.call(DESK)


def queue_given_up(stage: Stage) -> None:
    with stage.phones(p201=RINGS, p202=RINGS):
        stage.call(DESK, hang_up_after=7.0)


def blind_transfer(stage: Stage) -> None:
    with stage.phones(p201=ANSWERS, p202=ANSWERS) as phones:
        call = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=9.0))
        call.wait_until_answered()
        time.sleep(0.5)
        phones["p201"].press("##9")
        phones["p202"].wait_for_invite(seconds=8.0)
        call.result()


def attended_transfer(stage: Stage) -> None:
    """Transfer a call: the phone 201 answers, calls 202, and hangs up to connect 202 with the caller."""
    with stage.phones(p201=Answering(ring_seconds=1.0, hang_up_after=8.0), p202=ANSWERS) as phones:
        call = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=12.0))
        call.wait_until_answered()
        time.sleep(0.5)
        phones["p201"].press("*29")
        phones["p202"].wait_for_invite(seconds=8.0)
        call.result()


def pickup(stage: Stage) -> None:
    with stage.phones(p201=RINGS) as phones:
        call = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=2.0))
        phones["p201"].wait_for_invite()
        time.sleep(0.8)
        picking = Phone(stage.asterisk, "202").dial("**201", CallSpec(hang_up_after=None))
        call.result()
        picking.result()


def forwarded(stage: Stage) -> None:
    with stage.phones(carrier=ANSWERS):
        Carrier(stage.asterisk, "carrier2").call(CallSpec(caller=CALLER, name=NAME, did=FORWARDED, hang_up_after=2.0))


def outbound_answered(stage: Stage) -> None:
    with stage.phones(carrier=ANSWERS):
        Phone(stage.asterisk, "201").dial(OUTSIDE, CallSpec(hang_up_after=2.0)).result()


def outbound_unanswered(stage: Stage) -> None:
    with stage.phones(carrier=RINGS):
        Phone(stage.asterisk, "201").dial(OUTSIDE, CallSpec(cancel_after=1.5)).result()


def outbound_no_such_number(stage: Stage) -> None:
    with stage.phones(carrier=Answering(status="404 Not Found", ring_seconds=0)):
        Phone(stage.asterisk, "201").dial(OUTSIDE, CallSpec()).result()


def called_back(stage: Stage) -> None:
    """Leave a call unanswered. Later the callee calls the number of the caller."""
    with stage.phones(p201=RINGS):
        stage.gives_up(2.0)
    with stage.phones(carrier=Answering(ring_seconds=1.0, hang_up_after=2.0)):
        Phone(stage.asterisk, "201").dial(CALLER, CallSpec(hang_up_after=None)).result()


def internal(stage: Stage) -> None:
    with stage.phones(p202=ANSWERS):
        Phone(stage.asterisk, "201").dial("202", CallSpec(hang_up_after=1.5)).result()


def parked(stage: Stage) -> None:
    with stage.phones(p201=ANSWERS) as phones:
        call = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=9.0))
        call.wait_until_answered()
        time.sleep(0.5)
        phones["p201"].press("##7")
        time.sleep(4.5)
        Phone(stage.asterisk, "202").dial("701", CallSpec(hang_up_after=None)).result()
        call.result()


def conference(stage: Stage) -> None:
    first = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=MEETING, hang_up_after=4.0))
    first.wait_until_answered()
    time.sleep(0.5)
    second = Phone(stage.asterisk, "202").dial("8000", CallSpec(hang_up_after=5.0))
    second.wait_until_answered()
    stage.carrier.call(CallSpec(caller=OTHER_CALLER, did=MEETING, hang_up_after=1.5))
    first.result()
    second.result()


def offered_again(stage: Stage) -> None:
    """Call a busy phone. Then the carrier offers the same call once more."""
    with stage.phones(p201=Answering.busy()):
        stage.call()
    with stage.phones(p201=ANSWERS):
        stage.call()


def redialled(stage: Stage) -> None:
    """Call and give up, then redial and give up again. The recording has two calls."""
    with stage.phones(p201=RINGS):
        stage.gives_up(1.5)
        stage.gives_up(2.0)


def two_at_once(stage: Stage) -> None:
    with stage.phones(p201=ANSWERS):
        first = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=3.0))
        time.sleep(0.5)
        stage.carrier.call(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=1.0))
        first.result()


def restarted(stage: Stage) -> None:
    """Kill Asterisk during a call, restart it, and place another call."""
    spec = CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=3.0)
    with stage.phones(p201=ANSWERS), stage.carrier.start(spec) as call:
        call.wait_until_answered()
        time.sleep(0.5)
        stage.asterisk.kill()
        stage.recorder.wait_until_lost()
    stage.asterisk.start()
    stage.recorder.wait_until_connected()
    with stage.phones(p201=ANSWERS):
        stage.call(caller=OTHER_CALLER)


def started_in_the_middle(stage: Stage) -> None:
    """Start the recorder during a call. Another call follows while the first call lasts."""
    with stage.phones(p201=ANSWERS):
        call = stage.carrier.start(CallSpec(caller=CALLER, name=NAME, did=ALICE, hang_up_after=4.0))
        call.wait_until_answered()
        time.sleep(0.5)
        stage.listen()
        stage.call(caller=OTHER_CALLER, hang_up_after=1.0)
        call.result()


def screened(stage: Stage) -> None:
    with stage.phones(p201=ANSWERS):
        stage.call(caller=SPAMMER)


def withheld_office() -> Asterisk:
    """Return an office whose Asterisk adds to every event whether the caller's number may be shown."""
    variables = "[general](+)\nchannelvars = CALLERID(num-pres)\n"
    return Asterisk(extensions=OFFICE, config={**CONFIG, "manager.conf": variables + MANAGER_USER})


@contextmanager
def screened_office() -> Iterator[Asterisk]:
    """Yield an office with CallSieve's daemon and one number on the blocklist."""
    with ScreenedPbx(settings=SETTINGS, config={"manager.conf": MANAGER_USER}) as pbx:
        pbx.daemon.callsieve("list", "add", "block", SPAMMER).check_returncode()
        yield pbx.asterisk


SCENES: Mapping[str, Scene] = {
    **{
        act.__name__.replace("_", "-"): Scene(act)
        for act in (
            *(answered, callee_hangs_up, one_ring, voicemail_message, voicemail_no_message, busy, rejected),
            *(phone_is_off, menu, group_one_answers, group_nobody_answers, group_through_local),
            *(queue, queue_given_up, blind_transfer, attended_transfer, pickup, forwarded, parked, conference),
            *(outbound_answered, outbound_unanswered, outbound_no_such_number, called_back, internal),
            *(offered_again, redialled, two_at_once, restarted),
        )
    },
    "started-in-the-middle": Scene(started_in_the_middle, late=True),
    "withheld": Scene(withheld, office=withheld_office),
    "screened": Scene(screened, office=screened_office),
}

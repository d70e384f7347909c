"""STIR/SHAKEN on a real Asterisk: signed calls of a carrier with its own authority, and the decisions on them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import CallSpec, Phone
from lab.certificates import make_key
from lab.ports import free_port
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from lab.shaken import Signer, signing_carrier
from reputation.appeals import Appeal, AppealState
from reputation.model import AuthClass, DecisionRecord
from reputation.store.appeals import appeal_of, open_appeal
from reputation.store.connection import open_store, transaction
from reputation.store.identities import identity_of
from reputation.store.public_appeals import add_public_appeal, code_of, keep_code, shown_code
from tests.integration.office import decision_on
from tests.waiting import wait_until

# One rule for each thing that a policy can know of a signature, so that the journal's rule says what it knew.
POLICY = """\
[[rule]]
name = "forged"
when = { verification = "failed" }
action = "tag"
reason = "the signature speaks against the caller"
""" + "".join(
    f"""
[[rule]]
name = "{name}"
when = {{ attestation = "{level}", verification = "{verification}" }}
action = "allow"
reason = "so it was signed"
"""
    for name, level, verification in [
        *((f"verified-{level.lower()}", level, "passed") for level in "ABC"),
        ("unsigned", "none", "none"),
    ]
)
CALLERS = iter(f"+120155502{n:02d}" for n in range(100))
PROVING = "+442071838753"  # where a caller keys a code
DIALPLAN = EXTENSIONS.replace("[office]\n", f"[office]\nexten => {PROVING},1,Goto(callsieve-prove,s,1)\n")
# How long Asterisk itself waits for a certificate (curl_timeout), before the dialplan begins.
FETCH_SECONDS, SLACK = 2.0, 1.0


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Signer, dict[str, str]]]:
    with signing_carrier(tmp_path_factory.mktemp("authority")) as carrier:
        yield carrier


@pytest.fixture(scope="module")
def signer(carrier: tuple[Signer, dict[str, str]]) -> Signer:
    return carrier[0]


@pytest.fixture(scope="module")
def pbx(carrier: tuple[Signer, dict[str, str]]) -> Iterator[ScreenedPbx]:
    settings = SETTINGS.replace('name = "cautious"', 'name = "signatures"')
    with ScreenedPbx(settings=settings, extensions=DIALPLAN, config=carrier[1], start_daemon=False) as office:
        (office.state / "policies").mkdir()
        (office.state / "policies" / "signatures.toml").write_text(POLICY)
        office.daemon.start()
        yield office


def decide(pbx: ScreenedPbx, headers: dict[str, str], caller: str) -> DecisionRecord:
    """Return the decision on a call with these headers, which must reach the phone."""
    with Phone(pbx.asterisk, "201") as phone:
        assert pbx.carrier.call(CallSpec(caller=caller, did=ALICE, headers=headers)).code == 200
        assert phone.invites() != []
    return decision_on(pbx.daemon.store, caller)


@pytest.mark.parametrize(
    ("level", "auth_class"),
    [
        ("A", AuthClass.AUTHENTICATED),
        ("B", AuthClass.UNAUTHENTICATED),
        ("C", AuthClass.UNAUTHENTICATED),
    ],
)
def test_a_verified_signature_sets_the_auth_class(
    pbx: ScreenedPbx, signer: Signer, level: str, auth_class: AuthClass
) -> None:
    caller = next(CALLERS)
    decision = decide(pbx, signer.headers(caller, ALICE, level), caller)
    assert (decision.rule, decision.auth_class) == (f"verified-{level.lower()}", auth_class)


def test_an_unsigned_call_is_of_class_unknown(pbx: ScreenedPbx) -> None:
    decision = decide(pbx, {}, next(CALLERS))
    assert (decision.rule, decision.auth_class) == ("unsigned", AuthClass.UNKNOWN)


def with_another_level(signer: Signer, caller: str) -> dict[str, str]:
    """Return headers signed as C, in which A is written."""
    theirs, wished = (signer.headers(caller, ALICE, level) for level in "CA")
    (header, _, signature), (_, payload, _) = (item["Identity"].split(".", 2) for item in (theirs, wished))
    return {**theirs, "Identity": f"{header}.{payload}.{signature}"}


def with_another_key(signer: Signer, caller: str) -> dict[str, str]:
    return replace(signer, key=make_key()).headers(caller, ALICE, "A")


def for_another_caller(signer: Signer, _caller: str) -> dict[str, str]:
    return signer.headers("+12015550000", ALICE, "A")


@pytest.mark.parametrize("forge", [with_another_level, with_another_key, for_another_caller])
def test_a_forged_signature_makes_the_call_unauthenticated(
    pbx: ScreenedPbx, signer: Signer, forge: Callable[[Signer, str], dict[str, str]]
) -> None:
    caller = next(CALLERS)
    decision = decide(pbx, forge(signer, caller), caller)
    assert (decision.rule, decision.auth_class) == ("forged", AuthClass.UNAUTHENTICATED)


@pytest.mark.parametrize(("level", "is_proven"), [("A", True), ("B", False), ("C", False)])
def test_a_code_counts_only_with_attestation_a(pbx: ScreenedPbx, signer: Signer, level: str, is_proven: bool) -> None:
    caller, code, before = next(CALLERS), "314159", len(code_prompts(pbx))
    with open_store(pbx.daemon.store) as db:
        with transaction(db):
            keep_code(db, caller, caller, code, time.time())
        headers = signer.headers(caller, PROVING, level)
        with pbx.carrier.start(CallSpec(caller=caller, did=PROVING, headers=headers, hang_up_after=3.0)) as call:
            wait_until(lambda: len(code_prompts(pbx)) > before, "the question")
            call.press(code)
            call.result()
        assert (identity_of(db, caller) is not None) is is_proven
        kept = code_of(db, caller)
    assert (kept is None) is is_proven
    assert kept is None or kept.tries == 0, "a call that does not count spends no try"


def test_a_signed_call_with_a_public_page_code_proves_the_number(pbx: ScreenedPbx, signer: Signer) -> None:
    caller, code, before, now = next(CALLERS), "314159", len(code_prompts(pbx)), time.time()
    appeal = Appeal(reference="AP000001", number=caller, name="Carol", contact="carol@example.com", opened_at=now)
    with open_store(pbx.daemon.store) as db:
        with transaction(db):
            open_appeal(db, appeal)
            add_public_appeal(db, appeal.reference, "link", now)
            keep_code(db, shown_code(appeal.reference), caller, code, now)
        headers = signer.headers(caller, PROVING, "A")
        with pbx.carrier.start(CallSpec(caller=caller, did=PROVING, headers=headers, hang_up_after=3.0)) as call:
            wait_until(lambda: len(code_prompts(pbx)) > before, "the question")
            call.press(code)
            call.result()
        proven = appeal_of(db, appeal.reference)
    assert proven is not None
    assert (proven.state, proven.proven) == (AppealState.IN_FORCE, True)


def code_prompts(pbx: ScreenedPbx) -> list[str]:
    """Return the log lines at which callers were asked for a code."""
    return [line for line in pbx.asterisk.log_lines() if "Playing 'agent-pass" in line]


def test_asterisk_does_not_check_the_signed_destination(pbx: ScreenedPbx, signer: Signer) -> None:
    """A signature of the last 15 s also counts for another DID. If this changes, change signed-calls.md."""
    caller = next(CALLERS)
    decision = decide(pbx, signer.headers(caller, "+442071838799", "A"), caller)
    assert decision.rule == "verified-a"


def test_a_signature_of_an_untrusted_authority_is_forged(pbx: ScreenedPbx, tmp_path: Path) -> None:
    caller = next(CALLERS)
    with signing_carrier(tmp_path) as (stranger, _):
        decision = decide(pbx, stranger.headers(caller, ALICE, "A"), caller)
    assert (decision.rule, decision.auth_class) == ("forged", AuthClass.UNAUTHENTICATED)


def test_an_old_or_unverifiable_signature_counts_as_unsigned(pbx: ScreenedPbx, signer: Signer) -> None:
    unreachable = replace(signer, url=f"http://127.0.0.1:{free_port('127.0.0.1', socket.SOCK_STREAM)}/carrier.pem")
    for one, claims in ((signer, {"iat": int(time.time()) - 300}), (unreachable, {})):
        caller = next(CALLERS)
        decision = decide(pbx, one.headers(caller, ALICE, "A", **claims), caller)
        assert (decision.rule, decision.auth_class) == ("unsigned", AuthClass.UNKNOWN)


def test_a_missing_certificate_delays_a_call_by_the_fetch_timeout(
    pbx: ScreenedPbx, signer: Signer, record_delay: Callable[[float | None], None]
) -> None:
    caller = next(CALLERS)
    with socket.create_server(("127.0.0.1", 0)) as silent, Phone(pbx.asterisk, "201"):
        slow = replace(signer, url=f"http://127.0.0.1:{silent.getsockname()[1]}/carrier.pem")
        result = pbx.carrier.call(CallSpec(caller=caller, did=ALICE, headers=slow.headers(caller, ALICE, "A")))
    assert result.code == 200
    assert FETCH_SECONDS - 0.1 < (result.ringing_seconds or 9) < FETCH_SECONDS + SLACK
    record_delay(result.ringing_seconds)
    assert decision_on(pbx.daemon.store, caller).rule == "unsigned"

"""A campaign from ranges of numbering plans, on a real Asterisk: decisions, and what phones show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import CallSpec, Phone
from lab.screened import ALICE, EXTENSIONS, SETTINGS, ScreenedPbx
from tests.integration.office import decision_on

# 202 speaks Mandarin and has a number of her own.
BEI, SHOP = "+442071838753", "+442071838754"
OFFICE = EXTENSIONS.replace(
    "[spam-box]",
    """exten => +442071838753,1,Dial(PJSIP/202,20,${CALLSIEVE_DIAL})
exten => +442071838754,1,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})

[spam-box]""",
)
POLICY = """
extends = "cautious"

[[rule]]
name = "no-sales-at-the-shop"
when = { purpose = ["telemarketing", "call-centre"], did = "+442071838754" }
action = "reject"
reason = "the shop takes no sales calls"

[[rule]]
name = "call-centres"
when = { purpose = "call-centre" }
action = "warn"
reason = "a call centre by its range"

[[rule]]
name = "banks"
when = { purpose = "bank" }
action = "tag"
reason = "a bank by its range"

[[rule]]
name = "made-up"
when = { allocated = false }
action = "tag"
reason = "nobody has such a number"
"""
PEOPLE = """
[[did]]
number = "+442071838753"
callee = "202"
"""
BANK, CALL_CENTRE, FRENCH, INDIAN, DRAMA = "95588", "95123456", "+33162123456", "+911401234567", "+442079460123"


@pytest.fixture(scope="module")
def pbx() -> Iterator[ScreenedPbx]:
    settings = SETTINGS.replace('name = "Bob"', 'name = "Bei"\nlanguage = "zh"').replace('"cautious"', '"house"')
    with ScreenedPbx(start_daemon=False, extensions=OFFICE) as office:
        policies = office.daemon.state / "policies"
        policies.mkdir(parents=True)
        (policies / "house.toml").write_text(POLICY)
        sample = "\n[reputation.sample]\nevery = 0\n"
        office.daemon.write_settings(settings.replace('region = "US"', 'region = "CN"') + PEOPLE + sample)
        office.daemon.start()
        yield office


@pytest.fixture(autouse=True)
def _nothing_left(pbx: ScreenedPbx) -> Iterator[None]:
    yield
    pbx.asterisk.wait_until_idle(5.0)


def shown(pbx: ScreenedPbx, caller: str, did: str = ALICE, phone: str = "201") -> str:
    with Phone(pbx.asterisk, phone) as handset:
        pbx.carrier.call(CallSpec(caller=caller, name="Joe", did=did, hang_up_after=0.3))
        return handset.wait_for_invite().from_name


@pytest.mark.parametrize(
    ("caller", "kept", "rule", "english", "mandarin"),
    [
        pytest.param(BANK, "+8695588", "banks", "Bank line? Joe", "银行专线？Joe", id="cn-bank"),
        pytest.param(CALL_CENTRE, "+8695123456", "call-centres", "Call centre? Joe", "呼叫中心？Joe", id="cn-95"),
        pytest.param(FRENCH, FRENCH, "telemarketing-range", "Telemarketing Joe", "营销专用号 Joe", id="fr-0162"),
        pytest.param(INDIAN, INDIAN, "telemarketing-range", "Telemarketing Joe", "营销专用号 Joe", id="in-140"),
        pytest.param(DRAMA, DRAMA, "made-up", "Unallocated? Joe", "空号？Joe", id="gb-drama"),
        pytest.param("+12017421834", "+12017421834", "default", "Joe", "Joe", id="a-range-of-no-plan"),
    ],
)
def test_a_call_from_a_campaign_range_is_labelled(
    pbx: ScreenedPbx, caller: str, kept: str, rule: str, english: str, mandarin: str
) -> None:
    assert shown(pbx, caller) == english
    assert shown(pbx, caller, BEI, "202") == mandarin
    assert decision_on(pbx.daemon.store, kept).rule == rule


@pytest.mark.parametrize(
    ("series", "kept", "label"),
    [
        pytest.param("9512345{}", "+869512345{}", "Call centre? ", id="cn-95"),
        pytest.param("+3316212345{}", "+3316212345{}", "Telemarketing ", id="fr-0162"),
        pytest.param("+91140123456{}", "+91140123456{}", "Telemarketing ", id="in-140"),
    ],
)
def test_each_call_of_a_campaign_is_labelled_and_rings(pbx: ScreenedPbx, series: str, kept: str, label: str) -> None:
    """Each call of a campaign shows another number that is unknown here."""
    for digit in range(7):
        assert shown(pbx, series.format(digit)) == f"{label}Joe"
        record = decision_on(pbx.daemon.store, kept.format(digit))
        assert record.action in ("tag", "warn")


@pytest.mark.parametrize("caller", [CALL_CENTRE, FRENCH, INDIAN])
def test_a_rule_for_a_range_rejects_calls(pbx: ScreenedPbx, caller: str) -> None:
    """Also for a range that the law protects, because the administrator named it."""
    assert pbx.carrier.call(CallSpec(caller=caller, did=SHOP)).code == 603


def test_a_changed_plan_counts_within_seconds(pbx: ScreenedPbx) -> None:
    plans = pbx.daemon.state / "plan"
    plans.mkdir(exist_ok=True)
    head = 'adds_to = "US"\ncalling_code = 1\nread = 2026-11-27\n'
    own = head + '[[range]]\nprefix = "+1201555019"\npurpose = "call-centre"\n'
    assert shown(pbx, "+12015550191") == "Joe"
    (plans / "us-own.toml").write_text(own)
    pbx.daemon.wait_for_log("numbering plans reloaded")
    assert shown(pbx, "+12015550192") == "Call centre? Joe"
    (plans / "us-own.toml").write_text(own.replace("call-centre", "nonsense"))
    pbx.daemon.wait_for_log("ignored a numbering plan")
    assert shown(pbx, "+12015550193") == "Joe"

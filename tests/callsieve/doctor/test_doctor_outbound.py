"""The doctor checks which calls the outbound guard sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.doctor import dialplan as doctor_dialplan
from callsieve.install.freepbx import OUTBOUND_HOOK
from callsieve.own_numbers import checks as outbound
from tests.callsieve.doctor.test_doctor import make_check_context

ACTING = "[outbound]\nobserve = false"
ASKING = "Gosub(callsieve-freepbx-outbound,s,1)"


def dialplan(**steps: str) -> str:
    """`dialplan show` of contexts with one step each."""
    return "".join(
        f"[ Context '{context.replace('_', '-')}' created by 'pbx_config' ]\n  's' =>  1. {step} [x.conf:1]\n"
        for context, step in steps.items()
    )


def on_freepbx(hook: str, trunk: str = "Gosub(macro-dialout-trunk,s,1(1,${EXTEN},,off))") -> str:
    """Return FreePBX's dialplan with our contexts, a hook and the step to a trunk."""
    return dialplan(callsieve_freepbx_outbound="Return()", **{OUTBOUND_HOOK.context: hook}, outrt_1=trunk)


@pytest.mark.parametrize(
    ("shown", "settings", "status", "words"),
    [
        pytest.param(
            dialplan(office="Gosub(callsieve-outbound,s,1(${EXTEN},,carrier))"), ACTING, "ok", "office", id="own-line"
        ),
        pytest.param("", "", "ok", "does not ask", id="no-line-and-observing"),
        pytest.param("", ACTING, "warn", "does not ask", id="no-line-and-acting"),
        pytest.param(on_freepbx(ASKING), "", "ok", "before each outgoing call", id="freepbx"),
        pytest.param(on_freepbx("Return()"), "", "warn", "FreePBX does not ask", id="freepbxs-empty-hook"),
        pytest.param(on_freepbx("AGI(theirs.php)"), "", "warn", "other content", id="foreign-hook"),
        pytest.param(
            on_freepbx(ASKING, trunk="Macro(dialout-trunk,1,${EXTEN},,off)"), "", "warn", "use Macro()", id="macros"
        ),
        pytest.param(
            on_freepbx(ASKING) + dialplan(theirs="Macro(dialout-trunk,1,${EXTEN},,off)"),
            "",
            "ok",
            "before each outgoing call",
            id="unused-macro",
        ),
        pytest.param(
            on_freepbx("Return()") + dialplan(theirs="Macro(dialout-trunk,1,${EXTEN},,off)"),
            "",
            "warn",
            "FreePBX does not ask",
            id="unused-macro-and-no-line",
        ),
        pytest.param(
            dialplan(
                callsieve_freepbx_outbound="Return()", office="GosubIf($[1]?callsieve-outbound,s,1(${EXTEN},,carrier))"
            ),
            ACTING,
            "ok",
            "office",
            id="freepbx-with-a-line-elsewhere",
        ),
    ],
)
def test_findings_follow_dialplan_and_settings(
    tmp_path: Path, shown: str, settings: str, status: str, words: str
) -> None:
    finding = outbound.guards_calls(make_check_context(tmp_path, {"dialplan show": shown}, settings))
    assert (finding.status, words in str(finding.detail)) == (status, True), finding
    assert bool(finding.remedy) is (status == "warn")


def test_hook_reports_emergency_calls(tmp_path: Path) -> None:
    context = make_check_context(tmp_path, {"dialplan show": on_freepbx(ASKING)})
    assert "marked Emergency" in str(doctor_dialplan.reports_emergencies(context).detail)

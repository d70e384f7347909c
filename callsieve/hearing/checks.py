"""The health check of hearing: the hearing process, its model, and whether transcripts come in time."""

from __future__ import annotations

from pathlib import Path

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, unknown, warn
from callsieve.telemetry import is_fresh, read_telemetry
from reputation.wording import Wording

OFF = Wording("it is off: [speech] in the settings names no model")
START = Wording("systemctl enable --now callsieve-hearing; journalctl -u callsieve-hearing says why it ended")
MODEL = Wording("set [speech] model to the directory of a model: callsieve help hear-callers")
RESTART = Wording("systemctl restart callsieve")
FASTER = Wording("use a smaller model, or set [speech] wait to 0: calls then do not wait for texts")


def is_heard(context: CheckContext) -> Finding:
    """Check that the hearing process has loaded its model, and that transcripts come in time."""
    model = context.loaded.settings.speech.model
    if not model:
        return ok(OFF)
    if not (Path(model) / "model.bin").is_file():
        return warn(Wording("{model} has no model.bin: no text of callers is shown", {"model": model}), MODEL)
    telemetry = read_telemetry(context.loaded.state)
    if telemetry is None or not is_fresh(telemetry):
        return unknown(Wording("the daemon does not run"))
    hearing = telemetry.hearing
    if hearing is None:
        return warn(Wording("the daemon was started before [speech] named a model"), RESTART)
    if not hearing.ready:
        return warn(Wording("the hearing process does not run: no text of callers is shown"), START)
    if hearing.late:
        return warn(Wording("texts of callers come too late, so calls do not wait for them"), FASTER)
    counts = {"heard": hearing.heard, "nothing": hearing.nothing, "missed": hearing.missed}
    return ok(Wording("{heard} callers understood, {nothing} not, {missed} without a result", counts))


CHECKS = (HealthCheck(place=175, name="hearing", find=is_heard),)

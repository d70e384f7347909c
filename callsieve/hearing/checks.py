"""The health check and the metrics of the hearing process, which transcribes what callers say."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, unknown, warn
from callsieve.monitoring.metrics import MetricFamily, single
from callsieve.settings import Loaded
from callsieve.telemetry import HearingState, is_fresh, read_telemetry
from reputation.wording import Wording

OFF = Wording("off: the settings name no model in [speech]")
START = Wording("systemctl enable --now callsieve-hearing; journalctl -u callsieve-hearing says why it ended")
MODEL = Wording("set `model` in [speech] to the directory of a model: callsieve help hear-callers")
RESTART = Wording("systemctl restart callsieve")
FASTER = Wording("use a smaller model, or set `wait` in [speech] to 0, so that calls do not wait for transcripts")


def is_heard(context: CheckContext) -> Finding:
    """Check that the hearing process has loaded its model and that transcripts are ready in time."""
    model = context.loaded.settings.speech.model
    if not model:
        return ok(OFF)
    if not (Path(model) / "model.bin").is_file():
        return warn(Wording("{model} has no model.bin: the words of callers are not shown", {"model": model}), MODEL)
    telemetry = read_telemetry(context.loaded.state)
    if telemetry is None or not is_fresh(telemetry):
        return unknown(Wording("the daemon is not running"))
    hearing = telemetry.hearing
    if hearing is None:
        return warn(Wording("the daemon was started before `model` in [speech] was set"), RESTART)
    if not hearing.ready:
        return warn(Wording("the hearing process is not running: the words of callers are not shown"), START)
    if hearing.late:
        return warn(Wording("transcripts come too late, so calls do not wait for them"), FASTER)
    counts = {"heard": hearing.heard, "nothing": hearing.nothing, "missed": hearing.missed}
    return ok(
        Wording(
            "callers with a transcript: {heard}, without recognisable words: {nothing}, not transcribed: {missed}",
            counts,
        )
    )


def metrics(_db: sqlite3.Connection, loaded: Loaded, now: float) -> Iterator[MetricFamily]:
    """Return the metrics of the hearing process; nothing if the daemon is down or `[speech]` names no model."""
    telemetry = read_telemetry(loaded.state)
    if telemetry is None or not is_fresh(telemetry, now) or telemetry.hearing is None:
        return iter(())
    return hearing_metrics(telemetry.hearing)


def hearing_metrics(hearing: HearingState) -> Iterator[MetricFamily]:
    """Yield the metrics of the hearing process."""
    results = {"understood": hearing.heard, "nothing": hearing.nothing, "missed": hearing.missed}
    yield MetricFamily(
        "callers_heard", "Callers whose recording was transcribed, by result.", results, "result", is_counter=True
    )
    yield single(
        "hearing_waiting", "Recordings that wait for the hearing process or are being transcribed.", hearing.waiting
    )
    yield single("hearing_ready", "1 if the hearing process runs and has loaded its model.", hearing.ready)
    yield single(
        "hearing_late", "1 while calls do not wait for transcripts, because transcripts come too late.", hearing.late
    )


CHECKS = (HealthCheck(place=175, name="hearing", find=is_heard),)

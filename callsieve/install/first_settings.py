"""Our own settings as `asterisk install` writes them: a new file begins in observe mode, an old one gets its [ami].

Once written they are the administrator's: `uninstall` leaves them alone.
"""

from __future__ import annotations

from pathlib import Path

from callsieve.install.manager_user import PRIVATE_MODE, toml_text
from callsieve.install.plan import CALL_BACK_SETTINGS, FileChange, InstallPaths
from callsieve.pbx.config_files import read_text
from callsieve.settings import Loaded, Settings
from reputation.numbers import did_number_of

NEW_FILE = """\
# CallSieve's settings, as `callsieve asterisk install` began them. The documentation (Operations) has every key.

[policy]
name = "observe" # decides and records, never acts; then cautious, balanced, strict or a policy of your own

[numbers]
region = {region} # your country: how numbers without a country code are read
"""
# Not in our settings: the service's user may only ask, and must not raise a limit.
CALL_BACK_FILE = """\
# CallSieve's call-back helper: whom it calls, and how often. The documentation (Call-back) has every key. Root's alone.

enabled = false
countries = [{region}] # landlines and mobiles of these only
channel = "Local/{{number}}@from-internal" # what Asterisk dials: "PJSIP/{{number}}@carrier", say
refused = [{own}] # never called, by how they begin: your own numbers, say
caller_id = "" # the number that it shows: "+12015550100"
"""
ELSEWHERE = """
[asterisk]
etc = {etc}
"""


def plan_settings(place: InstallPaths, loaded: Loaded, ami: list[str], region: str) -> list[FileChange]:
    """The settings file with the [ami] table at its end. A file that is there keeps all that it says.

    `region` is for a new one.
    """
    file = loaded.settings_file
    before = read_text(file)
    if before is not None and not ami:
        return []
    begun = _new_text(place, loaded, region) if before is None else before
    table = "".join(f"{line}\n" for line in ami)
    mode, group = _private(file, place.group)
    return [FileChange(file, before, begun + ("\n" if table and begun else "") + table, mode, group)]


def plan_call_back_settings(loaded: Loaded, region: str) -> list[FileChange]:
    """The helper's settings, with calls off. A file that is there stays. `region`: for settings that say none."""
    file = loaded.settings_file.with_name(CALL_BACK_SETTINGS)
    if read_text(file) is not None:
        return []
    at_home = region if read_text(loaded.settings_file) is None else loaded.settings.numbers.region
    own = ", ".join(map(toml_text, _own_numbers(loaded.settings, at_home)))
    return [FileChange(file, None, CALL_BACK_FILE.format(region=toml_text(at_home), own=own), 0o644)]


def _own_numbers(settings: Settings, region: str) -> list[str]:
    """Those of the settings: a call to one of them is a call to ourselves."""
    written = [did.number for did in settings.did] + [one for trunk in settings.trunk for one in trunk.own_numbers]
    return sorted({number for one in written if (number := did_number_of(one, region)) is not None})


def _new_text(place: InstallPaths, loaded: Loaded, region: str) -> str:
    """A first month only watches: a policy that acts is a decision of the administrator's, made on what was seen."""
    text = NEW_FILE.format(region=toml_text(region))
    if place.etc != Path(loaded.settings.asterisk.etc):
        text += ELSEWHERE.format(etc=toml_text(str(place.etc)))
    return text


def region_remark(file: Path, region: str) -> str:
    """What to know of a new file's region."""
    return f"numbers without a country code are read as those of {region}: [numbers] region in {file}"


def _private(file: Path, group: int) -> tuple[int, int | None]:
    """Mode and group of our settings with a secret in them: whoever runs the service reads them by Asterisk's group."""
    if not file.exists():
        return PRIVATE_MODE, group
    status = file.stat()
    if status.st_gid != 0 and not status.st_mode & 0o004:
        return status.st_mode & 0o770, None  # somebody has chosen who may read them
    return status.st_mode & 0o770 | 0o040, group

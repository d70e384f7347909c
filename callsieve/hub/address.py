"""Where the hub is, and the secret that this site logs in with: what `callsieve hub join` has written, for us alone."""

from __future__ import annotations

import os
from pathlib import Path

from callsieve.hub.administration import SiteLogin
from callsieve.hub.postgresql import HubError, with_login
from callsieve.hub.secret_file import secret_source
from callsieve.outside.errors import OutsideError
from callsieve.outside.secrets import secret_of
from callsieve.settings import Loaded


def address_of_site(loaded: Loaded) -> str:
    """The address with our login. HubError where there is none."""
    settings = loaded.settings.hub
    if not settings.address:
        raise HubError(f"{loaded.settings_file}: [hub] has no address: nothing is shared")
    where = secret_source(loaded)
    try:
        role, separator, password = secret_of(where).partition(" ")
    except OutsideError as error:
        raise HubError(f"{error.words}; callsieve hub join writes it") from None
    if not separator:
        raise HubError(f"{where}: is not what callsieve hub join writes")
    return with_login(settings.address, role, password)


def write_secret(path: Path, login: SiteLogin) -> None:
    """The login in a file that its owner alone may read, in the place of one that is there. OSError."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{login.role} {login.password}\n")
    partial.rename(path)

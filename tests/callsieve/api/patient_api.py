"""`python -m tests.callsieve.api.patient_api`: the API's process, where wrong tokens keep no address waiting."""

from __future__ import annotations

import sys

from callsieve.api import authentication
from callsieve.main.console_main import main

if __name__ == "__main__":
    authentication.TRIES_OF_AN_ADDRESS = sys.maxsize
    main()

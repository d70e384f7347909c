"""`python -m tests.callsieve.api.patient_api`: the API's process, where wrong tokens keep no address waiting."""

from __future__ import annotations

import sys

from callsieve.api import authentication
from callsieve.main.api_process import serve_api

if __name__ == "__main__":
    authentication.TRIES_OF_AN_ADDRESS = sys.maxsize
    serve_api(None, log_json=False)

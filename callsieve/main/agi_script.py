"""`callsieve-agi`: the classic AGI script, which Asterisk starts for each call.

`callsieve-agi [SOCKET]` passes the call to the daemon. `callsieve-agi --standalone` decides without a daemon.
"""

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path

from agi import relay


def main() -> None:
    """Answer the call for which Asterisk started this script."""
    parser = ArgumentParser(prog="callsieve-agi", description="Answer one call for Asterisk's AGI().")
    parser.add_argument("socket", nargs="?", help="the daemon's Unix socket; default: as in the settings")
    parser.add_argument("--standalone", action="store_true", help="decide without a daemon")
    parser.add_argument("--config", type=Path, default=None, help="settings file")
    arguments = parser.parse_args()
    if arguments.standalone:
        _standalone(arguments.config)
    else:
        sys.exit(relay.main([arguments.socket or _socket_of(arguments.config)]))


def _socket_of(config: Path | None) -> str:
    from callsieve.settings import load_settings

    return str(load_settings(config).socket_path)


def _standalone(config: Path | None) -> None:
    """Answer one call with the settings and the store only. The daemon's counts of recent calls are missing then."""
    import logging
    from dataclasses import replace

    from agi.protocol import Request
    from agi.screening import Screening
    from agi.standalone import run_standalone
    from callsieve.daemon.store_supervisor import StoreSupervisor
    from callsieve.plan_files import plan_of
    from callsieve.system.privileges import served_settings
    from callsieve.wiring import policies_of, site_of
    from reputation.site_names import new_id

    logging.basicConfig(level=logging.WARNING, format="callsieve-agi: %(message)s")
    loaded = served_settings(config)
    deadline_seconds = loaded.settings.agi.deadline_ms / 1000
    store = StoreSupervisor(loaded.store_path)
    screening = Screening(
        site=replace(site_of(loaded.settings), plan=plan_of(loaded)),
        policies=policies_of(loaded),
        knowledge=store,
        new_id=new_id,
        deadline_seconds=deadline_seconds,
    )

    async def answer(request: Request) -> bytes:
        try:
            async with asyncio.timeout(deadline_seconds):
                await store.start()
                return await screening.answer(request)
        except TimeoutError:
            return screening.failed_open("timed out", request)
        except Exception as error:  # noqa: BLE001 (the outermost point: the call goes on)
            logging.getLogger("callsieve").warning("call not screened: %s", error)
            return screening.failed_open("failed", request)

    with asyncio.Runner() as runner:
        run_standalone(lambda request: runner.run(answer(request)), sys.stdin.buffer, sys.stdout.buffer)
        sys.stdout.close()  # Asterisk goes on with the call while the journal is written
        runner.run(store.close())


if __name__ == "__main__":
    main()

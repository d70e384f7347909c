"""Child processes that must not outlive us."""

from __future__ import annotations

import shutil
import threading


def ends_with_us() -> tuple[str, ...]:
    """A prefix that has the kernel stop the child when we are killed, so that an aborted test run leaves none behind.

    The kernel looks at the thread that started the child, so this is for the main thread only.
    """
    setpriv = shutil.which("setpriv")
    is_main = threading.current_thread() is threading.main_thread()
    return (setpriv, "--pdeathsig", "TERM") if setpriv and is_main else ()

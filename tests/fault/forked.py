"""Run something in a forked child and learn how it ended: what is to be killed must be a process of its own, and a fork
costs milliseconds where a new interpreter costs a second."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 60.0


def child(work: Callable[[], None], errors: Path | None = None) -> int:
    """Exit status of `work` in a fork: 0 well, 1 an exception (its traceback in `errors`), -N killed by signal N. The
    caller must have no threads of its own."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            if errors is not None:
                errors.write_text(traceback.format_exc())
        finally:
            os._exit(status)
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"the child did not end within {LIMIT_S:.0f} s")

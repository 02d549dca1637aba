"""`kakera serve`: three children, kept alive, stopped in order. Standard library only: this process stays small and
does nothing.

1. committer, then http, then background are started; each is `python -m kakera.cli.process NAME --config FILE` and can
   be run alone (as systemd units would).
2. A child that dies is started again: at once the first time, later and later if it keeps dying (RESTART_DELAYS_S).
   The committer too: workers hold requests for the resend limit (R16).
3. SIGTERM or SIGINT: http drains, then background, then committer (a clean shutdown leaves nothing undecided). Who is
   not gone in time is killed: nothing acknowledged is lost by it.
4. SIGHUP goes on to http: new workers take over, with the TLS certificate as it is then.
5. When this process is killed, the kernel tells the children (PR_SET_PDEATHSIG): no orphan holds the port or the lock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from kakera.base import limits
from kakera.base.kernel import die_with_parent, set_limits

NAMES = ("committer", "http", "background")  # in the order of starting; stopped in the order of STOP_ORDER
STOP_ORDER = ("http", "background", "committer")
STOP_S = dict.fromkeys(NAMES, limits.STOP_MARGIN_S)  # and the drain before it, of http
_SIGNALS = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD))
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}  # arenas of threads that coded one large body would stay resident


@dataclass
class Child:
    """One supervised process. due_at: monotonic seconds of the next start while it is not running."""

    name: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    deaths: int = 0
    stopping: bool = field(default=False)

    def start(self) -> None:
        parent = os.getpid()

        def prepare() -> None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            die_with_parent(parent)

        self.started_at = time.monotonic()
        self.process = subprocess.Popen(self.command, preexec_fn=prepare, env={**os.environ, **_ENVIRONMENT})
        say("child started", child=self.name, pid=self.process.pid)

    def reap(self) -> bool:
        """True when it has just been found dead; sets when it is due again."""
        if self.process is None or self.process.poll() is None:
            return False
        code = self.process.returncode
        self.process = None
        now = time.monotonic()
        if now - self.started_at > limits.RESTART_FORGET_S:
            self.deaths = 0
        delay_s = limits.RESTART_DELAYS_S[min(self.deaths, len(limits.RESTART_DELAYS_S) - 1)]
        self.deaths += 1
        self.due_at = now + delay_s
        say("child ended", level="info" if self.stopping else "error", child=self.name, code=code)
        return True

    def pass_on(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self, limit_s: float) -> bool:
        """SIGTERM, wait, SIGKILL. False when it had to be killed."""
        self.stopping = True
        if self.process is None:
            return True
        self.process.terminate()
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.reap()
            return False
        self.reap()
        return True


class Supervisor:
    """Runs until SIGTERM or SIGINT."""

    def __init__(self, commands: dict[str, tuple[str, ...]], *, drain_s: float = limits.DRAIN_LIMIT_S) -> None:
        self._stop_s = {name: STOP_S[name] + (drain_s if name == "http" else 0.0) for name in NAMES}
        self._children = {name: Child(name, command) for name, command in commands.items()}

    def run(self) -> int:
        """Exit code: 0 when all stopped by themselves, 1 when one had to be killed."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        set_limits()
        while True:
            wait_s = self._start_due()
            found = signal.sigtimedwait(_SIGNALS, wait_s)
            if found is not None and found.si_signo in (signal.SIGTERM, signal.SIGINT):
                return self._stop()
            if found is not None and found.si_signo == signal.SIGHUP and (http := self._children.get("http")):
                http.pass_on(signal.SIGHUP)
            for child in self._children.values():
                child.reap()

    def _start_due(self) -> float:
        """Start whoever is due; seconds until the next one is."""
        now = time.monotonic()
        wait_s = 60.0
        for child in self._children.values():
            if child.process is None:
                if child.due_at <= now:
                    child.start()
                else:
                    wait_s = min(wait_s, child.due_at - now)
        return wait_s

    def _stop(self) -> int:
        say("stopping")
        children = [child for name in STOP_ORDER if (child := self._children.get(name)) is not None]
        clean = [child.stop(self._stop_s[child.name]) for child in children]
        say("stopped", clean=all(clean))
        return 0 if all(clean) else 1


def say(event: str, level: str = "info", **fields: object) -> None:
    """One log line as all processes write them, without the libraries they use for it."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1e3) % 1000:03d}Z"
    line = {"timestamp": stamp, "level": level, "process": "supervisor", "event": event, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def supervise(config: Path, drain_s: float = limits.DRAIN_LIMIT_S) -> int:
    """The three children of one server.toml; drain_s: how long its http workers may take to end."""
    python = (sys.executable, "-m", "kakera.cli.process")
    return Supervisor({name: (*python, name, "--config", str(config)) for name in NAMES}, drain_s=drain_s).run()


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), *map(float, sys.argv[2:3])))

"""The detached server: started in a session of its own, known by pid and start time, stopped within a bound."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.places import Places, write_whole

MAX_LOG_BYTES = 64 << 20  # a log older than this is moved aside once at a start
POLL_S = 0.05


@dataclass(frozen=True)
class Process:
    """What names one run of the server for ever: a pid alone is given again to others."""

    pid: int
    started_ticks: int  # since boot, from /proc/PID/stat
    boot_id: str
    digest: str  # of everything it was started with
    port: int
    data: str


def read(places: Places) -> Process | None:
    """The process on record, alive or not; None when there is no (readable) record."""
    try:
        return Process(**json.loads(places.process.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def alive(process: Process) -> bool:
    """The very process that was started, not a later one with its number; a zombie is dead."""
    if process.boot_id != _boot_id():
        return False
    stat = _stat(process.pid)
    return stat is not None and stat.ticks == process.started_ticks and stat.state not in "ZX"


def start(command: tuple[str, ...], *, places: Places, digest: str, port: int) -> subprocess.Popen[bytes]:
    """Start the server detached from this terminal, put it on record and return it as a child."""
    if places.log.exists() and places.log.stat().st_size > MAX_LOG_BYTES:
        places.log.replace(places.log.with_suffix(".log.1"))
    # The server's credentials are in its files; those of the caller's shell are none of its business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with places.log.open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=places.data,
            env=environment,
            start_new_session=True,
        )
    stat = _stat(child.pid)
    process = Process(
        pid=child.pid,
        started_ticks=stat.ticks if stat else 0,
        boot_id=_boot_id(),
        digest=digest,
        port=port,
        data=str(places.data),
    )
    write_whole(places.process, json.dumps(asdict(process)) + "\n")
    write_whole(places.pid, f"{child.pid}\n")
    return child


def stop(places: Places, *, within_s: float, on_force: Callable[[], None]) -> bool:
    """SIGTERM to the supervisor, SIGKILL to its whole session after `within_s`; False when nothing ran.

    Also ends what a supervisor that was killed left behind.
    """
    process = read(places)
    if process is None or process.boot_id != _boot_id():
        _forget(places)
        return False
    ran = alive(process)
    if ran:
        os.kill(process.pid, signal.SIGTERM)
    elif not list(_session(process)):
        _forget(places)
        return False
    if not ran or not _gone(process, within_s):
        on_force()
        for pid in _session(process):
            _kill(pid)
        _gone(process, within_s)
    _forget(places)
    return True


def port_problem(address: str, port: int) -> str | None:
    """Why the port cannot be listened on; None when it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return error.strerror or str(error)
    return None


def log_tail(places: Places, *, lines: int = 20) -> str:
    try:
        with places.log.open("rb") as file:
            file.seek(max(0, places.log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


@dataclass(frozen=True)
class _Stat:
    state: str
    session: int
    ticks: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name, in brackets, may itself hold blanks and brackets.
    fields = text.rpartition(")")[2].split()
    return _Stat(state=fields[0], session=int(fields[3]), ticks=int(fields[19]))


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _session(process: Process) -> Iterator[int]:
    """Live members of the session the server leads. The kernel gives its number to nobody while one is left."""
    leader = _stat(process.pid)
    if leader is not None and leader.ticks != process.started_ticks:
        return  # the number was given again, so the session was empty
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            mine = stat.session == process.pid and stat.ticks >= process.started_ticks
            if mine and stat.state not in "ZX":
                yield int(entry.name)


def _gone(process: Process, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while alive(process) or any(_session(process)):
        if time.monotonic() > until:
            return False
        _reap(process.pid)
        time.sleep(POLL_S)
    return True


def _reap(pid: int) -> None:
    """Collect the child if it is ours (a restart in the same command); else it is init's."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _forget(places: Places) -> None:
    places.process.unlink(missing_ok=True)
    places.pid.unlink(missing_ok=True)

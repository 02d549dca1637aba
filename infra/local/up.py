"""From a Plan of one host to a server that has written and read back an object, and back again (`down`)."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import subprocess
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra import checks
from infra.blueprint import plan as plans
from infra.blueprint.plan import Plan, PlannedHost
from infra.local import credentials, health, hello, process
from infra.local.places import Places, write_whole
from infra.local.report import Reporter
from infra.render import server_toml

READY_LIMIT_S = 30.0  # a rebuild of the index of a small store is in it; a larger one goes on behind, `status` shows it
STOP_LIMIT_S = 60.0  # the supervisor gives its children 49 s, the drain of requests under way among them
LOCK_LIMIT_S = 120.0  # another `make up` of the same blueprint: longer than both bounds above together
FORMAT_LIMIT_S = 60.0
POLL_S = 0.1
SETTLING = ("starting", "unavailable", "silent")  # may yet become ready


class UpError(Exception):
    """What is in the way, with the remedy."""


@dataclass(frozen=True)
class Running:
    """What `up` leaves: where the store answers, how it is, and who may sign."""

    endpoint: str
    region: str
    status: Literal["ready", "read-only"]
    reason: str
    accounts: dict[str, credentials.Credentials]
    greeting: hello.Hello


def up(plan: Plan, places: Places, *, kakera: tuple[str, ...], reporter: Reporter) -> Running:
    """Bring the Plan's host up on this machine; harmless when it is up already.

    `kakera` is the command of the server's console script.
    Raises: UpError, credentials.CredentialsError, hello.HelloError.
    """
    host = only_host(plan)
    judge(plan, reporter=reporter)
    places.build.mkdir(parents=True, exist_ok=True)
    with _locked(places.lock):
        _record_plan(plan, places, reporter=reporter)
        accounts = _accounts(plan, places, reporter=reporter)
        _record_settings(places, server_toml(plan, host_name=host.name, data_root=str(places.data)), reporter=reporter)
        endpoint = f"http://{_client_address(host)}:{host.port}"
        first, second = (*accounts.values(), None)[:2]
        assert first is not None, "a blueprint has at least one account"
        write_whole(places.credentials_env, credentials.environment(endpoint, plan.region, first, second), mode=0o600)
        child = _ensure_started(plan, places, host, kakera=kakera, reporter=reporter)
        found = _wait(places, host, child, reporter=reporter)
        # One at a time: each reads back the object that it wrote itself.
        greeting = hello.greet(endpoint, plan.region, first, write=found.status == "ready")
    status: Literal["ready", "read-only"] = "ready" if found.status == "ready" else "read-only"
    return Running(endpoint, plan.region, status, found.reason, accounts, greeting)


def down(places: Places, *, reporter: Reporter) -> bool:
    """Stop the server; data stays. False when none was running. Raises: UpError (another command holds the lock)."""
    if not places.build.exists():
        return False
    with _locked(places.lock):
        return process.stop(places, within_s=STOP_LIMIT_S, on_force=lambda: reporter.say("it does not end: killing it"))


def state(places: Places, host: PlannedHost) -> health.Health | None:
    """How the server on record is; None when it is not running."""
    found = process.read(places)
    if found is None or not process.alive(found):
        return None
    return health.probe(_client_address(host), found.port)


def judge(plan: Plan, *, reporter: Reporter) -> None:
    """Raises: UpError naming every failed check."""
    outcomes = checks.run(plan, today=datetime.date.today())
    for outcome in outcomes:
        if outcome.verdict is checks.Verdict.WAIVED:
            reporter.say(f"check {outcome.check} WAIVED: {outcome.detail}")
    failed = [outcome for outcome in outcomes if outcome.verdict is checks.Verdict.FAIL]
    if failed:
        lines = (f"  FAIL {outcome.check}: {outcome.detail}" for outcome in failed)
        raise UpError("the Plan does not pass its checks:\n" + "\n".join(lines))


def only_host(plan: Plan) -> PlannedHost:
    """Raises: UpError for a Plan of several hosts: those are not run on one machine."""
    if len(plan.hosts) != 1:
        raise UpError(f"blueprint {plan.blueprint} has {len(plan.hosts)} hosts: this machine can play one")
    return plan.hosts[0]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        until = time.monotonic() + LOCK_LIMIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise UpError(f"another command has held {path} for {LOCK_LIMIT_S:.0f} s") from None
                time.sleep(POLL_S)
        yield


def _record_plan(plan: Plan, places: Places, *, reporter: Reporter) -> None:
    try:
        difference = plans.diff(plans.parse(places.plan.read_text()), plan)
    except (OSError, ValueError):
        difference = ""  # the first one, or one of an older format
    if difference:
        reporter.say(f"the Plan has changed:\n{difference}")
    write_whole(places.plan, plans.dump(plan))


def _record_settings(places: Places, text: str, *, reporter: Reporter) -> None:
    """A data root that was left out this time would otherwise look like lost data."""
    try:
        before = Path(tomllib.loads(places.server_toml.read_text())["server"]["state_dir"]).parent
    except (OSError, ValueError, KeyError, TypeError):
        before = places.data
    if before != places.data:
        reporter.warn(f"the data is now in {places.data}; the last start had DATA={before}, which is untouched")
    write_whole(places.server_toml, text)


def _accounts(plan: Plan, places: Places, *, reporter: Reporter) -> dict[str, credentials.Credentials]:
    had_data = any(_holds_something(places.data / path) for path in _data_folders(only_host(plan)))
    accounts, made = {}, []
    for account in plan.accounts:
        accounts[account.name], is_new = credentials.keep(places.data / account.credentials_path)
        made += [account.name] * is_new
    if made and had_data:
        reporter.warn(f"made new credentials for {', '.join(made)}: buckets of earlier ones stay theirs")
    return accounts


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _data_folders(host: PlannedHost) -> list[str]:
    return [host.state_path, *(drive.path for drive in host.drives)]


def _ensure_started(
    plan: Plan, places: Places, host: PlannedHost, *, kakera: tuple[str, ...], reporter: Reporter
) -> subprocess.Popen[bytes] | None:
    """The child when one was started; None when the right server runs already."""
    digest = _digest(plan, places)
    running = process.read(places)
    if running is not None and process.alive(running):
        if running.digest == digest:
            reporter.say(f"already running (pid {running.pid})")
            return None
        reporter.say(f"the settings have changed: restarting (was pid {running.pid})")
    process.stop(places, within_s=STOP_LIMIT_S, on_force=lambda: reporter.say("the old one does not end: killing it"))
    if problem := process.port_problem(host.address, host.port):
        raise UpError(
            f"port {host.port} on {host.address} cannot be used: {problem}. "
            f"Something else listens there; choose another with PORT=, for example: make up PORT={host.port + 1}"
        )
    _make_folders(places, host)
    _format(places, kakera=kakera)
    command = (*kakera, "serve", "--config", str(places.server_toml))
    return process.start(command, places=places, digest=digest, port=host.port)


def _digest(plan: Plan, places: Places) -> str:
    """Names everything the server reads when it starts."""
    digest = hashlib.sha256(places.server_toml.read_bytes())
    for account in plan.accounts:
        digest.update((places.data / account.credentials_path).read_bytes())
    return digest.hexdigest()


def _make_folders(places: Places, host: PlannedHost) -> None:
    """Folders of a new store. A folder that is missing beside data is an absent drive, and is left so."""
    folders = [places.data / path for path in _data_folders(host)]
    if not any(_holds_something(folder) for folder in folders):
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)


def _format(places: Places, *, kakera: tuple[str, ...]) -> None:
    command = (*kakera, "admin", "format", "--config", str(places.server_toml))
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FORMAT_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpError(f"the drives could not be prepared: {error}") from error
    if done.returncode != 0:
        raise UpError(f"the drives could not be prepared:\n{(done.stderr or done.stdout).strip()}")


def _wait(
    places: Places, host: PlannedHost, child: subprocess.Popen[bytes] | None, *, reporter: Reporter
) -> health.Health:
    """Until the server answers ready or read-only. Raises: UpError when it ended or took too long."""
    found = health.Health("silent")
    until = time.monotonic() + READY_LIMIT_S
    with reporter.waiting("waiting for the server"):
        while time.monotonic() < until:
            if child is not None and child.poll() is not None:
                tail = process.log_tail(places)
                process.stop(places, within_s=STOP_LIMIT_S, on_force=lambda: None)
                raise UpError(f"the server ended at once (exit code {child.returncode}); {places.log} ends:\n{tail}")
            found = health.probe(_client_address(host), host.port)
            if found.status not in SETTLING:
                return found
            time.sleep(POLL_S)
    # One that answers has given its reason; of one that does not, the log is all there is.
    tail = f" ends:\n{process.log_tail(places, lines=5)}" if found.status == "silent" else " has more."
    raise UpError(
        f"not ready after {READY_LIMIT_S:.0f} s: {found.status} {found.reason}\n"
        f"It goes on running; `make status` asks again, `make down` stops it. {places.log}{tail}"
    )


def _client_address(host: PlannedHost) -> str:
    """Where a client of this machine reaches the server."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.address, host.address)
    return f"[{address}]" if ":" in address else address

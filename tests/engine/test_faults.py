"""What goes wrong in the middle of an `up`: the state stays true, and the next run goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.rehearsal.cloud import Thing
from infra.rehearsal.faults import Fault, FaultKind
from tests.engine.small import ONE
from tests.engine.world import ROOT, World
from tests.rehearse.walk import Counts

REGION = "cn-hangzhou"
PAIR = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
AT_ONCE = 4  # of the small blueprint's things wait for none other: the deployment set, the disks
DISK = "alicloud:ecs/ecsDisk:EcsDisk"
WAIT_S = 60.0  # for a process to get to a place, on a busy machine
POLL_S = 0.02


@pytest.fixture
def found(world: Callable[[str], World]) -> World:
    made = world(ONE)
    made.init()
    return made


def test_refusals_are_told_and_the_next_run_goes_on(found: World) -> None:
    """A quota in the middle, a call denied, a call given up, a disk that is there but not ready."""
    promised = Counts.read(found.kakera("preview", found.environment))
    (host,) = [host for host in found.plan.hosts if host.machine is not None]
    third = sorted(drive.name for drive in host.drives)[2]
    found.faults.add(Fault(FaultKind.QUOTA, operation="create", type=DISK, name=third))
    told = found.kakera("up", found.environment, code=1)
    assert "QuotaExceeded" in told
    assert "Traceback" not in told and len(told.splitlines()) < 20, told
    assert found.state_ids(REGION) == set(found.things()), "state and cloud tell different things"
    assert 0 < len(found.things()) < promised.created

    # One at a time: the engine stops at the first refusal, and may not come to a second.
    for kind, words in ((FaultKind.THROTTLED, "Throttling"), (FaultKind.TIMEOUT, "timeout while waiting for create")):
        found.faults.add(Fault(kind, operation="create", type=DISK, name=third))
        assert words in found.kakera("up", found.environment, code=1)

    found.faults.add(Fault(FaultKind.PARTIAL, operation="create", type=DISK, name=third))
    told = found.kakera("up", found.environment, code=1)
    assert "did not become ready" in told
    (half,) = [one for one in found.state(REGION).values() if one.get("initErrors")]
    assert half["id"] in found.things()

    found.kakera("up", found.environment)
    state, things = found.state(REGION), found.things()
    assert not [one for one in state.values() if one.get("initErrors")]
    assert half["id"] in things and set(things) == found.state_ids(REGION)
    _as_if_nothing_had_been(found, promised)


def test_a_killed_engine_is_followed_by_another(found: World) -> None:
    """Its lock stays, and says how to be rid of it; what it had begun is named; nothing is made twice."""
    promised = Counts.read(found.kakera("preview", found.environment))
    _kill_an_up(found, Fault(FaultKind.SLOW, operation="create", type="alicloud:vpc/network:Network"))
    assert 0 < len(found.things()) < promised.created and not found.of_type("vpc/network:Network")
    told = found.kakera("up", found.environment, code=1)
    assert "locked" in told and "pulumi cancel" in told, told
    found.pulumi("cancel", "--stack", found.names()[REGION].name, "--yes")
    # What had begun never came to the cloud: the next run makes it. The note of it stays until a person clears it.
    assert _pending(found) == {found.plan.regions[0].network.name}
    found.kakera("up", found.environment)
    _clear_pending(found)
    _as_if_nothing_had_been(found, promised)


@pytest.mark.slow
def test_what_a_killed_engine_had_made_is_taken_over(found: World) -> None:
    """It is in the cloud and the answer never came: a name that is taken, until the state is told its id."""
    promised = Counts.read(found.kakera("preview", found.environment))
    _kill_an_up(found, Fault(FaultKind.LATE, operation="create", type=PAIR))
    found.pulumi("cancel", "--stack", found.names()[REGION].name, "--yes")
    assert "AlreadyExists" in found.kakera("up", found.environment, code=1)
    _clear_pending(found)
    (pair,) = found.of_type(PAIR)
    _adopt(found, pair, parent="Compute::compute")
    found.kakera("up", found.environment)
    _as_if_nothing_had_been(found, promised)


@pytest.mark.slow
def test_an_interrupted_up_waits_for_what_it_began(found: World) -> None:
    """Control-C: what is under way is finished and recorded, nothing more begins, and no lock stays."""
    promised = Counts.read(found.kakera("preview", found.environment))
    _kill_an_up(found, Fault(FaultKind.SLOW, operation="create", type="alicloud:vpc/network:Network"), signal.SIGINT)
    assert not _pending(found) and set(found.things()) == found.state_ids(REGION)
    assert len(found.things()) < promised.created
    found.kakera("up", found.environment)
    _as_if_nothing_had_been(found, promised)


@pytest.mark.slow
def test_an_answer_that_never_came_leaves_one_to_be_imported(found: World) -> None:
    """Made in the cloud, unknown to the state: a second one beside it, or a name that is taken. Told by both lists."""
    found.faults.add(Fault(FaultKind.LOST, operation="create", type="alicloud:vpc/network:Network"))
    found.kakera("up", found.environment, code=1)
    (lost,) = set(found.things()) - found.state_ids(REGION)
    _adopt(found, found.things()[lost], parent="Network::network")
    found.kakera("up", found.environment)
    assert lost in found.state_ids(REGION) and set(found.things()) == found.state_ids(REGION)
    assert len(found.of_type("vpc/network:Network")) == 1


def _kill_an_up(world: World, fault: Fault, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """When all that does not wait for the faulty call is in the cloud and in the state."""
    world.faults.add(fault)
    waiting = 1 if fault.kind is FaultKind.LATE else 0

    def quiet() -> bool:
        there, known = set(world.things()), world.state_ids(REGION)
        return len(_pending(world)) == 1 and len(there - known) == waiting and len(there) >= AT_ONCE

    with _running(world, "up", world.environment) as command:
        engine = _child(command.pid, "pulumi")
        _until(quiet)
        os.kill(engine, with_signal)
        told = command.communicate(timeout=WAIT_S)[0]
    assert command.returncode == 1, told


def _clear_pending(world: World) -> None:
    stack = world.names()[REGION].name
    world.pulumi("refresh", "--stack", stack, "--yes", "--skip-preview", "--clear-pending-creates")
    assert not _pending(world)


def _adopt(world: World, thing: Thing, *, parent: str) -> None:
    """A thing of the cloud under the name that the program has for it, as docs/operate/state.md says."""
    state = world.state(REGION)
    provider = next(urn for urn, one in state.items() if one["type"] == "pulumi:providers:alicloud")
    component = next(urn for urn in state if urn.endswith(f"kakera:cloud:{parent}"))
    world.pulumi(
        "import", thing.type, thing.name, thing.id, "--parent", f"component={component}",
        "--provider", f"region={provider}", "--stack", world.names()[REGION].name, "--yes", "--skip-preview",
        "--generate-code=false", "--protect=false",
    )  # fmt: skip


def _pending(world: World) -> set[str]:
    """Names of what the state says is under way."""
    begun = world.checkpoint(REGION).get("pending_operations", ())
    return {one["resource"]["urn"].rpartition("::")[2] for one in begun}


def _as_if_nothing_had_been(world: World, promised: Counts) -> None:
    """As many as a run without faults makes, each once."""
    state, things = world.state(REGION), world.things()
    made = [one for one in state.values() if one["type"] != "pulumi:providers:pulumi"]  # the engine's own
    assert len(made) == promised.created
    assert set(things) == world.state_ids(REGION)
    assert max(Counter(thing.urn for thing in things.values()).values()) == 1
    assert Counts.read(world.kakera("up", world.environment)).changed == 0


@contextmanager
def _running(world: World, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`kakera-infra` as a process of its own; it and all it started are gone afterwards."""
    command = (sys.executable, "-m", "infra.cli", *arguments, "--project", str(world.folder))
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as started:  # fmt: skip
        try:
            yield started
        finally:
            try:
                os.killpg(started.pid, signal.SIGKILL)  # the group that was started above
            except ProcessLookupError:
                pass


def _child(parent: int, program: str) -> int:
    """The process id of a program that `parent` started, once it has."""
    found: list[int] = []

    def there() -> bool:
        children = Path(f"/proc/{parent}/task/{parent}/children")
        pids = [int(word) for word in children.read_text().split()] if children.exists() else []
        named = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == program]
        # `pulumi version` and others come first and are gone at once.
        found[:] = [pid for pid in named if b"\0up\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return bool(found)

    _until(there)
    return found[0]


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while True:
        try:
            if true():
                return
        except OSError:  # a process that went while it was looked at
            pass
        assert time.monotonic() < end, "it never came to it"
        time.sleep(POLL_S)

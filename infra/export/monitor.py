"""A program run as the engine runs it, under a monitor that makes nothing: what it asks for is read back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pulumi.runtime import mocks, rpc, stack
from pulumi.runtime.proto import resource_pb2


@dataclass(frozen=True)
class Registered:
    """A resource as the program asked for it. `inputs` by their names on the wire; `parent`, `depends_on`: URNs."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]  # secrets unwrapped
    secrets: frozenset[str]  # names of the inputs that are secret as a whole
    parent: str
    provider: str  # the provider's logical name: its region; "" for a component
    protect: bool
    ignore_changes: tuple[str, ...]
    depends_on: tuple[str, ...]


class Monitor(mocks.MockMonitor):
    """Keeps the requests themselves: they hold what `MockResourceArgs` leaves out."""

    def __init__(self, cloud: mocks.Mocks) -> None:
        super().__init__(cloud)
        self.requests: dict[str, resource_pb2.RegisterResourceRequest] = {}

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if not request.type.startswith("pulumi:"):
            if answer.urn in self.requests:
                raise ValueError(f"{request.name}: registered twice")
            self.requests[answer.urn] = request
        return answer

    def registered(self) -> list[Registered]:
        """Components too; sorted by URN."""
        return [_read(urn, request) for urn, request in sorted(self.requests.items())]


def _read(urn: str, request: resource_pb2.RegisterResourceRequest) -> Registered:
    raw = rpc.deserialize_properties(request.object)
    return Registered(
        urn=urn,
        type=request.type,
        name=request.name,
        inputs={name: rpc.unwrap_rpc_secret(value) for name, value in raw.items()},
        secrets=frozenset(name for name, value in raw.items() if rpc.is_rpc_secret(value)),
        parent=request.parent,
        provider=request.provider.split("::")[-2] if request.provider else "",
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        depends_on=tuple(sorted(request.dependencies)),
    )


def run(program: Callable[[], None], monitor: Monitor, *, name: str, limit_s: float) -> None:
    """Run it as stack `name` until all that it asked for is answered. Raises: what it raises; TimeoutError."""
    # A thread of its own is a context of its own: no run sees the root, the monitor or the loop of another.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, asyncio.wait_for(_run(program, monitor, name), limit_s)).result()


async def _run(program: Callable[[], None], monitor: Monitor, name: str) -> None:
    mocks.set_mocks(
        monitor.mocks, project="kakera", stack=name, preview=False, monitor=monitor, organization="organization"
    )
    # The monitor answers in the executor's threads and wants a loop there: one thread, and a loop that is closed.
    with (
        contextlib.closing(asyncio.new_event_loop()) as answering,
        ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(answering,)) as pool,
    ):
        asyncio.get_running_loop().set_default_executor(pool)
        # The first refusal is raised; those that were under way with it would be printed besides.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await stack.run_pulumi_func(program)

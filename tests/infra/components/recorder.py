"""Pulumi's mocks as a recorder: a component is built, and what it would ask of the cloud is read back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_alicloud as alicloud
from pulumi.runtime import mocks, rpc, stack
from pulumi.runtime.proto import resource_pb2

RECORD_LIMIT_S: Final = 60  # a build takes milliseconds; what waits for an answer that never comes is a failure
# What the cloud alone knows and components read; everything else is None, as after a field was never filled.
COMPUTED: Final[Mapping[str, Mapping[str, Any]]] = {
    "alicloud:ecs/eipAddress:EipAddress": {"ipAddress": "198.51.100.7"},
    "alicloud:nlb/loadBalancer:LoadBalancer": {"dnsName": "nlb.example"},
    "alicloud:alb/loadBalancer:LoadBalancer": {"dnsName": "alb.example"},
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": {"address": "10.1.3.9"},
    "alicloud:vpc/natGateway:NatGateway": {"snatTableIds": "stb-1"},
}


@dataclass(frozen=True)
class Recorded:
    """One resource as it was registered. `parent` and `dependencies` are URNs, `provider` is the logical name."""

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]  # names as on the wire; secrets unwrapped
    secrets: frozenset[str]  # names of the inputs that are secret as a whole
    parent: str
    provider: str  # "" for a component
    protect: bool
    dependencies: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    outputs: Mapping[str, Any] | None  # what a component registered; None: it did not, or is not one

    def depends_on(self, name: str) -> bool:
        return any(urn.endswith(f"::{name}") for urn in self.dependencies)


def record(
    build: Callable[[pulumi.ResourceOptions], object],
    *,
    region: str = "cn-hangzhou",
    computed: Mapping[str, Mapping[str, Any]] = COMPUTED,
) -> list[Recorded]:
    """Every resource that `build(opts)` registers, sorted by type and name; the provider itself is left out.

    `opts` carries an explicit provider, named like the region. Outputs are known: the id of NAME is `NAME-id`, its
    outputs are its inputs, then what `computed` says of its type. Raises: what `build` raises; AssertionError when the
    cloud is asked something.
    """
    # A thread of its own is a context of its own: no record sees the root, the monitor or the loop of another.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asyncio.wait_for(_recorded(build, region, computed), RECORD_LIMIT_S)).result()


def named(found: Iterable[Recorded], name: str) -> Recorded:
    """The one resource of this logical name."""
    return _only([one for one in found if one.name == name], name)


def of_type(found: Iterable[Recorded], token: str) -> list[Recorded]:
    """By the last part of the token: `Switch` for `alicloud:vpc/switch:Switch`."""
    return [one for one in found if one.type.rsplit(":", 1)[1] == token]


def only(found: Iterable[Recorded], token: str) -> Recorded:
    return _only(of_type(found, token), token)


def _only(found: list[Recorded], what: str) -> Recorded:
    assert len(found) == 1, f"{what}: {[one.name for one in found]}"
    return found[0]


class _Cloud(pulumi.runtime.Mocks):
    """Answers as a cloud in which everything succeeds at once."""

    def __init__(self, computed: Mapping[str, Mapping[str, Any]]) -> None:
        self._computed = computed
        self.asked: list[str] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", {**args.inputs, **self._computed.get(args.typ, {})}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        self.asked.append(args.token)
        return {}, None


class _Monitor(mocks.MockMonitor):
    """Keeps the requests themselves: they hold what `MockResourceArgs` leaves out."""

    def __init__(self, cloud: _Cloud) -> None:
        super().__init__(cloud)
        self._cloud = cloud
        self.requests: dict[str, resource_pb2.RegisterResourceRequest] = {}
        self.registered: dict[str, Mapping[str, Any]] = {}

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            assert answer.urn not in self.requests, f"registered twice: {answer.urn}"
            self.requests[answer.urn] = request
        return answer

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> Any:
        self.registered[request.urn] = rpc.deserialize_properties_unwrap_secrets(request.outputs)[0]
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> Any:
        self._cloud.asked.append(f"{request.type} {request.id}")
        return super().ReadResource(request)  # type: ignore[no-untyped-call]

    def found(self, urn: str) -> Recorded:
        request = self.requests[urn]
        raw = rpc.deserialize_properties(request.object)
        return Recorded(
            type=request.type,
            name=request.name,
            urn=urn,
            inputs={name: rpc.unwrap_rpc_secret(value) for name, value in raw.items()},
            secrets=frozenset(name for name, value in raw.items() if rpc.is_rpc_secret(value)),
            parent=request.parent,
            provider=request.provider.split("::")[-2] if request.provider else "",
            protect=request.protect,
            dependencies=tuple(sorted(request.dependencies)),
            ignore_changes=tuple(request.ignoreChanges),
            outputs=self.registered.get(urn),
        )


async def _recorded(
    build: Callable[[pulumi.ResourceOptions], object], region: str, computed: Mapping[str, Mapping[str, Any]]
) -> list[Recorded]:
    cloud = _Cloud(computed)
    monitor = _Monitor(cloud)
    mocks.set_mocks(cloud, project="kakera", stack="test", preview=False, monitor=monitor)

    def program() -> None:
        build(pulumi.ResourceOptions(providers=[alicloud.Provider(region, region=region)]))

    # The monitor answers in the executor's threads and wants a loop there: one thread, and a loop that is closed.
    with (
        contextlib.closing(asyncio.new_event_loop()) as answering,
        ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(answering,)) as pool,
    ):
        asyncio.get_running_loop().set_default_executor(pool)
        await stack.run_pulumi_func(program)
    assert not cloud.asked, f"the cloud was asked: {', '.join(cloud.asked)}"
    found = [monitor.found(urn) for urn in monitor.requests]
    return sorted(
        (one for one in found if not one.type.startswith("pulumi:providers:")), key=lambda one: (one.type, one.name)
    )

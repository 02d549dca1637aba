"""Pulumi's mocks as a recorder: a component is built, and what it would ask of the cloud is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_alicloud as alicloud
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import resource_pb2

from infra.export import monitor as monitors

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
class Recorded(monitors.Registered):
    """`outputs`: what a component registered; None: it did not, or is none."""

    outputs: Mapping[str, Any] | None

    def waits_for(self, name: str) -> bool:
        return any(urn.endswith(f"::{name}") for urn in self.depends_on)


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
    cloud = _Cloud(computed)
    monitor = _Monitor(cloud)

    def program() -> None:
        build(pulumi.ResourceOptions(providers=[alicloud.Provider(region, region=region)]))

    monitors.run(program, monitor, name="test", limit_s=RECORD_LIMIT_S)
    assert not cloud.asked, f"the cloud was asked: {', '.join(cloud.asked)}"
    found = [Recorded(**vars(one), outputs=monitor.outputs.get(one.urn)) for one in monitor.registered()]
    return sorted(found, key=lambda one: (one.type, one.name))


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


class _Monitor(monitors.Monitor):
    """Keeps what components register as outputs, and refuses to read what is there already."""

    def __init__(self, cloud: _Cloud) -> None:
        super().__init__(cloud)
        self._cloud = cloud
        self.outputs: dict[str, Mapping[str, Any]] = {}

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> Any:
        self.outputs[request.urn] = rpc.deserialize_properties_unwrap_secrets(request.outputs)[0]
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> Any:
        self._cloud.asked.append(f"{request.type} {request.id}")
        return super().ReadResource(request)  # type: ignore[no-untyped-call]

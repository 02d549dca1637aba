"""What the planners of a region are given: the resolved blueprint, the region, and what follows from the two. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from infra import naming, subnets
from infra.blueprint import catalogue
from infra.blueprint.cloud import PlannedLogStore, Purpose
from infra.blueprint.model import Blueprint, RegionSpec

ANYWHERE = "0.0.0.0/0"
# The cloud's own services: resolvers, time, metadata, the internal endpoints of OSS and others.
SERVICES = "100.64.0.0/10"
RESOLVERS = ("100.100.2.136", "100.100.2.138")  # of every VPC


@dataclass(frozen=True)
class Scope:
    """One region of one blueprint; `blueprint` has every knob filled (sizes.resolve)."""

    blueprint: Blueprint
    region: RegionSpec

    @property
    def stack(self) -> str:
        return naming.stack(self.blueprint.name, self.blueprint.environment, self.region.name)

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(sorted(self.region.zones))

    @property
    def home(self) -> tuple[str, str]:
        """The zones of what stands in two: the first two as listed; of one zone, that one twice (a check judges it)."""
        return self.region.zones[0], self.region.zones[min(1, len(self.region.zones) - 1)]

    @property
    def holds_store(self) -> bool:
        return self.region.role != "backup"

    @property
    def has_gateways(self) -> bool:
        return self.holds_store and (self.blueprint.gateways.scaling or self.blueprint.gateways.per_zone > 0)

    @property
    def has_balancer(self) -> bool:
        return self.holds_store and self.blueprint.balancer.kind != "none"

    @property
    def shows_clients(self) -> bool:
        """Hosts see the clients' own addresses behind a CLB ("Enable Layer 4 listeners to preserve client IP
        addresses", 2024-01-18); behind the others they see the balancer's."""
        return self.has_balancer and self.blueprint.balancer.kind == "clb"

    @property
    def has_vpn(self) -> bool:
        """The machine room hangs on the first region alone."""
        joined = self.blueprint.interconnect.kind == "vpn" and self.blueprint.onprem is not None
        return joined and self.region is self.blueprint.regions[0]

    @property
    def own_key(self) -> bool:
        return self.blueprint.keys.mode != "service"

    @property
    def bucket_prefix(self) -> str:
        return self.blueprint.bucket_prefix or f"{self.blueprint.name}-{self.blueprint.environment}"

    @property
    def logs(self) -> str:
        """Name of the region's one log project."""
        return self.thing("logs")

    @property
    def peers(self) -> tuple[str, ...]:
        """Ranges beyond the region's own that are joined to it."""
        others = [spec.cidr for spec in self.blueprint.regions if spec.name != self.region.name]
        joined = others if self.blueprint.interconnect.kind == "cen" else []
        if self.has_vpn and self.blueprint.onprem is not None:
            joined = [*joined, self.blueprint.onprem.cidr]
        return tuple(sorted(joined))

    @property
    def clients(self) -> tuple[str, ...]:
        """Ranges that may speak to the store."""
        if self.blueprint.network.client_cidrs:
            return tuple(sorted(self.blueprint.network.client_cidrs))
        if self.has_balancer and self.blueprint.balancer.public:
            return (ANYWHERE,)
        return tuple(sorted({self.region.cidr, *self.peers}))

    def oss_ranges(self) -> tuple[str, ...]:
        """Where the region's internal OSS endpoint answers; all of the services' range where that is not known."""
        return catalogue.shipped().oss_ranges(self.region.name) or (SERVICES,)

    def oss_routes(self) -> tuple[str, ...]:
        """What a machine room sends through its VPN to reach OSS and to resolve its names."""
        return tuple(sorted({*self.oss_ranges(), *(f"{address}/32" for address in RESOLVERS)}))

    def thing(self, *words: str) -> str:
        return naming.thing(self.stack, *words)

    def switch(self, zone: str, purpose: Purpose) -> str:
        return naming.switch(self.blueprint.name, self.blueprint.environment, zone, purpose)

    def bucket(self, purpose: str) -> str:
        return naming.bucket(self.bucket_prefix, self.region.name, purpose)

    def log_store(self, store: str) -> PlannedLogStore:
        return PlannedLogStore(project=self.logs, store=store, retention_days=self.blueprint.network.log_days)

    def host_ranges(self) -> tuple[str, ...]:
        return tuple(subnets.hosts(self.region.cidr, zone) for zone in self.zones)

    def shared_ranges(self) -> tuple[str, ...]:
        return tuple(subnets.shared(self.region.cidr, zone) for zone in self.zones)

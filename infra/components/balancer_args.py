"""What every kind of balancer is given, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import pulumi

from infra.blueprint.cloud import PlannedBalancer

HEALTH_INTERVAL_S: Final = 5
HEALTH_TIMEOUT_S: Final = 5
HEALTHY_AFTER: Final = 2
UNHEALTHY_AFTER: Final = 3
DRAIN_S: Final = 300  # how long a transfer may go on after its host is taken out
WEIGHT: Final = 100


@dataclass(frozen=True)
class BalancerArgs:
    """`switches` by the switch's name: its zone and its id. `targets` by the host's name: the instance's id.

    `log_project` and `log_store` are asked for when the Plan has a log. `protect`: neither `destroy` nor the cloud's
    console removes the balancer, and with it the address that clients know.
    """

    plan: PlannedBalancer
    vpc_id: pulumi.Input[str]
    switches: Mapping[str, tuple[str, pulumi.Input[str]]]
    security_group_id: pulumi.Input[str] | None
    targets: Mapping[str, pulumi.Input[str]]
    protect: bool
    log_project: pulumi.Input[str] | None = None
    log_store: pulumi.Input[str] | None = None

    def zones(self) -> list[tuple[str, pulumi.Input[str]]]:
        """Zone and switch, in the Plan's order."""
        return [self.switches[name] for name in self.plan.switches]

    def servers(self) -> list[tuple[str, pulumi.Input[str]]]:
        """Name and id of each fixed target."""
        return [(name, self.targets[name]) for name in self.plan.targets]

    def certificate(self) -> str:
        """Of a balancer that ends TLS. Raises: ValueError."""
        if not self.plan.certificate:
            raise ValueError(f"{self.plan.name}: ends TLS and has no certificate: set balancer.certificate")
        return self.plan.certificate


class Balanced(Protocol):
    """What `Balancer` hands on."""

    address: pulumi.Output[str]
    balancer_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

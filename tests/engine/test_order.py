"""What the program itself holds a plain `pulumi up` to, which nobody judges: one failure domain after the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.rehearsal.faults import Fault, FaultKind
from tests.engine.small import ENTRANCE
from tests.engine.world import World

HOSTS = "alicloud:ecs/instance:Instance"


@pytest.mark.slow
def test_a_domain_that_fails_stops_the_next(world: Callable[[str], World]) -> None:
    found = world(ENTRANCE)
    found.init("survive=host", "m=2")
    found.kakera("up", found.environment)
    first, second = (host.name for host in found.plan.hosts)
    found.init("tags.team=store")  # which every host takes in place
    found.faults.add(Fault(FaultKind.QUOTA, operation="update", type=HOSTS, name=first))
    before = len(found.acts())
    up = ("up", "--stack", "acme-dev-cn-hangzhou", "--yes", "--skip-preview")
    found.pulumi(*up, fails=True)
    assert _changed(found, before) == [first], "the second host was changed although the first was not done"
    found.pulumi(*up)
    assert _changed(found, before) == [first, first, second]


def _changed(world: World, since: int) -> list[str]:
    """Hosts of which an update reached the cloud, done or refused."""
    return [call.name for call in world.acts()[since:] if call.type == HOSTS and call.operation == "update"]

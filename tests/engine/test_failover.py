"""A region is lost: the other takes over without a word to it, and gives back when it returns."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest

from infra.rehearsal.faults import Fault, FaultKind
from tests.engine.small import FIRST, SECOND, TWO
from tests.engine.world import World
from tests.rehearse.walk import Counts

RECORD = "alicloud:dns/alidnsRecord:AlidnsRecord"


def test_a_region_is_lost(world: Callable[[str], World]) -> None:
    """It breaks in the middle, says so, is run again, and not one call goes to what is gone."""
    found = world(TWO)
    found.init()
    found.kakera("up", found.environment)
    found.faults.switch_off(FIRST)
    before = len(found.acts(FIRST))
    told = found.kakera("failover", found.environment, "--to", "cn-nowhere", code=2)
    assert FIRST in told and SECOND in told
    found.faults.add(Fault(FaultKind.TIMEOUT, operation="update", type=RECORD))
    told = found.kakera("failover", found.environment, "--to", SECOND, code=1)
    assert "timeout while waiting for update" in told and "run it again" in told
    found.kakera("failover", found.environment, "--to", SECOND)
    _points_to(found, SECOND)
    assert len(found.acts(FIRST)) == before, "a call went to the lost region"


@pytest.mark.slow
def test_a_region_is_lost_and_returns(world: Callable[[str], World]) -> None:
    """What is not the lost region's goes on meanwhile; back again, nothing of it waits, and it can take over."""
    found = world(TWO)
    found.init()
    found.kakera("up", found.environment)
    found.kakera("render", found.environment)
    _points_to(found, FIRST)
    found.faults.switch_off(FIRST)
    for part in (SECOND, "global"):
        assert Counts.read(found.kakera("up", found.environment, "--part", part)).changed == 0
    assert Counts.read(found.kakera("up", found.environment, "--part", FIRST)).changed == 0, "it has nothing to ask"
    told = found.kakera("failover", found.environment, "--to", FIRST, code=2)
    assert "takes writes already" in told
    found.kakera("failover", found.environment, "--to", SECOND)
    _points_to(found, SECOND)
    told = found.kakera("failover", found.environment, "--to", SECOND, code=2)
    assert "takes writes already" in told
    # Something to do in the region that is left, and in the one that is gone.
    found.init("storage.drive_gib=200")
    assert Counts.read(found.kakera("up", found.environment, "--part", SECOND)).updated
    assert "connection refused" in found.kakera("up", found.environment, "--part", FIRST, code=1)
    found.faults.switch_on(FIRST)
    assert Counts.read(found.kakera("up", found.environment)).updated
    assert Counts.read(found.kakera("up", found.environment)).changed == 0
    found.kakera("failover", found.environment, "--to", FIRST)
    _points_to(found, FIRST)


@pytest.mark.slow
def test_the_shipped_blueprint_fails_over(world: Callable[[str], World]) -> None:
    found = world("multi-region")
    found.init()
    found.kakera("up", found.environment)
    found.faults.switch_off(FIRST)
    found.kakera("failover", found.environment, "--to", SECOND)
    _points_to(found, SECOND)
    found.faults.switch_on(FIRST)
    found.kakera("destroy", found.environment, "--yes")
    assert not found.things()


def _points_to(world: World, active: str) -> None:
    """The name in the cloud, and the settings of every host, as rendered last."""
    records = {str(thing.inputs["rr"]): thing.inputs["value"] for thing in world.of_type(RECORD)}
    addresses = {region: world.outputs(region)["balancer_address"] for region in (FIRST, SECOND)}
    assert records["s3"] == records["*.s3"] == addresses[active]
    assert {region: records[f"s3-{region}"] for region in addresses} == addresses
    for host in world.plan.hosts:
        settings = tomllib.loads((world.rendered() / "hosts" / host.name / "server.toml").read_text())
        assert settings["server"].get("read_only", False) is (host.region != active)

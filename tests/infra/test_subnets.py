"""Fixed slots: where everything lies follows from the zone's letter and the host's number alone."""

from __future__ import annotations

import ipaddress
from itertools import combinations
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import subnets

REGION = "10.20.0.0/16"
zones = st.sampled_from(ascii_lowercase).map(lambda letter: f"cn-x-{letter}")


@pytest.mark.parametrize(
    ("zone", "slot", "hosts", "shared"),
    [
        ("us-east-1a", 0, "10.20.0.0/22", "10.20.4.0/23"),
        ("cn-hangzhou-h", 7, "10.20.56.0/22", "10.20.60.0/23"),
        ("cn-x-z", 25, "10.20.200.0/22", "10.20.204.0/23"),
    ],
)
def test_slots(zone: str, slot: int, hosts: str, shared: str) -> None:
    assert subnets.slot(zone) == slot
    assert subnets.hosts(REGION, zone) == hosts
    assert subnets.shared(REGION, zone) == shared


def test_all_slots_lie_apart_in_the_region() -> None:
    switches = (place(REGION, f"x-{zone}") for zone in ascii_lowercase for place in (subnets.hosts, subnets.shared))
    ranges = [ipaddress.IPv4Network(cidr) for cidr in switches]
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
    assert all(found.subnet_of(ipaddress.IPv4Network(REGION)) for found in ranges)


@given(zones, st.integers(1, subnets.MAX_HOSTS_PER_ZONE), st.integers(1, subnets.MAX_HOSTS_PER_ZONE))
def test_addresses_lie_in_their_switch_and_roles_apart(zone: str, one: int, other: int) -> None:
    storage = subnets.address(REGION, zone, role="storage", number=one)
    gateway = subnets.address(REGION, zone, role="gateway", number=other)
    switch = ipaddress.IPv4Network(subnets.hosts(REGION, zone))
    # The cloud keeps the first address and the last three of a switch.
    usable = range(int(switch.network_address) + 1, int(switch.broadcast_address) - 2)
    assert int(ipaddress.IPv4Address(storage)) in usable
    assert int(ipaddress.IPv4Address(gateway)) in usable
    assert storage != gateway


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("10.20.0.0/20", "write 10.20.0.0/16"),
        ("10.0.0.0/8", "write 10.0.0.0/16"),
        ("10.20.3.0/16", "write 10.20.0.0/16"),
        ("11.0.0.0/16", "take a /16 of 10.0.0.0/8"),
        ("fd00::/16", "such as 10.0.0.0/16"),
        ("", "such as 10.0.0.0/16"),
    ],
)
def test_other_ranges_are_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        subnets.region_network(text)


@pytest.mark.parametrize("number", [0, subnets.MAX_HOSTS_PER_ZONE + 1])
def test_numbers_out_of_range(number: int) -> None:
    with pytest.raises(ValueError, match="numbers go from"):
        subnets.address(REGION, "cn-x-a", role="storage", number=number)


@pytest.mark.parametrize("zone", ["cn-x-1", "", "cn-x-é"])
def test_zones_without_a_letter(zone: str) -> None:
    with pytest.raises(ValueError, match="letter"):
        subnets.slot(zone)

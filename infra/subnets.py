"""Where in a region's range everything lies: fixed slots, so that what is added moves nothing (P2). Pure.

A region has a /16. A zone's slot follows from its last letter (`cn-hangzhou-h`: 7), whatever other zones there are:

    /16 of the region
      slot 0 (zones ...a)  /21
      ...
      slot 7 (zones ...h)  /21    first /22  `hosts`: addresses that the Plan gives
                                  next  /23  `shared`: addresses that the cloud gives
                                  last  /23  kept free
      ...
      slot 25 (zones ...z) /21;   slots 26 to 31 are kept free
"""

from __future__ import annotations

import ipaddress
from typing import Final, Literal

REGION_PREFIX: Final = 16
SLOT_PREFIX: Final = 21
HOSTS_PREFIX: Final = 22
SHARED_PREFIX: Final = 23
FIRST_STORAGE: Final = 10  # below: what the cloud keeps for itself, and room for what nobody thought of
FIRST_GATEWAY: Final = 512
MAX_HOSTS_PER_ZONE: Final = 400  # of each role; keeps the two apart
PRIVATE: Final = tuple(ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))

Role = Literal["storage", "gateway"]


def network(text: str) -> ipaddress.IPv4Network:
    """A range as written. Raises: ValueError with the remedy."""
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        try:
            repaired = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is no IPv4 range: write one such as 10.0.0.0/16") from error
        raise ValueError(f"{text} has bits set behind its prefix: write {repaired}") from error


def region_network(text: str) -> ipaddress.IPv4Network:
    """The range of a region. Raises: ValueError with the remedy when it is no private /16."""
    found = network(text)
    if found.prefixlen != REGION_PREFIX:
        wider = ipaddress.IPv4Network((found.network_address, REGION_PREFIX), strict=False)
        raise ValueError(
            f"{text} is a /{found.prefixlen}: a region's range is a /{REGION_PREFIX}, "
            f"which has a fixed place for every zone: write {wider}"
        )
    if not any(found.subnet_of(private) for private in PRIVATE):
        raise ValueError(f"{text} is no private range: take a /16 of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
    return found


def slot(zone: str) -> int:
    """0 for zones that end in `a`, 25 for those in `z`. Raises: ValueError."""
    letter = zone[-1:]
    if not "a" <= letter <= "z" or not letter.isascii():
        raise ValueError(f"zone {zone!r} does not end in a letter from a to z")
    return ord(letter) - ord("a")


def hosts(region: str, zone: str) -> str:
    """The range of the zone's `hosts` switch. Raises: ValueError."""
    return f"{_base(region, zone)}/{HOSTS_PREFIX}"


def shared(region: str, zone: str) -> str:
    """The range of the zone's `shared` switch. Raises: ValueError."""
    return f"{_base(region, zone) + (1 << (32 - HOSTS_PREFIX))}/{SHARED_PREFIX}"


def address(region: str, zone: str, *, role: Role, number: int) -> str:
    """Of host `number` (from 1) of the zone. Raises: ValueError."""
    if not 1 <= number <= MAX_HOSTS_PER_ZONE:
        raise ValueError(f"{role} host {number} of {zone}: numbers go from 1 to {MAX_HOSTS_PER_ZONE}")
    first = FIRST_STORAGE if role == "storage" else FIRST_GATEWAY
    return str(_base(region, zone) + first + number)


def overlap(one: str, other: str) -> bool:
    """Raises: ValueError."""
    return network(one).overlaps(network(other))


def _base(region: str, zone: str) -> ipaddress.IPv4Address:
    return region_network(region).network_address + slot(zone) * (1 << (32 - SLOT_PREFIX))

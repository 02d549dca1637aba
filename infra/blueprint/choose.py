"""Which blueprint fits, with reasons, and how large it must be. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from infra.blueprint.sizes import SIZES
from infra.blueprint.values import Size

Survives = Literal["drive", "host", "zone", "region"]
Budget = Literal["low", "medium", "high"]
FILL: Final = 0.8  # of a drive: cleaning and healing need room to write before they free any (R7)
GIB_PER_TIB: Final = 1024
MAX_DRIVE_GIB: Final = 8192  # a larger disk takes too long to heal; the cloud sells up to 32 TiB
MAX_DRIVES: Final = 16
MIN_DRIVE_GIB: Final = 20
MAX_TIB: Final = 3_000  # three times 18 hosts: a deployment set takes 20 hosts of a zone, two gateways among them
# User data up to which a size is meant, TiB.
SIZE_LIMITS: Final[Mapping[Size, int]] = {"S": 2, "M": 50}
DENSE_FROM_TIB: Final = 100


@dataclass(frozen=True)
class Answers:
    """What the architect needs. `capacity_tib`: of user data, in each region that holds it."""

    regions: int = 1
    survive: str = "zone"
    capacity_tib: int = 10
    budget: str = "medium"
    onprem: bool = False
    public_read: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError naming the answer and what it may be."""
        for name, allowed in (("survive", get_args(Survives)), ("budget", get_args(Budget))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}: one of {', '.join(allowed)}")
        if not 1 <= self.regions <= 8:
            raise ValueError(f"regions is {self.regions}: from 1 to 8")
        if not 1 <= self.capacity_tib <= MAX_TIB:
            raise ValueError(f"capacity_tib is {self.capacity_tib}: from 1 to {MAX_TIB}")


@dataclass(frozen=True)
class Recommendation:
    """`settings`: path in the blueprint -> value, for `init --set`; `rejected`: blueprint -> why not."""

    blueprint: str
    size: Size
    reasons: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Shape:
    """Of a blueprint's store: fragments, and how many zones share them; 0 zones: no machines of the cloud."""

    k: int
    m: int
    zones: int


_SHAPES: Final[Mapping[str, _Shape]] = {
    "laptop": _Shape(4, 2, 0),
    "single-ecs": _Shape(4, 2, 1),
    "three-zone": _Shape(5, 4, 3),
    "cdn-edge": _Shape(5, 4, 3),
    "multi-region": _Shape(5, 4, 3),
    "hybrid": _Shape(8, 4, 0),
}


def usable_tib(*, drives: int, drive_gib: int, k: int, m: int) -> float:
    """What users can store on so many drives, in TiB: without parity, and without the part that stays free."""
    return drives * drive_gib * k / (k + m) * FILL / GIB_PER_TIB


ONE_HOST_TIB: Final = int(usable_tib(drives=MAX_DRIVES, drive_gib=MAX_DRIVE_GIB, k=4, m=2))


def choose(answers: Answers) -> Recommendation:
    """The blueprint that fits best; every other one with the reason it does not."""
    name, why = _best(answers)
    size = _size(answers)
    settings, fits = _capacity(name, answers, size)
    reasons = (why, *fits, *_remarks(name, answers))
    rejected = {other: _rejection(other, name, answers) for other in _SHAPES if other != name}
    return Recommendation(name, size, reasons, {"size": size, **settings} if name != "laptop" else {}, rejected)


def _best(answers: Answers) -> tuple[str, str]:
    if answers.onprem:
        return "hybrid", "machines of your own hold what is hot, and the cloud what is cold"
    if answers.regions > 1 or answers.survive == "region":
        return "multi-region", "a second region holds the data and takes over when the first is gone"
    if answers.public_read:
        return "cdn-edge", "readers are the world: the edge answers them, and the store serves the edge"
    if answers.survive == "zone":
        return "three-zone", "with 5+4 over three zones a zone may be lost, and 6 = k+1 fragments still take writes"
    if answers.capacity_tib > ONE_HOST_TIB:
        return "three-zone", f"one host holds {ONE_HOST_TIB} TiB at most, and many hosts are best spread over zones"
    if answers.survive == "host" or answers.budget == "high":
        return "three-zone", "hosts stand in three zones, so losing one of them stops nothing"
    if answers.capacity_tib <= 1 and answers.budget == "low":
        return "laptop", "a terabyte or less for little money: begin on a machine you have"
    return "single-ecs", "one host whose disks may fail is the least that runs in the cloud"


def _rejection(other: str, chosen: str, answers: Answers) -> str:
    """Why not `other`. The first reason that holds."""
    beyond_host = answers.survive in ("host", "zone", "region")
    reasons: dict[str, tuple[tuple[bool, str], ...]] = {
        "laptop": (
            (beyond_host, f"one machine cannot survive the loss of a {answers.survive}"),
            (True, "its folders may share one disk, and nobody but you reaches it"),
        ),
        "single-ecs": (
            (beyond_host, f"one host cannot survive the loss of a {answers.survive}"),
            (answers.onprem, "your own machines would have no part in it"),
            (answers.capacity_tib > ONE_HOST_TIB, f"one host holds {ONE_HOST_TIB} TiB at most"),
            (answers.public_read, "one host without a public address serves no readers all over the world"),
            (True, "a host in the cloud costs money, and a machine you have is enough to begin with"),
        ),
        "three-zone": (
            (answers.onprem, "your own machines would have no part in it"),
            (chosen == "multi-region", "it lies in one region"),
            (chosen == "cdn-edge", "it has no edge; cdn-edge is the same store with one"),
            (True, "three zones need three times the machines, and you need none of them to be lost"),
        ),
        "multi-region": (
            (answers.onprem, "the machine room takes the place of its second region"),
            (True, "everything is paid twice, and one region is enough for you"),
        ),
        "hybrid": ((True, "no machines of your own take part"),),
        "cdn-edge": (
            (answers.public_read, "its store lies in one region; the blueprint chosen takes its `cdn` section too"),
            (True, "an edge and a public balancer cost money, and the world does not read here"),
        ),
    }
    return next(text for holds, text in reasons[other] if holds)


def _size(answers: Answers) -> Size:
    for size, limit in SIZE_LIMITS.items():
        if answers.capacity_tib <= limit and not (size == "S" and answers.budget == "high"):
            return size
    return "L"


def _capacity(name: str, answers: Answers, size: Size) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Hosts and drives for the capacity: the size's own where they do, else larger disks, then more hosts."""
    shape = _SHAPES[name]
    raw_gib = answers.capacity_tib * GIB_PER_TIB * (shape.k + shape.m) / shape.k / FILL
    if shape.zones == 0:
        return {}, (f"{raw_gib / GIB_PER_TIB:.1f} TiB of drives hold {answers.capacity_tib} TiB of data",)
    table = SIZES[size]["storage"]
    hosts, drives = int(table["hosts_per_zone"]), int(table["drives_per_host"])
    if answers.budget == "low" or name == "single-ecs":
        hosts = 1
    least = math.ceil((shape.k + shape.m) / shape.zones)
    while hosts * drives < least:
        drives += 1
    while raw_gib / (shape.zones * hosts * drives) > MAX_DRIVE_GIB:
        drives, hosts = (drives + 1, hosts) if drives < MAX_DRIVES else (drives, hosts + 1)
    gib = max(MIN_DRIVE_GIB, math.ceil(raw_gib / (shape.zones * hosts * drives) / 10) * 10)
    total = shape.zones * hosts * drives
    settings: dict[str, Any] = {
        "storage.hosts_per_zone": hosts,
        "storage.drives_per_host": drives,
        "storage.drive_gib": gib,
    }
    if answers.capacity_tib >= DENSE_FROM_TIB:
        settings["storage.workload"] = "dense"
    usable = usable_tib(drives=total, drive_gib=gib, k=shape.k, m=shape.m)
    text = f"{total} disks of {gib} GiB hold {usable:.1f} TiB of data at {shape.k}+{shape.m}, a fifth kept free"
    return settings, (text,)


def _remarks(name: str, answers: Answers) -> tuple[str, ...]:
    found = []
    if answers.survive == "region" and answers.onprem:
        found.append("losing the machine room leaves the cold copies; what was not yet copied is lost with it")
    if answers.regions > 2:
        found.append(f"it ships with two regions: add {answers.regions - 2} more replicas under `regions`")
    if answers.public_read and name != "cdn-edge":
        found.append("readers all over the world: add the `cdn` section of cdn-edge")
    if answers.budget == "low" and name in ("three-zone", "multi-region", "cdn-edge"):
        found.append("for little money: one host a zone, and cold data in the tier bucket early")
    if answers.capacity_tib >= DENSE_FROM_TIB and _SHAPES[name].zones:
        found.append("much data: hosts with more bandwidth to their disks (workload dense)")
    return tuple(found)

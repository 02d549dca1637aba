"""The picture of a Plan: its topology as SVG. Pure, the same bytes for the same Plan; no script, no font of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from infra.blueprint.cloud import PlannedRegion
from infra.blueprint.plan import Plan
from infra.render import topology
from infra.render.drawing import LINE_PX, Box, Line, Placed, Point, Text, measure, place, text_px, wrap
from infra.render.template import render

MARGIN: Final = 24
GAP: Final = 40  # between regions
ROOM_GAP: Final = 120  # between a machine room and its region: the tunnels and what is written above them
EDGE_GAP: Final = 34  # an arrow's length, above the regions
TURN: Final = 14  # how far below a box a line turns
LANE: Final = 14  # between lines that run below the regions
LEAST_WIDTH: Final = 560
Look = Literal["data", "later", "copy", "link"]


@dataclass(frozen=True)
class Arrow:
    look: Look
    points: tuple[Point, ...]
    label: Text | None = None

    @property
    def path(self) -> str:
        return "M" + "L".join(f"{x} {y}" for x, y in self.points)


@dataclass(frozen=True)
class Scene:
    """All that is drawn, and where."""

    width: int
    height: int
    title: str
    description: str
    texts: tuple[Text, ...]
    boxes: tuple[Placed, ...]
    arrows: tuple[Arrow, ...]

    def find(self, key: str) -> Placed | None:
        return next((found for box in self.boxes if (found := box.find(key)) is not None), None)


def picture(plan: Plan) -> str:
    """The topology as SVG."""
    return render("picture.svg.j2", scene=scene(plan))


def scene(plan: Plan) -> Scene:
    """Where everything lies."""
    grounds = _grounds(plan)
    widths = [measure(box)[0] for box in grounds]
    gaps = [ROOM_GAP if box.key == "room" else GAP for box in grounds[:-1]]
    upper = _upper(plan)
    rows = [sum(measure(box)[0] + GAP for box in row) - GAP for row in upper]
    width = max(sum(widths) + sum(gaps), LEAST_WIDTH, *rows)
    heading = _heading(plan, width)
    top = MARGIN + sum(LINE_PX[text.line.style] for text in heading) + 8
    below = top + sum(measure(row[0])[1] + EDGE_GAP for row in upper)
    boxes = _place_grounds(grounds, gaps, below, width)
    boxes = (*_place_upper(plan, upper, boxes, top, width=width), *boxes)
    bottom = max(box.bottom for box in boxes) + _lanes(plan) * LANE
    if (join := topology.joins(plan)) is not None:
        joined = place(join, MARGIN, bottom + EDGE_GAP, (width, measure(join)[1]))
        boxes, bottom = (*boxes, joined), joined.bottom
    draft = Scene(width + 2 * MARGIN, 0, "", "", heading, boxes, ())
    arrows = tuple(_arrows(plan, draft))
    legend, signs = _legend(arrows, bottom + 30)
    return Scene(
        width=width + 2 * MARGIN,
        height=bottom + 30 + MARGIN,
        title=f"{plan.blueprint}: the topology",
        description=_description(plan),
        texts=(*heading, *legend),
        boxes=boxes,
        arrows=(*arrows, *signs),
    )


def _lanes(plan: Plan) -> int:
    """Lines that run below the regions."""
    copies = len(plan.joint.replications) if plan.joint is not None else 0
    paths = [region.oss_path for region in plan.regions if region.oss_path is not None]
    return copies + sum(path.kind == "custom-domain" for path in paths)


# --- boxes -----------------------------------------------------------------------------------------------------------
def _grounds(plan: Plan) -> tuple[Box, ...]:
    """What stands side by side: the machine room, the region that takes writes, the others."""
    if not plan.regions:
        return (topology.here(plan),)
    order = sorted(plan.regions, key=lambda found: (found.role != "primary", found.name))
    regions = tuple(topology.region(plan, found) for found in order)
    room = topology.room(plan)
    return regions if room is None else (room, *regions)


def _heading(plan: Plan, width: int) -> tuple[Text, ...]:
    where = f" · {plan.environment}" if plan.regions else ""
    lines = [Line(plan.blueprint, "title")]
    lines += [Line(text) for text in wrap(plan.summary, "note", width)]
    lines.append(Line(f"{plan.profile.k}+{plan.profile.m} · survives the loss of a {plan.survive}{where}"))
    found, y = [], MARGIN
    for line in lines:
        y += LINE_PX[line.style]
        found.append(Text(MARGIN, y - 6, line))
    return tuple(found)


def _upper(plan: Plan) -> tuple[tuple[Box, ...], ...]:
    """Rows above the ground: clients, then CDN and DNS."""
    edge = tuple(box for box in topology.edge(plan) if box is not None)
    return ((topology.clients(plan),), edge) if edge else ((topology.clients(plan),),)


def _place_grounds(grounds: tuple[Box, ...], gaps: list[int], top: int, width: int) -> tuple[Placed, ...]:
    sizes = [measure(box) for box in grounds]
    tallest = max(size[1] for size in sizes)
    spare = (width - sum(size[0] for size in sizes) - sum(gaps)) // len(grounds)
    placed, x = [], MARGIN
    for box, size, gap in zip(grounds, sizes, [*gaps, 0], strict=True):
        height = size[1] if box.key == "room" else tallest
        placed.append(place(box, x, top, (size[0] + spare, height)))
        x += size[0] + spare + gap
    return tuple(placed)


def _place_upper(
    plan: Plan, rows: tuple[tuple[Box, ...], ...], grounds: tuple[Placed, ...], top: int, *, width: int
) -> tuple[Placed, ...]:
    """The last of each row above the way into the region that takes writes, as far as what is left of it permits."""
    middle = _entry(plan, grounds)
    placed: list[Placed] = []
    for row in reversed(rows):  # clients stand above DNS, wherever that had to go
        y = top + sum(measure(above[0])[1] + EDGE_GAP for above in rows[: rows.index(row)])
        sizes = [measure(box) for box in row]
        others = sum(size[0] + GAP for size in sizes[:-1])
        x = min(max(MARGIN + others, middle - sizes[-1][0] // 2), MARGIN + width - sizes[-1][0])
        placed.append(place(row[-1], x, y, sizes[-1]))
        middle = middle if rows.index(row) == 0 else placed[-1].middle
        if others:
            placed.append(place(row[0], x - others, y, sizes[0]))
    return tuple(placed)


def _entry(plan: Plan, boxes: tuple[Placed, ...]) -> int:
    """Where the way of the data comes down: to the balancer, the room, or the last zone's hosts, right of all names."""
    found = {inner.key: inner for box in boxes for inner in box.walk() if inner.key}
    if (balancer := found.get(f"entry:{plan.active}")) is not None:
        return balancer.middle
    if (room := found.get("room")) is not None:
        return _room_entry(room)
    region = found.get(f"region:{plan.active}")
    hosts = [box for box in region.walk() if box.key.startswith("hosts:")] if region is not None else []
    return _bus(hosts[-1]) if hosts else boxes[-1].middle


def _room_entry(room: Placed) -> int:
    """Above the last rack, and right of what the room is called."""
    racks = [box for box in room.walk() if box.key.startswith("rack:")]
    return max(racks[-1].middle, *(text.left + text_px(text.line.text, text.line.style) + 16 for text in room.texts))


# --- arrows ----------------------------------------------------------------------------------------------------------
def _arrows(plan: Plan, draft: Scene) -> Iterator[Arrow]:
    yield from _to_the_entry(plan, draft)
    for region in plan.regions:
        yield from _inside(plan, region, draft)
    yield from _room_links(plan, draft)
    yield from _between_regions(plan, draft)


def _down(look: Look, upper: Placed, lower: Placed, *, x: int | None = None) -> Arrow:
    """Straight down where the upper box lies above the place of arrival, else with a turn below it."""
    at = lower.middle if x is None else x
    if upper.x + 10 <= at <= upper.right - 10:
        return Arrow(look, ((at, upper.bottom), (at, lower.y)))
    y = upper.bottom + TURN
    return Arrow(look, ((upper.middle, upper.bottom), (upper.middle, y), (at, y), (at, lower.y)))


def _to_the_entry(plan: Plan, draft: Scene) -> Iterator[Arrow]:
    """From the clients to the balancer of the region that takes writes, or to the hosts where there is none."""
    clients, dns, cdn = (draft.find(key) for key in ("clients", "dns", "cdn"))
    assert clients is not None
    entry = draft.find(f"entry:{plan.active}")
    start = dns or clients
    if dns is not None:
        yield _down("data", clients, dns)
    if cdn is not None:
        yield Arrow("data", ((clients.x, clients.centre), (cdn.middle, clients.centre), (cdn.middle, cdn.y)))
        if entry is not None:
            x, y = entry.middle - 60, cdn.bottom + TURN // 2
            yield Arrow("data", ((cdn.middle, cdn.bottom), (cdn.middle, y), (x, y), (x, entry.y)))
    if entry is not None:
        yield _down("data", start, entry)
        yield from _after_a_failover(plan, draft, start)
    elif not plan.regions:
        for host in plan.hosts:
            box = draft.find(f"host:{host.name}")
            assert box is not None
            yield _down("data", clients, box)


def _after_a_failover(plan: Plan, draft: Scene, start: Placed) -> Iterator[Arrow]:
    y = start.bottom + TURN
    for region in plan.regions:
        entry = draft.find(f"entry:{region.name}")
        if entry is None or region.name == plan.active:
            continue
        x = start.right - 24 if entry.middle > start.middle else start.x + 24
        label = Text(entry.middle + 8, y + 14, Line("after a failover"))
        yield Arrow("later", ((x, start.bottom), (x, y), (entry.middle, y), (entry.middle, entry.y)), label)


def _bus(hosts: Placed) -> int:
    """Where the line runs down at the right of a switch's hosts."""
    return hosts.right - 8 - topology.TARGET_LANE // 2


def _peer_bus(hosts: Placed) -> int:
    return hosts.x + 8 + topology.PEER_LANE // 2


def _inside(plan: Plan, region: PlannedRegion, draft: Scene) -> Iterator[Arrow]:
    """From the balancer to its hosts, from gateways to storage, from storage to the bucket of what is cold."""
    entry, group = draft.find(f"entry:{region.name}"), draft.find(f"scaling:{region.name}")
    if entry is not None and group is not None:
        yield _down("data", entry, group)
    source = group or entry
    targets = {host.name for host in plan.hosts if host.region == region.name and host.role == "storage"}
    if group is None and region.balancer is not None:
        targets = set(region.balancer.targets)
    for zone in sorted({switch.zone for switch in region.network.switches}):
        hosts = draft.find(f"hosts:{zone}")
        assert hosts is not None
        ends = [(box.right, box.centre) for box in hosts.walk() if box.key.removeprefix("host:") in targets]
        if source is not None:
            yield from _combed("data", (_bus(hosts), source.bottom), ends)
        elif region.name == plan.active:
            yield from _straight_to_hosts(plan, draft, zone, ends)
        gateways = [box for box in hosts.walk() if box.kind == "gateway"]
        storage = [box for box in hosts.walk() if box.kind == "storage"]
        for gateway in gateways:
            x = _peer_bus(hosts)
            ends = [(box.x, box.centre) for box in storage]
            yield from _combed("data", (x, gateway.centre), ends, before=((gateway.x, gateway.centre),))
    yield from _to_the_bucket(region, draft)


def _straight_to_hosts(plan: Plan, draft: Scene, zone: str, ends: list[Point]) -> Iterator[Arrow]:
    """From the clients, where no balancer stands between."""
    clients, ground = draft.find("dns") or draft.find("clients"), draft.find(f"zone:{zone}")
    hosts = draft.find(f"hosts:{zone}")
    assert clients is not None and ground is not None and hosts is not None
    start, y = _entry(plan, draft.boxes), ground.y - TURN
    before = ((start, clients.bottom), (start, y)) if start != _bus(hosts) else ((start, clients.bottom),)
    yield from _combed("data", (_bus(hosts), y), ends, before=before)


def _combed(look: Look, start: Point, ends: list[Point], *, before: tuple[Point, ...] = ()) -> Iterator[Arrow]:
    """One line down, from which an arrow goes to each end."""
    for end in ends:
        yield Arrow(look, (*before, start, (start[0], end[1]), end))


def _to_the_bucket(region: PlannedRegion, draft: Scene) -> Iterator[Arrow]:
    tier = next((bucket for bucket in region.buckets if bucket.purpose == "tier"), None)
    bucket = draft.find(f"bucket:{tier.name}") if tier is not None else None
    if bucket is None:
        return
    vpc, endpoint, vpn = (draft.find(f"{key}:{region.name}") for key in ("vpc", "endpoint", "vpn"))
    assert vpc is not None
    if endpoint is None:
        yield _down("copy", vpc, bucket)
        return
    yield _down("copy", endpoint, bucket)
    if vpn is not None and region.oss_path is not None and region.oss_path.kind == "private":
        yield _down("copy", vpn, endpoint, x=vpn.middle)
    for zone in sorted({switch.zone for switch in region.network.switches}):
        hosts = draft.find(f"hosts:{zone}")
        if hosts is not None and any(box.kind == "storage" for box in hosts.walk()):
            yield _down("copy", hosts, endpoint, x=hosts.middle)


def _room_links(plan: Plan, draft: Scene) -> Iterator[Arrow]:
    """From the clients to the racks, and from the room to its region."""
    room, device, clients = (draft.find(key) for key in ("room", "device", "clients"))
    if room is None or clients is None:
        return
    racks = [box for box in room.walk() if box.key.startswith("rack:")]
    y = racks[0].y - TURN
    for rack in racks:
        x = _room_entry(room)
        yield Arrow("data", ((x, clients.bottom), (x, y), (rack.middle, y), (rack.middle, rack.y)))
    for region in plan.regions:
        gateway = draft.find(f"vpn:{region.name}")
        if gateway is not None and device is not None:
            yield from _tunnels(region, device, gateway, room)
        if region.oss_path is not None and region.oss_path.kind == "custom-domain":
            tier = next(draft.find(f"bucket:{bucket.name}") for bucket in region.buckets if bucket.purpose == "tier")
            assert tier is not None
            low = max(box.bottom for box in draft.boxes if box.key != "cen") + TURN + 6
            label = Text(room.right + 8, low - 5, Line(f"{region.oss_path.domain}, over the Internet"))
            yield _under("copy", (room.middle, room.bottom), low, (tier.middle, tier.bottom), label)


def _tunnels(region: PlannedRegion, device: Placed, gateway: Placed, room: Placed) -> Iterator[Arrow]:
    assert region.vpn is not None
    y = min(device.centre, gateway.centre)
    y = max(y, device.y + 20, gateway.y + 20)
    words = f"{len(region.vpn.tunnels)} tunnels"
    label = Text(room.right + 10, y - 14, Line(words))
    yield Arrow("copy", ((device.right, y - 6), (gateway.x, y - 6)), label)
    yield Arrow("link", ((device.right, y + 6), (gateway.x, y + 6)))


def _between_regions(plan: Plan, draft: Scene) -> Iterator[Arrow]:
    cen = draft.find("cen")
    if cen is not None:
        for region in plan.regions:
            vpc = draft.find(f"vpc:{region.name}")
            assert vpc is not None
            x = vpc.right - topology.LINK_LANE // 2
            yield Arrow("link", ((x, vpc.bottom), (x, cen.y)))
    for number, copy in enumerate(plan.joint.replications if plan.joint is not None else ()):
        source, target = draft.find(f"bucket:{copy.source}"), draft.find(f"bucket:{copy.target}")
        ground = draft.find(f"region:{copy.source_region}")
        if source is None or target is None or ground is None:
            continue
        y = ground.bottom + TURN + 6 + LANE * number
        label = Text(source.middle + 8, y - 5, Line("replication")) if number == 0 else None
        yield _under("copy", (source.middle + 8 * number, source.bottom), y, (target.middle, target.bottom), label)


def _under(look: Look, start: Point, y: int, end: Point, label: Text | None) -> Arrow:
    """From the bottom of one box to the bottom of another, along the line `y` below both."""
    return Arrow(look, (start, (start[0], y), (end[0], y), end), label)


# --- words -----------------------------------------------------------------------------------------------------------
_LOOKS: Final[dict[Look, str]] = {
    "data": "requests and their data",
    "later": "after a failover",
    "copy": "what is cold, and copies",
    "link": "network link",
}


def _legend(arrows: tuple[Arrow, ...], y: int) -> tuple[tuple[Text, ...], tuple[Arrow, ...]]:
    """What the lines mean that are there."""
    texts, signs, x = [], [], MARGIN
    for look, words in _LOOKS.items():
        if not any(arrow.look == look for arrow in arrows):
            continue
        signs.append(Arrow(look, ((x, y), (x + 30, y))))
        texts.append(Text(x + 38, y + 4, Line(words)))
        x += 38 + text_px(words, "note") + 24
    return tuple(texts), tuple(signs)


def _description(plan: Plan) -> str:
    """The picture in words, for those who do not see it."""
    sentences = [f"{plan.summary}."]
    for region in plan.regions:
        mine = [host for host in plan.hosts if host.region == region.name and host.machine is not None]
        zones = sorted({switch.zone for switch in region.network.switches})
        storage = sum(host.role == "storage" for host in mine)
        sentences.append(
            f"Region {region.name} ({region.role}): VPC {region.network.cidr}, zones {', '.join(zones)}, "
            f"{storage} storage hosts, {len(mine) - storage} gateways, {len(region.buckets)} OSS buckets."
        )
    there = [host for host in plan.hosts if host.machine is None]
    if there:
        drives = sum(len(host.drives) for host in there)
        sentences.append(f"Machines that are there: {', '.join(host.name for host in there)}, with {drives} drives.")
    return " ".join(sentences)

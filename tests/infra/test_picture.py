"""Pictures of Plans, judged by what stands in the SVG: nothing lies on anything else, nothing is left out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings

from infra.blueprint.expand import expand
from infra.blueprint.model import Blueprint
from infra.blueprint.plan import Plan
from infra.render import picture
from infra.render.drawing import FONT_PX, Style, text_px
from tests.infra.cloud_blueprints import (
    BEIJING,
    BLUEPRINTS,
    HANGZHOU,
    ROOM,
    SHIPPED,
    cloud,
    cloud_plan,
    clouds,
    shipped,
)

PICTURES = BLUEPRINTS / "pictures"
SVG = "{http://www.w3.org/2000/svg}"
REGIONS = [{**HANGZHOU, "role": "primary"}, BEIJING]
HOSTS = [{"name": f"host-{number}", "zone": "rack", "drives": 14} for number in range(1, 10)]


@dataclass(frozen=True)
class Area:
    left: float
    top: float
    right: float
    bottom: float
    what: str

    def holds(self, other: Area) -> bool:
        return (self.left <= other.left and other.right <= self.right
                and self.top <= other.top and other.bottom <= self.bottom)  # fmt: skip

    def meets(self, other: Area) -> bool:
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)  # fmt: skip

    def inner(self, px: int) -> Area:
        return Area(self.left + px, self.top + px, self.right - px, self.bottom - px, self.what)


@dataclass
class Frame:
    area: Area
    texts: list[Area] = field(default_factory=list)
    marks: list[Area] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def walk(self) -> Iterator[Frame]:
        yield self
        for frame in self.frames:
            yield from frame.walk()


@dataclass
class Seen:
    page: Frame
    lines: list[Area]  # each straight piece of an arrow


def _text(element: ElementTree.Element) -> Area:
    style: Style = "note"
    for known in FONT_PX:
        style = known if element.get("class") == known else style
    words = element.text or ""
    width, x, y = text_px(words, style), float(element.attrib["x"]), float(element.attrib["y"])
    left = x - width / 2 if element.get("text-anchor") == "middle" else x
    return Area(left, y - FONT_PX[style] * 0.8, left + width, y + FONT_PX[style] * 0.25, words)


def _fill(frame: Frame, element: ElementTree.Element) -> None:
    """What lies in a group: a group without a frame of its own belongs to the one around it."""
    for child in element:
        match child.tag.removeprefix(SVG), child.get("class", ""):
            case "text", _:
                frame.texts.append(_text(child))
            case "path", "drive":
                x, y = map(float, re.findall(r"[\d.]+", child.attrib["d"])[:2])
                frame.marks.append(Area(x, y, x + 9, y + 15, "drive"))
            case "g", kind:
                rect = child.find(f"{SVG}rect")
                if rect is None:
                    assert not kind
                    _fill(frame, child)
                    continue
                x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
                inner = Frame(Area(x, y, x + width, y + height, kind))
                _fill(inner, child)
                frame.frames.append(inner)


def seen(svg: str) -> Seen:
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    page = Frame(Area(0, 0, width, height, "page"))
    _fill(page, root)
    lines = []
    for path in root.iter(f"{SVG}path"):
        if path.get("class", "").startswith("arrow"):
            points = [tuple(map(float, point.split())) for point in path.attrib["d"][1:].split("L")]
            for (x1, y1), (x2, y2) in pairwise(points):
                assert x1 == x2 or y1 == y2, "lines are upright or level"
                lines.append(Area(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), path.attrib["class"]))
    return Seen(page, lines)


def faults(svg: str) -> list[str]:
    """All that lies where it must not."""
    found = seen(svg)
    wrong = []
    for frame in found.page.walk():
        inside = [*frame.texts, *frame.marks, *(inner.area for inner in frame.frames)]
        wrong += [f"{area} is not inside {frame.area}" for area in inside if not frame.area.holds(area)]
        wrong += [f"{one} lies on {other}" for one, other in combinations(inside, 2) if one.meets(other)]
        texts = [text for text in frame.texts for line in found.lines if line.meets(text)]
        wrong += [f"a line runs through {text}" for text in texts]
        if not frame.frames:
            wrong += [f"a line runs through {frame.area}" for line in found.lines if line.meets(frame.area.inner(2))]
    wrong += [f"{line} leaves the page" for line in found.lines if not found.page.area.holds(line)]
    return wrong


# --- shipped ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_pictures_are_up_to_date(name: str) -> None:
    page: Path = PICTURES / f"{name}.svg"
    drawn = picture(expand(shipped(name)))
    if os.environ.get("KAKERA_GOLDEN") == "write":
        PICTURES.mkdir(exist_ok=True)
        page.write_text(drawn)
    assert page.read_text() == drawn


def test_no_picture_without_a_blueprint() -> None:
    assert sorted(path.stem for path in PICTURES.iterdir()) == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_picture_shows_its_plan(name: str) -> None:
    plan = expand(shipped(name))
    svg = picture(plan)
    found = seen(svg)
    words = " | ".join(text.what for frame in found.page.walk() for text in frame.texts)
    facts = {host.address for host in plan.hosts}
    facts |= {switch.cidr for region in plan.regions for switch in region.network.switches}
    facts |= {fact for region in plan.regions for fact in (region.name, region.network.cidr)}
    facts |= {f"OSS {bucket.purpose}" for region in plan.regions for bucket in region.buckets}
    facts |= {host.machine.instance_type for host in plan.hosts if host.machine is not None}
    assert not [fact for fact in facts if fact not in words]
    drives = sum(len(host.drives) for host in plan.hosts)
    assert drives == sum(len(frame.marks) + (frame.area.what == "folder") for frame in found.page.walk())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_picture_stands_alone(name: str) -> None:
    """No script, nothing fetched; words for those who do not see it; a page of its own on any background."""
    svg = picture(expand(shipped(name)))
    root = ElementTree.fromstring(svg)
    assert not re.search(r"<script|href|@import|url\((?!#)|on\w+=", svg)
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and description is not None
    assert root.attrib["aria-labelledby"].split() == [title.get("id"), description.get("id")]
    assert name in (title.text or "") and shipped(name).summary in (description.text or "")
    page = root.find(f"{SVG}rect")
    assert page is not None and page.get("fill") == "#ffffff"


# --- any -------------------------------------------------------------------------------------------------------------
VARIED: dict[str, dict[str, Any]] = {
    "large": {"size": "L", "database": {"enabled": True}},
    "many hosts": {"storage": {"hosts_per_zone": 40, "drives_per_host": 16}, "gateways": {"per_zone": 9}},
    "drives in the host": {"survive": "host", "storage": {"instance_type": "ecs.d3s.8xlarge"}},
    "after a failover": {
        "regions": REGIONS, "active": "cn-beijing", "interconnect": {"kind": "cen"}, "dns": {"domain": "kakera.test"},
        "cdn": {"domain": "static.kakera.test"}, "balancer": {"public": True},
    },
    "long names": {
        "dns": {"domain": "a-very-long-name-for-a-domain.of-a-company.example.com"}, "balancer": {"public": True},
        "cdn": {"domain": "static.a-very-long-name-for-a-domain.of-a-company.example.com"},
    },
    "no endpoint": {"network": {"oss_endpoint": False, "nat": False}, "balancer": {"kind": "none"}},
    "adopted": {"network": {"existing": {"cn-hangzhou": "vpc-bp1aevy8sofi8mh1q****"}}},
    "a room over the Internet": {
        "hosts": HOSTS, "regions": [{**HANGZHOU, "role": "backup"}], "interconnect": {"kind": "vpn"}, "survive": "host",
        "onprem": {**ROOM, "path": "custom-domain", "domain": "cold.example.com", "certificate": "1"},
        "dns": {"domain": "example.com"},
    },
}  # fmt: skip


def plan_of(name: str) -> Plan:
    return expand(shipped(name)) if name in SHIPPED else cloud_plan(**VARIED[name])


@pytest.mark.parametrize("name", [*SHIPPED, *VARIED])
def test_nothing_lies_on_anything_else(name: str) -> None:
    assert faults(picture(plan_of(name))) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(clouds())
def test_nothing_lies_on_anything_else_whatever_is_drawn(blueprint: Blueprint) -> None:
    plan = expand(blueprint)
    svg = picture(plan)
    assert faults(svg) == []
    assert svg == picture(plan)


def test_of_many_hosts_some_are_drawn_and_the_rest_counted() -> None:
    svg = picture(cloud_plan(storage={"hosts_per_zone": 40, "drives_per_host": 4}))
    assert svg.count("and 35 more") == 3
    assert svg.count('class="drive"') == 3 * 5 * 4


def test_the_way_of_the_data_follows_the_active_region() -> None:
    fields: dict[str, Any] = {"regions": REGIONS, "dns": {"domain": "kakera.test"}}
    before, after = (seen(picture(cloud_plan(active=active, **fields))) for active in ("cn-hangzhou", "cn-beijing"))

    def clients(found: Seen) -> float:
        return next(frame.area.left for frame in found.page.walk() if frame.area.what == "clients")

    assert clients(before) < before.page.area.right / 2 < clients(after)


def test_words_are_quoted_and_never_markup() -> None:
    summary = """a <script>alert("&")</script> ]]> 'b'"""
    svg = picture(expand(cloud(summary=summary)))
    assert "<script" not in svg
    assert summary in (ElementTree.fromstring(svg).findtext(f"{SVG}desc") or "")


def test_faults_are_noticed() -> None:
    good = picture(expand(shipped("laptop")))
    assert faults(good) == []
    assert any("is not inside" in fault for fault in faults(good.replace(">drive-1<", f">{'drive' * 12}<")))
    moved = re.sub(r'(?s)(class="folder">\s*<rect class="frame" x=")\d+', r"\g<1>99", good)
    assert any("lies on" in fault for fault in faults(moved))
    line = '<path class="arrow data" d="M90 0L90 300"/>'
    lined = good.replace("</svg>", f"{line}</svg>")
    assert any("runs through" in fault for fault in faults(lined))

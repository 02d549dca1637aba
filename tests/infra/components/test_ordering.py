"""Waiting for something does not make a value unknown, and does not make an unknown one known."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
from pulumi.output import Unknown

from infra.components.ordering import after
from tests.infra.components.recorder import named, record


async def result(value: Any) -> Any:
    return value


def switch(name: str, vpc_id: pulumi.Input[str], opts: pulumi.ResourceOptions) -> alicloud.vpc.Switch:
    return alicloud.vpc.Switch(name, vpc_id=vpc_id, zone_id="z", cidr_block="10.0.0.0/24", opts=opts)


def test_who_uses_the_value_waits_for_the_others() -> None:
    def build(opts: pulumi.ResourceOptions) -> None:
        first, other = switch("first", "vpc", opts), switch("other", "vpc", opts)
        switch("waits", after(first.id, [other]), opts)
        switch("waits-not", first.id, opts)

    found = record(build)
    assert named(found, "waits").inputs["vpcId"] == "first-id"
    assert named(found, "waits").waits_for("first") and named(found, "waits").waits_for("other")
    assert not named(found, "waits-not").waits_for("other")


def test_known_unknown_and_secret_stay_what_they_are() -> None:
    async def whole() -> None:
        kept = after(pulumi.Output(set(), result("id"), result(True), result(True)), [])
        assert (await kept.future(), await kept.is_known(), await kept.is_secret()) == ("id", True, True)
        unknown = after(pulumi.Output(set(), result(Unknown()), result(False)), [])  # type: ignore[no-untyped-call]
        assert not await unknown.is_known()

    asyncio.run(whole())

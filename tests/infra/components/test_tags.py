"""Tags: the mandatory ones are there and win, a user's others stay, nothing else is touched."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.components import tags
from infra.components.tags import taggable, tagged, transform

VPC, ROUTE = "alicloud:vpc/network:Network", "alicloud:vpc/routeEntry:RouteEntry"
TYPES = frozenset({VPC})
words = st.text(min_size=1, max_size=8)
maps = st.dictionaries(words, words, max_size=5)
properties = st.dictionaries(words.filter(lambda word: word != "tags"), st.integers() | words, max_size=4)


@given(properties, st.none() | maps, maps)
def test_mandatory_tags_win_and_a_users_others_stay(
    others: dict[str, Any], own: dict[str, str] | None, mandatory: dict[str, str]
) -> None:
    sent = others if own is None else {**others, "tags": own}
    before = repr(sent)
    made = tagged(VPC, sent, mandatory, types=TYPES)
    found = made.get("tags") or {}
    assert {key: found[key] for key in mandatory} == mandatory
    assert {key: value for key, value in found.items() if key not in mandatory} == {
        key: value for key, value in (own or {}).items() if key not in mandatory
    }
    assert {key: value for key, value in made.items() if key != "tags"} == others
    assert repr(sent) == before, "what was given was changed"
    assert tagged(VPC, made, mandatory, types=TYPES) == made


@given(properties, maps)
def test_a_type_without_tags_is_untouched(sent: dict[str, Any], mandatory: dict[str, str]) -> None:
    assert tagged(ROUTE, sent, mandatory, types=TYPES) is sent


def test_tags_that_are_known_later_are_merged_then() -> None:
    async def resolved() -> Any:
        own = pulumi.Output.from_input({"team": "mine", "env": "mine"})
        return await tagged(VPC, {"tags": own}, {"env": "prod"}, types=TYPES)["tags"].future()

    assert asyncio.run(resolved()) == {"team": "mine", "env": "prod"}


def asked(token: str, props: dict[str, Any]) -> pulumi.ResourceTransformArgs:
    return pulumi.ResourceTransformArgs(
        custom=True, type_=token, name="n", props=props, opts=pulumi.ResourceOptions(protect=True)
    )


def test_the_transform_tags_and_keeps_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "taggable", lambda: TYPES)
    add = transform({"env": "prod"})
    args = asked(VPC, {"cidrBlock": "10.0.0.0/8"})
    made = add(args)
    assert made is not None
    assert made.props == {"cidrBlock": "10.0.0.0/8", "tags": {"env": "prod"}}
    assert made.opts is args.opts
    assert add(asked(ROUTE, {})) is None


def test_the_table_is_of_this_provider() -> None:
    found = taggable()
    assert VPC in found
    assert ROUTE not in found
    assert all(token.startswith("alicloud:") and token.count(":") == 2 for token in found)

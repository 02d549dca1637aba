"""Stand-ins: what hands a value on gives the same in both shapes; what takes it apart does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.export.tokens import SHAPES, Tokens

EXPRESSION = "alicloud_vpc.main.id"


def resolved(work: Callable[[str], Any]) -> list[Any]:
    found = []
    for shape in SHAPES:
        tokens = Tokens(shape)
        found.append(tokens.resolve(work(tokens.issue(EXPRESSION))))
    return found


@pytest.mark.parametrize(
    ("work", "gives"),
    [
        (lambda known: known, "${alicloud_vpc.main.id}"),
        (lambda known: f"acs:oss:*:*:{known}/*", "acs:oss:*:*:${alicloud_vpc.main.id}/*"),
        (lambda known: json.dumps({"Resource": [known]}), '{"Resource": ["${alicloud_vpc.main.id}"]}'),
        (lambda known: [{"id": known}, 3, None, True], [{"id": "${alicloud_vpc.main.id}"}, 3, None, True]),
        (lambda known: known + known, "${alicloud_vpc.main.id}${alicloud_vpc.main.id}"),
        (lambda known: "${user} %{if}", "$${user} %%{if}"),
    ],
)
def test_what_hands_on(work: Callable[[str], Any], gives: Any) -> None:
    assert resolved(work) == [gives, gives]


@pytest.mark.parametrize(
    "work",
    [
        lambda known: known.split(".")[0],
        lambda known: known.rpartition("-")[2],
        lambda known: known[:8],
        lambda known: known.upper(),
        lambda known: len(known),
        lambda known: base64.b64encode(known.encode()).decode(),
        lambda known: known.split("/")[-1],
        lambda known: known.replace(":", "_"),
        lambda known: "long" if len(known) > 20 else "short",
    ],
)
def test_what_takes_apart(work: Callable[[str], Any]) -> None:
    one, other = resolved(work)
    assert one != other


@given(st.lists(st.text(min_size=1), min_size=2, max_size=4, unique=True), st.text())
def test_any_text_around_any_number_of_them(expressions: list[str], text: str) -> None:
    """And both shapes sort alike, so that a set keeps its order."""
    orders = []
    for shape in SHAPES:
        tokens = Tokens(shape)
        issued = {expression: tokens.issue(expression) for expression in expressions}
        orders.append(sorted(expressions, key=issued.__getitem__))
        joined = text.join(issued.values())
        if not shape.found.search(text):
            escaped = text.replace("${", "$${").replace("%{", "%%{")
            assert tokens.resolve(joined) == escaped.join(f"${{{expression}}}" for expression in expressions)
    assert orders[0] == orders[1]


def test_the_order_of_asking_changes_nothing() -> None:
    names = ["a.id", "b.id", "c.id"]
    shapes = SHAPES[0]
    found = {tuple(sorted((Tokens(shapes).issue(name), name) for name in order)) for order in permutations(names)}
    assert len(found) == 1

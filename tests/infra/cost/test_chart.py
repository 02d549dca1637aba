"""The chart: well-formed, inside its page, true to the sums, and the same bytes for the same estimate."""

from __future__ import annotations

from decimal import Decimal
from xml.etree import ElementTree

from infra import cost
from infra.blueprint.prices import ITEMS, PriceBook
from infra.render.chart import GROUPS, WIDTH, chart, cost_chart
from infra.render.drawing import text_px
from tests.infra.cost.book import FULL, book
from tests.infra.cost.test_estimate import small

FOUND = cost.estimate(small(), book=book(*FULL))


def test_it_is_svg_with_a_title_a_description_and_no_script() -> None:
    text = cost_chart(FOUND)
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg") and "<script" not in text and text == cost_chart(FOUND)
    assert "pay-as-you-go: 236.58 USD" in text


def test_bars_are_as_long_as_they_are_dear_and_stay_on_the_page() -> None:
    drawn = chart(FOUND)
    lengths = {bar.label: sum(part.width for part in bar.segments) for bar in drawn.bars}
    assert lengths["pay-as-you-go"] > lengths["subscription"] > 0
    for bar in drawn.bars:
        assert bar.hatch_x + bar.hatch_px <= WIDTH
        assert text_px(bar.words, "note") < WIDTH - 160
        edges = [part.x for part in bar.segments]
        assert edges == sorted(edges)
        assert all(left.x + left.width == right.x for left, right in zip(bar.segments, bar.segments[1:], strict=False))
    assert drawn.bars[-1].y < drawn.legend_y < drawn.height
    assert all(sign.x + 18 + text_px(sign.words, "note") < WIDTH for sign in drawn.legend)


def test_what_is_unknown_is_hatched_and_nothing_else_is() -> None:
    bare = chart(cost.estimate(small(), book=PriceBook(())))
    assert all(bar.hatch_px and not bar.segments for bar in bare.bars)
    whole = chart(FOUND)
    assert {bar.label: bool(bar.hatch_px) for bar in whole.bars}["pay-as-you-go"] is False


def test_every_item_has_a_colour() -> None:
    names = tuple(name for names in GROUPS.values() for name in names)
    assert all(item.startswith(names) for item in ITEMS)
    assert chart(FOUND).bars[0].words == f"{cost.shown(FOUND.total.known)} USD" and FOUND.total.known > Decimal(0)

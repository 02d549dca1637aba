"""The manual says what the model says."""

from __future__ import annotations

import os

from infra.blueprint.manual import manual
from infra.blueprint.model import Blueprint
from tests.infra.cloud_blueprints import BLUEPRINTS

PAGE = BLUEPRINTS / "KNOBS.md"


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("KAKERA_GOLDEN") == "write":
        PAGE.write_text(manual())
    assert PAGE.read_text() == manual()


def test_every_field_has_a_row_and_a_default() -> None:
    text = manual()
    assert all(f"`{name}`" in text for name in Blueprint.model_fields)
    assert "| `drive_gib` | S 100 · M 1024 · L 4096 | GiB of a disk" in text
    assert "| `protect` | dev false · staging true · prod true |" in text
    assert "| `k` | required |" in text
    assert "(nlb, alb, clb, none)" in text

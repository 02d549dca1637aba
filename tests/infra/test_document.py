"""The tables of blueprints/README.md say what the model and the tables of sizes say."""

from __future__ import annotations

import os
import re

import pytest

from infra.render import document
from tests.infra.cloud_blueprints import BLUEPRINTS, SHIPPED, cloud, shipped

PAGE = BLUEPRINTS / "README.md"
ALL = {name: shipped(name) for name in SHIPPED}
ROOT = BLUEPRINTS.parent


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("KAKERA_GOLDEN") == "write":
        PAGE.write_text(document.filled(PAGE.read_text(), ALL))
    assert PAGE.read_text() == document.filled(PAGE.read_text(), ALL)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_blueprint_has_its_section(name: str) -> None:
    text = PAGE.read_text()
    assert f"\n## {name}\n" in text
    assert f"](pictures/{name}.svg)" in text
    kinds = {kind for kind, of in document.sections(text) if of == name}
    assert kinds == ({"settings", "sizes", "secrets", "left"} if ALL[name].regions else {"settings"})


@pytest.mark.parametrize("page", [PAGE, *sorted((ROOT / "docs/operate").glob("*.md")), ROOT / "README.md"])
def test_links_lead_somewhere(page: object) -> None:
    path = BLUEPRINTS / str(page)
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", path.read_text())
    assert not [target for target in targets if not (path.parent / target).exists()]


def test_sizes_follow_the_tables_and_what_the_file_says() -> None:
    text = document.sizes(cloud(size="M", storage={"drive_gib": 555}))
    assert "| **M** (shipped) |" in text
    assert "| disks | 18 × 555 GiB | 36 × 555 GiB | 144 × 555 GiB |" in text
    assert "| workers a host | 4 | 8 | 16 |" in text


def test_what_is_left_out_has_no_row() -> None:
    assert "database" not in document.sizes(cloud())
    assert "database" in document.sizes(cloud(database={"enabled": True}))
    assert "edge" not in document.settings(cloud())


def test_what_destroy_leaves_counts_what_holds_data() -> None:
    text = document.left(cloud(database={"enabled": True}))
    assert text == "- cn-hangzhou: 18 disks, 2 buckets, the database, the balancer."


def test_only_what_is_generated_changes() -> None:
    page = "# mine\n<!-- generated: settings laptop -->\nold\n<!-- end -->\ntail"
    filled = document.filled(page, ALL)
    assert filled.startswith("# mine\n<!-- generated: settings laptop -->\n| setting |")
    assert filled.endswith("|\n<!-- end -->\ntail")
    assert document.filled(filled, ALL) == filled
    with pytest.raises(KeyError):
        document.filled("<!-- generated: settings nothing -->\n\n<!-- end -->", ALL)

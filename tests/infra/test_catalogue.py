"""The catalogue's files: of one piece, with sources; a bad entry is told with its place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from infra.blueprint import catalogue, quotas, typed
from infra.blueprint.load import BlueprintError
from infra.blueprint.prices import ITEMS, PriceBook, PriceFile
from infra.blueprint.sizes import DATABASES, SIZES

FOLDER = Path(catalogue.__file__).parents[1] / "catalogue"
SOURCE = "sources: {page: {title: t, at: 'https://example.com/p', date: 2026-11-27}}\n"
GOOD = "{item: nlb, regions: [all], per: hour, amount: 0.02, currency: USD, source: page}"


def prices(text: str) -> PriceFile:
    return typed.parse(text, PriceFile, name="prices.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(BlueprintError) as caught:
        prices(text)
    return [str(problem) for problem in caught.value.problems]


def test_every_source_is_used_and_has_an_address() -> None:
    found = catalogue.shipped()
    used = {entry.source for entry in (*found.regions, *found.types, *found.images, *found.prices.prices)}
    used |= {quota.source for quota in quotas.shipped().values() if quota.source}
    assert used | {"oss_ranges"} == set(found.sources)
    assert all(urlsplit(source.at).scheme == "https" for source in found.sources.values())


def test_every_file_is_read_and_named_in_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in FOLDER.glob("*.yaml"))
    assert catalogue.shipped() is catalogue.shipped()


def test_recommendations_and_databases_are_types_that_are_known() -> None:
    found = catalogue.shipped()
    types = [entry.type for entry in found.types]
    assert len(set(types)) == len(types)
    assert {entry.type for entry in found.recommendations} | set(DATABASES.values()) <= set(types)
    for entry in found.recommendations:
        known = found.type(entry.type)
        assert known is not None and known.drives == "cloud"
        assert known.max_disks is None or SIZES[entry.size]["storage"]["drives_per_host"] <= known.max_disks
    assert found.type("ecs.mars") is None


def test_regions_and_recommendations_are_complete() -> None:
    found = catalogue.shipped()
    asked = {(entry.use, entry.size) for entry in found.recommendations}
    assert asked == {(use, size) for use in ("dense", "balanced", "gateway") for size in ("S", "M", "L")}
    assert all(entry.reason for entry in (*found.types, *found.recommendations))
    for region in found.regions:
        assert all(zone.startswith(region.name) for zone in region.zones)
        assert len({zone[-1] for zone in region.zones}) == len(region.zones)
    with pytest.raises(KeyError):
        found.recommend("gateway", "XL")  # type: ignore[arg-type]
    assert found.zones("mars") == found.oss_ranges("mars") == ()


def test_a_machine_has_no_more_workers_than_two_a_processor() -> None:
    found = catalogue.shipped()
    for entry in found.recommendations:
        known = found.type(entry.type)
        assert known is not None and SIZES[entry.size][""]["workers"] <= 2 * known.vcpu


def test_what_a_source_does_not_say_is_unknown() -> None:
    found = catalogue.shipped()
    known = {entry.type: entry for entry in found.types}
    assert known["ecs.g7.large"].network_gbps is None and known["ecs.g7.large"].max_disks is None
    assert known["ecs.c8ine.4xlarge"].network_gbps == 23
    assert known["pg.n2.2c.2m"].drives is None
    assert found.zones("cn-hangzhou", "eci") and found.zones("cn-beijing", "eci") == ()
    assert all(price.amount > 0 for price in found.prices.prices)


def test_the_image_of_a_blueprint_without_one() -> None:
    found = catalogue.shipped()
    assert found.image.startswith("debian_12") and found.image_source in found.sources


@pytest.mark.parametrize(
    ("entry", "place", "message", "hint"),
    [
        (GOOD.replace("0.02", "0"), "2:", "amount: input should be greater than 0", "UNKNOWN"),
        (GOOD.replace("0.02", "-1"), "2:", "amount: input should be greater than 0", "UNKNOWN"),
        (GOOD.replace("0.02", ".nan"), "2:", "amount", "UNKNOWN"),
        (GOOD.replace("nlb", "nib"), "2:", "nothing called 'nib' is charged for", "one of: host"),
        (GOOD.replace("per: hour", "per: use"), "2:", "nlb is not priced per use", "hour or month"),
        (GOOD.replace("}", ", charge: spot}"), "2:", "nlb is not charged by spot", "pay-as-you-go"),
        (GOOD.replace("}", ", term_months: 12}"), "2:", "term_months does not fit", "prepaid"),
        (GOOD.replace("USD", "$"), "2:", "currency", "three letters"),
        (GOOD.replace("page", "hearsay"), "2:", "there is no source 'hearsay'", "sources: page"),
        (GOOD.replace("currency", "curency"), "2:", "unknown field 'curency'", "did you mean 'currency'?"),
        (f"{GOOD}, {GOOD}", "2:", "a second price of nlb", "one is enough"),
    ],
)
def test_a_bad_price_is_told_with_its_place_and_remedy(entry: str, place: str, message: str, hint: str) -> None:
    found = problems(f"{SOURCE}prices: [{entry}]\n")
    text = "\n".join(found)
    assert f"prices.yaml:{place}" in text and message in text and hint in text


def test_all_that_is_wrong_is_told_at_once() -> None:
    entries = f"  - {GOOD.replace('0.02', '0')}\n  - {GOOD.replace('nlb', 'nib')}\n"
    found = problems(f"sources: {{}}\nprices:\n{entries}more: 1\n")
    assert [line.split(":")[1] for line in found] == ["3", "4", "5"]


def test_an_empty_file_holds_nothing_and_a_broken_one_is_told() -> None:
    assert prices("# nothing yet\n") == PriceFile()
    assert "YAML" in problems("prices: [")[0]


def test_the_nearer_price_wins() -> None:
    own = prices(f"{SOURCE}prices: [{GOOD.replace('0.02', '0.5').replace('all', 'cn-hangzhou')}]\n")
    book = PriceBook((own, prices(f"{SOURCE}prices: [{GOOD}]\n")))

    def amount(region: str, currency: str = "USD") -> list[Decimal]:
        found = book.find("nlb", "", region=region, charge="pay-as-you-go", currency=currency)
        return [price.amount for price in found]

    assert amount("cn-hangzhou") == [Decimal("0.5")]
    assert amount("cn-beijing") == [Decimal("0.02")]
    assert amount("cn-hangzhou", "CNY") == []
    assert book.currencies("nlb", "", region="cn-hangzhou", charge="pay-as-you-go") == ("USD",)


@pytest.mark.parametrize(
    "wrong",
    [{"drives": "local"}, {"drives": "cloud", "local_drives": 4}, {"drives": "cloud", "local_drive_gib": 447}],
)
def test_drives_in_a_host_are_counted_and_no_others_are(wrong: dict[str, object]) -> None:
    base = {"type": "ecs.x.large", "vcpu": 2, "memory_gib": 8, "reason": "r", "source": "s"}
    assert catalogue.InstanceType.model_validate({**base, "drives": "local", "local_drives": 4})
    with pytest.raises(ValidationError, match="ecs.x.large: `drives: local` comes with `local_drives`"):
        catalogue.InstanceType.model_validate({**base, **wrong})


def test_where_the_drives_of_a_type_are() -> None:
    known = catalogue.shipped()
    names = ("ecs.i4.2xlarge", "ecs.i2.xlarge", "ecs.ebmi2g.32xlarge", "ecs.g7.large", "ecs.ic5.large", "pg.n2.2c.2m")
    assert [known.drives(name) for name in names] == ["local", "local", "local", "cloud", None, None]
    assert all(found.local_drive_gib for found in known.types if found.drives == "local")


def test_a_catalogue_with_an_entry_of_no_source_is_refused() -> None:
    found = catalogue.shipped()
    with pytest.raises(ValidationError, match="no source 'gone'"):
        catalogue.Catalogue.model_validate({**found.model_dump(), "images": [
            {"name": "default", "id": "x", "system": "y", "source": "gone"}]})


def test_every_item_says_how_it_is_charged() -> None:
    assert all(kind.charges and kind.unit and kind.title for kind in ITEMS.values())

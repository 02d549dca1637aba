"""`catalogue refresh` with Alibaba Cloud's own client, against a small server that answers as its RPC interfaces do."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from infra import cost
from infra.cost import ask, files, questions
from tests.infra.cost.cloud import Cloud, serving
from tests.infra.cost.test_estimate import small

TODAY = datetime.date(2026, 11, 27)
TYPES = ("ecs.g7.large", "pg.n2.2c.2m")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAItest")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")


def asked(cloud: Cloud) -> ask.Answers:
    here = f"127.0.0.1:{cloud.port}"
    call = ask.client(ask.Endpoints(here, here, protocol="http"))
    return ask.ask(call, "cn-hangzhou", TYPES, today=TODAY)


def test_what_the_cloud_states_is_taken_over(account: None) -> None:
    with serving(Cloud()) as cloud:
        answers = asked(cloud)
    found = {(price.item, price.sku, price.charge, price.term_months): price for price in answers.file.prices}
    # The list price of the instance alone: neither its disk nor what this account pays.
    assert found["host", "ecs.g7.large", "pay-as-you-go", None].amount == Decimal("0.1")
    assert found["host", "ecs.g7.large", "subscription", 12].amount == 420
    disk = found["disk", "cloud_essd.PL1", "pay-as-you-go", None]
    assert (disk.amount, disk.quantity, disk.per) == (Decimal("0.4096"), 2048, "hour")
    assert found["database", "pg.n2.2c.2m", "pay-as-you-go", None].amount == Decimal("0.25")
    assert found["internet-traffic", "", "pay-as-you-go", None].per == "use"
    assert answers.facts.zones == ("cn-hangzhou-j", "cn-hangzhou-z")
    assert answers.facts.image == "debian_12_6_x64_20G_alibase_20260101.vhd"
    local = next(one for one in answers.facts.types if one["type"] == "ecs.d3s.2xlarge")
    assert (local["drives"], local["local_drives"], local["local_drive_gib"]) == ("local", 4, 11_100)


def test_what_it_does_not_price_is_told_and_stays_unknown(account: None) -> None:
    with serving(Cloud()) as cloud:
        answers = asked(cloud)
    assert answers.refused == (
        "database pg.n2.2c.2m subscription: PRICE.PRICING_PLAN_RESULT_NOT_FOUND: no such plan",
    )


def test_every_call_is_signed_and_only_asks(account: None) -> None:
    with serving(Cloud()) as cloud:
        asked(cloud)
    assert all(query["Authorized"] == "True" for query in cloud.seen)
    assert {query["Action"] for query in cloud.seen} == {
        "DescribeZones", "DescribeImages", "DescribeInstanceTypes", "DescribePrice", "GetPayAsYouGoPrice",
        "GetSubscriptionPrice",
    }  # fmt: skip


def test_a_refused_question_does_not_stop_the_others(account: None) -> None:
    with serving(Cloud(refuses=frozenset({"DescribeZones", "DescribePrice"}))) as cloud:
        answers = asked(cloud)
    assert {price.item for price in answers.file.prices} == {"database", "internet-traffic", "public-address"}
    assert any(line.startswith("DescribeZones: Forbidden.RAM") for line in answers.refused)
    assert answers.facts.zones == ()


def test_nobody_answers(account: None) -> None:
    with serving(Cloud()) as cloud:
        pass
    with pytest.raises(ask.AskError, match="nobody answers"):
        asked(cloud)


def test_the_file_is_read_back_and_makes_the_cost_known(account: None, tmp_path: Path) -> None:
    with serving(Cloud()) as cloud:
        answers = asked(cloud)
    (tmp_path / "prices.cn-hangzhou.yaml").write_text(files.asked_text("cn-hangzhou", answers.file, answers.facts))
    book = files.book(tmp_path / "acme-dev.yaml")
    assert book.files[0] == answers.file
    known = {line.demand.item for line in cost.estimate(small(), book=book).base if line.month is not None}
    assert {"host", "disk", "public-address", "internet-traffic"} <= known


def test_without_the_package_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials: see test_cli, for the client reads the environment once, when it is imported."""
    monkeypatch.setitem(sys.modules, "alibabacloud_tea_openapi", None)
    with pytest.raises(ask.AskError, match=r"pip install 'kakera\[catalogue\]'"):
        ask.client(ask.Endpoints.of("cn-hangzhou", site="china"))


def test_the_two_sites_have_price_lists_of_their_own() -> None:
    sites = {site: ask.Endpoints.of("cn-hangzhou", site=site).host("bss") for site in ("china", "international")}
    assert sites == {"china": "business.aliyuncs.com", "international": "business.ap-southeast-1.aliyuncs.com"}
    assert ask.Endpoints.of("cn-hangzhou", site="china").host("ecs") == "ecs.cn-hangzhou.aliyuncs.com"


@pytest.mark.parametrize("reply", [{}, {"PriceInfo": 5}, {"PriceInfo": {"Price": []}}])
def test_a_reply_of_another_shape_is_no_price(reply: dict[str, object]) -> None:
    question = next(iter(questions.prices("cn-hangzhou", ("ecs.g7.large",))))
    with pytest.raises(questions.ReplyError):
        questions.read_prices(question, reply, region="cn-hangzhou", source="asked")


@pytest.mark.parametrize("amount", [0, None, "n/a", -1])
def test_nothing_is_never_a_price(amount: object) -> None:
    question = next(iter(questions.prices("cn-hangzhou", ("ecs.g7.large",))))
    details = {"DetailInfo": [{"Resource": "instanceType", "OriginalPrice": amount}]}
    reply = {"PriceInfo": {"Price": {"Currency": "USD", "OriginalPrice": 1, "DetailInfos": details}}}
    assert questions.read_prices(question, reply, region="cn-hangzhou", source="asked") == ()

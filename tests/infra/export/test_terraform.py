"""Terraform's names and arguments."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.export.terraform import address, arguments, variable, word
from infra.rehearsal.metadata import Kind, Property

TEXT = Property(kind=Kind.STRING, optional=True)
BLOCK = Property(
    kind=Kind.OBJECT,
    optional=True,
    terraform="health_check",
    fields={"checkPort": Property(kind=Kind.INT, optional=True, terraform="check_port")},
)
KNOWN = {
    "vpcId": Property(kind=Kind.STRING, required=True, terraform="vpc_id"),
    "ports": Property(kind=Kind.LIST, optional=True, terraform="port", element=Property(kind=Kind.INT)),
    "labels": Property(kind=Kind.MAP, optional=True, terraform="labels", element=TEXT),
    "healthCheck": BLOCK,
    "rules": Property(kind=Kind.SET, optional=True, terraform="rule", element=BLOCK),
}


@given(st.text(min_size=1))
def test_a_word_is_an_identifier(name: str) -> None:
    assert re.fullmatch(r"[^\W\d][\w-]*", word(name), re.ASCII)
    assert word(word(name)) == word(name)


def test_names() -> None:
    assert address("alicloud_vpc", "acme-dev.vpc") == "alicloud_vpc.acme-dev_vpc"
    assert (word("3az"), variable("tunnel-psk")) == ("_3az", "tunnel_psk")


def test_arguments_have_their_names_and_blocks_are_lists() -> None:
    given_ = {
        "vpcId": "vpc",
        "ports": [80.0, 443.0],
        "labels": {"checkPort": "a"},
        "healthCheck": {"checkPort": 9080.0},
        "rules": [{"checkPort": 1.0}, {"checkPort": None}],
        "__internal": "x",
    }
    assert arguments(given_, KNOWN, "x") == {
        "vpc_id": "vpc",
        "port": [80, 443],
        "labels": {"checkPort": "a"},
        "health_check": [{"check_port": 9080}],
        "rule": [{"check_port": 1}, {}],
    }


def test_an_argument_that_the_provider_lacks_is_named() -> None:
    with pytest.raises(KeyError, match=r"disk\.rules\.chekPort"):
        arguments({"rules": [{"chekPort": 1}]}, KNOWN, "disk")

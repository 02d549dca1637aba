"""Expansion: nothing that exists is moved by what is added, and the Plan is the same bytes for the same blueprint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.blueprint import plan as plans
from infra.blueprint.expand import expand, override
from infra.blueprint.model import Blueprint, HostSpec

words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
hosts = st.builds(HostSpec, name=words, zone=words, drives=st.integers(1, 12))
blueprints = st.builds(
    Blueprint,
    blueprint=words,
    summary=st.just("generated"),
    k=st.integers(1, 12),
    m=st.integers(0, 4),
    survive=st.sampled_from(["drive", "host", "zone"]),
    port=st.integers(1, 65_535),
    accounts=st.lists(words, min_size=1, max_size=3, unique=True).map(tuple),
    hosts=st.lists(hosts, min_size=1, max_size=5, unique_by=lambda host: host.name).map(tuple),
)


@given(blueprints)
def test_the_same_blueprint_gives_the_same_plan_and_it_survives_json(blueprint: Blueprint) -> None:
    plan = expand(blueprint)
    assert plans.dump(plan) == plans.dump(expand(blueprint))
    assert plans.parse(plans.dump(plan)) == plan
    assert plans.diff(plan, plan) == ""


@given(blueprints, st.randoms())
def test_the_order_of_hosts_does_not_matter(blueprint: Blueprint, random: object) -> None:
    shuffled = list(blueprint.hosts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert expand(blueprint.model_copy(update={"hosts": tuple(shuffled)})) == expand(blueprint)


@given(blueprints, st.data(), st.integers(1, 5))
def test_adding_drives_moves_nothing(blueprint: Blueprint, data: st.DataObject, added: int) -> None:
    grown = data.draw(st.sampled_from(blueprint.hosts))
    more = tuple(
        host.model_copy(update={"drives": host.drives + added}) if host is grown else host for host in blueprint.hosts
    )
    before, after = expand(blueprint), expand(blueprint.model_copy(update={"hosts": more}))
    for old in before.hosts:
        new = after.host(old.name)
        assert new.drives[: len(old.drives)] == old.drives
        assert new.model_copy(update={"drives": old.drives}) == old
        assert len(new.drives) == len(old.drives) + (added if old.name == grown.name else 0)


@given(blueprints, hosts)
def test_adding_a_host_moves_nothing(blueprint: Blueprint, new: HostSpec) -> None:
    if new.name in {host.name for host in blueprint.hosts}:
        return
    before = expand(blueprint)
    after = expand(blueprint.model_copy(update={"hosts": (new, *blueprint.hosts)}))
    assert tuple(host for host in after.hosts if host.name != new.name) == before.hosts


@given(blueprints)
def test_names_and_paths_are_unique_and_inside_the_data_root(blueprint: Blueprint) -> None:
    plan = expand(blueprint)
    names = [drive.name for host in plan.hosts for drive in host.drives]
    assert len(set(names)) == len(names)
    for host in plan.hosts:
        paths = [host.state_path, *(drive.path for drive in host.drives), *(a.credentials_path for a in plan.accounts)]
        assert len(set(paths)) == len(paths)
        assert not [path for path in paths if path.startswith("/") or ".." in path]


@pytest.mark.parametrize(
    ("survive", "domains"), [("drive", ["a-1", "a-2"]), ("host", ["a", "a"]), ("zone", ["z", "z"])]
)
def test_domains_follow_what_is_to_be_survived(survive: str, domains: list[str]) -> None:
    blueprint = Blueprint.model_validate(
        {
            "blueprint": "x",
            "summary": "x",
            "k": 2,
            "m": 1,
            "survive": survive,
            "accounts": ["main"],
            "hosts": [{"name": "a", "zone": "z", "drives": 2}],
        }
    )
    assert [drive.domain for drive in expand(blueprint).hosts[0].drives] == domains


@given(blueprints)
def test_override(blueprint: Blueprint) -> None:
    assert override(blueprint) == blueprint
    changed = override(blueprint, port=1234, workers=7)
    assert (changed.port, changed.workers) == (1234, 7)
    with pytest.raises(ValidationError):
        override(blueprint, port=0)


def test_a_plan_of_another_format_is_not_read() -> None:
    with pytest.raises(ValidationError):
        plans.parse('{"format": 1}')

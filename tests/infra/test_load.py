"""A blueprint file is read strictly, and everything wrong with it is told at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.blueprint.load import BlueprintError, Problem, load, parse

GOOD = """\
blueprint: small
summary: three folders
k: 2
m: 1
accounts: [main]
hosts:
  - name: one
    zone: here
    drives: 3
"""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(BlueprintError) as caught:
        parse(text, name="x.yaml")
    return caught.value.problems


def test_smallest() -> None:
    blueprint = parse(GOOD, name="x.yaml")
    assert (blueprint.k, blueprint.m, blueprint.port, blueprint.survive) == (2, 1, 9000, "drive")
    assert blueprint.hosts[0].drives == 3


def test_all_findings_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("k: 2", 'k: "2"').replace("m: 1", "mm: 1").replace("zone: here", "zoen: here") + "prot: 1\n"
    found = problems(text)
    places = [(problem.line, problem.column, problem.message) for problem in found]
    assert places == [
        (1, 1, "field 'm' is missing"),
        (3, 4, "k: a whole number is expected here"),
        (4, 1, "unknown field 'mm'"),
        (7, 5, "field 'hosts[0].zone' is missing"),
        (8, 5, "unknown field 'zoen'"),
        (10, 1, "unknown field 'prot'"),
    ]
    assert found[2].hint == "did you mean 'm'?"
    assert found[4].hint == "did you mean 'zone'?"
    assert found[5].hint == "did you mean 'port'?"


def test_a_finding_shows_the_text_and_points_at_it() -> None:
    (found,) = problems(GOOD.replace("drives: 3", "drives: many"))
    assert str(found).splitlines() == [
        "x.yaml:9:13: hosts[0].drives: a whole number is expected here",
        "        drives: many",
        "                ^",
        "    hint: how many drives (folders on a laptop)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("k: 2", "k: true", 3, 4, "k: a whole number"),
        ("k: 2", "k: 2.0", 3, 4, "k: a whole number"),
        ("k: 2", "k:", 3, 1, "k: a whole number"),
        ("summary: three folders", "summary: 5", 2, 10, "summary: text is expected"),
        ("accounts: [main]", "accounts: [main, alt, main]", 5, 23, "accounts[2]: 'main' is there twice"),
        ("accounts: [main]", "accounts: []", 5, 11, "accounts: at least one"),
        ("accounts: [main]", "accounts: main", 5, 11, "accounts: a list is expected"),
        ("name: one", "name: ../x", 7, 11, "hosts[0].name: string should match"),
        ("k: 2", "k: 2\nk: 3", 4, 1, 'found duplicate key "k"'),
        ("k: 2", "k: [", 5, 9, "YAML:"),
        ("k: 2", "\tk: 2", 3, 1, "YAML:"),
        ("k: 2", "k: 2\nport: 0", 4, 7, "port: input should be greater"),
        ("k: 2", "k: 2\nsurvive: rack", 4, 10, "survive: input should be 'drive', 'host' or 'zone'"),
        ("k: 2", "k: 2\nwaivers: [{check: x, reason: short, until: 2026-02-01}]", 4, 30, "waivers[0].reason"),
    ],
)
def test_places(old: str, new: str, line: int, column: int, message: str) -> None:
    found = problems(GOOD.replace(old, new, 1))
    assert any((p.line, p.column) == (line, column) and p.message.startswith(message) for p in found), found


def test_hosts_that_are_all_wrong_are_not_also_too_few() -> None:
    assert not [p for p in problems(GOOD.replace("drives: 3", "drives: many")) if "at least one" in p.message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no blueprint"),
        ("- 1", "no blueprint"),
        ("a: 2026-13-01", "cannot be"),
        ("a: \x01", "no YAML"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a: &a [1,1,1,1,1,1,1,1]\n" + "".join(
            f"{name}: &{name} [*{last},*{last},*{last},*{last},*{last},*{last}]\n"
            for last, name in zip("abcdefgh", "bcdefghi", strict=True)), "unfolds"),
    ],
)
def test_hostile_files(text: str, message: str) -> None:
    (found,) = problems(text)
    assert message in found.message


def test_unreadable_files(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.yaml", "cannot be read"), (tmp_path, "cannot be read")):
        with pytest.raises(BlueprintError, match=message):
            load(path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(BlueprintError, match="not UTF-8"):
        load(binary)
    binary.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(BlueprintError, match="larger than"):
        load(binary)


@given(st.text(alphabet="abk: -[]{}&*!|>'\"#\n\t0123,?%@", max_size=60))
def test_any_text_is_refused_with_a_place(text: str) -> None:
    for problem in problems(text):
        assert problem.line >= 1
        assert problem.column >= 1


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_one_changed_character_is_read_or_refused(position: int, character: str) -> None:
    try:
        parse(GOOD[:position] + character + GOOD[position + 1 :], name="x.yaml")
    except BlueprintError as error:
        assert error.problems

"""The protocol keeps its promises within the bounds, and every rule is needed: without it a promise breaks.

Here: small bounds, and stored counterexamples walked step by step. KAKERA_FULL=1: everything is explored.
"""

from __future__ import annotations

import os

import pytest

from tests.model import runs
from tests.model.__main__ import chosen, main
from tests.model.runs import MUTANTS, WIDES, Mutant, Wide

FULL = os.environ.get("KAKERA_FULL") == "1"

# Found again by search in less than two seconds each; the others are walked only.
QUICK_MUTANTS = {
    "reads_wait", "mark_floor", "opening", "doubt_stops", "ids_kept", "ack_all", "ends_at", "refuse_late", "start_rule",
    "batch_seen", "clean_batch", "damage_counts", "ro_hides", "ro_stops", "ro_quiet", "ro_valid",
}  # fmt: skip
QUICK_WIDES = [
    *(wide.name for wide in WIDES if wide.name.startswith("small, ")),
    "n=4, 1+1 in batches of two: kill",
    "damage, n=4, two commands: kill, power cut, cleaning",
    "damage, n=4, read-only, one command: kill, power cut",
    "bodies, PUT of two chunks: kill, power cut, failed sync, drop",
    "bodies, PUT and PUT: kill, 2 drops, batches of two",
    "bodies, PUT and DEL: kill, power cut, move, drop, batches of two",
    "bodies, PUT and DEL: kill, move, 2 drops, a streaming read",
    "bodies, PUT and DEL: 2 kills, 2 punches, a streaming read, batches of two",
]


def _name(case: Mutant | Wide) -> str:
    return f"{case.model}-{case.rule}" if isinstance(case, Mutant) else f"{case.model}: {case.name}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_each_stored_counterexample_breaks_a_promise_and_only_without_its_rule(mutant: Mutant) -> None:
    steps = runs.labels(mutant.path.read_text())
    model = runs.MODELS[mutant.model]
    assert steps, "python -m tests.model record"
    assert runs.walk(model, mutant.configurations(), steps)
    assert runs.walk(model, mutant.configurations(removed=False), steps) is None


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if FULL or m.model == "bulk" or m.rule in QUICK_MUTANTS], ids=_name
)
def test_search_misses_each_rule(mutant: Mutant) -> None:
    result = runs.total(mutant.model, mutant.configurations())
    assert result.shortest, f"{result.states} states and nothing broke: not needed, or not by this plan"


@pytest.mark.parametrize("wide", [w for w in WIDES if FULL or w.name in QUICK_WIDES], ids=_name)
def test_nothing_breaks(wide: Wide) -> None:
    result = runs.total(wide.model, wide.plan())
    assert result.shortest is None, "\n".join(runs.render(result.shortest))
    assert not result.cut_short


def test_the_lists_are_whole() -> None:
    """Every rule has a plan, every stored counterexample a rule, every quick name a plan."""
    assert {(m.model, m.rule) for m in MUTANTS} == {(m.model, rule) for m in MUTANTS for rule in m.whole._fields}
    assert {path.name for path in runs.STORED.glob("*.txt")} == {m.path.name for m in MUTANTS}
    assert set(QUICK_WIDES) <= {w.name for w in WIDES}


def test_names_choose() -> None:
    assert [len(x) for x in chosen([])] == [len(MUTANTS), len(WIDES)]
    assert {m.hole for m in chosen(["holes"])[0]} == {True}
    assert [m.rule for m in chosen(["opening"])[0]] == ["opening"]


def test_the_command_line_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opening"]) == 0
    out = capsys.readouterr().out
    assert "R1: acked on fewer than k+1 durable strands" in out and out.endswith(" s\n")

"""The rehearsal and the real provider on the same changes: what is updated in place, and what is replaced.

Every type that a blueprint or an option uses, its resource as it stands in a state, and each argument changed, taken
away or added alone; the real one is asked in one `terraform plan`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from infra.export import terraform
from infra.rehearsal import computed
from infra.rehearsal.change import changes
from infra.rehearsal.check import check
from infra.rehearsal.metadata import Metadata, Resource
from infra.rehearsal.wire import Value, Values, plain
from tests.provider import explained
from tests.provider.explained import Difference
from tests.provider.mutants import Mutant
from tests.provider.planned import Asked, Said, ask, standing
from tests.provider.test_differential import REFERENCE, as_told, used
from tests.provider.variants import AS_IT_IS, variants
from tools.provider import served
from tools.provider.judge import Judge

PAGE: Final = Path(__file__).parents[2] / "docs" / "compat" / "provider-changes.md"
REGION: Final = "cn-hangzhou"
ANSWERED: Final = 0.97  # of all; the others are values of which only the provider knows that they are wrong
SWITCH: Final = "alicloud:vpc/switch:Switch"
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One argument changed alone. `does`: what the rehearsal says it does."""

    token: str
    mutant: Mutant
    does: str


def _known(value: Any) -> Any:
    """As it is told once everything is known, with a text of its own for what each other resource says."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda found: f"known-{zlib.crc32(found[0].encode()):08x}", value)
    if isinstance(value, Mapping):
        return {name: _known(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_known(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _made(known: Resource, inputs: Mapping[str, Value]) -> Values:
    """The state as the rehearsal's cloud makes it."""
    subject = computed.Subject(REGION, known.token, computed.identity(REGION, known.token, "urn", 1), inputs)
    return computed.created(known, subject)


def _cases(known: Resource, inputs: Inputs) -> Iterator[Case]:
    """Those that the rehearsal takes."""
    state = _made(known, inputs)
    for mutant in variants(known.properties, inputs):
        told = as_told(mutant.inputs)
        if not check(known, told):
            yield Case(known.token, mutant, _does(known, state, told))


def _does(known: Resource, state: Values, told: Values) -> str:
    found = changes(known, state, told)
    return "replace" if any(one.replaces for one in found) else "update" if found else "none"


def _resource(metadata: Metadata, token: str) -> Resource:
    found = metadata.resource(token)
    assert found is not None
    return found


def _asked(
    judge: Judge, metadata: Metadata, folder: Path, bases: Mapping[str, Inputs]
) -> tuple[list[Case], Mapping[int, Said]]:
    """Every case, and what the provider says of it by its place; without what it refuses."""
    states = _states(judge, metadata, folder / "bases", bases)
    cases = [case for token, inputs in sorted(bases.items()) for case in _cases(_resource(metadata, token), inputs)]
    asked = [Asked(case.token, case.mutant.inputs, states[case.token]) for case in cases]
    return cases, ask(judge, metadata, folder / "changes", asked)


def _states(
    judge: Judge, metadata: Metadata, folder: Path, bases: Mapping[str, Inputs]
) -> dict[str, Mapping[str, Any]]:
    """Token -> its resource as Terraform would have it in a state: what a plan of its creation says; where that waits
    for the cloud, what the rehearsal's cloud says."""
    tokens = sorted(bases)
    planned = ask(judge, metadata, folder, [Asked(token, bases[token]) for token in tokens])
    assert len(planned) == len(tokens)
    blocks = served.schemas(judge.folder, judge.prefix)
    found: dict[str, Mapping[str, Any]] = {}
    for number, said in planned.items():
        known = _resource(metadata, tokens[number])
        ours = terraform.arguments(_opened(_made(known, bases[known.token])), known.properties, "")
        found[known.token] = standing(blocks[known.terraform], said.after, ours) | {"id": "known-1"}
    return found


def _opened(values: Values) -> dict[str, Value]:
    return {name: plain(value) for name, value in values.items()}


def _differences(cases: list[Case], told: Mapping[int, Said]) -> list[Difference]:
    return [
        Difference(case.token, case.mutant.path, case.mutant.kind, case.does, said.does)
        for case, said in ((cases[number], said) for number, said in sorted(told.items()))
        if case.does != said.does
    ]


def test_both_replace_the_same(judge: Judge, metadata: Metadata, tmp_path: Path) -> None:
    """What the provider replaces, the rehearsal replaces; every other difference is explained (PAGE)."""
    bases = {token: _known(resource.inputs) for token, resource in used(metadata).items()}
    cases, told = _asked(judge, metadata, tmp_path, bases)
    assert len(cases) > 2500
    assert len(told) >= ANSWERED * len(cases)
    assert {told[n].does for n, case in enumerate(cases) if case.mutant.kind == AS_IT_IS} == {"none"}
    found, reasons = _differences(cases, told), explained.read()
    assert [str(each) for each in found if each.dangerous] == []
    assert explained.unexplained(found, reasons) == []
    assert explained.idle(found, reasons) == []
    if os.environ.get("KAKERA_GOLDEN") == "write":
        PAGE.write_text(explained.page(found, reasons))
    assert PAGE.read_text() == explained.page(found, reasons)


def test_a_wrong_flag_is_found(judge: Judge, metadata: Metadata, tmp_path: Path) -> None:
    """Else all of the above would prove nothing."""
    inputs = {"vpcId": "known-1", "cidrBlock": "10.0.1.0/24", "zoneId": "z", "vswitchName": "one", "description": "two"}
    cases, told = _asked(judge, metadata, tmp_path, {SWITCH: inputs})
    assert len(told) == len(cases) and _differences(cases, told) == []
    known = _resource(metadata, SWITCH)
    for name, dangerous in (("cidrBlock", True), ("vswitchName", False)):
        flag = replace(known.properties[name], replaces=not known.properties[name].replaces)
        wrong = replace(known, properties={**known.properties, name: flag})
        says = [_does(wrong, _made(known, inputs), as_told(case.mutant.inputs)) for case in cases]
        found = _differences([replace(case, does=does) for case, does in zip(cases, says, strict=True)], told)
        assert {(each.argument, each.dangerous) for each in found} == {(name, dangerous)}
        assert explained.unexplained(found, {}) != [] and explained.idle([], {(SWITCH, name): "why"}) != []

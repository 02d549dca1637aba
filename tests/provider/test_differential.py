"""The rehearsal and the real provider on the same arguments: right ones, and each made wrong in one place.

Every type that a blueprint or an option uses; the real one is asked in one `terraform validate`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from infra.export import configuration, terraform
from infra.export.monitor import Registered
from infra.export.tokens import SHAPES, Tokens
from infra.rehearsal.check import check
from infra.rehearsal.metadata import Kind, Metadata, Property
from infra.rehearsal.wire import UNKNOWN
from tests.engine.test_options import OPTIONS
from tests.provider.mutants import STRANGE, Mutant, mutants
from tests.provider.test_blueprints import IN_THE_CLOUD, plan_of, written
from tools.provider.judge import Judge

REFERENCE: Final = re.compile(r"(?<!\$)\$\{[^}]*\}")
# One resource of Terraform's own stands for all others: of any type, and not known yet.
SHARED: Final = {
    "terraform": {"required_providers": {"alicloud": {"source": terraform.SOURCE}}},
    "provider": {"alicloud": [{"alias": "judged", "region": "cn-hangzhou"}]},
    "resource": {"terraform_data": {"any": {}}},
}
KNOWN: Final = "known-1"
NOT_KNOWN: Final = "${terraform_data.any.output}"


@dataclass(frozen=True)
class Case:
    """One resource with its arguments, wrong in at most one place. `refused`: by the rehearsal."""

    token: str
    mutant: Mutant
    refused: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.token} {self.mutant.path}: {self.mutant.kind}"


def _plans() -> Iterator[Any]:
    yield from (plan_of(path.read_text(), {"protect": True}) for path in IN_THE_CLOUD)
    yield from (plan_of(option.blueprint, option.settings) for option in OPTIONS.values())


def used(metadata: Metadata) -> dict[str, Registered]:
    """Token -> the resource of it that gives most arguments."""
    found: dict[str, Registered] = {}
    for plan in _plans():
        for part in configuration.run(plan, configuration.names(plan), Tokens(SHAPES[0]), metadata):
            for resource in part.resources:
                if resource.type not in found or len(resource.inputs) > len(found[resource.type].inputs):
                    found[resource.type] = resource
    return found


def as_told(value: Any) -> Any:
    """As the engine tells a provider at preview: what another resource will say is not known yet."""
    if isinstance(value, str):
        return UNKNOWN if "${" in value.replace("$${", "") else value
    if isinstance(value, Mapping):
        return {name: as_told(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [as_told(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _cases(metadata: Metadata) -> Iterator[Case]:
    for token, resource in sorted(used(metadata).items()):
        known = metadata.resource(token)
        assert known is not None
        for mutant in mutants(known.properties, resource.inputs):
            failures = check(known, as_told(mutant.inputs))
            yield Case(token, mutant, tuple(f"{one.path}: {one.reason}" for one in failures))


def _and_strange(properties: Mapping[str, Property]) -> dict[str, Property]:
    """With the argument that no resource has, at every depth."""

    def inside(found: Property) -> Property:
        element = inside(found.element) if found.element else None
        fields = _and_strange(found.fields) if found.kind is Kind.OBJECT else found.fields
        return replace(found, element=element, fields=fields)

    strange = Property(kind=Kind.STRING, terraform="no_such_thing")
    return {STRANGE: strange, **{name: inside(found) for name, found in properties.items()}}


def content(token: str, inputs: Mapping[str, Any], number: int, metadata: Metadata) -> str:
    """One resource as Terraform is given it."""
    known = metadata.resource(token)
    assert known is not None
    made = terraform.arguments(inputs, _and_strange(known.properties), "")
    return json.dumps({"resource": {known.terraform: {f"m{number}": {**made, "provider": "alicloud.judged"}}}})


def test_both_refuse_the_same(judge: Judge, metadata: Metadata, tmp_path: Path) -> None:
    """What the rehearsal takes, the provider takes; what it refuses at preview, the provider refuses at the latest when
    all is known (docs/compat/provider.md)."""
    cases = list(_cases(metadata))
    assert len(cases) > 1000
    assert {bool(case.refused) for case in cases if case.mutant.kind == "as it was"} == {False}
    lax, strict = _differ(judge, metadata, tmp_path / "preview", cases, NOT_KNOWN)
    assert lax == []
    assert {case.mutant.kind for case, _ in strict} <= {"output", "range", "value"}
    lax, strict = _differ(judge, metadata, tmp_path / "known", [case for case, _ in strict], KNOWN)
    assert (lax, strict) == ([], [])


def _differ(
    judge: Judge, metadata: Metadata, folder: Path, cases: list[Case], reference: str
) -> tuple[list[tuple[Case, str]], list[tuple[Case, str]]]:
    """What the provider alone refuses, with what it says; and what the rehearsal alone does."""
    folder.mkdir()
    files = {
        f"m{number}.tf.json": REFERENCE.sub(reference, content(case.token, case.mutant.inputs, number, metadata))
        for number, case in enumerate(cases)
    }
    written({**files, "shared.tf.json": json.dumps(SHARED)}, folder)
    said: dict[str, str] = {}
    for found in judge.validate(folder):
        said.setdefault(found.file, found.text)
    told = [(case, said.get(f"m{number}.tf.json", "")) for number, case in enumerate(cases)]
    lax = [(case, text) for case, text in told if text and not case.refused]
    return lax, [(case, text) for case, text in told if case.refused and not text]

"""What the provider says of resources that are in a state already, or not yet: one `terraform plan` of them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from infra.rehearsal.metadata import Metadata
from tests.provider.test_blueprints import written
from tests.provider.test_differential import SHARED, content
from tools.provider.judge import Judge, NotJudged

ROUNDS: Final = 8  # each leaves out what the provider refuses to plan
ACTIONS: Final = {("no-op",): "none", ("update",): "update", ("delete", "create"): "replace", ("create",): "create"}
ZERO: Final[Mapping[str, Any]] = {"string": "", "number": 0, "bool": False}


@dataclass(frozen=True)
class Asked:
    """One resource as it is to be. `state`: as Terraform has it; None of one that is to be made."""

    token: str
    inputs: Mapping[str, Any]
    state: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Said:
    """`does`: none, update, replace or create. `where`: the attributes that differ; those with `!` replace."""

    does: str
    where: tuple[str, ...]
    after: Mapping[str, Any]


def ask(judge: Judge, metadata: Metadata, folder: Path, asked: Sequence[Asked]) -> dict[int, Said]:
    """By its place among those asked; without what the provider refuses."""
    folder.mkdir()
    files = {f"m{n}.tf.json": content(each.token, each.inputs, n, metadata) for n, each in enumerate(asked)}
    written({**files, "shared.tf.json": json.dumps(SHARED)}, folder)
    _drop(folder, frozenset(found.file for found in judge.validate(folder)))
    for _ in range(ROUNDS):
        there = {n: each for n, each in enumerate(asked) if (folder / f"m{n}.tf.json").exists()}
        (folder / "terraform.tfstate").write_text(json.dumps(_state(there, metadata)))
        try:
            planned = judge.plan(folder, {})
        except NotJudged as refused:
            # One that it breaks down over would take all others with it.
            assert refused.files and "plugin crashed" not in str(refused), str(refused)
            _drop(folder, refused.files)
            continue
        told = {each["name"]: each["change"] for each in planned["resource_changes"]}
        return {n: _said(told[f"m{n}"]) for n in there}
    raise AssertionError(f"still refused after {ROUNDS} rounds")


def _said(change: Mapping[str, Any]) -> Said:
    before, after = change["before"] or {}, change["after"]
    unknown, replaces = change["after_unknown"], {path[0] for path in change.get("replace_paths", ())}
    differ = [name for name in {*after, *unknown} if _any(unknown.get(name)) or before.get(name) != after.get(name)]
    where = tuple(sorted(f"{name}!" if name in replaces else name for name in differ))
    # Terraform calls it an update too when it is to hide what this state did not say is hidden.
    return Said(ACTIONS[tuple(change["actions"])] if where else "none", where, after)


def _any(unknown: Any) -> bool:
    """Whether anything in it is to be known only later."""
    if isinstance(unknown, (dict, list)):
        return any(_any(each) for each in (unknown.values() if isinstance(unknown, dict) else unknown))
    return bool(unknown)


def _drop(folder: Path, files: frozenset[str]) -> None:
    for file in files - {""}:
        (folder / file).unlink(missing_ok=True)


def _state(there: Mapping[int, Asked], metadata: Metadata) -> Mapping[str, Any]:
    resources = []
    for number, each in there.items():
        if each.state is None:
            continue
        known = metadata.resource(each.token)
        assert known is not None
        resources.append(
            {
                "mode": "managed", "type": known.terraform, "name": f"m{number}",
                "provider": 'provider["registry.terraform.io/aliyun/alicloud"].judged',
                "instances": [{"schema_version": 0, "attributes": dict(each.state)}],
            }
        )  # fmt: skip
    return {"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "judged", "resources": resources}


def standing(block: Mapping[str, Any], planned: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """A resource as it stands in a state: what was planned of it, and where that was left open, ours.

    A list that is not there is one of which the length is not known: the provider would plan to find it out.
    """
    made = {
        name: next((each for each in (planned.get(name), ours.get(name)) if each is not None), _nothing(found["type"]))
        for name, found in block.get("attributes", {}).items()
    }
    for name, nested in block.get("block_types", {}).items():
        theirs, own = planned.get(name) or (), ours.get(name) or ()
        if nested["nesting_mode"] == "list":
            nothing: Mapping[str, Any] = {}
            both = zip_longest(theirs, own, fillvalue=nothing)
            made[name] = [standing(nested["block"], one, other) for one, other in both]
        elif nested["nesting_mode"] == "set":
            made[name] = [_in_a_set(nested["block"], each) for each in theirs or own]
    return made  # and without the time that each operation may take, a block of Terraform's own


def _in_a_set(block: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """An element is told apart by all it holds, and nothing counts there as its zero."""
    made = standing(block, planned, {})
    for name, found in block.get("attributes", {}).items():
        if made[name] is None:
            made[name] = ZERO.get(found["type"]) if isinstance(found["type"], str) else None
    return made


def _nothing(kind: Any) -> Any:
    return [] if isinstance(kind, list) and kind[0] in ("list", "set") else None

"""A configuration as outsiders' rules read it: what the provider splits off a bucket stands in the bucket again. Pure.

Their rules are from before the split; our program uses the split resources, for the provider deprecates the arguments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

Resources = Mapping[str, Mapping[str, Mapping[str, Any]]]  # type -> name -> arguments
BUCKET: Final = "alicloud_oss_bucket"


def _versioning(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"versioning": [{"status": found["status"]}]}


def _encryption(found: Mapping[str, Any]) -> dict[str, Any]:
    rule = {"sse_algorithm": found["sse_algorithm"], "kms_master_key_id": found.get("kms_master_key_id")}
    return {"server_side_encryption_rule": [{name: value for name, value in rule.items() if value}]}


def _logging(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"logging": [{name: found[name] for name in ("target_bucket", "target_prefix")}]}


def _policy(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"policy": json.dumps(_single(json.loads(found["policy"])))}


def _acl(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"acl": found["acl"]}


SPLIT: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "alicloud_oss_bucket_versioning": _versioning,
    "alicloud_oss_bucket_server_side_encryption": _encryption,
    "alicloud_oss_bucket_logging": _logging,
    "alicloud_oss_bucket_policy": _policy,
    "alicloud_oss_bucket_acl": _acl,
}


def folded(resources: Resources) -> dict[str, dict[str, dict[str, Any]]]:
    """Each bucket with what was split off it; everything else as it is."""
    made = {kind: {name: dict(found) for name, found in each.items()} for kind, each in resources.items()}
    by_name = {found["bucket"]: found for found in made.get(BUCKET, {}).values()}
    for kind, fold in SPLIT.items():
        for found in made.pop(kind, {}).values():
            by_name[found["bucket"]].update(fold(found))
    return made


def _single(document: Any) -> Any:
    """A policy's list of one value is that value, as its grammar has it; some rules know the value alone."""
    if isinstance(document, Mapping):
        return {name: _single(value[0] if _one(name, value) else value) for name, value in document.items()}
    return [_single(each) for each in document] if isinstance(document, list) else document


def _one(name: str, value: Any) -> bool:
    return name.startswith("acs:") and isinstance(value, list) and len(value) == 1


def folded_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a plan as Terraform shows it in JSON."""
    root = plan["planned_values"]["root_module"]
    by_type: dict[str, dict[str, Mapping[str, Any]]] = {}
    for found in root["resources"]:
        by_type.setdefault(found["type"], {})[found["name"]] = found["values"]
    made = folded(by_type)
    kept = [
        {**found, "values": made[found["type"]][found["name"]]} for found in root["resources"] if found["type"] in made
    ]
    return {**plan, "planned_values": {**plan["planned_values"], "root_module": {**root, "resources": kept}}}

"""The second witness: the schema the provider's binary serves to Terraform, held against what the library answered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tools.provider.join import Attribute

SOURCE: Final = "aliyun/alicloud"
PROJECT: Final = f"""
terraform {{
  required_providers {{
    alicloud = {{
      source = "{SOURCE}"
    }}
  }}
}}
"""
SCALARS: Final = {"string": "string", "bool": "bool", "int": "number", "float": "number"}
OWN: Final = frozenset({"id", "timeouts"})  # Terraform adds them to every resource
# Required unless the environment has them, which the served schema can only call optional.
FROM_ENVIRONMENT: Final = frozenset(
    {"provider.assume_role_with_oidc.oidc_provider_arn", "provider.assume_role_with_oidc.role_arn"}
)


class NotServed(Exception):
    """Terraform could not be asked; the message says why."""


def schemas(folder: Path, prefix: tuple[str, ...] = ()) -> Mapping[str, Mapping[str, Any]]:
    """Terraform name → block, and `provider`. `folder` holds the binary. Raises: NotServed."""
    terraform = shutil.which("terraform")
    if terraform is None:
        raise NotServed("`terraform` is not on PATH")
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        (project / "main.tf").write_text(PROJECT)
        settings = project / "settings.tfrc"
        settings.write_text(
            f'provider_installation {{\n  dev_overrides {{\n    "{SOURCE}" = "{folder}"\n  }}\n  direct {{}}\n}}\n'
        )
        environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1"}
        command = (*prefix, terraform, "providers", "schema", "-json")
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise NotServed(done.stderr[-2000:])
    (found,) = json.loads(done.stdout)["provider_schemas"].values()
    blocks = {name: each["block"] for name, each in found["resource_schemas"].items()}
    return {**blocks, "provider": found["provider"]["block"]}


def differences(where: str, block: Mapping[str, Any], attributes: Mapping[str, Attribute]) -> Iterator[str]:
    """Where what is served and what the library answered are not one. Pure."""
    plain, blocks = block.get("attributes", {}), block.get("block_types", {})
    added = OWN if "." not in where else set()
    both = (plain.keys() | blocks.keys()) - added, attributes.keys() - added
    yield from (f"{where}.{name}: in one alone" for name in sorted(both[0] ^ both[1]))
    for name, attribute in sorted(attributes.items()):
        path = f"{where}.{name}"
        if name in plain:
            yield from _of_attribute(path, plain[name], attribute)
        elif name in blocks:
            yield from _of_nested(path, blocks[name], attribute)
            yield from differences(path, blocks[name]["block"], attribute.get("fields", {}))


def _of_attribute(path: str, served: Mapping[str, Any], attribute: Attribute) -> Iterator[str]:
    if served["type"] != _type(attribute):
        yield f"{path}: type"
    for key in ("required", "optional", "computed", "sensitive", "deprecated"):
        if bool(served.get(key)) != bool(attribute.get(key)) and path not in FROM_ENVIRONMENT:
            yield f"{path}: {key}"


def _of_nested(path: str, served: Mapping[str, Any], attribute: Attribute) -> Iterator[str]:
    if served["nesting_mode"] != attribute["type"]:
        yield f"{path}: type"
    if served.get("max_items", 0) != attribute.get("max_items", 0):
        yield f"{path}: max_items"
    if bool(served.get("min_items")) != bool(attribute.get("required")):
        yield f"{path}: required"


def _type(attribute: Attribute) -> object:
    kind: str = attribute["type"]
    if kind in SCALARS:
        return SCALARS[kind]
    if "fields" in attribute:
        return [kind, ["object", {name: _type(each) for name, each in attribute["fields"].items()}]]
    return [kind, _type(attribute["element"]) if "element" in attribute else "string"]

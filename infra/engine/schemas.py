"""What editors read: JSON Schemas of an environment's file and of its stack files, and the line that names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict, create_model

from infra.blueprint.model import json_schema
from infra.blueprint.stack import NAMESPACE, StackConfig

FOLDER: Final = "schema"
BLUEPRINT: Final = "blueprint.json"
STACK: Final = "stack.json"


def stack_schema() -> dict[str, Any]:
    """Of a whole `Pulumi.STACK.yaml`."""
    fields: dict[str, Any] = {
        f"{NAMESPACE}:{name}": (field.annotation, field) for name, field in StackConfig.model_fields.items()
    }
    keys = create_model("Config", __config__=ConfigDict(extra="allow"), **fields)
    found = keys.model_json_schema()
    definitions = found.pop("$defs", {})
    return {
        "title": "Stack",
        "type": "object",
        "properties": {
            "encryptionsalt": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "config": found,
        },
        "required": ["config"],
        "$defs": definitions,
    }


def write(environments: Path) -> None:
    """Both schemas below `environments`, for editors; the same bytes for the same release."""
    folder = environments / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in ((BLUEPRINT, json_schema()), (STACK, stack_schema())):
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n")


def mark(file: Path, schema: str) -> None:
    """The line by which editors find the schema, in a file that the engine writes; it keeps comments."""
    file.write_text(named(file.read_text(), schema))


def named(text: str, schema: str) -> str:
    """The YAML text with the line by which editors find the schema, once. Pure."""
    line = f"# yaml-language-server: $schema={FOLDER}/{schema}\n"
    return text if line in text else line + text

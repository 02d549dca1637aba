"""Run in the outsiders' environment: `rego.py RULES < input.json`. Prints the findings of high severity as JSON."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from regopy import Interpreter, RegoError  # type: ignore[import-not-found]  # of that environment alone


def main(folder: Path) -> None:
    given = json.load(sys.stdin)
    library = (folder / "lib" / "terraform.rego").read_text()
    high, unreadable = [], []
    for file in sorted((folder / "rules" / "terraform").glob("*.rego")):
        text = file.read_text()
        if not any(f'"{kind}"' in text for kind in given["resources"]):
            continue
        try:
            denied = _denied(library, text, given)
        except RegoError:
            unreadable.append(file.stem)
            continue
        high += [[one["id"], str(one["resource_id"]).rpartition(".")[2]] for one in denied if _high(one)]
    print("\n" + json.dumps({"high": high, "unreadable": unreadable}))  # the library prints what it cannot read


def _denied(library: str, text: str, given: object) -> list[dict[str, object]]:
    package = re.search(r"^package (\S+)", text, re.MULTILINE)
    assert package is not None
    rego = Interpreter()
    rego.add_module("lib", library)
    rego.add_module("rule", text)
    rego.set_input(given)
    found: list[dict[str, object]] = json.loads(str(rego.query(f"x=data.{package[1]}.deny")))["bindings"]["x"]
    return found


def _high(one: dict[str, object]) -> bool:
    meta = one["meta"]
    return isinstance(meta, dict) and meta["severity"] == "high"


main(Path(sys.argv[1]))

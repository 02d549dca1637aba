"""Rules by which outsiders judge, and what of their findings is waived, with reasons."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

HERE: Final = Path(__file__).resolve().parent
LOCK: Final = HERE / "outsiders.lock"
LIMIT_S: Final = 600


@dataclass(frozen=True, order=True)
class Finding:
    """What one rule says of one resource."""

    rule: str
    resource: str


def waived(judge: str) -> Mapping[str, Mapping[str, str]]:
    """Rule -> reason, and for which resources."""
    found: Mapping[str, Mapping[str, str]] = YAML(typ="safe").load((HERE / "waivers.yaml").read_text())[judge]
    return found


def unreadable() -> frozenset[str]:
    return frozenset(YAML(typ="safe").load((HERE / "waivers.yaml").read_text())["unreadable"])


def standing(found: Iterable[Finding], waivers: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Those that nothing waives."""
    return sorted(one for one in found if not _covers(waivers.get(one.rule), one))


def useless(found: Iterable[Finding], waivers: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Waivers of nothing."""
    needed = {one.rule for one in found if _covers(waivers.get(one.rule), one)}
    return sorted(waivers.keys() - needed)


def _covers(waiver: Mapping[str, str] | None, found: Finding) -> bool:
    return waiver is not None and re.fullmatch(waiver.get("only", ".*"), found.resource) is not None


def python() -> Path:
    """An interpreter that has the outsiders' tools: an environment of their own, for they want other versions than we.

    Made once a machine from `outsiders.lock`, by hash. Raises: subprocess.CalledProcessError.
    """
    root = Path(os.environ.get("KAKERA_CACHE") or Path.home() / ".cache" / "kakera") / "outsiders"
    folder = root / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    if not (folder / "ready").exists():
        subprocess.run((sys.executable, "-m", "venv", "--clear", str(folder)), check=True, timeout=LIMIT_S)
        install = ("-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", str(LOCK))
        subprocess.run((str(folder / "bin" / "python"), *install), check=True, timeout=LIMIT_S)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def checkov(plan: Mapping[str, Any], folder: Path) -> list[Finding]:
    """What checkov's rules for Alibaba Cloud say of a plan's JSON."""
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    options = ("--framework", "terraform_plan", "--skip-download", "--compact", "--quiet", "--output", "json")
    done = subprocess.run(
        (str(python().parent / "checkov"), "-f", str(file), *options),
        capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=folder,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["summary"]["passed"] > 0 and not told["summary"]["parsing_errors"], told["summary"]
    return [
        Finding(one["check_id"], one["resource"].rpartition(".")[2]) for one in told["results"]["failed_checks"]
    ]


def infraguard(resources: Mapping[str, Any], rules: Path) -> tuple[list[Finding], frozenset[str]]:
    """Findings of high severity of the rules that are for these types, and the rules that could not be read."""
    done = subprocess.run(
        (str(python()), str(HERE / "rego.py"), str(rules)), input=json.dumps({"resources": bare(resources)}),
        capture_output=True, text=True, timeout=LIMIT_S, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    return [Finding(*one) for one in told["high"]], frozenset(told["unreadable"])


def bare(value: Any) -> Any:
    """As its own reader has it: what is not known is `<unknown>`, and a block of which there is one is no list."""
    if isinstance(value, str):
        return "<unknown>" if re.fullmatch(r"\$\{[^}]+\}", value) else value
    if isinstance(value, Mapping):
        return {name: bare(each) for name, each in value.items()}
    if isinstance(value, list):
        return bare(value[0]) if len(value) == 1 and isinstance(value[0], dict) else [bare(each) for each in value]
    return value


def resources(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """All of an export: type -> name -> arguments."""
    made: dict[str, dict[str, Any]] = {}
    for kind, found in _blocks(files):
        made.setdefault(kind, {}).update(found)
    return made


def _blocks(files: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for text in files.values():
        yield from json.loads(text).get("resource", {}).items()

"""The project folder: `Pulumi.yaml`, and in `environments/` an architect's file with a stack file for each stack."""

from __future__ import annotations

import os
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from infra.blueprint.plan import Plan
from infra.blueprint.stack import Mode
from infra.engine.programs import CHECKOUT, EngineError

PROJECT_NAME: Final = "kakera"
DEFAULT_BACKEND: Final = "file://environments/state"
_LETTERS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True)
class StackName:
    """A stack and the part of the Plan it makes."""

    name: str
    part: str


def stacks(plan: Plan) -> tuple[StackName, ...]:
    """In the order of `up`: the region that takes writes, the others, what joins them."""
    regions = sorted(plan.regions, key=lambda region: (region.role != "primary", region.name))
    found = [StackName(region.stack, region.name) for region in regions]
    if plan.joint is not None:
        found.append(StackName(plan.joint.stack, "global"))
    return tuple(found)


def account(mode: Mode) -> StackName:
    """The stack of what an account needs once, whatever is built in it; a rehearsal has an account of its own."""
    return StackName("account" if mode == "real" else "account-rehearsal", "account")


@dataclass(frozen=True)
class Project:
    """Where an architect's files lie: the checkout itself, or a folder of their own."""

    folder: Path

    @property
    def environments(self) -> Path:
        return self.folder / "environments"

    @property
    def passphrase(self) -> Path:
        return self.environments / "passphrase"

    @property
    def rehearsal(self) -> Path:
        """The rehearsal cloud: made anew at any time."""
        return self.folder / "build" / "rehearsal"

    def blueprint(self, environment: str) -> Path:
        return self.environments / f"{environment}.yaml"

    def stack_file(self, stack: str) -> Path:
        return self.environments / f"Pulumi.{stack}.yaml"

    def make(self, *, backend: str) -> None:
        """The folder with its `Pulumi.yaml` and a passphrase of its own; what is there stays.

        Raises: EngineError when `Pulumi.yaml` names another backend than `backend`.
        """
        self.environments.mkdir(parents=True, exist_ok=True)
        file = self.folder / "Pulumi.yaml"
        if not file.exists():
            main = "infra" if self.folder == CHECKOUT else str(CHECKOUT / "infra")
            _write(file, {"name": PROJECT_NAME, "runtime": "python", "main": main,
                          "stackConfigDir": "environments", "backend": {"url": backend}})
        found = _read(file)
        if found.get("backend", {}).get("url") != backend:
            found["backend"] = {"url": backend}
            _write(file, found)
        if backend.startswith("file://") and not backend.startswith("file:///"):
            (self.folder / backend.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        if not self.passphrase.exists():
            descriptor = os.open(self.passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w") as made:
                made.write(secrets.token_urlsafe(32) + "\n")

    def backend(self) -> str:
        """Raises: EngineError when there is no project here."""
        file = self.folder / "Pulumi.yaml"
        if not file.exists():
            raise EngineError(f"{file} is not there: run kakera-infra init first")
        return str(_read(file).get("backend", {}).get("url", DEFAULT_BACKEND))

    def mode(self, stack: str) -> Mode:
        """What the stack was made for. Raises: EngineError when it was not made."""
        found = self.configuration(stack).get("kakera:mode")
        if found == "rehearsal":
            return "rehearsal"
        if found == "real":
            return "real"
        raise EngineError(f"{self.stack_file(stack)}: kakera:mode is {found!r}: real or rehearsal")

    def configuration(self, stack: str) -> dict[str, Any]:
        """The `config` of a stack file. Raises: EngineError when it is missing or no YAML."""
        file = self.stack_file(stack)
        if not file.exists():
            raise EngineError(f"{file} is not there: run kakera-infra init first")
        return dict(_read(file).get("config") or {})


def new_secret() -> str:
    """32 letters and digits, 190 bits: accepted by databases, tunnels and signatures alike."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(YAML(typ="safe").load(file.read_text()) or {})
    except (OSError, YAMLError, ValueError) as error:
        raise EngineError(f"{file} cannot be read: {error}") from error


def _write(file: Path, content: dict[str, Any]) -> None:
    with file.open("w") as target:
        YAML().dump(content, target)

"""One environment in a folder of its own: the command line, the state it leaves, and the rehearsal's cloud behind it.

What the command line prints is the smaller half of a test: what happened is read from the state and from the cloud.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

from infra.blueprint.expand import expand
from infra.blueprint.load import load
from infra.blueprint.plan import Plan
from infra.cli import app
from infra.engine.project import Project, StackName, stacks
from infra.engine.session import Session
from infra.engine.stacks import Stack, Summary
from infra.rehearsal import calls
from infra.rehearsal.calls import Logged
from infra.rehearsal.cloud import Cloud, Thing
from infra.rehearsal.faults import Faults

ROOT: Final = Path(__file__).resolve().parents[2]
NAME: Final = "acme"
STEP_LIMIT_S: Final = 240  # a plain `pulumi` that hangs
ACTS: Final = frozenset({"create", "read", "update", "delete"})  # what reaches a region's cloud


@dataclass(frozen=True)
class World:
    """`blueprint`: the name of a shipped one, or the text of one's own, whose `name` is NAME."""

    folder: Path
    blueprint: str
    stage: str = "dev"
    _plain: dict[str, str] = field(default_factory=dict)

    # --- names -------------------------------------------------------------------------------------------------------
    @property
    def environment(self) -> str:
        return f"{NAME}-{self.stage}"

    @property
    def project(self) -> Project:
        return Project(self.folder)

    @property
    def file(self) -> Path:
        return self.project.blueprint(self.environment)

    @property
    def plan(self) -> Plan:
        return expand(load(self.file))

    def names(self) -> dict[str, StackName]:
        """Part -> stack, in the order of `up`."""
        return {name.part: name for name in stacks(self.plan)}

    def tags(self, part: str) -> dict[str, str]:
        """What every resource of a part is tagged with."""
        plan = self.plan
        if part == "global":
            assert plan.joint is not None
            return plan.joint.tags
        return next(region.tags for region in plan.regions if region.name == part)

    # --- the command line --------------------------------------------------------------------------------------------
    def kakera(self, *arguments: str, code: int = 0) -> str:
        """`kakera-infra ARGUMENTS` in this process; all it printed. Fails the test on another exit code."""
        told = io.StringIO()
        words = ["kakera-infra", *arguments, "--project", str(self.folder)]
        ended: object = 0
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.dict(os.environ, {"COLUMNS": "240"}),
            contextlib.redirect_stdout(told),
            contextlib.redirect_stderr(told),
        ):
            try:
                app.main()
            except SystemExit as end:
                ended = end.code or 0
        assert ended == code, f"{' '.join(arguments)}: exit code {ended}, expected {code}:\n{told.getvalue()[-6000:]}"
        return told.getvalue()

    def init(self, *settings: str, options: Iterable[str] = ()) -> str:
        chosen = [word for setting in settings for word in ("--set", setting)]
        shipped = self.blueprint
        if "\n" in self.blueprint:
            shipped = "single-ecs"  # named, and not read: what lies there stays
            if not self.file.exists():
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self.file.write_text(self.blueprint)
        name = ("--name", NAME, "--environment", self.stage)
        return self.kakera("init", shipped, *name, "--rehearsal", *options, *chosen)

    def environ(self) -> dict[str, str]:
        """What a plain `pulumi` runs with: what `kakera-infra shell` prints."""
        if not self._plain:
            self._plain.update(os.environ)
            self._plain.update(Session.open(self.project, self.plan, os.environ).variables)
        return self._plain

    def pulumi(self, *arguments: str, fails: bool = False, environ: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ("pulumi", *arguments, "--non-interactive"), cwd=self.folder, stdin=subprocess.DEVNULL,
            env=self.environ() if environ is None else dict(environ), timeout=STEP_LIMIT_S, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout[-6000:]
        return done.stdout

    def stack(self, part: str) -> Stack:
        """Through the Automation API."""
        return Session.open(self.project, self.plan, os.environ).stack(self.names()[part])

    def up(self, part: str) -> Summary:
        return self.stack(part).up(lambda step: None)

    # --- what is there -----------------------------------------------------------------------------------------------
    @property
    def rehearsal(self) -> Path:
        return self.project.rehearsal

    @property
    def faults(self) -> Faults:
        self.rehearsal.mkdir(parents=True, exist_ok=True)
        return Faults(self.rehearsal)

    @property
    def cloud(self) -> Cloud:
        self.rehearsal.mkdir(parents=True, exist_ok=True)
        return Cloud(self.rehearsal)

    def things(self, part: str = "") -> dict[str, Thing]:
        """Id -> thing of the cloud: of one part's stack, or of all."""
        stack = self.names()[part].name if part else ""
        found = (thing for thing in self.cloud.things() if not stack or _stack_of(thing) == stack)
        return {thing.id: thing for thing in found}

    def of_type(self, kind: str, part: str = "") -> list[Thing]:
        """By the last word of the type: `Instance` is of ECS, RDS and others; `ecs/instance:Instance` is exact."""
        return [thing for thing in self.things(part).values() if thing.type in (kind, f"alicloud:{kind}")]

    def checkpoint(self, part: str) -> dict[str, Any]:
        """The state as the engine keeps it in the project's own folder."""
        name = self.names()[part].name
        file = self.project.environments / "state" / ".pulumi" / "stacks" / "kakera" / f"{name}.json"
        latest = json.loads(file.read_text())["checkpoint"].get("latest") if file.exists() else None
        return latest or {}

    def state(self, part: str) -> dict[str, dict[str, Any]]:
        """URN -> resource."""
        return {found["urn"]: found for found in self.checkpoint(part).get("resources") or ()}

    def state_ids(self, part: str) -> set[str]:
        """Ids of the cloud's resources that the state knows."""
        return {found["id"] for found in self.state(part).values() if found["type"].startswith("alicloud:")}

    def outputs(self, part: str) -> dict[str, Any]:
        root = next(found for found in self.state(part).values() if found["type"] == "pulumi:pulumi:Stack")
        outputs: dict[str, Any] = root.get("outputs", {})
        return outputs

    def acts(self, region: str = "") -> list[Logged]:
        """Calls that reached a region's cloud, previews left out."""
        found = (call for call in calls.read(self.rehearsal) if call.operation in ACTS and not call.preview)
        return [call for call in found if region in ("", call.region)]

    def rendered(self) -> Path:
        return self.folder / "build" / self.environment / "rendered"


def _stack_of(thing: Thing) -> str:
    """`urn:pulumi:STACK::...`"""
    return thing.urn.split("::")[0].rpartition(":")[2]


def held(state: Mapping[str, dict[str, Any]]) -> set[str]:
    """URNs that a `destroy` must leave: the protected, and all that those depend on."""
    waiting = [urn for urn, found in state.items() if found.get("protect")]
    kept: set[str] = set()
    while waiting:
        urn = waiting.pop()
        if urn in kept or urn not in state:
            continue
        kept.add(urn)
        found = state[urn]
        provider = found.get("provider", "").rpartition("::")[0]  # URN::ID
        waiting += [*found.get("dependencies", ()), found.get("parent", ""), provider, found.get("deletedWith", "")]
        waiting += [needed for many in found.get("propertyDependencies", {}).values() for needed in many or ()]
    return kept

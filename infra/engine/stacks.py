"""Stacks through the Automation API: the same program, state and configuration as a plain `pulumi` sees."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation as auto
from pulumi.automation import events

from infra.blueprint.stack import Mode
from infra.engine.programs import EngineError
from infra.engine.project import Project, StackName
from infra.naming import of_rehearsal

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Summary:
    """How many resources an operation made, changed, replaced, removed and left."""

    created: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0
    same: int = 0

    @property
    def changed(self) -> int:
        return self.created + self.updated + self.replaced + self.deleted

    def __str__(self) -> str:
        words = (("created", self.created), ("updated", self.updated), ("replaced", self.replaced),
                 ("deleted", self.deleted), ("unchanged", self.same))
        return ", ".join(f"{count} {word}" for word, count in words if count) or "nothing"


@dataclass(frozen=True)
class Kept:
    """A resource that `destroy` left, and whether it is protected itself or held by one that is."""

    type: str
    name: str
    id: str
    protected: bool


@dataclass
class _Watch:
    """Turns the engine's events into steps to show, errors to report, and what was done.

    The engine's history would tell of the run before when there was nothing to do.
    """

    on_step: OnStep
    errors: list[str] = field(default_factory=list)
    changes: Mapping[Any, int] = field(default_factory=dict)

    def __call__(self, event: events.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            metadata = event.resource_pre_event.metadata
            if metadata.op != auto.OpType.SAME:
                self.on_step(f"{metadata.op.value} {metadata.urn.rpartition('::')[2]}")
        if event.summary_event is not None:
            self.changes = event.summary_event.resource_changes
        found = event.diagnostic_event
        if found is not None and found.severity == "error":
            self.errors.append(found.message.strip())


class Stack:
    """One stack. Every method raises EngineError with the engine's own words when the engine refuses."""

    def __init__(self, project: Project, name: StackName, *, engine: Path, variables: Mapping[str, str]) -> None:
        self.project = project
        self.name = name
        self._engine = engine
        self._variables = dict(variables)

    def _stack(self) -> auto.Stack:
        workspace = auto.LocalWorkspace(
            work_dir=str(self.project.folder),
            env_vars=self._variables,
            pulumi_command=auto.PulumiCommand(root=str(self._engine.parent), skip_version_check=True),
        )
        try:
            return auto.Stack.select(self.name.name, workspace)
        except auto.CommandError as error:
            raise EngineError(_words(error, [])) from error

    def make(self, *, secrets_provider: str) -> None:
        """The stack in the backend, if it is not there."""
        command = ("stack", "select", "--create", self.name.name, "--secrets-provider", secrets_provider)
        self._run(*command, "--non-interactive")

    def configure(self, values: Mapping[str, str]) -> None:
        """Plain values; a key may be a path such as `a:b[0]`."""
        pairs = [part for key, value in values.items() for part in ("--plaintext", f"{key}={value}")]
        self._run("config", "set-all", "--stack", self.name.name, "--path", *pairs)

    def configure_secret(self, key: str, value: str) -> None:
        """An encrypted value; it travels by standard input, never in the arguments others can list."""
        self._run("config", "set", "--stack", self.name.name, "--path", "--secret", key, given=value)

    def secret(self, key: str) -> str:
        """A value in the clear, for another stack of the same environment."""
        return self._run("config", "get", "--stack", self.name.name, "--path", key).removesuffix("\n")

    def preview(self, on_step: OnStep) -> Summary:
        watch = _Watch(on_step)
        try:
            self._stack().preview(on_event=watch, suppress_progress=True)
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error
        return _summary(watch.changes)

    def up(self, on_step: OnStep) -> Summary:
        watch = _Watch(on_step)
        try:
            self._stack().up(on_event=watch, suppress_progress=True, show_secrets=False)
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error
        return _summary(watch.changes)

    def refresh(self, on_step: OnStep) -> Summary:
        self._refuse_other_mode()
        watch = _Watch(on_step)
        try:
            self._stack().refresh(on_event=watch, suppress_progress=True, show_secrets=False)
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error
        return _summary(watch.changes)

    def destroy(self, on_step: OnStep) -> Summary:
        """Everything but what is protected and what that depends on (P6)."""
        self._refuse_other_mode()
        watch = _Watch(on_step)
        try:
            self._stack().destroy(
                on_event=watch, suppress_progress=True, show_secrets=False, exclude_protected=True
            )
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error
        return _summary(watch.changes)

    def outputs(self) -> dict[str, Any]:
        """What the last `up` told; secrets masked by the engine."""
        return {name: found.value for name, found in self._stack().outputs().items() if not found.secret}

    def kept(self) -> tuple[Kept, ...]:
        """The cloud's resources in the stack's state, without providers and components."""
        exported = self._stack().export_stack()
        resources = exported.deployment.get("resources", []) if exported.deployment else []
        return tuple(
            Kept(found["type"], found["urn"].rpartition("::")[2], str(found["id"]), bool(found.get("protect")))
            for found in resources
            if found.get("id") and not found["type"].startswith("pulumi:")
        )

    def _refuse_other_mode(self) -> None:
        """P7, where the program does not run to say it: the state was made in the mode that the stack file names."""
        mode = self.project.mode(self.name.name)
        for found in self.kept():
            made: Mode = "rehearsal" if of_rehearsal(found.id) else "real"
            if made != mode:
                raise EngineError(
                    f"{found.id} in the state of {self.name.name} was made in mode {made}; kakera:mode says {mode}: "
                    "a stack never changes its mode; make another environment with kakera-infra init"
                )

    def _run(self, *arguments: str, given: str | None = None) -> str:
        done = subprocess.run(
            (str(self._engine / "pulumi"), *arguments),
            cwd=self.project.folder,
            env=self._variables,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"pulumi {' '.join(arguments[:2])}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _summary(changes: Mapping[Any, int] | None) -> Summary:
    """From the engine's counts by operation; a replacement is counted once."""
    found = {str(getattr(operation, "value", operation)): count for operation, count in (changes or {}).items()}
    return Summary(
        created=found.get("create", 0),
        updated=found.get("update", 0),
        replaced=max(found.get("replace", 0), found.get("create-replacement", 0)),
        deleted=found.get("delete", 0),
        same=found.get("same", 0),
    )


def _words(error: auto.CommandError, errors: list[str]) -> str:
    if errors:
        return "\n".join(dict.fromkeys(errors))
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    return "\n".join(dict.fromkeys(lines)) or str(error)

"""Stacks through the Automation API: the same program, state and configuration as a plain `pulumi` sees."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pulumi import automation as auto
from pulumi.automation import events

from infra.blueprint.stack import RELEASED, Mode
from infra.engine.changes import Step
from infra.engine.programs import EngineError
from infra.engine.project import Project, StackName
from infra.naming import of_rehearsal

OnStep = Callable[[str], None]
_BLOCKED: Final = re.compile(r'unable to (?P<verb>replace|delete) resource "(?P<urn>[^"]+)"')


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
class Preview:
    """What an `up` would do. `blocked`: the engine's own words where protection (P3) stops it from doing that."""

    summary: Summary
    steps: tuple[Step, ...]
    blocked: str = ""


@dataclass(frozen=True)
class Kept:
    """A resource in the state, and whether it is protected itself or held by one that is. `inputs`: its arguments;
    `needs`: URNs that its arguments come from, `after`: those it was only made after."""

    type: str
    name: str
    id: str
    protected: bool
    urn: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass
class _Watch:
    """Turns the engine's events into steps to show, errors to report, and what was done.

    The engine's history would tell of the run before when there was nothing to do.
    """

    on_step: OnStep
    errors: list[str] = field(default_factory=list)
    changes: Mapping[Any, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def __call__(self, event: events.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            metadata = event.resource_pre_event.metadata
            self.steps.append(_step(metadata))
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

    def preview(self, on_step: OnStep, *, plan: Path | None = None, exclude: Collection[str] = ()) -> Preview:
        """What `up` would do. `plan`: a file that holds an `up` to just this; `exclude`: URNs left as they are."""
        watch = _Watch(on_step)
        blocked = ""
        try:
            self._stack().preview(
                on_event=watch,
                suppress_progress=True,
                plan=str(plan) if plan else None,
                exclude=list(exclude) or None,
            )
        except auto.CommandError as error:
            blocked = _words(error, watch.errors)
            if not _only_protection(watch.errors):
                raise EngineError(blocked) from error
        return Preview(_summary(watch.changes), (*watch.steps, *blocked_steps(watch.errors)), blocked)

    def up(self, on_step: OnStep, *, plan: Path | None = None, exclude: Collection[str] = ()) -> Summary:
        """`plan`, `exclude`: as given to `preview`. A step that the plan does not have is an error, and not done."""
        watch = _Watch(on_step)
        try:
            self._stack().up(
                on_event=watch,
                suppress_progress=True,
                show_secrets=False,
                plan=str(plan) if plan else None,
                exclude=list(exclude) or None,
            )
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error
        return _summary(watch.changes)

    def let_go(self, released: Mapping[str, str], on_step: OnStep) -> None:
        """The cloud's own protection is turned off, and Pulumi's too: an update of just these, URN -> name."""
        stack = Stack(
            self.project, self.name, engine=self._engine,
            variables={**self._variables, RELEASED: " ".join(released.values())},
        )  # fmt: skip
        watch = _Watch(on_step)
        try:
            stack._stack().up(
                on_event=watch, suppress_progress=True, show_secrets=False, target=list(released)
            )
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error

    def free(self, urns: Collection[str]) -> None:
        """In the state alone: none of these is protected by Pulumi, and what was only made after one waits for it no
        longer. No program runs."""

        def freed(found: dict[str, Any]) -> None:
            if found["urn"] in urns:
                found["protect"] = False
            _unwait(found, urns)

        self._rewrite(freed)

    def refresh(self, on_step: OnStep) -> Summary:
        self._refuse_other_mode()
        watch = _Watch(on_step)
        try:
            self._stack().refresh(on_event=watch, suppress_progress=True, show_secrets=False)
        except auto.CommandError as error:
            raise EngineError(_words(error, watch.errors)) from error
        return _summary(watch.changes)

    def destroy(self, on_step: OnStep, *, only: Collection[str] = (), keep: Collection[str] = ()) -> Summary:
        """Everything but what is protected and what that depends on (P6); with `only` just these URNs.

        `keep`: URNs that are protected in the state before, and from then on.
        """
        self._refuse_other_mode()
        if keep:
            self._protect(keep)
        watch = _Watch(on_step)
        try:
            self._stack().destroy(
                on_event=watch,
                suppress_progress=True,
                show_secrets=False,
                exclude_protected=None if only else True,
                target=list(only) or None,
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
            _kept(found) for found in resources if found.get("id") and not found["type"].startswith("pulumi:")
        )

    def _protect(self, urns: Collection[str]) -> None:
        """In the state alone, and none of these waits for what it takes no argument from, which would stay for nothing.
        No program runs."""

        def kept(found: dict[str, Any]) -> None:
            if found["urn"] in urns:
                found["protect"] = True
                _unwait(found, found.get("dependencies") or ())

        self._rewrite(kept)

    def _rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Each resource of the state, as the engine keeps it, changed in place."""
        stack = self._stack()
        exported = stack.export_stack()
        for found in (exported.deployment or {}).get("resources", []):
            change(found)
        stack.import_stack(exported)

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


def _unwait(found: dict[str, Any], urns: Collection[str]) -> None:
    """It waits for none of these any more but what it takes an argument from."""
    needed = _needed(found)
    old = found.get("dependencies") or []
    found["dependencies"] = [urn for urn in old if urn not in urns or urn in needed]


def _needed(found: Mapping[str, Any]) -> set[str]:
    """URNs of what a resource of the state takes an argument from."""
    return {urn for many in (found.get("propertyDependencies") or {}).values() for urn in many or ()}


def _kept(found: Mapping[str, Any]) -> Kept:
    needs = _needed(found)
    return Kept(
        type=found["type"],
        name=found["urn"].rpartition("::")[2],
        id=str(found["id"]),
        protected=bool(found.get("protect")),
        urn=found["urn"],
        inputs=found.get("inputs") or {},
        needs=tuple(sorted(needs)),
        after=tuple(sorted(set(found.get("dependencies") or ()) - needs)),
    )


def _step(metadata: events.StepEventMetadata) -> Step:
    """Of `a.b[0]` the argument is `a`. Inputs that the cloud has changed since are as it told them last."""
    paths = (*(metadata.detailed_diff or ()), *(metadata.diffs or ()))
    old = metadata.old
    return Step(
        op=metadata.op.value,
        urn=metadata.urn,
        type=metadata.type,
        id=old.id if old else "",
        properties=tuple(dict.fromkeys(_argument(path) for path in paths)),
        replacing=tuple(metadata.keys or ()),
        inputs=old.inputs or {} if old else None,
        protected=bool(old and old.protect),
    )


def _argument(path: str) -> str:
    return path.removeprefix('["').partition('"]')[0].partition(".")[0].partition("[")[0]


def _only_protection(errors: Sequence[str]) -> bool:
    """Whether the engine stopped for nothing but protected resources; it says so of each, and last that it stopped."""
    other = [error for error in errors if error != "preview failed" and "protect" not in error]
    return not other and any("protect" in error for error in errors)


def blocked_steps(errors: Iterable[str]) -> Iterator[Step]:
    """The protected resources that the engine did not get as far as a step for: those that are deleted first."""
    for error in errors:
        found = _BLOCKED.match(error)
        if found is not None:
            op = "replace" if found["verb"] == "replace" else "delete"
            urn = found["urn"]
            yield Step(op=op, urn=urn, type=urn.split("::")[2].rpartition("$")[2], protected=True)


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


# What a run that is held to a plan says of each step that a failure kept it from.
_FOLLOWS: Final = "expected resource operations for"


def _words(error: auto.CommandError, errors: list[str]) -> str:
    causes = [found for found in errors if not found.startswith(_FOLLOWS)] or errors
    if causes:
        return "\n".join(dict.fromkeys(causes))
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    return "\n".join(dict.fromkeys(lines)) or str(error)

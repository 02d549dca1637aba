"""One part of a Plan, run as the engine runs it, under a monitor that makes nothing and knows nothing of the cloud."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pulumi
from pulumi.runtime import mocks, rpc, stack
from pulumi.runtime.proto import resource_pb2

from infra.blueprint.plan import Plan
from infra.components.tags import tagged
from infra.deploy.account import account
from infra.deploy.joint import joint
from infra.deploy.judged import mandatory_tags
from infra.deploy.outputs import Outputs
from infra.deploy.region import region
from infra.deploy.settings import Settings
from infra.export import terraform
from infra.export.tokens import Tokens
from infra.rehearsal.metadata import Kind, Metadata, Resource

LIMIT_S: Final = 120  # a part takes a second; what waits longer waits for an answer that never comes
PROVIDER: Final = "pulumi:providers:"
REFERENCE: Final = "pulumi:pulumi:StackReference"
SCALARS: Final = (Kind.STRING, Kind.INT, Kind.FLOAT, Kind.BOOL)


@dataclass(frozen=True)
class Registered:
    """A resource as the program asked for it. `inputs` by their names on the wire; `depends_on`: URNs."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    provider: str  # the provider's name: its region
    protect: bool
    ignore_changes: tuple[str, ...]
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What one stack's program asked for, sorted by URN, and what it told."""

    resources: tuple[Registered, ...]
    outputs: Mapping[str, Any]


class ExportError(Exception):
    """The program cannot be written as Terraform's configuration; the message names the resource and the remedy."""


def run(plan: Plan, part: str, tokens: Tokens, told: Mapping[str, Mapping[str, Any]], metadata: Metadata) -> Part:
    """Run one part. `told`: what each stack before it told. Raises: ExportError; what the program raises."""
    # A thread of its own is a context of its own: no run sees the root, the monitor or the loop of another.
    with ThreadPoolExecutor(1) as pool:
        work = _run(plan, part, _Monitor(_Cloud(tokens, metadata, told), mandatory_tags(plan, part)), tokens)
        return pool.submit(asyncio.run, asyncio.wait_for(work, LIMIT_S)).result()


class _Cloud(mocks.Mocks):
    """Answers each resource with what was given, and a stand-in for everything else."""

    def __init__(self, tokens: Tokens, metadata: Metadata, told: Mapping[str, Mapping[str, Any]]) -> None:
        self._tokens = tokens
        self._metadata = metadata
        self._told = told

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ == REFERENCE:
            outputs = self._told.get(args.name.rpartition("/")[2], {})
            return args.name, {"name": args.name, "outputs": dict(outputs), "secretOutputNames": []}
        if args.typ.startswith(PROVIDER) or not args.custom:
            return args.name, args.inputs
        known = self._metadata.resource(args.typ)
        if known is None:
            raise ExportError(f"{args.name}: type {args.typ} is not in the provider's data: tools/provider adds it")
        place = terraform.address(known.terraform, args.name)
        return self._tokens.issue(f"{place}.id"), {**self._computed(known, place), **args.inputs}

    def _computed(self, known: Resource, place: str) -> dict[str, str]:
        return {
            name: self._tokens.issue(f"{place}.{found.terraform}")
            for name, found in known.properties.items()
            if found.computed and found.kind in SCALARS
        }

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise ExportError(f"the program asks the cloud {args.token}, and an export has none to ask")


class _Monitor(mocks.MockMonitor):
    """Keeps what was asked for: requests hold what `MockResourceArgs` leaves out."""

    def __init__(self, cloud: _Cloud, mandatory: Mapping[str, str]) -> None:
        super().__init__(cloud)
        self._mandatory = mandatory
        self.requests: dict[str, resource_pb2.RegisterResourceRequest] = {}

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.custom and not request.type.startswith("pulumi:"):
            if answer.urn in self.requests:
                raise ExportError(f"{request.name}: registered twice")
            self.requests[answer.urn] = request
        return answer

    def found(self, urn: str) -> Registered:
        request = self.requests[urn]
        raw = rpc.deserialize_properties(request.object)
        inputs = {name: rpc.unwrap_rpc_secret(value) for name, value in raw.items()}
        if request.retainOnDelete or request.deletedWith or request.importId:
            raise ExportError(f"{request.name}: Terraform has no word for one of its options")
        return Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            inputs=tagged(request.type, inputs, self._mandatory),  # no transform runs under this monitor
            provider=request.provider.split("::")[-2] if request.provider else "",
            protect=request.protect,
            ignore_changes=tuple(request.ignoreChanges),
            depends_on=tuple(sorted(request.dependencies)),
        )


async def _run(plan: Plan, part: str, monitor: _Monitor, tokens: Tokens) -> Part:
    mocks.set_mocks(
        monitor.mocks, project="kakera", stack=part, preview=False, monitor=monitor, organization="organization"
    )
    told: dict[str, Any] = {}

    def program() -> None:
        outputs = _program(plan, part, tokens)
        pulumi.Output.all(**outputs).apply(told.update)

    # The monitor answers in the executor's threads and wants a loop there: one thread, and a loop that is closed.
    with (
        contextlib.closing(asyncio.new_event_loop()) as answering,
        ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(answering,)) as pool,
    ):
        asyncio.get_running_loop().set_default_executor(pool)
        await stack.run_pulumi_func(program)
    return Part(tuple(monitor.found(urn) for urn in sorted(monitor.requests)), told)


def _program(plan: Plan, part: str, tokens: Tokens) -> Outputs:
    """As `infra/__main__.py`, of a Plan that was judged before."""
    if part == "account":
        return account(plan)
    if part == "global":
        return joint(plan)
    names = [secret.name for secret in plan.secrets]
    secrets = {name: tokens.issue(f"var.{terraform.variable(name)}") for name in names}
    settings = Settings(
        blueprint=Path(), part=part, mode="real", secrets=pulumi.Output.from_input(secrets), given=frozenset(names)
    )
    return region(plan, part, settings)

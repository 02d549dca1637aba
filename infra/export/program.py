"""One part of a Plan, run as the engine runs it, under a monitor that makes nothing and knows nothing of the cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi
from pulumi.runtime import mocks

from infra.blueprint.plan import Plan
from infra.components.tags import tagged
from infra.deploy.account import account
from infra.deploy.joint import joint
from infra.deploy.judged import mandatory_tags
from infra.deploy.outputs import Outputs
from infra.deploy.region import region
from infra.deploy.settings import Settings
from infra.export import monitor as monitors
from infra.export import terraform
from infra.export.monitor import Monitor, Registered
from infra.export.tokens import Tokens
from infra.rehearsal.metadata import Kind, Metadata, Resource

LIMIT_S: Final = 300  # a part takes a second, one of 50 hosts a minute; what waits longer waits for no answer
PROVIDER: Final = "pulumi:providers:"
REFERENCE: Final = "pulumi:pulumi:StackReference"
SCALARS: Final = (Kind.STRING, Kind.INT, Kind.FLOAT, Kind.BOOL)


@dataclass(frozen=True)
class Part:
    """What one stack's program asked for, sorted by URN, and what it told."""

    resources: tuple[Registered, ...]
    outputs: Mapping[str, Any]


class ExportError(Exception):
    """The program cannot be written as Terraform's configuration; the message names the resource and the remedy."""


def run(plan: Plan, part: str, tokens: Tokens, told: Mapping[str, Mapping[str, Any]], metadata: Metadata) -> Part:
    """Run one part. `told`: what each stack before it told. Raises: ExportError; what the program raises."""
    outputs: dict[str, Any] = {}

    def program() -> None:
        pulumi.Output.all(**_program(plan, part, tokens)).apply(outputs.update)

    monitor = Monitor(_Cloud(tokens, metadata, told))
    try:
        monitors.run(program, monitor, name=part, limit_s=LIMIT_S)
    except TimeoutError as error:
        raise ExportError(f"{part}: the program did not end in {LIMIT_S} s: an environment of fewer hosts") from error
    except ValueError as error:  # what components say of a Plan that cannot be built
        raise ExportError(f"{part}: {error}") from error
    return Part(tuple(_asked(monitor, mandatory_tags(plan, part))), outputs)


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


def _asked(monitor: Monitor, mandatory: Mapping[str, str]) -> Iterator[Registered]:
    """Without components. Raises: ExportError for an option that Terraform has no word for."""
    for found in monitor.registered():
        request = monitor.requests[found.urn]
        if request.retainOnDelete or request.deletedWith or request.importId:
            raise ExportError(f"{found.name}: Terraform has no word for one of its options")
        if request.custom:  # no transform runs under this monitor
            yield replace(found, inputs=tagged(found.type, found.inputs, mandatory))


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

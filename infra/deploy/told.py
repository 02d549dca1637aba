"""What the other stacks of an environment told when they were last up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import rpc

from infra.blueprint.cloud import Known
from infra.blueprint.plan import Plan
from infra.deploy.outputs import Outputs


class Told:
    """What the regions' stacks told when they were last up: read from state, never from the cloud."""

    def __init__(self, plan: Plan) -> None:
        self._stacks = {region.name: region.stack for region in plan.regions}
        self._references: dict[str, pulumi.StackReference] = {}
        self.own: Outputs = {}

    def known(self, value: Known) -> pulumi.Input[str]:
        if isinstance(value, str):
            return value
        if not value.region:
            return pulumi.Output.from_input(self.own[value.from_output])
        return self.output(value.from_output, value.region, key=value.key)

    def output(self, name: str, region: str, *, key: str | None = None) -> pulumi.Output[str]:
        """At preview an output that is not there yet is unknown; at `up` it is an error that says what to do."""
        stack = self._stacks[region]
        if stack not in self._references:
            full = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
            self._references[stack] = pulumi.StackReference(full)
        found = self._references[stack].outputs

        def value(outputs: Mapping[str, Any]) -> Any:
            told = outputs.get(name)
            return told.get(key) if key and isinstance(told, Mapping) else told

        def pick(outputs: Mapping[str, Any]) -> str:
            if value(outputs) is None:
                raise pulumi.RunError(f"stack {stack} has not told its {name} yet: bring it up first")
            return str(value(outputs))

        if pulumi.runtime.is_dry_run():
            # Of a zone that is new the region has told nothing yet either.
            return found.apply(lambda outputs: _unknown() if not value(outputs) else pick(outputs))
        return found.apply(pick)


def _unknown() -> pulumi.Output[str]:
    """A value that the engine shows as known after `up`."""

    async def nothing() -> Any:
        return rpc.UNKNOWN

    async def no() -> bool:
        return False

    return pulumi.Output(set(), nothing(), no())

"""What the program of an environment asks for, as the policies on resources read it."""

from __future__ import annotations

from infra.blueprint.plan import Plan
from infra.checks.policies import Resource
from infra.export.configuration import names, run
from infra.export.tokens import SHAPES, Tokens
from infra.rehearsal.metadata import Metadata


def resources(plan: Plan) -> list[Resource]:
    """Of every stack but the account's; what only the cloud knows is a reference. Raises: ExportError."""
    parts = run(plan, names(plan), Tokens(SHAPES[0]), Metadata.load())
    return [Resource(found.type, found.name, found.inputs) for part in parts for found in part.resources]

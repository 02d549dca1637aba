"""Policies on the resource graph: what each resource of a stack must be, by its type and its arguments."""

from infra.checks.policies.resource import UNKNOWN, Policy, Resource
from infra.checks.policies.table import POLICIES, judged, refused

__all__ = ["POLICIES", "UNKNOWN", "Policy", "Resource", "judged", "refused"]

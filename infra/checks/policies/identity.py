"""Policies on who may do what in the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.checks.policies.documents import allows, is_all, statements
from infra.checks.policies.resource import Properties

POLICY: Final = "alicloud:ram/policy:Policy"
TO_A_ROLE: Final = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"
TO_A_GROUP: Final = "alicloud:ram/groupPolicyAttachment:GroupPolicyAttachment"
TO_A_USER: Final = "alicloud:ram/userPolicyAttachment:UserPolicyAttachment"
USER: Final = "alicloud:ram/user:User"
KEY: Final = "alicloud:ram/accessKey:AccessKey"
ADMINISTRATOR: Final = "AdministratorAccess"  # the cloud's own, of everything


def policies_least(_kind: str, properties: Properties) -> Iterator[str]:
    """No policy of the account allows everything on everything, and nobody is given the cloud's own that does."""
    if properties.get("policyName") == ADMINISTRATOR:
        yield "gives everything on everything"
    if properties.get("statements"):
        yield "says `statements`, which nobody judges, and not `policyDocument`"
    for document in ("policyDocument", "document"):
        told = statements(properties.get(document))
        if any(allows(one) and is_all(one, "Action") and is_all(one, "Resource") for one in told):
            yield "allows everything on everything"


def policies_on_roles(_kind: str, _properties: Properties) -> Iterator[str]:
    """Policies are attached to roles and groups, and to no user."""
    yield "gives a user a policy of its own"


def no_standing_keys(_kind: str, _properties: Properties) -> Iterator[str]:
    """No user and no access key is made: hosts have roles, whose keys the cloud changes within hours."""
    yield "is a key, or the holder of one, that nobody changes"

"""Policies on who may do what in the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra.checks.policies.holders import several, statements
from infra.checks.policies.resource import Properties

POLICY: Final = "alicloud:ram/policy:Policy"
TO_A_USER: Final = "alicloud:ram/userPolicyAttachment:UserPolicyAttachment"
USER: Final = "alicloud:ram/user:User"
KEY: Final = "alicloud:ram/accessKey:AccessKey"


def policies_least(_kind: str, properties: Properties) -> Iterator[str]:
    """No policy of the account allows everything on everything."""
    for statement in statements(properties.get("policyDocument")):
        everything = {"*", "*:*"} & set(several(statement.get("Action")))
        if statement.get("Effect") == "Allow" and everything and "*" in several(statement.get("Resource")):
            yield "allows everything on everything"


def policies_on_roles(_kind: str, _properties: Properties) -> Iterator[str]:
    """Policies are attached to roles, and to no user."""
    yield "gives a user a policy of its own"


def no_standing_keys(_kind: str, _properties: Properties) -> Iterator[str]:
    """No user and no access key is made: hosts have roles, whose keys the cloud changes within hours."""
    yield "is a key, or the holder of one, that nobody changes"

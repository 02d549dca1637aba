"""The stack of an account: made once, whatever is built in it."""

from __future__ import annotations

import pulumi

from infra.blueprint.plan import Plan
from infra.components import identity
from infra.deploy import provider
from infra.deploy.outputs import Outputs


def account(plan: Plan) -> Outputs:
    """What an account needs once, whatever is built in it."""
    identity.AccountRoles("account", opts=pulumi.ResourceOptions(providers=[provider.regional(plan.region)]))
    return {}

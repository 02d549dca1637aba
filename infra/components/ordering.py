"""What must be in place before something else is made, without making its value unknown."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi


def after(value: pulumi.Output[str], made: Sequence[pulumi.Resource]) -> pulumi.Output[str]:
    """`value` as it is, and whoever uses it waits for `made` too.

    `Output.all(value, *ids)` waits as well, but in a preview it is unknown as soon as one of the others is new: a rule
    more in a group would then show an update of every host in it, and could show a replacement (P3).
    """

    async def resources() -> set[pulumi.Resource]:
        return {*(await value.resources()), *made}

    async def known() -> str:
        return await value.future(with_unknowns=True)  # type: ignore[return-value]  # an Unknown passes through

    return pulumi.Output(resources(), known(), value.is_known(), value.is_secret())

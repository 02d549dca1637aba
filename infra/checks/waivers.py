"""Waivers that are of no use, each refused where it stands with the remedy. Pure: the day is an argument."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from infra.blueprint.plan import PlannedWaiver
from infra.checks.outcome import Finding

NAME: Final = "waivers-sound"
PROVES: Final = "Every waiver names a check that can be waived and fails without it, and its last day is not over."
REMEDY: Final = "leave the waiver out, mend what it covers, or give it a new last day"


def unsound(
    waivers: tuple[PlannedWaiver, ...],
    found: Mapping[str, tuple[Finding, ...]],
    *,
    never: Collection[str],
    today: datetime.date,
    draft: bool,
) -> Iterator[Finding]:
    """`found`: what each check of the table said; `never`: checks and policies that no waiver covers.

    `draft`: as in `table.run`.
    """
    for waiver in waivers:
        name, of_check = waiver.check, ("waivers", waiver.check, "check")
        if name not in (*found, *never, NAME):
            near = difflib.get_close_matches(name, (*found, *never), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(found)}"
            yield Finding(f"there is no check {name!r}", of_check, hint)
        elif name in never or name == NAME:
            yield Finding(f"{name!r} cannot be waived", of_check, "mend what it finds, and leave the waiver out")
        elif not found[name] and not draft:
            yield Finding(f"{name!r} passes without a waiver", of_check, "leave the waiver out")
        elif waiver.until < today:
            hint = "mend what it covers, or judge it again: a new last day, with the reason of today"
            yield Finding(f"the waiver of {name!r} ended on {waiver.until}", ("waivers", name, "until"), hint)
        elif not waiver.reason.strip():
            text = f"the waiver of {name!r} has no reason"
            yield Finding(text, ("waivers", name, "reason"), "say why, and who agreed")

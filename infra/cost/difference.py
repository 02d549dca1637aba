"""Two estimates against each other, in money. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from infra.cost.demand import Demand
from infra.cost.estimate import Estimate, Line

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Changed:
    """What a demand cost and costs in an average month; None: UNKNOWN, or not there (see `change`)."""

    change: Change
    demand: Demand
    before: Decimal | None
    after: Decimal | None

    @property
    def delta(self) -> Decimal | None:
        """None where a side that is there is UNKNOWN."""
        before = Decimal(0) if self.change == "added" else self.before
        after = Decimal(0) if self.change == "removed" else self.after
        return None if before is None or after is None else after - before


@dataclass(frozen=True)
class Difference:
    currency: str
    changes: tuple[Changed, ...]

    @property
    def known(self) -> Decimal:
        """More (or less, when negative) a month, as far as it is known."""
        return sum((found.delta for found in self.changes if found.delta is not None), Decimal(0))

    @property
    def unknown(self) -> int:
        return sum(found.delta is None for found in self.changes)


def difference(old: Estimate, new: Estimate) -> Difference:
    """What changes in the metered bill; what costs the same is left out. Raises: ValueError for two currencies."""
    if old.currency != new.currency:
        raise ValueError(f"{old.currency} and {new.currency} cannot be compared")
    before, after = ({line.demand.key: line for line in side.base} for side in (old, new))
    found = [_changed(before.get(key), after.get(key)) for key in {**before, **after}]
    return Difference(new.currency, tuple(change for change in found if change is not None))


def _changed(old: Line | None, new: Line | None) -> Changed | None:
    if old is None:
        assert new is not None
        return Changed("added", new.demand, None, new.month)
    if new is None:
        return Changed("removed", old.demand, old.month, None)
    same = old.demand.quantity == new.demand.quantity and old.month == new.month
    return None if same else Changed("changed", new.demand, old.month, new.month)

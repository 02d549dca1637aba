"""What the cloud takes at most, at least or among: `infra/catalogue/quotas.yaml`, read once, frozen.

A figure that no source states is None: UNKNOWN, never a guess.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import Field

from infra.blueprint import typed
from infra.blueprint.values import Frozen


class Quota(Frozen):
    """`most` and `least` are both taken."""

    name: str
    what: str = Field(description="what is counted, in words that follow a number")
    most: int | None = Field(default=None, gt=0)
    least: int | None = Field(default=None, gt=0)
    among: tuple[int, ...] = ()
    adjustable: bool = Field(default=False, description="whether the cloud raises it on request")
    source: str | None = Field(default=None, description="a name of sources.yaml; left out: UNKNOWN")

    @property
    def known(self) -> bool:
        return self.source is not None

    def takes(self, count: int) -> bool:
        """Whether so many are taken; an unknown quota takes any."""
        most = self.most is None or count <= self.most
        least = self.least is None or count >= self.least
        return most and least and (not self.among or count in self.among)

    @property
    def figure(self) -> str:
        """`at most 20`, `40 to 32768`, `one of 5, 10`."""
        if self.among:
            return f"one of {', '.join(map(str, self.among))}"
        if self.least is not None:
            return f"{self.least} to {self.most}" if self.most is not None else f"at least {self.least}"
        return f"at most {self.most}" if self.most is not None else "UNKNOWN"


class _Quotas(Frozen):
    quotas: tuple[Quota, ...]


@cache
def shipped() -> dict[str, Quota]:
    """By name. Raises: BlueprintError with file, line and remedy, which a test rules out."""
    text = resources.files("infra").joinpath("catalogue", "quotas.yaml").read_text()
    found = typed.parse(text, _Quotas, name="infra/catalogue/quotas.yaml").quotas
    return {quota.name: quota for quota in found}

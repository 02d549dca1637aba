"""Stand-ins for what only the cloud knows: each stands for one Terraform expression. Pure.

A program that only hands a value on, or joins it with other text, does the same whatever the value looks like. So it is
run twice, with stand-ins of two shapes; where the results differ, it took the value apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Shape:
    """How a stand-in is written around the 16 hexadecimal digits that name its expression.

    Both shapes sort alike, so that a set of values keeps its order; no character of either needs escaping in JSON.
    """

    write: Callable[[str], str]
    found: re.Pattern[str]


SHAPES: Final = (
    Shape(lambda digits: f"~{digits}~", re.compile(r"~([0-9a-f]{16})~")),
    Shape(
        lambda digits: f"({digits[:5]}.{digits[5:9]}/{digits[9:]}: 7-,)",
        re.compile(r"\(([0-9a-f]{5})\.([0-9a-f]{4})/([0-9a-f]{7}): 7-,\)"),
    ),
)


@dataclass(frozen=True)
class Tokens:
    """The stand-ins of one run."""

    shape: Shape
    known: dict[str, str] = field(default_factory=dict)  # digits -> expression

    def issue(self, expression: str) -> str:
        """The same one for the same expression, in whatever order they are asked for."""
        digits = hashlib.sha256(expression.encode()).hexdigest()[:16]
        self.known[digits] = expression
        return self.shape.write(digits)

    def resolve(self, value: Any) -> Any:
        """With Terraform's expressions in the place of stand-ins, and everything else escaped from Terraform."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._text(name): self.resolve(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.resolve(inner) for inner in value]
        return value

    def used(self, value: Any) -> frozenset[str]:
        """Every expression that stands in a value."""
        if isinstance(value, str):
            digits = ("".join(found.groups()) for found in self.shape.found.finditer(value))
            return frozenset(self.known[each] for each in digits if each in self.known)
        if isinstance(value, Mapping):
            return frozenset().union(*(self.used(name) | self.used(inner) for name, inner in value.items()))
        if isinstance(value, (list, tuple)):
            return frozenset().union(*(self.used(inner) for inner in value))
        return frozenset()

    def _text(self, text: str) -> str:
        parts, end = [], 0
        for found in self.shape.found.finditer(text):
            expression = self.known.get("".join(found.groups()))
            if expression is not None:
                parts += [_escaped(text[end : found.start()]), "${" + expression + "}"]
                end = found.end()
        return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    """Terraform's own marks, written so that it reads them as text."""
    return text.replace("${", "$${").replace("%{", "%%{")

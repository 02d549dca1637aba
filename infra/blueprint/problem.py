"""A finding with its place in a file, and where a value stands in a parsed tree.

    blueprints/x.yaml:4:1: unknown field 'prot'
        prot: 9000
        ^
        hint: did you mean 'port'?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from infra.blueprint.references import Where


@dataclass(frozen=True)
class Problem:
    """One finding. Line and column count from 1, as editors do."""

    path: str
    line: int
    column: int
    message: str
    text: str = ""
    hint: str = ""

    def __str__(self) -> str:
        lines = [f"{self.path}:{self.line}:{self.column}: {self.message}"]
        if self.text.strip():
            lines += [f"    {self.text}", "    " + " " * (self.column - 1) + "^"]
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Source:
    """The lines of a file, for showing the one in question."""

    name: str
    lines: list[str]

    def at(self, place: tuple[int, int], message: str, hint: str) -> Problem:
        """`place`: line and column from 0."""
        line, column = place
        text = self.lines[line] if line < len(self.lines) else ""
        return Problem(self.name, line + 1, column + 1, message, text, hint)


def position(tree: Any, where: Where, *, on_key: bool) -> tuple[int, int]:
    """Line and column (from 0) of a value, of its key, or of the nearest parent that is there.

    A word in `where` that meets a list means its entry of that name, or the entry that is that word.
    """
    place = (0, 0)
    node = tree
    for number, part in enumerate(where):
        if isinstance(node, CommentedSeq) and isinstance(part, str):
            part = _entry(node, part)
        if isinstance(node, CommentedMap) and part in node:
            last = number == len(where) - 1
            # A value that is not there has no place of its own: the parser names the next line.
            place = node.lc.key(part) if (on_key and last) or node[part] is None else node.lc.value(part)
        elif isinstance(part, int) and isinstance(node, CommentedSeq) and part < len(node):
            place = node.lc.item(part)
        else:
            break
        node = node[part]
    return place


def _entry(items: CommentedSeq, name: str) -> int:
    """Number of the entry, behind the last one when there is none."""
    for number, item in enumerate(items):
        if name in (item, *((item.get("name"), item.get("check")) if isinstance(item, CommentedMap) else ())):
            return number
    return len(items)

"""Boxes in boxes, and where they lie: measured from the inside out, placed from the outside in. Pure; whole pixels.

A *lane* is room kept free at the right of a box's neighbours, in which a line may run down without meeting a text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

Style = Literal["title", "head", "note"]
Point = tuple[int, int]
Size = tuple[int, int]

FONT_PX: Final[dict[Style, int]] = {"title": 20, "head": 13, "note": 11}
LINE_PX: Final[dict[Style, int]] = {"title": 28, "head": 18, "note": 15}
BOLD: Final[frozenset[Style]] = frozenset({"title", "head"})
ICON_PX: Final = 16
MARK: Final[Size] = (9, 15)  # a drive
MARK_STEP: Final = 13
MARKS_A_ROW: Final = 12
# Hundredths of an em that the letters from space to tilde take in DejaVu Sans, plain and bold: no usual face is wider,
# so what fits there fits everywhere.
_PLAIN: Final = (
    "32 41 46 84 64 96 78 28 40 40 50 84 32 37 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 54 100 69 69 70 78 "
    "64 58 78 76 30 30 66 56 87 75 79 61 79 70 64 62 74 69 99 69 62 69 40 34 40 84 50 50 62 64 55 64 62 36 64 64 28 28 "
    "58 28 98 64 62 64 64 42 53 40 64 60 82 60 60 53 64 34 64 84"
)
_BOLD: Final = (
    "35 46 53 84 70 101 88 31 46 46 53 84 38 42 38 37 70 70 70 70 70 70 70 70 70 70 40 40 84 84 84 59 100 78 77 74 84 "
    "69 69 83 84 38 38 78 64 100 84 86 74 86 78 73 69 82 78 111 78 73 73 46 37 46 84 50 50 68 72 60 72 68 44 72 72 35 "
    "35 67 35 105 72 69 72 72 50 60 48 72 66 93 65 66 59 72 37 72 84"
)
_EMS: Final = {bold: tuple(map(int, row.split())) for bold, row in ((False, _PLAIN), (True, _BOLD))}
_OTHER: Final = 100


def text_px(text: str, style: Style) -> int:
    """How wide a text is at most."""
    row = _EMS[style in BOLD]
    ems = sum(row[ord(letter) - 32] if " " <= letter <= "~" else _OTHER for letter in text)
    return math.ceil(ems * FONT_PX[style] / 100)


def wrap(text: str, style: Style, px: int) -> tuple[str, ...]:
    """Lines no wider than `px`; a word that is wider stands alone."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_px(longer, style) <= px:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


@dataclass(frozen=True)
class Line:
    text: str
    style: Style = "note"


@dataclass(frozen=True)
class Box:
    """`kind` is how it looks, "" for a mere group; `key` how an arrow finds it."""

    kind: str
    lines: tuple[Line, ...] = ()
    children: tuple[Box, ...] = ()
    flow: Literal["row", "column"] = "column"
    key: str = ""
    icon: str = ""
    marks: int = 0
    pad: int = 10
    gap: int = 10
    lane: int = 0  # kept free at its right
    margin: int = 0  # kept free at its left
    centred: bool = False
    grow: bool = False  # takes the height that a column has left
    even: bool = False  # in a row, all are as wide as the widest

    def outer(self) -> Size:
        width, height = measure(self)
        return width + self.lane + self.margin, height


@dataclass(frozen=True)
class Text:
    """Where it begins (or its middle, when centred) and its baseline."""

    x: int
    y: int
    line: Line
    centred: bool = False

    @property
    def left(self) -> int:
        return self.x - text_px(self.line.text, self.line.style) // 2 if self.centred else self.x


@dataclass(frozen=True)
class Placed:
    kind: str
    key: str
    icon: str
    x: int
    y: int
    width: int
    height: int
    texts: tuple[Text, ...] = ()
    marks: tuple[Point, ...] = ()
    children: tuple[Placed, ...] = ()
    icon_at: Point = field(default=(0, 0))

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def centre(self) -> int:
        """Half its height down."""
        return self.y + self.height // 2

    def walk(self) -> Iterator[Placed]:
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, key: str) -> Placed | None:
        return next((box for box in self.walk() if box.key == key), None)


def _head(box: Box) -> Size:
    width = max((text_px(line.text, line.style) for line in box.lines), default=0)
    icon = ICON_PX + 6 if box.icon else 0
    return width + icon, sum(LINE_PX[line.style] for line in box.lines)


def _marks(box: Box) -> Size:
    across = min(box.marks, MARKS_A_ROW)
    return across * MARK_STEP, math.ceil(box.marks / MARKS_A_ROW) * (MARK[1] + 4)


def _content(box: Box) -> Size:
    sizes = [child.outer() for child in box.children]
    if not sizes:
        return 0, 0
    if box.even:
        widest = max(width for width, _ in sizes)
        sizes = [(widest, height) for _, height in sizes]
    gaps = box.gap * (len(sizes) - 1)
    if box.flow == "row":
        return sum(width for width, _ in sizes) + gaps, max(height for _, height in sizes)
    return max(width for width, _ in sizes), sum(height for _, height in sizes) + gaps


@lru_cache(maxsize=4096)
def measure(box: Box) -> Size:
    """The least it needs."""
    parts = [size for size in (_head(box), _marks(box), _content(box)) if size[1]]
    between = 6 * (len(parts) - 1) if box.kind else 0
    width = max((size[0] for size in parts), default=0) + 2 * box.pad
    return width, sum(size[1] for size in parts) + between + 2 * box.pad


def place(box: Box, x: int, y: int, size: Size) -> Placed:
    """The box with its upper left corner there, as large as `size`, which is at least what it needs."""
    width, height = size
    inner, top = width - 2 * box.pad, y + box.pad
    texts, top = _texts(box, x, top, width)
    if box.marks:
        top += 6 if box.lines else 0
    marks, top = _mark_points(box, x + box.pad, top)
    if box.children and box.kind and (box.lines or box.marks):
        top += 6
    laid = _row if box.flow == "row" else _column
    children = laid(box, x + box.pad, top, (inner, y + height - box.pad - top))
    icon_at = (texts[0].left - ICON_PX - 6, texts[0].y - 13) if box.icon and texts else (x, y)
    return Placed(box.kind, box.key, box.icon, x, y, width, height, texts, marks, children, icon_at)


def _texts(box: Box, x: int, top: int, width: int) -> tuple[tuple[Text, ...], int]:
    icon = ICON_PX + 6 if box.icon else 0
    left = x + (width + icon) // 2 if box.centred else x + box.pad + icon
    found = []
    for line in box.lines:
        top += LINE_PX[line.style]
        found.append(Text(left, top - 4, line, box.centred))
    return tuple(found), top


def _mark_points(box: Box, x: int, top: int) -> tuple[tuple[Point, ...], int]:
    step = MARK[1] + 4
    points = tuple(
        (x + number % MARKS_A_ROW * MARK_STEP, top + number // MARKS_A_ROW * step) for number in range(box.marks)
    )
    return points, top + _marks(box)[1]


def _row(box: Box, x: int, top: int, size: Size) -> tuple[Placed, ...]:
    """Side by side, all as high; what is left of the width is shared out evenly."""
    children = box.children
    spare = size[0] - _content(box)[0]
    widest = max((child.outer()[0] for child in children), default=0)
    placed = []
    for child in children:
        least = widest - child.lane - child.margin if box.even else measure(child)[0]
        width = least + spare // len(children)
        placed.append(place(child, x + child.margin, top, (width, size[1])))
        x += child.margin + width + child.lane + box.gap
    return tuple(placed)


def _column(box: Box, x: int, top: int, size: Size) -> tuple[Placed, ...]:
    """One below the other, all as wide; what is left of the height goes to those that grow."""
    growing = sum(child.grow for child in box.children)
    spare = size[1] - _content(box)[1]
    placed = []
    for child in box.children:
        height = measure(child)[1] + (spare // growing if child.grow else 0)
        placed.append(place(child, x + child.margin, top, (size[0] - child.lane - child.margin, height)))
        top += height + box.gap
    return tuple(placed)

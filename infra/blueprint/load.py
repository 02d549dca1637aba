"""Read a blueprint file; report everything wrong with it at once, each with its place and a hint.

    blueprints/x.yaml:4:1: unknown field 'prot'
        prot: 9000
        ^
        hint: did you mean 'port'?
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from infra.blueprint.model import Blueprint, HostSpec, Waiver

MAX_BLUEPRINT_BYTES: Final = 1 << 20  # people write these; a wrong path must not fill the memory
MAX_NODES: Final = 5_000  # aliases of aliases unfold without end; sixty hosts are some hundred values
_MODELS: Final[dict[str, type[BaseModel]]] = {"hosts": HostSpec, "waivers": Waiver}
_TYPES: Final = {
    "int_type": "a whole number is expected here",
    "string_type": "text is expected here",
    "tuple_type": "a list is expected here",
    "model_type": "fields are expected here",
    "too_short": "at least one is needed",
}


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


class BlueprintError(Exception):
    """The file cannot be used; `problems` in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class _TooManyNodesError(Exception):
    pass


def load(path: Path) -> Blueprint:
    """Raises: BlueprintError with all problems: unreadable, no YAML, unknown, missing or ill-typed fields."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BLUEPRINT_BYTES + 1)
        if len(raw) > MAX_BLUEPRINT_BYTES:
            raise BlueprintError((Problem(str(path), 1, 1, f"is larger than {MAX_BLUEPRINT_BYTES} bytes"),))
        text = raw.decode()
    except OSError as error:
        raise BlueprintError((Problem(str(path), 1, 1, f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise BlueprintError((Problem(str(path), 1, 1, "is not UTF-8 text"),)) from error
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> Blueprint:
    """As `load`, from text; `name` stands in messages for the file."""
    source = _Source(name, text.splitlines())
    try:
        tree = YAML().load(text)
    except MarkedYAMLError as error:
        raise BlueprintError((source.syntax(error),)) from error
    except YAMLError as error:  # characters YAML does not allow
        raise BlueprintError((Problem(name, 1, 1, f"is no YAML: {error}"),)) from error
    except ValueError as error:  # a date such as 2026-13-01
        raise BlueprintError((Problem(name, 1, 1, f"holds a value that cannot be: {error}"),)) from error
    except RecursionError as error:
        raise BlueprintError((Problem(name, 1, 1, "is nested too deeply"),)) from error
    if not isinstance(tree, Mapping):
        raise BlueprintError((Problem(name, 1, 1, "is no blueprint: 'field: value' lines are expected"),))
    try:
        return Blueprint.model_validate(_plain(tree, itertools.count()))
    except (_TooManyNodesError, RecursionError) as error:  # an alias to itself
        problem = Problem(name, 1, 1, f"unfolds to more than {MAX_NODES} values", hint="use no aliases")
        raise BlueprintError((problem,)) from error
    except ValidationError as error:
        problems = [source.problem(tree, details) for details in _own_findings(error)]
        raise BlueprintError(tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))) from error


@dataclass(frozen=True)
class _Source:
    name: str
    lines: list[str]

    def at(self, place: tuple[int, int], message: str, hint: str) -> Problem:
        line, column = place
        text = self.lines[line] if line < len(self.lines) else ""
        return Problem(self.name, line + 1, column + 1, message, text, hint)

    def syntax(self, error: MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        place = (mark.line, mark.column) if mark else (0, 0)
        if isinstance(error, DuplicateKeyError):
            return self.at(place, str(error.problem or error).split(" with value")[0], "a field is written once")
        return self.at(place, f"YAML: {error.problem or error.context}", "indent with spaces; quote what holds ': '")

    def problem(self, tree: Any, details: ErrorDetails) -> Problem:
        where = tuple(details["loc"])
        context = details.get("ctx", {})
        if "item" in context:
            where = (*where, context["item"])
        place = _position(tree, where, on_key=details["type"] in ("extra_forbidden", "duplicate"))
        name = _field_name(where)
        known = _MODELS.get(str(where[0]), Blueprint).model_fields if len(where) > 1 else Blueprint.model_fields
        match details["type"]:
            case "extra_forbidden":
                near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known fields: {', '.join(known)}"
                return self.at(place, f"unknown field {str(where[-1])!r}", hint)
            case "missing":
                return self.at(place, f"field {name!r} is missing", _describe(known, where))
            case kind:
                message = _TYPES.get(kind, details["msg"][:1].lower() + details["msg"][1:])
                return self.at(place, f"{name}: {message}", _describe(known, where))


def _describe(known: Mapping[str, Any], where: tuple[int | str, ...]) -> str:
    words = [part for part in where if isinstance(part, str)]
    field = known.get(words[-1]) if words else None
    return (field.description or "") if field else ""


def _field_name(where: tuple[int | str, ...]) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _position(tree: Any, where: tuple[int | str, ...], *, on_key: bool) -> tuple[int, int]:
    """Line and column (from 0) of a value, of its key, or of the nearest parent that is there."""
    place = (0, 0)
    node = tree
    for number, part in enumerate(where):
        if isinstance(part, str) and isinstance(node, CommentedMap) and part in node:
            last = number == len(where) - 1
            # A value that is not there has no place of its own: the parser names the next line.
            place = node.lc.key(part) if (on_key and last) or node[part] is None else node.lc.value(part)
        elif isinstance(part, int) and isinstance(node, CommentedSeq) and part < len(node):
            place = node.lc.item(part)
        else:
            break
        node = node[part]
    return place


def _own_findings(error: ValidationError) -> list[ErrorDetails]:
    """Without `too few items` where items are there but wrong: those have findings of their own."""
    found = error.errors()
    deeper = {details["loc"][:1] for details in found if len(details["loc"]) > 1}
    return [details for details in found if not (details["type"] == "too_short" and details["loc"] in deeper)]


def _plain(node: Any, counter: Iterator[int]) -> Any:
    """Round-trip containers as plain ones: the model sees values, positions stay in the tree."""
    if next(counter) > MAX_NODES:
        raise _TooManyNodesError
    if isinstance(node, Mapping):
        return {str(key): _plain(value, counter) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item, counter) for item in node]
    return node

"""Read a blueprint file; report everything wrong with it at once, each with its place and a hint.

    blueprints/x.yaml:4:1: unknown field 'prot'
        prot: 9000
        ^
        hint: did you mean 'port'?

What was probably meant (a near key, a figure with another unit) is put in its place and the rest is judged with it, so
that rules between sections, and the checks on the Plan, speak in the same run.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from infra.blueprint import units
from infra.blueprint.model import Blueprint
from infra.blueprint.problem import Problem, Source, position
from infra.blueprint.references import DRAFT, REFERENCES, Finding, Where, findings

__all__ = ["BlueprintError", "Problem", "load", "locate", "parse"]

MAX_BLUEPRINT_BYTES: Final = 1 << 20  # people write these; a wrong path must not fill the memory
MAX_NODES: Final = 5_000  # aliases of aliases unfold without end; sixty hosts are some hundred values
ROUNDS: Final = 3  # of putting in what was meant; one typo rarely hides more than one other
_TYPES: Final = {
    "int_type": "a whole number is expected here",
    "string_type": "text is expected here",
    "tuple_type": "a list is expected here",
    "model_type": "fields are expected here",
    "too_short": "at least one is needed",
}


class BlueprintError(Exception):
    """The file cannot be used; `problems` in the order of the file.

    `draft` is what it would be if what was probably meant stood there: good for finding more at once, for nothing else.
    """

    def __init__(self, problems: tuple[Problem, ...], draft: Blueprint | None = None) -> None:
        self.problems = problems
        self.draft = draft
        super().__init__("\n".join(str(problem) for problem in problems))


class TooManyNodesError(Exception):
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
    source = Source(name, text.splitlines())
    tree = tree_of(text, source)
    plain = unfolded(tree, name=name)
    try:
        return Blueprint.model_validate(plain)
    except ValidationError as error:
        problems = [found for details in _own_findings(error) for found in _problems(source, tree, details)]
        draft = _draft(plain, error)
        if draft is not None and not any(details["type"] == REFERENCES for details in error.errors()):
            problems += [_place(source, tree, finding) for finding in findings(draft)]
        problems.sort(key=lambda problem: (problem.line, problem.column))
        raise BlueprintError(tuple(problems), draft) from error


def unfolded(tree: Any, *, name: str) -> Any:
    """The tree's plain values, within a bound. Raises: BlueprintError."""
    try:
        return plain_of(tree, itertools.count())
    except (TooManyNodesError, RecursionError) as error:  # an alias to itself
        problem = Problem(name, 1, 1, f"unfolds to more than {MAX_NODES} values", hint="use no aliases")
        raise BlueprintError((problem,)) from error


def locate(path: Path, where: Where, message: str, hint: str = "") -> Problem:
    """A finding of a check at its place in the file. Never fails: what is not there is shown at its nearest parent."""
    try:
        text = path.read_text()
        source = Source(str(path), text.splitlines())
        return source.at(position(tree_of(text, source), where, on_key=False), message, hint)
    except (OSError, UnicodeDecodeError, BlueprintError):
        return Problem(str(path), 1, 1, message, hint=hint)


def placed(text: str, *, name: str, found: tuple[Finding, ...]) -> tuple[Problem, ...]:
    """As `locate`, for many findings in one text. Raises: BlueprintError when it is no YAML."""
    source = Source(name, text.splitlines())
    tree = tree_of(text, source)
    return tuple(_place(source, tree, finding) for finding in found)


def tree_of(text: str, source: Source) -> Mapping[Any, Any]:
    """The round-trip tree, which knows places. Raises: BlueprintError."""
    name = source.name
    try:
        tree = YAML().load(text)
    except MarkedYAMLError as error:
        raise BlueprintError((_syntax(source, error),)) from error
    except YAMLError as error:  # characters YAML does not allow
        raise BlueprintError((Problem(name, 1, 1, f"is no YAML: {error}"),)) from error
    except ValueError as error:  # a date such as 2026-13-01
        raise BlueprintError((Problem(name, 1, 1, f"holds a value that cannot be: {error}"),)) from error
    except RecursionError as error:
        raise BlueprintError((Problem(name, 1, 1, "is nested too deeply"),)) from error
    if not isinstance(tree, Mapping):
        raise BlueprintError((Problem(name, 1, 1, "is no blueprint: 'field: value' lines are expected"),))
    return tree


def _syntax(source: Source, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = (mark.line, mark.column) if mark else (0, 0)
    if isinstance(error, DuplicateKeyError):
        return source.at(place, str(error.problem or error).split(" with value")[0], "a field is written once")
    return source.at(place, f"YAML: {error.problem or error.context}", "indent with spaces; quote what holds ': '")


def _place(source: Source, tree: Any, finding: Finding) -> Problem:
    return source.at(position(tree, finding.where, on_key=False), finding.text, finding.hint)


def _problems(source: Source, tree: Any, details: ErrorDetails) -> Iterator[Problem]:
    if details["type"] == REFERENCES:
        for finding in details["ctx"]["findings"]:
            yield _place(source, tree, finding)
    else:
        yield _problem(source, tree, details)


def _problem(source: Source, tree: Any, details: ErrorDetails) -> Problem:
    where = tuple(details["loc"])
    context = details.get("ctx", {})
    if "item" in context:
        where = (*where, context["item"])
    on_key = details["type"] in ("extra_forbidden", "duplicate") or where[-1:] == ("[key]",)
    where = tuple(part for part in where if part != "[key]")
    place = position(tree, where, on_key=on_key)
    name, known = _field_name(where), _fields(where)
    match details["type"]:
        case "extra_forbidden":
            near = _near(str(where[-1]), known)
            hint = f"did you mean {near!r}?" if near else f"known fields: {', '.join(known)}"
            return source.at(place, f"unknown field {str(where[-1])!r}", hint)
        case "missing":
            return source.at(place, f"field {name!r} is missing", _describe(known, where))
        case "somewhere":
            return source.at(place, details["msg"], "give one of the two")
        case "int_type" | "int_parsing" if unit := units.unit(_last_word(where)):
            whole = units.whole(_last_word(where), details["input"])
            hint = f"write {whole}" if whole else _describe(known, where)
            return source.at(place, f"{name}: a whole number of {unit} is expected here", hint)
        case "literal_error" if near := _near(str(details["input"]), _expected(details)):
            return source.at(place, f"{name}: {_lowered(details['msg'])}", f"did you mean {near!r}?")
        case kind:
            message = _TYPES.get(kind, _lowered(details["msg"]))
            return source.at(place, f"{name}: {message}" if name else message, _describe(known, where))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _near(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.5)), None)


def _expected(details: ErrorDetails) -> tuple[str, ...]:
    """The allowed words of a field, out of the sentence that names them."""
    return tuple(str(details.get("ctx", {}).get("expected", "")).split("'")[1::2])


def _last_word(where: Where) -> str:
    return next((part for part in reversed(where) if isinstance(part, str)), "")


def _fields(where: Where) -> Mapping[str, FieldInfo]:
    """The fields of the model in which the last part of `where` stands."""
    model: type[BaseModel] = Blueprint
    for part in where[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = model_of(model.model_fields[part].annotation) or model
    return model.model_fields


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The section within `X`, `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := model_of(inner))), None)


def _describe(known: Mapping[str, FieldInfo], where: Where) -> str:
    field = known.get(_last_word(where))
    return (field.description or "") if field else ""


def _field_name(where: Where) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _own_findings(error: ValidationError) -> list[ErrorDetails]:
    """Without `too few items` where items are there but wrong: those have findings of their own."""
    found = error.errors()
    deeper = {details["loc"][:1] for details in found if len(details["loc"]) > 1}
    return [details for details in found if not (details["type"] == "too_short" and details["loc"] in deeper)]


# --- what was probably meant -----------------------------------------------------------------------------------------
def _draft(plain: Any, error: ValidationError) -> Blueprint | None:
    """The blueprint with each finding repaired or left out; None when too little is left."""
    for _ in range(ROUNDS):
        for details in error.errors():
            _repair(plain, details)
        try:
            return Blueprint.model_validate(plain, context=DRAFT)
        except ValidationError as next_error:
            error = next_error
    return None


def _repair(plain: Any, details: ErrorDetails) -> None:
    *path, last = tuple(details["loc"]) or ("",)
    node = plain
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return
    if not isinstance(node, dict) or last not in node:
        return
    value = node.pop(last)
    match details["type"]:
        case "extra_forbidden":
            near = _near(str(last), _fields(tuple(details["loc"])))
            if near and near not in node:
                node[near] = value
        case "int_type" | "int_parsing" if whole := units.whole(str(last), value):
            node[last] = whole
        case "literal_error" if near := _near(str(value), _expected(details)):
            node[last] = near


def plain_of(node: Any, counter: Iterator[int]) -> Any:
    """Round-trip containers as plain ones: the model sees values, positions stay in the tree."""
    if next(counter) > MAX_NODES:
        raise TooManyNodesError
    if isinstance(node, Mapping):
        return {str(key): plain_of(value, counter) for key, value in node.items()}
    if isinstance(node, list):
        return [plain_of(item, counter) for item in node]
    return node

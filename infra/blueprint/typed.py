"""Any small YAML file with a model of its own, read as strictly as a blueprint: all findings, each in its place.

    infra/catalogue/prices.yaml:12:5: prices[3].amount: input should be greater than 0
        amount: 0
        ^
        hint: a price that is not known is left out, and is then UNKNOWN
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra.blueprint.load import (
    MAX_BLUEPRINT_BYTES,
    BlueprintError,
    model_of,
    tree_of,
    unfolded,
)
from infra.blueprint.problem import Problem, Source, position

Model = TypeVar("Model", bound=BaseModel)
_WORDS: Final = {
    "missing": "is missing",
    "tuple_type": "a list is expected here",
    "model_type": "fields are expected here",
    "dict_type": "fields are expected here",
    "int_type": "a whole number is expected here",
    "string_type": "text is expected here",
}


def parse(text: str, model: type[Model], *, name: str) -> Model:
    """`name` stands in messages for the file. Raises: BlueprintError with every problem."""
    if len(text.encode()) > MAX_BLUEPRINT_BYTES:
        raise BlueprintError((Problem(name, 1, 1, f"is larger than {MAX_BLUEPRINT_BYTES} bytes"),))
    source = Source(name, text.splitlines())
    if not any(line.strip() and not line.lstrip().startswith("#") for line in source.lines):
        text = "{}"  # nothing but comments: everything is left out
    tree = tree_of(text, source)
    plain = unfolded(tree, name=name)
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        found = [_problem(source, tree, model, details) for details in error.errors()]
        raise BlueprintError(tuple(sorted(found, key=lambda problem: (problem.line, problem.column)))) from error


def _problem(source: Source, tree: Any, model: type[BaseModel], details: ErrorDetails) -> Problem:
    where = tuple(part for part in details["loc"] if part != "[key]")
    context = details.get("ctx", {})
    if "where" in context:
        where = (*where, *context["where"])
    fields = _fields(model, where)
    unknown = details["type"] == "extra_forbidden"
    place = position(tree, where, on_key=unknown)
    if unknown:
        near = difflib.get_close_matches(str(where[-1]), fields, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known fields: {', '.join(fields)}"
        return source.at(place, f"unknown field {str(where[-1])!r}", hint)
    words = _WORDS.get(details["type"], details["msg"][:1].lower() + details["msg"][1:])
    last = next((part for part in reversed(where) if isinstance(part, str)), "")
    field = fields.get(last)
    name = _spoken(where)
    hint = str(context.get("hint", "")) or ((field.description or "") if field else "")
    return source.at(place, f"{name}: {words}" if name else words, hint)


def _fields(model: type[BaseModel], where: tuple[str | int, ...]) -> Mapping[str, FieldInfo]:
    for part in where[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = model_of(model.model_fields[part].annotation) or model
    return model.model_fields


def _spoken(where: tuple[str | int, ...]) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text

"""The manual of the blueprint language: every knob with its default, written from the model. Pure."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from infra.blueprint.load import model_of
from infra.blueprint.model import Blueprint
from infra.blueprint.sizes import ENVIRONMENTS, SIZES

HEAD: Final = """\
# Every knob

Written from the model (`infra/blueprint/model.py`, `sections.py`, `sizes.py`). After a change there:
`KAKERA_GOLDEN=write python -m pytest tests/infra/test_manual.py`.
"""


def manual() -> str:
    """Markdown: the top of the file, then each section."""
    top, sections = [], []
    for name, field in Blueprint.model_fields.items():
        model = model_of(field.annotation)
        if model is None:
            top.append(_row("", name, field))
        else:
            sections.append(_section(name, field, model))
    table = ["| field | default | what |", "|---|---|---|", *top]
    return "\n".join([HEAD, *table, "", *sections])


def _section(name: str, field: FieldInfo, model: type[BaseModel]) -> str:
    many = get_origin(field.annotation) is tuple
    rows = [_row(name, inner, found) for inner, found in model.model_fields.items()]
    summary = (model.__doc__ or "").strip()
    title = f"## `{name}`{' (a list)' if many else ''}"
    return "\n".join([title, "", summary, "", "| field | default | what |", "|---|---|---|", *rows, ""])


def _row(section: str, name: str, field: FieldInfo) -> str:
    words = _words(field.annotation)
    what = (field.description or "") + (f" ({', '.join(words)})" if words else "")
    return f"| `{name}` | {_default(section, name, field)} | {what.replace('|', '/')} |"


def _words(annotation: Any) -> tuple[str, ...]:
    """The words a field takes, when it takes but some."""
    return tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ()


def _default(section: str, name: str, field: FieldInfo) -> str:
    for tables in (SIZES, ENVIRONMENTS):
        found = {word: table.get(section, {}).get(name) for word, table in tables.items()}
        if all(value is not None for value in found.values()):
            return " · ".join(f"{word} {_plain(value)}" for word, value in found.items())
    if field.is_required():
        return "required"
    return _plain(field.get_default(call_default_factory=True))


def _plain(value: Any) -> str:
    if value is None or value == () or value == {}:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)

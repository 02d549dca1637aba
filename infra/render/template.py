"""How text is made: Jinja2 templates of this room, with what each file format quotes by."""

from __future__ import annotations

import base64
import json
from typing import Any

import jinja2
import tomlkit
from tomlkit.exceptions import TOMLKitError


def toml(value: Any) -> str:
    """A Python value as TOML. Raises: TypeError for what the templates have no need of."""
    if not isinstance(value, (str, int, list, tuple)):
        raise TypeError(f"no TOML for {type(value).__name__}")
    try:
        return tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()
    except TOMLKitError as error:
        raise TypeError(str(error)) from error


def yaml(value: Any) -> str:
    """A Python value as YAML in one line: JSON is a part of it."""
    return json.dumps(value, ensure_ascii=False)


def _base64(value: str) -> str:
    """For `write_files` of cloud-init: no text can break out of it."""
    return base64.b64encode(value.encode()).decode()


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("infra.render"),
    undefined=jinja2.StrictUndefined,
    # XML quotes everything; elsewhere each value passes the filter of its format.
    autoescape=jinja2.select_autoescape(enabled_extensions=("svg.j2",), default=False),
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(toml=toml, yaml=yaml, base64=_base64)


def render(name: str, **values: Any) -> str:
    """Raises: jinja2.UndefinedError when the template asks for what it was not given."""
    return _ENVIRONMENT.get_template(name).render(**values)


def source(name: str) -> str:
    """A file of the templates' folder as it is."""
    assert _ENVIRONMENT.loader is not None
    return _ENVIRONMENT.loader.get_source(_ENVIRONMENT, name)[0]

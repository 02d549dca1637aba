"""Change single values of a blueprint's text; comments and order stay. Pure.

A setting is `field=value` or `section.field=value`; the value is read as YAML, so `zones=[a, b]` is a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.compat import StringIO
from ruamel.yaml.error import YAMLError


class SettingError(ValueError):
    """A setting that cannot be understood; the message names it and the remedy."""


def setting(text: str) -> tuple[str, Any]:
    """`a.b=value` as its path and value. Raises: SettingError."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise SettingError(f"{text!r}: write field=value, or section.field=value")
    try:
        return path.strip(), YAML(typ="safe").load(value)
    except (YAMLError, ValueError) as error:
        raise SettingError(f"{text!r}: the value is no YAML: {error}") from error


def edited(text: str, settings: Mapping[str, Any]) -> str:
    """`text` with each path of `settings` set to its value; a section or an item that is not there is made.

    A number in a path is the place in a list: `regions.0.cidr`. Raises: SettingError for a path through a plain value.
    """
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    tree = yaml.load(text)
    for path, value in settings.items():
        _set(tree, path, value)
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _set(tree: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node = tree
    for part in parents:
        if isinstance(node, CommentedSeq) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, CommentedMap):
            if node.get(part) is None:
                node[part] = CommentedMap()
            node = node[part]
        else:
            raise SettingError(f"{path}: there is no {part!r} to set something in")
    if isinstance(node, CommentedSeq) and last.isdigit() and int(last) < len(node):
        node[int(last)] = _inline(value)
    elif isinstance(node, CommentedMap):
        node[last] = _inline(value)
    else:
        raise SettingError(f"{path}: there is no place for {last!r}")


def _inline(value: Any) -> Any:
    """Lists of plain values on one line, as people write them."""
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        found = CommentedSeq(value)
        found.fa.set_flow_style()
        return found
    return value

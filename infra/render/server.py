"""server.toml of one host: the contract with the store (docs/adr/0001). Holds no secret, names the files that do."""

from __future__ import annotations

import posixpath
from typing import Any

import jinja2

from infra.blueprint.plan import Plan


def toml(value: Any) -> str:
    """A Python value as TOML. Raises: TypeError for what the templates have no need of."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f'"{"".join(_escape(character) for character in value)}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(item) for item in value)}]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04X}"
    return character


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("infra.render"),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # TOML, escaped by the filter
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["toml"] = toml


def server_toml(plan: Plan, *, host_name: str, data_root: str) -> str:
    """The settings of host `host_name` with the Plan's paths below `data_root` (absolute).

    Raises: KeyError (no such host), ValueError (data_root is relative).
    """
    if not posixpath.isabs(data_root):
        raise ValueError(f"data root {data_root!r} is not absolute")
    host = plan.host(host_name)
    address = f"[{host.address}]" if ":" in host.address else host.address
    return _ENVIRONMENT.get_template("server.toml.j2").render(
        plan=plan,
        host=host,
        listen=f"{address}:{host.port}",
        below=lambda path: posixpath.join(data_root, path),
    )

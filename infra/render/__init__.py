"""Plan -> the files a host reads. Pure: text in, text out."""

from infra.render.server import server_toml

__all__ = ["server_toml"]

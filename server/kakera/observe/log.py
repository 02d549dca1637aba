"""Logs: one JSON object a line on standard output. Events go through structlog; finished requests through `ledger`.

Never logged: secrets, signatures, Authorization, the values of a query, bodies, plain keys of encryption (R10).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_FORBIDDEN = frozenset(
    ("authorization", "signature", "secret", "secret_access_key", "query", "raw_query", "password", "token")
)


def get_logger(room: str) -> Any:
    """A structlog logger bound to its room; safe to make at import time."""
    return structlog.get_logger(room=room)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A net under the rule above, not a licence to log such things."""
    for name in _FORBIDDEN.intersection(event):
        event[name] = "[redacted]"
    return event


def _chain() -> list[Any]:
    return [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
        structlog.processors.format_exc_info,
    ]


def configure(level: str, process: str) -> None:
    """Set this process's logging: structlog and the standard library's loggers of others (gunicorn, uvicorn, asyncio)
    alike.

    process: "supervisor", "committer", "http" or "background", shown in every line."""
    number = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *_chain(),
            _name(process),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO))


def formatter(process: str) -> logging.Formatter:
    """Standard library records as the same JSON lines."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_chain(), structlog.stdlib.add_logger_name, _name(process)],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )


def _name(process: str) -> Any:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return add

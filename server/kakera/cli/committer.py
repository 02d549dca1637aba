"""Asking a running committer from a command: one connection, one answer, a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kakera.base import errors, limits
from kakera.cli.terms import Stop
from kakera.config import Config
from kakera.journal.client import JournalClient
from kakera.journal.commands import StatusReply

T = TypeVar("T")


def ask(config: Config, question: Callable[[JournalClient], Awaitable[T]], *, limit_s: float) -> T:
    """Raises: Stop when the server does not run or does not answer in time."""
    from kakera.assemble import Paths

    path = Paths.of(config).socket
    if not path.exists():
        raise Stop("the server is not running (its committer has no socket)")

    async def run() -> T:
        client = JournalClient(path, resend_limit_s=limit_s)
        await client.open()
        try:
            return await asyncio.wait_for(question(client), limit_s)
        finally:
            await client.close()

    try:
        return asyncio.run(run())
    except TimeoutError as error:
        raise Stop("the committer does not answer") from error
    except errors.KakeraError as error:
        raise Stop(f"the committer answers: {error.message}") from error


def status(config: Config) -> StatusReply:
    """What the committer says of itself. Raises: Stop."""
    from kakera.assemble import ask_status

    reply: StatusReply = ask(config, ask_status, limit_s=limits.READY_WAIT_S)
    return reply

"""Which dialect speaks? One today. A second one is told apart here, by what only its requests carry (scheme of authorization, prefix of
headers), and nowhere else."""

from __future__ import annotations

from kakera.dialects.http import Request, Response
from kakera.dialects.s3.core_api import Services
from kakera.dialects.s3.handle import handle as handle_s3


async def handle(request: Request, services: Services) -> Response:
    """Answer a request in the dialect it was asked in. Raises nothing but cancellation."""
    return await handle_s3(request, services)

"""How a call is refused.

    Refusal                 nothing was done, or the answer was lost
      HalfMade              it is there, and reported as failed: the engine records it and tries an update next
"""

from __future__ import annotations

from infra.rehearsal.wire import Values


class Refusal(Exception):
    """The call fails with this message."""


class HalfMade(Refusal):
    """Made or changed, but not finished."""

    def __init__(self, reason: str, identity: str, state: Values, inputs: Values) -> None:
        super().__init__(reason)
        self.identity = identity
        self.state = state
        self.inputs = inputs

"""The typed configuration of a stack: what `init` writes and the program reads, in the namespace `kakera`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from infra.blueprint.model import Frozen

Mode = Literal["real", "rehearsal"]
NAMESPACE: Final = "kakera"
RELEASED: Final = "KAKERA_RELEASED"  # for one run: names, parted by spaces, of what is about to be removed on purpose


class Secure(Frozen):
    """An encrypted value, as the engine writes it."""

    secure: str = Field(description="ciphertext; `kakera-infra init` writes it")


class StackConfig(Frozen):
    """Keys without the namespace."""

    blueprint: str = Field(min_length=1, description="the environment's file: from the program's checkout, or absolute")
    part: str = Field(min_length=1, description="a region's name, `global` or `account`")
    mode: Mode = Field(description="never changes in the life of a stack")
    secrets: dict[str, Secure] = Field(default={}, description="name -> encrypted value; names are the Plan's")

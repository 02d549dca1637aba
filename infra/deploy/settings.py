"""The stack's configuration (typed in `infra/blueprint/stack.py`), and what refuses a stack that disagrees with it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pulumi
from pydantic import ValidationError

from infra import naming
from infra.blueprint.stack import NAMESPACE, Mode, StackConfig

STATE_PAUSES_S: Final = (0.05, 0.2, 0.5, 1.0)  # a write takes milliseconds


@dataclass(frozen=True)
class Settings:
    """What the stack's configuration says."""

    blueprint: Path
    part: str
    mode: Mode
    secrets: pulumi.Output[Mapping[str, str]]
    given: frozenset[str] = frozenset()  # names of the secrets

    def secret(self, name: str) -> pulumi.Output[str]:
        """One secret's value. Fails, naming the stack, when the configuration lacks it."""

        def pick(found: Mapping[str, str]) -> str:
            if name not in found:
                stack = pulumi.get_stack()
                raise pulumi.RunError(f"secret {name!r} is missing in stack {stack}: run kakera-infra init")
            return found[name]

        return pulumi.Output.secret(self.secrets.apply(pick))


def read(*, checkout: Path) -> Settings:
    """The stack's configuration. Raises: pulumi.RunError naming the key and the remedy."""
    config = pulumi.Config(NAMESPACE)
    found = {key: value for key in ("blueprint", "part", "mode") if (value := config.get(key)) is not None}
    try:
        typed = StackConfig.model_validate(found)
    except ValidationError as error:
        wrong = "; ".join(f"{NAMESPACE}:{item['loc'][0]}: {item['msg'].lower()}" for item in error.errors())
        raise pulumi.RunError(f"{wrong}; run kakera-infra init") from error
    return Settings(
        blueprint=checkout / typed.blueprint,
        part=typed.part,
        mode=typed.mode,
        secrets=config.get_secret_object("secrets") or pulumi.Output.from_input({}),
        # Names are no secrets, and are wanted before the first resource; an output is known after it.
        given=frozenset(json.loads(pulumi.runtime.get_config(f"{NAMESPACE}:secrets") or "{}")),
    )


def refuse_wrong_mode(settings: Settings) -> None:
    """P7: the mode, the environment and what this stack was made with agree. Raises: pulumi.RunError."""
    rehearsing = bool(os.environ.get("KAKERA_REHEARSAL_DIR"))
    if settings.mode == "real" and rehearsing:
        raise pulumi.RunError("a real stack under KAKERA_REHEARSAL_DIR: unset it, or use kakera-infra, which does")
    if settings.mode == "real" and os.environ.get("PULUMI_IGNORE_AMBIENT_PLUGINS") != "true":
        raise pulumi.RunError("a real run sets PULUMI_IGNORE_AMBIENT_PLUGINS=true, so that no provider on PATH answers")
    if settings.mode == "rehearsal" and not rehearsing:
        raise pulumi.RunError("a rehearsal says where its cloud lies: set KAKERA_REHEARSAL_DIR, or use kakera-infra")


def refuse_wrong_state(settings: Settings) -> None:
    """P7: every resource of the cloud in this stack's state was made in this mode. Raises: pulumi.RunError.

    Asked of the engine itself, before any resource: it holds for a state that a failed first `up` left, too.
    """
    for found in _own_state().values():
        identity = found["outputs"].get("id")
        if not found["type"].startswith("alicloud:") or identity is None:
            continue
        made = "rehearsal" if naming.of_rehearsal(str(identity)) else "real"
        if made != settings.mode:
            raise pulumi.RunError(
                f"{identity} in the state of {pulumi.get_stack()} was made in mode {made}, and kakera:mode says "
                f"{settings.mode}: a stack never changes its mode; make another environment with kakera-infra init"
            )


def _own_state() -> Mapping[str, Any]:
    """URN -> type and outputs of every resource that this stack's state has now.

    A state in a folder is written in two steps, and the engine writes while this reads: then it is asked again.
    """
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    for pause_s in (*STATE_PAUSES_S, None):
        try:
            told = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack}).value
            found: Mapping[str, Any] = told["outputs"]
            return found
        except Exception as error:  # the SDK raises no narrower one
            if pause_s is None or "failed to load checkpoint" not in str(error):
                raise
            time.sleep(pause_s)
    raise AssertionError("the last one returned or raised")

"""One environment opened: its mode, its variables, its stacks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.blueprint.plan import Plan
from infra.blueprint.stack import Mode
from infra.engine import environment
from infra.engine.programs import PLUGIN_FOLDER, EngineError, engine_bin
from infra.engine.project import Project, StackName, stacks
from infra.engine.stacks import Stack


@dataclass(frozen=True)
class Session:
    """What every command on an environment's stacks needs."""

    project: Project
    mode: Mode
    engine: Path
    variables: Mapping[str, str]  # our own ones, without the ambient
    ambient: Mapping[str, str]

    @classmethod
    def start(cls, project: Project, mode: Mode, ambient: Mapping[str, str]) -> Session:
        """For a mode that is known. Raises: EngineError when the engine cannot be had."""
        engine = engine_bin()
        variables = environment.variables(
            mode,
            engine=engine,
            python=Path(sys.executable).parent,
            plugin=PLUGIN_FOLDER,
            rehearsal=project.rehearsal,
            passphrase=project.passphrase,
            path=ambient.get("PATH", ""),
        )
        if mode == "rehearsal":
            project.rehearsal.mkdir(parents=True, exist_ok=True)
        return cls(project, mode, engine, variables, ambient)

    @classmethod
    def open(cls, project: Project, plan: Plan, ambient: Mapping[str, str]) -> Session:
        """For an environment that `init` made: its stack files say the mode, all the same one.

        Raises: EngineError when they are missing or disagree.
        """
        modes = {project.mode(stack.name) for stack in stacks(plan)}
        if len(modes) != 1:
            name = f"{plan.name}-{plan.environment}"
            raise EngineError(f"{name}: its stacks have different modes, real and rehearsal: make them anew")
        return cls.start(project, modes.pop(), ambient)

    def stack(self, name: StackName) -> Stack:
        whole = environment.whole(self.variables, self.ambient)
        return Stack(self.project, name, engine=self.engine, variables=whole)

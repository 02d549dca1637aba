"""The way of one blueprint, as a person would type it: choose, init, check, preview, up, render, up again, a change,
destroy. Every step is a process of its own; what it printed is what is read."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
COUNT: Final = re.compile(r"(\d+) (created|updated|replaced|deleted|unchanged)")
STEP_LIMIT_S: Final = 240
# What an architect answers to be told to take this blueprint.
ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "laptop": ("--survive", "drive", "--capacity-tib", "1", "--budget", "low"),
    "single-ecs": ("--survive", "drive", "--capacity-tib", "1", "--budget", "medium"),
    "three-zone": ("--survive", "zone", "--capacity-tib", "20"),
    "hybrid": ("--survive", "host", "--capacity-tib", "20", "--onprem"),
    "multi-region": ("--survive", "region", "--capacity-tib", "2", "--regions", "2"),
    "cdn-edge": ("--survive", "zone", "--capacity-tib", "5", "--public-read"),
}
# One size or number changed: nothing that holds data is replaced.
CHANGE: Final[dict[str, str]] = {
    "single-ecs": "storage.snapshot_days=9",
    "three-zone": "storage.snapshot_days=9",
    "hybrid": "tier.archive_days=60",
    "multi-region": "storage.snapshot_days=9",
    "cdn-edge": "storage.snapshot_days=9",
}


class WalkError(AssertionError):
    """A step did not do what it should; the message has what it printed."""


@dataclass(frozen=True)
class Counts:
    """Resources over all stacks of an environment."""

    created: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0
    unchanged: int = 0

    @classmethod
    def read(cls, text: str) -> Counts:
        total: dict[str, int] = {}
        for count, word in COUNT.findall(text):
            total[word] = total.get(word, 0) + int(count)
        return cls(**total)

    @property
    def changed(self) -> int:
        return self.created + self.updated + self.replaced + self.deleted


@dataclass(frozen=True)
class Result:
    """The line that is printed."""

    blueprint: str
    created: int
    unchanged: int
    replaced: int
    left: int

    def __str__(self) -> str:
        return (
            f"{self.blueprint:14} created {self.created:4}   unchanged on the second run {self.unchanged:4}   "
            f"replaced {self.replaced:3}   left after destroy {self.left:4}"
        )


@dataclass(frozen=True)
class Walk:
    """One environment in a project folder of its own."""

    blueprint: str
    folder: Path
    name: str = "acme"

    @property
    def environment(self) -> str:
        return f"{self.name}-dev"

    @property
    def file(self) -> Path:
        return self.folder / "environments" / f"{self.environment}.yaml"

    @property
    def cloud(self) -> Path:
        return self.folder / "build" / "rehearsal"

    def kakera(self, *arguments: str, code: int = 0) -> str:
        """`kakera-infra ARGUMENTS`; its whole output. Raises: WalkError on another exit code."""
        command = (sys.executable, "-m", "infra.cli", *arguments)
        environment = {**os.environ, "KAKERA_PROJECT": str(self.folder)}
        return _run(command, cwd=ROOT, environment=environment, code=code)

    def pulumi(self, *arguments: str, code: int = 0) -> str:
        """A plain `pulumi`, with the variables that `kakera-infra shell` prints."""
        exports = self.kakera("shell", self.environment)
        script = f'{exports}\nexec pulumi "$@"'
        command = ("bash", "-c", script, "pulumi", *arguments)
        return _run(command, cwd=self.folder, environment=dict(os.environ), code=code)

    def stacks(self) -> list[str]:
        found = (self.folder / "environments").glob(f"Pulumi.{self.environment}-*.yaml")
        names = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in found)
        return sorted(names, key=lambda name: name.endswith("-global"))

    # --- steps -------------------------------------------------------------------------------------------------------
    def init(self) -> None:
        told = self.kakera("choose", *_all_answers(ANSWERS[self.blueprint]))
        if f"kakera-infra init {self.blueprint}" not in told:
            raise WalkError(f"choose recommends another blueprint than {self.blueprint}:\n{told}")
        # As in production: what holds data survives `destroy`.
        settings = (f"port={_free_port()}",) if self.blueprint == "laptop" else ("protect=true",)
        chosen = [word for setting in settings for word in ("--set", setting)]
        self.kakera("init", self.blueprint, "--name", self.name, "--rehearsal", *chosen)
        self.kakera("check", self.environment)

    def up(self) -> Counts:
        """Preview promises what up does."""
        promised = Counts.read(self.kakera("preview", self.environment))
        made = Counts.read(self.kakera("up", self.environment))
        if promised != made:
            raise WalkError(f"preview said {promised}, up did {made}")
        return made

    def again(self) -> Counts:
        """A second up, and a plain `pulumi` on the same stacks: nothing changes."""
        second = Counts.read(self.kakera("up", self.environment))
        if second.changed:
            raise WalkError(f"the second up changed something: {second}")
        for stack in self.stacks():
            self.pulumi("preview", "--stack", stack, "--expect-no-changes", "--non-interactive")
        return second

    def render(self) -> list[Path]:
        self.kakera("render", self.environment)
        files = [path for path in (self.folder / "build" / self.environment / "rendered").rglob("*") if path.is_file()]
        left = [path for path in files if "<known after up>" in path.read_text()]
        if left or not files:
            raise WalkError(f"after up these files still wait for it: {left}")
        return files

    def change(self) -> Counts:
        """One size larger: exactly what preview said, and no holder of data replaced."""
        self.kakera("init", self.blueprint, "--name", self.name, "--rehearsal", "--set", CHANGE[self.blueprint])
        found = self.up()
        if not found.updated or found.replaced:
            raise WalkError(f"{CHANGE[self.blueprint]} should update in place: {found}")
        return found

    def destroy(self) -> tuple[Counts, int]:
        """What went, and how many are left."""
        text = self.kakera("destroy", self.environment, "--yes")
        left = sum(int(count) for count in re.findall(r"left: (\d+)", text))
        return Counts.read(text), left


def whole(blueprint: str, folder: Path) -> Result:
    """Every step of one blueprint. Raises: WalkError."""
    walk = Walk(blueprint, folder)
    walk.init()
    if blueprint == "laptop":
        return _local(walk)
    made = walk.up()
    walk.render()
    second = walk.again()
    changed = walk.change()
    _, left = walk.destroy()
    return Result(blueprint, made.created, second.unchanged, changed.replaced, left)


def _local(walk: Walk) -> Result:
    """A store on this machine: one server, started once; its data stays."""
    walk.kakera("preview", walk.environment)
    try:
        walk.kakera("up", walk.environment)
        walk.render()
        walk.kakera("up", walk.environment)
    finally:
        walk.kakera("destroy", walk.environment, "--yes")
    drives = len(list((walk.folder / "data" / walk.environment).glob("drive-*")))
    return Result(walk.blueprint, 1, 1, 0, drives)


def _all_answers(given: tuple[str, ...]) -> tuple[str, ...]:
    """Every question answered, so that nothing is asked."""
    rest = {"--regions": "1", "--survive": "drive", "--capacity-tib": "1", "--budget": "medium"}
    missing = [word for flag, value in rest.items() if flag not in given for word in (flag, value)]
    flags = [f"--no-{flag}" for flag in ("onprem", "public-read") if f"--{flag}" not in given]
    return (*given, *missing, *flags)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: tuple[str, ...], *, cwd: Path, environment: dict[str, str], code: int) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=STEP_LIMIT_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    text = done.stdout + done.stderr
    if done.returncode != code:
        raise WalkError(f"{' '.join(command[1:])}: exit code {done.returncode}, expected {code}:\n{text[-6000:]}")
    return text

"""Terraform with Alibaba Cloud's own provider, offline: whether a configuration is one that it takes.

No registry, no network, no credentials that would open anything: the binary of `build.py` is named in a settings file
of Terraform's, and a plan is made without asking what there is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.provider.served import SOURCE

_PLACE: Final = re.compile(r"\bon (\S+\.tf\.json) line")
LIMIT_S: Final = 300  # a plan of 400 resources takes ten seconds
# Anything that is not empty; and the kind of account, without which the provider asks the billing service, for 30 s.
NOBODY: Final = {
    "ALICLOUD_ACCESS_KEY": "nobody",
    "ALICLOUD_SECRET_KEY": "nobody",
    "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
}


class NotJudged(Exception):
    """Terraform could not be asked, or refused; the message says why. `files`: where what it refused stands."""

    @property
    def files(self) -> frozenset[str]:
        return frozenset(_PLACE.findall(str(self)))


@dataclass(frozen=True)
class Finding:
    """One error of `terraform validate`. `file`: in which it stands; empty when in none."""

    file: str
    text: str


@dataclass(frozen=True)
class Judge:
    """`folder`: where the provider's binary is; `prefix` takes the network away (`generate.offline`)."""

    folder: Path
    prefix: tuple[str, ...]

    def validate(self, project: Path) -> list[Finding]:
        """Every error. Raises: NotJudged."""
        done = self._terraform(project, "validate", "-json")
        try:
            told = json.loads(done.stdout)
        except ValueError as error:
            raise NotJudged(done.stdout + done.stderr) from error
        return [_finding(each) for each in told["diagnostics"] if each["severity"] == "error"]

    def plan(self, project: Path, variables: Mapping[str, str]) -> Mapping[str, Any]:
        """The plan as Terraform shows it in JSON; nothing is asked. Raises: NotJudged with every error."""
        given = [f"-var={name}={value}" for name, value in variables.items()]
        done = self._terraform(project, "plan", "-refresh=false", "-input=false", "-no-color", "-out=plan.bin", *given)
        if done.returncode:
            raise NotJudged(done.stderr or done.stdout)
        shown: Mapping[str, Any] = json.loads(self._terraform(project, "show", "-json", "plan.bin").stdout)
        return shown

    def _terraform(self, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        terraform = shutil.which("terraform") or shutil.which("tofu")
        if terraform is None:
            raise NotJudged("neither `terraform` nor `tofu` is on PATH")
        settings = project / "settings.tfrc"
        settings.write_text(
            f'provider_installation {{\n  dev_overrides {{\n    "{SOURCE}" = "{self.folder}"\n  }}\n  direct {{}}\n}}\n'
        )
        environment = {**os.environ, **NOBODY, "TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1"}
        return subprocess.run(
            (*self.prefix, terraform, *arguments), cwd=project, env=environment, capture_output=True, text=True,
            timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _finding(diagnostic: Mapping[str, Any]) -> Finding:
    detail = diagnostic.get("detail") or ""
    file = (diagnostic.get("range") or {}).get("filename", "")
    return Finding(file, f"{diagnostic['summary']}: {detail}".strip(": "))

"""The environment variables the engine runs with: pure, so that what a plain `pulumi` needs can be printed too.

P7: a rehearsal finds its provider on PATH and says where its cloud lies; a real run refuses every provider on PATH.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from infra.blueprint.stack import RELEASED, Mode


def variables(
    mode: Mode, *, engine: Path, python: Path, plugin: Path, rehearsal: Path, passphrase: Path, path: str
) -> dict[str, str]:
    """What is set for one environment; `path` is the PATH to extend, `python` the `bin` of the Python environment."""
    folders = [str(engine), str(python)]
    found = {
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "1",
        # Stores that speak S3 and not all of its newest checksums hold state too.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
    if mode == "rehearsal":
        folders.insert(0, str(plugin))
        found["KAKERA_REHEARSAL_DIR"] = str(rehearsal)
        found["PULUMI_HOME"] = str(rehearsal / "home")  # a machine's own plugins and logins stay out of a rehearsal
    else:
        found["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"
    found["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase)
    # What is already there is not put in front again.
    rest = [part for part in path.split(os.pathsep) if part and part not in folders]
    found["PATH"] = os.pathsep.join([*folders, *rest])
    return found


def whole(own: Mapping[str, str], ambient: Mapping[str, str]) -> dict[str, str]:
    """The ambient variables with the own ones over them, without those that would make the mode doubtful."""
    kept = {name: value for name, value in ambient.items() if name not in DOUBTFUL or name in own}
    return {**kept, **own}


DOUBTFUL = frozenset({"KAKERA_REHEARSAL_DIR", "PULUMI_IGNORE_AMBIENT_PLUGINS", "PULUMI_CONFIG_PASSPHRASE", RELEASED})

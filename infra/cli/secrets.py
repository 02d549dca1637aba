"""The secrets of an environment: made, taken from a file, or left to be given. No value is printed or an argument."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from infra import naming
from infra.blueprint.plan import Plan, PlannedSecret
from infra.cli.stop import Stop
from infra.engine.project import StackName, new_secret
from infra.engine.session import Session

# No word that a message may hold: the engine masks every secret in all that it prints.
PLACEHOLDER: Final = "made-up-for-a-rehearsal"
LIMIT_BYTES: Final = 64 << 10  # a chain of certificates has some KiB
PEM: Final = {  # what the file must have in it, and what that is
    naming.TLS_CERTIFICATE_SECRET: ("-----BEGIN CERTIFICATE-----", "certificate in PEM"),
    naming.TLS_KEY_SECRET: ("-----BEGIN (RSA |EC )?PRIVATE KEY-----", "private key in PEM without a passphrase"),
}


def given_secrets(plan: Plan, words: Iterable[str]) -> dict[str, str]:
    """Of `name=file`, read: name -> text. Raises: Stop with the remedy."""
    known = {secret.name for secret in plan.secrets}
    found = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not sign or not path or name not in known:
            near = difflib.get_close_matches(name, known, n=1) or sorted(known)
            raise Stop(f"--secret {word}: NAME=FILE, with NAME one of {', '.join(near) or 'none'}")
        found[name] = _read(name, Path(path))
    return found


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
            text = data.decode()
    except OSError as error:
        raise Stop(f"--secret {name}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Stop(f"--secret {name}: {path} is no text") from error
    if not text.strip() or len(data) > LIMIT_BYTES:
        raise Stop(f"--secret {name}: {path} is empty, or longer than {LIMIT_BYTES} bytes")
    mark, what = PEM.get(name, ("", ""))
    if not re.search(mark, text):
        raise Stop(f"--secret {name}: {path} holds no {what}")
    return text.rstrip("\n")


class Secrets:
    """Each of the Plan's secrets has one value in all stacks that hold it: the one that is given, else the one a stack
    has, else a new one. `awaited`: names of those that stacks need and nobody has given."""

    def __init__(self, session: Session, plan: Plan, given: Mapping[str, str]) -> None:
        self._session = session
        self._plan = plan
        self._values = dict(given)
        self._given = frozenset(given)
        self.awaited: set[str] = set()

    def unwritten(self, stack: StackName) -> dict[str, str]:
        """Name -> value of what `stack` is to hold and does not, or not as it was given."""
        present = self._present(stack.name)
        found = {}
        for secret in self._plan.secrets:
            if stack.name not in (*secret.stacks, *secret.kept_in):
                continue
            if secret.name in present and secret.name not in self._given:
                continue
            value = self._value(secret)
            if value is not None:
                found[secret.name] = value
            elif stack.name in secret.stacks:
                self.awaited.add(secret.name)
        return found

    def _present(self, stack: str) -> Mapping[str, object]:
        if not self._session.project.stack_file(stack).exists():
            return {}
        return self._session.project.configuration(stack).get("kakera:secrets") or {}

    def _value(self, secret: PlannedSecret) -> str | None:
        if secret.name not in self._values:
            holders = [stack for stack in (*secret.stacks, *secret.kept_in) if secret.name in self._present(stack)]
            if holders:
                holder = self._session.stack(StackName(holders[0], ""))
                self._values[secret.name] = holder.secret(f"kakera:secrets.{secret.name}")
            elif secret.generated:
                self._values[secret.name] = new_secret()
            elif self._session.mode == "rehearsal":  # where no host starts with it
                self._values[secret.name] = PLACEHOLDER
        return self._values.get(secret.name)

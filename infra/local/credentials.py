"""Credentials of a store: made once, by the system's random source, kept with the data they open."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.places import write_whole

_UPPER = string.ascii_uppercase + string.digits
_MIXED = string.ascii_letters + string.digits  # no sign that a shell, a URL or a signature would read as its own
ACCESS_KEY_LENGTH = 20  # as the vendors' have
SECRET_LENGTH = 40  # 238 bits


class CredentialsError(Exception):
    """A credentials file is there and cannot be used; it is never overwritten."""


@dataclass(frozen=True)
class Credentials:
    account_id: str
    display_name: str
    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"Credentials(access_key_id={self.access_key_id!r})"


def generate() -> Credentials:
    key = "K" + "".join(secrets.choice(_UPPER) for _ in range(ACCESS_KEY_LENGTH - 1))
    secret = "".join(secrets.choice(_MIXED) for _ in range(SECRET_LENGTH))
    # One user an account: the key names it, so that the owner a client sees is the key it signed with.
    return Credentials(account_id=key, display_name=key, access_key_id=key, secret_access_key=secret)


def keep(path: Path) -> tuple[Credentials, bool]:
    """The credentials in `path`, made there (mode 0600) when there are none yet; True when they were made.

    Raises: CredentialsError.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        made = generate()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(made), indent=2) + "\n", mode=0o600)
        return made, True
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return Credentials(**json.loads(text)), False
    except (ValueError, TypeError) as error:
        raise CredentialsError(f"{path} holds no credentials: {error}") from error


def environment(endpoint: str, region: str, main: Credentials, alt: Credentials | None) -> str:
    """The text of credentials.env: NAME=value lines that a shell can source."""
    values = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,  # the name boto3 reads
        "AWS_ACCESS_KEY_ID": main.access_key_id,
        "AWS_SECRET_ACCESS_KEY": main.secret_access_key,
    }
    if alt is not None:
        values |= {"ALT_ACCESS_KEY_ID": alt.access_key_id, "ALT_SECRET_ACCESS_KEY": alt.secret_access_key}
    return "".join(f"{name}={value}\n" for name, value in values.items())

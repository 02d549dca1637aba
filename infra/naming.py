"""Every name a Plan gives, in one place (P4). Pure.

Names depend on what they name alone, never on how many others there are: adding a drive or a host renames nothing (P2).
"""

from __future__ import annotations

STATE_FOLDER = "state"
SECRETS_FOLDER = "secrets"


def drive_name(host: str, number: int) -> str:
    """`laptop-1`: unique in a Plan, since the number begins after the last hyphen."""
    return f"{host}-{number}"


def drive_folder(number: int) -> str:
    """Below the data root; numbers begin at 1, as on a drive bay."""
    return f"drive-{number}"


def credentials_file(account: str) -> str:
    """Below the data root: credentials are kept with the data they open."""
    return f"{SECRETS_FOLDER}/{account}.json"

"""Every name a Plan gives, in one place (P4). Pure.

Names depend on what they name alone, never on how many others there are: adding a drive, a host, a zone or a region
renames nothing (P2). In one stack no two things share a name: each ends in its kind.
"""

from __future__ import annotations

import re
from typing import Final

STATE_FOLDER = "state"
SECRETS_FOLDER = "secrets"
DATA_ROOT: Final = "/srv/kakera"  # on hosts that are provisioned; a laptop chooses its own
GLOBAL: Final = "global"
ACCOUNT: Final = "account"
REHEARSAL: Final = "rehearsal-"  # begins the id of everything that a rehearsal made
DRIVES_TAG: Final = "kakera:drives"  # of an instance with drives of its own: how many of them the store has
MAX_BUCKET: Final = 63
MAX_HOST: Final = 63  # one label of a host name


def drive_name(host: str, number: int) -> str:
    """`laptop-1`: unique in a Plan, since the number begins after the last hyphen."""
    return f"{host}-{number}"


def drive_folder(number: int) -> str:
    """Below the data root; numbers begin at 1, as on a drive bay."""
    return f"drive-{number}"


def credentials_file(account: str) -> str:
    """Below the data root: credentials are kept with the data they open."""
    return f"{SECRETS_FOLDER}/{account}.json"


def of_rehearsal(identity: str) -> bool:
    """Whether a rehearsal made it. A bucket or a role that a user calls `rehearsal-x` was made by none."""
    return re.fullmatch(rf"{REHEARSAL}[a-z0-9]+-[0-9a-f]{{12}}", identity) is not None


def stack(name: str, environment: str, part: str) -> str:
    """`kakera-dev-cn-hangzhou`: a stack, and the beginning of all names in it. `part`: region, `global`, `account`."""
    return f"{name}-{environment}-{part}"


def thing(stack: str, *words: str) -> str:
    """`kakera-dev-cn-hangzhou-nat`: the last words say what it is."""
    return "-".join((stack, *words))


def host(name: str, environment: str, zone: str, *, role: str, number: int) -> str:
    """`kakera-dev-cn-hangzhou-h-storage-1`; numbers begin at 1 in each zone."""
    return f"{name}-{environment}-{zone}-{role}-{number}"


def switch(name: str, environment: str, zone: str, purpose: str) -> str:
    """`kakera-dev-cn-hangzhou-h-hosts`."""
    return f"{name}-{environment}-{zone}-{purpose}"


def bucket(prefix: str, region: str, purpose: str) -> str:
    """`kakera-dev-cn-hangzhou-tier`: bucket names are unique in the world, so the prefix is the architect's."""
    return f"{prefix}-{region}-{purpose}"


def account_secret(account: str, half: str) -> str:
    """`account-main-secret-access-key`; `half`: `access-key-id` or `secret-access-key`."""
    return f"account-{account}-{half}"


DATABASE_SECRET: Final = "database-password"
TLS_CERTIFICATE_SECRET: Final = "tls-certificate"  # of the hosts, as PEM; who signs it is the architect's choice
TLS_KEY_SECRET: Final = "tls-key"


def tunnel_secret(role: str) -> str:
    """`vpn-master-key`; `role`: `master` or `slave`."""
    return f"vpn-{role}-key"


# --- on a host -------------------------------------------------------------------------------------------------------
SERVER_USER: Final = "kakera"  # runs the server, owns the data
ADMIN_USER: Final = "operator"  # logs in by key and becomes root; nobody else does
SETTINGS_FILE: Final = "/etc/kakera/server.toml"
PROGRAM_ROOT: Final = "/opt/kakera"  # the virtual environment that holds the server
UNIT: Final = "kakera.service"
CERTIFICATE_FILE: Final = f"{SECRETS_FOLDER}/tls.crt"  # below the data root, with the key it belongs to
KEY_FILE: Final = f"{SECRETS_FOLDER}/tls.key"


def drive_label(number: int) -> str:
    """`kakera-12`: of the XFS file system of a drive, unique on its host; XFS has twelve characters for it."""
    return f"kakera-{number}"

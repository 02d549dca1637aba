"""Files of a host that hold secrets: which the Plan's secrets become, for those who hand the values in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from infra import naming
from infra.blueprint.plan import Plan, PlannedAccount

KEY_ID, KEY = "access-key-id", "secret-access-key"
TLS: Final = {
    naming.CERTIFICATE_FILE: naming.TLS_CERTIFICATE_SECRET,
    naming.KEY_FILE: naming.TLS_KEY_SECRET,
}


def secrets_of(plan: Plan, *, tls: bool) -> tuple[str, ...]:
    """Names of the secrets that `secret_files` wants for a host."""
    halves = [naming.account_secret(account.name, half) for account in plan.accounts for half in (KEY_ID, KEY)]
    return (*halves, *(TLS.values() if tls else ()))


def secret_files(plan: Plan, values: Mapping[str, str]) -> dict[str, str]:
    """Path below the data root -> text. Raises: KeyError when a secret of an account is missing."""
    return {**dict(_accounts(plan, values)), **dict(_tls(values))}


def _accounts(plan: Plan, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for account in plan.accounts:
        yield account.credentials_path, _credentials(account, values)


def _credentials(account: PlannedAccount, values: Mapping[str, str]) -> str:
    found = {
        # The account's name, not its key: who owns a bucket goes on owning it when the key is another.
        "account_id": account.name,
        "display_name": account.name,
        "access_key_id": values[naming.account_secret(account.name, KEY_ID)],
        "secret_access_key": values[naming.account_secret(account.name, KEY)],
    }
    return json.dumps(found, indent=2) + "\n"


def _tls(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path, name in TLS.items():
        if name in values:
            yield path, values[name].rstrip("\n") + "\n"

"""Who may do what. Pure. For now a bucket and all in it belong to one account, and nobody else may touch it."""

from __future__ import annotations

from kakera.core.values import Account


def allowed(operation: str, account: Account, bucket_owner: str | None) -> bool:
    """Deny by default. `operation`: a name of core.operations, for policies to come; `bucket_owner` None: the account's
    own service level (list or create buckets)."""
    if not account.account_id:
        return False
    return bucket_owner is None or bucket_owner == account.account_id

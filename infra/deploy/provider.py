"""The provider of a region."""

from __future__ import annotations

import pulumi_alicloud as alicloud


def regional(region: str) -> alicloud.Provider:
    """Credentials come from the environment, a profile or the host's role: never from a file of ours."""
    return alicloud.Provider(region, region=region)

"""The provider, built if this machine has none: one compile of some ten minutes and 7 GB of memory."""

from __future__ import annotations

import pytest

from infra.rehearsal.metadata import Metadata
from tests.needs import require
from tools.provider import build
from tools.provider.generate import offline
from tools.provider.judge import Judge


@pytest.fixture(scope="session")
def judge() -> Judge:
    require("terraform", "unshare")
    prefix = offline()
    assert prefix, "a network namespace of one's own is wanted: the provider must not reach anything"
    return Judge(build.ensure().bin, prefix)


@pytest.fixture(scope="session")
def metadata() -> Metadata:
    return Metadata.load()

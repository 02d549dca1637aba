"""The tables in docs/compat say what the code says."""

from __future__ import annotations

import pytest

from kakera.core.operations import Vendor
from tests.tidy import compat
from tests.tidy.sources import ROOT


@pytest.mark.parametrize("vendor", list(compat.paths()))
def test_compatibility_tables_are_fresh(vendor: Vendor) -> None:
    path = ROOT / compat.paths()[vendor]
    assert path.exists() and path.read_text() == compat.document(vendor), "run: python -m tests.tidy.compat"


def test_a_line_names_what_selects_it() -> None:
    text = compat.document("oss")
    assert "| ○ | PutBucketReplication | `POST ?replication&comp=add` | oss:PutBucketReplication |  |" in text
    assert "`POST ?x-oss-process=csv/select\\|json/select`" in text
    assert "| ● | CopyObject | `PUT` + `x-amz-copy-source` |" in compat.document("s3")

"""Checksums against published values, and wholes against their parts."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from kakera.dialects.s3 import checksums

# The check values of the catalogues: of the nine digits
CHECK = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": hashlib.sha1(b"123456789").hexdigest(),
    "SHA256": hashlib.sha256(b"123456789").hexdigest(),
}
DATA = bytes(range(251)) * 400


@pytest.mark.parametrize("name", CHECK)
def test_check_values(name):
    assert checksums.compute(name, b"123456789").hex() == CHECK[name]
    assert len(checksums.compute(name, b"")) == checksums.ALGORITHMS[name].digest_bytes
    assert checksums.BY_HEADER[f"x-amz-checksum-{name.lower()}"].name == name


@pytest.mark.parametrize("name", CHECK)
def test_running_equals_one_shot_over_any_buffer(name):
    running = checksums.ALGORITHMS[name].start()
    for piece in (DATA[:1], bytearray(DATA[1:70_000]), memoryview(DATA)[70_000:], b""):
        running.update(piece)
    assert running.digest() == checksums.compute(name, DATA)


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
@pytest.mark.parametrize("cuts", [[0], [1], [100, 100, 5000], [0, len(DATA)], list(range(0, len(DATA), 9999))])
def test_full_object_from_parts(name, cuts):
    bounds = sorted({0, len(DATA), *cuts})
    parts = [DATA[a:b] for a, b in itertools.pairwise(bounds)] + [b""]
    pairs = [(checksums.compute(name, part), len(part)) for part in parts]
    whole = checksums.encode(checksums.compute(name, DATA))
    assert checksums.full_object(name, pairs) == whole
    assert checksums.of_parts(name, checksums.FULL_OBJECT, pairs) == whole
    if len(set(pairs)) > 2:
        assert checksums.full_object(name, [*reversed(pairs)]) != whole


def test_full_object_of_large_parts():
    """Sizes beyond 32 bits only shift: combining with an empty rest must not change anything."""
    digest = checksums.compute("CRC64NVME", b"abc")
    assert checksums.full_object("CRC64NVME", [(digest, 6 << 30)]) == checksums.encode(digest)


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_composite(name):
    digests = [checksums.compute(name, part) for part in (b"a", b"b", b"c")]
    expected = checksums.encode(checksums.compute(name, b"".join(digests))) + "-3"
    assert checksums.composite(name, digests) == expected
    assert checksums.of_parts(name, checksums.COMPOSITE, [(digest, 1) for digest in digests]) == expected


def test_kinds():
    with pytest.raises(ValueError):
        checksums.composite("CRC64NVME", [b"\0" * 8])
    with pytest.raises(ValueError):
        checksums.full_object("SHA256", [(b"\0" * 32, 1)])
    allowed = {
        (name, kind)
        for name in CHECK
        for kind in ("FULL_OBJECT", "COMPOSITE", "X")
        if checksums.kind_allowed(name, kind)
    }
    assert allowed == {
        ("CRC32", "FULL_OBJECT"),
        ("CRC32", "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC32C", "COMPOSITE"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    }
    assert all(checksums.kind_allowed(name, checksums.default_kind(name)) for name in CHECK)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bad",
        "AAAAAA",
        "AAAAAA=",
        "AAAAAA===",
        " AAAAAA==",
        "AAAAAA==\n",
        "AAAAAB==",
        "AAAAAAA=",
        "\xe9AAAAA==",
        "AAAA-A==",
    ],
)
def test_values_that_are_none(text):
    assert checksums.decode("CRC32", text) is None

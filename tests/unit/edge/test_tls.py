"""A certificate and its key: what cannot be used is said in one line, what is no longer valid in the log."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
import structlog

from kakera.config import ConfigError, Tls
from kakera.edge.tls import server_context
from tests.wire import certificate


def tls(folder: Path, *, key: str = "tls.key") -> Tls:
    return Tls(certificate_file=str(folder / "tls.crt"), key_file=str(folder / key))


def refusal(settings: Tls) -> str:
    with pytest.raises(ConfigError) as caught:
        server_context(settings)
    return str(caught.value)


def test_a_pair_that_fits_is_used_without_a_word(tmp_path: Path) -> None:
    certificate.make(tmp_path)
    with structlog.testing.capture_logs() as said:
        assert server_context(tls(tmp_path)).minimum_version == ssl.TLSVersion.TLSv1_2
    assert not said


def test_what_cannot_be_used(tmp_path: Path) -> None:
    certificate.make(tmp_path / "other")
    certificate.make(tmp_path)
    (tmp_path / "other" / "tls.key").rename(tmp_path / "other.key")
    assert "is not the key of" in refusal(tls(tmp_path, key="other.key"))
    (tmp_path / "folder").mkdir()
    assert "Is a directory" in refusal(tls(tmp_path, key="folder"))
    (tmp_path / "empty").touch(mode=0o600)
    assert "no PEM file" in refusal(tls(tmp_path, key="empty"))
    command = ["openssl", "pkey", "-in", "tls.key", "-aes128", "-passout", "pass:secret", "-out", "encrypted"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "encrypted").chmod(0o600)
    assert "is encrypted" in refusal(tls(tmp_path, key="encrypted"))
    (tmp_path / "tls.key").chmod(0o640)
    assert "others could read the secret" in refusal(tls(tmp_path))


def test_a_certificate_whose_time_is_over_is_told(tmp_path: Path) -> None:
    certificate.make(tmp_path)
    certificate.expire(tmp_path)
    with structlog.testing.capture_logs() as said:
        server_context(tls(tmp_path))
    assert [line["reason"] for line in said] == ["certificate has expired"]

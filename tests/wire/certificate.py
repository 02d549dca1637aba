"""A self-signed certificate for 127.0.0.1, made by openssl for the test that asks."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.needs import require


def make(folder: Path, *, name: str = "localhost") -> ssl.SSLContext:
    """Writes tls.crt and tls.key (0600) and returns what trusts exactly them."""
    require("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "tls.key").chmod(0o600)
    return ssl.create_default_context(cafile=str(folder / "tls.crt"))

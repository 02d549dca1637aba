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


def expire(folder: Path) -> None:
    """Signs tls.crt anew, for a time that is over."""
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=here\n[here]\ndatabase=index\nserial=serial\nnew_certs_dir=.\npolicy=any\n[any]\ncommonName=supplied\n"
    )
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    for command in (
        "req -new -key tls.key -subj /CN=localhost -out request",
        "ca -config ca.cnf -batch -selfsign -keyfile tls.key -in request -md sha256 -notext -out tls.crt "
        "-startdate 20200101000000Z -enddate 20210101000000Z",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)

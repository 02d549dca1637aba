"""TLS that ends here: one context, made before the fork, so that workers share it and a session resumes in any of them.

Made again at SIGHUP for the workers that replace those of before; what cannot be used then leaves the old in force.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from kakera.config import ConfigError, Tls, read_secret
from kakera.observe.log import get_logger

log = get_logger("edge")

_REFUSE = {
    "KEY_VALUES_MISMATCH": "is not the key of {certificate}",
    "NO_START_LINE": "this file, or {certificate}, is no PEM file",
    "PEM": "this file, or {certificate}, is no PEM file",
}


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later, HTTP/1.1, no renegotiation, no compression.

    A certificate that clients will not take, because its time is over, is used all the same, and said in the log.
    Raises: ConfigError when a file is missing, others may read the key, or the two do not belong together.
    """
    encrypted: list[bool] = []

    def ask_nobody() -> str:
        encrypted.append(True)  # a password would be asked for at the terminal of a start that nobody watches
        return ""

    read_secret(Path(tls.key_file), "the TLS key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate_file, tls.key_file, password=ask_nobody)
    except ssl.SSLError as error:
        reason = str(error.reason or error)
        why = next((text for word, text in _REFUSE.items() if word in reason), f"cannot be used: {reason}")
        problem = "is encrypted: write it without a password" if encrypted else why.format(
            certificate=tls.certificate_file
        )
        raise ConfigError(Path(tls.key_file), (problem,)) from error
    except (OSError, ValueError) as error:
        remedy = getattr(error, "strerror", None) or str(error)
        raise ConfigError(Path(tls.certificate_file), (f"the TLS certificate cannot be read: {remedy}",)) from error
    if distrust := _distrust(context, tls.certificate_file):
        log.warning("TLS certificate not valid now", file=tls.certificate_file, reason=distrust)
    return context


def _distrust(context: ssl.SSLContext, certificate_file: str) -> str:
    """What a client that trusts the certificate finds wrong with it; "" for nothing. By a handshake in memory."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(certificate_file)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = trusting.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return str(error.verify_message)
    return ""

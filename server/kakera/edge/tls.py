"""TLS that ends here: one context, made before the fork, so that workers share it and a session resumes in any of them.

Made again at SIGHUP for the workers that replace those of before; what cannot be used then leaves the old in force.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from kakera.config import ConfigError, Tls, read_secret

_REFUSE = {
    "KEY_VALUES_MISMATCH": "is not the key of {certificate}",
    "NO_START_LINE": "or {certificate} is no PEM file",
    "PEM": "or {certificate} is no PEM file",
}


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later, HTTP/1.1, no renegotiation, no compression.

    Raises: ConfigError when a file is missing, others may read the key, or the two do not belong together.
    """
    read_secret(Path(tls.key_file), "the TLS key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # The password is asked for at no terminal: an encrypted key would stop a start that nobody watches.
        context.load_cert_chain(tls.certificate_file, tls.key_file, password=lambda: "")
    except ssl.SSLError as error:
        reason = str(error.reason or error)
        why = next((text for word, text in _REFUSE.items() if word in reason), f"cannot be used: {reason}")
        problem = why.format(certificate=tls.certificate_file)
        raise ConfigError(Path(tls.key_file), (problem,)) from error
    except (OSError, ValueError) as error:
        remedy = getattr(error, "strerror", None) or str(error)
        raise ConfigError(Path(tls.certificate_file), (f"the TLS certificate cannot be read: {remedy}",)) from error
    return context

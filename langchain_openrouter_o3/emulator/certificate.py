"""A certificate that nobody trusts, for TLS handshakes that fail."""

from __future__ import annotations

import importlib.util
import ssl
from functools import lru_cache

_NAME = "emulator.invalid"


def check_trustme() -> None:
    """Look for the package that makes certificates.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to install it.
    """
    if importlib.util.find_spec("trustme") is None:
        raise ModuleNotFoundError(
            'tls_failure="untrusted" needs trustme, which comes with the emulator\'s extra: '
            'pip install "langchain-openrouter-o3[emulator]"',
            name="trustme",
        )


@lru_cache(maxsize=1)
def untrusted_context() -> ssl.SSLContext:
    """Return a server's TLS context, its certificate signed by an authority made just now."""
    import trustme  # noqa: PLC0415 - it and cryptography take a while to import

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = trustme.CA().issue_cert(_NAME)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context

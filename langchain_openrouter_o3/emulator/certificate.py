"""A certificate that nobody trusts, for TLS handshakes that fail."""

from __future__ import annotations

import ssl
from functools import lru_cache

_NAME = "emulator.invalid"


def check_trustme() -> None:
    """Look for the package that makes certificates.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to install it.
    """
    try:
        import trustme  # noqa: F401, PLC0415 - it and cryptography take a while to import
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'tls_failure="untrusted" needs {error.name}, which comes with the emulator\'s extra: '
            'pip install "langchain-openrouter-o3[emulator]"',
            name=error.name,
        ) from error


@lru_cache(maxsize=1)
def untrusted_context() -> ssl.SSLContext:
    """Return a server's TLS context, its certificate signed by an authority made just now."""
    import trustme  # noqa: PLC0415 - it and cryptography take a while to import

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(_NAME).configure_cert(context)
    return context

"""Fixtures of the transport."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3._http import pool_manager, shared_clients

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the test say what proxies and certificates there are."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("REQUEST_METHOD", raising=False)


@pytest.fixture
def no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no name server be asked, which may take its time: hosts in .invalid do not exist."""
    look_up = socket.getaddrinfo

    def look_up_others(host: Any, *arguments: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_others)


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trust the certificate that the test makes.

    The kernel may give out again the port of an earlier test, whose client trusts nobody: what is
    shared is shared among this test's models alone.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    monkeypatch.setattr(shared_clients, "tls_context", lambda: context)
    pools = pool_manager.PoolManager()
    monkeypatch.setattr(pool_manager, "POOLS", pools)
    yield
    pools.close_all()


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]

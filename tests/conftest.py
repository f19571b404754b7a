"""Fixtures that every kind of test may use."""

from __future__ import annotations

import gc
import os
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background lets them, and their children, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ("pytester",)
THOROUGH = bool(os.environ.get("THOROUGH"))
"""Whether everything is crossed with everything, and more examples are made; takes an hour."""

# Without deadlines: a slow machine is not a failing test.
settings.register_profile(
    "project",
    max_examples=400 if THOROUGH else 40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
settings.load_profile("project")

PACKAGE = "langchain_openrouter_o3"
KEY = "sk-or-v1-test-key-that-must-never-show"


# Each pair has a whole answer and a stream, a blocking call and an asynchronous one.
_PAIRS = (("invoke", "astream"), ("ainvoke", "stream"))
_MODES = {mode for pair in _PAIRS for mode in pair}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each case of a test that is crossed with all modes run in a pair of them, in turn.

    The modes have one implementation below LangChain's hooks, so what else a test varies does not
    depend on them. A test without other cases runs in all four, and so does every test with
    THOROUGH=1.
    """
    if THOROUGH:
        return
    families: dict[str, dict[str, list[tuple[str, pytest.Item]]]] = {}
    for item in items:
        name, _, parameters = item.nodeid.partition("[")
        parts = parameters.removesuffix("]").split("-")
        modes = [part for part in parts if part in _MODES]
        if len(modes) == 1 and len(parts) > 1:
            case = "-".join(part for part in parts if part not in _MODES)
            families.setdefault(name, {}).setdefault(case, []).append((modes[0], item))
    left_out = {
        id(item)
        for cases in families.values()
        for turn, runs in enumerate(cases.values())
        for mode, item in runs
        if len(runs) == len(_MODES) and mode not in _PAIRS[turn % 2]
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


def pytest_collection_finish() -> None:
    """Take what was imported and collected out of the garbage collector's rounds.

    Hundreds of tests collect garbage, and would look at a million objects that stay anyway.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _emulator_of_the_session() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator_of_the_session: Emulator) -> Emulator:
    """A running emulator that remembers nothing of other tests."""
    _emulator_of_the_session.reset()
    return _emulator_of_the_session


@pytest.fixture
def model(emulator: Emulator) -> ChatOpenRouterO3:
    """A model that talks to the emulator over a real socket."""
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)


@pytest.fixture
def own_pools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Share clients among the models of one test alone.

    The kernel may give out again the port of an earlier test, whose client knew other certificates
    and other proxies.
    """
    # Not above: some tests need a process that has not imported the transport yet.
    from langchain_openrouter_o3._http import pool_manager

    pools = pool_manager.PoolManager()
    monkeypatch.setattr(pool_manager, "POOLS", pools)
    yield
    pools.close_all()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch, own_pools: None) -> None:  # noqa: ARG001 - shared
    """Trust every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    monkeypatch.setattr(f"{PACKAGE}._http.shared_clients.tls_context", lambda: context)


@pytest.fixture(autouse=True)
def _open_gates() -> None:
    """Let no test wait for what the server of another one has asked for."""
    if (gate := sys.modules.get("langchain_openrouter_o3._http.gate")) is not None:
        gate.GATES.forget()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep a developer's own environment out of the tests, all but the live ones."""
    if request.node.get_closest_marker("live") is None:
        for name in ("OPENROUTER_API_KEY", "OPENROUTER_API_BASE", "LC_OUTPUT_VERSION"):
            monkeypatch.delenv(name, raising=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell each reason for which tests were skipped once, with how many they are."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    if reasons:
        terminalreporter.section("skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5}  {reason}")

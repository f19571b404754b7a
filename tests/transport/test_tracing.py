"""Tools that trace HTTP see the requests of a model that was given no client, and so does a server.

A trace goes on at the server if the request carries its header.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.httpx import HttpxIntegration
from sentry_sdk.transport import Transport

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterAPIError, OpenRouterConnectionError
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.modes import MODES, every_mode

KEY = "sk-or-v1-a-key-that-no-trace-may-hold"
pytestmark = pytest.mark.usefixtures("bare_environment")


def build(emulator: Emulator) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry's instrumentation of httpx, and the spans that it has finished."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()
    provider.shutdown()


@every_mode
def test_opentelemetry_makes_one_span_of_a_request_and_the_server_learns_of_it(
    emulator: Emulator, spans: InMemorySpanExporter, mode: str
) -> None:
    with build(emulator) as model:
        MODES[mode](model)
        MODES[mode](model)
    finished = spans.get_finished_spans()
    assert [span.kind for span in finished] == [SpanKind.CLIENT] * 2
    for span, request in zip(finished, emulator.requests, strict=True):
        assert KEY not in span.to_json()
        assert span.context is not None
        _, trace_id, span_id, _ = request.headers["traceparent"].split("-")
        assert (int(trace_id, 16), int(span_id, 16)) == (
            span.context.trace_id,
            span.context.span_id,
        )


@every_mode
def test_opentelemetry_sees_a_request_that_fails_and_not_the_key(
    emulator: Emulator, spans: InMemorySpanExporter, mode: str
) -> None:
    emulator.play(faults.status(500), faults.reset("before-headers"))
    with build(emulator) as model:
        with pytest.raises(OpenRouterAPIError):
            MODES[mode](model)
        with pytest.raises(OpenRouterConnectionError):
            MODES[mode](model)
    answered, broken = spans.get_finished_spans()
    assert answered.attributes is not None
    assert answered.attributes["http.status_code"] == 500
    assert [answered.status.status_code, broken.status.status_code] == [StatusCode.ERROR] * 2
    assert KEY not in answered.to_json() + broken.to_json()


class Collected(Transport):
    """Keeps what Sentry would send."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


@pytest.fixture
def sentry() -> Iterator[Collected]:
    """Sentry with its integration of httpx; nothing goes out."""
    collected = Collected()
    sentry_sdk.init(
        dsn="https://public@sentry.invalid/1",
        transport=collected,
        default_integrations=False,
        integrations=[HttpxIntegration()],
        traces_sample_rate=1.0,
    )
    yield collected
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


@every_mode
def test_sentry_sees_a_request_and_the_server_learns_of_its_trace(
    emulator: Emulator, sentry: Collected, mode: str
) -> None:
    with (
        build(emulator) as model,
        sentry_sdk.isolation_scope(),
        sentry_sdk.start_transaction(name="test") as transaction,
    ):
        MODES[mode](model)
    (envelope,) = sentry.envelopes
    event: Any = envelope.get_transaction_event()
    assert KEY not in json.dumps(event, default=str)
    (span,) = event["spans"]
    assert (span["op"], span["data"]["url"]) == (
        "http.client",
        f"{emulator.base_url}/chat/completions",
    )
    (request,) = emulator.requests
    assert request.headers["sentry-trace"].startswith(transaction.trace_id)

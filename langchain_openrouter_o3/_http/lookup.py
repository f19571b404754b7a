"""Looking things up at the server: one blocking GET after the other, without retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.shared_clients import SharedClient
from langchain_openrouter_o3._http.transport_errors import (
    Route,
    errors_of,
    library_of,
    refused_answer,
    to_failure,
)
from langchain_openrouter_o3._json import decode_leniently, is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from langchain_openrouter_o3.errors.redaction import without_frames

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_SECONDS = 30.0
_OK = 200


class Lookup:
    """Asks one server, through its own connections or the caller's client."""

    def __init__(self, base_url: str, headers: RequestHeaders, client: Any) -> None:
        """Take what it needs; nothing is sent yet.

        Args:
            base_url: Of the server.
            headers: Of each request.
            client: The caller's own blocking client, if there is one.
        """
        self._base_url = base_url
        self._headers = headers
        self._shared = SharedClient(base_url) if client is None else None
        self._client: Any = client or self._shared

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections, if they are its own."""
        if self._shared is not None:
            self._shared.close()

    def get(self, path: str, parameters: dict[str, str]) -> Any:
        """Ask for a path below the base URL.

        Returns:
            The JSON of the answer; its text if it is none.

        Raises:
            OpenRouterError: No answer came, or one that is no success.
        """
        library = library_of(self._client)
        url = library.URL(self._base_url + path, params=parameters)
        try:
            response = self._client.get(
                url, headers=self._headers.raw(), timeout=_SECONDS, follow_redirects=False
            )
        except library.HTTPStatusError as error:
            response = refused_answer(error, library)
        except errors_of(library) as error:
            route = Route(url.netloc.decode("ascii"), None)
            raise without_frames(to_failure(error, library, route).error) from None
        try:
            payload = decode_leniently(response.content)
        except ValueError:
            payload = response.content.decode("utf-8", "replace")
        if response.status_code != _OK:
            raise error_from_payload(payload, status=response.status_code)
        return payload


def fetch_models(base_url: str) -> list[dict[str, Any]]:
    """Ask which models are offered; everybody may, without a key.

    Args:
        base_url: Of the API.

    Returns:
        The entries, as they came.

    Raises:
        OpenRouterError: No list came.

    Source: https://openrouter.ai/docs/api-reference/list-available-models
    """
    headers = RequestHeaders({"accept": "application/json", "accept-encoding": "gzip, deflate"})
    with Lookup(base_url, headers, None) as lookup:
        payload = lookup.get("/models", {})
    entries = payload.get("data") if is_object(payload) else None
    if not is_array(entries) or not all(map(is_object, entries)):
        raise OpenRouterMalformedResponseError("Malformed answer: GET /models gave no list.")
    return entries

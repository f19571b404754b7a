"""What OpenRouter answers when it does not answer with a completion.

The shape is `{"error": {"message", "code"[, "metadata"]}[, "user_id"]}`; `code` repeats the HTTP
status (https://openrouter.ai/docs/api/reference/errors-and-debugging).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import JsonObject

# OpenRouter puts its user's id on top of most refusals; clients must keep it out of their logs,
# so the emulator gives them one to leak.
USER_ID = "user_emulator0000000000000000"


class ApiError(Exception):
    """A refusal, as an HTTP status and the body that goes with it."""

    def __init__(
        self,
        status: int,
        message: str,
        metadata: JsonObject | None = None,
        *,
        names_user: bool = True,
    ) -> None:
        """Describe the refusal; one that comes before the key is known names no user."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.metadata = metadata
        self.said = message
        self.names_user = names_user

    def body(self) -> JsonObject:
        """Return the JSON body."""
        error: JsonObject = {"message": self.message, "code": self.status}
        if self.metadata is not None:
            error["metadata"] = self.metadata
        body: JsonObject = {"error": error}
        if self.names_user:
            body["user_id"] = USER_ID
        return body


class BadRequestError(ApiError):
    """OpenRouter itself finds the request wrong."""

    def __init__(self, message: str, metadata: JsonObject | None = None) -> None:
        """Say what is wrong."""
        super().__init__(400, message, metadata)


class ProviderError(ApiError):
    """OpenAI finds the request wrong, and OpenRouter passes that on.

    The message says only that; what the provider said is a JSON text in `metadata.raw`.
    """

    def __init__(self, message: str, *, param: str | None, code: str | None = None) -> None:
        """Say what OpenAI would say."""
        error: JsonObject = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }
        raw = json.dumps({"error": error}, indent=2, ensure_ascii=False)
        super().__init__(
            400,
            "Provider returned error",
            {"raw": raw, "provider_name": "OpenAI", "is_byok": False},
        )
        self.said = message

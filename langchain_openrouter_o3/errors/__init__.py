"""Every error that this package raises about a request.

The tree (each leaf is also the langchain-core class in brackets, so that LangChain's
retry, fallback and summarization middleware act on it):

    OpenRouterError
    ├── OpenRouterInvalidRequestError    [ModelInvalidRequestError]    400, 413, 422, other 4xx
    │   └── OpenRouterInputError         [also ValueError]             refused before sending
    ├── OpenRouterContextOverflowError   [ContextOverflowError]        prompt too long
    ├── OpenRouterAuthenticationError    [ModelAuthenticationError]    401
    ├── OpenRouterPermissionError        [ModelPermissionDeniedError]  403
    │   ├── OpenRouterCreditsError                                     402
    │   └── OpenRouterModerationError                                  input or output flagged
    ├── OpenRouterNotFoundError          [ModelNotFoundError]          404
    ├── OpenRouterTimeoutError           [ModelTimeoutError]           408, 504, client time-outs
    │   ├── OpenRouterIdleTimeoutError                                 idle_timeout: no data came
    │   └── OpenRouterTotalTimeoutError                                total_timeout, retries too
    ├── OpenRouterRateLimitError         [ModelRateLimitError]         429
    ├── OpenRouterAPIError               [ModelAPIError]               other 5xx
    │   ├── OpenRouterMalformedResponseError                           not an answer at all
    │   └── OpenRouterEmptyResponseError                               an answer without content
    ├── OpenRouterConnectionError        [ModelConnectionError]        cannot connect, lost
    │   └── OpenRouterStreamCutError                                   ended without a finish
    └── OpenRouterOutputError            [OutputParserException]       not the wanted object
        ├── OpenRouterRefusalError       [ModelRefusalError]           the model refused
        └── OpenRouterTruncatedError                                   cut by a token limit

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.exceptions import (
    ContextOverflowError,
    LangChainException,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelRefusalError,
    ModelTimeoutError,
    OutputParserException,
)
from langchain_core.messages import AIMessage, BaseMessage

from langchain_openrouter_o3.errors.redaction import conceal

__all__ = [
    "OpenRouterAPIError",
    "OpenRouterAuthenticationError",
    "OpenRouterConnectionError",
    "OpenRouterContextOverflowError",
    "OpenRouterCreditsError",
    "OpenRouterEmptyResponseError",
    "OpenRouterError",
    "OpenRouterIdleTimeoutError",
    "OpenRouterInputError",
    "OpenRouterInvalidRequestError",
    "OpenRouterMalformedResponseError",
    "OpenRouterModerationError",
    "OpenRouterNotFoundError",
    "OpenRouterOutputError",
    "OpenRouterPermissionError",
    "OpenRouterRateLimitError",
    "OpenRouterRefusalError",
    "OpenRouterStreamCutError",
    "OpenRouterTimeoutError",
    "OpenRouterTotalTimeoutError",
    "OpenRouterTruncatedError",
]

_FACTS = (
    "status_code",
    "code",
    "error_type",
    "provider_name",
    "generation_id",
    "retry_after",
    "fallback_models",
    "body",
    "partial",
    "headers",
    "attempts",
    "seconds_waited",
)


class ErrorResponse(NamedTuple):
    """What tracing may see of a failed response.

    langchain-core copies `error.response` with all its headers into traces, so this holds
    only what helps and reveals no secret.
    """

    status_code: int | None
    headers: dict[str, str]
    body: Any

    def json(self) -> Any:
        """Return the redacted body."""
        return self.body


class OpenRouterError(LangChainException):
    """Base of all errors of a request to OpenRouter.

    Attributes:
        status_code: The HTTP status, or the code of an error inside a 200 body.
        code: OpenRouter's own code, a number or (rarely) a word.
        error_type: OpenRouter's canonical error type, such as `"rate_limit_exceeded"`.
        provider_name: Who failed behind OpenRouter, such as `"Azure"`.
        generation_id: OpenRouter's `gen-…` id, to look the request up.
        retry_after: Seconds after which the server said a retry makes sense.
        fallback_models: Slugs of models that OpenRouter offers instead.
        body: The decoded error body without user ids and keys.
        partial: The message received before the failure, so that nothing is lost.
        headers: The response headers that matter to a client, lower case.
        attempts: Requests that the call had made when this was raised; 0 before the first.
        seconds_waited: Between these attempts, in all.
        is_retryable: Whether the same request may succeed later: the server's word, else the
            class's; LangChain's retry middleware reads it.
    """

    is_retryable: bool = False

    def __init__(  # noqa: PLR0913 - each is a documented attribute, all but the text by name
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: int | str | None = None,
        error_type: str | None = None,
        provider_name: str | None = None,
        generation_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        fallback_models: Sequence[str] = (),
        body: Any = None,
        partial: AIMessage | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the facts of a failure beside its text.

        Args:
            message: One sentence that a person can act on.
            status_code: See the class.
            code: See the class.
            error_type: See the class.
            provider_name: See the class.
            generation_id: See the class.
            retry_after: Seconds; see the class.
            retryable: The server's own word (`error.availability.retryable`), if it gave one.
            fallback_models: See the class.
            body: See the class.
            partial: See the class.
            headers: See the class.
        """
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.error_type = error_type
        self.provider_name = provider_name
        self.generation_id = generation_id
        self.retry_after = retry_after
        self.retryable = retryable
        if retryable is not None:
            self.is_retryable = retryable  # the server's word beats the class's
        self.fallback_models = list(fallback_models)
        self.body = body
        self.partial = partial
        self.headers = dict(headers or {})
        self.attempts = 0
        self.seconds_waited = 0.0

    @property
    def request_id(self) -> str | None:
        """The generation id, under the name that langchain-core puts into traces."""
        return self.generation_id

    @property
    def response(self) -> ErrorResponse:
        """The trimmed response that langchain-core puts into traces."""
        return ErrorResponse(self.status_code, self.headers, self.body)

    def conceal(self, secret: str) -> None:
        """Take a secret out of the text, of all facts and causes; a gateway may echo the key.

        The partial message was read without it.
        """
        for name in _FACTS:
            if name != "partial":
                setattr(self, name, conceal(getattr(self, name), secret))
        each: BaseException | None = self
        while each is not None:
            each.args = tuple(conceal(argument, secret) for argument in each.args)
            each = each.__cause__

    def copy_facts_from(self, other: OpenRouterError) -> None:
        """Know what another error knows: the facts of the failure that led to this one."""
        for name in _FACTS:
            setattr(self, name, getattr(other, name))

    def __reduce__(
        self,
    ) -> tuple[Callable[..., OpenRouterError], tuple[Any, ...]]:
        """Pickle by class, text and attributes: keyword-only arguments break the default."""
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(
    cls: type[OpenRouterError], args: tuple[Any, ...], state: dict[str, Any]
) -> OpenRouterError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class OpenRouterInvalidRequestError(ModelInvalidRequestError, OpenRouterError):
    """The request was refused as it is; sending it again cannot help."""


class OpenRouterInputError(OpenRouterInvalidRequestError, ValueError):
    """Refused by this package before anything was sent; the text names what and the remedy."""


class OpenRouterContextOverflowError(ContextOverflowError, OpenRouterError):
    """The prompt is longer than the model's context window."""


class OpenRouterAuthenticationError(ModelAuthenticationError, OpenRouterError):
    """The key is missing, wrong or disabled."""


class OpenRouterPermissionError(ModelPermissionDeniedError, OpenRouterError):
    """This is not allowed: by the key's limits, a policy, the country, the provider's terms."""


class OpenRouterCreditsError(OpenRouterPermissionError):
    """Not enough credits for this request, or more than the key may spend."""


class OpenRouterModerationError(OpenRouterPermissionError):
    """The input or the output was flagged."""


class OpenRouterNotFoundError(ModelNotFoundError, OpenRouterError):
    """No such model, or no endpoint that can serve this request."""


class OpenRouterTimeoutError(ModelTimeoutError, OpenRouterError):
    """The server, the provider or the client's own limit ran out of time."""


class OpenRouterIdleTimeoutError(OpenRouterTimeoutError):
    """No data came for `idle_timeout` seconds; `partial` holds what had come."""


class OpenRouterTotalTimeoutError(OpenRouterTimeoutError):
    """The call, with its retries, took longer than `total_timeout`; see `partial`."""


class OpenRouterRateLimitError(ModelRateLimitError, OpenRouterError):
    """Too many requests, here or at the provider."""


class OpenRouterAPIError(ModelAPIError, OpenRouterError):
    """The server or the provider failed."""


class OpenRouterMalformedResponseError(OpenRouterAPIError):
    """The bytes that came are not an answer: broken JSON, HTML, a wrong type in a field."""


class OpenRouterEmptyResponseError(OpenRouterAPIError):
    """A "successful" answer without text, tool call, refusal or reasoning that was not billed."""


class OpenRouterConnectionError(ModelConnectionError, OpenRouterError):
    """The server cannot be reached, or the connection was lost."""


class OpenRouterStreamCutError(OpenRouterConnectionError):
    """The stream ended before the model had finished; `partial` holds what had come."""


class OpenRouterOutputError(OpenRouterError, OutputParserException):
    """The answer is not the object that was asked for; `partial` is the message as it came."""


class OpenRouterRefusalError(OpenRouterOutputError, ModelRefusalError):
    """The model refused to answer; `partial` is the message with the refusal, if one came."""

    def __init__(
        self,
        message: str = "The model refused to answer.",
        *,
        raw_message: BaseMessage | None = None,
        **facts: Any,
    ) -> None:
        """Keep the facts of a refusal.

        Args:
            message: One sentence that a person can act on.
            raw_message: langchain-core's name for `partial`.
            facts: See `OpenRouterError`.
        """
        if raw_message is not None:
            facts.setdefault("partial", raw_message)
        super().__init__(message, **facts)
        # Core adds a link to its help on output parsers, which is no help here.
        self.args = (message,)

    @property
    def raw_message(self) -> BaseMessage | None:  # type: ignore[override] # it cannot be set
        """The message with the refusal, under langchain-core's name."""
        return self.partial


class OpenRouterTruncatedError(OpenRouterOutputError):
    """The answer was cut by a token limit, so the object is not whole."""

"""What may be wrong with a batch: the errors that a caller sees."""

from langchain_openrouter_o3.errors import (
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterInputError,
)


class BatchError(OpenRouterError):
    """Base of the errors of batches."""


class BatchRequestError(BatchError, OpenRouterInputError):
    """A batch cannot carry a request; the text names the row, the parameter and the remedy."""


class BatchPendingError(BatchError):
    """There are no results yet; `wait()` waits for them."""

    is_retryable = True


class BatchLostError(BatchError):
    """OpenRouter does not know a batch of the job, or cannot say whether it does.

    The answer to its submission was lost, or somebody has deleted it. Nothing is sent again by
    itself. The same `submit_batch` looks again, and sends what is not there; where that cannot be
    known, `resubmit(lost=True)` sends it again, and it may be paid twice.
    """


class BatchUnpaidError(BatchError, OpenRouterCreditsError):
    """The answers are there, and OpenRouter holds them back until the account has credits."""


class BatchFailedError(BatchError):
    """A batch was refused as a whole, or has ended without an answer to this request.

    `resubmit()` sends the request again.
    """


class BatchExpiredError(BatchFailedError):
    """The batch has ended (expired or cancelled) before this request was answered."""


class BatchGoneError(BatchFailedError):
    """OpenRouter has deleted the batch and its answers, as it does after 30 days."""


class BatchRoundsError(BatchError, OpenRouterInputError):
    """A chain makes another call than it may: an agent, or more rounds than are allowed."""

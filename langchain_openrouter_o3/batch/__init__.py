"""OpenRouter's Batch API: any chain over many rows, at about half the price, within a day.

`submit_batch` runs a chain for each row up to its call, submits the requests in batches, and gives
a `BatchJob`, which any process can find again. Its `results` run the chain on with the answers.
"""

from langchain_openrouter_o3.batch.errors import (
    BatchError,
    BatchExpiredError,
    BatchFailedError,
    BatchGoneError,
    BatchLostError,
    BatchPendingError,
    BatchRequestError,
    BatchRoundsError,
    BatchUnpaidError,
)
from langchain_openrouter_o3.batch.job import BatchJob, asubmit_batch, find_jobs, submit_batch
from langchain_openrouter_o3.batch.status import BatchInfo, JobStatus

__all__ = [
    "BatchError",
    "BatchExpiredError",
    "BatchFailedError",
    "BatchGoneError",
    "BatchInfo",
    "BatchJob",
    "BatchLostError",
    "BatchPendingError",
    "BatchRequestError",
    "BatchRoundsError",
    "BatchUnpaidError",
    "JobStatus",
    "asubmit_batch",
    "find_jobs",
    "submit_batch",
]

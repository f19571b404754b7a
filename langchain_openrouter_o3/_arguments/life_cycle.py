"""How a model is closed, copied and pickled: its connections are shared, its key stays here."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from pydantic import BaseModel, PrivateAttr, SecretStr
from typing_extensions import Self

from langchain_openrouter_o3._arguments.checks import check_api_key, key_from_environment
from langchain_openrouter_o3._http.pool_reference import PoolReference


class SharedConnections(BaseModel):
    """The part of a model that holds a claim on connections shared by all models."""

    api_key: SecretStr | None
    http_client: Any
    http_async_client: Any
    default_headers: dict[str, str] | None

    _pools: PoolReference = PrivateAttr(default_factory=PoolReference)
    # The values of all fields as they were checked last.
    _fields_checked: dict[str, Any] = PrivateAttr(default_factory=dict)

    def close(self) -> None:
        """Give back the shared connections that no other model uses.

        The model stays usable: its next call opens new ones.
        """
        self._pools.release()

    async def aclose(self) -> None:
        """Give back the shared connections, those of the running event loop too."""
        await self._pools.arelease()

    def __enter__(self) -> Self:
        """Use the model in a `with` block, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """See `close`."""
        self.close()

    async def __aenter__(self) -> Self:
        """Use the model in an `async with` block, which closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """See `aclose`."""
        await self.aclose()

    def __copy__(self) -> Self:
        """Copy; the copy holds its own claim on the shared connections."""
        copied = super().__copy__()
        copied._pools = PoolReference()  # noqa: SLF001 - its own class
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy deeply; your own HTTP clients are shared, because they cannot be copied."""
        memo = {} if memo is None else memo
        for client in (self.http_client, self.http_async_client):
            memo[id(client)] = client
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle without the key and without connections.

        Raises:
            TypeError: Your own HTTP client is set (dropping it would bypass your proxy), or
                `default_headers` are: any of them may carry credentials.
        """
        if self.http_client is not None or self.http_async_client is not None:
            raise TypeError(
                "http_client and http_async_client cannot be pickled; build the model where it "
                "is used, or leave them unset."
            )
        if self.default_headers:
            raise TypeError(
                "default_headers may carry credentials, which do not travel in a pickle; build "
                "the model where it is used."
            )
        state = super().__getstate__()
        return {
            **state,
            "__dict__": {**state["__dict__"], "api_key": None},
            "__pydantic_private__": None,
        }

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Unpickle; the key is read from `OPENROUTER_API_KEY` here."""
        super().__setstate__(state)
        self.model_post_init(None)
        self.api_key = check_api_key(key_from_environment())
        self._fields_checked = dict(self.__dict__)

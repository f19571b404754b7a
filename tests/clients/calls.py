"""What a client does against the emulator, in its own environment: `python calls.py CLIENT URL`.

It imports nothing but the client, so that each client is installed alone. `.ci/clients.py` makes
the environments; `test_calls.py` runs those clients that are installed beside the tests.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

MODEL = "openai/o3-mini"
MESSAGES: list[Any] = [{"role": "user", "content": "Think. What is 17 + 25?"}]
SCHEMA: dict[str, Any] = {
    "title": "Sum",
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Add two numbers.", "parameters": SCHEMA},
}
FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "Sum", "strict": True, "schema": SCHEMA},
}


def refused(call: Callable[[], object], kind: type[Exception], words: str) -> None:
    """Expect an error of a type that says something."""
    try:
        call()
    except kind as error:
        said = str(error)
    else:
        said = "nothing"
    assert words in said, said


def answered(text: object) -> None:
    """Expect the sum."""
    assert "42" in str(text), text


class OpenAI:
    """OpenAI's SDK, of its second and third major version."""

    def __init__(self, url: str) -> None:
        import openai

        self._sdk: Any = openai
        self._settings = {"api_key": "any", "max_retries": 0}
        self._url = url
        self._client = openai.OpenAI(base_url=url, api_key="any", max_retries=0)

    def chat(self) -> None:
        answer = self._create(extra_body={"reasoning": {"effort": "high"}})
        answered(answer.choices[0].message.content)
        assert answer.usage.completion_tokens_details.reasoning_tokens > 0

    def streamed_chat(self) -> None:
        chunks = [*self._create(stream=True, stream_options={"include_usage": True})]
        answered("".join(each.choices[0].delta.content or "" for each in chunks))
        assert chunks[-1].usage.total_tokens > 0

    def tools(self) -> None:
        answer = self._create(tools=[TOOL], tool_choice="required").choices[0].message
        (call,) = answer.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": "42"}
        final = self._create(messages=[*MESSAGES, answer, result], tools=[TOOL])
        answered(final.choices[0].message.content)

    def structured_output(self) -> None:
        from pydantic import create_model

        kind: Any = create_model("Sum", a=(int, ...), b=(int, ...))
        parse: Any = self._client.chat.completions.parse
        answer = parse(model=MODEL, messages=MESSAGES, response_format=kind).choices[0]
        assert answer.message.parsed == kind(a=17, b=25)

    def models(self) -> None:
        assert MODEL in [each.id for each in self._client.models.list()]

    def errors(self) -> None:
        wrong = self._sdk.OpenAI(base_url=self._url + "/nothing", **self._settings)
        bad, missing = self._sdk.BadRequestError, self._sdk.NotFoundError
        refused(lambda: self._create(max_tokens=1), bad, "Provider returned error")
        refused(wrong.models.list, missing, "The emulator has POST /chat/completions")

    def asynchronous(self) -> None:
        asyncio.run(self._asynchronous())

    async def _asynchronous(self) -> None:
        async with self._sdk.AsyncOpenAI(base_url=self._url, **self._settings) as client:
            create = client.chat.completions.create
            whole = await create(model=MODEL, messages=MESSAGES)
            answered(whole.choices[0].message.content)
            stream = await create(model=MODEL, messages=MESSAGES, stream=True)
            answered("".join([each.choices[0].delta.content or "" async for each in stream]))

    def _create(self, **more: Any) -> Any:
        create: Any = self._client.chat.completions.create
        return create(**{"model": MODEL, "messages": MESSAGES, **more})


class ChatOpenAI:
    """LangChain's model for OpenAI."""

    def __init__(self, url: str) -> None:
        import langchain_openai
        import openai

        self._settings: dict[str, Any] = {"base_url": url, "api_key": "any", "max_retries": 0}
        self._class: Any = langchain_openai.ChatOpenAI
        self._bad_request: type[Exception] = openai.BadRequestError

    @property
    def _model(self) -> Any:
        return self._class(model=MODEL, **self._settings)

    def chat(self) -> None:
        answered(self._model.invoke(MESSAGES).text)

    def streamed_chat(self) -> None:
        answered("".join(each.text for each in self._model.stream(MESSAGES)))

    def tools(self) -> None:
        bound = self._model.bind_tools([TOOL], tool_choice="add")
        (call,) = bound.invoke(MESSAGES).tool_calls
        assert call["args"] == {"a": 17, "b": 25}

    def structured_output(self) -> None:
        bound = self._model.with_structured_output(SCHEMA, method="json_schema", strict=True)
        assert bound.invoke(MESSAGES) == {"a": 17, "b": 25}

    def errors(self) -> None:
        wrong = self._class(model="openai/gpt-0", **self._settings)
        refused(lambda: wrong.invoke(MESSAGES), self._bad_request, "valid model ID")

    def asynchronous(self) -> None:
        asyncio.run(self._asynchronous())

    async def _asynchronous(self) -> None:
        model = self._model
        answered((await model.ainvoke(MESSAGES)).text)
        answered("".join([each.text async for each in model.astream(MESSAGES)]))


class ChatOpenRouter(ChatOpenAI):
    """LangChain's own model for OpenRouter."""

    def __init__(self, url: str) -> None:
        import langchain_openrouter
        from openrouter.errors import BadRequestResponseError

        self._settings = {"base_url": url, "api_key": "any", "max_retries": 0}
        self._class = langchain_openrouter.ChatOpenRouter
        self._bad_request = BadRequestResponseError


class OpenRouter:
    """OpenRouter's SDK, which validates every answer with pydantic."""

    def __init__(self, url: str) -> None:
        import openrouter

        self._sdk: Any = openrouter
        self._settings = {"api_key": "any", "server_url": url}
        self._client: Any = openrouter.OpenRouter(**self._settings)

    def chat(self) -> None:
        message = self._send(reasoning={"effort": "high"}).choices[0].message
        answered(message.content)
        assert message.reasoning_details[-1].type == "reasoning.encrypted"

    def streamed_chat(self) -> None:
        with self._send(stream=True, x_open_router_metadata="enabled") as stream:
            chunks = [*stream]
        answered("".join(each.choices[0].delta.content or "" for each in chunks))
        assert chunks[-1].usage.total_tokens > 0
        assert chunks[-1].openrouter_metadata.requested == MODEL

    def tools(self) -> None:
        (call,) = self._send(tools=[TOOL], tool_choice="required").choices[0].message.tool_calls
        assert call.function.name == "add"

    def structured_output(self) -> None:
        message = self._send(response_format=FORMAT).choices[0].message
        assert message.content == '{"a":17,"b":25}'

    def models(self) -> None:
        assert MODEL in [each.id for each in self._client.models.list().result.data]
        found = self._client.endpoints.list(author="openai", slug="o3-mini")
        assert [each.provider_name for each in found.data.endpoints] == ["OpenAI"]

    def key_credits_generation(self) -> None:
        answer = self._send()
        found = self._client.generations.get_generation(id=answer.id).data
        assert found.total_cost == answer.usage.cost
        assert self._client.api_keys.get_current_key_metadata().data.usage >= found.total_cost
        assert self._client.credits.get_credits().data.total_usage >= found.total_cost

    def errors(self) -> None:
        bad = self._sdk.errors.BadRequestResponseError
        missing = self._sdk.errors.NotFoundResponseError
        client = self._client
        refused(lambda: self._send(max_tokens=1), bad, "Provider returned error")
        refused(lambda: client.generations.get_generation(id="gen-1"), missing, "not found")
        refused(lambda: client.endpoints.list(author="a", slug="b"), missing, "not found")

    def asynchronous(self) -> None:
        asyncio.run(self._asynchronous())

    async def _asynchronous(self) -> None:
        async with self._sdk.OpenRouter(**self._settings) as client:
            send = client.chat.send_async
            whole = await send(model=MODEL, messages=MESSAGES)
            answered(whole.choices[0].message.content)
            async with await send(model=MODEL, messages=MESSAGES, stream=True) as stream:
                answered("".join([each.choices[0].delta.content or "" async for each in stream]))

    def _send(self, **more: Any) -> Any:
        return self._client.chat.send(model=MODEL, messages=MESSAGES, **more)


CLIENTS: dict[str, Callable[[str], object]] = {
    "openai": OpenAI,
    "langchain_openai": ChatOpenAI,
    "langchain_openrouter": ChatOpenRouter,
    "openrouter": OpenRouter,
}
"""The clients, by the package that is imported."""


def main(name: str, url: str) -> None:
    """Make every call of a client, and print their names."""
    client = CLIENTS[name](url)
    calls = [each for each in dir(client) if not each.startswith("_")]
    for each in calls:
        getattr(client, each)()
    sys.stdout.write(", ".join(each.replace("_", " ") for each in calls) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

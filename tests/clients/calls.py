"""What a client does against the emulator, in its own environment: `python calls.py CLIENT URL`.

It imports nothing but the client, so that each client is installed alone. `.ci/clients.py` makes
the environments; `test_calls.py` runs those clients that are installed beside the tests.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

Calls = dict[str, Callable[[], object]]

MODEL = "openai/o3-mini"
MESSAGES: list[Any] = [{"role": "user", "content": "Think. What is 17 + 25?"}]
ADD: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Add two numbers.", "parameters": ADD},
}
FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "Sum", "strict": True, "schema": ADD},
}


def refused(call: Callable[..., object], kind: type[Exception], words: str) -> None:
    """Expect an error of a type that says something."""
    try:
        call()
    except kind as error:
        said = str(error)
    else:
        said = "nothing"
    assert words in said, said


def openai(url: str) -> Calls:
    """Return the calls of OpenAI's SDK, of its second and third major version."""
    import openai as sdk

    client: Any = sdk.OpenAI(base_url=url, api_key="any", max_retries=0)
    create = client.chat.completions.create

    def chat(**more: Any) -> Any:
        return create(model=MODEL, messages=MESSAGES, **more)

    def chat_answers() -> None:
        answer = chat(extra_body={"reasoning": {"effort": "high"}})
        assert "42" in answer.choices[0].message.content
        assert answer.usage.completion_tokens_details.reasoning_tokens > 0

    def chat_streams() -> None:
        chunks = [*chat(stream=True, stream_options={"include_usage": True})]
        assert "42" in "".join(each.choices[0].delta.content or "" for each in chunks)
        assert chunks[-1].usage.total_tokens > 0

    def tools() -> None:
        answer = chat(tools=[TOOL], tool_choice="required")
        (call,) = answer.choices[0].message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": "42"}
        history = [*MESSAGES, answer.choices[0].message, result]
        final = create(model=MODEL, messages=history, tools=[TOOL])
        assert "42" in final.choices[0].message.content

    def structured() -> None:
        from pydantic import BaseModel

        class Sum(BaseModel):
            a: int
            b: int

        answer = client.chat.completions.parse(
            model=MODEL, messages=MESSAGES, response_format=Sum
        ).choices[0]
        assert answer.message.parsed == Sum(a=17, b=25)

    def errors() -> None:
        wrong = sdk.OpenAI(base_url=url + "/nothing", api_key="any", max_retries=0)
        refused(lambda: chat(max_tokens=1), sdk.BadRequestError, "Provider returned error")
        refused(wrong.models.list, sdk.NotFoundError, "The emulator has POST /chat/completions")

    async def asynchronous() -> None:
        async with sdk.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as twin:
            options: Any = {"model": MODEL, "messages": MESSAGES}
            whole = await twin.chat.completions.create(**options)
            assert "42" in str(whole.choices[0].message.content)
            stream: Any = await twin.chat.completions.create(**options, stream=True)
            texts = [each.choices[0].delta.content or "" async for each in stream]
            assert "42" in "".join(texts)

    return {
        "chat": chat_answers,
        "streamed chat": chat_streams,
        "tools": tools,
        "structured output": structured,
        "models": lambda: next(each for each in client.models.list() if each.id == MODEL),
        "errors": errors,
        "async": lambda: asyncio.run(asynchronous()),
    }


def chat_openai(url: str) -> Calls:
    """Return the calls of ChatOpenAI."""
    import openai as sdk
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=url, api_key=lambda: "any", max_retries=0)
    wrong = ChatOpenAI(model="openai/gpt-0", base_url=url, api_key=lambda: "any", max_retries=0)
    return _langchain(model, wrong, sdk.BadRequestError)


def chat_openrouter(url: str) -> Calls:
    """Return the calls of ChatOpenRouter, LangChain's own package for OpenRouter."""
    from langchain_openrouter import ChatOpenRouter
    from openrouter.errors import BadRequestResponseError

    settings: Any = {"base_url": url, "api_key": "any", "max_retries": 0}
    model = ChatOpenRouter(model=MODEL, **settings)
    return _langchain(
        model, ChatOpenRouter(model="openai/gpt-0", **settings), BadRequestResponseError
    )


def _langchain(model: Any, wrong: Any, kind: type[Exception]) -> Calls:
    def tools() -> None:
        bound = model.bind_tools([TOOL], tool_choice="add")
        (call,) = bound.invoke(MESSAGES).tool_calls
        assert call["args"] == {"a": 17, "b": 25}

    def structured() -> None:
        schema = {"title": "Sum", **ADD}
        bound = model.with_structured_output(schema, method="json_schema", strict=True)
        assert bound.invoke(MESSAGES) == {"a": 17, "b": 25}

    async def asynchronous() -> None:
        assert "42" in (await model.ainvoke(MESSAGES)).text
        assert "42" in "".join([each.text async for each in model.astream(MESSAGES)])

    def holds(text: str) -> None:
        assert "42" in text

    return {
        "chat": lambda: holds(model.invoke(MESSAGES).text),
        "streamed chat": lambda: holds("".join(each.text for each in model.stream(MESSAGES))),
        "tools": tools,
        "structured output": structured,
        "errors": lambda: refused(lambda: wrong.invoke(MESSAGES), kind, "valid model ID"),
        "async": lambda: asyncio.run(asynchronous()),
    }


def openrouter(url: str) -> Calls:
    """Return the calls of OpenRouter's SDK, which validates every answer with pydantic."""
    from openrouter import OpenRouter, errors

    client: Any = OpenRouter(api_key="any", server_url=url)

    def chat(**more: Any) -> Any:
        return client.chat.send(model=MODEL, messages=MESSAGES, **more)

    def chat_answers() -> None:
        answer = chat(reasoning={"effort": "high"})
        assert "42" in answer.choices[0].message.content
        (*_, details) = answer.choices[0].message.reasoning_details
        assert details.type == "reasoning.encrypted"

    def chat_streams() -> None:
        with chat(stream=True, x_open_router_metadata="enabled") as stream:
            chunks = [*stream]
        assert "42" in "".join(each.choices[0].delta.content or "" for each in chunks)
        assert chunks[-1].usage.total_tokens > 0
        assert chunks[-1].openrouter_metadata.requested == MODEL

    def tools() -> None:
        (call,) = chat(tools=[TOOL], tool_choice="required").choices[0].message.tool_calls
        assert call.function.name == "add"

    def structured() -> None:
        answer = chat(response_format=FORMAT)
        assert answer.choices[0].message.content == '{"a":17,"b":25}'

    def models() -> None:
        assert MODEL in [each.id for each in client.models.list().result.data]
        (endpoint,) = client.endpoints.list(author="openai", slug="o3-mini").data.endpoints
        assert endpoint.provider_name == "OpenAI"

    def account() -> None:
        answer = chat()
        found = client.generations.get_generation(id=answer.id).data
        assert found.total_cost == answer.usage.cost
        assert client.api_keys.get_current_key_metadata().data.usage >= found.total_cost
        assert client.credits.get_credits().data.total_usage >= found.total_cost

    def refusals() -> None:
        missing = errors.NotFoundResponseError
        refused(lambda: chat(max_tokens=1), errors.BadRequestResponseError, "Provider returned")
        refused(lambda: client.generations.get_generation(id="gen-1"), missing, "not found")
        refused(lambda: client.endpoints.list(author="a", slug="b"), missing, "not found")

    async def asynchronous() -> None:
        async with OpenRouter(api_key="any", server_url=url) as twin:
            options: Any = {"model": MODEL, "messages": MESSAGES}
            whole: Any = await twin.chat.send_async(**options)
            assert "42" in whole.choices[0].message.content
            async with await twin.chat.send_async(**options, stream=True) as stream:
                texts = [each.choices[0].delta.content or "" async for each in stream]
            assert "42" in "".join(texts)

    return {
        "chat": chat_answers,
        "streamed chat": chat_streams,
        "tools": tools,
        "structured output": structured,
        "models": models,
        "key, credits, generation": account,
        "errors": refusals,
        "async": lambda: asyncio.run(asynchronous()),
    }


CLIENTS: dict[str, Callable[[str], Calls]] = {
    "openai": openai,
    "chat_openai": chat_openai,
    "chat_openrouter": chat_openrouter,
    "openrouter": openrouter,
}


if __name__ == "__main__":
    _, name, address = sys.argv
    calls = CLIENTS[name](address)
    for call in calls.values():
        call()
    sys.stdout.write(", ".join(calls) + "\n")

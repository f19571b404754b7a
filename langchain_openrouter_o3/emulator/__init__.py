"""A local OpenRouter for tests and offline work.

It answers on the real wire, with the events, errors, usage and quirks of OpenRouter's o-series
models, but by deterministic rules: there is no language model here, and no network.

    with Emulator() as emulator:
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
        model.invoke("What is 2+2?")
        print(emulator.requests[0].body)
"""

try:
    from langchain_openrouter_o3.emulator import faults
    from langchain_openrouter_o3.emulator.canned import Canned
    from langchain_openrouter_o3.emulator.fault import Fault
    from langchain_openrouter_o3.emulator.request_log import ReceivedRequest
    from langchain_openrouter_o3.emulator.server import Emulator
except ModuleNotFoundError as error:
    if str(error.name).partition(".")[0] not in ("h11", "starlette", "uvicorn"):
        raise
    raise ModuleNotFoundError(
        f"The emulator needs {error.name}, which comes with its extra: "
        'pip install "langchain-openrouter-o3[emulator]"',
        name=error.name,
    ) from error

__all__ = ["Canned", "Emulator", "Fault", "ReceivedRequest", "faults"]

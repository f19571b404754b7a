"""The pytest plugin, in the eyes of those who use it."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from subprocess import run

import pytest

PACKAGE = "langchain_openrouter_o3"
PLUGIN = "langchain_openrouter_o3.emulator.pytest_plugin"
# pytester forgets what an inner run has imported, so it is imported here.
IMPORTED = ("langchain.agents", "langchain_openai", f"{PACKAGE}.chat_models", "uvloop", "vcr")
for name in IMPORTED:
    importlib.import_module(name)

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "emulator.md"
# The entry point is off, so that an environment that has it and one that has not run alike.
OPTIONS = ("-p", "no:openrouter_emulator", "-p", PLUGIN, "-p", "no:cacheprovider")

AGENT = '''
import asyncio
from langchain.agents import create_agent
from langchain_openrouter_o3 import ChatOpenRouterO3

def get_weather(city: str) -> str:
    """Get the weather."""
    return f"sunny in {city}"

def agent():
    return create_agent(ChatOpenRouterO3(), [get_weather])

def ask(mode):
    agent = create_agent(ChatOpenRouterO3(max_retries=0), [get_weather])
    given = {"messages": "Weather?"}
    if mode == "invoke":
        return agent.invoke(given)["messages"][-1].text
    if mode == "ainvoke":
        return asyncio.run(agent.ainvoke(given))["messages"][-1].text
    options = {"stream_mode": ["messages", "values"]}  # for the first the model streams
    async def gather():
        return [piece async for piece in agent.astream(given, **options)]
    pieces = asyncio.run(gather()) if mode == "astream" else [*agent.stream(given, **options)]
    return pieces[-1][1]["messages"][-1].text
'''


INI = """
[pytest]
addopts = --strict-markers
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture
def tests(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder for tests that have an agent."""
    pytester.makepyfile(my_app=AGENT)
    pytester.makeini(INI)
    return pytester


def results(tests: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    tests.makepyfile(source)
    return tests.runpytest_inprocess(*OPTIONS, *options)


def test_an_agent_is_tested_in_five_lines_whichever_way_it_is_called(
    tests: pytest.Pytester,
) -> None:
    source = """
        from langchain_openrouter_o3.emulator import call, say
        from my_app import ask
        def test_agent(openrouter, mode):
            openrouter.play(call("get_weather", city="Paris"), say("Take a hat."))
            assert ask(mode) == "Take a hat."
    """
    tests.makeconftest("""
        def pytest_generate_tests(metafunc):
            metafunc.parametrize("mode", ["invoke", "stream", "ainvoke", "astream"])
    """)
    assert len(source.strip().splitlines()) == 5
    results(tests, source).assert_outcomes(passed=4)


def test_the_documented_tests_run(tests: pytest.Pytester) -> None:
    blocks = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    imports = "import pytest\nfrom langchain_openrouter_o3.emulator import faults\n"
    first, second = blocks
    assert sum(map(bool, first.splitlines())) == 5
    tests.makepyfile(test_first=first, test_second=imports + first.partition("def ")[0] + second)
    tests.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=2)


def test_a_failure_names_the_step_and_shows_the_exchange(tests: pytest.Pytester) -> None:
    done = results(
        tests,
        """
        import pytest
        from langchain_openrouter_o3.emulator import call, say
        from my_app import ask

        CALL = call("get_weather", city="Paris")

        @pytest.mark.openrouter(script=[CALL, say("Hat."), say("Never.")])
        def test_left_over():
            assert ask("invoke") == "Hat."

        @pytest.mark.openrouter(script=[CALL])
        def test_run_out(openrouter):
            try:
                ask("stream")
            except Exception:
                pass

        @pytest.mark.openrouter(script=[CALL, say("Hat.")])
        def test_wrong(openrouter):
            assert ask("ainvoke") == "Coat."

        @pytest.mark.openrouter(script=[call("get_time")])
        async def test_no_such_tool(openrouter):
            try:
                ask("stream")
            except Exception:
                pass

        @pytest.fixture
        def answer(openrouter):
            raise RuntimeError(ask("ainvoke"))

        @pytest.mark.openrouter(script=[say("Scarf.")])
        def test_fixture(answer):
            pass

        @pytest.mark.openrouter(["positional"])
        def test_usage(openrouter):
            pass
        """,
    )
    done.assert_outcomes(failed=4, errors=2)
    text = done.stdout.str()
    assert "step 3 of 3, say('Never.'), was never asked for" in text
    assert "no step of the script is left for this request: all 1 were played" in text
    assert (
        "step 1 of 1, call('get_time'), the request offers no tool 'get_time', but get_weather"
    ) in text
    assert "with names" in text
    assert "- Captured openrouter setup -" in text
    assert "← step 1 of 1, say('Scarf.'), says \"Scarf.\"" in text
    wrong = text.partition("_ test_wrong _")[2].partition("_ test_no_such_tool _")[0]
    shown = wrong.partition("- Captured openrouter call -")[2]
    assert re.search(r"request 1: openai/o3-mini, tools: get_weather\n +user: Weather\?", shown)
    assert re.search(r'← step 1 of 2, call\(.* calls get_weather\({"city":"Paris"}\)', shown)
    assert re.search(r"request 2: .*\n +assistant: .*\n +tool \(call_\w+\): sunny in Paris", shown)
    assert "sk-or" not in text


def test_faults_expectations_and_mocks_stand_beside_each_other(tests: pytest.Pytester) -> None:
    done = results(
        tests,
        """
        import httpx, json, pytest, vcr
        from langchain_openrouter_o3 import ChatOpenRouterO3
        from langchain_openrouter_o3.emulator import faults, say

        BUSY = faults.status(503, retry_after_ms=1)

        @pytest.mark.openrouter(script=[say("Hi")], faults=[BUSY])
        def test_faults(openrouter):
            assert ChatOpenRouterO3(seed=4).invoke("Hello").text == "Hi"
            assert [type(each.fault) for each in openrouter.requests][1] is type(None)
            found = openrouter.expect(contains="Hello", seed=4, stream=False, tools=())
            assert found.text == "Hello"
            with pytest.raises(AssertionError, match="request 2: tools are none, not get_time"):
                openrouter.expect(tools={"get_time"})

        def test_respx(openrouter, respx_mock):
            respx_mock.get("https://example.com/").respond(text="mocked")
            respx_mock.route(host="127.0.0.1").pass_through()
            assert httpx.get("https://example.com/").text == "mocked"
            assert "4" in ChatOpenRouterO3().invoke("What is 2+2?").text

        def test_pytest_httpx(openrouter, httpx_mock):
            httpx_mock.add_response(url="https://example.com/", text="mocked")
            assert httpx.get("https://example.com/").text == "mocked"

        ASKED = {"body": "", "headers": {}, "method": "GET", "uri": "https://example.com/"}
        STATUS = {"code": 200, "message": "OK"}
        GIVEN = {"body": {"string": "recorded"}, "headers": {}, "status": STATUS}
        EXCHANGE = {"request": ASKED, "response": GIVEN}
        CASSETTE = json.dumps({"interactions": [EXCHANGE], "version": 1})

        def test_vcr(openrouter, tmp_path):
            (tmp_path / "cassette.yaml").write_text(CASSETTE)
            options = dict(record_mode="none", serializer="json", ignore_hosts=["127.0.0.1"])
            with vcr.use_cassette(str(tmp_path / "cassette.yaml"), **options):
                assert httpx.get("https://example.com/").text == "recorded"
                assert "4" in ChatOpenRouterO3().invoke("What is 2+2?").text
        """,
    )
    done.assert_outcomes(passed=4)


WAYS = """
import asyncio, socket, threading
import anyio, httpx, openai, pytest, uvloop
from langchain_openai import ChatOpenAI
from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator.network_guard import OutsideConnectionError

async def async_get(url):
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(url)

async def connect(host):
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, 80)

async def look_up(host):
    await asyncio.get_running_loop().getaddrinfo(host, 80)

def in_thread(host):
    caught = []
    def work():
        try:
            socket.create_connection((host, 80))
        except OutsideConnectionError as error:
            caught.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise caught[0]

WAYS = {
    "httpx": lambda host: httpx.get(f"http://{host}/", trust_env=False),
    "httpx on asyncio": lambda host: asyncio.run(async_get(f"http://{host}/")),
    "httpx on trio": lambda host: anyio.run(async_get, f"http://{host}/", backend="trio"),
    "socket": lambda host: socket.create_connection((host, 80)),
    "datagram": lambda _: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 1)),
    "thread": in_thread,
    "uvloop": lambda host: uvloop.run(connect(host)),
    "uvloop's look-up": lambda host: uvloop.run(look_up(host)),
    "the model": lambda host: ChatOpenRouterO3(base_url=f"http://{host}/api/v1").invoke("Hi"),
}

def is_refusal(error):
    errors = getattr(error, "exceptions", [error])
    return any(isinstance(each, OutsideConnectionError) for each in errors)

@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("host", ["example.com", "192.0.2.1"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaves(openrouter, way, host):
    with pytest.raises(BaseException) as caught:
        WAYS[way](host)
    text = "".join(map(str, getattr(caught.value, "exceptions", [caught.value])))
    assert is_refusal(caught.value), repr(caught.value)
    assert (host if way != "datagram" else "192.0.2.1") in text and "is another machine" in text

def test_clients_come_here(openrouter):
    said = [
        ChatOpenRouterO3().invoke("What is 2+2?").text,
        ChatOpenAI(model="openai/o3-mini", use_responses_api=False).invoke("What is 2+2?").text,
        openai.OpenAI().chat.completions.create(
            model="openai/o3-mini", messages=[{"role": "user", "content": "What is 2+2?"}]
        ).choices[0].message.content,
    ]
    assert all("4" in each for each in said)
    assert len(openrouter.requests) == 3
"""


def test_no_connection_leaves_the_machine_and_every_client_comes_here(
    tests: pytest.Pytester,
) -> None:
    results(tests, WAYS).assert_outcomes(passed=19)


def test_the_plugin_is_an_entry_point_that_costs_nothing_until_it_is_used() -> None:
    declared = f'[project.entry-points.pytest11]\nopenrouter_emulator = "{PLUGIN}"\n'
    assert declared in (ROOT / "pyproject.toml").read_text()
    script = f"import sys, {PLUGIN}; print(*sys.modules)"
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"langchain_core", "httpx", "starlette", "uvicorn", "pydantic", "anyio"}
    assert heavy.isdisjoint(done.stdout.split())


def test_workers_do_not_meet(tests: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # workers start faster
    tests.makeini("[pytest]")
    done = results(
        tests,
        """
        import httpx, pytest
        from langchain_openrouter_o3.emulator import say

        @pytest.mark.parametrize("number", range(6))
        def test_alone(openrouter, number):
            openrouter.play(say(f"number {number}"))
            body = {"model": "openai/o3-mini", "messages": [{"role": "user", "content": "Hi"}]}
            url = openrouter.base_url + "/chat/completions"
            answer = httpx.post(url, json=body, headers={"authorization": "Bearer k"})
            assert f"number {number}" in answer.text
        """,
        *("-p", "xdist", "-n", "2"),
    )
    done.assert_outcomes(passed=6)

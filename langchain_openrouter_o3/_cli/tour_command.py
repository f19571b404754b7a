"""`openrouter-o3 tour`: each step's code, its result, and what it took."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_openrouter_o3 import __version__
from langchain_openrouter_o3._cli.answer import Meter, Usage, table_rows
from langchain_openrouter_o3._cli.connection import (
    EMULATED,
    THINKING,
    build_model,
    connect,
    has_key,
)
from langchain_openrouter_o3._cli.options import add_model_options, model_settings, new_parser
from langchain_openrouter_o3._terminal.open_terminal import open_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3._terminal.terminal import Terminal

_ABOUT = """\
Show what the Python package does, step by step, with the code of each step.
Without OPENROUTER_API_KEY, an emulator answers; with it, the tour costs about a cent."""
_EXAMPLES = """\
examples:
  %(prog)s
  %(prog)s --emulator"""
# A person is to see what waiting for a model looks like.
_THINK_TIME = 0.5


class Display:
    """Shows results on a terminal, each kind in its own way."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def text(self, text: str) -> None:
        """Show a piece of an answer."""
        self._terminal.say(text)

    def thought(self, text: str | None) -> None:
        """Show a piece of a reasoning summary, if there is one."""
        self._terminal.say(text or "", "dim")

    def message(self, message: BaseMessage) -> None:
        """Show what an agent's step has added: calls of tools, a result, or the answer."""
        terminal = self._terminal
        if isinstance(message, ToolMessage):
            terminal.line(f"  \N{LEFTWARDS ARROW} {message.name}: {message.text}")
            terminal.wait(THINKING)
            return
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                terminal.line(
                    f"  \N{RIGHTWARDS ARROW} {call['name']}({_arguments(call['args'])})", "code"
                )
        if message.text:
            terminal.gap()
            terminal.say(message.text)

    def update(self, update: dict[str, Any]) -> None:
        """Show what a step of LangGraph has added."""
        states: list[dict[str, list[BaseMessage]]] = [state for state in update.values() if state]
        for state in states:
            for message in state.get("messages", []):
                self.message(message)

    def fields(self, value: BaseModel) -> None:
        """Show an object by its fields."""
        self._terminal.fields((name, str(item)) for name, item in value)


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


@dataclass(frozen=True)
class Step:
    """One step of the tour.

    Attributes:
        name: One word.
        about: What happens, in a few words.
        run: Does it with a model, and shows the results on a stage.
    """

    name: str
    about: str
    run: Callable[[ChatOpenRouterO3, Display], None]

    def source(self) -> str:
        """Return the code that runs."""
        _, _, body = inspect.getsource(self.run).rpartition('"""\n')
        return textwrap.dedent(body).strip()


def all_steps() -> tuple[Step, ...]:
    """Return the steps; the agent is LangChain's if `langchain` is installed."""
    agent = Step("agent", "langchain.agents.create_agent with two tools", run_agent)
    if importlib.util.find_spec("langchain") is None:
        agent = Step("agent", "two tools in a loop (langchain is not installed)", run_tool_loop)
    return (
        Step("chain", "a prompt, the model and a parser in a row", run_chain),
        Step("stream", "the reasoning summary, then the answer", run_stream),
        agent,
        Step("extract", "an object instead of a text", run_extraction),
    )


def run_chain(model: ChatOpenRouterO3, show: Display) -> None:
    """Chain a prompt, the model and a parser."""
    prompt = ChatPromptTemplate([("user", "What is {x}?")])
    chain = prompt | model | StrOutputParser()
    show.text(chain.invoke({"x": "17 * 23"}))


def run_stream(model: ChatOpenRouterO3, show: Display) -> None:
    """Stream an answer."""
    puzzle = "All but 9 of 17 sheep flee. How many stay?"
    for chunk in model.stream(puzzle):
        extra = chunk.additional_kwargs
        show.thought(extra.get("reasoning_content"))
        show.text(chunk.text)


def run_agent(model: ChatOpenRouterO3, show: Display) -> None:
    """Let an agent use tools."""
    agent = create_agent(model, tools=[get_weather, add])
    task = "Use get_weather for Rome and add 17 to 25"
    start = {"messages": [HumanMessage(task)]}
    for step in agent.stream(start, stream_mode="updates"):
        show.update(step)


def run_tool_loop(model: ChatOpenRouterO3, show: Display) -> None:
    """Let the model use tools, without an agent."""
    caller = model.bind_tools([get_weather, add])
    chat = user("Use get_weather for Rome and add 17 to 25")
    while (answer := caller.invoke(chat)).tool_calls:
        chat += [answer, *call_tools(answer, show)]
    show.message(answer)


def run_extraction(model: ChatOpenRouterO3, show: Display) -> None:
    """Extract an object from a text."""

    class Person(BaseModel):
        name: str
        born: int

    reader = model.with_structured_output(Person)
    show.fields(reader.invoke("Ada Lovelace, born 1815"))


@tool
def get_weather(city: str) -> str:
    """Look up the weather in a city."""
    return f"sunny, 21 °C in {city}"


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def create_agent(model: ChatOpenRouterO3, tools: list[BaseTool]) -> Runnable[Any, Any]:
    """Call LangChain's own `create_agent`, which is optional and slow to import."""
    # By name: its types are too open for a strict checker.
    agents: Any = importlib.import_module("langchain.agents")
    agent: Runnable[Any, Any] = agents.create_agent(model, tools=tools)
    return agent


def user(text: str) -> list[BaseMessage]:
    """Begin a conversation."""
    return [HumanMessage(text)]


def call_tools(answer: AIMessage, show: Display) -> list[ToolMessage]:
    """Call the tools that an answer asks for, and show both."""
    show.message(answer)
    tools = {each.name: each for each in (get_weather, add)}
    results: list[ToolMessage] = [tools[call["name"]].invoke(call) for call in answer.tool_calls]
    for result in results:
        show.message(result)
    return results


def run(arguments: Sequence[str], command: str) -> None:
    """Show the tour.

    Args:
        arguments: Options.
        command: What a person types before them.

    Raises:
        BadArgumentError: It cannot be shown.
        OpenRouterError: A request failed; what had come is on the terminal.
    """
    parser = new_parser(command, _ABOUT, _EXAMPLES)
    add_model_options(parser)
    given = parser.parse_args(arguments)
    show_tour(model_settings(given), command.removesuffix(" tour"), emulator=given.emulator)


def show_tour(settings: dict[str, Any], command: str, *, emulator: bool) -> None:
    """Show what the model can do, by the emulator if there is no key.

    Args:
        settings: Arguments of the model's constructor.
        command: What a person types to ask something.
        emulator: Whether the emulator shall answer, even if there is a key.

    Raises:
        BadArgumentError: There is neither a key nor the emulator, or a setting cannot work.
        OpenRouterError: A request failed; what had come is on the terminal.
    """
    meter = Meter()
    emulated = emulator or not has_key()
    with open_terminal(sys.stdout) as terminal:
        think_time = _THINK_TIME if terminal.watched else 0.0
        with (
            connect(emulator=emulated, think_time=think_time),
            build_model(settings, meter) as model,
        ):
            answering = f"Asking {model.model} at {model.base_url}."
            if emulated:
                answering = EMULATED if emulator else f"No OPENROUTER_API_KEY. {EMULATED}"
            _introduce(terminal, settings, answering)
            _show_steps(model, meter, terminal)
        if emulated:
            terminal.note("Nothing was charged: these are the figures of the emulator.")
        terminal.gap()
        terminal.note("Your turn:")
        option = " --emulator" if emulated else ""
        terminal.line(f'  {command}{option} "Why is the sky blue?"', "code")


def _introduce(terminal: Terminal, settings: dict[str, Any], answering: str) -> None:
    steps = len(all_steps())
    terminal.line(f"langchain-openrouter-o3 {__version__}: a tour in {steps} steps", "bold")
    terminal.note(answering)
    terminal.code(model_source(settings))


def _show_steps(model: ChatOpenRouterO3, meter: Meter, terminal: Terminal) -> None:
    usages: list[Usage] = []
    for number, step in enumerate(all_steps(), start=1):
        terminal.heading(f"{number}. {step.name.capitalize()}", step.about)
        terminal.code(step.source())
        terminal.wait(THINKING)
        step.run(model, Display(terminal))
        terminal.end_line()
        usages.append(meter.read(step.name))
    terminal.heading("What it took", "in tokens, seconds and USD")
    terminal.table(table_rows(usages), total=True)
    terminal.gap()


def model_source(settings: dict[str, Any]) -> str:
    """Return the code that makes a model of these settings."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return (
        "from langchain_openrouter_o3 import ChatOpenRouterO3\n"
        f"model = ChatOpenRouterO3({arguments})"
    )

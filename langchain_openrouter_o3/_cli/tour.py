"""The tour: each step's code, its result, and what it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._cli.answer import THINKING
from langchain_openrouter_o3._cli.connection import EMULATED, model_source
from langchain_openrouter_o3._cli.stage import Stage
from langchain_openrouter_o3._cli.steps import all_steps
from langchain_openrouter_o3._cli.usage import Usage, table_rows
from langchain_openrouter_o3._version import __version__

if TYPE_CHECKING:
    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3._cli.usage import Meter
    from langchain_openrouter_o3._terminal.terminal import Terminal


def guide(
    model: ChatOpenRouterO3,
    settings: dict[str, Any],
    meter: Meter,
    terminal: Terminal,
    *,
    emulated: bool,
) -> None:
    """Show what the model can do.

    Args:
        model: Who answers.
        settings: What it was made of.
        meter: Listens to it.
        terminal: Where everything goes.
        emulated: Whether the emulator answers.

    Raises:
        OpenRouterError: A request failed; what had come is on the terminal.
    """
    steps = all_steps()
    terminal.line(f"langchain-openrouter-o3 {__version__}: a tour in {len(steps)} steps", "bold")
    terminal.note(EMULATED if emulated else f"Asking {model.model} at {model.base_url}.")
    terminal.code(model_source(settings))
    usages: list[Usage] = []
    for number, step in enumerate(steps, start=1):
        terminal.heading(f"{number}. {step.name.capitalize()}", step.about)
        terminal.code(step.source())
        terminal.wait(THINKING)
        step.run(model, Stage(terminal))
        terminal.end_line()
        usages.append(meter.read(step.name))
    terminal.heading("What it took", "in tokens, seconds and USD")
    terminal.table(table_rows(usages), total=True)
    terminal.gap()
    if emulated:
        terminal.note("Nothing was charged: these are the figures of the emulator.")
    terminal.gap()
    terminal.note("Your turn:")
    terminal.line('  python -m langchain_openrouter_o3 "Why is the sky blue?"', "code")

"""What a fresh process pays: importing a contestant, and its first call.

The text of this file is run with `python -c`, so that nothing else has been imported; that is
why it imports late, and has no types that would need a module. Arguments: what to measure, the
contestant, the core, the server's origin, the answer's name.
"""

from __future__ import annotations

import os
import sys
import time

MODULES = {
    "httpx": ["httpx"],
    "core": [
        "langchain_core.language_models",
        "langchain_core.messages",
        "langchain_core.outputs",
        "langchain_core.tools",
    ],
    "ours": ["langchain_openrouter_o3"],
    "ChatOpenAI": ["langchain_openai"],
    "ChatOpenRouter": ["langchain_openrouter"],
}
# LangChain's packages import on attribute access: the names that a module of a chat model needs.
NAMES = {
    "httpx": ["Client"],
    "langchain_core.language_models": ["BaseChatModel"],
    "langchain_core.messages": ["AIMessage", "AIMessageChunk", "BaseMessage", "ToolMessage"],
    "langchain_core.outputs": ["ChatGeneration", "ChatGenerationChunk", "ChatResult"],
    "langchain_core.tools": ["BaseTool"],
    "langchain_openrouter_o3": ["ChatOpenRouterO3"],
    "langchain_openai": ["ChatOpenAI"],
    "langchain_openrouter": ["ChatOpenRouter"],
}


class Clock:
    """Adds up the time of its `with` blocks."""

    cpu = wall = 0.0

    def __enter__(self) -> None:
        """Go on."""
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()

    def __exit__(self, *_: object) -> None:
        """Pause."""
        self.cpu += time.process_time()
        self.wall += time.perf_counter()


def load(name: str) -> None:
    """Import a contestant's modules and touch the names that are needed of them."""
    for path in MODULES[name]:
        module = __import__(path, fromlist=NAMES[path])
        for needed in NAMES[path]:
            getattr(module, needed)


def get_first_answer(name: str, origin: str, answer_name: str, clock: Clock) -> None:
    """Build a client and make its first call on the clock; check the answer off it."""
    from benchmarks.answers import find_answer
    from benchmarks.checks import check_message, check_payloads
    from benchmarks.contestants import Subject

    answer = find_answer(answer_name)
    subject = Subject(name, origin)  # type: ignore[arg-type]  # from the command line
    if name == "httpx":
        import httpx

        url = f"{subject.base_url(answer)}/chat/completions"
        with clock:
            body = httpx.Client().post(url, json={"messages": []}).json()
        check_payloads([body], answer.payloads())
        return
    build = subject.builder(answer)
    with clock:
        message = build().invoke("How many sheep are left?")
    check_message(message, answer)


def count_contexts() -> list[object]:
    """Count the TLS contexts that load certificates, which is what makes a first call slow."""
    import ssl
    from typing import Any

    counts: list[object] = []
    original = ssl.SSLContext.load_verify_locations

    def counted(context: Any, *arguments: Any, **options: Any) -> None:
        counts.append(context)
        original(context, *arguments, **options)

    ssl.SSLContext.load_verify_locations = counted  # type: ignore[assignment, method-assign]
    return counts


def add_context(clock: Clock) -> None:
    """Build the TLS context that an https call would have needed, on the clock."""
    import httpx

    with clock:
        httpx.create_ssl_context()


def main() -> None:
    """Measure and print JSON."""
    what, name, core, origin, answer = sys.argv[1:]
    if core != "None" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    loading, calling = Clock(), Clock()
    notes: dict[str, int] = {}
    with loading:
        if what == "import":
            load("core")  # first for all of them: see README.md
        load(name)
    if what != "import":
        contexts = count_contexts()
        get_first_answer(name, origin, answer, calling)
        if name != "core" and not contexts:
            add_context(calling)  # over plain HTTP this client builds none; over https it does
        notes["TLS contexts"] = len(contexts)
    counted = {"import": [loading], "first-call": [calling], "cold-start": [loading, calling]}
    cpu = sum(clock.cpu for clock in counted[what])
    wall = sum(clock.wall for clock in counted[what])
    import json

    print(json.dumps({"cpu": cpu, "wall": wall, "value": None, "notes": notes}))


main()

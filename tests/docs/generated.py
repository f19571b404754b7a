"""The parts of docs/ that are read from the code: `python -m tests.docs.generated` writes them.

Each stands between two comments of its page. The classes of errors and their remedies are what a
model raises when the emulator plays the failure; the index by message holds every sentence that
the package's own code gives to an error; the reference lists what each public module exports.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from functools import partial
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

import langchain_openrouter_o3 as package
from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from langchain_openrouter_o3.emulator import Canned, Emulator, faults

from .figures import pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = tuple(f"{package.__name__}{name}" for name in ("", ".bulk", ".batch", ".ray", ".emulator"))
"""The public modules; what each exports has an entry in the reference."""

ERRORS = [name for name in package.__all__ if name.startswith("OpenRouter")]
WORDS = "…"
"""What stands for the parts of a sentence that differ from error to error."""

OPENROUTERS = (
    (400, "openai/o3mini is not a valid model ID"),
    (400, "This endpoint's maximum context length is 200000 tokens."),
    (401, "No auth credentials found"),
    (401, "User not found."),
    (402, "Insufficient credits."),
    (402, "This request requires more credits, or fewer max_tokens."),
    (403, "Key limit exceeded"),
    (403, "Your input was flagged by moderation"),
    (404, "No endpoints found matching your data policy"),
    (404, "No endpoints found that support image input"),
    (404, "No endpoints found that support tool use"),
    (429, "Rate limit exceeded"),
    (502, "Provider returned error"),
)
"""What OpenRouter says in these or similar words, with which status."""

IMPORTED_LATE = {
    "timeout": "float or httpx.Timeout or httpx2.Timeout or None",
    "http_client": "httpx.Client or httpx2.Client or None",
    "http_async_client": "httpx.AsyncClient or httpx2.AsyncClient or None",
}
"""Types that are Any at run time, because httpx is imported on first use."""

if TYPE_CHECKING:
    Scene = Callable[[ChatOpenRouterO3, Emulator], object]


def write() -> list[str]:
    """Write the pages whose generated parts have changed, and return their names."""
    stale = [(page, text) for page, text in fresh() if not is_written(page, text)]
    for page, text in stale:
        page.write_text(text, encoding="utf-8")
    return [page.name for page, _ in stale]


def is_written(page: Path, text: str) -> bool:
    """Whether a file holds a text."""
    return page.exists() and page.read_text("utf-8") == text


def fresh() -> Iterator[tuple[Path, str]]:
    """Return each file that has generated parts, with what it should hold."""
    yield from pictures(ROOT / "docs")
    parts = {
        "errors.md": {"tree": tree(), "words": words(), "messages": messages()},
        "compatibility.md": {"lowest": lowest()},
        "reference.md": {"names": names(), "fields": fields(ChatOpenRouterO3)},
    }
    for name, blocks in parts.items():
        page = ROOT / "docs" / name
        text = page.read_text("utf-8")
        for marker, block in blocks.items():
            text = between(text, marker, block)
        yield page, text


def between(text: str, marker: str, block: str) -> str:
    """Replace what stands between the two comments of a generated part."""
    begin, end = f"<!-- generated: {marker} -->\n", f"\n<!-- end: {marker} -->"
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    assert found, f"the comments around {marker} are missing"
    return f"{head}{begin}\n{block}\n{end}{tail}"


# --- Errors: the tree ---


def tree() -> str:
    """Return the table of errors: class, LangChain's class, condition, remedy."""
    texts = dict(played(failures()))
    rows = [
        "| Error | LangChain's class | Condition | Again? | What its text advises |",
        "|---|---|---|---|---|",
    ]
    for cls in sorted(error_classes(), key=lineage):
        depth = "↳ " * (len(lineage(cls)) - 1)
        again = "yes" if cls.is_retryable else "no"
        rows.append(
            f"| {depth}`{cls.__name__}` | {cores(cls)} | {condition(cls)} | {again} "
            f"| {texts.get(cls.__name__, '')} |"
        )
    return "\n".join(rows)


def error_classes() -> list[type[OpenRouterError]]:
    """Return every public error."""
    return [getattr(package, name) for name in ERRORS]


def lineage(cls: type[OpenRouterError]) -> list[str]:
    """Return the names of our classes that an error belongs to, from the base on."""
    ours = [each.__name__ for each in cls.__mro__ if issubclass(each, OpenRouterError)]
    return ours[::-1]


def cores(cls: type[OpenRouterError]) -> str:
    """Return the classes of LangChain, or Python's own, that an error is, too."""
    known = [each for each in cls.__bases__ if not issubclass(each, OpenRouterError)]
    return ", ".join(f"`{each.__name__}`" for each in known) or "the same"


def condition(cls: type[OpenRouterError]) -> str:
    """Return the first sentence of a class's docstring."""
    return " ".join(inspect.getdoc(cls).split("\n\n")[0].split()).replace("|", r"\|")  # type: ignore[union-attr]


def words() -> str:
    """Return the table of what OpenRouter often says: its words, the class, the advice."""
    scenes = [refused(status, message=message) for status, message in OPENROUTERS]
    rows = [
        f"| {message} | {status} | `{name}` | {text} |"
        for (status, message), (name, text) in zip(OPENROUTERS, played(scenes), strict=True)
    ]
    head = [
        "| OpenRouter's words | Status | The class | What the text advises |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def played(scenes: Iterable[Scene]) -> Iterator[tuple[str, str]]:
    """Play each failure and return the class of the error with the advice in its text."""
    with Emulator() as emulator:
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0)
        host = emulator.base_url.split("/")[2]
        for play in scenes:
            error = raised(partial(play, model, emulator))
            yield type(error).__name__, advice(str(error).replace(host, "the host"))


def raised(call: Callable[[], object]) -> OpenRouterError:
    """Return the error that a call raises."""
    try:
        call()
    except OpenRouterError as error:
        return error
    raise AssertionError("a scene has raised nothing")


def advice(text: str) -> str:
    """Return what a text says after the server's words and the status."""
    said = re.sub(r"^.*? \(HTTP [^)]*\) ", "", text.split("\n", maxsplit=1)[0])
    return said.replace("|", r"\|")


def failures() -> Iterator[Scene]:
    """Return a failure for each class of errors."""
    for status in (400, 401, 402, 403, 404, 408, 429, 500):
        yield refused(status)
    for kind in ("context_length_exceeded", "content_policy_violation", "refusal"):
        yield refused(400, kind)
    schema = {"title": "T", "type": "object", "properties": {"a": {"type": "integer"}}}
    yield lambda model, _: model.invoke([])
    yield lambda model, _: model.invoke("Hello", total_timeout=1e-6)
    yield disturbed(lambda model: model.invoke("Hello", idle_timeout=0.05), faults.stall(0.5))
    yield disturbed(lambda model: model.invoke("Hello"), answered(b"{"))
    yield disturbed(lambda model: model.invoke("Hello"), answered(whole(None, "stop")))
    yield disturbed(lambda model: model.invoke("Hello"), faults.close("before-headers"))
    yield disturbed(lambda model: list(model.stream("echo a b")), faults.end("before-finish"))
    typed = ChatOpenRouterO3.with_structured_output
    for answer in (whole('{"a": "x"}', "stop"), whole('{"a": 1}', "length")):
        yield disturbed(lambda model: typed(model, schema).invoke("Hello"), answered(answer))


def refused(status: int, kind: str | None = None, message: str = "Sorry.") -> Scene:
    """Return a scene in which the server refuses a request."""
    error: dict[str, Any] = {"message": message, "code": status}
    if kind is not None:
        error["metadata"] = {"error_type": kind}
    body = json.dumps({"error": error}).encode()
    return disturbed(lambda model: model.invoke("Hello"), Canned(status=status, pieces=body))


def disturbed(call: Callable[[ChatOpenRouterO3], object], answer: Any) -> Scene:
    """Return a scene in which a call meets an answer or a fault."""

    def play(model: ChatOpenRouterO3, emulator: Emulator) -> object:
        emulator.play(answer)
        return call(model)

    return play


def answered(body: bytes) -> Canned:
    """Return an answer with a body of JSON."""
    return Canned(headers={"content-type": "application/json"}, pieces=body)


def whole(content: str | None, finish: str) -> bytes:
    """Return the body of an answer."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    answer = {"id": "gen-1", "model": "openai/o3-mini", "choices": [choice]}
    return json.dumps(answer).encode()


# --- Errors: the index by message ---


def messages() -> str:
    """Return the table of the sentences that errors begin with."""
    found = sorted(set(sentences()), key=lambda pair: (pair[0].lower(), pair[1]))
    rows = [f"| {text} | `{name}` |" for text, name in found]
    return "\n".join(["| The text | The class |", "|---|---|", *rows])


def sentences() -> Iterator[tuple[str, str]]:
    """Read every sentence that the package's code gives to an error, and the error's class."""
    folder = Path(package.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if parts[0] in ("emulator", "_cli"):
            continue  # instruments of tests and of the terminal, which raise their own
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and called(node) in ERRORS:
                text = written(node.args[0])
                if len(re.sub(r"\W", "", text)) > len("response_format"):
                    yield text.replace("|", r"\|"), called(node)


def called(node: ast.Call) -> str:
    """Return the name of what is called."""
    return getattr(node.func, "id", "") or getattr(node.func, "attr", "")


def written(node: ast.expr) -> str:
    """Return a text as it stands in the code, with dots for what is put in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return re.sub("…+", WORDS, "".join(written(each) for each in node.values))
    return WORDS


# --- The reference ---


def names() -> str:
    """Return an entry for each public name, which the site's generator fills from its docstring."""
    lines: list[str] = []
    for name in PUBLIC:
        module = importlib.import_module(name)
        lines += [f"## {name}", ""]
        exported = [each for each in module.__all__ if not each.startswith("__")]
        lines += [f"::: {name}.{each}\n{options(getattr(module, each))}" for each in exported]
        lines += [part for each in exported for part in settings_fields(getattr(module, each))]
    return "\n".join(lines).strip()


def options(exported: object) -> str:
    """Leave out of a module what it takes from elsewhere, which has an entry of its own."""
    if not inspect.ismodule(exported):
        return ""
    defined = [each for each in exported.__all__ if inspect.isfunction(getattr(exported, each))]
    return f"    options:\n      members: [{', '.join(defined)}]\n"


def settings_fields(exported: object) -> list[str]:
    """Return the table of the fields of a settings object."""
    if exported is ChatOpenRouterO3 or not (
        isinstance(exported, type) and issubclass(exported, BaseModel)
    ):
        return []
    return [f"### Fields of {exported.__name__}", "", fields(exported), ""]


def fields(cls: type[BaseModel]) -> str:
    """Return the table of a class's fields: type, default, meaning."""
    rows = [
        f"| `{name}` | {kind(name, field)} | {default(name, field)} | {meaning(cls, name, field)} |"
        for name, field in cls.model_fields.items()
    ]
    return "\n".join(["| Field | Type | Default | Meaning |", "|---|---|---|---|", *rows])


def kind(name: str, field: FieldInfo) -> str:
    """Write a field's type; the site would show the backslash of an escaped `|` in code."""
    return "`" + IMPORTED_LATE.get(name, spelt(field.annotation)).replace(" or ", "` or `") + "`"


def spelt(annotation: Any) -> str:
    """Write a type the same way on every Python, which `repr` does not."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "None"
    if isinstance(annotation, list):  # the arguments of a Callable
        return f"[{', '.join(spelt(each) for each in annotation)}]"
    if origin in (Union, UnionType):
        return " or ".join(spelt(each) for each in inside)
    if origin is Literal:
        return f"Literal[{', '.join(repr(each) for each in inside)}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(spelt(each) for each in inside)}]"
    return str(getattr(annotation, "__name__", annotation))


def default(name: str, field: FieldInfo) -> str:
    """Write a field's default, or where it is looked up."""
    if not field.default_factory:
        return f"`{field.default!r}`"
    if name == "timeout":
        return "10 s to connect, 600 s to read"
    return "the environment" if "Environment:" in (field.description or "") else "LangChain's"


def meaning(cls: type[BaseModel], name: str, field: FieldInfo) -> str:
    """Return a field's description, from the field or from the class's docstring."""
    listed = re.search(
        rf"^    {name}: ((?:.+\n?(?:     .+\n?)*))",
        (inspect.getdoc(cls) or "") + "\n",
        re.MULTILINE,
    )
    text = field.description or (listed.group(1) if listed else inspect.getdoc(cls) or "")
    return " ".join(text.split()).replace("|", r"\|")


# --- Compatibility ---


def lowest() -> str:
    """Return the table of the lowest versions that the tests run with, of the runtime packages."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    runtime = project.partition("\ndependencies = [")[2].partition("]")[0]
    names = re.findall(r'"([\w-]+)[><=~]', runtime)
    pins = (ROOT / "tests" / "constraints-lowest.txt").read_text("utf-8")
    versions = dict(re.findall(r"(?m)^([\w-]+)==(\S+)$", pins))
    rows = [f"| `{name}` | {versions[name]} |" for name in sorted(names)]
    return "\n".join(["| Package | Version |", "|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(
        f"written: {', '.join(write()) or 'nothing, the pages are as the code says'}\n"
    )

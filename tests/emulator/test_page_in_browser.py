"""The page in headless Chromium: live, by keyboard alone, accessible, in both schemes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.emulator_client import STRING, Chat, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: .ci/browser.py")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
TABS = ("conversation", "events", "request", "response")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("needs Chromium: .ci/browser.py")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, emulator: Emulator) -> Iterator[Any]:
    """The page, opened; an error of its scripts or of its policy fails the test."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(emulator.page_url)
    page.wait_for_selector("#connection[data-state=live]")
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def chat(emulator: Emulator) -> Iterator[Chat]:
    chat = Chat(emulator)
    with chat.client:
        yield chat


def meet(emulator: Emulator, chat: Chat) -> None:
    """Make exchanges of several kinds; #3 is reset in an event."""
    chat.stream("What is 17 + 25?", reasoning={"effort": "high"})
    chat.answer("What is the weather in Paris?", tools=[tool("get_weather", city=STRING)])
    emulator.play(faults.reset("mid-event", events=3), faults.status(429, retry_after=2))
    with pytest.raises(httpx.TransportError):
        chat.stream("echo one two three four")
    chat.error("Slow down")


def violations(page: Any) -> list[str]:
    """Return what axe-core finds, with the places; and whether the page is too wide."""
    found = axe.Axe().run(page).response["violations"]
    places = [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
    is_too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*places, *["the page scrolls sideways"] * is_too_wide]


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(
    page: Any, emulator: Emulator, chat: Chat, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 740})
    assert violations(page) == []
    meet(emulator, chat)
    page.wait_for_selector("a[href='#4'][data-level=bad]")
    assert violations(page) == []
    page.click("a[href='#3']")
    for tab in TABS:
        page.click(f"#tab-{tab}")
        assert violations(page) == []


def test_everything_is_reached_with_the_keyboard(page: Any, emulator: Emulator, chat: Chat) -> None:
    meet(emulator, chat)
    page.wait_for_selector("a[href='#4'][data-level=bad]")
    keys = page.keyboard
    keys.press("/")
    keys.type("one two")
    assert page.locator("#list li:visible").count() == 1
    keys.press("Escape")
    keys.press("Enter")
    page.wait_for_selector("#title:has-text('#3 echo one two three four')")
    page.fill("#filter", "")
    keys.press("Escape")
    keys.press("ArrowDown")
    page.wait_for_selector("#title:has-text('#3')")
    keys.press("ArrowDown")
    page.wait_for_selector("#title:has-text('#2')")
    page.focus("#tab-conversation")
    keys.press("ArrowRight")
    assert page.get_attribute("#tab-events", "aria-selected") == "true"
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Enter")
    assert page.locator("#panel details[open] pre").count() == 1
    keys.press("Escape")
    assert page.is_visible("#welcome")
    assert page.evaluate("document.activeElement.hash") == "#2"


def test_an_answer_is_seen_while_it_comes_and_its_end_as_what_it_is(
    page: Any, emulator: Emulator, chat: Chat
) -> None:
    emulator.play(faults.comments(0.01, at="after-events", events=2))
    body = {"model": "openai/o3-mini", "stream": True, "messages": []}
    body["messages"] = [{"role": "user", "content": "echo one two three"}]
    with chat.client.stream("POST", "/chat/completions", json=body):
        page.click("a[href='#1'][data-level=open]")
        page.wait_for_selector(".caret")
        assert page.inner_text(".message[data-role=answer] > p >> nth=0") == "one two"
    page.wait_for_selector(".notice:has-text('client left after')")
    page.click("#tab-events")
    page.wait_for_selector(".kind[data-kind=comment]")
    emulator.reset()
    page.wait_for_selector("#nothing:has-text('No exchange yet')")
    assert "keeps this exchange no longer" in page.inner_text("#subtitle")


def test_the_first_request_is_sent_from_the_page_itself(page: Any, emulator: Emulator) -> None:
    page.click("#try")
    page.click("a[data-level=good]")
    page.wait_for_selector(".message[data-role=answer]:has-text('17 + 25 = 42')")
    assert "reasoning" in page.inner_text("#legend")
    assert len(emulator.requests) == 1


def test_texts_of_an_exchange_are_never_markup(page: Any, chat: Chat) -> None:
    chat.text("echo <img src=x onerror=document.title='hurt'><b>bold</b>")
    page.click("a[data-level=good]")
    for tab in TABS:
        page.click(f"#tab-{tab}")
        assert page.locator("#exchange img, #exchange b, #list img").count() == 0
    assert page.title() == "OpenRouter emulator"

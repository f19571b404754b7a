"""Web pages where JSON was expected: of a gateway, a firewall, a wrong address.

Their titles stand for them in errors. OpenRouter's API never answers with a page, so it tells of
the way rather than of the request.
"""

from __future__ import annotations

import re

_MAX_TITLE = 150
_MAX_BEGINNING = 4_000
_MAX_CONTENT = 1_000

# Compiled by `re` at the first error, so that importing the package stays fast.
_PAGE = (
    r"(?is)(?:\A\s*<(?:(?:!doctype|\?xml|html|head|body|title|meta|link|script|style|center|div"
    r"|table|pre|p|br|h[1-6]|error)\b"
    # These may begin a sentence, too: `<form> is missing`.
    r"|(a|article|aside|b|button|em|font|footer|form|header|i|iframe|main|nav|noscript|section"
    r"|small|span|strong|svg|ul)\b[^>]*>(?=.*</\1\b)"
    r"|([a-z][\w.:-]*)(?:\s[^<>]*)?>(?=.*</\2\s*>\s*\Z))"  # one element of XML
    r"|<(?:!doctype\s+html|html)\b).*?(?:</html\s*>(?!\s*<)|\Z)"
)
_COMMENT = r"(?s)<!--.*?(?:-->|\Z)"
_TITLES = ("title", "h1", "h2", "message", "faultstring")
_UNSEEN = r"(?is)<(?:script|style)\b.*?(?:</(?:script|style)\b[^>]{0,20}>|\Z)"


def is_page(text: str) -> bool:
    """Whether a text begins as a web page does."""
    bare = _without_comments(text)
    found = re.search(_PAGE, bare)
    before = bare if found is None else bare[: found.start()]
    return "<" in text and not before.strip()


def without_pages(text: str) -> str:
    """Return a text in which the title of a web page stands for the page."""
    if "<" not in text:
        return text
    bare = _without_comments(text)
    if not bare.strip():
        return describe_page(bare)
    named, pages = re.subn(_PAGE, lambda found: describe_page(found.group()), bare)
    return named if pages else text


def _without_comments(text: str) -> str:
    return re.sub(_COMMENT, " ", text.lstrip("\ufeff"))


def describe_page(page: str) -> str:
    """Return the title of a web page, or how its text begins."""
    page = re.sub(_COMMENT, " ", page)
    title = next(filter(None, (_content(page, tag) for tag in _TITLES)), None)
    title = title or _text(re.sub(_UNSEEN, " ", page[:_MAX_BEGINNING]))[:_MAX_TITLE]
    return f'a web page, "{title}"' if title else "a web page without a title"


def _content(page: str, tag: str) -> str:
    """Return the text of the first element of a tag; one search each, whatever the page is."""
    start = re.search(rf"(?i)<{tag}\b[^>]{{0,200}}>", page)
    if start is None:
        return ""
    content = page[start.end() : start.end() + _MAX_CONTENT]
    content = re.split(rf"(?i)</{tag}\b", content, maxsplit=1)[0]
    return _text(content)[:_MAX_TITLE]


def _text(content: str) -> str:
    import html  # noqa: PLC0415 - its table of entities takes time

    return " ".join(html.unescape(re.sub(r"<[^>]*(?:>|\Z)", " ", content)).split())

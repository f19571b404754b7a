"""Reading the body of an error: whose words, which codes, which waits.

Every gateway and provider has its own shape of an error, and each may quote another's. So there is
one rule instead of a list of shapes: some keys hold words, at any depth, and the objects on the
way to the words hold the codes and the rest.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_openrouter_o3._json import decode_leniently, is_array, is_object
from langchain_openrouter_o3.errors.pages import is_page, without_pages
from langchain_openrouter_o3.errors.redaction import MAX_DEPTH, plain_key, redact
from langchain_openrouter_o3.errors.retry_after import first_wait, wait_of_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_MODELS = 20
MAX_SENTENCES = 12
MAX_SHOWN_CHARS = 10_000
NO_MESSAGE = "OpenRouter reported an error without a message"

_GENERIC = "Provider returned error"
_ABSENT = frozenset({"", "null", "none", "undefined"})
_SUCCESS = frozenset({"0", "200", "ok", "success", "succeeded", "successful"})
"""Some gateways write an error into every answer, also into one that worked."""
_NOTHING = _ABSENT | _SUCCESS | {"[object object]"}

# In the order in which a person reads them. Spellings are compared by `plain_key`.
_MESSAGE_KEYS = (
    "message",
    "errormessage",
    "errormsg",
    "msg",
    "errordescription",
    "detail",
    "details",
    "description",
    "reason",
    "innererror",
    "cause",
    "fault",
    "faultstring",
    "exception",
    "err",
    "failurereason",
    "statusmessage",
    "statusmsg",
    "providererror",
    "upstreamerror",
)
_WRAPPERS = ("response", "data", "result", "body", "baseresp")
"""Hold an error as others hold an answer; a text there is no words, unless it is JSON."""

_WORD_KEYS = ("title", "error", "errors", *_MESSAGE_KEYS, "metadata", "raw")
_CODE_KEYS = ("code", "errorcode", "status", "statuscode", "httpstatus", "type", "error", "reason")
_STATUS_OF_WORD = {
    # Codes were numbers in every recorded error of OpenRouter's; words are reported second-hand
    # (https://github.com/Aider-AI/aider/issues/3550), and other gateways send little else.
    "badrequest": 400,
    "badrequesterror": 400,
    "invalidargument": 400,
    "invalidrequesterror": 400,
    "authenticationerror": 401,
    "invalidapikey": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "insufficientquota": 402,
    "forbidden": 403,
    "permissiondenied": 403,
    "permissiondeniederror": 403,
    "permissionerror": 403,
    "modelnotfound": 404,
    "notfound": 404,
    "notfounderror": 404,
    "timeout": 408,
    "ratelimiterror": 429,
    "ratelimitexceeded": 429,
    "resourceexhausted": 429,
    "toomanyrequests": 429,
    "apierror": 500,
    "internal": 500,
    "internalservererror": 500,
    "servererror": 500,
    "badgateway": 502,
    "overloadederror": 503,
    "serviceunavailable": 503,
    "unavailable": 503,
    "deadlineexceeded": 504,
    "gatewaytimeout": 504,
}
_LASTING = frozenset(
    {
        "constraint_filtered",
        "free_variant_ended",
        "model_deprecated",
        "model_not_found",
        "no_endpoints",
        "privacy_restricted",
        "region_restricted",
        "wrong_endpoint",
    }
)
_PASSING = frozenset({"capacity_exhausted", "temporarily_unavailable"})


class Failure(NamedTuple):
    """What an error body says.

    Attributes:
        message: OpenRouter's words and the provider's, which are mostly the useful ones.
        is_page: Whether a web page is all that came.
        is_openrouters: Whether the body has the shape that OpenRouter's API gives to errors.
        code: As it came, a number or a word.
        codes: All codes that are words, in lower case.
        status: The HTTP status that a code in the body is; no other number is one.
        status_of_word: The HTTP status that a code means which is a word.
        error_type: OpenRouter's canonical type.
        availability: The code of why a model cannot be served.
        provider_name: Who failed behind OpenRouter.
        flagged: Whether moderation speaks.
        wait: Seconds that the body asks to wait.
        headers: Response headers that the body quotes, with lower-case names.
        retryable: The server's verdict (`error.availability`).
        remedy: What the server advises to do.
        fallback_models: Models that the server offers instead.
    """

    message: str
    is_page: bool
    is_openrouters: bool
    code: int | str | None
    codes: tuple[str, ...]
    status: int | None
    status_of_word: int | None
    error_type: str | None
    availability: str | None
    provider_name: str | None
    flagged: bool
    wait: float | None
    headers: dict[str, str]
    retryable: bool | None
    remedy: str | None
    fallback_models: list[str]


class _Reading:
    """What was found on the way through a body.

    Attributes:
        sentences: Each once, in the order of reading.
        objects: Every object on the way to words, their keys by `plain_key`, the outermost first.
    """

    def __init__(self, value: Any) -> None:
        self.sentences: list[str] = []
        self.objects: list[Mapping[str, Any]] = []
        self._read(value, 0)

    def _read(self, value: Any, depth: int) -> None:
        """Read words: a text, those of a list's items, those under an object's word keys."""
        if depth > MAX_DEPTH or len(self.sentences) >= MAX_SENTENCES:
            return
        if isinstance(value, str):
            nested = _parse_nested(value)
            self._add(value) if nested is None else self._read(nested, depth + 1)
        elif is_array(value):
            for item in value:
                self._read(item, depth + 1)
        elif is_object(value):
            keyed = _plain_keys(value)
            self.objects.append(keyed)
            for key in _WORD_KEYS:
                self._read(
                    _by_field(keyed.get(key)) if key == "errors" else keyed.get(key), depth + 1
                )
            for key in _WRAPPERS:
                self._read(_as_data(keyed.get(key)), depth + 1)

    def _add(self, text: str) -> None:
        words = without_pages(text).strip()
        if words.lower() not in _NOTHING:
            self.sentences.append(words)

    def values(self, *keys: str) -> Iterator[Any]:
        """Return what stands under these keys, of the outermost object first."""
        return (each[key] for each in self.objects for key in keys if key in each)

    def first_text(self, *keys: str) -> str | None:
        """Return the first text that is not blank."""
        return next(filter(None, map(_text, self.values(*keys))), None)


def says_something(error: Any, depth: int = 0) -> bool:
    """Whether what stands under the key of an error is one; some servers fill it with nulls."""
    if depth > MAX_DEPTH:
        return True
    if is_object(error) or is_array(error):
        items = error.values() if is_object(error) else error
        return any(says_something(item, depth + 1) for item in items)
    if isinstance(error, str):
        return error.strip().lower() not in _ABSENT | _SUCCESS
    return bool(error) and error != 200  # noqa: PLR2004 - HTTP's own number


def says_failure(payload: Mapping[str, Any], *, whole: bool) -> bool:
    """Whether a payload is an error: it says so, or it has words where an answer should be.

    Args:
        payload: A body with status 200, or an event of a stream.
        whole: Whether it is a body. In a stream other things may have words, such as a ping.
    """
    if (error := payload.get("error")) and says_something(error):
        return True
    if payload.get("choices"):
        return False
    kinds = [payload.get(key) for key in ("type", "object", "event", "status")]
    named = [kind.lower() for kind in kinds if isinstance(kind, str)]
    if "error" in named:
        return True
    if named and not whole and not any("error" in kind or "fail" in kind for kind in named):
        return False
    keyed = _plain_keys(payload)
    if any(
        is_object(inner) and says_something(inner.get("error"))
        for inner in map(keyed.get, _WRAPPERS)
    ):
        return True
    # Words in such a chunk may be anybody's; if the answer breaks off, they explain it.
    is_chunk = not whole and ("choices" in payload or payload.get("usage") is not None)
    return has_words(payload) and (not is_chunk or has_failing_code(payload))


def has_words(payload: Mapping[str, Any]) -> bool:
    """Whether there are words at the top of a payload, or in MiniMax's `base_resp`."""
    keyed = _plain_keys(payload)
    told = {key: keyed.get(key) for key in ("errors", "title", "baseresp", *_MESSAGE_KEYS)}
    return bool(_Reading(told).sentences)


def has_failing_code(payload: Mapping[str, Any]) -> bool:
    """Whether a code at the top of a payload, or in MiniMax's `base_resp`, is that of a failure."""
    keyed = _plain_keys(payload)
    places = (keyed, _plain_keys(_first_object([keyed.get("baseresp")])))
    names = ("code", "errorcode", "status", "statuscode", "httpstatus")
    return any(map(_is_failing, _codes(place.get(name) for place in places for name in names)))


def _is_failing(code: int | str) -> bool:
    word = str(code).strip().lower()
    if re.fullmatch(r"-?[0-9]{1,9}", word):
        return int(word) != 0 and not 200 <= int(word) < 300  # noqa: PLR2004 - HTTP's own numbers
    return plain_key(word) in _STATUS_OF_WORD or re.search("error|fail", word) is not None


def read_failure(payload: Any) -> Failure:
    """Read an error: a body in any shape, the inner object, or bare text."""
    reading = _Reading(payload)
    availability = _first_object(reading.values("availability"))
    codes = list(_codes(reading.values(*_CODE_KEYS)))
    words = tuple(code.lower() for code in codes if isinstance(code, str))
    return Failure(
        message=_message(reading, payload, availability),
        is_page=_is_only_a_page(payload),
        is_openrouters=_is_openrouters(payload),
        code=next(_codes(reading.values("code", "errorcode", "statuscode")), None),
        codes=words,
        status=next(filter(None, map(_http_status, codes)), None),
        status_of_word=next(filter(None, map(_STATUS_OF_WORD.get, map(plain_key, words))), None),
        error_type=reading.first_text("errortype"),
        availability=_text(availability.get("code")) or _text(availability.get("reason")),
        provider_name=reading.first_text("providername"),
        flagged=_is_flagged(reading),
        wait=_wait([_plain_keys(availability), *reading.objects]),
        headers=_headers(_first_object(reading.values("headers"))),
        retryable=_verdict(availability, reading),
        remedy=reading.first_text("remedyhint"),
        fallback_models=_slugs(availability.get("fallback_models")),
    )


def show(body: Any) -> str:
    """Write a body that has no words of its own."""
    return json.dumps(redact(body), ensure_ascii=False)[:MAX_SHOWN_CHARS]


def _message(reading: _Reading, payload: Any, availability: Mapping[str, Any]) -> str:
    words = _join_sentences(reading.sentences)
    if words in ("", _GENERIC):  # those who were asked before may have said more
        before = _Reading([*reading.values("previouserrors")]).sentences
        words = _join_sentences([*reading.sentences, *before])
    if not words and payload not in (None, "", {}, []):
        inner = payload.get("error") if is_object(payload) else None
        words = show(inner if is_object(inner) or is_array(inner) else payload)
    for key in ("reasons", "patterns"):
        listed = next(filter(is_array, reading.values(key)), None)
        if listed:
            words = f"{words} ({key}: {', '.join(map(str, listed[:MAX_SENTENCES]))})"
    return f"{words or NO_MESSAGE}{_constraints(reading, availability)}"


def _join_sentences(sentences: Iterable[str]) -> str:
    """Join what was said; what only repeats a part of something longer is left out."""
    kept: list[str] = []
    for sentence in sentences:
        if not any(sentence in each for each in kept):
            kept = [*(each for each in kept if each not in sentence), sentence]
    useful = [each for each in kept if each != _GENERIC]
    return ": ".join(useful or kept)


def _constraints(reading: _Reading, availability: Mapping[str, Any]) -> str:
    """Say which wishes left no endpoint; a routing error looks like a model's otherwise."""
    named = {
        key: value
        for key in ("excluded_by", "constraint")
        if (value := availability.get(key) or next(reading.values(plain_key(key)), None))
    }
    return f" ({', '.join(f'{key}: {value}' for key, value in named.items())})" if named else ""


def _is_flagged(reading: _Reading) -> bool:
    listed = any(map(is_array, reading.values("reasons", "patterns")))
    return listed or next(reading.values("flaggedinput"), None) is not None


def _verdict(availability: Mapping[str, Any], reading: _Reading) -> bool | None:
    """Read the server's verdict; a missing endpoint is missing tomorrow, too."""
    said = [availability.get("retryable"), *reading.values("retryable")]
    verdict = next((value for value in said if isinstance(value, bool)), None)
    if verdict is not None:
        return verdict
    places = [availability.get(key) for key in ("code", "reason", "error_type")]
    why = [place for place in [*places, *reading.values("errortype")] if isinstance(place, str)]
    if not _LASTING.isdisjoint(why):
        return False
    return None if _PASSING.isdisjoint(why) else True


def _wait(objects: Iterable[Mapping[str, Any]]) -> float | None:
    """Read a wait that is named: seconds, milliseconds, or Google's `retryDelay: "20s"`."""
    waits: list[float | None] = []
    for each in objects:
        names = ("retryafter", "retryafterseconds", "retrydelay")
        waits += [wait_of_value(each.get(name)) for name in names]
        milliseconds = wait_of_value(each.get("retryafterms"))
        waits.append(None if milliseconds is None else milliseconds / 1000)
    return first_wait(waits)


def _headers(quoted: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.lower(): ", ".join(map(str, value)) if is_array(value) else str(value)
        for name, value in quoted.items()
        if isinstance(value, (str, int, float)) or is_array(value)
    }


def _is_openrouters(payload: Any) -> bool:
    inner = payload.get("error") if is_object(payload) else None
    return is_object(inner) and "code" in inner and "message" in inner


def _is_only_a_page(payload: Any) -> bool:
    """Whether a body is a page, or was one before it was put into an error without a code."""
    inner = payload.get("error") if is_object(payload) else payload
    text = inner.get("message") if is_object(inner) and len(inner) == 1 else inner
    return isinstance(text, str) and is_page(text)


def _codes(values: Iterable[Any]) -> Iterator[int | str]:
    """Choose what can be a code; 429.0 is 429."""
    for value in values:
        if isinstance(value, float) and value.is_integer():
            yield int(value)
        elif isinstance(value, (int, str)) and not isinstance(value, bool):
            yield value


def _http_status(code: int | str) -> int | None:
    found = re.fullmatch(r"\s*([45][0-9]{2})(?:\.0*)?\s*", str(code))
    return int(found[1]) if found else None


def _first_object(values: Iterable[Any]) -> dict[str, Any]:
    nothing: dict[str, Any] = {}
    return next(filter(is_object, values), nothing)


def _plain_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    return {plain_key(key): item for key, item in value.items()}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _slugs(value: Any) -> list[str]:
    """Read a list of models, each a slug or an object with an `id`."""
    items = value if is_array(value) else ()
    found = (_text(item.get("id") if is_object(item) else item) for item in items)
    return [slug for slug in found if slug][:MAX_MODELS]


def _by_field(value: Any) -> Any:
    """Return errors as a list, also those that stand under the names of what is wrong."""
    if is_object(value) and _plain_keys(value).keys().isdisjoint(_WORD_KEYS):
        return [*value.values()]
    return value


def _as_data(value: Any) -> Any:
    return _parse_nested(value) if isinstance(value, str) else value


def _parse_nested(text: str) -> Any:
    """Parse JSON within a text or an event, as OpenRouter quotes its providers."""
    if text.startswith(("data:", "event:")):
        text = "".join(re.findall(r"(?m)^data:(.*)", text))
    text = text.lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[", '"')):
        return None
    try:
        return decode_leniently(text)
    except (ValueError, RecursionError):
        return None

"""The hand-written columns: each pain in a sentence, and this package's answer in another."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """What is said of a pain."""

    pain: str
    answer: str


UNMEASURED = {
    "P65": (
        "tests/pains/test_pains.py::test_no_generated_sdk_stands_in_between",
        "not measured: it is about future releases of a dependency, not about behaviour",
    )
}
"""Of a pain without a case: its test, and why. An entry beside a case is an error."""

_TEXTS = """
P01 A tool call cut off in mid-stream is executed with shortened arguments.
    A cut call is never completed: it is invalid, or the stream raises.
P02 A provider's error in mid-stream is returned as a complete answer.
    It raises a typed error with the text so far in `.partial`.
P03 A short default timeout makes slow answers fail, and each try may be billed.
    Reading may take minutes by default; a time-out while reading is not repeated.
P04 `max_retries=0` does not end the retries.
    It counts extra attempts; 0 means exactly one request.
P05 A rate limit (429) is not waited out.
    It is repeated after the wait that the server names.
P06 `timeout` is in milliseconds and takes only integers.
    It is in seconds: int, float, `httpx.Timeout` or None.
P07 An error inside an HTTP 200 body is untyped and not repeated.
    It gets the class and the retries of its code.
P08 An error that stands beside an answer is overlooked.
    Top level, choice and finish reason are checked before the message.
P09 A stream that just ends counts as a finished answer.
    Without a finish reason it raises, with what had come in `.partial`.
P10 After a fork, a process receives another process's answers.
    Inherited connections are forgotten; each process opens its own.
P11 A model used in one `asyncio.run` fails in the next.
    There is one pool of connections per event loop.
P12 Encrypted reasoning is damaged when it is streamed.
    Entries are put together by kind and position and handed out once.
P13 Reasoning is not sent back, or not as it came.
    All entries go back, unaltered and in order.
P14 A replayed `rs_…` id has lost its ciphertext, or the ciphertext its id.
    An id is kept with its own ciphertext and left out without it.
P15 Reasoning of an unknown kind grows a wrapper per turn.
    Unknown entries pass as plain dictionaries.
P16 Tool arguments that are no JSON object cost the whole answer.
    Only that call becomes invalid; the message and other calls stay.
P17 Tool arguments that are null or missing raise.
    They are an empty object.
P18 `strict=True` sends a schema that strict mode refuses.
    Schemas are closed at every depth, or refused here with the path.
P19 Cut JSON passes for a whole object, or `include_raw=True` raises and loses the message.
    It raises and names the remedy; with `include_raw` it is in `parsing_error`.
P20 The words of a refusal are lost.
    They are in `additional_kwargs["refusal"]`; structured output raises them.
P21 Structured output by function calling returns None without an error.
    A missing or broken call raises and quotes what came.
P22 An agent's `response_format`, or a class as one, fails.
    Every form works in the constructor, per call, bound and in agents.
P23 Tools with bare schemas (`{"type": "object"}`) fail every request.
    Schemas are completed; a tool that cannot be sent is named.
P24 A tool's name that every delta repeats is concatenated.
    Name and id are emitted once per call.
P25 Tool deltas without an index raise or fall apart.
    They are matched by id or position.
P26 A missing or null field that nobody needs costs the answer.
    Only an error, no choice or a broken transport is fatal.
P27 A tool call without an id in the history raises or is sent as null.
    It gets the same made-up id as its result, the same every time.
P28 Two calls of a turn share one id, which agents cannot pair.
    Ids are made unique before agents see them.
P29 Ids of other providers are too long for OpenAI.
    They are shortened to a hash, alike on the call and its result.
P30 A tool call without a result is only found by the upstream's 400.
    It is refused before sending; the error names the id.
P31 An empty answer of a failed provider is a success.
    An answer without content that was not billed is an error.
P32 Retry middleware repeats what cannot succeed (400 to 404, 413, 422).
    Each error is of LangChain's class for it.
P33 A full context is not recognised, so summarization never starts.
    It raises LangChain's `ContextOverflowError`.
P34 An effort per call is sent beside the constructor's, which OpenRouter refuses.
    The call's replaces it under any name; two in one place are refused.
P35 `reasoning={…}` changes the endpoint.
    There is one endpoint.
P36 Parameters that o3-mini does not have are sent in silence.
    They are withheld and named in a warning.
P37 A misspelt effort is left out in silence.
    It is refused; `extra_body` forces new values.
P38 A `Retry-After` of hours is slept through.
    A wait beyond the limit raises at once, with `retry_after`.
P39 The server's word that a retry is useless is ignored.
    `availability.retryable` beats the status.
P40 Too small a `max_tokens` fails only at the provider.
    Less than 16 is refused here, with the reason.
P41 Too few credits (402) are not explained.
    The error tells the affordable tokens and the remedy.
P42 Hidden reasoning eats the budget unexplained, or the limit is sent under two names.
    The error tells the tokens and the remedy; the limit has one name.
P43 Usage on every chunk is summed.
    The last usage counts, once.
P44 A repeated finish doubles the finish reason and the model's name.
    They are emitted once.
P45 Usage after the finish is lost.
    The stream is read to its end; a count is never made up.
P46 The cost is missing, or missing in streams.
    `cost` is under the same key in every mode.
P47 An answer from LangChain's cache is counted as if it were paid again.
    `track_costs` counts cached answers apart, and free.
P48 `n=2` raises late or counts the tokens twice.
    It is refused at construction.
P49 Tool arguments go back respelt, which spoils prompt caches.
    The model's own string goes back.
P50 An abandoned stream goes on, and is billed.
    Leaving the loop closes the connection.
P51 The serving provider, native finish reason or citations are lost.
    All is kept, the same in every mode.
P52 Parts of an assistant's text are lost or sent in an invalid form.
    Strings become text parts; an unknown block raises.
P53 Speakers' names are left out.
    Names are sent, cleaned to the allowed letters.
P54 A picture in a tool's result is sent as something nobody knows.
    Parts are sent in OpenRouter's form, or refused here.
P55 OpenRouter's newer options cannot be sent.
    `extra_body`, `default_headers` and `extra_headers` go out verbatim.
P56 OpenRouter's server tools cannot be bound.
    Tools of other types than `function` pass verbatim.
P57 The provider's own words are not in the error.
    They are its message; the body is on the error.
P58 A stream answered with JSON or HTML fails obscurely.
    A JSON answer is read, an error raised as such, a page quoted.
P59 A broken event raises the JSON parser's error.
    It raises a typed error with an excerpt; odd framing is read.
P60 Comments in a stream are parsed as JSON.
    They are skipped.
P61 A key from a file with a line break at its end shows in an error.
    White space is stripped; the key shows nowhere.
P62 A used model cannot be pickled or copied.
    It can; the key does not travel.
P63 Each model opens its own connections.
    Models share a pool.
P64 Tokens cannot be counted without a download or another package.
    They are counted exactly: the encoding is installed along.
P65 A generated SDK before its 1.0 renames arguments and breaks the client.
    There is no SDK in between; httpx sends the request.
P66 A misspelt argument is accepted, and the caller's dictionary is changed.
    It is refused with the right name; inputs are copied.
P67 Traffic is credited to somebody whom the user did not name.
    Nothing is sent unless set.
P68 `json_mode` is something else, or fails at the provider without the word JSON.
    It is `json_object`; a prompt without the word is refused here.
P69 `tool_choice=False`, unknown names and empty tool lists are not handled.
    "none" is sent, the name is refused, the list is left out.
P70 A dictionary schema without a title raises.
    It gets a name.
P71 Callbacks do not see the deltas of tool calls.
    They get every chunk.
P72 `disable_streaming` is ignored.
    It is honoured, "tool_calling" too.
P73 A routing failure cannot be told from others.
    It raises LangChain's `ModelNotFoundError` with OpenRouter's words.
P74 Reading a chunk of a stream takes more than 1,000 Python calls.
    JSON is decoded once and no schema is checked per chunk.
P75 The model's facts are unknown.
    The profile is built in; the served model is in the metadata.
P76 Late or list-form system prompts are moved or flattened.
    They are sent in their place and form.
P77 The developer's role is turned into the system's.
    Both ways to ask for it are honoured.
P78 Arguments that are None are sent as null, and NaN too.
    None is never sent; what JSON cannot say is refused here.
"""


def _read(lines: list[str]) -> dict[str, Text]:
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return {pain[:3]: Text(pain[4:], answer.strip()) for pain, answer in pairs}


TEXTS = _read(_TEXTS.strip().splitlines())

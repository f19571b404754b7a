"""What a prompt asks for, read from its words: names, numbers, parts of sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_LETTERS = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHORTEST_STEM = 4
_LONGEST_ENDING = 2


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.lower() for word in _LETTERS.findall(text)]


def words_of_name(name: str) -> list[str]:
    """Return the words of an identifier; `get_weather` and `getWeather` have the same."""
    return words_of(_CAMEL_HUMP.sub(" ", name))


def occurs(word: str, words: Collection[str]) -> bool:
    """Whether a word is among others in some form: `greeting` and `greet`, `name` and `named`."""
    return any(_is_form_of(word, other) for other in words)


def _is_form_of(word: str, other: str) -> bool:
    if word == other:
        return True
    shorter = min(len(word), len(other))
    common = next((i for i in range(shorter) if word[i] != other[i]), shorter)
    return common >= _SHORTEST_STEM and common >= shorter - _LONGEST_ENDING


_BORDER = re.compile(r"\n|;|(?<=\w)\.\s")


def segments(hints: Hints) -> list[Hints]:
    """Return one part per thing that a prompt lists, or nothing if it lists none.

    A list has lines, semicolons or sentences, or else a new name begins each of its things.
    """
    pieces = [piece for piece in _BORDER.split(hints.text) if _tells(Hints(piece))]
    if not _is_list(pieces):
        # A name after a preposition belongs to the thing before it: `born in London`.
        starts = sorted(each.start for each in hints.names if not (each.before or each.opens))
        pieces = [hints.text[start:end] for start, end in pairwise([*starts, len(hints.text)])]
    return [Hints(piece, hints.ignored) for piece in pieces] if _is_list(pieces) else []


def _is_list(pieces: list[str]) -> bool:
    return len(pieces) > 1


def _tells(hints: Hints) -> bool:
    has_name = any(not each.opens for each in hints.names)
    return has_name or bool(hints.numbers) or bool(hints.quotations)


_WORD = re.compile(r"[^\W\d_][\w\u2019'-]*")
_BEFORE = re.compile(r"(\w+)\s+(?:the\s+)?$", re.IGNORECASE)
_STATE = re.compile(r", [A-Z]{2}\b")
_POSSESSIVE = re.compile(r"[\u2019']s?$")
_SEPARATOR = re.compile(r"\s*(,|,?\s*\b(?:and|or)\b|&)\s*")
_PREPOSITIONS = frozenset(
    {"about", "at", "by", "called", "for", "from", "in", "named", "near", "of", "on", "to", "with"},
)
_CONTEXT_CHARACTERS = 40
_SENTENCE_ENDS = frozenset(".!?\n")
# Capitalised for their place or by habit, and no names of anything that a property could be.
_NO_NAMES = frozenset(
    words_of(
        """
        a add an and answer are call can compare compute could create describe do does explain
        extract fetch find generate get give hello hi how i i'm if in is json list look make my
        name no now ok one parse please read return say search send show summarize tell thanks
        that the then there these this translate two use using what what's when where which who
        who's why will with would write yes you your
        """,
    ),
)


@dataclass(frozen=True)
class Name:
    """A name, where it stands, and the preposition before it if there is one."""

    start: int
    text: str
    before: str
    opens: bool  # a single word that begins a sentence may be capitalised for no other reason

    @property
    def end(self) -> int:
        """Where the text goes on."""
        return self.start + len(self.text)


def find_names(text: str) -> list[Name]:
    """Return the names in a text in their order, the doubtful ones last."""
    runs: list[list[re.Match[str]]] = []
    for word in _WORD.finditer(text):
        if not word[0][0].isupper() or word[0].lower().replace("\u2019", "'") in _NO_NAMES:
            continue
        if runs and text[runs[-1][-1].end() : word.start()] == " ":
            runs[-1].append(word)
        else:
            runs.append([word])
    return sorted((_name(text, run) for run in runs), key=lambda name: name.opens)


def listed_names(text: str) -> list[str]:
    """Return the names of the first list in a text: `Paris, Rome and Berlin`.

    `Paris, France and Rome, Italy` has two names, not four.
    """
    groups: list[list[str]] = []
    end = -1
    for name in sorted(find_names(text), key=lambda name: name.start):
        separator = _SEPARATOR.fullmatch(text[end : name.start]) if groups else None
        if separator is None and sum(map(len, groups)) > 1:
            break
        if separator is None:
            groups = [[name.text]]
        elif separator[1] == ",":
            groups[-1].append(name.text)
        else:
            groups.append([name.text])
        end = name.end
    if len(groups) > 1 and all(len(group) == len(("town", "country")) for group in groups):
        return [", ".join(group) for group in groups]
    names = [name for group in groups for name in group]
    return names if len(names) > 1 else []


def _name(text: str, run: list[re.Match[str]]) -> Name:
    start, end = run[0].start(), run[-1].end()
    state = _STATE.match(text, end)
    name = text[start : state.end()] if state else _POSSESSIVE.sub("", text[start:end])
    leading = text[max(start - _CONTEXT_CHARACTERS, 0) : start]
    before = _BEFORE.search(leading)
    preposition = before[1].lower() if before else ""
    leading = leading.rstrip(" \t\"'(\u201c\u2018")
    return Name(
        start=start,
        text=name,
        before=preposition if preposition in _PREPOSITIONS else "",
        opens=len(run) == 1 and (not leading or leading[-1] in _SENTENCE_ENDS),
    )


_T = TypeVar("_T")

# A hyphen after a digit is a minus or a range and no sign; the parts of a date are no numbers.
_NUMBER = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d\S*)?|\d{1,2}:\d\d(?::\d\d)?"
    r"|(?<![\w.])(-?\d{1,18}(?:,\d{3})*(?:\.\d+)?)",
)
_QUOTATION = re.compile(
    r"(?<!\w)'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|“([^”\n]+)”|\u2018([^\u2019\n]+)\u2019|「([^」\n]+)」|`([^`\n]+)`",
)
_TOPIC = re.compile(r"\babout (?:the |a |an )?([^.,;:!?\n]{1,60})", re.IGNORECASE)
# A label's value ends with its clause; a point inside `3.5` ends nothing.
_VALUE = r"(?:\"([^\"\n]+)\"|'([^'\n]+)'|“([^”\n]+)”|((?:[^,;\n.()]|\.(?=\w))+))"
_NEXT_CLAUSE = re.compile(r"\s+(?:and|but|with)\s.*$", re.DOTALL)
_VAGUE_LABELS = frozenset({"id", "key", "name", "number", "text", "value"})


@dataclass(frozen=True)
class Hint(Generic[_T]):
    """A value and the stretch of text that it was read from."""

    value: _T
    start: int
    end: int


@dataclass
class Hints:
    """The material of one prompt; `ignored` are quotations that name keys, not values."""

    text: str
    ignored: Collection[str] = ()
    names: Sequence[Name] = field(init=False)
    numbers: Sequence[Hint[float]] = field(init=False)
    _quotations: Sequence[Hint[str]] = field(init=False)
    _words: Collection[str] = field(init=False)
    _folded: str = field(init=False)
    _taken: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __post_init__(self) -> None:
        """Find everything once: a prompt can be long and a schema large."""
        self.names = find_names(self.text)
        self._words = frozenset(words_of(self.text))
        self._folded = self.text.casefold()
        self.numbers = [
            Hint(_number(hit[1]), hit.start(), hit.end())
            for hit in _NUMBER.finditer(self.text)
            if hit[1]
        ]
        self._quotations = [
            Hint(hit[hit.lastindex or 0], hit.start(), hit.end())
            for hit in _QUOTATION.finditer(self.text)
        ]

    @property
    def quotations(self) -> list[Hint[str]]:
        """The quoted texts."""
        return [hint for hint in self._quotations if hint.value not in self.ignored]

    def take_quotation(self) -> str | None:
        """Return the next quoted text."""
        return self._take(self.quotations)

    def take_number(self) -> float | None:
        """Return the next number."""
        return self._take(self.numbers)

    def take_name(self, prepositions: Collection[str] | None = None) -> str | None:
        """Return the next name, or the next that follows one of some prepositions."""
        fitting = (
            each for each in self.names if prepositions is None or each.before in prepositions
        )
        return self._take(Hint(each.text, each.start, each.end) for each in fitting)

    def take_labelled_number(self, words: Sequence[str]) -> float | None:
        """Return the number beside a property's name: `age: 36`, `age is 36`, `born 1815`."""
        numbers = {hint.start: hint for hint in self.numbers}
        for label in (words, *([word] for word in words if word not in _VAGUE_LABELS)):
            separator = r"(?:\s*[:=]\s*|\s+(?:(?:is|of|was|in)\s+)?)(?=-?\d)"
            hit = self._find(label, separator)
            if hit is not None and hit.end() in numbers:
                return self._take([numbers[hit.end()]])
        return None

    def take_labelled(self, words: Sequence[str]) -> str | None:
        """Return the text beside a property's name: `name: Ada`, `name is Ada`, `name=Ada`."""
        hit = self._find(words, r"(?:\s*[:=]\s*|\s+(?:is|are)\s+)" + _VALUE)
        if hit is None:
            return None
        value = hit[hit.lastindex or 0].strip()
        if hit.lastindex == hit.re.groups:
            value = _NEXT_CLAUSE.sub("", value)
        return self._take([Hint(value, hit.start(), hit.start(hit.lastindex or 0) + len(value))])

    def take_labelled_list(self, words: Sequence[str]) -> str | None:
        """Return the rest of the sentence beside a property's name: `tags: red, green and blue`."""
        hit = self._find(words, r"(?:\s*[:=]\s*|\s+are\s+)([^;\n.]+)")
        return self._take([Hint(hit[1].strip(), hit.start(), hit.end())]) if hit else None

    def labels(self, words: Sequence[str]) -> bool:
        """Whether something stands beside a property's name that could be its value."""
        return self._find(words, r"\s*(?:[:=]|\s(?:is|are|of)\s|(?=\s-?\d))") is not None

    def mentions(self, words: Sequence[str]) -> bool:
        """Whether a property's name occurs."""
        return bool(words) and all(occurs(word, self._words) for word in words)

    def denies(self, words: Sequence[str]) -> bool:
        """Whether a property's name occurs after a `no`, `not` or `without`."""
        pattern = rf"\b(?:no|non|not|without)[ -](?:a |an |any |the )?{_spelled(words)}"
        return self._spells(words) and re.search(pattern, self.text, re.IGNORECASE) is not None

    def topic(self) -> str | None:
        """Return what the prompt says it is about."""
        hit = _TOPIC.search(self.text)
        return hit[1].strip() if hit else None

    def is_used_up(self) -> bool:
        """Whether every number and every quotation was handed out."""
        left: list[Hint[str] | Hint[float]] = [*self.quotations, *self.numbers]
        return all(self._is_taken(hint.start) for hint in left)

    def restart(self) -> None:
        """Hand out everything again."""
        self._taken.clear()

    def _find(self, words: Sequence[str], pattern: str) -> re.Match[str] | None:
        """Find the first place, not yet taken, with a property's name before a pattern."""
        if not self._spells(words):
            return None
        hits = re.finditer(rf"\b{_spelled(words)}{pattern}", self.text, re.IGNORECASE)
        return next((hit for hit in hits if not self._is_taken(hit.end() - 1)), None)

    def _spells(self, words: Sequence[str]) -> bool:
        """Whether the text has all letters of some words: expressions for each are expensive."""
        return bool(words) and all(word.casefold() in self._folded for word in words)

    def _take(self, hints: Iterable[Hint[_T]]) -> _T | None:
        for hint in hints:
            if not self._is_taken(hint.start):
                self._taken.append((hint.start, hint.end))
                return hint.value
        return None

    def _is_taken(self, place: int) -> bool:
        return any(start <= place < end for start, end in self._taken)


def _spelled(words: Sequence[str]) -> str:
    return r"[ _-]?".join(re.escape(word) for word in words)


def _number(digits: str) -> float:
    digits = digits.replace(",", "")
    return float(digits) if "." in digits else int(digits)

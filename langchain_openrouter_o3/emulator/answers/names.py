"""Finding names, which are runs of capitalised words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_openrouter_o3.emulator.answers.words import words_of

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

"""The language of lab.yml: the plain part of YAML, which every reader takes for the same.

What readers take differently, or silently, is refused with its line: keys given twice, anchors,
aliases, merge keys, tags, numbers as keys and in other notations, words such as yes and off.
provision/plain_yaml.rb has the same rules for Vagrant and says the same of each mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

# Lists and mappings within one another; without a bound the reader itself would give up.
DEEPEST = 8

NUMBER = r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?"
ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:[/:][0-9]{1,5})?"
TEXT = r"(?:[A-Za-z]|\.{0,2}/)[^\n]*"
PLAIN = re.compile(f"{NUMBER}|{ADDRESS}|{TEXT}")
NOT_TEXT = re.compile(r"y|n|yes|no|on|off|true|false|null", re.IGNORECASE)
# Tabs, other breaks of lines than one, marks of byte order: what only some readers see.
UNSEEN = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class NotPlain(Exception):
    """What of a text is not plain YAML: one message per mistake, each with its line."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def load(content: bytes) -> Any:
    """The value that a file holds. Raises NotPlain."""
    text = _text(content)
    if mistakes := list(_mistakes(_events(text))):
        raise NotPlain(mistakes)
    return yaml.safe_load(text)


def _text(content: bytes) -> str:
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"0x{content[error.start]:02x}"
        raise NotPlain([f"line {line}: the byte {byte} is not UTF-8: save it as UTF-8"]) from None
    if unseen := UNSEEN.search(text):
        line = text.count("\n", 0, unseen.start()) + 1
        what = "a tab" if unseen[0] == "\t" else f"the character U+{ord(unseen[0]):04X}"
        raise NotPlain([f"line {line}: {what} may be read in more than one way: use blanks"])
    return text


def _events(text: str) -> list[yaml.Event]:
    loader = yaml.SafeLoader(text)
    events: list[yaml.Event] = []
    try:
        while loader.check_event():
            events.append(loader.get_event())  # type: ignore[no-untyped-call]
    # An escape in quotes may name a character that there is not.
    except (yaml.MarkedYAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or error
        line = min(loader.line + 1, len(text.splitlines()))
        raise NotPlain([f"line {line}: not YAML: {problem}"]) from None
    return events


@dataclass
class _Open:
    """A list or mapping whose end has not been seen; of a mapping, the lines of its keys."""

    lines: dict[str, int] | None
    at_key: bool


def _mistakes(events: list[yaml.Event]) -> Iterator[str]:
    documents = 0
    within: list[_Open] = []
    for event in events:
        number = event.start_mark.line + 1  # type: ignore[union-attr]
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            yield from _in_line(number, _mistakes_of_document(event, documents))
        elif isinstance(event, yaml.CollectionEndEvent):
            within.pop()
        elif isinstance(event, yaml.NodeEvent):
            yield from _in_line(number, _mistakes_of_node(event))
            if within and (lines := within[-1].lines) is not None:
                if within[-1].at_key:
                    yield from _in_line(number, _mistakes_of_key(event, number, lines))
                within[-1].at_key = not within[-1].at_key
            if isinstance(event, yaml.CollectionStartEvent):
                mapping = isinstance(event, yaml.MappingStartEvent)
                within.append(_Open({} if mapping else None, mapping))
                if len(within) > DEEPEST:
                    yield f"line {number}: more than {DEEPEST} lists and mappings in one another"
                    return


def _in_line(number: int, mistakes: Iterator[str]) -> Iterator[str]:
    return (f"line {number}: {mistake}" for mistake in mistakes)


def _mistakes_of_document(event: yaml.DocumentStartEvent, count: int) -> Iterator[str]:
    if event.version or event.tags:
        yield "a directive (%) is not plain YAML: remove it"
    if count == 2:
        yield "a second document begins: keep one"


def _mistakes_of_node(event: yaml.NodeEvent) -> Iterator[str]:
    if isinstance(event, yaml.AliasEvent):
        yield "an alias (*) is not plain YAML: write out what it stands for"
        return
    if event.anchor is not None:
        yield "an anchor (&) is not plain YAML: remove it"
    if getattr(event, "tag", None) is not None:
        yield "a tag (!) is not plain YAML: remove it"
    if isinstance(event, yaml.ScalarEvent):
        yield from _mistakes_of_scalar(event.style, event.value)


def _mistakes_of_scalar(style: str | None, value: str) -> Iterator[str]:
    if style in ("|", ">"):
        yield f"a block of text ({style}) is not plain YAML: write it in quotes"
    elif value == "<<":
        yield "a merge key (<<) is not plain YAML: write out what it stands for"
    elif style is None and value and not _plain(value):
        yield (
            f"{_shown(value)} may be read in more than one way:"
            " write a number as 11 or 0.5, and any other value in quotes"
        )
    elif style and (unseen := UNSEEN.search(value) or re.search("\n", value)):
        yield f"a value in quotes holds the character U+{ord(unseen[0]):04X}: write it without"


def _mistakes_of_key(event: yaml.NodeEvent, number: int, lines: dict[str, int]) -> Iterator[str]:
    if not isinstance(event, yaml.ScalarEvent) or not event.value:
        yield "a key should be one name"
    elif event.style is None and re.fullmatch(NUMBER, event.value):
        yield f"{_shown(event.value)} is a number, and a key should be a name: write it in quotes"
    elif event.value in lines:
        first = lines[event.value]
        yield f"{_shown(event.value)} is there already, in line {first}: rename or remove one"
    else:
        lines[event.value] = number


def _plain(value: str) -> bool:
    return bool(PLAIN.fullmatch(value)) and not NOT_TEXT.fullmatch(value)


def _shown(value: str) -> str:
    return " ".join(value[:40].encode("ascii", "replace").decode().split())

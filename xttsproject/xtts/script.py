"""Scripts: text with pauses, chapters, and changes of voice and language, cut into passages. Loads no ML library.

``[pause]``, ``[pause 700ms]``, ``[pause 1.5s]`` are silence; ``[voice: name]`` and ``[lang: pt]`` hold until the next
one, ``[voice]`` and ``[lang]`` go back to what was asked for. ``[chapter: Title]`` begins a chapter and is not spoken;
a heading on a line of its own (``# Title`` or ``## Title``) begins one and is spoken. A blank line ends a paragraph.
Anything else in brackets is text, and so is a command behind a backslash (``\\[pause]``, ``\\# Title``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.types import LONGEST_PAUSE, Pauses

LONGEST_SILENCE = 300.0
"""Seconds of all written pauses together that a script of up to SILENCE_CHARACTERS may have; longer ones have more."""

SILENCE_CHARACTERS = 5000

MOST_CHAPTERS = 500
LONGEST_TITLE = 200

AUTO = "auto"
"""Instead of a language's code: to be told from the text."""

_COMMAND = re.compile(
    r"(?P<plain>\\\[)|\[\s*(?P<name>pause|voice|language|lang|chapter)\b(?P<rest>[^\[\]\n]*)(?P<end>\]?)", re.IGNORECASE
)
_SECONDS = re.compile(r"(\d{1,9}(?:[.,]\d{1,9})?)\s*(ms|milliseconds?|s|sec|seconds?)?", re.IGNORECASE)
_HEADING = re.compile(r"^[^\S\n]*(?P<signs>#{1,6})[^\S\n]+(?P<title>\S[^\n]*)$", re.MULTILINE)
_PLAIN_HEADING = re.compile(r"^([^\S\n]*)\\(?=#{1,6}[^\S\n])", re.MULTILINE)
_HEADINGS_THAT_BEGIN = 2
"""Levels of headings that begin a chapter; what is below them is a paragraph."""
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")


@dataclass(frozen=True)
class Passage:
    """What is said without a change of voice or language and without a pause.

    ``voice`` and ``language`` are as written, None where the script leaves them to whoever asks. ``pause`` is the
    silence before it in seconds, None where it goes on as between sentences. ``paragraph`` and ``chapter`` count
    from 0.
    """

    text: str
    voice: str | None = None
    language: str | None = None
    pause: float | None = None
    paragraph: int = 0
    chapter: int = 0


@dataclass(frozen=True)
class Script:
    """Passages in order, and the seconds of silence after the last.

    ``chapters`` are titles, none where the script has no chapters. The first one's is empty where something is said
    before the first mark.
    """

    passages: tuple[Passage, ...]
    pause_after: float = 0.0
    chapters: tuple[str, ...] = ()


def parse(text: str, pauses: Pauses | None = None, *, field: str = "text") -> Script:
    """The passages of a script.

    Written pauses add up, and stand instead of a paragraph's where both meet. Raises :class:`DomainError`
    ``script_invalid`` for a command that cannot be followed, ``language_unsupported`` and ``text_empty``, each with
    ``field``.
    """
    if not text.strip():
        raise DomainError("text_empty", "There is no text to speak; write some.", field=field)
    return _Reader(pauses or Pauses(), field, len(text)).read(text.replace("\r\n", "\n").replace("\r", "\n"))


class _Reader:
    """Where one is in a script: voice, language, chapter and paragraph, and the silence that has gathered."""

    def __init__(self, pauses: Pauses, field: str, characters: int):
        self._pauses, self._field = pauses, field
        self._longest_silence = LONGEST_SILENCE * max(1.0, characters / SILENCE_CHARACTERS)
        self._passages: list[Passage] = []
        self._voice: str | None = None
        self._language: str | None = None
        self._written: float | None = None
        self._silence = 0.0
        self._paragraph = 0
        self._new_paragraph = False
        self._chapters: list[str] = []

    def read(self, text: str) -> Script:
        text = _PLAIN_HEADING.sub(r"\1", _HEADING.sub(_as_chapter, text))
        said, place = "", 0
        for command in _COMMAND.finditer(text):
            said += text[place : command.start()]
            place = command.end()
            if command["plain"]:
                said += "["
            elif self._is_command(command):
                self._say(said)
                said = ""
                self._follow(command)
            else:
                said += command[0]
        self._say(said + text[place:])
        if not self._passages:
            raise DomainError("text_empty", "The text is nothing but commands; write words.", field=self._field)
        if self._chapters and self._passages[-1].chapter < len(self._chapters) - 1:
            # Nothing is said in it.
            self._chapters.pop()
        return Script(tuple(self._passages), self._written or 0.0, tuple(self._chapters))

    def _is_command(self, found: re.Match[str]) -> bool:
        """``[voice over]`` is text: what names something wants a colon; ``[pause for thought]`` is not let through."""
        rest = found["rest"].strip()
        if found["name"].lower() == "chapter":
            return rest.startswith(":")
        return found["name"].lower() == "pause" or not rest or rest.startswith(":")

    def _follow(self, command: re.Match[str]) -> None:
        name, value = command["name"].lower(), command["rest"].strip().removeprefix(":").strip()
        if not command["end"]:
            self._refuse(f"“{command[0].strip()[:40]}” has no closing bracket; write it like [{_EXAMPLES[name]}].")
        if name == "pause":
            self._pause(value, command[0])
        elif name == "chapter":
            self._chapter(value)
        elif name == "voice":
            self._voice = value or None
        elif value.lower() == AUTO:
            self._language = AUTO
        else:
            self._language = validate_language(value, field=self._field) if value else None

    def _pause(self, value: str, written: str) -> None:
        found = _SECONDS.fullmatch(value)
        if value and not found:
            self._refuse(f"“{written}” is no pause; write its length, like [pause 700ms] or [pause 1.5s].")
        seconds = self._pauses.paragraph
        if found:
            seconds = float(found[1].replace(",", "."))
            if (found[2] or "").lower().startswith("m"):
                seconds /= 1000
        if seconds > LONGEST_PAUSE:
            self._refuse(
                f"“{written}” is a pause of {seconds:g} s, but {LONGEST_PAUSE:g} s are the longest; "
                "write [pause 700ms] for milliseconds."
            )
        self._silence += seconds
        if self._silence > self._longest_silence:
            self._refuse(f"The pauses come to more than {self._longest_silence:g} s together; leave some out.")
        self._written = (self._written or 0.0) + seconds

    def _chapter(self, title: str) -> None:
        title = " ".join(title.split())
        if not title:
            self._refuse("A chapter has no title; write it like [chapter: The first morning].")
        if len(title) > LONGEST_TITLE:
            self._refuse(
                f"The chapter title “{title[:40]}…” has {len(title)} characters, but {LONGEST_TITLE} are the limit; "
                "shorten it."
            )
        self._new_paragraph = True
        if not self._chapters and self._passages:
            self._chapters.append("")
        if self._chapters and (not self._passages or self._passages[-1].chapter < len(self._chapters) - 1):
            # Nothing was said in the one before.
            self._chapters.pop()
        self._chapters.append(title)
        if len(self._chapters) > MOST_CHAPTERS:
            self._refuse(f"The script has more than {MOST_CHAPTERS} chapters; divide it, or leave some marks out.")

    def _say(self, text: str) -> None:
        for number, paragraph in enumerate(_PARAGRAPH_END.split(text)):
            if number:
                self._new_paragraph = True
            if paragraph.strip():
                self._add(paragraph.strip())

    def _add(self, text: str) -> None:
        pause = self._written
        if self._new_paragraph and self._passages:
            self._paragraph += 1
            pause = self._pauses.paragraph if pause is None else pause
        self._new_paragraph, self._written = False, None
        chapter = max(0, len(self._chapters) - 1)
        self._passages.append(Passage(text, self._voice, self._language, pause, self._paragraph, chapter))

    def _refuse(self, message: str) -> None:
        raise DomainError("script_invalid", message, field=self._field)


def _as_chapter(found: re.Match[str]) -> str:
    """A heading as the mark of a chapter and a paragraph of its own; commands in it are followed, not named."""
    title = re.sub(r"\s+#+\s*$", "", found["title"])
    name = " ".join(re.sub(r"\[[^\[\]\n]*\]?|\]", " ", title).replace("\\", "").split())[:LONGEST_TITLE]
    begins = len(found["signs"]) <= _HEADINGS_THAT_BEGIN and bool(name)
    mark = f"[chapter: {name}]" if begins else ""
    return f"\n\n{mark}\n\n{title}\n\n"


_EXAMPLES = {
    "pause": "pause 700ms",
    "voice": "voice: name",
    "lang": "lang: pt",
    "language": "lang: pt",
    "chapter": "chapter: Title",
}

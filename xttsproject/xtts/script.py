"""Scripts: text with pauses, and changes of voice and language, cut into passages. Loads no ML library.

``[pause]``, ``[pause 700ms]``, ``[pause 1.5s]`` are silence; ``[voice: name]`` and ``[lang: pt]`` hold until the next
one, ``[voice]`` and ``[lang]`` go back to what was asked for. A blank line ends a paragraph. Anything else in brackets
is text, and so is a command behind a backslash (``\\[pause]``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.types import LONGEST_PAUSE, Pauses

LONGEST_SILENCE = 300.0
"""Seconds of all written pauses of a script together."""

AUTO = "auto"
"""Instead of a language's code: to be told from the text."""

_COMMAND = re.compile(
    r"(?P<plain>\\\[)|\[\s*(?P<name>pause|voice|language|lang)\b(?P<rest>[^\[\]\n]*)(?P<end>\]?)", re.IGNORECASE
)
_SECONDS = re.compile(r"(\d{1,9}(?:[.,]\d{1,9})?)\s*(ms|milliseconds?|s|sec|seconds?)?", re.IGNORECASE)
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")


@dataclass(frozen=True)
class Passage:
    """What is said without a change of voice or language and without a pause.

    ``voice`` and ``language`` are as written, None where the script leaves them to whoever asks. ``pause`` is the
    silence before it in seconds, None where it goes on as between sentences. ``paragraph`` counts from 0.
    """

    text: str
    voice: str | None = None
    language: str | None = None
    pause: float | None = None
    paragraph: int = 0


@dataclass(frozen=True)
class Script:
    """Passages in order, and the seconds of silence after the last."""

    passages: tuple[Passage, ...]
    pause_after: float = 0.0


def parse(text: str, pauses: Pauses | None = None, *, field: str = "text") -> Script:
    """The passages of a script.

    Written pauses add up, and stand instead of a paragraph's where both meet. Raises :class:`DomainError`
    ``script_invalid`` for a command that cannot be followed, ``language_unsupported`` and ``text_empty``, each with
    ``field``.
    """
    if not text.strip():
        raise DomainError("text_empty", "There is no text to speak; write some.", field=field)
    return _Reader(pauses or Pauses(), field).read(text.replace("\r\n", "\n").replace("\r", "\n"))


class _Reader:
    """Where one is in a script: the voice, language and paragraph, and the silence that has gathered."""

    def __init__(self, pauses: Pauses, field: str):
        self._pauses, self._field = pauses, field
        self._passages: list[Passage] = []
        self._voice: str | None = None
        self._language: str | None = None
        self._written: float | None = None
        self._silence = 0.0
        self._paragraph = 0
        self._new_paragraph = False

    def read(self, text: str) -> Script:
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
        return Script(tuple(self._passages), self._written or 0.0)

    def _is_command(self, found: re.Match[str]) -> bool:
        """``[voice over]`` is text: what names something wants a colon; ``[pause for thought]`` is not let through."""
        rest = found["rest"].strip()
        return found["name"].lower() == "pause" or not rest or rest.startswith(":")

    def _follow(self, command: re.Match[str]) -> None:
        name, value = command["name"].lower(), command["rest"].strip().removeprefix(":").strip()
        if not command["end"]:
            self._refuse(f"“{command[0].strip()[:40]}” has no closing bracket; write it like [{_EXAMPLES[name]}].")
        if name == "pause":
            self._pause(value, command[0])
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
        if self._silence > LONGEST_SILENCE:
            self._refuse(f"The pauses come to more than {LONGEST_SILENCE:g} s together; leave some out.")
        self._written = (self._written or 0.0) + seconds

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
        self._passages.append(Passage(text, self._voice, self._language, pause, self._paragraph))

    def _refuse(self, message: str) -> None:
        raise DomainError("script_invalid", message, field=self._field)


_EXAMPLES = {"pause": "pause 700ms", "voice": "voice: name", "lang": "lang: pt", "language": "lang: pt"}

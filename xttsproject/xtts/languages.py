"""The languages XTTS-v2 speaks, with the limits of one decoded sentence. Loads no ML library."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from xttsproject.lib.errors import DomainError


@dataclass(frozen=True)
class Language:
    """One language.

    ``max_chars`` is the longest cleaned sentence that the released model reads without losing words.
    ``codes_per_char`` bounds the speech of one character (one audio code is 46.4 ms): about two and a half times
    slow reading, so that it ends runaway babble and never a slow speaker.
    ``requires`` are the Python packages without which the text cannot be turned into letters.
    """

    code: str
    name: str
    max_chars: int
    codes_per_char: float = 4.0
    requires: tuple[str, ...] = ()

    @property
    def available(self) -> bool:
        """Whether this installation can read the language's script. Looks for packages without importing them."""
        return all(find_spec(package) is not None for package in self.requires)


# Limits from XTTS-v2's tokenizer. Chinese and Japanese characters stand for whole syllables, Korean ones nearly so.
_ALL = (
    Language("en", "English", 250),
    Language("es", "Spanish", 239),
    Language("fr", "French", 273),
    Language("de", "German", 253),
    Language("it", "Italian", 213),
    Language("pt", "Portuguese", 203),
    Language("pl", "Polish", 224),
    Language("tr", "Turkish", 226),
    Language("ru", "Russian", 182),
    Language("nl", "Dutch", 251),
    Language("cs", "Czech", 186),
    Language("ar", "Arabic", 166, 6.0),
    Language("zh-cn", "Chinese", 82, 14.0, ("pypinyin",)),
    Language("hu", "Hungarian", 224),
    Language("ko", "Korean", 95, 12.0, ("ko_speech_tools",)),
    Language("ja", "Japanese", 71, 12.0, ("cutlet",)),
    Language("hi", "Hindi", 150, 6.0),
)

LANGUAGES: dict[str, Language] = {language.code: language for language in _ALL}


def language_names(codes: Iterable[str]) -> str:
    """Languages as people call them: ``English, German``."""
    return ", ".join(LANGUAGES[code].name for code in codes)


def validate_language(code: str, *, field: str | None = "language") -> str:
    """Return the code as this project writes it (``zh`` becomes ``zh-cn``, ``en-GB`` becomes ``en``).

    Raises :class:`DomainError` ``language_unsupported`` for anything else.
    """
    wanted = code.strip().lower().replace("_", "-")
    short = wanted.split("-")[0]
    for candidate in (wanted, "zh-cn" if short == "zh" else short):
        if candidate in LANGUAGES:
            return candidate
    known = ", ".join(LANGUAGES)
    raise DomainError(
        "language_unsupported",
        f"The language “{code}” is not one that XTTS speaks; choose one of {known}.",
        field=field,
    )

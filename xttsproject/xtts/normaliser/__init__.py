"""Written text to spoken words: what training learns to say, and what synthesis is given.

It stands beside the model because the model reads letters only, and because all three apps stand above it: datasets
freeze what it says, epoch samples and people's speech are spoken by it. ``docs/TEXT.md`` shows what is said how.

English and Portuguese have rules of their own (:mod:`.english`, :mod:`.portuguese`); the other languages have whole and
decimal numbers, money, percentages, ordinals and signs (:mod:`.shared`). Numbers come from num2words, Chinese and Hindi
ones, which it lacks, from :mod:`.numerals`.
"""

from __future__ import annotations

from functools import lru_cache

from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.normaliser import english, portuguese
from xttsproject.xtts.normaliser.characters import clean
from xttsproject.xtts.normaliser.shared import speak

__all__ = ["normalise"]

_OWN_RULES = {"en": english.rules, "pt": portuguese.rules}
# One turn is enough for what people write; odd strings of signs may need more until nothing changes.
_TURNS = 12
# A page of a dataset and its freezing ask the same of thousands of clips, each some milliseconds. Longer texts than a
# clip's or a sentence's are not kept, so that what is kept stays within some ten megabytes.
_KEPT_TEXTS, _KEPT_LENGTH = 20_000, 500


def normalise(text: str, language: str) -> str:
    """The spoken form of ``text``; applying it twice changes nothing more. Raises DomainError ``language_unsupported``.

    Quotation marks and emoji go (nothing is said for them), dashes between words become commas, hyphens within words
    and apostrophes stay. Any text at all has a spoken form, though one without letters, digits or signs has an empty
    one.
    """
    code = validate_language(language)
    return _spoken(text, code) if len(text) <= _KEPT_LENGTH else _spoken.__wrapped__(text, code)


@lru_cache(maxsize=_KEPT_TEXTS)
def _spoken(text: str, code: str) -> str:
    for _ in range(_TURNS):
        spoken = one_turn(text, code)
        if spoken == text:
            break
        text = spoken
    return text


def one_turn(text: str, code: str) -> str:
    """All rules once, in order: characters, the language's own, numbers and signs, spacing."""
    text = clean(text, code)
    if code in _OWN_RULES:
        text = _OWN_RULES[code](text)
    return speak(text, code)

"""Text to tokens: Coqui's cleaning for XTTS, then the bundle's own byte-pair vocabulary."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES, validate_language
from xttsproject.xtts.text import shorten, spoken_form


class Tokenizer:
    """Cleans text as XTTS was trained with (lower case, numbers and abbreviations spelled out) and encodes it."""

    def __init__(self, vocab_file: Path):
        try:
            self._coqui = VoiceBpeTokenizer(vocab_file=str(vocab_file))
        except Exception as error:  # the tokenizers library raises bare Exception for a file it cannot parse
            raise DomainError(
                "model_damaged", f"The tokenizer {vocab_file.parent.name}/{vocab_file.name} cannot be read ({error})."
            ) from error
        self.unknown: int | None = self._coqui.tokenizer.token_to_id("[UNK]")
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return int(self._coqui.get_number_tokens())

    def clean(self, text: str, language: str) -> str:
        """The text as the model reads it: spelled out, lower-cased, transliterated where XTTS needs that.

        Raises :class:`DomainError` ``language_unsupported`` where a package for the script is missing and
        ``text_unspeakable`` where the text cannot be cleaned.
        """
        code = validate_language(language)
        known = LANGUAGES[code]
        if not known.available:
            raise DomainError(
                "language_unsupported",
                f"{known.name} needs the Python package {' and '.join(known.requires)}, which is not installed here.",
                field="language",
            )
        # Python lowers the Turkish İ to an i and a combining dot, which no vocabulary of XTTS knows.
        lowered = text.strip().replace("İ", "i").lower()
        # MeCab, by which Japanese is read, answers out of memory that its next question overwrites: of two threads that
        # look at what will be spoken one would be given the other's words.
        alone: contextlib.AbstractContextManager[object] = self._reading if code == "ja" else contextlib.nullcontext()
        try:
            with alone:
                return str(self._coqui.preprocess_text(lowered, code.split("-")[0]))
        except Exception as error:  # num2words and the rules in front of it raise many kinds for odd numbers
            raise DomainError(
                "text_unspeakable", f"“{shorten(text)}” cannot be read as {known.name} ({error}).", field="text"
            ) from error

    def encode_clean(self, cleaned: str, language: str) -> list[int]:
        """Tokens of text that :meth:`clean` returned, the language's tag in front; no start or stop token."""
        marked = f"[{validate_language(language)}]{cleaned}".replace(" ", "[SPACE]")
        return list(self._coqui.tokenizer.encode(marked).ids)

    def size(self, text: str, language: str) -> tuple[int, int]:
        """Characters and tokens: what planning measures a piece by.

        Characters are those after cleaning, but of Chinese, Japanese and Korean as they are written: the languages'
        limits count them before the transliteration, which makes several letters of each.
        """
        code = validate_language(language)
        cleaned = self.clean(text, code)
        characters = len(text.strip()) if LANGUAGES[code].requires else len(cleaned)
        return characters, len(self.encode_clean(cleaned, code))

    def unread(self, text: str, language: str) -> str:
        """The signs of a text, each once, that the vocabulary lacks: nothing is said for them."""
        cleaned = self.clean(text, language)
        if self.unknown is None or self.unknown not in self.encode_clean(cleaned, language):
            return ""
        signs = dict.fromkeys(sign for sign in cleaned if not sign.isspace())
        return "".join(sign for sign in signs if self.unknown in self.encode_clean(sign, language))

    def encode(self, text: str, language: str) -> list[int]:
        """Clean and encode; equal to what Coqui's inference feeds the GPT. No start or stop token."""
        return self.encode_clean(self.clean(text, language), language)

    def encode_sentence(self, text: str, language: str) -> list[int]:
        """A sentence as speaking encodes it: without quotes and its final full stop (``text.spoken_form``).

        Training takes the same form, or a voice would wait for a stop that nobody will ever give it. Coqui's own
        trainer and inference both keep the stop, and users of theirs hear babble after it.
        """
        return self.encode(spoken_form(text), language)

"""The tiny Whisper's tokens: bytes and letters as its text, and the special tokens of the released models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

# In the order of the released multilingual models, which the ids depend on.
# fmt: off
LANGUAGES = (
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it", "id", "hi",
    "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur", "hr", "bg", "lt", "la",
    "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr", "az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy",
    "ne", "mn", "bs", "kk", "sq", "sw", "gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be",
    "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo", "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl",
    "mg", "as", "tt", "haw", "ln", "ha", "ba", "jw", "su",
)
# fmt: on
TASKS = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
TIMESTAMPS = 1501
TIMESTAMP_SECONDS = 0.02
LETTERS = "abcdefghijklmnopqrstuvwxyz"

_MULTILINGUAL = ""
"""CTranslate2 tells a multilingual Whisper by this empty token, which the released vocabularies carry too."""


@dataclass(frozen=True)
class Tokens:
    """All tokens in the order of their ids: ``text`` (bytes and merged pairs), then ``special``."""

    text: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    special: tuple[str, ...]

    @cached_property
    def all(self) -> list[str]:
        return [*self.text, *self.special]

    @cached_property
    def ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.all)}

    def special_id(self, name: str) -> int:
        """The id of ``<|name|>``."""
        return self.ids[f"<|{name}|>"]

    @cached_property
    def first_timestamp(self) -> int:
        return self.special_id("0.00")

    @cached_property
    def tokenizer(self) -> dict[str, Any]:
        """What ``tokenizer.json`` holds."""
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": len(self.text) + number,
                    "content": token,
                    **flags,
                    "special": number < len(self.special) - TIMESTAMPS,
                }
                for number, token in enumerate(self.special)
            ],
            "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": None,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "vocab": {token: number for number, token in enumerate(self.text)},
                "merges": [f"{a} {b}" for a, b in self.merges],
            },
        }


def tokens() -> Tokens:
    """Every byte, letters that begin a word, and what faster-whisper looks up with a space before."""
    from tokenizers.pre_tokenizers import ByteLevel

    space = "Ġ"
    merges = tuple((space, sign) for sign in (*LETTERS, *LETTERS.upper(), "-", "'", "â"))
    text = (*sorted(ByteLevel.alphabet()), *(a + b for a, b in merges), _MULTILINGUAL)
    names = ["endoftext", "startoftranscript", *LANGUAGES, *TASKS]
    times = [f"{number * TIMESTAMP_SECONDS:.2f}" for number in range(TIMESTAMPS)]
    return Tokens(text, merges, tuple(f"<|{name}|>" for name in (*names, *times)))

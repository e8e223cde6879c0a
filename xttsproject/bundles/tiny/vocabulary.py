"""The tiny XTTS model's tokenizer: one token per character, in the file format of the released one."""

from __future__ import annotations

from typing import Any

from xttsproject.xtts.languages import LANGUAGES

_SPECIAL = ("[STOP]", "[UNK]", "[SPACE]")
# Lower case only, as the cleaning leaves it: Latin with its accents, Cyrillic, Arabic with its vowel signs, Devanagari.
_RANGES = ((0x21, 0x40), (0x5B, 0x7E), (0xA1, 0xBF), (0xDF, 0x17F), (0x218, 0x21B), (0x430, 0x45F))
_OTHER_SCRIPTS = ((0x60C, 0x60C), (0x61B, 0x652), (0x660, 0x669), (0x900, 0x965), (0x966, 0x96F))


def vocabulary() -> dict[str, Any]:
    """The content of ``vocab.json``: a byte-pair model without any merge, so every character is a token."""
    tags = [f"[{code}]" for code in LANGUAGES]
    special = [*_SPECIAL, *tags, "[START]"]
    characters = [
        chr(point)
        for first, last in (*_RANGES, *_OTHER_SCRIPTS)
        for point in range(first, last + 1)
        if chr(point) == chr(point).lower()
    ]
    tokens = [*special, *characters]
    added = [
        {
            "id": number,
            "special": True,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for number, token in enumerate(special)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "[UNK]",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [],
        },
    }

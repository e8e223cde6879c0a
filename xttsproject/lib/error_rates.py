"""How far a transcript is from what was said."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def plain(text: str) -> str:
    """What of a text is heard: lower case, letters, digits and apostrophes, single spaces."""
    composed = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(sign if sign.isalnum() or sign == "'" else " " for sign in composed).split())


def character_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Edits per character of (said, written) pairs, over all of them together; case and punctuation do not count.

    Where nothing was said, any writing is an error rate of 1.
    """
    import jiwer

    told = [(plain(said), plain(written)) for said, written in pairs]
    if not any(said for said, _written in told):
        return float(any(written for _said, written in told))
    return float(jiwer.cer([said for said, _written in told], [written for _said, written in told]))

"""Where a clause may be cut: its words, also of languages that write no spaces. Loads no ML library."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
# What is written in words with spaces, letters of every other script and figures, is a word there too.
_FOREIGN = rf"(?:[^\W{_HAN}{_KANA}]|[\u0300-\u036f])"
_RUN = re.compile(
    rf"(?P<foreign>{_FOREIGN}(?:{_FOREIGN}|[.,'’%-](?={_FOREIGN}|%)|%)*\s*)|(?P<own>[{_HAN}{_KANA}]+\s*)|.\s*"
)

_LEANING = frozenset({"助詞", "助動詞", "接尾辞"})
"""Parts of speech that belong to the word before: particles, auxiliaries, suffixes."""
_LEADING = "接頭辞"
"""Belongs to the word behind: prefixes."""
_LONGEST = 30
"""Characters of a word; what is longer is none, but the same sign over and over, and is cut where it must be."""
_OPENING = frozenset({"Ps", "Pi"})
_reading = threading.Lock()


def words_of(clause: str, code: str) -> list[str]:
    """The words of a clause in order, each with the white space behind it; together they are the clause.

    Japanese is parted as MeCab's dictionary has it, each word with its particles, Chinese into the phrases that
    pypinyin knows and else into characters: both are what the model's own transliteration reads with.
    """
    parting = _PARTING.get(code)
    if parting is None:
        return re.findall(r"\S+\s*", clause)
    words: list[str] = []
    opened = ""
    for run in _RUN.finditer(clause):
        if run["own"] or run["foreign"]:
            first, *more = _parted(run[0], parting) if run["own"] else [run[0]]
            words += [opened + first, *more]
            opened = ""
        elif unicodedata.category(run[0][0]) in _OPENING or not words:
            opened += run[0]
        else:
            # No piece begins with the comma of the one before.
            words[-1] += opened + run[0]
            opened = ""
    return [*words, opened] if opened else words


def _parted(run: str, parting: Callable[[str], Iterable[str]]) -> list[str]:
    bare = run.rstrip()
    words = [part for word in parting(bare) for part in ([word] if len(word) <= _LONGEST else word)]
    if "".join(words) != bare:
        # A library that leaves something out must not take it out of the speech.
        words = list(bare)
    words[-1] += run[len(bare) :]
    return words


def _japanese(run: str) -> list[str]:
    with _reading:
        # MeCab's answer lies in memory that its next question overwrites.
        found = [(word.surface, word.feature.pos1) for word in _tagger()(run)]
    words: list[str] = []
    leads = False
    for surface, kind in found:
        if words and (leads or kind in _LEANING):
            words[-1] += surface
        else:
            words.append(surface)
        leads = kind == _LEADING
    return words


def _chinese(run: str) -> Iterable[str]:
    from pypinyin.seg.mmseg import seg  # type: ignore[import-untyped]

    found: Iterable[str] = seg.cut(run)
    return found


@lru_cache(maxsize=1)
def _tagger() -> Any:
    from fugashi import Tagger  # type: ignore[import-untyped]

    return Tagger()


_PARTING: dict[str, Callable[[str], Iterable[str]]] = {"ja": _japanese, "zh-cn": _chinese}

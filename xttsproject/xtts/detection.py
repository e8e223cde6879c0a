"""In which of XTTS's languages a text is written. Loads py3langid and its model (4.6 MB) when it is first needed.

Six languages follow from their letters. The eleven that share the Latin ones are told apart by py3langid's naive
Bayes over byte n-grams (Lui & Baldwin, "langid.py: an off-the-shelf language identification tool", ACL 2012), which
knows more languages and is asked about these alone.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

_LATIN = ("cs", "de", "en", "es", "fr", "hu", "it", "nl", "pl", "pt", "tr")
SURE = 0.8
"""Share of probability below which a text in Latin letters counts as not told: greetings, names, single words."""

_ENOUGH = 2_000
"""Characters that are looked at: more make nothing surer."""

_SCRIPTS = (
    ("kana", re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")),
    ("han", re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")),
    ("ko", re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("latin", re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")),
)
# A character of these stands for a syllable or more, a letter for less: "東京 Tokyo" is no Latin text.
_WEIGHT = {"kana": 2, "han": 3, "ko": 2}


_LANGUAGES = {"kana": "ja", "han": "zh-cn"}


def detect(text: str) -> str | None:
    """The code of the language, or None where the text does not tell."""
    looked_at = text[:_ENOUGH]
    weights = Counter({name: len(letters.findall(looked_at)) * _WEIGHT.get(name, 1) for name, letters in _SCRIPTS})
    # Japanese writes Han characters too, Chinese no kana: where there are any, both are Japanese.
    if weights["kana"]:
        weights["kana"] += weights.pop("han", 0)
    name, weight = weights.most_common(1)[0]
    if not weight:
        return None
    if name != "latin":
        return _LANGUAGES.get(name, name)
    code, probability = _identifier().classify(looked_at)
    return str(code) if probability >= SURE else None


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_LATIN))
    return identifier

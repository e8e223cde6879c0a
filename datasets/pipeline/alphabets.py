"""The letters in which a language's own words are written, to see which a dataset never lets the model hear.

After the main exemplar characters of Unicode's CLDR, less the letters that only foreign words have (k and w in Spanish,
q in Czech): their absence says nothing about a dataset. Chinese and Japanese have no alphabet in this sense.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_LATIN = "abcdefghijklmnopqrstuvwxyz"


def _latin(without: str = "", plus: str = "") -> str:
    return "".join(letter for letter in _LATIN if letter not in without) + plus


_HANGUL = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"

ALPHABETS: dict[str, str] = {
    "en": _latin(),
    "es": _latin("kw", "áéíñóúü"),
    "fr": _latin("kw", "àâçèéêëîïôœùûü"),
    "de": _latin(plus="äöüß"),
    "it": _latin("jkwxy", "àèéìòù"),
    "pt": _latin("kwy", "áâãàçéêíóôõú"),
    "pl": _latin("qvx", "ąćęłńóśźż"),
    "tr": _latin("qwx", "çğıöşü"),
    "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "nl": _latin("qxy"),
    "cs": _latin("qwx", "áčďéěíňóřšťúůýž"),
    "ar": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",
    "zh-cn": "",
    "hu": _latin("qwx", "áéíóöőúüű"),
    "ko": _HANGUL,
    "ja": "",
    "hi": "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूृेैोौंँ्",
}

SPELLED_BY_SOUND = ("zh-cn", "ja", "ko")
"""Languages that the model reads in Latin letters or parts of syllables: its tokenizer need not know the characters
that people write."""


def letters(text: str, language: str) -> Iterator[str]:
    """The characters of ``text`` as an alphabet counts them: lower case, composed, Korean syllables taken apart."""
    if language == "tr":
        # Turkish has an i with a dot and one without, each with its own capital.
        text = text.replace("İ", "i").replace("I", "ı")
    if language == "ko":
        yield from (_hangul_letter(part) for part in unicodedata.normalize("NFD", text.lower()))
    else:
        yield from unicodedata.normalize("NFC", text.lower())


def _hangul_letter(part: str) -> str:
    """A part of a syllable as the letter that it shows: the initial and the final ㄱ are one letter."""
    name = unicodedata.name(part, "")
    if not name.startswith(("HANGUL CHOSEONG ", "HANGUL JUNGSEONG ", "HANGUL JONGSEONG ")):
        return part
    try:
        return unicodedata.lookup("HANGUL LETTER " + name.split(" ", 2)[2])
    except KeyError:
        return part

"""E-mail and web addresses, file names, hashtags and handles."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOP = (
    r"(?:com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|me|tv|co|eu|uk|us|br|pt|de|fr|es|it|ca|au|nl|ch|jp|in|xyz)"
)
_ENDING = r"(?:txt|pdf|jpe?g|png|gif|mp[34]|wav|js|ts|py|html?|css|docx?|xlsx?|pptx?|csv|zip|exe|json|xml|md|php)"
_EMAIL = re.compile(r"(?<![\w.@+-])[\w.+-]*\w@\w(?:[\w-]*\.)+[A-Za-z]{2,}(?!\w)")
_WEB = re.compile(
    rf"(?<![\w@.-])(?:https?://\S+|www\.\S+|(?:[a-z0-9][a-z0-9-]*\.)+{_TOP}(?![\w-]|\.\w)(?:/[^\s,;]*)?)", re.IGNORECASE
)
_FILE = re.compile(rf"(?<![\w.@/-])[\w-]+\.{_ENDING}(?![\w.]\w|\w)")
_TAG = re.compile(r"(?<![\w&#])#(?=\w*[^\W\d_])([\w]+)")
_HANDLE = re.compile(r"(?<![\w.])@(?=\w*[^\W\d_])(\w+)")
_HUMPS = re.compile(
    r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Ý])|(?<=[A-ZÀ-Ý])(?=[A-ZÀ-Ý][a-zà-ÿ])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|_"
)


@dataclass(frozen=True)
class Signs:
    """How a language calls the signs of addresses."""

    at: str
    dot: str
    slash: str
    dash: str
    underscore: str
    plus: str
    equals: str
    question: str
    percent: str
    hashtag: str


def say_addresses(text: str, signs: Signs) -> str:
    """Addresses as they are dictated; ``http://`` and a final slash are left out, "www" is spelt."""
    names = {
        "@": signs.at, ".": signs.dot, "/": signs.slash, "-": signs.dash, "_": signs.underscore, "+": signs.plus,
        "=": signs.equals, "?": signs.question, "%": signs.percent, "#": signs.hashtag, ":": signs.dot,
    }  # fmt: skip

    def say(match: re.Match[str]) -> str:
        whole = match[0]
        address = whole.rstrip(".,;:!?\"')]}")
        end = whole[len(address) :]
        address = re.sub(r"^[A-Za-z]+://", "", address).rstrip("/")
        parts = re.findall(r"[^\W\d_]+|\d+|[\W_]", address)
        if len(parts) <= 1:
            return address + end
        words = (
            names.get(part, "") if not part.isalnum() else _word(part, parts[place - 1] if place else "")
            for place, part in enumerate(parts)
        )
        return " ".join(word for word in words if word) + end

    for pattern in (_EMAIL, _WEB, _FILE):
        text = pattern.sub(say, text)
    text = _TAG.sub(lambda m: f"{signs.hashtag} " + " ".join(_HUMPS.sub(" ", m[1]).split()), text)
    return _HANDLE.sub(lambda m: f"{signs.at} " + " ".join(m[1].replace("_", " ").split()), text)


def _word(part: str, before: str) -> str:
    """A label of an address: spelt where it is a country's or has no vowel ("br", "html")."""
    is_country = before == "." and len(part) == 2
    if part.isascii() and part.isalpha() and (is_country or (len(part) <= 5 and not re.search("[aeiouy]", part, re.I))):
        return " ".join(part)
    return part

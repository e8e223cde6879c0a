"""One sign for each meaning: what Unicode writes in many ways is made plain before any rule looks at it."""

from __future__ import annotations

import re
import unicodedata

PLAIN = str.maketrans(
    {
        "‘": "'", "’": "'", "‛": "'", "′": "'", "ʼ": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"', "«": '"',
        "»": '"', "″": '"', "‹": '"', "›": '"', "‟": '"', "…": "...", "‐": "-", "‑": "-", "−": "-", "‒": "–",
        "―": "—", "⸺": "—", "\u00ad": "", "％": "%", "＄": "$", "＋": "+", "＝": "=", "✕": "×", "✖": "×", "⁄": "/",
        "∕": "/", "·": " ", "≃": "≈", "∼": "~", "⩽": "≤", "⩾": "≥", "µ": "μ", "Ω": "Ω", "№": "nº", "℃": "°C",
        "℉": "°F", "➕": "+", "➖": "-", "➗": "÷",
    }
)  # fmt: skip

# Decompositions (UnicodeData.txt, field 5) whose plain form says the same. Superscripts are not among them: "10²" is
# not "102".
_SAME = frozenset(
    {"<wide>", "<narrow>", "<square>", "<font>", "<circle>", "<compat>", "<initial>", "<medial>", "<final>",
     "<isolated>"}
)  # fmt: skip
_SUPERSCRIPTS = {**dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)), "⁺": "", "⁻": "-", "ⁿ": "n"}
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_RAISED_LETTERS = str.maketrans("ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", "abcdefghijklmoprstuvwxyz")
_FRACTION = re.compile(r"(?<=(\d))?([¼-¾⅐-⅞↉])")
_UNITS_THAT_ARE_RAISED = re.compile(r"(?<![^\W_])([kcdm]?m)([²³])")
# A joiner between two emoji, a choice of emoji style, a keycap, a tag: parts of pictures.
_PICTURE_PARTS = re.compile("[\ufe00-\ufe0f\u20e3\U000e0000-\U000e007f\U0001f3fb-\U0001f3ff]|(?<=[^\\w\\s])\u200d")
# Those of ASCII that are no white space.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
# Signs that Unicode counts among the pictures and that are said.
_SAID = frozenset("°©¦")


def clean(text: str, code: str) -> str:
    """Composed (NFC), without pictures and invisible signs, digits of every script as 0–9, white space single.

    Raised digits become ``^`` and the number, but for ``²`` and ``³`` of a length (``m²`` is a unit); a fraction of
    one sign becomes ``1/2``, after a number `` 1/2``.
    """
    if text.isascii():
        # Nothing below is about them but the invisible ones, and most texts are of them alone.
        return " ".join(_CONTROLS.sub("", text.translate(PLAIN)).split())
    text = unicodedata.normalize("NFC", text)
    text = "".join(map(_plain, text)).translate(PLAIN)
    text = _PICTURE_PARTS.sub("", text)
    text = _UNITS_THAT_ARE_RAISED.sub(lambda m: m[1] + {"²": "\x02", "³": "\x03"}[m[2]], text)
    if code in ("en", "pt"):
        text = _RAISED.sub(_raised, text)
        text = _FRACTION.sub(_fraction, text)
    text = text.translate(_RAISED_LETTERS) if code == "en" else text
    kept = (" " if sign.isspace() else _digit(sign, code) for sign in text if sign.isspace() or _kept(sign))
    text = "".join(kept).replace("\x02", "²").replace("\x03", "³")
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _plain(sign: str) -> str:
    # Hangul's single letters have a plain form that would no longer be read as letters.
    if sign < "\u0080" or sign in "…№" or "\u3130" <= sign <= "\u318f":
        return sign
    kind = unicodedata.decomposition(sign).split(" ")[0]
    if kind in _SAME and unicodedata.category(sign)[0] in "LNS" and unicodedata.category(sign) != "Sk":
        return unicodedata.normalize("NFKC", sign)
    return sign


def _raised(match: re.Match[str]) -> str:
    plain = "".join(_SUPERSCRIPTS[sign] for sign in match[0])
    before = match.string[: match.start()]
    # A power needs a base; elsewhere it is a note's mark, and "1" would be said as part of the sentence.
    is_power = bool(re.search(r"[\w)\]]$", before)) and not re.search(r"[^\W\d_]{2}$", before)
    return f"^{plain}" if plain and is_power else ""


def _fraction(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match[2]).partition("⁄")
    return f"{' ' if match[1] else ''}{top}/{bottom}"


def _digit(sign: str, code: str) -> str:
    """A digit of any script as 0–9; other languages than English and Portuguese keep their raised ones."""
    if sign < "\u0080":
        return sign
    value = unicodedata.decimal(sign, None)
    if value is None and code in ("en", "pt"):
        value = unicodedata.digit(sign, None)
    return sign if value is None else str(value)


def _kept(sign: str) -> bool:
    if sign in "\x02\x03" or sign in _SAID:
        return True
    kind = unicodedata.category(sign)
    # A zero-width joiner and non-joiner shape letters in Hindi and Arabic; other invisible characters say nothing.
    return (kind[0] != "C" or sign in "\u200c\u200d") and kind != "So"

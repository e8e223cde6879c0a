"""Words that the normaliser puts in place of signs, per language. Data only."""

from __future__ import annotations


def word_set(words: str) -> frozenset[str]:
    """The words of a text, for tables of many."""
    return frozenset(words.split())


# How many forms a counted noun has: one, or (1, more), or the Slavic (1, 2–4, 5 and more).
Forms = tuple[str, ...]

DECIMAL_COMMA = frozenset({"es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "hu"})
# Where thousands are set apart by a space; elsewhere among the above by a full stop.
SPACED_THOUSANDS = frozenset({"fr", "pl", "ru", "cs", "hu"})
NO_SPACES = frozenset({"zh-cn", "ja"})

POINT = {
    "en": "point", "es": "coma", "fr": "virgule", "de": "Komma", "it": "virgola", "pt": "vírgula", "pl": "przecinek",
    "tr": "virgül", "ru": "запятая", "nl": "komma", "cs": "čárka", "ar": "فاصلة", "zh-cn": "点", "hu": "egész",
    "ko": "점", "ja": "点", "hi": "दशमलव",
}  # fmt: skip

MINUS = {
    "en": "minus", "es": "menos", "fr": "moins", "de": "minus", "it": "meno", "pt": "menos", "pl": "minus",
    "tr": "eksi", "ru": "минус", "nl": "min", "cs": "minus", "ar": "سالب", "zh-cn": "负", "hu": "mínusz",
    "ko": "마이너스", "ja": "マイナス", "hi": "ऋण",
}  # fmt: skip

AND = {
    "en": "and", "es": "y", "fr": "et", "de": "und", "it": "e", "pt": "e", "pl": "i", "tr": "ve", "ru": "и", "nl": "en",
    "cs": "a", "ar": "و", "zh-cn": "和", "hu": "és", "ko": "그리고", "ja": "と", "hi": "और",
}  # fmt: skip

PERCENT: dict[str, Forms] = {
    "en": ("percent",), "es": ("por ciento",), "fr": ("pour cent",), "de": ("Prozent",), "it": ("per cento",),
    "pt": ("por cento",), "pl": ("procent",), "ru": ("процент", "процента", "процентов"), "nl": ("procent",),
    "cs": ("procento", "procenta", "procent"), "ar": ("بالمئة",), "hu": ("százalék",), "ko": ("퍼센트",),
    "ja": ("パーセント",), "hi": ("प्रतिशत",),
}  # fmt: skip
PERCENT_BEFORE = {"tr": "yüzde ", "zh-cn": "百分之"}

# From one number to another ("10–20"); other languages take a comma.
RANGE = {"en": "to", "es": "a", "fr": "à", "de": "bis", "it": "a", "pt": "a", "nl": "tot", "pl": "do", "ru": "до"}

CURRENCY: dict[str, dict[str, Forms]] = {
    "en": {
        "$": ("dollar", "dollars"),
        "€": ("euro", "euros"),
        "£": ("pound", "pounds"),
        "R$": ("real", "reais"),
        "¥": ("yen",),
        "₹": ("rupee", "rupees"),
    },
    "pt": {
        "$": ("dólar", "dólares"),
        "€": ("euro", "euros"),
        "£": ("libra", "libras"),
        "R$": ("real", "reais"),
        "¥": ("iene", "ienes"),
        "₹": ("rupia", "rupias"),
    },
    "es": {"$": ("dólar", "dólares"), "€": ("euro", "euros"), "£": ("libra", "libras"), "R$": ("real", "reales")},
    "fr": {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("livre", "livres"), "R$": ("real", "reals")},
    "de": {"$": ("Dollar",), "€": ("Euro",), "£": ("Pfund",), "R$": ("Real",)},
    "it": {"$": ("dollaro", "dollari"), "€": ("euro",), "£": ("sterlina", "sterline"), "R$": ("real",)},
    "pl": {"$": ("dolar", "dolary", "dolarów"), "€": ("euro",), "£": ("funt", "funty", "funtów"), "R$": ("real",)},
    "tr": {"$": ("dolar",), "€": ("avro",), "£": ("sterlin",), "R$": ("real",)},
    "ru": {
        "$": ("доллар", "доллара", "долларов"),
        "€": ("евро",),
        "£": ("фунт", "фунта", "фунтов"),
        "R$": ("реал", "реала", "реалов"),
    },
    "nl": {"$": ("dollar",), "€": ("euro",), "£": ("pond",), "R$": ("real",)},
    "cs": {"$": ("dolar", "dolary", "dolarů"), "€": ("euro", "eura", "eur"), "£": ("libra", "libry", "liber")},
    "ar": {"$": ("دولار",), "€": ("يورو",), "£": ("جنيه",), "R$": ("ريال برازيلي",)},
    "zh-cn": {"$": ("美元",), "€": ("欧元",), "£": ("英镑",), "R$": ("雷亚尔",)},
    "hu": {"$": ("dollár",), "€": ("euró",), "£": ("font",), "R$": ("real",)},
    "ko": {"$": ("달러",), "€": ("유로",), "£": ("파운드",), "R$": ("헤알",)},
    "ja": {"$": ("ドル",), "€": ("ユーロ",), "£": ("ポンド",), "R$": ("レアル",)},
    "hi": {"$": ("डॉलर",), "€": ("यूरो",), "£": ("पाउंड",), "R$": ("रियाल",)},
}
MINOR: dict[str, dict[str, Forms]] = {
    "en": {"$": ("cent", "cents"), "€": ("cent", "cents"), "£": ("penny", "pence"), "R$": ("centavo", "centavos")},
    "pt": {
        "$": ("centavo", "centavos"),
        "€": ("centavo", "centavos"),
        "£": ("pêni", "pence"),
        "R$": ("centavo", "centavos"),
    },
}
# After a million "of" is said: "um milhão de reais".
MAGNITUDES = {
    "en": ("thousand", "million", "billion", "trillion"),
    "pt": ("mil", "milhão", "milhões", "bilhão", "bilhões", "trilhão", "trilhões"),
}

# What remains of signs after the rules of a language; they are said wherever they stand.
SYMBOLS: dict[str, dict[str, str]] = {
    "en": {"+": "plus", "=": "equals", "@": "at", "#": "number", "°": "degrees", "×": "times", "§": "section",
           "%": "percent", "‰": "per mille", "±": "plus or minus", "√": "the square root of", "π": "pi",
           "∞": "infinity", "≈": "approximately", "≠": "is not equal to", "$": "dollars", "€": "euros", "£": "pounds",
           "¢": "cents", "©": "copyright", "→": ",", "÷": "divided by",
           "²": "squared", "³": "cubed"},
    "pt": {"+": "mais", "=": "igual a", "@": "arroba", "#": "número", "°": "graus", "×": "vezes", "§": "parágrafo",
           "%": "por cento", "‰": "por mil", "±": "mais ou menos", "√": "raiz quadrada de", "π": "pi",
           "∞": "infinito", "≈": "aproximadamente", "≠": "diferente de", "R$": "reais", "$": "dólares", "€": "euros",
           "£": "libras", "¢": "centavos", "©": "copyright", "→": ",", "÷": "dividido por",
           "²": "ao quadrado", "³": "ao cubo"},
}  # fmt: skip

# Ordinals as they are written: the number is the first group. Where a point marks them, only before a small letter or
# a month, because before anything else it may as well end the sentence.
_GERMAN_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
ORDINALS = {
    "de": rf"(\d{{1,2}})\.(?=\s+(?:[a-zäöü]|{_GERMAN_MONTHS}))",
    "es": r"(\d+)\.?[ºª]",
    "fr": r"(\d+)(?:ers?|ères?|res?|èmes?|emes?|es?|nde?s?)\b",
    "hu": r"(\d{1,2})\.(?=\s+[a-zá-ű])",
    "it": r"(\d+)\.?[ºª°]",
    "nl": r"(\d+)(?:ste|de|e)\b",
    "ru": r"(\d+)-(?:[а-я]?й|[ая]я|[ое]е|я|е|го|му|м|х)\b",
}

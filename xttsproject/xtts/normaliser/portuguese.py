"""The rules of Brazilian Portuguese, in order: each sees what those before it have left.

Numbers agree with the noun after them where its gender is certain ("duas mil pessoas"); the six of a telephone number
is "seis", though many dictate "meia". Verbs with a hyphen ("dá-lo", "far-se-á") stay as they are.
"""

from __future__ import annotations

import re

from xttsproject.xtts.normaliser import portuguese_tables as tables
from xttsproject.xtts.normaliser.addresses import say_addresses
from xttsproject.xtts.normaliser.letters import capitals, initials
from xttsproject.xtts.normaliser.numerals import cardinal, ordinal
from xttsproject.xtts.normaliser.portuguese_time import say_dates, say_times
from xttsproject.xtts.normaliser.romans import PATTERN as ROMAN
from xttsproject.xtts.normaliser.romans import roman
from xttsproject.xtts.normaliser.shared import any_of, number, number_pattern, ranges, separators
from xttsproject.xtts.normaliser.telephone import say_after, say_groups
from xttsproject.xtts.normaliser.units import say_units

Match = re.Match[str]

_TELEPHONES = (
    r"(?<![\w.,/-])(?:\+55 ?)?\(?0?\d{2}\)? ?9?\d{4}[ .-]\d{4}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])(?:\+55 ?)?\(0?\d{2}\) ?9 ?\d{4}[ .-]?\d{4}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])9?\d{4}-\d{4}(?![\w-]|[.,]\d)(?<!\b[12]\d{3}-[12]\d{3})",
    r"(?<![\w.,/-])0[38]00[ .-]?\d{3}[ .-]?\d{4}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/])\+\d{1,3}(?:[ .-]?\(?\d{2,5}\)?){2,5}(?![\w-]|[.,]\d)",
    # CPF, CNPJ, CEP, cards, chains of figures.
    r"(?<![\w.,/-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])",
    r"(?<![\w.,/-])\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}(?![\w-])",
    r"(?<![\w.,/-])\d{5}-\d{3}(?![\w-])",
    r"(?<![\w.,/-])\d{4}(?:[ -]\d{4}){3}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])\d(?:-\d){2,}(?![\w-])",
)
_CODES = {"USD": "US$", "EUR": "€", "GBP": "£", "BRL": "R$", "JPY": "¥"}
_LARGE = {"k": ("mil", "mil"), "K": ("mil", "mil"), "mi": ("milhão", "milhões"), "bi": ("bilhão", "bilhões"),
          "tri": ("trilhão", "trilhões"), "M": ("milhão", "milhões")}  # fmt: skip
_SIGNS = r"(?:US\$|R\$|[$€£¥₹])"
_WORD = r"[^\W\d_]+"
_SHORT = re.compile(rf"(?<![\w.])(?:{any_of(word for word in tables.WORDS if '/' not in word)})(?!\w)")


def rules(text: str) -> str:
    """Portuguese text with everything in words that only Portuguese writes so; plain numbers and signs stay."""
    text = say_addresses(text, tables.SIGNS)
    text = re.sub(r"(?<![\w/])24/7(?![\w/])", "vinte e quatro por sete", text)
    text = re.sub(r"(?<!\w)([cCsSpP])/\s?(?=\w)", lambda m: tables.WORDS[m[1].lower() + "/"] + " ", text)
    text = re.sub(r"(?<![\w/])([^\W\d_]+)/(?=[^\W\d_]{2,}(?![\w/]))", _pair, text)
    text = say_groups(text, "pt", _TELEPHONES, "mais")
    text = say_after(text, "pt", "ligue|disque|ligar|ligou|liguei", r"1\d\d")
    text = re.sub(r"(?<![\w\d] )(?<!\w)(km|Km)(?=\s\d)", "quilômetro", text)
    # "Lei nº 8.112/90": the year of a law or a case.
    text = re.sub(r"(?i)(\bn(?:\.?[ºo°]|úmero)\.?\s?[\d.]*\d)/(?=\d{2,4}\b)|(?<=\d{3})/(?=(?:19|20)\d\d\b)", _of, text)
    text = _abbreviations(text)
    text = say_dates(text)
    text = say_times(text)
    text = re.sub(r"\b([2-6])[ªa][ -]feira", lambda m: f"{tables.WEEKDAYS[m[1]]}-feira", text)
    text = re.sub(r"\b[nN](?:\.?[ºo°ª]s?|ro|úm)\.?(?=\s*\d)", "número ", text)
    text = re.sub(r"§\s?(?=\d)", "parágrafo ", text)
    text = _romans(text)
    text = initials(text, tables.STARTERS)
    text = _ordinals(text)
    text = _money(text)
    text = _arithmetic(text)
    text = _fractions(text)
    text = separators(text, "pt")
    text = ranges(text, "pt")
    text = say_units(text, "pt", tables.UNITS, "por", one_below_two=True)
    text = _agreement(text)
    text = re.sub(r"(?<=[^\W\d_])-(?=\d)", " ", text)
    return capitals(text, tables.SPELT)


def _of(match: Match) -> str:
    return f"{match[1] or ''} de "


def _pair(match: Match) -> str:
    """Words parted by a slash ("e/ou"), but not the signs of units ("km/h")."""
    return match[0] if match[1] in tables.UNITS else f"{match[1]} "


def _abbreviations(text: str) -> str:
    def spell(match: Match) -> str:
        short, rest = match[0], match.string[match.end() :]
        if short in tables.BEFORE_NAMES and not re.match(r"\s+[A-ZÀ-Ý\d]", rest):
            return short
        edition = short == "ed." and re.search(r"\d\.?[ªa]\s$", match.string[: match.start()])
        if short in tables.BEFORE_NUMBERS and not edition and not re.match(r"\s*\d|\s+[IVXLC]+\b", rest):
            return short
        if short == "D." and re.match(r"\s+[A-ZÀ-Ý]\w*o\b", rest):
            return "Dom"
        if short == "Cia." and re.match(r"\s+(?:Ltda|S\.? ?A)", rest):
            return tables.WORDS[short]
        ends = short in tables.MAY_END and (not rest.strip(" \"')") or re.match(r"[\"')]*\s+[A-ZÀ-Ý]", rest))
        return tables.WORDS[short] + ("." if ends else "")

    text = re.sub(r"\b(p|P|pp)\.(?=\s?\d)", lambda m: {"p": "página", "P": "Página", "pp": "páginas"}[m[1]], text)
    return _SHORT.sub(spell, text)


def _romans(text: str) -> str:
    """ "século XXI" as "século vinte e um", "Pedro II" as "Pedro Segundo", "II Guerra" as "Segunda Guerra"."""
    names = {name: gender == "feminine" for gender, group in tables.SOVEREIGNS.items() for name in group}

    def after(match: Match, feminine: bool, capital: bool) -> str:
        value = roman(match[2])
        if value is None:
            return match[0]
        words = ordinal(value, "pt", feminine=feminine) if value <= 10 else cardinal(value, "pt")
        return f"{match[1]} {words.capitalize() if capital and value <= 10 else words}"

    numeral = rf"({ROMAN})\b(?!['-])"
    text = re.sub(rf"\b({'|'.join(names)})\s{numeral}", lambda m: after(m, names[m[1]], True), text)
    text = re.sub(rf"\b({'|'.join(tables.NUMBERED)})\s{numeral}", lambda m: after(m, False, False), text)
    # "séculos XIX e XX", "séculos XV a XVII": the second numeral belongs to the same noun.
    text = re.sub(rf"(\bséculos?\s[\w\s]{{4,30}}?\s(?:e|a|ao|ou))\s{numeral}", lambda m: after(m, False, False), text)

    def counted(match: Match) -> str:
        value = roman(match[2])
        return match[0] if value is None else f"{match[1]} {cardinal(value, 'pt')}"

    text = re.sub(rf"\b({'|'.join(tables.COUNTED)})\s{numeral}", counted, text)

    def event(match: Match) -> str:
        value = roman(match[1])
        if value is None:
            return match[0]
        words = ordinal(value, "pt", feminine=tables.EVENTS[match[2]])
        return f"{words.capitalize()} {match[2]}"

    return re.sub(rf"\b({ROMAN})\s({'|'.join(tables.EVENTS)})\b", event, text)


def _ordinals(text: str) -> str:
    """ "3ª", "2.º", "1os" and, as typed without the sign, "1o" and "2a"."""

    def say(match: Match) -> str:
        words = ordinal(int(match[1]), "pt", feminine=match[2] in "ªa")
        return " ".join(f"{word}s" for word in words.split()) if match[3] else words

    return re.sub(r"(?<![\w.,])(\d+)\.?([ºª]|°(?=\s[a-zà-ÿ])|[oa](?!\w)|[oa](?=s(?!\w)))(s?)(?!\w)", say, text)


def _money(text: str) -> str:
    """Codes, short magnitudes, ranges and prices by the piece, as the shared rule for money reads them."""
    codes = "|".join(_CODES)
    text = re.sub(rf"\b({codes})\s?(?=\d)", lambda m: _CODES[m[1]], text)
    text = re.sub(rf"(?<=\d)\s?({codes})\b", lambda m: _CODES[m[1]], text)

    def large(match: Match) -> str:
        one, more = _LARGE[match[3]]
        return f"{match[1]} {one if re.fullmatch(r'1(?:,[0-9]+)?', match[2]) else more}"

    text = re.sub(rf"(-?{_SIGNS}\s?([\d.,]*\d))\s?(mi|bi|tri|[kKM])\b", large, text)
    text = re.sub(rf"({_SIGNS})\s?([\d.,]*\d)\s?[–-]\s?(?=\d)", r"\2 a \1", text)
    text = re.sub(rf"(?<=\d)\s?[–-]\s?(?={_SIGNS})", " a ", text)
    text = re.sub(rf"({_SIGNS}\s?[\d.,]*\d(?:\s[a-z]+ilh[õã]\w+)?)\s?/\s?(?=[a-z])", r"\1 por ", text)
    text = re.sub(r"(\bpor )(kg|km|h|l|m²|g|t)\b", lambda m: m[1] + tables.UNITS[m[2]].one, text)
    return re.sub(
        r"(?<![\w.,])(\d+)\s?¢", lambda m: f"{cardinal(int(m[1]), 'pt')} centavo{'' if m[1] == '1' else 's'}", text
    )


def _arithmetic(text: str) -> str:
    """Operators and comparisons beside numbers, and powers."""
    if "=" in text:
        text = re.sub(r"(?<=[\d)])\s[–-]\s(?=[\d(])", " menos ", text)
    text = re.sub(r"(?<=\d)(?:x|×)(?=\d)|(?<=\d)\sx\s(?=\d)", " por ", text)
    text = re.sub(r"(?<=\d)\s[×*]\s(?=\d)", " vezes ", text)
    text = re.sub(r"(?<=\d)[x×](?!\w)", " vezes", text)
    text = re.sub(r"(?<=\d)\s/\s(?=\d)|÷", " dividido por ", text)
    text = re.sub(r"<=(?=\s?[\w-])|≤", " no máximo ", re.sub(r">=(?=\s?[\w-])|≥", " no mínimo ", text))
    text = re.sub(r"(?<=\d)\s?<\s?(?=\w)|(?<=\w)\s?<\s?(?=-?\d)|(?<!\w)<\s?(?=\d)", " menor que ", text)
    text = re.sub(r"(?<=\d)\s?>\s?(?=\w)|(?<=\w)\s?>\s?(?=-?\d)|(?<!\w)>\s?(?=\d)", " maior que ", text)
    text = re.sub(r"(?<!\w)~\s?(?=[\d$€£R])", "cerca de ", text)
    text = re.sub(r"\^2(?!\d)", " ao quadrado", re.sub(r"\^3(?!\d)", " ao cubo", text))
    text = re.sub(r"\^(?=-?\w)", " elevado a ", text)
    return re.sub(r"#\s?(?=\d)", "número ", text)


def _fractions(text: str) -> str:
    """ "1/2" as "meio", before a feminine noun "meia"; "2/3" as "dois terços", "5/12" as "cinco doze avos"."""

    def say(match: Match) -> str:
        whole, top, bottom = match["whole"], int(match["top"]), int(match["bottom"])
        if not top or bottom < 2 or len(match["bottom"]) > 4 or len(match["top"]) > 3:
            return match[0]
        if top >= bottom:
            return (
                match[0]
                if whole
                else f"{cardinal(top, 'pt')} {'de' if top == bottom else 'sobre'} {cardinal(bottom, 'pt')}"
            )
        feminine = _is_feminine(match["noun"] or "")
        if (top, bottom) == (1, 2):
            part = "meia" if feminine else "meio"
        else:
            one, more = tables.FRACTIONS.get(bottom, ("", ""))
            name = (one if top == 1 else more) or f"{cardinal(bottom, 'pt')} avo{'' if top == 1 else 's'}"
            part = f"{cardinal(top, 'pt')} {name}"
        return f"{cardinal(int(whole), 'pt', feminine=feminine)} e {part}" if whole else part

    found = (
        r"(?<![\w.,/$£€])(?:(?P<whole>\d{1,3}) (?:e )?)?(?P<top>\d+)/(?P<bottom>\d+)(?![\w/]|[.,]\d)"
        rf"(?=(?:\s(?:de\s)?(?P<noun>{_WORD}))?)"
    )
    return re.sub(found, say, text)


def _is_feminine(noun: str) -> bool:
    """Whether a noun's gender is certainly feminine, from its ending or because it is known."""
    noun = noun.lower()
    if noun in tables.MASCULINE or noun.endswith(("ista", "istas")):
        return False
    endings = ("a", "as", "ção", "ções", "são", "sões", "dade", "dades", "gem", "gens", "tude", "tudes")
    return noun in tables.FEMININE or (noun.endswith(endings) and len(noun) > 3)


def _agreement(text: str) -> str:
    """Numbers before a feminine noun, both of "1 ou 2 vezes"; others are left to the shared rules."""
    amount = number_pattern("pt")

    def say(match: Match) -> str:
        if not _is_feminine(match["noun"]) or match["fraction"]:
            return match[0]
        spoken = number(match["whole"], None, "pt", feminine=True)
        if match["first"]:
            return f"{number(match['first'], None, 'pt', feminine=True)} {match['joint']} {spoken}"
        return spoken

    return re.sub(
        rf"(?<![\w.,/$-])(?:(?P<first>\d{{1,3}})\s(?P<joint>a|ou|até)\s)?{amount}(?=\s(?:mil\s)?(?P<noun>{_WORD}))",
        say,
        text,
    )

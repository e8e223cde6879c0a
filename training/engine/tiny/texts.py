"""The sentences of the tiny models: drawn from templates over :mod:`words`, so that they are the project's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from training.engine.tiny import words as w

LONGEST_CHARACTERS = 170
"""About 11 seconds at the speed of the corpus: the longest clip that a dataset has."""

_ALL = tuple(
    sorted(
        {
            *w.ADJECTIVES, *w.NOUNS, *w.VERBS, *w.PAST_VERBS, *w.PRESENT_VERBS, *w.INTRANSITIVE, *w.ADVERBS,
            *w.PREPOSITIONS, *w.PRONOUNS, *w.NUMBERS, *w.DAYS, *w.NAMES, *w.LINKS, *w.OTHER,
        }
    )
)  # fmt: skip


def vocabulary() -> tuple[str, ...]:
    """Every word that the sentences are made of."""
    return _ALL


def sentences(seed: str, *, short: bool = False) -> Iterator[str]:
    """An endless row of sentences as they are written: capital letter, commas, a full stop or a question mark.

    ``short`` keeps to one clause of three to ten words, as the gates measure; otherwise a quarter are longer and some
    are lists of words that make no sense, so that the models rely on letters and not on what usually follows.
    """
    random = Random(f"tiny {seed}")  # noqa: S311 - variation that must repeat, not a secret
    while True:
        text = _clause(random) if short else _any(random)
        if short and not 3 <= len(text.split()) <= 10:
            continue
        if len(text) <= LONGEST_CHARACTERS:
            yield text


def one_word_apart(seed: str, count: int) -> list[str]:
    """``count`` different sentences of which any two differ in one word only, a noun."""
    random = Random(f"tiny apart {seed}")  # noqa: S311
    before, after = f"{_subject(random)} {random.choice(w.PAST_VERBS)} the", f"{_place(random)}"
    return [_written(f"{before} {noun} {after}", ".") for noun in random.sample(w.NOUNS, count)]


def _any(random: Random) -> str:
    kind = random.random()
    if kind < 0.05:
        return _written(random.choice(_ALL), random.choice(".?."))
    if kind < 0.20:
        words = [random.choice(_ALL) for _ in range(random.randint(2, 7))]
        return _written(" ".join(words), ".")
    if kind < 0.24:
        return _written(random.choice(w.PHRASES), ".")
    if kind < 0.72:
        return _clause(random)
    if kind < 0.86:
        joined = f"{_statement(random)}, {random.choice(w.LINKS)} {_statement(random)}"
        return _written(joined, ".")
    if kind < 0.93:
        return f"{_clause(random)} {_clause(random)}"
    listed = ", ".join(_noun_phrase(random) for _ in range(random.randint(2, 4)))
    return _written(f"{random.choice(w.OPENERS)}, {_statement(random)}, {listed} and {_noun_phrase(random)}", ".")


def _clause(random: Random) -> str:
    kind = random.random()
    if kind < 0.2:
        return _written(_question(random), "?")
    if kind < 0.3:
        return _written(f"{random.choice(w.OPENERS)}, {_statement(random)}", ".")
    return _written(_statement(random), ".")


def _question(random: Random) -> str:
    opener = random.choice(w.QUESTIONS)
    if opener in ("who", "what"):
        return f"{opener} {random.choice(w.PAST_VERBS)} {_noun_phrase(random)}"
    if opener.endswith("did") and " " in opener:
        return f"{opener} {_subject(random)} {random.choice(w.VERBS)} {_noun_phrase(random)}"
    return f"{opener} {random.choice(w.VERBS)} {_noun_phrase(random)}"


def _statement(random: Random) -> str:
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"{_subject(random)} {random.choice(w.PAST_VERBS)} {_noun_phrase(random)}",
        lambda: f"{_subject(random)} {random.choice(w.PAST_VERBS)} {_noun_phrase(random)} {_place(random)}",
        lambda: f"{_noun_phrase(random)} {random.choice(w.PRESENT_VERBS)} {_noun_phrase(random)}",
        lambda: f"{_subject(random)} {random.choice(w.INTRANSITIVE)} {_place(random)}",
        lambda: f"{_subject(random)} {random.choice(w.INTRANSITIVE)} {random.choice(w.ADVERBS)}",
        lambda: f"{_noun_phrase(random)} was {random.choice(w.ADJECTIVES)} and {random.choice(w.ADJECTIVES)}",
        lambda: f"{_noun_phrase(random)} is {_place(random)}",
        lambda: f"there {random.choice(('is', 'was'))} {_noun_phrase(random)} {_place(random)}",
        lambda: (
            f"{random.choice(('you should', 'we can', 'i will', 'they must', 'she could', 'he may', 'let us'))} "
            f"{random.choice(w.VERBS)} {_noun_phrase(random)}"
        ),
        lambda: (
            f"{_subject(random)} {random.choice(w.PAST_VERBS)} {random.choice(w.NUMBERS[2:])} "
            f"{random.choice(w.ADJECTIVES)} {_plural(random.choice(w.NOUNS))}"
        ),
        lambda: (
            f"on {random.choice(w.DAYS[:7])} {_subject(random)} {random.choice(w.PAST_VERBS)} {_noun_phrase(random)}"
        ),
        lambda: f"{_subject(random)} {random.choice(w.ADVERBS)} {random.choice(w.PAST_VERBS)} {_noun_phrase(random)}",
    )
    return random.choice(forms)()


def _subject(random: Random) -> str:
    kind = random.random()
    if kind < 0.35:
        return random.choice(w.PRONOUNS)
    return random.choice(w.NAMES) if kind < 0.5 else _noun_phrase(random)


def _noun_phrase(random: Random) -> str:
    adjective = f"{random.choice(w.ADJECTIVES)} " if random.random() < 0.45 else ""
    return f"{random.choice(w.DETERMINERS)} {adjective}{random.choice(w.NOUNS)}"


def _place(random: Random) -> str:
    return f"{random.choice(w.PREPOSITIONS)} {_noun_phrase(random)}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def _written(text: str, end: str) -> str:
    spoken = " ".join("I" if word == "i" else word for word in text.split())
    for wrong, right in ((" a a", " an a"), (" a e", " an e"), (" a i", " an i"), (" a o", " an o")):
        spoken = f" {spoken}".replace(wrong, right).strip()
    return f"{spoken[0].upper()}{spoken[1:]}{end}"

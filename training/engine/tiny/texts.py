"""The sentences of the tiny models: drawn from templates over :mod:`words`, so that they are the project's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random

from training.engine.tiny import more_words as more
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


_FURTHER = tuple(
    sorted(
        {
            *more.TECHNICAL, *more.NOUNS, *more.PLURALS, *more.VERBS, *more.PAST_VERBS, *more.INTRANSITIVE,
            *more.PRESENT_VERBS, *more.GOING, *more.ADJECTIVES, *more.COMPARATIVES, *more.ADVERBS, *more.CONTRACTIONS,
            *more.OTHER, *more.PLACES,
        }
    )
)  # fmt: skip


def vocabulary() -> tuple[str, ...]:
    """Every word that the sentences are made of."""
    return _ALL


def further_vocabulary() -> tuple[str, ...]:
    """Every word that :func:`heard` has beside those: none of them is in :func:`vocabulary`."""
    return _FURTHER


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


def heard(seed: str) -> Iterator[str]:
    """An endless row of what the tiny Whisper is to write: half sentences, half words that make no sense in a row.

    All further words are said about equally often, so that the spelling of each can be learnt.
    """
    random = Random(f"tiny heard {seed}")  # noqa: S311
    slots = _Slots(random)
    while True:
        kind = random.random()
        if kind < 0.05:
            text = _written(slots.least_said(_FURTHER), random.choice(".?.!"))
        elif kind < 0.52:
            text = _row(random, slots)
        else:
            text = _filled(random, slots)
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


_TEMPLATES = (
    "{someone} {past} {thing}.", "{someone} {past} {thing} {where}.", "{someone} {past} the {plural} in {place}.",
    "{thing} {present} {how}.", "{thing} {present} {where}.", "{someone} {went} {how}, and {someone} {went} {where}.",
    "{adverb}, {someone} {past} {thing}.", "{someone} was {going} {thing}.", "{someone} is {how} {going} the {plural}.",
    "{they_are} {going} the {adjective} {plural}.", "{they_are} {adjective}, but {they_are} {adjective} too!",
    "{people} {do_not} {verb} {thing}.", "{people} {do_not} {verb} the {plural} {where}.",
    "the {plural} were {comparative} than {thing}.", "{thing} is {adjective} but {comparative} than {thing}.",
    "{number} {adjective} {plural} {went} {where}.", "{going} {plural} is {adjective}.", "{verb} {thing} {how}!",
    "{verb} the {noun}, {verb} the {plural} and {verb} {thing}.", "{ask} {verb} {thing} {how}?",
    "{ask} {verb} the {comparative} {plural}?", "the {noun} of {place} {present} the {plural}.",
    "{opener}, {someone} {past} {noun}, {noun} and {noun}.", "when {someone} {went}, {someone} {past} {thing}.",
    "{plural}, {plural} and {plural} {went} {where}.",
)  # fmt: skip
_KINDS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "noun": (w.NOUNS, (*more.NOUNS, *more.TECHNICAL)), "plural": ((), more.PLURALS), "verb": (w.VERBS, more.VERBS),
    "past": (w.PAST_VERBS, more.PAST_VERBS), "present": (w.PRESENT_VERBS, more.PRESENT_VERBS),
    "went": (w.INTRANSITIVE, more.INTRANSITIVE), "going": ((), more.GOING), "adverb": (w.ADVERBS, more.ADVERBS),
    "adjective": (w.ADJECTIVES, more.ADJECTIVES), "comparative": ((), more.COMPARATIVES), "place": ((), more.PLACES),
    "number": (w.NUMBERS[2:], ()), "opener": (w.OPENERS, ()), "determiner": (w.DETERMINERS, ()),
    "preposition": (w.PREPOSITIONS, ("beneath", "despite", "underneath", "within")),
    "name": ((*w.PRONOUNS, *w.NAMES), ()), "people": (("i", "you", "we", "they", "people"), ()),
    "do_not": (("cannot", "will not"), ("don't", "can't", "won't", "couldn't", "wouldn't", "shouldn't", "didn't")),
    "they_are": (("they are", "we were"), ("they're", "we're", "you're", "he's", "she's", "it's", "I'm", "weren't we")),
    "ask": (w.QUESTIONS[2:], ("didn't they", "can't you", "won't she", "doesn't it", "why don't we", "couldn't you")),
}  # fmt: skip
"""Slots of the templates: usual words, and what the further ones have for the same place."""
_PHRASES = {
    "thing": ("{determiner} {noun}", "{determiner} {noun}", "{determiner} {adjective} {noun}"),
    "where": ("{preposition} {thing}", "{preposition} the {plural}"),
    "someone": ("{name}", "{name}", "{thing}"),
    "how": ("{adverb}",),
}


class _Slots:
    """Fills the templates. Of a few further words drawn at random it takes the one that was said least."""

    def __init__(self, random: Random):
        self._random = random
        self._said: Counter[str] = Counter()

    def least_said(self, words: Sequence[str]) -> str:
        word = min(self._random.sample(words, min(12, len(words))), key=self._said.__getitem__)
        self._said[word] += 1
        return word

    def __getitem__(self, slot: str) -> str:
        if slot in _PHRASES:
            return self._random.choice(_PHRASES[slot]).format_map(self)
        usual, further = _KINDS[slot]
        if further and (not usual or self._random.random() < 0.65):
            return self.least_said(further)
        return self._random.choice(usual)


def _filled(random: Random, slots: _Slots) -> str:
    template = random.choice(_TEMPLATES)
    return _written(template[:-1].format_map(slots), template[-1])


def _row(random: Random, slots: _Slots) -> str:
    words = [
        slots.least_said(_FURTHER) if random.random() < 0.75 else random.choice(_ALL)
        for _ in range(random.randint(3, 10))
    ]
    spaced = [f"{word}," if random.random() < 0.08 else word for word in words[:-1]]
    return _written(" ".join([*spaced, words[-1]]), random.choice("......??!"))

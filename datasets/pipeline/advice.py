"""What to do about a dataset, in words: every rule with its limit. docs/DATASETS.md lists them with their reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from datasets.pipeline.health import LONG_SECONDS, MAX_SECONDS, MIN_SECONDS, NOISY_DB, SHORT_SECONDS, Health
from datasets.pipeline.split import CLEAR_PAUSE
from datasets.pipeline.wording import duration_words

Level = Literal["warning", "advice", "good"]

LEAST_SECONDS = 120.0
GOOD_SECONDS = 600.0
LEAST_SHARE = 0.05
ENOUGH_CLIPS = 20
"""Below so many clips nothing is said about the lack of a kind: there is a lack of everything."""
LOUDNESS_RANGE_DB = 10.0
NOISY_SHARE = 0.1
CLIPPED_SHARE = 0.02
REPEATED_SHARE = 0.05
UNENDED_SHARE = 0.5
LEAST_RICHNESS = 5.0
"""Different words over the square root of all words (Guiraud's index, 1954); running text has 10 to 25."""
ENOUGH_WORDS = 200
LEAST_VALIDATION_CLIPS = 3
MOST_VALIDATION_SHARE = 0.3


@dataclass(frozen=True)
class Advice:
    """``message`` says what is the case and why it matters, ``todo`` in a few words what to do (none if all is well).

    ``code`` is a rule's name; ``finding`` names the list of clips that it is about, if any.
    """

    code: str
    level: Level
    message: str
    todo: str = ""
    finding: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def advise(health: Health) -> list[Advice]:
    """What the rules say, the most pressing first; at least about the amount of speech."""
    order = {"warning": 0, "advice": 1, "good": 2}
    said = [advice for rule in _RULES for advice in rule(health)]
    return sorted(said, key=lambda advice: order[advice.level])


def summary(health: Health, said: list[Advice]) -> str:
    """One line, such as “11 min; add short sentences, add questions”."""
    todos = [advice.todo for advice in said if advice.todo]
    more = f" and {len(todos) - 3} more" if len(todos) > 3 else ""
    return (
        f"{duration_words(health.seconds)}; {', '.join(todos[:3])}{more}" if todos else duration_words(health.seconds)
    )


def _damaged(health: Health) -> Iterator[Advice]:
    count = _count(health, "damaged")
    if count:
        yield Advice(
            "damaged",
            "warning",
            f"{_clips(count)} on the disk {_is(count)} not what was frozen; put the files back from a backup or freeze "
            "anew before you train.",
            "restore damaged files",
            "damaged",
        )


def _amount(health: Health) -> Iterator[Advice]:
    amount = duration_words(health.seconds_train)
    if health.seconds_train < LEAST_SECONDS:
        yield Advice(
            "amount",
            "warning",
            f"{amount} of speech to train on is very little: below {LEAST_SECONDS / 60:.0f} min a voice is hardly "
            f"learned, and {GOOD_SECONDS / 60:.0f} min or more are better.",
            "add more speech",
        )
    elif health.seconds_train < GOOD_SECONDS:
        yield Advice(
            "amount",
            "advice",
            f"{amount} of speech to train on is enough to begin with; {GOOD_SECONDS / 60:.0f} min or more make a "
            "steadier voice.",
            "add more speech",
        )
    else:
        yield Advice("amount", "good", f"{amount} of speech to train on is plenty for one voice.")


def _lengths(health: Health) -> Iterator[Advice]:
    if health.clips < ENOUGH_CLIPS:
        return
    short, long = health.clips_short / health.clips, health.clips_long / health.clips
    if short < LEAST_SHARE:
        yield Advice(
            "short_clips",
            "advice",
            f"{_percent(short)} of the clips are shorter than {SHORT_SECONDS:g} s. A voice that never trained on short "
            "sentences babbles on after them.",
            "add short sentences",
        )
    if long < LEAST_SHARE:
        yield Advice(
            "long_clips",
            "advice",
            f"{_percent(long)} of the clips are longer than {LONG_SECONDS:g} s. Without long sentences the voice loses "
            "its breath in them.",
            "add long sentences",
        )


def _lengths_taken(health: Health) -> Iterator[Advice]:
    for code, words in (
        ("too_long", f"longer than the {MAX_SECONDS:g} s that the model takes"),
        ("too_short", f"shorter than {MIN_SECONDS:g} s"),
    ):
        count = _count(health, code)
        if count:
            yield Advice(
                code,
                "warning",
                f"{_clips(count)} {_is(count)} {words}; training will leave {_them(count)} out.",
                f"cut {_clips(count)} anew",
                code,
            )


def _sentences(health: Health) -> Iterator[Advice]:
    if health.clips < ENOUGH_CLIPS:
        return
    if not health.text.questions:
        yield Advice(
            "questions",
            "advice",
            "No text ends in a question mark, so the voice never hears how this person asks.",
            "add questions",
        )
    if not health.text.exclamations:
        yield Advice(
            "exclamations",
            "advice",
            "No text ends in an exclamation mark, so the voice never hears how this person calls out.",
            "add exclamations",
        )
    if health.text.unended > UNENDED_SHARE * health.clips:
        yield Advice(
            "unended",
            "advice",
            f"{health.text.unended} of {health.clips} texts end without a full stop, question or exclamation mark, so "
            "the voice does not learn where a sentence falls.",
            "write the signs at the ends of sentences",
        )


def _letters(health: Health) -> Iterator[Advice]:
    missing = health.text.missing
    if missing and health.clips >= ENOUGH_CLIPS:
        verb = "never occurs" if len(missing) == 1 else "never occur"
        yield Advice(
            "letters",
            "advice",
            f"{', '.join(missing)} {verb} in the texts; how they sound is left to what the model knows already.",
            f"add words with {', '.join(missing[:4])}{' …' if len(missing) > 4 else ''}",
        )


def _unknown(health: Health) -> Iterator[Advice]:
    strange = health.text.unknown
    if strange:
        count = _count(health, "unknown")
        yield Advice(
            "unknown_characters",
            "warning",
            f"The model's tokenizer does not know {' '.join(strange)} in {_clips(count)}; training will leave "
            f"{_them(count)} out.",
            f"write {_clips(count)} without {' '.join(list(strange)[:4])}",
            "unknown",
        )


def _pace(health: Health) -> Iterator[Advice]:
    count = _count(health, "pace")
    if count and health.pace_spread is not None:
        yield Advice(
            "pace",
            "advice",
            f"{_clips(count)} {_has(count)} far more or fewer characters per second than the usual "
            f"{health.pace_spread.median:g}. Often words are missing from such a text, or stand in it twice.",
            f"check the text of {_clips(count)}",
            "pace",
        )


def _loudness(health: Health) -> Iterator[Advice]:
    levels = health.loudness_spread
    if levels is None:
        return
    if levels.p95 - levels.p5 > LOUDNESS_RANGE_DB:
        yield Advice(
            "loudness",
            "advice",
            f"Nine of ten clips spread over {levels.p95 - levels.p5:.0f} dB of loudness ({levels.p5:g} to "
            f"{levels.p95:g} {levels.unit}); the voice will be as uneven.",
            "bring the recordings to one loudness",
            "loudness",
        )


def _noise(health: Health) -> Iterator[Advice]:
    noisy, clipped = _count(health, "noisy"), _count(health, "clipped")
    if noisy > NOISY_SHARE * health.clips:
        yield Advice(
            "noise",
            "advice",
            f"{_clips(noisy)} of {health.clips} {_has(noisy)} less than {NOISY_DB:g} dB between speech and noise; the "
            "noise will be part of the voice.",
            "use quieter recordings",
            "noisy",
        )
    if clipped > CLIPPED_SHARE * health.clips:
        yield Advice(
            "clipped",
            "advice",
            f"{_clips(clipped)} of {health.clips} {_is(clipped)} overdriven; the distortion will be part of the voice.",
            "reject overdriven clips",
            "clipped",
        )


def _texts(health: Health) -> Iterator[Advice]:
    leaked, repeated = _count(health, "leaked"), _count(health, "repeated")
    if leaked:
        yield Advice(
            "leaked",
            "warning",
            f"{_clips(leaked)} held out for validation {_has(leaked)} a text that is also trained on, so validation "
            "looks better than it is.",
            "reject repeated sentences",
            "leaked",
        )
    if repeated > REPEATED_SHARE * health.clips:
        yield Advice(
            "repeated",
            "advice",
            f"{_clips(repeated)} of {health.clips} {_has(repeated)} the very text of another one; new sentences teach "
            "more.",
            "add other sentences",
            "repeated",
        )


def _words(health: Health) -> Iterator[Advice]:
    text = health.text
    if text.words >= ENOUGH_WORDS and text.distinct_words < LEAST_RICHNESS * math.sqrt(text.words):
        yield Advice(
            "few_words",
            "advice",
            f"The texts use only {text.distinct_words} different words in {text.words}; the voice hears few ways in "
            "which sounds follow one another.",
            "add texts with other words",
        )


def _sides(health: Health) -> Iterator[Advice]:
    if not health.clips_validation:
        yield Advice(
            "no_validation",
            "warning",
            "Nothing is held out for validation, so nobody can tell when training begins to learn by heart.",
            "add a second clip or more",
        )
    elif health.clips_validation < LEAST_VALIDATION_CLIPS and health.clips >= ENOUGH_CLIPS:
        yield Advice(
            "validation_small",
            "advice",
            f"Only {_clips(health.clips_validation)} {_is(health.clips_validation)} held out; validation says little.",
            "raise the share for validation",
        )
    elif health.seconds_validation > MOST_VALIDATION_SHARE * health.seconds and health.clips >= ENOUGH_CLIPS:
        yield Advice(
            "validation_large",
            "advice",
            f"{_percent(health.seconds_validation / health.seconds)} of the speech is held out, because whole "
            "recordings are; a short recording more would free the rest for training.",
            "add a short recording to hold out",
        )
    if health.recordings == 1:
        yield Advice(
            "one_recording",
            "advice",
            "All clips come from one recording, so one room, one day and one mood are all that the voice will know; "
            "its last part is held out.",
            "add another recording",
        )
    if health.gap is not None and health.gap < CLEAR_PAUSE:
        yield Advice(
            "blocks_meet",
            "advice",
            f"The last clip that is trained on and the first that is held out lie {health.gap:g} s apart, since there "
            "was no longer pause near; validation looks a little better than it is.",
        )


_RULES: tuple[Callable[[Health], Iterator[Advice]], ...] = (
    _damaged,
    _amount,
    _lengths_taken,
    _unknown,
    _sides,
    _texts,
    _lengths,
    _sentences,
    _letters,
    _words,
    _pace,
    _noise,
    _loudness,
)


def _count(health: Health, finding: str) -> int:
    return len(health.findings.get(finding, ()))


def _percent(share: float) -> str:
    return "None" if share == 0 else f"{100 * share:.0f} %" if share >= 0.01 else "Less than 1 %"


def _clips(count: int) -> str:
    return f"{count} clip{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"

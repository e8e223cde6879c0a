"""Is a spoken sentence what was asked for? Judged by its codes, its sound and the voice's own pace."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from xttsproject.lib.audio import Samples
from xttsproject.xtts.guard.pace import CODE_SECONDS, LEAD_CODES, Pace, breaths, counted, length_of, ratio
from xttsproject.xtts.guard.sound import Heard, hear, loudness_of_codes, repeated_codes, repeated_sound


class Fault(StrEnum):
    """What may be wrong with a sentence. The value is its name in answers and in the benchmark."""

    SILENCE = "silence"
    NO_STOP = "no_stop"
    BABBLE = "babble"
    TAIL = "tail"
    LOOP = "loop"
    TRUNCATED = "truncated"
    CLIPPING = "clipping"
    MISHEARD = "misheard"


@dataclass(frozen=True)
class Limits:
    """Beyond them a sentence is bad; chosen on sentences that ``manage.py benchmark guard`` does not measure.

    Seconds of silence at a stretch; share of samples in flat peaks; codes and seconds of a loop; dB below the loud part
    that a sentence must have faded by at its end; share of its last clause's usual length that what follows a pause
    must have, how long that pause is, and seconds from which what follows is words where the whole is not too long;
    how near a pause is to where the sentence should have ended; character error rate.
    """

    silence: float = 1.2
    clipped: float = 0.0005
    looped_codes: int = 12
    looped_seconds: float = 0.9
    end_level: float = -22.0
    tail_share: float = 0.45
    tail_pause: float = 0.15
    tail_seconds: float = 0.8
    near_end: float = 0.2
    misheard: float = 0.35


LIMITS = Limits()

_WEIGHTS = {
    Fault.SILENCE: 5.0,
    Fault.LOOP: 4.0,
    Fault.NO_STOP: 3.0,
    Fault.TRUNCATED: 3.0,
    Fault.BABBLE: 2.0,
    Fault.MISHEARD: 2.0,
    Fault.TAIL: 1.0,
    Fault.CLIPPING: 1.0,
}
_LAST_CLAUSE_SIGNS = ",;:.!?…—–،؛؟。！？、，；：।"


@dataclass(frozen=True)
class Spoken:
    """One sentence as it was decoded.

    ``text`` is as the normaliser leaves it, with numbers spelled out. ``codes`` (without the stop code) and
    ``finished`` are None where only the sound is known. ``speed`` is by how much the sound was hurried afterwards.
    """

    text: str
    samples: Samples
    sample_rate: int
    codes: tuple[int, ...] | None = None
    finished: bool | None = None
    speed: float = 1.0


@dataclass(frozen=True)
class Finding:
    """A fault, what was measured and what would have been the limit (in the unit of the fault), in a sentence."""

    fault: Fault
    measure: float
    limit: float
    message: str


@dataclass(frozen=True)
class Verdict:
    """``findings`` are empty for a good sentence. ``cut`` is the second from which on there is only babble, where that
    is known: the sentence can be saved by ending it there. ``ratio``: codes per character, for the voice's pace; 0 of a
    text so short that it says nothing about it.
    """

    findings: tuple[Finding, ...] = ()
    cut: float | None = None
    ratio: float = 0.0

    @property
    def good(self) -> bool:
        return not self.findings

    @property
    def faults(self) -> frozenset[Fault]:
        return frozenset(finding.fault for finding in self.findings)

    @property
    def badness(self) -> float:
        """0 for a good one; to choose the least bad of several."""
        return sum(_WEIGHTS[finding.fault] for finding in self.findings)


def judge(spoken: Spoken, pace: Pace, limits: Limits = LIMITS) -> Verdict:
    """All that is wrong with a sentence, worst first; takes some milliseconds and never raises for odd sound."""
    heard = hear(spoken.samples, spoken.sample_rate)
    if heard.silent:
        return Verdict((_finding(Fault.SILENCE, heard.seconds, 0.0, "It is silent."),))
    length = length_of(spoken.text, pace.letter)
    # What is silent before and after it is no part of how fast a sentence is spoken.
    said = _codes(heard.end - heard.start, spoken.speed) + LEAD_CODES
    low, high = pace.bounds(length)
    long = _too_long(heard, spoken, pace, length, said, limits)
    findings = [
        *_silence(heard, limits),
        *_loop(spoken, limits),
        *_stop(spoken, high, said),
        # Babble may break off in a sound; no words are missing for it.
        *(long or _truncated(heard, said, low, pace.expected(length), limits)),
        *_tail(heard, spoken, pace, length, said, limits),
        *_clipping(heard, limits),
    ]
    findings.sort(key=lambda finding: -_WEIGHTS[finding.fault])
    verdict = Verdict(tuple(findings), ratio=ratio(said, length) if pace.tells(length) else 0.0)
    longer = verdict.faults & {Fault.BABBLE, Fault.TAIL, Fault.NO_STOP}
    if not longer or verdict.faults & {Fault.LOOP, Fault.TRUNCATED, Fault.SILENCE}:
        return verdict
    return Verdict(verdict.findings, _cut(heard, spoken, pace, length), verdict.ratio)


def misheard(rate: float, limits: Limits = LIMITS) -> Finding | None:
    """What a character error rate says of a sentence; None for one that was understood."""
    if rate <= limits.misheard:
        return None
    message = f"The transcription model hears {rate:.0%} of its letters otherwise."
    return _finding(Fault.MISHEARD, rate, limits.misheard, message)


def _codes(seconds: float, speed: float) -> float:
    return seconds * speed / CODE_SECONDS


def _seconds(codes: float, speed: float) -> float:
    return codes * CODE_SECONDS / speed


def _finding(fault: Fault, measure: float, limit: float, message: str) -> Finding:
    return Finding(fault, float(measure), float(limit), message)


def _silence(heard: Heard, limits: Limits) -> list[Finding]:
    if heard.longest_silence <= limits.silence:
        return []
    message = f"It is silent for {heard.longest_silence:.1f} s at a stretch."
    return [_finding(Fault.SILENCE, heard.longest_silence, limits.silence, message)]


def _loop(spoken: Spoken, limits: Limits) -> list[Finding]:
    looped = 0.0
    if spoken.codes is not None:
        sounding = loudness_of_codes(spoken.samples, spoken.sample_rate, len(spoken.codes))
        codes = repeated_codes(spoken.codes, sounding, least=limits.looped_codes)
        looped = _seconds(codes, spoken.speed)
    if not looped:
        looped = repeated_sound(spoken.samples, spoken.sample_rate)
        if looped < limits.looped_seconds:
            return []
    message = f"For {looped:.1f} s it says the same over and over."
    return [_finding(Fault.LOOP, looped, limits.looped_seconds, message)]


def _stop(spoken: Spoken, high: float, said: float) -> list[Finding]:
    if spoken.finished is not False:
        return []
    message = "The model did not end it by itself: its end is cut off, or babble."
    return [_finding(Fault.NO_STOP, said, high, message)]


def _truncated(heard: Heard, said: float, low: float, expected: float, limits: Limits) -> list[Finding]:
    if said < low:
        message = f"It is {said / expected:.0%} as long as this voice takes for it: words are missing."
        return [_finding(Fault.TRUNCATED, said, low, message)]
    if heard.end_level > limits.end_level:
        message = "It ends in the middle of a sound."
        return [_finding(Fault.TRUNCATED, heard.end_level, limits.end_level, message)]
    return []


def _too_long(heard: Heard, spoken: Spoken, pace: Pace, length: float, said: float, limits: Limits) -> list[Finding]:
    """Longer than the voice ever is; or longer than it usually is, with a pause that no sign asks for about where it
    should have ended."""
    _low, high = pace.bounds(length)
    _short, drawn_out = pace.usual(length)
    expected = pace.expected(length)
    limit = high
    if len(heard.pauses) > breaths(spoken.text) and any(
        abs(_codes(start - heard.start, spoken.speed) + LEAD_CODES - expected) <= limits.near_end * expected
        for start, _end in heard.pauses
    ):
        limit = drawn_out
    if said <= limit:
        return []
    message = (
        f"It takes {_seconds(said, spoken.speed):.1f} s, and this voice takes {_seconds(limit, spoken.speed):.1f} s "
        "for it at most: it babbles."
    )
    return [_finding(Fault.BABBLE, said, limit, message)]


def _tail(heard: Heard, spoken: Spoken, pace: Pace, length: float, said: float, limits: Limits) -> list[Finding]:
    """Sound after a pause where the text has no words left: much shorter than the text's last clause.

    People pause within a long clause too. Then more than a word follows, and the whole is as long as it should be.
    """
    if len(heard.islands) < 2:
        return []
    (_, before), (start, end) = heard.islands[-2:]
    if start - before < limits.tail_pause:
        return []
    if end - start >= limits.tail_seconds and said <= pace.usual(length)[1]:
        return []
    clause = _last_clause(spoken, pace.letter)
    usual = clause * pace.per_character
    share = _codes(end - start, spoken.speed) / max(usual, 1.0)
    if share >= limits.tail_share:
        return []
    message = f"After a pause {end - start:.1f} s of sound follow that are no words of it."
    return [_finding(Fault.TAIL, share, limits.tail_share, message)]


def _last_clause(spoken: Spoken, letter: float) -> float:
    """Characters after the last sign at which one pauses."""
    text = spoken.text.rstrip(_LAST_CLAUSE_SIGNS + " ")
    place = max(text.rfind(sign) for sign in _LAST_CLAUSE_SIGNS)
    return counted(text[place + 1 :].strip(), letter)


def _clipping(heard: Heard, limits: Limits) -> list[Finding]:
    if heard.clipped <= limits.clipped:
        return []
    message = f"{heard.clipped:.1%} of it is clipped."
    return [_finding(Fault.CLIPPING, heard.clipped, limits.clipped, message)]


def _cut(heard: Heard, spoken: Spoken, pace: Pace, length: float) -> float | None:
    """The beginning of the pause nearest to where the sentence should end, if one is near enough: what comes before it
    is as long as the sentence usually is, since babble does less harm than missing words."""
    (low, _drawn_out), (_low, high) = pace.usual(length), pace.bounds(length)
    expected = pace.expected(length)
    fitting = [
        (abs(_codes(start - heard.start, spoken.speed) + LEAD_CODES - expected), start)
        for start, _end in heard.pauses
        if low <= _codes(start - heard.start, spoken.speed) + LEAD_CODES <= high
    ]
    return min(fitting)[1] if fitting else None


def cut_off(samples: Samples, rate: int, second: float) -> Samples:
    """The sound up to 60 ms after ``second``, faded out over 30 ms."""
    end = min(len(samples), round((second + 0.06) * rate))
    kept = samples[:end].copy()
    fade = min(round(0.03 * rate), len(kept))
    if fade:
        kept[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return kept

"""What a recording's captions say during one segment, to be read beside its transcript."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol


class Timed(Protocol):
    """A cue of captions; seconds of the recording."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def text(self) -> str: ...


def caption_between(cues: Sequence[Timed], start: float, end: float) -> str:
    """The words that ``cues`` (in order) show between ``start`` and ``end`` seconds; empty where they show none.

    Captions have times for lines alone. A line's words are thought to be spread over its time by their letters, and a
    word belongs to where its middle is: so a line that a cut divides is divided too, and neighbouring segments share no
    word. At a cut it can be a word or two off; nothing is written into a transcript from here but by a person.
    """
    return " ".join(
        word for cue in cues if cue.start < end and cue.end > start for word, at in _spread(cue) if start <= at < end
    )


def _spread(cue: Timed) -> Iterator[tuple[str, float]]:
    """Each word of a cue with the middle of its time."""
    words = cue.text.split()
    # A space counts as a letter, for the pause that it is.
    total = sum(len(word) + 1 for word in words)
    before = 0
    for word in words:
        yield word, cue.start + (before + (len(word) + 1) / 2) / total * (cue.end - cue.start)
        before += len(word) + 1

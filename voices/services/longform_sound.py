"""The sound of a long text: joined from its sentences, whole, by chapter, and as far as it has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from voices.engine.loudness_streams import LoudnessMeter
from voices.engine.stitching import Stitch, starts_of, stitched, wav_facts, write_blocks
from voices.engine.tags import tag_wav
from voices.models import Synthesis, SynthesisSentence
from voices.models.sentence import sentence_path
from voices.services.output import synthesis_tags
from xttsproject.lib.audio import Samples
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress

_AT_ONCE = 500
_LONGEST_WAV = 2**32 - 2**20
"""Bytes: a WAV's sizes have 32 bits."""


@dataclass(frozen=True)
class _Row:
    """What joining needs to know of a sentence."""

    pk: int
    number: int
    take: int
    pause: float
    seconds: float
    chapter: int


def longform_join(*, synthesis: Synthesis, progress: Progress) -> None:
    """Write the whole of what is spoken anew, with the times of sentences and chapters. The old one stays till then.

    DomainErrors ``speech_too_long`` and ``disk_full``.
    """
    rows = _rows(synthesis)
    stitches = [Stitch(sentence_path(synthesis, row.number, row.take), row.seconds, row.pause) for row in rows]
    after = synthesis.asked["pause_after"]
    rate, _samples = wav_facts(stitches[0].path)
    starts, total = starts_of(stitches, rate, after=after)
    if 2 * total > _LONGEST_WAV:
        raise DomainError(
            "speech_too_long",
            f"The speech is {total / rate / 3600:.1f} hours long, which no WAV can hold; take it chapter by chapter.",
        )
    chapters = chapters_of(synthesis.asked["chapters"], [row.chapter for row in rows], starts, total, rate)
    synthesis.chapters, synthesis.seconds = chapters, total / rate

    meter = LoudnessMeter(rate)

    def watched() -> Iterator[Samples]:
        for place, block in enumerate(stitched(stitches, rate, after=after)):
            progress.check()
            meter.push(block)
            progress.report(min(place / (2 * len(stitches)), 1.0), "joining")
            yield block

    room = room_for(synthesis.audio_path, 2 * total, "The whole of a long text")
    with room, atomic_path(synthesis.audio_path) as temporary:
        write_blocks(temporary, watched(), rate)
        marks = [(round(chapter["start"] * rate), chapter["title"]) for chapter in chapters]
        tag_wav(temporary, synthesis_tags(synthesis=synthesis), marks)
    for first in range(0, len(rows), _AT_ONCE):
        times = [
            SynthesisSentence(pk=row.pk, start=start / rate)
            for row, start in zip(rows[first : first + _AT_ONCE], starts[first : first + _AT_ONCE], strict=True)
        ]
        SynthesisSentence.objects.bulk_update(times, ["start"])
    synthesis.joined_at, synthesis.loudness = timezone.now(), meter.loudness()
    synthesis.save(update_fields=["seconds", "chapters", "joined_at", "loudness"])
    _forget_takes(synthesis, rows)


def chapters_of(
    titles: Sequence[str], places: Sequence[int], starts: Sequence[int], total: int, rate: int
) -> list[dict[str, Any]]:
    """``[{title, start, end}]`` in seconds of the chapters in which something is said; ``places`` are the sentences'
    chapters and ``starts`` the samples at which they begin. The first one begins with the sound."""
    if not titles:
        return []
    begins: dict[int, int] = {}
    for place, start in zip(places, starts, strict=True):
        begins.setdefault(place, start if begins else 0)
    ends = [*list(begins.values())[1:], total]
    return [
        {"title": titles[place], "start": start / rate, "end": end / rate}
        for (place, start), end in zip(begins.items(), ends, strict=True)
    ]


def _forget_takes(synthesis: Synthesis, rows: Sequence[_Row]) -> None:
    """Sounds of earlier takes whose worker died before it could take them away."""
    takes = {row.number: row.take for row in rows}
    for path in synthesis.folder.glob("[0-9]*-*.wav"):
        number, _, take = path.stem.partition("-")
        if int(take) < takes.get(int(number), 0):
            path.unlink(missing_ok=True)


def _rows(synthesis: Synthesis) -> list[_Row]:
    values = synthesis.parts.spoken().order_by("number")
    return [_Row(*row) for row in values.values_list("pk", "number", "take", "pause", "seconds", "chapter")]

"""The sound of a long text: joined from its sentences, whole, by chapter, and as far as it has come."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from voices.engine.loudness_streams import LoudnessMeter
from voices.engine.stitching import Stitch, is_whole, starts_of, stitched, wav_facts, write_blocks
from voices.engine.tags import tag_wav
from voices.models import Synthesis, SynthesisSentence
from voices.models.sentence import sentence_path
from voices.services.longform_casting import longform_uncast
from voices.services.output import synthesis_tags
from xttsproject.lib.audio import Samples
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress

logger = logging.getLogger(__name__)

_AT_ONCE = 500
_STILL_HEARD = timedelta(hours=1)
"""How long the sound of before stays when a sentence has been said anew: a download reads file after file."""
_LOOKED_FOR = timedelta(days=7)
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
    spoken_at: datetime


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

    # Whoever said a sentence that another has said anew meanwhile no longer speaks in it.
    with transaction.atomic():
        locked = Synthesis.objects.select_for_update().get(pk=synthesis.pk)
        longform_uncast(synthesis=locked)
        locked.save(update_fields=["asked"])
    synthesis.asked = locked.asked
    room = room_for(synthesis.audio_path, 2 * total, "The whole of a long text")
    with room, atomic_path(synthesis.audio_path) as temporary:
        write_blocks(temporary, watched(), rate)
        marks = [(round(chapter["start"] * rate), chapter["title"]) for chapter in chapters]
        tag_wav(temporary, synthesis_tags(synthesis=synthesis), marks)
    synthesis.joined_at, synthesis.loudness = timezone.now(), meter.loudness()
    times = [SynthesisSentence(pk=row.pk, start=start / rate) for row, start in zip(rows, starts, strict=True)]
    # Whoever reads subtitles meanwhile gets those of before or of now.
    with transaction.atomic():
        SynthesisSentence.objects.bulk_update(times, ["start"], batch_size=_AT_ONCE)
        synthesis.save(update_fields=["seconds", "chapters", "joined_at", "loudness"])
    _forget_takes(synthesis, rows)


def longform_lost(*, synthesis: Synthesis) -> list[int]:
    """Keys of the sentences that were spoken and whose sound is no longer on the disk, or not all of it."""
    return [
        row.pk for row in _rows(synthesis) if not is_whole(sentence_path(synthesis, row.number, row.take), row.seconds)
    ]


def longform_restore(*, synthesis: Synthesis) -> int:
    """Have what is lost spoken again, with the same seeds: it sounds the same. Returns how many sentences there are."""
    lost = longform_lost(synthesis=synthesis)
    for first in range(0, len(lost), _AT_ONCE):
        some = SynthesisSentence.objects.filter(pk__in=lost[first : first + _AT_ONCE])
        some.update(wish=models.F("wish") + 1)
    if lost:
        logger.warning("%s sentences of the speech %s have lost their sound; spoken again.", len(lost), synthesis.pk)
    return len(lost)


def takes_forget() -> int:
    """Delete sounds of sentences that were said anew a while ago; returns how many."""
    now, count = timezone.now(), 0
    anew = SynthesisSentence.objects.filter(
        take__gt=1, spoken_at__lt=now - _STILL_HEARD, spoken_at__gt=now - _LOOKED_FOR
    )
    for row in anew.select_related("synthesis").iterator():
        for take in range(1, row.take):
            path = row.path_of(take)
            if path.is_file():
                path.unlink(missing_ok=True)
                count += 1
    return count


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
    """Sounds of earlier takes, but those that somebody may still be downloading a chapter with."""
    settled = timezone.now() - _STILL_HEARD
    takes = {row.number: row.take for row in rows if row.spoken_at < settled}
    for path in synthesis.folder.glob("[0-9]*-*.wav"):
        number, _, take = path.stem.partition("-")
        if int(take) < takes.get(int(number), 0):
            path.unlink(missing_ok=True)


def _rows(synthesis: Synthesis) -> list[_Row]:
    values = synthesis.parts.spoken().order_by("number")
    names = ("pk", "number", "take", "pause", "seconds", "chapter", "spoken_at")
    return [_Row(*row) for row in values.values_list(*names)]

"""What of a long text can be heard and taken along: the whole, its chapters, and what there is so far.

Everything is read and encoded while it is sent: nobody waits for hours of sound to be encoded, and none of it lies in
memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import slugify

from voices.engine.encoding import Output
from voices.engine.encoding_streams import Chapter, stream_encoder
from voices.engine.loudness_streams import amplified, resampled
from voices.engine.stitching import Stitch, read_blocks, starts_of, stitched, wav_facts
from voices.models import Synthesis
from voices.models.sentence import sentence_path
from voices.services.output import synthesis_tags
from xttsproject.lib.audio import Samples
from xttsproject.lib.errors import DomainError

_FACTS = ("number", "take", "seconds", "pause")
_Facts = tuple[int, int, float, float]
_LONGEST_FILE_TITLE = 120


@dataclass(frozen=True)
class Recording:
    """Sound on disk, which ``blocks`` reads anew each time it is called; ``samples`` of it at ``rate`` hertz."""

    blocks: Callable[[], Iterator[Samples]]
    rate: int
    samples: int
    chapters: tuple[Chapter, ...] = ()


def longform_whole(*, synthesis: Synthesis) -> Recording:
    """DomainError ``speech_unfinished`` before it was joined; FileNotFoundError where its sound has gone."""
    require_whole(synthesis=synthesis)
    path = synthesis.audio_path
    rate, samples = wav_facts(path)
    chapters = tuple(
        Chapter(chapter_title(chapter["title"], number), chapter["start"], chapter["end"])
        for number, chapter in enumerate(synthesis.chapters, 1)
    )
    return Recording(lambda: read_blocks(path), rate, samples, chapters)


def longform_so_far(*, synthesis: Synthesis) -> Recording:
    """From the beginning to the first sentence that is not spoken yet. DomainErrors ``speech_unfinished`` where that is
    the first one, and ``speech_not_long`` for what was spoken at once."""
    if not synthesis.is_long:
        raise DomainError("speech_not_long", "The speech was spoken at once and is whole; ask for its audio.")
    missing = synthesis.parts.filter(take=0).order_by("number").values_list("number", flat=True).first()
    rows = synthesis.parts.spoken()
    return _recording(synthesis, _facts(rows.filter(number__lt=missing) if missing else rows))


def longform_chapter(*, synthesis: Synthesis, number: int) -> Recording:
    """A chapter by itself, from 1. DomainErrors ``chapter_unknown``, and ``speech_unfinished`` while a sentence of it
    is not spoken."""
    places = list(synthesis.parts.order_by("chapter").values_list("chapter", flat=True).distinct())
    if not synthesis.asked.get("chapters") or not 1 <= number <= len(places):
        have = len(places) if synthesis.asked.get("chapters") else "no"
        raise DomainError("chapter_unknown", f"There is no chapter {number}; the speech has {have} chapters.")
    rows = synthesis.parts.filter(chapter=places[number - 1])
    if rows.filter(take=0).exists():
        raise _unfinished(f"Chapter {number} is not spoken to its end yet")
    return _recording(synthesis, _facts(rows))


def longform_bytes(*, synthesis: Synthesis, recording: Recording, output: Output) -> Iterator[bytes]:
    """A file of it, encoded as it is read.

    A loudness is that of the whole, so that chapters keep theirs beside each other; DomainError
    ``loudness_unsupported`` before that is known.
    """
    if output.loudness is not None and not synthesis.has_whole:
        raise DomainError(
            "loudness_unsupported",
            "A loudness is measured over the whole of a speech, and this one is not whole yet; leave it out.",
            field="loudness",
        )
    return _encoded(synthesis, recording, output)


def longform_archive(*, synthesis: Synthesis, output: Output) -> Iterator[bytes]:
    """A ZIP with a file for each chapter, named by its number and title, made while it is read. DomainErrors of
    :func:`longform_whole`, and ``chapter_unknown`` where there are no chapters."""
    require_whole(synthesis=synthesis)
    names = [
        f"{number:03d} {_file_title(chapter['title'])}.{output.format.name}"
        for number, chapter in enumerate(synthesis.chapters, 1)
    ]
    if not names:
        raise DomainError("chapter_unknown", "The speech has no chapters; write headings, or [chapter: Title].")
    # All in one query: there may be hundreds.
    facts: dict[int, list[_Facts]] = {}
    for chapter, *fact in synthesis.parts.order_by("number").values_list("chapter", *_FACTS):
        facts.setdefault(chapter, []).append(tuple(fact))  # type: ignore[arg-type]
    recordings = [_recording(synthesis, each) for each in facts.values()]
    files = [
        (name, longform_bytes(synthesis=synthesis, recording=recording, output=output))
        for name, recording in zip(names, recordings, strict=True)
    ]
    return _zipped(files)


def require_whole(*, synthesis: Synthesis) -> None:
    """DomainError ``speech_unfinished``."""
    if not synthesis.has_whole:
        raise _unfinished("The speech is not whole yet")


def _file_title(title: str) -> str:
    """What a file system takes: 255 bytes are the most that it has for a name, in UTF-8."""
    return slugify(title, allow_unicode=True).encode()[:_LONGEST_FILE_TITLE].decode(errors="ignore") or "beginning"


def chapter_title(title: str, number: int) -> str:
    """What a chapter is called where people see it; what is said before the first mark has no title."""
    return title or ("Beginning" if number == 1 else f"Chapter {number}")


def _unfinished(what: str) -> DomainError:
    return DomainError(
        "speech_unfinished",
        f"{what}; listen to its sentences or to the sound so far, or come again.",
        permanent=False,
    )


def _facts(rows: Any) -> list[_Facts]:
    return list(rows.order_by("number").values_list(*_FACTS))


def _recording(synthesis: Synthesis, facts: Sequence[_Facts]) -> Recording:
    """Sentences in order, without the silence before the first of them."""
    if not facts:
        raise _unfinished("Nothing of the speech is spoken yet")
    stitches: Sequence[Stitch] = [
        Stitch(sentence_path(synthesis, number, take), seconds, pause if place else 0.0)
        for place, (number, take, seconds, pause) in enumerate(facts)
    ]
    rate, _samples = wav_facts(stitches[0].path)
    _starts, samples = starts_of(stitches, rate)
    return Recording(lambda: stitched(stitches, rate), rate, samples)


def _encoded(synthesis: Synthesis, recording: Recording, output: Output) -> Iterator[bytes]:
    blocks, rate = recording.blocks(), recording.rate
    if output.loudness is not None and synthesis.loudness is not None:
        # Resampling moves the peaks, so it comes before they are limited.
        wanted = output.sample_rate or rate
        blocks, rate = resampled(blocks, rate, wanted), wanted
        blocks = amplified(blocks, rate, output.loudness - synthesis.loudness)
    encoder = stream_encoder(
        output,
        rate,
        synthesis_tags(synthesis=synthesis),
        chapters=recording.chapters,
        samples=recording.samples if rate == recording.rate else None,
    )
    for block in blocks:
        made = encoder.push(block)
        if made:
            yield made
    yield encoder.end()


class _Gathered:
    """A file that can only be written to, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)


def _zipped(files: Sequence[tuple[str, Iterator[bytes]]]) -> Iterator[bytes]:
    """Stored, not compressed: sound does not get smaller."""
    target = _Gathered()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, blocks in files:
            with archive.open(name, "w", force_zip64=True) as member:
                for block in blocks:
                    member.write(block)
                    yield target.taken()
            yield target.taken()
    yield target.taken()

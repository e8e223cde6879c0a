"""A dataset from outside to masters: everything is judged first, and only a dataset without a fault comes in.

The clips of a dataset become recordings like any other, so that whatever follows (review, screening, freezing, the
split by source, the limits of XTTS) needs to know nothing of where they came from: the clips are put one after another
into masters of at most :data:`PART_SECONDS`, with :data:`GAP_SECONDS` of digital silence between, and each is one
segment whose bounds are the clip's own samples. Several parts instead of one keep every file far below what a WAV can
hold, its page within reach, and give the split whole recordings to hold out. The silence keeps any later padding of a
segment from reaching into its neighbour, and it is told from the clips' own noise by being exactly zero.
"""

from __future__ import annotations

import hashlib
import json
import wave
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from datasets.pipeline.archive import FileFault, Files, ImportLimits, open_files
from datasets.pipeline.media import MASTER_RATE, MediaFacts, decode_clip
from datasets.pipeline.tables import Form, Problem, Problems, Row, read_table
from datasets.pipeline.transcript import clean_text
from datasets.pipeline.wording import duration_words
from xttsproject.lib.audio import Audio, to_pcm16
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent
from xttsproject.xtts.normaliser import normalise

PART_SECONDS = 3600.0
GAP_SECONDS = 0.5
SHORTEST_SECONDS = 0.1
"""Below this a file holds no word; longer ones come in, and what XTTS cannot take of them is told where it counts."""


@dataclass(frozen=True)
class Clip:
    """``start`` and ``end`` are seconds of its part's master, on whole samples; ``name`` is the dataset's own."""

    name: str
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class PartFile:
    """``digest`` is the SHA-256 of all names, texts and samples: the same clips make the same part again."""

    master: Path
    seconds: float
    bytes: int
    digest: str
    clips: tuple[Clip, ...]
    facts: MediaFacts


@dataclass(frozen=True)
class Incoming:
    """What is ready to be taken in, or, where ``problem_count`` is above 0, why nothing is."""

    form: Form
    parts: tuple[PartFile, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    respoken: int = 0
    """Clips whose spoken text was taken because the written one would be read otherwise here."""

    @property
    def clips(self) -> int:
        return sum(len(part.clips) for part in self.parts)


def read_dataset(
    path: Path,
    folder: Path,
    *,
    language: str,
    limits: ImportLimits,
    speaker_name: str = "",
    part_seconds: float = PART_SECONDS,
    progress: Progress | None = None,
) -> Incoming:
    """Judge every row and every file of the dataset at ``path`` and write its masters into the empty ``folder``.

    One clip is in memory at a time. With any problem the masters are of no use and are not written on. Raises
    ``Cancelled`` and the DomainErrors of :func:`open_files` and :func:`read_table`, ``dataset_empty``, ``too_large``.
    """
    progress = progress or Silent()
    problems = Problems()
    with open_files(path, limits) as files:
        table = read_table(files, limits, problems, speaker_name)
        if not table.rows and not problems.count:
            raise DomainError("dataset_empty", "The dataset's table has no row; nothing was imported.", field="file")
        writer = _Masters(folder, part_seconds)
        respoken = 0
        total = 0.0
        try:
            for done, row in enumerate(table.rows):
                progress.check()
                progress.report(done / len(table.rows), f"clip {done + 1} of {len(table.rows)}")
                decoded = _decode(row, files, folder / "clip.scratch", limits, problems)
                if problems.enough:
                    break
                if decoded is None:
                    continue
                audio, facts = decoded
                total += audio.seconds
                if total > limits.max_seconds:
                    raise DomainError(
                        "too_large",
                        f"The dataset's clips last more than {duration_words(limits.max_seconds)} together, which is "
                        "the limit; divide the dataset.",
                        field="file",
                    )
                text = chosen_text(row, language)
                respoken += text != clean_text(row.written)
                if not problems.count:
                    writer.add(row.name, text, audio, facts)
            writer.finish()
        finally:
            writer.close()
    parts = () if problems.count else tuple(writer.parts)
    return Incoming(table.form, parts, tuple(problems.listed), problems.count, respoken)


def chosen_text(row: Row, language: str) -> str:
    """The row's transcript: as written where it is read here as the dataset says that it is spoken, else as spoken.

    So what was written is kept wherever it can be, and what the speaker truly said always.
    """
    written, spoken = clean_text(row.written), clean_text(row.spoken)
    if not spoken or not written:
        return written or spoken
    return written if _letters(normalise(written, language)) == _letters(normalise(spoken, language)) else spoken


def _letters(text: str) -> str:
    """What is heard of a text: neither case nor punctuation."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _decode(
    row: Row, files: Files, scratch: Path, limits: ImportLimits, problems: Problems
) -> tuple[Audio, MediaFacts] | None:
    try:
        with files.local(row.audio, scratch, limits.clip_bytes) as path:
            audio, facts = _decoded(path, row.audio, limits)
    except FileFault as fault:
        problems.add(row.table, row.number, row.name, fault.code, f"The file {row.audio} {fault.message}.")
        return None
    except DomainError as error:
        problems.add(row.table, row.number, row.name, error.code, error.message)
        return None
    if audio.seconds < SHORTEST_SECONDS:
        reason = f"{row.audio} lasts {1000 * audio.seconds:.0f} ms, too short for any word."
        problems.add(row.table, row.number, row.name, "clip_short", reason)
        return None
    return audio, facts


def _decoded(path: Path, shown: str, limits: ImportLimits) -> tuple[Audio, MediaFacts]:
    try:
        return decode_clip(path, MASTER_RATE, max_seconds=limits.clip_seconds)
    except DomainError as error:
        if error.code == "media_too_long":
            reason = f"{shown} is longer than {duration_words(limits.clip_seconds)}; a dataset holds short clips."
            raise DomainError("clip_long", reason) from error
        raise DomainError(error.code, error.message.replace(path.name, shown)) from error


@dataclass
class _Masters:
    """Writes part after part; a clip never lies across two."""

    folder: Path
    part_seconds: float
    parts: list[PartFile] = field(default_factory=list)
    _out: wave.Wave_write | None = None
    _clips: list[Clip] = field(default_factory=list)
    _facts: list[MediaFacts] = field(default_factory=list)
    _samples: int = 0

    def add(self, name: str, text: str, audio: Audio, facts: MediaFacts) -> None:
        count = len(audio.samples)
        if self._out is not None and (self._samples + count) / MASTER_RATE > self.part_seconds:
            self.finish()
        if self._out is None:
            self._begin()
        assert self._out is not None
        if self._clips:
            gap = round(GAP_SECONDS * MASTER_RATE)
            self._out.writeframesraw(bytes(2 * gap))
            self._samples += gap
        pcm = to_pcm16(audio.samples)
        self._out.writeframesraw(pcm)
        # JSON marks where a name or text ends.
        self._digest.update(json.dumps([name, text, count], ensure_ascii=False).encode() + pcm)
        start, self._samples = self._samples, self._samples + count
        self._clips.append(Clip(name, start / MASTER_RATE, self._samples / MASTER_RATE, text))
        self._facts.append(facts)

    def finish(self) -> None:
        """Close the part that is being written, if any."""
        if self._out is None:
            return
        self._out.close()
        self._out = None
        path = self._path(len(self.parts) + 1)
        self.parts.append(
            PartFile(
                path,
                self._samples / MASTER_RATE,
                path.stat().st_size,
                self._digest.hexdigest(),
                tuple(self._clips),
                _common_facts(self._facts, self._samples / MASTER_RATE),
            )
        )

    def close(self) -> None:
        """Let go of the file whatever happened."""
        if self._out is not None:
            self._out.close()

    def _begin(self) -> None:
        self._out = wave.open(str(self._path(len(self.parts) + 1)), "wb")  # noqa: SIM115 (open over many calls)
        self._out.setnchannels(1)
        self._out.setsampwidth(2)
        self._out.setframerate(MASTER_RATE)
        self._clips, self._facts, self._samples = [], [], 0
        self._digest = hashlib.sha256()

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number}.wav"


def _common_facts(facts: Iterable[MediaFacts], seconds: float) -> MediaFacts:
    """What most of the clips are."""
    kinds = Counter((each.container, each.audio_codec, each.sample_rate, each.channels) for each in facts)
    container, codec, rate, channels = kinds.most_common(1)[0][0]
    return MediaFacts(container, seconds, codec, rate, channels, has_video=False)

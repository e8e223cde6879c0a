"""Cutting anew by the words: in one step, once, and never over a person's work."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from datasets.choices import Flag, Origin, ReviewStatus, SourceState
from datasets.models import Segment, SourceVideo
from datasets.pipeline.media import decode_to_master
from datasets.services import recutting
from datasets.services.preparing import source_prepare
from datasets.services.recutting import RecutOutcome, source_recut
from datasets.services.retranscribing import segments_retranscribe
from datasets.services.segments import segment_edit, segment_review
from datasets.services.transcribing import source_transcribe
from tests.datasets.factories import SourceFactory
from tests.datasets.pipeline.recordings import DemoRecording, rendered_in
from xttsproject.lib.progress import Callback, Silent


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRecording:
    return rendered_in(tmp_path_factory.getbasetemp())


@dataclass
class Talk:
    """The demo's first sentences, said at known times, in clips that hold more or less than would be best."""

    source: SourceVideo
    sentences: list[Any]

    @property
    def rows(self) -> list[Segment]:
        return list(self.source.segments.order_by("index"))


@pytest.fixture
def talk(people: Any, demo: DemoRecording) -> Talk:
    source: SourceVideo = SourceFactory(owner=people.anna, state=SourceState.TRANSCRIBING)
    source.folder.mkdir(parents=True)
    facts = decode_to_master(demo.path, source.master_path, max_seconds=600)
    source.seconds = facts.seconds
    source.save()
    sentences = demo.sentences[:6]
    _row(source, 1, sentences[:2])
    _row(source, 2, sentences[2:3])
    _row(source, 3, sentences[3:6])
    return Talk(source, sentences)


def _row(source: SourceVideo, index: int, sentences: list[Any], **fields: Any) -> Segment:
    start, end = sentences[0].start - 0.2, sentences[-1].end + 0.2
    words = []
    for sentence in sentences:
        texts = sentence.text.split()
        letters, position = sum(map(len, texts)), sentence.start - start
        for text in texts:
            length = (sentence.end - sentence.start) * len(text) / letters
            words.append({"text": text, "start": position, "end": position + length, "probability": 0.9})
            position += length
    text = " ".join(sentence.text for sentence in sentences)
    facts = {"average_log_probability": -0.2, "transcribed_at": timezone.now(), **fields}
    return Segment.objects.create(
        source=source, index=index, start=start, end=end, text=text, machine_text=text, words=words, **facts
    )


def test_a_clip_of_several_sentences_becomes_clips_that_keep_what_was_heard(talk: Talk) -> None:
    before = {row.pk for row in talk.rows}
    outcome = source_recut(source=talk.source, progress=Silent())
    rows = talk.rows
    heard = [row for row in rows if row.transcribed_at]

    assert outcome.changed > 0
    assert before & {row.pk for row in rows}, "addresses of segments go on"
    assert [row.index for row in rows] == list(range(1, len(rows) + 1))
    assert [row.start for row in rows] == sorted(row.start for row in rows)
    assert outcome.waiting == len(rows) - len(heard)
    for sentence in talk.sentences:
        holders = [row for row in rows if row.start < sentence.end - 0.1 and row.end > sentence.start + 0.1]
        assert len(holders) == 1, "no sentence is cut"
    for row in heard:
        whole = [s.text for s in talk.sentences if row.start < (s.start + s.end) / 2 < row.end]
        assert row.text == row.machine_text == " ".join(whole)
        assert " ".join(word["text"] for word in row.words) == row.text
        assert row.average_log_probability == -0.2
        assert row.quality["seconds"] == pytest.approx(row.seconds, abs=0.01)
        assert Flag.CLIPPED_EDGE not in row.flags
    for row in rows:
        if not row.transcribed_at:
            assert (row.text, row.machine_text, row.words, row.average_log_probability) == ("", "", [], None)


def test_the_history_says_what_was_done(talk: Talk) -> None:
    source_recut(source=talk.source, progress=Silent())
    reasons = {entry.history_change_reason for row in talk.rows for entry in row.history.all()}
    assert "Cut anew by its words" in reasons


def test_it_is_done_once_until_the_recording_is_transcribed_anew(talk: Talk, people: Any) -> None:
    assert source_recut(source=talk.source, progress=Silent()).changed
    before = list(Segment.objects.order_by("pk").values())
    again = SourceVideo.objects.get(pk=talk.source.pk)
    assert again.cut_by_words_at is not None
    assert source_recut(source=again, progress=Silent()) == RecutOutcome()
    assert list(Segment.objects.order_by("pk").values()) == before
    segments_retranscribe(source=again, owner=people.anna)
    again.refresh_from_db()
    assert again.cut_by_words_at is None


@pytest.mark.parametrize("how", ["edited", "approved", "rejected", "reopened"])
def test_what_a_person_has_touched_stays_as_it_is(talk: Talk, people: Any, how: str) -> None:
    first, second, third = talk.rows
    if how == "edited":
        segment_edit(segment=first, text="My own words.")
    elif how == "reopened":
        segment_review(segment=first, status=ReviewStatus.APPROVED, reviewer=people.anna)
        segment_review(segment=first, status=ReviewStatus.PENDING, reviewer=people.anna)
    else:
        segment_review(segment=first, status=how, reviewer=people.anna)
    before = Segment.objects.filter(pk=first.pk).values().get()
    assert source_recut(source=talk.source, progress=Silent()).changed
    assert Segment.objects.filter(pk=first.pk).values().get() == before
    assert all(row.start >= first.end for row in talk.rows[1:])


def test_a_review_while_speech_is_looked_for_wins(talk: Talk, people: Any) -> None:
    first = talk.rows[0]
    seen: list[str] = []

    def review(_: float, message: str) -> None:
        # The plan has been made by now, and its clips are measured.
        if message == "measuring" and not seen:
            seen.append(message)
            segment_review(segment=Segment.objects.get(pk=first.pk), status=ReviewStatus.APPROVED, reviewer=people.anna)

    assert source_recut(source=talk.source, progress=Callback(review)).changed
    assert seen
    kept = Segment.objects.get(pk=first.pk)
    assert (kept.start, kept.end, kept.text) == (first.start, first.end, first.text)
    assert kept.status == ReviewStatus.APPROVED


def test_an_interruption_leaves_everything_as_it_was(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(Segment.objects.order_by("pk").values())

    def die(*_: Any, **__: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(recutting, "bulk_create_with_history", die)
    with pytest.raises(SystemExit):
        source_recut(source=talk.source, progress=Silent())
    assert list(Segment.objects.order_by("pk").values()) == before
    assert SourceVideo.objects.get(pk=talk.source.pk).cut_by_words_at is None


def test_clips_of_an_imported_dataset_are_never_cut_anew(talk: Talk) -> None:
    talk.source.origin = Origin.DATASET
    assert source_recut(source=talk.source, progress=Silent()) == RecutOutcome()
    assert len(talk.rows) == 3


@pytest.mark.parametrize("doubt", [Flag.UNSURE, Flag.REPETITIVE])
def test_a_transcript_in_doubt_moves_no_cut(talk: Talk, doubt: Flag) -> None:
    Segment.objects.update(flags=[doubt.value])
    before = [(row.pk, row.start, row.end) for row in talk.rows]
    assert source_recut(source=talk.source, progress=Silent()) == RecutOutcome()
    assert [(row.pk, row.start, row.end) for row in talk.rows] == before


def test_halves_of_a_word_become_one_clip_that_waits_to_be_heard(talk: Talk) -> None:
    """A sentence that was cut in two where there is no pause: both halves are one clip again, without a text."""
    Segment.objects.all().delete()
    sentence = talk.sentences[0]
    middle = (sentence.start + sentence.end) / 2
    left = _row(talk.source, 1, [sentence], flags=["forced_cut"])
    right = _row(talk.source, 2, [sentence], flags=["forced_cut"])
    place = next(n for n, word in enumerate(left.words) if left.start + word["end"] > middle)
    _part(left, left.words[: place + 1], left.start, middle)
    _part(right, right.words[place:], middle, right.end)
    outcome = source_recut(source=talk.source, progress=Silent())

    first = talk.rows[0]
    assert outcome.waiting >= 1
    assert first.start < sentence.start < sentence.end < first.end
    assert (first.text, first.transcribed_at) == ("", None)
    assert "forced_cut" not in first.flags
    assert talk.source.segments.untranscribed().filter(pk=first.pk).exists()


def _part(row: Segment, words: list[dict[str, Any]], start: float, end: float) -> None:
    moved = [
        {**w, "start": max(row.start + w["start"] - start, 0.0), "end": min(row.start + w["end"], end) - start}
        for w in words
    ]
    row.words, row.start, row.end, row.text = moved, start, end, " ".join(w["text"] for w in words)
    row.save()


def test_what_no_segment_takes_now_is_told(talk: Talk) -> None:
    talk.source.notices = [
        {"start": None, "end": None, "reason": "The sound was mono."},
        {"start": talk.sentences[0].start, "end": talk.sentences[0].end, "reason": "only a word"},
    ]
    talk.source.save()
    source_recut(source=talk.source, progress=Silent())
    notices = SourceVideo.objects.get(pk=talk.source.pk).notices
    assert notices[0]["reason"] == "The sound was mono."
    taken = [(row.start, row.end) for row in talk.rows]
    for notice in notices[1:]:
        assert not any(a <= notice["start"] and notice["end"] <= b for a, b in taken)


@pytest.mark.slow
def test_a_real_recording_is_transcribed_cut_anew_and_transcribed_where_it_changed(
    people: Any, demo: DemoRecording, tiny_whisper_bundle: Path, settings: Any
) -> None:
    settings.MODELS_DIR = tiny_whisper_bundle.parent
    source: SourceVideo = SourceFactory(
        owner=people.anna, state=SourceState.WAITING, original="original.mp4", seconds=0
    )
    source.folder.mkdir(parents=True)
    shutil.copy(demo.path, source.original_path)
    source_prepare(source=source, owner=people.anna, progress=Silent())
    source_transcribe(source=source, progress=Silent())

    source.refresh_from_db()
    assert source.state == SourceState.READY
    assert source.cut_by_words_at is not None
    rows = list(source.segments.order_by("index"))
    assert all(row.transcribed_at and row.text for row in rows)
    assert all(2 <= row.seconds <= 11.5 for row in rows)
    for sentence in demo.sentences:
        holders = [row for row in rows if row.start < sentence.end - 0.1 and row.end > sentence.start + 0.1]
        assert len(holders) == 1, f"“{sentence.text}” is whole in one segment"
    assert source_transcribe(source=source, progress=Silent()) == 0

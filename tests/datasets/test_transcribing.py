"""Transcription: the machine writes only where no person has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from datasets.choices import ReviewStatus, SourceState
from datasets.models import SourceVideo
from datasets.services.retranscribing import segments_retranscribe
from datasets.services.segments import segment_edit
from datasets.services.transcribing import source_transcribe
from tests.datasets.factories import SegmentFactory, SourceFactory, reviewed_source, write_master
from xttsproject.jobs.models import Job
from xttsproject.jobs.tasks import run
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent


@pytest.fixture
def whisper(random_whisper_bundle: Path, settings: Any) -> None:
    settings.MODELS_DIR = random_whisper_bundle.parent


@pytest.fixture
def one_by_one(settings: Any) -> None:
    """So small batches that people can come in between."""
    settings.WHISPER_BATCH_SIZE, settings.WHISPER_SHARE_WINDOWS = 1, False


@pytest.fixture
def cut(people: Any) -> SourceVideo:
    """Three segments that nobody has listened to."""
    source: SourceVideo = SourceFactory(owner=people.anna, state=SourceState.SEGMENTED)
    write_master(source, 9.0)
    for index in (1, 2, 3):
        SegmentFactory(source=source, index=index, text="", machine_text="")
    return source


@pytest.mark.usefixtures("whisper")
def test_every_segment_is_listened_to_once_and_the_recording_is_ready(cut: SourceVideo) -> None:
    said: list[str] = []
    assert source_transcribe(source=cut, progress=Callback(lambda _, message: said.append(message))) == 3
    assert cut.state == SourceState.READY
    assert said[:2] == ["loading tiny-whisper", "tiny-whisper: segments 1 to 3"]
    for segment in cut.segments.all():
        assert segment.transcribed_at is not None
        assert segment.transcribed_by == "tiny-whisper"
        assert segment.text == segment.machine_text
        assert segment.no_speech_probability is not None
        assert not segment.edited
        if not segment.text:
            assert "no_text" in segment.flags
    assert source_transcribe(source=cut, progress=Silent()) == 0


@pytest.mark.usefixtures("whisper")
def test_what_people_wrote_or_reviewed_stays(cut: SourceVideo, people: Any) -> None:
    first, second, third = cut.segments.order_by("index")
    segment_edit(segment=first, text="My own words.")
    second.text = "Machine's words, approved."
    second.save()
    second.review(ReviewStatus.APPROVED, people.anna)
    assert source_transcribe(source=cut, progress=Silent()) == 1
    texts = dict(cut.segments.values_list("index", "text"))
    assert (texts[1], texts[2]) == ("My own words.", "Machine's words, approved.")
    third.refresh_from_db()
    assert third.transcribed_at is not None


@pytest.mark.usefixtures("whisper", "one_by_one")
def test_a_correction_made_while_the_machine_listens_wins(cut: SourceVideo) -> None:
    def correct(_: float, message: str) -> None:
        if message.endswith("segment 2"):
            segment_edit(segment=cut.segments.get(index=2), text="Corrected meanwhile.")

    assert source_transcribe(source=cut, progress=Callback(correct)) == 2
    assert cut.segments.get(index=2).text == "Corrected meanwhile."


@pytest.mark.usefixtures("whisper", "one_by_one")
def test_cancelling_keeps_what_is_done_and_another_run_goes_on_there(cut: SourceVideo) -> None:
    def after_one() -> bool:
        return cut.segments.exclude(transcribed_at=None).count() == 1

    with pytest.raises(Cancelled):
        source_transcribe(source=cut, progress=Callback(should_stop=after_one))
    assert source_transcribe(source=cut, progress=Silent()) == 2
    assert cut.state == SourceState.READY


def test_without_a_model_the_recording_tells_why(cut: SourceVideo, people: Any, settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path
    segments_retranscribe(source=cut, owner=people.anna)
    assert run(str(Job.objects.get().pk)) == "failed"
    cut.refresh_from_db()
    assert (cut.state, cut.error_code) == (SourceState.FAILED, "model_missing")
    assert settings.WHISPER_BUNDLE in cut.error


@pytest.mark.usefixtures("whisper")
def test_a_ready_recording_stays_ready_when_its_sound_is_lost(people: Any) -> None:
    source = reviewed_source(people.anna, status=ReviewStatus.PENDING)
    shutil.rmtree(source.folder)
    segments_retranscribe(source=source, owner=people.anna)
    assert run(str(Job.objects.get().pk)) == "failed"
    source.refresh_from_db()
    assert source.state == SourceState.READY
    assert Job.objects.get().error_code == "master_missing"


def test_transcribing_anew_counts_only_what_it_may_touch(people: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna, segments=3, status=ReviewStatus.PENDING)
    source.segments.filter(index=1).update(edited=True)
    answer = api_for(people.anna).post(f"/api/v1/recordings/{source.pk}/transcribe/")
    assert answer.status_code == 202
    assert answer.json()["segments"] == 2
    assert answer.json()["job"]["kind"] == "datasets.transcribe"
    source.segments.update(edited=True)
    refused = api_for(people.anna).post(f"/api/v1/recordings/{source.pk}/transcribe/")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "nothing_to_transcribe"


def test_a_recording_that_is_not_cut_cannot_be_transcribed(people: Any) -> None:
    with pytest.raises(DomainError) as caught:
        segments_retranscribe(source=SourceFactory(owner=people.anna), owner=people.anna)
    assert caught.value.code == "not_segmented"

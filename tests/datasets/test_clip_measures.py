"""Every clip of a dataset is measured once, by the tiny model too, and compared with the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from datasets.models import Segment
from datasets.pipeline.screening.catalogue import MEASURES
from datasets.pipeline.screening.likeness import likeness
from datasets.services import clip_measures
from datasets.services.clip_measures import dataset_measure, dataset_measure_start, is_measured
from datasets.services.leaving_out import dataset_left_out
from datasets.services.sources import source_delete
from datasets.services.text_measures import TextMeasurer
from tests.datasets.factories import DatasetFactory, SegmentFactory, SourceFactory, reviewed_source
from xttsproject import storage
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent
from xttsproject.xtts.normaliser import normalise

RATE = 24_000
SECONDS = 3.0


@pytest.fixture
def case(people: SimpleNamespace, spoken: Any, settings: Any, tiny_bundle: Path) -> SimpleNamespace:
    """Six clips of three seconds of speech; the last is the first once more, a little later and quieter."""
    settings.MODELS_DIR, settings.XTTS_BUNDLE = tiny_bundle.parent, tiny_bundle.name
    source = SourceFactory(owner=people.anna, title="Talk")
    length = round(SECONDS * RATE)
    again = 0.5 * spoken[round(0.05 * RATE) : round(0.05 * RATE) + length]
    sound = np.concatenate([spoken[: 5 * length], again]).astype(np.float32)
    source.master_path.parent.mkdir(parents=True)
    write_wav(source.master_path, Audio(sound, RATE))
    clips = [
        SegmentFactory(source=source, index=number + 1, start=number * SECONDS, end=(number + 1) * SECONDS)
        for number in range(6)
    ]
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    return SimpleNamespace(people=people, anna=people.anna, source=source, dataset=dataset, clips=clips)


def measure(case: SimpleNamespace, progress: Any = None) -> Any:
    return dataset_measure(dataset=case.dataset, editor=case.anna, progress=progress or Silent())


def stored(case: SimpleNamespace) -> list[Segment]:
    return list(case.source.segments.order_by("index"))


def test_all_measures_of_a_clip_are_known_after_the_job(case: SimpleNamespace, work: Callable[[], list[str]]):
    job = dataset_measure_start(dataset=case.dataset, owner=case.anna)
    assert work() == ["succeeded"]
    job.refresh_from_db()
    assert job.result == {"clips": 6, "measured": 6, "notice": ""}
    first = stored(case)[0]
    assert is_measured(first)
    known = {measure.name for measure, _words in first.measures}
    # These are Whisper's to say, or need a pause or a piece that a clip of three seconds does not have.
    elsewhere = {"average_log_probability", "no_speech_probability", "language_probability", "tonal_background_db"}
    assert known >= set(MEASURES) - elsewhere - {"duplicate", "background_db", "piece_deviation"}
    assert 0.3 < first.quality["speech_ratio"] <= 1
    assert -40 < first.quality["loudness_lufs"] < -5
    assert first.quality["bandwidth_hz"] > 5000
    assert first.quality["problem"] is None
    assert first.quality["tokens"] > 5
    assert first.quality["speaker_similarity"] > 0.8


def test_tokens_are_counted_as_training_counts_them(tiny_bundle: Path):
    from xttsproject.xtts.networks import load_tokenizer

    segment = SegmentFactory.build(text="“He went home.”", source=None)
    counted = TextMeasurer(tiny_bundle).measure(segment, "en")["tokens"]
    tokenizer = load_tokenizer(tiny_bundle)
    spoken = normalise(segment.text, "en")
    assert counted == len(tokenizer.encode_sentence(spoken, "en")) < len(tokenizer.encode(spoken, "en"))


def test_a_clip_that_sounds_like_an_earlier_one_names_it(case: SimpleNamespace):
    measure(case)
    assert [clip.quality["duplicate_of"] for clip in stored(case)] == [None] * 5 + [case.clips[0].pk]


def test_what_is_measured_is_not_measured_again_until_it_changes(case: SimpleNamespace):
    assert measure(case).anew == 6
    assert measure(case).anew == 0
    Segment.objects.filter(pk=case.clips[2].pk).update(text="Another text, heard anew.")
    assert measure(case).anew == 1
    # The files by which clips are compared can be made anew too.
    (storage.recording_prints(case.source.pk) / f"{case.clips[3].pk}.npz").write_bytes(b"damaged")
    assert measure(case).anew == 1


def test_an_interrupted_job_goes_on_where_it_was(case: SimpleNamespace):
    written: list[int] = []

    def should_stop() -> bool:
        written.append(sum(is_measured(clip) for clip in stored(case)))
        return written[-1] == 3

    with pytest.raises(Cancelled):
        measure(case, Callback(should_stop=should_stop))
    assert measure(case).anew == 3


def test_signs_that_the_model_does_not_know_keep_a_clip_out(case: SimpleNamespace):
    Segment.objects.update(status="approved")
    Segment.objects.filter(pk=case.clips[1].pk).update(text="Notes like λ are sung.")
    measure(case)
    problem = stored(case)[1].quality["problem"]
    assert (problem["code"], "λ" in problem["reason"]) == ("text_unknown", True)
    rows = dataset_left_out(dataset=case.dataset, viewer=case.anna).rows
    assert [(row["index"], row["code"]) for row in rows] == [(2, "text_unknown")]


def test_without_a_model_the_rest_is_measured_and_the_job_says_so(case: SimpleNamespace, settings: Any):
    settings.XTTS_BUNDLE = "nowhere"
    measured = measure(case)
    assert "no model “nowhere”" in measured.notice
    first = stored(case)[0]
    assert first.quality["speaker_similarity"] is None
    assert first.quality["snr_db"] > 0


def test_files_of_segments_that_are_gone_go_too(case: SimpleNamespace):
    measure(case)
    case.clips[5].delete()
    Segment.objects.filter(pk=case.clips[0].pk).update(text="Changed.")
    measure(case)
    assert len(list(storage.recording_prints(case.source.pk).glob("*.npz"))) == 5


def test_other_recordings_of_the_speaker_count_for_the_centre(case: SimpleNamespace, monkeypatch: Any):
    measure(case)
    second = reviewed_source(case.anna, speaker=case.source.speaker)
    other = DatasetFactory(owner=case.anna, speaker=case.source.speaker, sources=[second])
    seen: list[int] = []
    real = likeness

    def counted(clips: Any) -> Any:
        seen.append(len(clips))
        return real(clips)

    monkeypatch.setattr(clip_measures, "likeness", counted)
    dataset_measure(dataset=other, editor=case.anna, progress=Silent())
    assert seen == [second.segments.count() + 6]


def test_a_recording_without_sound_says_what_to_do(case: SimpleNamespace):
    case.source.master_path.unlink()
    with pytest.raises(DomainError, match="upload it again"):
        measure(case)


def test_a_dataset_without_clips_says_what_to_do(case: SimpleNamespace):
    case.source.segments.all().delete()
    with pytest.raises(DomainError, match="nothing to measure"):
        dataset_measure_start(dataset=case.dataset, owner=case.anna)


def test_a_clip_that_is_cut_anew_meanwhile_keeps_what_is_measured_of_it(
    case: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
):
    measure(case)
    Segment.objects.update(quality={**stored(case)[1].quality, "pace": 9.0})

    def cut_meanwhile(clips: Any) -> Any:
        Segment.objects.filter(pk=case.clips[1].pk).update(end=5.5, quality={"snr_db": 33.0})
        return likeness(clips)

    monkeypatch.setattr(clip_measures, "likeness", cut_meanwhile)
    measure(case)
    assert stored(case)[1].quality == {"snr_db": 33.0}
    assert stored(case)[2].quality["pace"] < 9


def test_a_recording_deleted_while_it_is_measured_is_named_and_leaves_no_file(
    case: SimpleNamespace, django_capture_on_commit_callbacks: Any
):
    def delete(_: float, message: str) -> None:
        if "segment 3" in message:
            with django_capture_on_commit_callbacks(execute=True):
                source_delete(source=type(case.source).objects.get(pk=case.source.pk))

    with pytest.raises(DomainError) as caught:
        measure(case, Callback(delete))
    assert caught.value.code == "subject_gone"
    assert "“Talk” was deleted" in caught.value.message
    assert not case.source.folder.exists()

"""Doubtful clips go to a second model; the better of both stays, and it is said whose it is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datasets.choices import ReviewStatus, SourceState
from datasets.models import SourceVideo
from datasets.pipeline.transcribe import Transcriber
from datasets.pipeline.transcript import Transcript, Word
from datasets.services import transcribers
from datasets.services.segments import segment_edit
from datasets.services.transcribing import source_transcribe
from tests.datasets.factories import SegmentFactory, SourceFactory, write_master
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent

SURE = Transcript("He went home.", "en", 0.9, (Word("He", 0.1, 0.2, 0.9),), -0.2, 0.01, 1.0)
UNSURE = replace(SURE, text="He vent om.", avg_logprob=-1.5)
LOOP = replace(SURE, text="home " * 40, compression_ratio=9.0)
SILENT = replace(SURE, text="", words=(), no_speech_prob=0.9)


class Scripted(Transcriber):
    """Hears what it is told to, in the order of the clips that it gets; the rest of the way is the real one."""

    def __init__(self, answers: list[Transcript]):
        super().__init__(SimpleNamespace(supported_languages=["en"]))
        self.answers, self.asked = answers, 0
        self.retries: list[Any] = []

    def clips_of_a_batch(self, seconds: Any, listening: Any) -> int:
        return 2

    def transcribe_many(self, clips: Any, language: str, listening: Any = None, progress: Any = None) -> Any:
        self.retries.append(listening.retries)
        first, self.asked = self.asked, self.asked + len(clips)
        return self.answers[first : self.asked]


@pytest.fixture
def models(random_whisper_bundle: Path, settings: Any, tmp_path: Path) -> Path:
    """Two bundles on disk: "tiny-whisper", and "larger", which is the second."""
    for name in ("tiny-whisper", "larger"):
        shutil.copytree(random_whisper_bundle, tmp_path / "models" / name)
    settings.MODELS_DIR, settings.WHISPER_SECOND_BUNDLE = tmp_path / "models", "larger"
    return tmp_path / "models"


@pytest.fixture
def scripted(models: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(**answers: list[Transcript]) -> dict[str, Scripted]:
        known = {name.replace("_", "-"): Scripted(list(said)) for name, said in answers.items()}
        monkeypatch.setattr(transcribers, "_loaded", lambda path, *_: known[path.name])
        return known

    return make


@pytest.fixture
def cut(people: Any) -> SourceVideo:
    source: SourceVideo = SourceFactory(owner=people.anna, state=SourceState.SEGMENTED)
    write_master(source, 12.0)
    for index in (1, 2, 3, 4):
        SegmentFactory(source=source, index=index, text="", machine_text="")
    return source


def told(source: SourceVideo) -> list[tuple[str, str]]:
    return list(source.segments.order_by("index").values_list("text", "transcribed_by"))


def test_only_doubtful_clips_are_heard_again_and_the_better_text_stays(cut: SourceVideo, scripted: Any) -> None:
    known = scripted(
        tiny_whisper=[SURE, UNSURE, LOOP, SILENT], larger=[replace(SURE, text="He went home then."), LOOP, SILENT]
    )
    assert source_transcribe(source=cut, progress=Silent()) == 4
    assert told(cut) == [
        ("He went home.", "tiny-whisper"),
        ("He went home then.", "larger"),
        # Two loops: neither is the better one, so the second model's stays as the later word.
        (LOOP.text, "larger"),
        ("", "larger"),
    ]
    assert known["larger"].asked == 3
    assert not cut.segments.filter(awaits_second=True).exists()
    # The first leaves what it doubts to the second, which tries at rising temperatures.
    assert {bool(retries) for retries in known["tiny-whisper"].retries} == {False}
    assert {bool(retries) for retries in known["larger"].retries} == {True}
    assert "unsure" not in cut.segments.get(index=2).flags
    assert "repetitive" in cut.segments.get(index=3).flags


def test_a_worse_second_hearing_changes_nothing(cut: SourceVideo, scripted: Any) -> None:
    scripted(tiny_whisper=[SURE, UNSURE, UNSURE, SURE], larger=[SILENT, LOOP])
    source_transcribe(source=cut, progress=Silent())
    assert told(cut)[1:3] == [("He vent om.", "tiny-whisper")] * 2
    assert "unsure" in cut.segments.get(index=2).flags
    assert not cut.segments.filter(awaits_second=True).exists()


def test_what_a_person_does_between_the_passes_stays(cut: SourceVideo, scripted: Any, people: Any) -> None:
    scripted(tiny_whisper=[UNSURE] * 4, larger=[SURE] * 4)

    def meanwhile(_: float, message: str) -> None:
        if message == "loading larger":
            segment_edit(segment=cut.segments.get(index=1), text="My own words.")
            cut.segments.get(index=2).review(ReviewStatus.REJECTED, people.anna)

    source_transcribe(source=cut, progress=Callback(meanwhile))
    assert told(cut) == [
        ("My own words.", "tiny-whisper"),
        ("He vent om.", "tiny-whisper"),
        ("He went home.", "larger"),
        ("He went home.", "larger"),
    ]


def test_a_second_pass_that_was_cut_off_goes_on_where_it_was(cut: SourceVideo, scripted: Any) -> None:
    known = scripted(tiny_whisper=[UNSURE] * 4, larger=[SURE] * 4)

    def after_two() -> bool:
        return cut.segments.filter(transcribed_by="larger").count() == 2

    with pytest.raises(Cancelled):
        source_transcribe(source=cut, progress=Callback(should_stop=after_two))
    assert cut.segments.filter(awaits_second=True).count() == 2
    source_transcribe(source=cut, progress=Silent())
    assert [name for _text, name in told(cut)] == ["larger"] * 4
    assert (known["tiny-whisper"].asked, known["larger"].asked) == (4, 4)
    assert cut.state == SourceState.READY


def test_a_second_model_that_is_not_there_is_said_before_the_first_has_listened(
    cut: SourceVideo, scripted: Any, models: Path
) -> None:
    known = scripted(tiny_whisper=[SURE] * 4)
    shutil.rmtree(models / "larger")
    with pytest.raises(DomainError) as caught:
        source_transcribe(source=cut, progress=Silent())
    assert caught.value.code == "model_missing"
    assert known["tiny-whisper"].asked == 0


def test_without_a_second_model_the_first_tries_again_itself(cut: SourceVideo, scripted: Any, settings: Any) -> None:
    settings.WHISPER_SECOND_BUNDLE = ""
    known = scripted(tiny_whisper=[UNSURE] * 4)
    source_transcribe(source=cut, progress=Silent())
    assert {bool(retries) for retries in known["tiny-whisper"].retries} == {True}
    assert not cut.segments.filter(awaits_second=True).exists()


def test_both_passes_run_with_real_models(cut: SourceVideo, models: Path) -> None:
    assert source_transcribe(source=cut, progress=Silent()) == 4
    assert {name for _text, name in told(cut)} <= {"tiny-whisper", "larger"}
    assert not cut.segments.filter(awaits_second=True).exists()

"""A recording's language is named by a person or heard by the first transcription; what cannot be told is asked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import UNDETERMINED, Origin, ReviewStatus, SourceState
from datasets.models import Playlist, SourceVideo
from datasets.pipeline.fetch_captions import choose_tracks
from datasets.pipeline.heard_language import clips_to_hear, majority
from datasets.pipeline.transcribe import Transcriber
from datasets.services.datasets import dataset_create
from datasets.services.language_choice import source_language_set
from datasets.services.languages import recording_language
from datasets.services.segments import segment_edit, segment_review
from datasets.services.transcribing import source_transcribe
from tests.datasets.factories import DatasetFactory, SegmentFactory, SourceFactory, SpeakerFactory, write_master
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent

API = "/api/v1/recordings/"


@pytest.fixture
def whisper(random_whisper_bundle: Path, settings: Any) -> None:
    settings.MODELS_DIR = random_whisper_bundle.parent


@pytest.fixture
def hears(whisper: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The real model, but for what it says of languages: random weights have no ear for them."""

    def make(**shares: float) -> list[str]:
        forced: list[str] = []
        monkeypatch.setattr(Transcriber, "heard_languages", lambda *_args, **_named: shares)
        listen = Transcriber.transcribe_many

        def spy(self: Any, clips: Any, language: str, *rest: Any) -> Any:
            forced.append(language)
            return listen(self, clips, language, *rest)

        monkeypatch.setattr(Transcriber, "transcribe_many", spy)
        return forced

    return make


@pytest.fixture
def cut(people: Any) -> SourceVideo:
    """Three segments that nobody has listened to, in a language that nobody has named."""
    source: SourceVideo = SourceFactory(
        owner=people.anna, title="Talk", state=SourceState.SEGMENTED, language=UNDETERMINED
    )
    write_master(source, 9.0)
    for index in (1, 2, 3):
        SegmentFactory(source=source, index=index, text="", machine_text="")
    return source


def test_the_longest_clip_of_each_part_is_heard() -> None:
    assert clips_to_hear([1, 5, 2, 2, 9, 1], most=3) == [1, 2, 4]
    assert clips_to_hear([3, 4], most=16) == [0, 1]
    assert clips_to_hear([]) == []
    assert len(clips_to_hear([2.0] * 1000)) == 16


def test_the_likeliest_language_needs_half_of_the_probability() -> None:
    found = majority({"pt": 0.5, "es": 0.45, "gl": 0.05}, 4)
    assert (found.code, found.probability, found.clips, found.is_sure) == ("pt", 0.5, 4, True)
    assert not majority({"pt": 0.49, "es": 0.48}, 4).is_sure


def test_a_real_model_gives_every_language_a_share(random_whisper_bundle: Path, cut: SourceVideo) -> None:
    from xttsproject.lib.audio import read_wav

    model = Transcriber.load(random_whisper_bundle, device="cpu", compute_type="int8", threads=1)
    clips = [read_wav(cut.master_path, start, start + 2.0) for start in (0.0, 3.0, 6.0)]
    shares = model.heard_languages(clips, batch=2)
    assert len(shares) == 99
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)
    assert shares == pytest.approx(model.heard_languages(clips, batch=3), abs=1e-4)
    with pytest.raises(Cancelled):
        model.heard_languages(clips, 2, Callback(should_stop=lambda: True))


def test_what_is_heard_becomes_the_language_of_all_that_follows(cut: SourceVideo, hears: Any) -> None:
    forced = hears(pt=0.83, es=0.12, gl=0.05)
    assert source_transcribe(source=cut, progress=Silent()) == 3
    cut.refresh_from_db()
    assert (cut.language, cut.state, cut.error) == ("pt", SourceState.READY, "")
    assert cut.heard_language == {"language": "pt", "probability": 0.83, "clips": 3}
    assert set(forced) == {"pt"}
    dataset = dataset_create(owner=cut.owner, name="Fala", speaker=cut.speaker, language=cut.language, sources=[cut])
    assert dataset.language == "pt"


def test_whispers_chinese_is_xtts_chinese(cut: SourceVideo, hears: Any) -> None:
    hears(zh=0.9, ja=0.1)
    source_transcribe(source=cut, progress=Silent())
    cut.refresh_from_db()
    assert cut.language == "zh-cn"


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ({"pt": 0.4, "es": 0.35}, "cannot be told: the likeliest is Portuguese (40%); choose the language."),
        ({"uk": 0.91, "ru": 0.09}, "sounds like Ukrainian (91%), which XTTS does not speak"),
    ],
)
def test_what_cannot_be_told_waits_for_a_person(
    cut: SourceVideo, hears: Any, people: Any, page_for: Any, api_for: Any, work: Any, shares: Any, sentence: str
) -> None:
    forced = hears(**shares)
    assert source_transcribe(source=cut, progress=Silent()) == 0
    assert (cut.state, cut.error_code, cut.language) == (SourceState.ASKING, "language_undetermined", UNDETERMINED)
    assert sentence in cut.error
    assert forced == []
    page = page_for(people.anna)
    shown = page.get(reverse("datasets:source-detail", args=[cut.pk])).content.decode()
    assert sentence in shown
    assert "Use this language" in shown
    answer = page.post(reverse("datasets:source-language", args=[cut.pk]), {"language": "pt"})
    assert answer.url == reverse("datasets:source-detail", args=[cut.pk])
    assert work() == ["succeeded"]
    cut.refresh_from_db()
    assert (cut.state, cut.language, cut.heard_language, cut.error) == (SourceState.READY, "pt", {}, "")
    assert forced == ["pt"]
    assert api_for(people.anna).get(f"{API}{cut.pk}/").json()["language"] == "pt"


def test_a_model_of_one_language_says_so_and_asks(cut: SourceVideo, tiny_whisper_bundle: Path, settings: Any) -> None:
    settings.MODELS_DIR = tiny_whisper_bundle.parent
    assert source_transcribe(source=cut, progress=Silent()) == 0
    assert cut.state == SourceState.ASKING
    assert cut.error == (
        "The transcription model “tiny-whisper” knows English only, so it cannot tell which language “Talk” is in; "
        "choose the language."
    )


def test_a_language_named_while_the_model_listens_stands(
    cut: SourceVideo, hears: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced = hears()

    def named_meanwhile(*_args: Any, **_named: Any) -> dict[str, float]:
        SourceVideo.objects.filter(pk=cut.pk).update(language="es")
        return {"pt": 0.9}

    monkeypatch.setattr(Transcriber, "heard_languages", named_meanwhile)
    assert source_transcribe(source=cut, progress=Silent()) == 3
    cut.refresh_from_db()
    assert (cut.language, cut.heard_language) == ("es", {})
    assert forced == ["es"]


def test_several_recordings_are_heard_each_for_itself(
    cut: SourceVideo, hears: Any, people: Any, api_for: Any, work: Any
) -> None:
    forced = hears(pt=0.9)
    other = SourceFactory(owner=people.anna, language="en")
    write_master(other, 3.0)
    SegmentFactory(source=other, index=1)
    ids = [*cut.segments.values_list("pk", flat=True), *other.segments.values_list("pk", flat=True)]
    api_for(people.anna).post("/api/v1/segments/transcribe/", {"ids": ids})
    assert work() == ["succeeded"]
    assert Job.objects.get().result == {"transcribed": 4}
    assert set(forced) == {"en", "pt"}


def test_before_the_language_is_known_texts_can_be_written_but_not_approved(cut: SourceVideo, people: Any) -> None:
    segment = segment_edit(segment=cut.segments.get(index=1), text="Bom dia.")
    assert segment.flags == []
    with pytest.raises(DomainError) as caught:
        segment_review(segment=segment, status=ReviewStatus.APPROVED, reviewer=people.anna)
    assert "language of the recording is not known yet" in caught.value.message
    with pytest.raises(DomainError) as refused:
        dataset_create(owner=people.anna, name="X", speaker=cut.speaker, language=cut.language, sources=[cut])
    assert refused.value.code == "language_undetermined"


def test_a_wrong_language_is_changed_and_only_what_nobody_touched_is_heard_again(
    cut: SourceVideo, hears: Any, people: Any, work: Any
) -> None:
    forced = hears(es=0.9)
    source_transcribe(source=cut, progress=Silent())
    segment_edit(segment=cut.segments.get(index=2), text="Bom dia.")
    source_language_set(source=cut, language="pt-BR", owner=people.anna)
    assert work() == ["succeeded"]
    assert (cut.language, set(forced)) == ("pt", {"es", "pt"})
    assert cut.segments.get(index=2).text == "Bom dia."
    assert source_language_set(source=cut, language="pt", owner=people.anna) is None


def test_a_language_is_not_changed_under_a_dataset_a_job_or_an_approval(cut: SourceVideo, people: Any) -> None:
    def refused(language: str) -> str:
        with pytest.raises(DomainError) as caught:
            source_language_set(source=cut, language=language, owner=people.anna)
        return caught.value.code

    assert refused("xx") == "language_unsupported"
    assert source_language_set(source=cut, language="en", owner=people.anna) is not None
    assert refused("pt") == "language_busy"
    Job.objects.all().delete()
    dataset = DatasetFactory(owner=people.anna, speaker=cut.speaker, sources=[cut])
    assert refused("pt") == "language_in_use"
    dataset.delete()
    cut.segments.filter(index=1).update(status=ReviewStatus.APPROVED)
    assert refused("detect") == "language_settled"
    cut.segments.update(status=ReviewStatus.PENDING)
    SourceVideo.objects.filter(pk=cut.pk).update(origin=Origin.DATASET)
    assert refused("detect") == "language_settled"


def test_nothing_waits_where_people_have_decided_on_everything(cut: SourceVideo, people: Any) -> None:
    cut.ask_language("Which one?", {})
    cut.segments.update(edited=True)
    assert source_language_set(source=cut, language="pt", owner=people.anna) is None
    assert (cut.state, cut.error) == (SourceState.READY, "")


def test_a_stranger_neither_sees_nor_names_the_language(
    cut: SourceVideo, people: Any, page_for: Any, api_for: Any
) -> None:
    page = reverse("datasets:source-language", args=[cut.pk])
    for language in ("pt", "detect"):
        assert page_for(people.ben).post(page, {"language": language}).status_code == 404
        assert api_for(people.ben).post(f"{API}{cut.pk}/language/", {"language": language}).status_code == 404
    cut.visibility = "team"
    cut.save()
    assert page_for(people.ben).post(page, {"language": "pt"}).status_code == 403
    assert api_for(people.ben).post(f"{API}{cut.pk}/language/", {"language": "pt"}).status_code == 403
    assert "datasets:source-language" not in page_for(people.ben).get(f"/recordings/{cut.pk}/").content.decode()
    cut.refresh_from_db()
    assert cut.language == UNDETERMINED
    assert api_for(people.cora).post(f"{API}{cut.pk}/language/", {"language": "pt"}).status_code == 200
    assert api_for(people.anna).post(f"{API}{cut.pk}/language/", {"language": "xx"}).status_code == 400


@pytest.mark.usefixtures("whisper")
def test_detection_can_be_asked_for_at_every_door(
    people: Any, talk: Path, tmp_path: Path, page_for: Any, api_for: Any, settings: Any
) -> None:
    from django.core.management import call_command

    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    speaker = SpeakerFactory(owner=people.anna)
    page, api = page_for(people.anna), api_for(people.anna)
    common = {"speaker": speaker.pk, "language": "detect", "visibility": "private"}
    with talk.open("rb") as file:
        assert page.post("/recordings/add/", {**common, "kind": "upload", "file": file}).status_code == 302
    here = {"kind": "url", "url": "http://127.0.0.1/talk.mp4"}
    assert page.post("/recordings/add/", {**common, **here}).status_code == 302
    assert page.post("/recordings/add/", {**common, **here, "list": "1"}).status_code == 302
    made = api.post(API, {**common, "url": "http://127.0.0.1/other.mp4"})
    assert (made.status_code, made.json()["language"]) == (201, "und")
    listed = api.post("/api/v1/playlists/", {**common, "url": "http://127.0.0.1/list"})
    assert (listed.status_code, listed.json()["language"]) == (201, "und")
    copy = tmp_path / "copy.mp4"
    shutil.copy(talk, copy)
    with copy.open("ab") as file:
        file.write(b"\0" * 8)
    call_command("ingest", str(copy), owner="anna", speaker=speaker.name, language="detect")
    assert list(SourceVideo.objects.values_list("language", flat=True)) == [UNDETERMINED] * 4
    assert list(Playlist.objects.values_list("language", flat=True)) == [UNDETERMINED] * 2
    assert len(api.get(API, {"language": "und"}).json()["results"]) == 4
    form = page.get("/datasets/import/").content.decode()
    assert 'value="detect"' not in form
    assert 'value="detect"' in page.get("/recordings/add/").content.decode()


def test_the_admin_has_it_detected_anew(cut: SourceVideo, people: Any, page_for: Any) -> None:
    cut.language = "en"
    cut.save()
    url = reverse("admin:datasets_sourcevideo_changelist")
    page_for(people.root).post(url, {"action": "detect_language", "_selected_action": [str(cut.pk)]})
    cut.refresh_from_db()
    assert cut.language == UNDETERMINED
    assert Job.objects.get().kind == "datasets.transcribe"


def test_an_unknown_code_names_detection_among_the_choices() -> None:
    assert (recording_language(" Detect "), recording_language("und"), recording_language("en-GB")) == (
        UNDETERMINED,
        UNDETERMINED,
        "en",
    )
    with pytest.raises(DomainError, match="hi, or detect"):
        recording_language("xx")


def test_of_an_unknown_language_the_captions_that_were_heard_are_kept() -> None:
    source = [{"ext": "vtt", "url": "https://example.org/a.vtt"}]
    heard = {"en": source, "pt-orig": source, "pt": source}
    assert [track.language for track in choose_tracks({}, heard, UNDETERMINED)] == ["pt"]

from __future__ import annotations

import os
import uuid
import wave
from typing import Any

import numpy as np
import pytest

from datasets.choices import ReviewStatus
from tests.voices.factories import SegmentFactory, SourceFactory, SpeakerFactory, make_checkpoint, speechlike
from voices.choices import Channel, VoiceState
from voices.models import Synthesis, Voice
from voices.services import (
    Upload,
    checkpoint_clips,
    speech_make,
    synthesis_delete,
    voice_create,
    voice_delete,
    voice_find,
    voice_prepare_again,
    voice_share,
)
from voices.services.runtime import speech_owner, speech_owner_close
from voices.services.wishes import Wish
from xttsproject import storage
from xttsproject.lib.audio import read_wav, write_wav
from xttsproject.lib.errors import DomainError

SAID = "The weather is fine today."


def speak(user: Any, voice: Voice, **changes: Any) -> Synthesis:
    fields: dict[str, Any] = {"text": SAID, "sampling": {"seed": 7}, "channel": Channel.API, **changes}
    return speech_make(wish=Wish(user=user, voice=voice, **fields))


def nothing_is_left() -> bool:
    voices = storage.voice_dir(uuid.uuid4()).parent
    return not Voice.objects.exists() and not (voices.is_dir() and list(voices.iterdir()))


def test_a_voice_of_an_upload_is_prepared_and_speaks_at_24_000_hertz(people, make_voice):
    voice = make_voice(people.anna)
    assert (voice.state, voice.bundle, voice.checkpoint) == (VoiceState.READY, "tiny", None)
    synthesis = speak(people.anna, voice)
    with wave.open(str(synthesis.audio_path)) as handle:
        assert (handle.getframerate(), handle.getnchannels(), handle.getsampwidth()) == (24_000, 1, 2)
        seconds = handle.getnframes() / 24_000
    assert seconds == pytest.approx(synthesis.seconds, abs=0.001)
    # 26 characters: below the cap of codes (46.4 ms each), above nothing.
    assert 0.2 < seconds < (40 + 26 * 4) * 1024 / 22_050 + 0.1
    (sentence,) = synthesis.sentences
    assert sentence["text"] == SAID
    assert sentence["end"] == pytest.approx(seconds, abs=0.01)
    assert (synthesis.owner, synthesis.voice, synthesis.language) == (people.anna, voice, "en")
    assert synthesis.sampling["seed"] == 7


@pytest.mark.parametrize("wanted", [True, False])
def test_whether_steps_are_recorded_is_a_setting(settings: Any, wanted: bool) -> None:
    settings.SPEECH_GRAPHS = wanted
    speech_owner_close()
    assert speech_owner().settings.graphs is wanted
    speech_owner_close()


def test_the_same_seed_gives_the_same_sound_even_after_the_model_was_unloaded(people, make_voice):
    voice = make_voice(people.anna)
    first = read_wav(speak(people.anna, voice).audio_path).samples
    speech_owner_close()
    np.testing.assert_array_equal(read_wav(speak(people.anna, voice).audio_path).samples, first)
    other = read_wav(speak(people.anna, voice, sampling={"seed": 8}).audio_path).samples
    assert other.shape != first.shape or not np.array_equal(other, first)


def test_a_drawn_seed_is_kept_so_that_the_speech_can_be_had_again(people, make_voice):
    voice = make_voice(people.anna)
    drawn = speak(people.anna, voice, sampling={})
    again = speak(people.anna, voice, sampling={"seed": drawn.sampling["seed"]})
    np.testing.assert_array_equal(read_wav(again.audio_path).samples, read_wav(drawn.audio_path).samples)


def test_a_voices_defaults_hold_where_nothing_else_is_asked_for(people, make_voice):
    voice = make_voice(people.anna)
    voice.defaults = {"temperature": 0.3, "seed": 5}
    assert speak(people.anna, voice, sampling={"seed": None}).sampling["seed"] == 5
    assert speak(people.anna, voice, sampling={"temperature": 0.6}).sampling["temperature"] == 0.6


def test_a_checkpoints_voice_takes_the_longest_training_clips_until_thirty_seconds(people, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    clips = checkpoint_clips(checkpoint)
    assert [clip.audio.seconds for clip in clips] == [8, 7, 6, 5, 4]
    assert clips[0].text == "Sentence 8."


def test_unfit_training_clips_are_passed_over(people, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    folder = checkpoint.run.version.folder / "clips"
    silent = speechlike(8.0, 22_050)
    silent.samples[:] = 0
    write_wav(folder / "c8.wav", silent)
    (folder / "c7.wav").unlink()
    assert [clip.audio.seconds for clip in checkpoint_clips(checkpoint)] == [6, 5, 4]


def test_a_checkpoints_voice_speaks_with_its_adapter(people, make_voice, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    tuned = make_voice(people.anna, checkpoint=checkpoint, uploads=[])
    assert tuned.speaker == checkpoint.run.version.dataset.speaker
    assert [round(clip.seconds) for clip in tuned.clips.all()] == [8, 7, 6, 5, 4]
    clips = [Upload(clip.name, clip.path) for clip in tuned.clips.all()]
    base = make_voice(people.anna, "Base", speaker=tuned.speaker, uploads=clips)
    assert tuned.model_key != base.model_key
    one, other = (read_wav(speak(people.anna, voice).audio_path).samples for voice in (tuned, base))
    assert one.shape != other.shape or not np.allclose(one, other)
    assert speech_owner().status().models == 2
    assert speech_owner().settings.packed_dir == storage.packed_dir()


def test_approved_segments_of_one_speaker_make_a_voice(people, make_voice):
    source = SourceFactory(owner=people.anna)
    segments = [SegmentFactory(source=source, start=start, end=start + 2.5) for start in (1.0, 6.0)]
    voice = make_voice(people.anna, uploads=[], segments=segments, language="")
    assert (voice.speaker, voice.language) == (source.speaker, "en")
    first = voice.clips.first()
    assert first.seconds == pytest.approx(2.5, abs=0.001)
    np.testing.assert_array_equal(read_wav(first.path).samples, read_wav(source.master_path, 1.0, 3.5).samples)


@pytest.mark.parametrize("status", [ReviewStatus.PENDING, ReviewStatus.REJECTED])
def test_segments_that_nobody_approved_make_no_voice(people, speaking, status):
    segment = SegmentFactory(source=SourceFactory(owner=people.anna), status=status)
    with pytest.raises(DomainError) as caught:
        voice_create(owner=people.anna, name="Vera", segments=[segment])
    assert caught.value.code == "segment_not_approved"
    assert nothing_is_left()


def test_segments_of_two_speakers_make_no_voice(people, speaking):
    segments = [SegmentFactory(source=SourceFactory(owner=people.anna)) for _ in range(2)]
    with pytest.raises(DomainError) as caught:
        voice_create(owner=people.anna, name="Vera", segments=segments)
    assert caught.value.code in ("segments_mixed", "speaker_mismatch")
    assert nothing_is_left()


def test_an_upload_that_is_no_sound_is_refused_by_the_name_its_owner_knows(people, speaking, tmp_path):
    path = tmp_path / "tmp1234.upload"
    path.write_text("not a sound at all" * 100)
    with pytest.raises(DomainError) as caught:
        voice_create(
            owner=people.anna,
            name="Vera",
            speaker=SpeakerFactory(owner=people.anna),
            language="en",
            uploads=[Upload("holiday.mp3", path)],
        )
    assert (caught.value.code, caught.value.field) == ("not_media", "clips")
    assert "holiday.mp3" in caught.value.message
    assert "tmp1234" not in caught.value.message
    assert nothing_is_left()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "name_empty"),
        ({"name": "x" * 121}, "name_too_long"),
        ({"speaker": None}, "speaker_missing"),
        ({"language": ""}, "language_missing"),
        ({"language": "xx"}, "language_unsupported"),
        ({"uploads": []}, "clips_missing"),
    ],
)
def test_what_a_voice_needs_is_asked_for_and_nothing_is_left(people, speaking, clip, changes, code):
    fields: dict[str, Any] = {
        "name": "Vera",
        "speaker": SpeakerFactory(owner=people.anna),
        "language": "en",
        "uploads": [Upload("mum.wav", clip)],
        **changes,
    }
    with pytest.raises(DomainError) as caught:
        voice_create(owner=people.anna, **fields)
    assert caught.value.code == code
    assert nothing_is_left()


def test_a_name_is_taken_once_per_person(people, make_voice):
    make_voice(people.anna)
    make_voice(people.ben)
    with pytest.raises(DomainError) as caught:
        make_voice(people.anna)
    assert (caught.value.code, caught.value.field) == ("duplicate", "name")


def test_a_speaker_that_differs_from_the_checkpoints_is_refused(people, speaking):
    with pytest.raises(DomainError) as caught:
        voice_create(
            owner=people.anna,
            name="Vera",
            checkpoint=make_checkpoint(people.anna, speaking),
            speaker=SpeakerFactory(owner=people.anna),
        )
    assert caught.value.code == "speaker_mismatch"
    assert nothing_is_left()


def test_latents_are_computed_once_and_kept(people, make_voice, work):
    voice = make_voice(people.anna)
    before = voice.conditioning_path.stat()
    key = voice.conditioning_key
    speak(people.anna, voice)
    Voice.objects.filter(pk=voice.pk).update(name="Another name", visibility="team")
    voice_prepare_again(voice=voice)
    assert work() == ["succeeded"]
    voice.refresh_from_db()
    after = voice.conditioning_path.stat()
    assert (voice.state, voice.conditioning_key) == (VoiceState.READY, key)
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert len(list(voice.folder.glob("conditioning-*"))) == 1


def test_latents_depend_on_clips_and_model_alone(people, make_voice, speaking, tmp_path):
    voice = make_voice(people.anna)
    twin = make_voice(people.ben)
    assert twin.conditioning_key == voice.conditioning_key
    assert twin.conditioning_path != voice.conditioning_path
    assert twin.conditioning_path.read_bytes() == voice.conditioning_path.read_bytes()
    path = tmp_path / "dad.wav"
    write_wav(path, speechlike(5.0, seed=9))
    other_clip = make_voice(people.anna, "Dad", uploads=[Upload("dad.wav", path)])
    checkpoint = make_checkpoint(people.anna, speaking)
    tuned = make_voice(people.anna, "Tuned", checkpoint=checkpoint, uploads=[Upload("mum.wav", voice.clips.get().path)])
    assert len({voice.conditioning_key, other_clip.conditioning_key, tuned.conditioning_key}) == 3


def test_a_voice_whose_model_is_missing_fails_with_the_cause_and_can_be_prepared_later(
    people, clip, work, speaking, settings
):
    good = settings.MODELS_DIR
    settings.MODELS_DIR = clip.parent / "no-models"
    voice = voice_create(
        owner=people.anna,
        name="Vera",
        speaker=SpeakerFactory(owner=people.anna),
        language="en",
        uploads=[Upload("mum.wav", clip)],
    )
    assert work() == ["failed"]
    voice.refresh_from_db()
    assert (voice.state, voice.error_code) == (VoiceState.FAILED, "model_missing")
    with pytest.raises(DomainError) as caught:
        speak(people.anna, voice)
    assert caught.value.code == "voice_failed"
    assert "tiny" in caught.value.message
    settings.MODELS_DIR = good
    voice_prepare_again(voice=voice)
    assert work() == ["succeeded"]
    voice.refresh_from_db()
    assert speak(people.anna, voice).seconds > 0


def test_a_voice_that_is_not_ready_says_so(people, speaking, clip):
    voice = voice_create(
        owner=people.anna,
        name="Vera",
        speaker=SpeakerFactory(owner=people.anna),
        language="en",
        uploads=[Upload("mum.wav", clip)],
    )
    with pytest.raises(DomainError) as caught:
        speak(people.anna, voice)
    assert (caught.value.code, caught.value.permanent) == ("voice_not_ready", False)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"text": " \n "}, "text_empty", "text"),
        ({"text": "x" * 51}, "text_too_long", "text"),
        ({"text": "♪ ♪ ♪"}, "text_unspeakable", "text"),
        ({"language": "tlh"}, "language_unsupported", "language"),
        ({"sampling": {"speed": 9.0}}, "sampling_invalid", "speed"),
        ({"sampling": {"temperature": float("nan")}}, "sampling_invalid", "temperature"),
    ],
)
def test_what_cannot_be_spoken_is_refused_and_leaves_nothing(
    people, make_voice, settings, changes, code, field, data_root
):
    settings.SPEECH_MAX_CHARACTERS = 50
    voice = make_voice(people.anna)
    with pytest.raises(DomainError) as caught:
        speak(people.anna, voice, **changes)
    assert (caught.value.code, caught.value.field) == (code, field)
    if code == "text_too_long":
        assert "51" in caught.value.message
        assert "50" in caught.value.message
    assert not Synthesis.objects.exists()
    assert not list(data_root.glob("media/speech/**/*.wav"))


def test_deleting_a_voice_removes_its_files_and_leaves_what_it_said(
    people, make_voice, django_capture_on_commit_callbacks
):
    voice = make_voice(people.anna)
    synthesis = speak(people.ben, voice)
    folder = voice.folder
    with django_capture_on_commit_callbacks(execute=True):
        voice_delete(voice=voice)
    assert not folder.exists()
    synthesis.refresh_from_db()
    assert (synthesis.voice, synthesis.voice_name) == (None, "Vera")
    assert synthesis.audio_path.is_file()


def test_a_voice_deleted_while_it_is_prepared_leaves_no_files(people, make_voice, speaking):
    from voices.services import voice_prepare
    from xttsproject.lib.progress import Callback

    voice = make_voice(people.anna)
    voice.conditioning_path.unlink()
    folder = voice.folder

    def delete_late(fraction: float, message: str) -> None:
        if message.startswith("listening"):
            Voice.objects.filter(pk=voice.pk).delete()

    clip_paths = [clip.path for clip in voice.clips.all()]
    assert clip_paths
    Voice.objects.filter(pk=voice.pk).update(state=VoiceState.PREPARING)
    voice_prepare(voice=voice, progress=Callback(on_report=delete_late))
    assert not folder.exists()


def test_deleting_a_synthesis_removes_its_sound(people, make_voice, django_capture_on_commit_callbacks):
    synthesis = speak(people.anna, make_voice(people.anna))
    path = synthesis.audio_path
    with django_capture_on_commit_callbacks(execute=True):
        synthesis_delete(synthesis=synthesis)
    assert not path.exists()
    assert not Synthesis.objects.exists()


def test_a_voice_is_found_by_id_and_by_name_among_those_one_may_use(people, make_voice):
    mine, theirs = make_voice(people.anna), make_voice(people.ben)
    assert voice_find(user=people.anna, given=str(mine.pk)) == mine
    assert voice_find(user=people.anna, given="Vera") == mine
    for given in (str(theirs.pk), "Nobody"):
        with pytest.raises(DomainError) as caught:
            voice_find(user=people.anna, given=given)
        assert caught.value.code == "voice_unknown"
    voice_share(voice=theirs, visibility="team")
    assert voice_find(user=people.anna, given=str(theirs.pk)) == theirs
    assert voice_find(user=people.anna, given="Vera") == mine
    voice_share(voice=mine, visibility="team")
    with pytest.raises(DomainError) as caught:
        voice_find(user=people.cora, given="Vera")
    assert caught.value.code == "voice_ambiguous"
    assert str(mine.pk) in caught.value.message


def test_a_process_that_speaks_keeps_few_of_the_programs_that_it_makes_for_lengths_of_sound(monkeypatch):
    """With oneDNN's own number sixty lengths of the released decoder's sound leave a gigabyte behind."""
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    speech_owner_close()
    speech_owner()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    speech_owner_close()
    speech_owner()
    assert os.environ[name] == "256"
    speech_owner_close()

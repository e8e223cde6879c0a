from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.models import Speaker
from tests.voices.factories import SpeakerFactory, VoiceFactory, make_checkpoint, speechlike
from voices.engine.encoding import FORMATS, encode
from voices.models import Voice


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_the_list_shows_ones_own_and_shared_voices(people, page_for):
    VoiceFactory(owner=people.anna, name="Annas voice")
    VoiceFactory(owner=people.ben, name="Bens secret")
    VoiceFactory(owner=people.ben, name="Bens gift", visibility="team")
    page = text_of(page_for(people.anna).get(reverse("voices:voice-list")))
    assert "Annas voice" in page
    assert "Bens gift" in page
    assert "Bens secret" not in page


def test_the_list_takes_as_many_queries_for_many_voices_as_for_one(people, page_for, django_assert_max_num_queries):
    for _ in range(8):
        VoiceFactory(owner=people.anna)
    client = page_for(people.anna)
    with django_assert_max_num_queries(7):
        assert client.get(reverse("voices:voice-list")).status_code == 200


def test_a_checkpoint_is_chosen_beforehand_and_its_clips_are_shown(people, page_for, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    page = text_of(page_for(people.anna).get(reverse("voices:voice-add"), {"checkpoint": checkpoint.pk}))
    assert f'<option value="{checkpoint.pk}" selected>' in page
    assert "Sentence 8." in page
    assert "Sentence 3." not in page


def test_whoever_has_no_speaker_yet_adds_one_and_comes_back(people, page_for, speaking):
    client, here = page_for(people.anna), reverse("voices:voice-add")
    add = f"{reverse('datasets:speaker-add')}?next={here}"
    assert f'href="{add}"' in text_of(client.get(here))
    person = {"name": "Mum", "consent_kind": "self", "consent_statement": "I agree.", "visibility": "private"}
    back = client.post(add, person)
    speaker = Speaker.objects.get()
    assert back["Location"] == f"{here}?speaker={speaker.pk}"
    assert f'<option value="{speaker.pk}" selected>' in text_of(client.get(back["Location"]))
    for elsewhere in ("https://example.org/", "//example.org/", "javascript:alert(1)"):
        led = client.post(f"{reverse('datasets:speaker-add')}?next={elsewhere}", {**person, "name": elsewhere})
        assert led["Location"].startswith("/recordings/"), elsewhere


def test_the_clips_follow_when_another_checkpoint_is_chosen(people, page_for, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    client = page_for(people.anna)
    assert "Sentence 8." in text_of(client.get(reverse("voices:clip-choice"), {"checkpoint": checkpoint.pk}))
    assert "Sentence" not in text_of(client.get(reverse("voices:clip-choice"), {"checkpoint": ""}))


def test_a_checkpoint_of_another_is_not_there(people, page_for, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    ben = page_for(people.ben)
    for name in ("voices:voice-add", "voices:clip-choice"):
        assert ben.get(reverse(name), {"checkpoint": checkpoint.pk}).status_code == 404
    answer = ben.post(reverse("voices:voice-add"), {"name": "Stolen", "checkpoint": checkpoint.pk})
    assert answer.status_code == 400
    assert not Voice.objects.exists()


def test_a_checkpoint_becomes_a_voice_and_its_page_follows_the_job(people, page_for, speaking, work):
    checkpoint = make_checkpoint(people.anna, speaking)
    client = page_for(people.anna)
    answer = client.post(
        reverse("voices:voice-add"), {"name": "Tuned", "checkpoint": checkpoint.pk, "visibility": "private"}
    )
    voice = Voice.objects.get()
    assert answer.url == reverse("voices:voice-detail", args=[voice.pk])
    before = text_of(client.get(answer.url))
    assert "Prepare the voice “Tuned”" in before
    assert reverse("voices:speak") + f"?voice={voice.pk}" not in before
    assert work() == ["succeeded"]
    after = text_of(client.get(answer.url))
    assert reverse("voices:speak") + f"?voice={voice.pk}" in after
    # To what was spoken with it.
    assert f"?voice={voice.pk}&amp;q=Tuned#history" in after
    clip = client.get(reverse("voices:clip-audio", args=[voice.pk, 0]), headers={"Range": "bytes=0-3"})
    assert (clip.status_code, b"".join(clip.streaming_content)) == (206, b"RIFF")


def test_own_clips_of_any_format_become_a_voice(people, page_for, speaking):
    speaker = SpeakerFactory(owner=people.anna)
    clip = SimpleUploadedFile("mum.ogg", encode(speechlike(4.0), FORMATS["opus"]))
    page_for(people.anna).post(
        reverse("voices:voice-add"),
        {"name": "Vera", "speaker": speaker.pk, "language": "en", "visibility": "team", "clips": [clip]},
    )
    voice = Voice.objects.get()
    assert (voice.speaker, voice.visibility, voice.clips.get().name) == (speaker, "team", "mum.ogg")


def test_what_is_missing_is_said_at_its_field(people, page_for, speaking):
    answer = page_for(people.anna).post(
        reverse("voices:voice-add"), {"name": "Vera", "language": "en", "visibility": "private"}
    )
    assert answer.status_code == 400
    assert answer.context["form"].errors["speaker"]
    assert "consent" in text_of(answer)


def test_an_upload_that_is_no_sound_is_refused_on_the_page(people, page_for, speaking):
    answer = page_for(people.anna).post(
        reverse("voices:voice-add"),
        {
            "name": "Vera",
            "speaker": SpeakerFactory(owner=people.anna).pk,
            "language": "en",
            "visibility": "private",
            "clips": [SimpleUploadedFile("notes.txt", b"Dear diary. " * 50)],
        },
    )
    assert answer.status_code == 400
    assert "notes.txt" in answer.context["form"].errors["clips"][0]
    assert not Voice.objects.exists()


def test_a_voice_of_another_is_not_there_and_a_shared_one_is_only_to_be_used(people, page_for):
    voice = VoiceFactory(owner=people.anna)
    ben = page_for(people.ben)
    posts = [reverse(f"voices:voice-{name}", args=[voice.pk]) for name in ("share", "prepare", "delete")]
    detail = reverse("voices:voice-detail", args=[voice.pk])
    assert ben.get(detail).status_code == 404
    assert ben.get(reverse("voices:clip-audio", args=[voice.pk, 0])).status_code == 404
    assert [ben.post(address).status_code for address in posts] == [404] * 3
    page_for(people.anna).post(posts[0], {"visibility": "team"})
    assert ben.get(detail).status_code == 200
    assert [ben.post(address).status_code for address in posts] == [403] * 3
    assert "Delete" not in text_of(ben.get(detail))


def test_a_voice_is_deleted_by_its_owner(people, page_for, make_voice, django_capture_on_commit_callbacks):
    voice = make_voice(people.anna)
    with django_capture_on_commit_callbacks(execute=True):
        page_for(people.anna).post(reverse("voices:voice-delete", args=[voice.pk]))
    assert not Voice.objects.exists()
    assert not voice.folder.exists()


def test_a_failed_voice_shows_why_and_can_be_prepared_again(people, page_for, speaking, work):
    voice = VoiceFactory(owner=people.anna, bundle="gone")
    client = page_for(people.anna)
    client.post(reverse("voices:voice-prepare", args=[voice.pk]))
    assert work() == ["failed"]
    page = text_of(client.get(reverse("voices:voice-detail", args=[voice.pk])))
    assert "There is no model “gone”" in page
    assert reverse("voices:voice-prepare", args=[voice.pk]) in page


def test_the_admin_shows_and_deletes_voices_with_their_files(
    people, page_for, make_voice, django_capture_on_commit_callbacks
):
    voice = make_voice(people.anna)
    root = page_for(people.root)
    assert "Vera" in text_of(root.get(reverse("admin:voices_voice_changelist")))
    assert "<audio" in text_of(root.get(reverse("admin:voices_voice_change", args=[voice.pk])))
    with django_capture_on_commit_callbacks(execute=True):
        root.post(reverse("admin:voices_voice_delete", args=[voice.pk]), {"post": "yes"})
    assert not voice.folder.exists()
    assert page_for(people.cora).get(reverse("admin:voices_voice_changelist")).status_code == 403

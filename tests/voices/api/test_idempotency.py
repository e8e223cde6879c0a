"""A request that is sent again under its key is spoken once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.voices.api.once import once
from tests.voices.factories import SynthesisFactory
from voices.models import IdempotentRequest, Synthesis
from voices.services.idempotency import fingerprint_of
from xttsproject.lib.errors import DomainError

SPEECH = "/api/v1/speech/"
BODY = {"voice": "Vera", "text": "Good morning."}


def post(api: Any, key: str, path: str = SPEECH, **changes: Any) -> Any:
    return api.post(path, {**BODY, **changes}, HTTP_IDEMPOTENCY_KEY=key)


def test_the_same_request_with_the_same_key_gets_the_same_speech(people, api_for, make_voice):
    make_voice(people.anna)
    anna = api_for(people.anna)
    first, again = (post(anna, "a-key", format="mp3") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first["X-Synthesis-Id"] == again["X-Synthesis-Id"]
    assert first.content == again.content
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert Synthesis.objects.count() == 1

    other = post(anna, "a-key", format="wav")
    error = other.json()["error"]
    assert (other.status_code, error["code"], error["param"]) == (422, "idempotency_key_reused", "Idempotency-Key")

    # OpenAI's address is another request, another key another speech, and without a key each speaks anew.
    openai = {"model": "tts-1", "voice": "Vera", "input": "Good morning."}
    assert anna.post("/v1/audio/speech", openai, HTTP_IDEMPOTENCY_KEY="a-key").status_code == 422
    assert anna.post("/v1/audio/speech", openai, HTTP_IDEMPOTENCY_KEY="b-key").status_code == 200
    assert Synthesis.objects.count() == 2

    # With the speech its memory goes.
    Synthesis.objects.get(pk=first["X-Synthesis-Id"]).delete()
    assert "Idempotent-Replayed" not in post(anna, "a-key", format="mp3")


def test_what_failed_may_be_tried_again_and_bad_keys_are_refused(people, api_for, make_voice):
    anna = api_for(people.anna)
    assert post(anna, "a-key").json()["error"]["code"] == "voice_unknown"
    assert not IdempotentRequest.objects.exists()
    make_voice(people.anna)
    assert post(anna, "a-key").status_code == 200
    bad = post(anna, "x" * 256)
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "idempotency_key_invalid")


def test_keys_are_each_persons_own(people):
    made = [once(person, lambda gone, p=person: SynthesisFactory(owner=p))[0] for person in (people.anna, people.ben)]
    assert made[0].pk != made[1].pk


def test_a_key_is_over_after_a_day(people):
    def speak(gone: Any) -> Synthesis:
        made: Synthesis = SynthesisFactory(owner=people.anna)
        return made

    first, _again = once(people.anna, speak)
    assert once(people.anna, speak) == (first, True)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    second, again = once(people.anna, speak, body="another")
    assert (second.pk == first.pk, again) == (False, False)


def test_who_died_while_answering_is_followed_by_another(people):
    row = IdempotentRequest.objects.create(
        owner=people.anna, key="key", fingerprint=fingerprint_of("/", {"text": "body"})
    )

    def speak(gone: Any) -> Synthesis:
        assert not gone()
        made: Synthesis = SynthesisFactory(owner=people.anna)
        return made

    with pytest.raises(DomainError) as caught:
        once(people.anna, speak)
    assert (caught.value.code, caught.value.permanent) == ("idempotency_in_progress", False)
    IdempotentRequest.objects.update(touched_at=timezone.now() - timedelta(seconds=61))
    made, again = once(people.anna, speak)
    row.refresh_from_db()
    assert (row.synthesis_id, again) == (made.pk, False)


def test_of_two_at_the_same_moment_the_database_lets_one_in(people):
    IdempotentRequest.objects.create(owner=people.anna, key="key", fingerprint="")
    with pytest.raises(IntegrityError), transaction.atomic():
        IdempotentRequest.objects.create(owner=people.anna, key="key", fingerprint="")
    IdempotentRequest.objects.create(owner=people.ben, key="key", fingerprint="")


def test_whose_sound_has_gone_meanwhile_is_told_so(people, api_for, make_voice):
    make_voice(people.anna)
    anna = api_for(people.anna)
    first = post(anna, "a-key")
    Synthesis.objects.get().audio_path.unlink()
    again = post(anna, "a-key")
    error = again.json()["error"]
    assert (again.status_code, error["code"], error["param"]) == (410, "speech_gone", "Idempotency-Key")
    assert first["X-Synthesis-Id"] in error["message"]
    assert post(anna, "b-key").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_rows_and_the_key_that_asked_for_them_are_kept_together(people, monkeypatch):
    """A process that died between the two would have a book spoken twice."""
    from voices.services import idempotency

    class Died(BaseException):
        pass

    def die(*args: Any, **changes: Any) -> None:
        raise Died

    def ask() -> Any:
        asked: dict[str, Any] = {"user": people.anna, "key": "k", "fingerprint": "f", "gone": None, "at_once": True}
        return idempotency.speak_once(make=lambda gone: SynthesisFactory(owner=people.anna), **asked)

    monkeypatch.setattr(idempotency, "_told", die)
    with pytest.raises(Died):
        ask()
    assert not Synthesis.objects.exists()
    monkeypatch.undo()
    assert ask()[1] is False
    assert (ask()[1], Synthesis.objects.count()) == (True, 1)

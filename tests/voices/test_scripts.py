"""Several voices in one script: each says its part, nobody borrows a voice that is not theirs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tests.voices.factories import VoiceFactory, make_checkpoint
from voices.choices import Channel
from voices.models import Synthesis, Voice
from voices.services import speech_make, voice_share
from voices.services.scripts import script_plan
from voices.services.wishes import Wish
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.joining import piece_seed
from xttsproject.xtts.types import Pauses


def speak(user: Any, voice: Voice, text: str, **changes: Any) -> Synthesis:
    fields: dict[str, Any] = {"sampling": {"seed": 7}, "channel": Channel.API, **changes}
    return speech_make(wish=Wish(user=user, voice=voice, text=text, **fields))


def refused(user: Any, voice: Voice, text: str) -> DomainError:
    with pytest.raises(DomainError) as caught:
        script_plan(user=user, voice=voice, text=text)
    return caught.value


def test_two_voices_of_different_models_take_turns_in_one_speech(people, make_voice, speaking):
    vera = make_voice(people.anna)
    fine = make_voice(people.anna, "Fine tuned", checkpoint=make_checkpoint(people.anna, speaking))
    text = "This is Vera. [pause 800ms][voice: fine-tuned] And this is somebody else.[voice]\n\nVera once more."
    joint = speak(people.anna, vera, text)
    assert [s["voice"] for s in joint.sentences] == ["Vera", "Fine tuned", "Vera"]
    assert [s["piece"] for s in joint.sentences] == [0, 1, 2]
    first, second, third = joint.sentences
    assert second["start"] == pytest.approx(first["end"] + 0.8, abs=0.001)
    assert third["start"] == pytest.approx(second["end"] + 0.7, abs=0.001)
    sound = read_wav(joint.audio_path)
    # Each part sounds as its voice says it alone with the part's seed; seams are faded over 5 ms.
    alone = speak(people.anna, fine, "And this is somebody else.", sampling={"seed": piece_seed(7, 1)})
    expected = read_wav(alone.audio_path).samples[240:-240]
    np.testing.assert_allclose(sound.cut(second["start"], second["end"]).samples[240:-240], expected, atol=1e-3)
    assert joint.voice == vera


def test_a_part_takes_the_defaults_of_the_voice_that_says_it(people, make_voice):
    vera, mild = make_voice(people.anna), make_voice(people.anna, "Mild")
    mild.defaults = {"speed": 2.0, "seed": 3}
    mild.save()
    joint = speak(people.anna, vera, "A sentence to be said. [voice: Mild] A sentence to be said.")
    alone = speak(people.anna, mild, "A sentence to be said.", sampling={"seed": piece_seed(7, 1)})
    first, second = joint.sentences
    assert second["end"] - second["start"] == pytest.approx(alone.seconds, abs=0.001)


def test_pauses_are_those_asked_for(people, make_voice):
    vera = make_voice(people.anna)
    sentence = "A sentence that is long enough to stand alone. "
    joint = speak(people.anna, vera, f"{sentence * 2}\n\n{sentence}", pauses=Pauses(sentence=0.5, paragraph=2.0))
    first, second, third = joint.sentences
    assert second["start"] - first["end"] == pytest.approx(0.5, abs=0.001)
    assert third["start"] - second["end"] == pytest.approx(2.0, abs=0.001)


def test_a_script_speaks_each_voices_own_language_unless_told_otherwise(db, people):
    vera = VoiceFactory(owner=people.anna, name="Vera")
    VoiceFactory(owner=people.anna, name="João", language="pt")
    text = "It is 3 o'clock. [voice: joao] São 3 horas. [lang: de] Es ist 3."
    plan = script_plan(user=people.anna, voice=vera, text=text)
    assert [(part.language, part.spoken) for part in plan.parts] == [
        ("en", "It is three o'clock."),
        ("pt", "São três horas."),
        ("de", "Es ist drei."),
    ]
    whole = script_plan(user=people.anna, voice=vera, text="One. [voice: João] Two.", language="fr")
    assert [part.language for part in whole.parts] == ["fr", "fr"]


def test_silence_around_what_nothing_is_said_for_stays(db, people):
    plan = script_plan(user=people.anna, voice=VoiceFactory(owner=people.anna), text="One.\n\n* * *\n\nTwo.\n\n…")
    assert [(part.spoken, part.pause) for part in plan.parts] == [("One.", 0.0), ("Two.", 1.4)]
    assert plan.pause_after == pytest.approx(0.7)


def test_others_voices_are_neither_used_nor_named_until_they_are_shared(db, people):
    vera, theirs = VoiceFactory(owner=people.anna), VoiceFactory(owner=people.ben, name="Benedict")
    for written in ("Benedict", "Benedikt", str(theirs.pk)):
        error = refused(people.anna, vera, f"One. [voice: {written}] Two.")
        assert (error.code, error.field) == ("voice_unknown", "text")
        assert "did you mean" not in error.message
    voice_share(voice=theirs, visibility="team")
    assert "“Benedict”" in refused(people.anna, vera, "One. [voice: Benedikt] Two.").message
    plan = script_plan(user=people.anna, voice=vera, text="One. [voice: BENEDICT] Two.")
    assert plan.voices == [vera, theirs]


def test_a_name_longer_than_any_is_refused_in_a_short_sentence_and_at_once(db, people):
    vera = VoiceFactory(owner=people.anna, name="Vera" * 30)
    started = time.process_time()
    error = refused(people.anna, vera, f"[voice: {'Vera ' * 900}] Hello.")
    assert time.process_time() - started < 1.0
    assert error.code == "voice_unknown"
    assert len(error.message) < 400


def test_a_name_that_two_voices_could_have_is_refused_with_their_ids(db, people):
    vera = VoiceFactory(owner=people.anna)
    for owner in (people.ben, people.cora):
        VoiceFactory(owner=owner, name="Narrator", visibility="team")
    error = refused(people.anna, vera, "[voice: Narrator] Hello.")
    assert error.code == "voice_ambiguous"
    assert "2 voices" in error.message


def test_a_voice_that_cannot_speak_yet_is_refused_by_name(people, make_voice):
    vera = make_voice(people.anna)
    VoiceFactory(owner=people.anna, name="Unready")
    with pytest.raises(DomainError) as caught:
        speak(people.anna, vera, "One. [voice: Unready] Two.")
    assert caught.value.code == "voice_not_ready"
    assert "“Unready”" in caught.value.message
    assert not Synthesis.objects.exists()


def test_a_script_of_more_voices_than_may_be_loaded_is_refused(db, people):
    vera = VoiceFactory(owner=people.anna)
    names = [VoiceFactory(owner=people.anna).name for _ in range(9)]
    error = refused(people.anna, vera, "".join(f"[voice: {name}] Hello. " for name in names))
    assert (error.code, "more than 8 voices" in error.message) == ("script_invalid", True)

"""What becomes of a long text whose files go, whose voice changes, or that is changed while somebody listens to it."""

from __future__ import annotations

import io
import wave
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from voices.choices import Channel
from voices.engine.encoding import Output, require_format
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services.longform import longform_create, longform_regenerate, longform_resume
from voices.services.longform_output import longform_bytes, longform_chapter, longform_whole
from voices.services.longform_sound import takes_forget
from voices.services.output import synthesis_subtitles
from voices.services.wishes import Wish
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "# Morning\n\nThe old house by the sea was quiet. [pause 1s] Nobody was there.\n\n# Evening\n\nThen rain fell."


def ask(owner: Any, voice: Voice, text: str = TEXT) -> Synthesis:
    return longform_create(wish=Wish(user=owner, voice=voice, text=text, sampling={"seed": 11}, channel=Channel.API))


@pytest.fixture
def whole(people, make_voice, work) -> Synthesis:
    synthesis = ask(people.anna, make_voice(people.anna))
    assert work() == ["succeeded"]
    synthesis.refresh_from_db()
    return synthesis


def test_a_sentence_whose_file_is_gone_or_cut_short_is_spoken_again_before_the_whole_is_joined(whole, work):
    first, second, third = whole.parts.order_by("number")[:3]
    seconds = whole.seconds
    first.path.unlink()
    with open(second.path, "r+b") as file:
        file.truncate(1000)
    longform_regenerate(sentence=third, seed=third.seed)
    assert work() == ["succeeded"]
    whole.refresh_from_db()
    assert whole.seconds == pytest.approx(seconds)
    assert read_wav(whole.audio_path).seconds == pytest.approx(seconds)
    for row in (first, second):
        row.refresh_from_db()
        assert (row.take, read_wav(row.path).seconds) == (2, row.seconds)


def test_a_whole_that_is_gone_is_put_together_again(whole, work):
    before = whole.audio_path.read_bytes()
    with pytest.raises(DomainError) as caught:
        longform_resume(synthesis=whole)
    assert caught.value.code == "speech_not_resumable"
    whole.audio_path.unlink()
    assert whole.is_lost
    longform_resume(synthesis=whole)
    assert work() == ["succeeded"]
    assert whole.audio_path.read_bytes() == before
    whole.parts.get(number=1).path.unlink()
    whole.refresh_from_db()
    longform_resume(synthesis=whole)
    assert work() == ["succeeded"]
    assert whole.parts.get(number=1).path.is_file()


def test_what_is_being_downloaded_stays_what_it_was(whole, work):
    """A chapter reads its files one after the other, the whole is read for minutes; both may be made anew meanwhile."""
    chapter = longform_chapter(synthesis=whole, number=1)
    wav = Output(require_format("wav"))
    expected = b"".join(longform_bytes(synthesis=whole, recording=chapter, output=wav))
    sent = longform_bytes(synthesis=whole, recording=longform_chapter(synthesis=whole, number=1), output=wav)
    reading = longform_whole(synthesis=whole).blocks()
    begun = [next(sent)]
    import voices.engine.stitching as stitching

    stitching._BLOCK_SECONDS, usual = 0.5, stitching._BLOCK_SECONDS
    try:
        heard = [len(next(reading))]
        second = whole.parts.get(number=2)
        longform_regenerate(sentence=second, text="No.")
        assert work() == ["succeeded"]
        assert b"".join([*begun, *sent]) == expected
        heard += [len(block) for block in reading]
    finally:
        stitching._BLOCK_SECONDS = usual
    assert sum(heard) == round(whole.seconds * 24_000)

    second.refresh_from_db()
    old = second.path_of(1)
    assert (takes_forget(), old.is_file()) == (0, True)
    SynthesisSentence.objects.filter(pk=second.pk).update(spoken_at=timezone.now() - timedelta(hours=2))
    assert (takes_forget(), old.exists(), second.path.is_file()) == (1, False, True)


def test_subtitles_keep_to_the_whole_while_a_sentence_is_said_anew(whole):
    def cues() -> list[tuple[float, float]]:
        import json

        told = json.loads(synthesis_subtitles(synthesis=whole, form="json")[1])
        return [(each["start"], each["end"]) for each in told["sentences"]]

    before = cues()
    rows = whole.parts.order_by("number")
    assert [start for start, _end in before] == [row.start for row in rows]
    assert [end for _start, end in before] == pytest.approx([row.end for row in rows])
    # Spoken, and not joined yet.
    second = whole.parts.get(number=2)
    second.seconds, second.take, second.wish, second.spoken_at = 99.0, 2, 2, timezone.now()
    second.save()
    assert cues() == before
    assert second.end is None


def test_what_cannot_be_said_anew_is_refused_at_once_and_the_speech_stays_whole(whole, people):
    row = whole.parts.select_related("voice", "synthesis__owner").get(number=1)
    Voice.objects.filter(pk=whole.voice_id).update(model_key="another")
    row = whole.parts.get(number=1)
    with pytest.raises(DomainError) as caught:
        longform_regenerate(sentence=row)
    assert caught.value.code == "voice_outdated"
    Voice.objects.filter(pk=whole.voice_id).update(owner=people.ben, visibility="private")
    with pytest.raises(DomainError) as caught:
        longform_regenerate(sentence=whole.parts.get(number=1))
    assert caught.value.code == "voice_gone"
    whole.refresh_from_db()
    assert (whole.state, whole.parts.pending().exists()) == ("succeeded", False)


def test_a_sentence_that_cannot_be_spoken_is_named_and_what_was_spoken_beside_it_is_kept(
    people, make_voice, work, monkeypatch
):
    from voices.engine.tickets import Ticket

    synthesis = ask(people.anna, make_voice(people.anna))
    finish = Ticket.finish

    def or_fail(self: Any, speech: Any) -> None:
        if speech.sentences[0].text.startswith("Nobody"):
            self.fail(DomainError("model_not_finite", "The model has come to values that are no numbers."))
        else:
            finish(self, speech)

    monkeypatch.setattr(Ticket, "finish", or_fail)
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert synthesis.error_code == "model_not_finite"
    assert "“Nobody was there.”, could not be spoken: The model" in synthesis.error
    number = synthesis.parts.get(text__startswith="Nobody").number
    assert synthesis.error.startswith(f"Sentence {number},")


def test_a_late_word_of_a_failure_does_not_keep_the_work_from_ending(whole, work, monkeypatch):
    """A worker that was given up may be heard of when another has taken its place."""
    from voices.services import longform_speaking
    from voices.services.longform_sound import longform_join as join

    joined: list[Any] = []

    def and_late(*, synthesis: Synthesis, progress: Any) -> None:
        assert len(joined) < 2, "it is joined for ever"
        join(synthesis=synthesis, progress=progress)
        joined.append(synthesis.fail(code="worker_lost", message="It lost its worker."))

    monkeypatch.setattr(longform_speaking, "longform_join", and_late)
    longform_regenerate(sentence=whole.parts.get(number=1))
    assert work() == ["succeeded"]
    whole.refresh_from_db()
    assert (joined, whole.state, whole.error) == ([True], "succeeded", "")


def test_chapters_with_long_titles_can_be_unpacked(people, make_voice, work):
    import zipfile

    from voices.services.longform_output import longform_archive

    text = f"[chapter: {'漢' * 200}] The old house by the sea was quiet."
    synthesis = ask(people.anna, make_voice(people.anna), text)
    work()
    synthesis.refresh_from_db()
    packed = b"".join(longform_archive(synthesis=synthesis, output=Output(require_format("wav"))))
    (name,) = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert len(name.encode()) <= 255
    with wave.open(io.BytesIO(zipfile.ZipFile(io.BytesIO(packed)).read(name))) as sound:
        assert sound.getnframes() > 0

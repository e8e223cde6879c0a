"""A long text is spoken by a job, sentence by sentence: what is spoken stays, and the whole is as if spoken at once."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from voices.choices import Channel
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services import speech_make
from voices.services.longform import (
    longform_cancel,
    longform_create,
    longform_regenerate,
    longform_resume,
)
from voices.services.wishes import Wish
from xttsproject.jobs.models import Job
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

SHORT = "# Morning\n\nThe old house by the sea was quiet. [pause 1s] Nobody was there.\n\n# Evening\n\nThen rain fell."
VALUES = {"seed": 11, "temperature": 0.7}


def ask(voice: Voice, text: str = SHORT, **changes: Any) -> Synthesis:
    wanted: dict[str, Any] = {"sampling": VALUES, "channel": Channel.API, **changes}
    return longform_create(wish=Wish(user=wanted.pop("user", voice.owner), voice=voice, text=text, **wanted))


def files(synthesis: Synthesis) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in synthesis.folder.glob("*.wav")}


def sound(sentence: SynthesisSentence) -> bytes:
    return sentence.path.read_bytes()


def same(one: bytes, other: bytes) -> bool:
    """But for what is rounded otherwise in other company."""
    first, second = read_wav(io.BytesIO(one)).samples, read_wav(io.BytesIO(other)).samples
    return len(first) == len(second) and bool(np.abs(first - second).max() < 1e-3)


def test_it_sounds_as_if_it_had_been_spoken_at_once(people, make_voice, work):
    vera = make_voice(people.anna)
    at_once = speech_make(wish=Wish(user=people.anna, voice=vera, text=SHORT, sampling=VALUES, channel=Channel.API))
    synthesis = ask(vera)
    assert (synthesis.state, synthesis.has_whole, synthesis.is_long) == ("queued", False, True)
    assert work() == ["succeeded"]
    synthesis.refresh_from_db()
    assert synthesis.state == "succeeded"
    whole, other = read_wav(synthesis.audio_path), read_wav(at_once.audio_path)
    assert whole.seconds == synthesis.seconds == pytest.approx(at_once.seconds)
    # Each sentence was rounded to 16 bits before it was joined, and sentences keep other company.
    assert np.abs(whole.samples - other.samples).max() < 2e-3
    told: list[Any] = [(sentence["text"], sentence["start"], sentence["end"]) for sentence in at_once.sentences]
    rows = list(synthesis.parts.all())
    assert [row.text for row in rows] == [text for text, _start, _end in told]
    assert [row.start for row in rows] == pytest.approx([start for _text, start, _end in told])
    assert [row.end for row in rows] == pytest.approx([end for _text, _start, end in told])
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert synthesis.elapsed > 0
    assert synthesis.warnings == at_once.warnings


def test_chapters_follow_the_headings(people, make_voice, work):
    synthesis = ask(make_voice(people.anna))
    work()
    synthesis.refresh_from_db()
    first, second = synthesis.chapters
    assert (first["title"], second["title"]) == ("Morning", "Evening")
    evening = synthesis.parts.get(text__startswith="Evening")
    assert (first["start"], first["end"]) == (0.0, second["start"])
    assert (second["start"], second["end"]) == (evening.start, synthesis.seconds)


def test_one_sentence_is_said_anew_and_the_others_are_left_alone(people, make_voice, work):
    synthesis = ask(make_voice(people.anna))
    work()
    before = files(synthesis)
    second = synthesis.parts.get(number=2)
    first_seed = second.seed
    seed = longform_regenerate(sentence=second)
    synthesis.refresh_from_db()
    assert (synthesis.state, synthesis.has_whole) == ("queued", True)
    assert second.path.is_file()
    assert work() == ["succeeded"]
    after = files(synthesis)
    assert set(after) - set(before) == {"000002-2.wav"}
    assert before.items() <= after.items()
    second.refresh_from_db()
    assert (second.seed, second.take) == (seed, 2)
    synthesis.refresh_from_db()
    assert read_wav(synthesis.audio_path).seconds == synthesis.seconds

    # The seed of before brings back the sound of before.
    longform_regenerate(sentence=second, seed=first_seed)
    work()
    second.refresh_from_db()
    assert same(sound(second), before["000002-1.wav"][1])


def test_a_sentence_may_say_something_else(people, make_voice, work):
    synthesis = ask(make_voice(people.anna))
    work()
    second = synthesis.parts.get(number=2)
    for text, code in (
        ("One. " * 60, "sentence_invalid"),
        ("Wait [pause 1s] here.", "sentence_invalid"),
        ("…", "text_unspeakable"),
    ):
        with pytest.raises(DomainError) as caught:
            longform_regenerate(sentence=second, text=text)
        assert caught.value.code == code
    longform_regenerate(sentence=second, seed=second.seed, text="It had 2 doors.")
    work()
    second.refresh_from_db()
    assert second.text == "It had two doors."


def test_it_goes_on_where_it_was(people, make_voice, work, monkeypatch):
    vera = make_voice(people.anna)
    synthesis = ask(vera)
    from voices.services import longform_speaking

    keep = longform_speaking.Booth.keep

    def once(self: Any, spoken: Any, speech: Any) -> None:
        keep(self, spoken, speech)
        raise DomainError("power_gone", "The power went.")

    monkeypatch.setattr(longform_speaking.Booth, "keep", once)
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert (synthesis.state, synthesis.error_code, synthesis.error) == ("failed", "power_gone", "The power went.")
    assert synthesis.parts.spoken().count() == 1
    kept = files(synthesis)
    monkeypatch.setattr(longform_speaking.Booth, "keep", keep)
    longform_resume(synthesis=synthesis)
    assert work() == ["succeeded"]
    synthesis.refresh_from_db()
    assert (synthesis.state, synthesis.error) == ("succeeded", "")
    assert kept.items() <= files(synthesis).items()
    with pytest.raises(DomainError) as caught:
        longform_resume(synthesis=synthesis)
    assert caught.value.code == "speech_not_resumable"


def test_a_sentence_may_be_asked_for_anew_while_the_rest_is_spoken(people, make_voice, work, monkeypatch):
    synthesis = ask(make_voice(people.anna))
    from voices.services import longform_speaking

    keep = longform_speaking.Booth.keep
    asked: list[tuple[int, int]] = []

    def and_again(self: Any, spoken: Any, speech: Any) -> None:
        keep(self, spoken, speech)
        if not asked:
            asked.append((spoken.row.number, longform_regenerate(sentence=synthesis.parts.get(pk=spoken.row.pk))))

    monkeypatch.setattr(longform_speaking.Booth, "keep", and_again)
    assert work() == ["succeeded"]
    synthesis.refresh_from_db()
    ((number, seed),) = asked
    row = synthesis.parts.get(number=number)
    assert (synthesis.state, row.seed, row.take, row.is_pending) == ("succeeded", seed, 2, False)
    assert synthesis.parts.exclude(number=number).filter(take=1).count() == synthesis.parts.count() - 1


def test_a_wish_in_the_moment_of_the_end_is_not_lost(people, make_voice, work, monkeypatch):
    """Either the job that ends sees it, or whoever asks is told to come again."""
    synthesis = ask(make_voice(people.anna))
    from voices.services import longform_speaking
    from voices.services.longform import longform_finish as finish

    told: list[str] = []

    def at_the_end(*, synthesis: Synthesis) -> bool:
        row = synthesis.parts.get(number=1)
        if not told:
            longform_regenerate(sentence=row, seed=4)
            told.append("before")
            assert not finish(synthesis=synthesis)
            return False
        ended = finish(synthesis=synthesis)
        with pytest.raises(DomainError) as caught:
            longform_regenerate(sentence=synthesis.parts.get(number=1))
        told.append(caught.value.code)
        return ended

    monkeypatch.setattr(longform_speaking, "longform_finish", at_the_end)
    assert work() == ["succeeded"]
    assert told == ["before", "speech_finishing"]
    row = synthesis.parts.get(number=1)
    assert (row.seed, row.take, row.is_pending) == (4, 2, False)


def test_what_waits_can_be_cancelled(people, make_voice, work):
    synthesis = ask(make_voice(people.anna))
    longform_cancel(synthesis=synthesis)
    assert synthesis.state == "cancelled"
    assert work() == []
    with pytest.raises(DomainError) as caught:
        longform_cancel(synthesis=synthesis)
    assert caught.value.code == "speech_ended"
    longform_resume(synthesis=synthesis)
    assert work() == ["succeeded"]


def test_what_happens_to_a_voice_meanwhile_changes_nothing_of_what_is_planned(people, make_voice, work):
    vera = make_voice(people.anna)
    synthesis = ask(vera)
    work()
    before = files(synthesis)["000002-1.wav"][1]
    second = synthesis.parts.get(number=2)
    Voice.objects.filter(pk=vera.pk).update(defaults={"temperature": 0.1}, guard="off")
    Synthesis.objects.create(
        owner=people.ben,
        voice=vera,
        voice_name="Vera",
        bundle=vera.bundle,
        text="Slow.",
        language="en",
        channel=Channel.API,
        sentences=[{"text": "Slow.", "faults": [], "codes_per_character": 9.0}] * 200,
    )
    longform_regenerate(sentence=second, seed=second.seed)
    work()
    second.refresh_from_db()
    assert same(sound(second), before)


def test_a_full_disk_is_said_and_gone_on_from(people, make_voice, work, monkeypatch):
    synthesis = ask(make_voice(people.anna))
    from voices.services import longform_speaking
    from xttsproject.lib import disk

    keep, free = longform_speaking.Booth.keep, disk.free_bytes

    def and_full(self: Any, spoken: Any, speech: Any) -> None:
        keep(self, spoken, speech)
        monkeypatch.setattr(disk, "free_bytes", lambda path: 0)

    monkeypatch.setattr(longform_speaking.Booth, "keep", and_full)
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert (synthesis.error_code, synthesis.parts.spoken().count()) == ("disk_full", 1)
    monkeypatch.setattr(disk, "free_bytes", free)
    monkeypatch.setattr(longform_speaking.Booth, "keep", keep)
    longform_resume(synthesis=synthesis)
    assert work() == ["succeeded"]


def test_without_its_voice_nothing_more_is_said(people, make_voice, work):
    vera = make_voice(people.anna)
    vera.visibility = "team"
    vera.save()
    synthesis = ask(vera, user=people.ben)
    work()
    longform_regenerate(sentence=synthesis.parts.get(number=1))
    vera.visibility = "private"
    vera.save()
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert (synthesis.error_code, synthesis.has_whole) == ("voice_gone", True)
    assert synthesis.audio_path.is_file()


@pytest.mark.parametrize(
    ("text", "changes", "code"),
    [
        ("", {}, "text_empty"),
        ("x" * 50_001, {}, "text_too_long"),
        ("[pause 99s] Yes.", {}, "script_invalid"),
        ("[chapter: ] Yes.", {}, "script_invalid"),
        ("[voice: Nobody] Yes.", {}, "voice_unknown"),
        ("Yes.", {"language": "xx"}, "language_unsupported"),
        ("Yes.", {"sampling": {"temperature": 9.0}}, "sampling_invalid"),
        ("Yes.", {"guard": {"guard": "fierce"}}, "guard_invalid"),
        ("* * *", {}, "text_unspeakable"),
    ],
)
def test_what_is_wrong_is_said_at_once(people, make_voice, settings, text, changes, code):
    settings.SPEECH_LONG_CHARACTERS = 50_000
    vera = make_voice(people.anna)
    jobs = Job.objects.count()
    with pytest.raises(DomainError) as caught:
        ask(vera, text, **changes)
    assert caught.value.code == code
    assert (Synthesis.objects.count(), Job.objects.count()) == (0, jobs)


def test_what_the_model_cannot_read_is_said_before_a_word_is_spoken(people, make_voice, work):
    synthesis = ask(make_voice(people.anna), "Good morning to everybody in this house today.\n\n漢字漢字漢字漢字")
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert synthesis.error_code == "text_unspeakable"
    assert not SynthesisSentence.objects.exists()


def test_whoever_deletes_a_voice_is_told_of_texts_that_wait_for_it(people, make_voice, page_for, work):
    vera = make_voice(people.anna, visibility="team")
    address = f"/voices/{vera.pk}/"
    page = page_for(people.anna)
    assert "for it and would need another voice" not in page.get(address).content.decode()
    ask(vera)
    stopped = ask(vera, user=people.ben)
    longform_cancel(synthesis=stopped)
    assert "1 long text waits for it and would need another voice." in page.get(address).content.decode()
    assert work() == ["succeeded"]
    assert "for it and would need another voice" not in page.get(address).content.decode()
    longform_resume(synthesis=stopped)
    shown = page.get(address).content.decode()
    assert "1 long text waits for it" in shown
    # Kept to herself it would be lost to Ben as well; her own texts would not be.
    assert "1 long text of somebody else waits for “Vera”" in shown
    Voice.objects.filter(pk=vera.pk).update(visibility="private")
    assert "of somebody else" not in page.get(address).content.decode()

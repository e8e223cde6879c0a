"""Many clips at once say what each says alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from datasets.pipeline.media import decode_audio
from datasets.pipeline.transcribe import Listening, Transcriber
from tests.datasets.pipeline.recordings import DemoRecording
from tests.datasets.pipeline.test_transcribe import assert_sound
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

RATE = 24_000


@pytest.fixture(scope="module")
def clips(demo_recording: DemoRecording) -> list[Audio]:
    whole = decode_audio(demo_recording.path, RATE)
    return [whole.cut(spoken.start - 0.2, spoken.end + 0.2) for spoken in demo_recording.sentences[:5]]


@pytest.fixture(scope="module")
def listener(tiny_whisper_bundle: Path) -> Transcriber:
    return Transcriber.load(tiny_whisper_bundle, device="cpu", threads=1)


def letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalpha() or sign == " ")


def test_batches_hear_as_well_as_single_clips_and_at_the_same_times(
    listener: Transcriber, clips: list[Audio], demo_recording: DemoRecording
) -> None:
    said = [letters(spoken.text) for spoken in demo_recording.sentences[:5]]
    alone = [listener.transcribe(clip, "en") for clip in clips]
    together = listener.transcribe_many(clips, "en", Listening(batch=3))
    for transcript, clip in zip(together, clips, strict=True):
        assert_sound(transcript, clip.seconds)
        assert transcript.words
    errors = [jiwer.cer(said, [letters(heard.text) for heard in ways]) for ways in (alone, together)]
    assert errors[1] < errors[0] + 0.05
    both = [
        abs(a.start - b.start)
        for one, other in zip(alone, together, strict=True)
        if one.text == other.text
        for a, b in zip(one.words, other.words, strict=True)
    ]
    assert both
    assert np.median(both) <= 0.05


def test_the_result_does_not_depend_on_the_batch(listener: Transcriber, clips: list[Audio]) -> None:
    texts = [
        [heard.text for heard in listener.transcribe_many(clips, "en", Listening(batch=batch, beam=1, retries=()))]
        for batch in (1, 8)
    ]
    # Rounding differs with the shape of a batch, and may tip a letter.
    assert jiwer.cer([letters(text) for text in texts[0]], [letters(text) for text in texts[1]]) < 0.02


def test_clips_of_a_shared_window_get_their_own_words(
    listener: Transcriber, clips: list[Audio], demo_recording: DemoRecording
) -> None:
    heard = listener.transcribe_many(clips, "en", Listening(shared=True, retries=()))
    said = [letters(spoken.text) for spoken in demo_recording.sentences[:5]]
    for number, transcript in enumerate(heard):
        assert_sound(transcript, clips[number].seconds)
        distances = [jiwer.cer(text, letters(transcript.text) or "-") for text in said]
        assert int(np.argmin(distances)) == number


def test_odd_clips_do_not_spoil_those_beside_them(listener: Transcriber, clips: list[Audio]) -> None:
    odd = [
        Audio(np.zeros(0, np.float32), RATE),
        Audio(np.full(RATE, np.nan, np.float32), RATE),
        clips[0],
        Audio(np.zeros(100, np.float32), RATE),
    ]
    heard = listener.transcribe_many(odd, "en", Listening(retries=()))
    for transcript, clip in zip(heard, odd, strict=True):
        assert_sound(transcript, clip.seconds)
    assert heard[2].text == listener.transcribe_many([clips[0]], "en", Listening(retries=()))[0].text
    assert heard[0].text == ""


def test_a_glossary_is_taken_and_cannot_break_the_decoding(listener: Transcriber, clips: list[Audio]) -> None:
    for hotwords in ("Zebedee", "Zebedee, " * 90):
        for transcript in listener.transcribe_many(clips[:1], "en", Listening(hotwords=hotwords, beam=1, retries=())):
            assert_sound(transcript, 60.0)


def test_a_first_batch_holds_as_many_clips_as_fill_it(listener: Transcriber) -> None:
    assert listener.clips_of_a_batch([5.0] * 20, Listening(batch=3)) == 3
    # Two of five seconds and the silence between them fit a window of twelve.
    assert listener.clips_of_a_batch([5.0] * 20, Listening(batch=3, shared=True)) == 6
    assert listener.clips_of_a_batch([5.0], Listening(batch=3)) == 1


def test_cancelling_is_heeded_between_batches(listener: Transcriber, clips: list[Audio]) -> None:
    with pytest.raises(Cancelled):
        listener.transcribe_many(clips, "en", Listening(), Callback(should_stop=lambda: True))


def test_a_language_that_the_model_does_not_know_is_refused_for_many_too(listener: Transcriber) -> None:
    with pytest.raises(DomainError) as caught:
        listener.transcribe_many([Audio(np.zeros(RATE, np.float32), RATE)], "xx")
    assert caught.value.code == "language_unsupported"


@pytest.mark.parametrize("name", ["batch", "beam"])
def test_sizes_below_one_are_refused_by_name(name: str) -> None:
    sizes: Any = {name: 0}
    with pytest.raises(ValueError, match=f"{name} is 1 or more, got 0"):
        Listening(**sizes)

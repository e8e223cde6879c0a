"""Speech that is heard while it is spoken."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from tests.voices.engine.conftest import until
from voices.engine.requests import Attempt, ModelChoice, SpeechRequest, Verdict
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.types import Sampling

TEXT = "The first sentence is spoken here. The second one, which is longer, follows it. And a third one ends it."


def pieces(ask, **changes) -> SpeechRequest:
    """Two pieces with a pause before each, and one after them."""
    one, two = ask(TEXT, seed=3, **changes).pieces[0], ask("And more of it.", seed=4, **changes).pieces[0]
    return SpeechRequest((dataclasses.replace(one, before=0.2), dataclasses.replace(two, before=0.5)), after=0.3)


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_a_stream_is_the_whole_speech_in_pieces(make_owner, ask, speed):
    owner = make_owner()
    request = pieces(ask, sampling=Sampling(seed=3, speed=speed))
    whole = owner.submit(request).wait(60)
    ticket = owner.submit(request, streamed=True)
    chunks = list(ticket.stream(60))
    together = np.concatenate([chunk.samples for chunk in chunks])
    assert len(together) == len(whole.audio.samples)
    np.testing.assert_allclose(together, whole.audio.samples, atol=1e-4)
    speech = ticket.wait(1)
    assert speech.sentences == whole.sentences
    np.testing.assert_allclose(together, speech.audio.samples, atol=1e-6)
    # In order, every sentence; the pauses are silence.
    places = [chunk.sentence for chunk in chunks]
    assert places == sorted(places)
    assert set(places) == set(range(len(speech.sentences)))
    assert len(chunks[0].samples) == 4800
    assert not chunks[0].samples.any()
    assert len(chunks[-1].samples) == 7200
    assert not chunks[-1].samples.any()
    assert ticket.tokens > 20


def test_the_first_sound_comes_long_before_the_last(make_owner, ask, random_bundle):
    owner = make_owner()
    owner.submit(ModelChoice(random_bundle)).wait(60)
    ticket = owner.submit(ask(TEXT * 3), streamed=True)
    stream = ticket.stream(60)
    next(stream)
    assert not ticket.done
    assert ticket.fraction < 0.5
    assert sum(1 for _ in stream) > 5
    assert ticket.wait(5) is not None


@pytest.mark.parametrize("rivals", [(), (90, 91)])
def test_where_rivals_are_chosen_among_a_stream_comes_by_the_sentence_each_once_it_is_settled(make_owner, ask, rivals):
    owner, judged = make_owner(), []

    def judge(attempt: Attempt) -> Verdict:
        judged.append((attempt.number, attempt.sent))
        return Verdict(again=90) if rivals and attempt.number == 0 else Verdict(samples=0.5 * attempt.samples)

    request = dataclasses.replace(pieces(ask), judge=judge, rivals=lambda seed: rivals)
    whole = owner.submit(request).wait(60)
    taken = len(judged)
    ticket = owner.submit(request, streamed=True)
    chunks = list(ticket.stream(60))
    speech = ticket.wait(1)
    together = np.concatenate([chunk.samples for chunk in chunks])
    np.testing.assert_allclose(together, whole.audio.samples, atol=1e-4)
    np.testing.assert_allclose(together, speech.audio.samples, atol=1e-6)
    assert speech.sentences == whole.sentences
    # Nothing was sent before it was judged, and each sentence in one piece: so many, and the silences around them.
    assert not any(sent for _number, sent in judged)
    assert len(judged) == 2 * taken
    sounding = [chunk.sentence for chunk in chunks if chunk.samples.any()]
    assert sounding == list(range(len(speech.sentences)))
    assert ticket.sample_rate == speech.audio.sample_rate


def test_the_first_settled_sentence_is_sent_while_the_others_are_decoded(make_owner, ask, random_bundle):
    owner = make_owner(batch=4)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    request = dataclasses.replace(ask(TEXT * 3), judge=lambda attempt: Verdict(), rivals=lambda seed: ())
    ticket = owner.submit(request, streamed=True)
    stream = ticket.stream(60)
    next(stream)
    assert not ticket.done
    assert ticket.fraction < 0.9
    assert sum(1 for _ in stream) > 5
    assert ticket.wait(5) is not None


def test_a_reader_that_leaves_stops_the_work(make_owner, ask, random_bundle):
    owner = make_owner()
    owner.submit(ModelChoice(random_bundle)).wait(60)
    ticket = owner.submit(ask(TEXT * 8), streamed=True)
    stream = ticket.stream(60)
    next(stream)
    assert owner.status().sentences > 1
    stream.close()
    until(lambda: owner.status().sentences == 0)
    with pytest.raises(Cancelled):
        ticket.wait(5)
    assert ticket.fraction < 1


def test_a_client_that_hangs_up_while_nothing_comes_is_noticed(make_owner, ask, random_bundle):
    owner = make_owner(together=1)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    first = owner.submit(ask(TEXT * 8))
    until(lambda: owner.status().speaking == 1)
    ticket = owner.submit(ask("Nobody listens."), streamed=True)
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        list(ticket.stream(60, gone=lambda: True))
    assert time.monotonic() - begun < 5
    assert owner.status().waiting == 0
    first.abandon()


def test_what_goes_wrong_ends_the_stream_with_its_reason(make_owner, ask):
    owner = make_owner()
    ticket = owner.submit(ask("Hello.", model_key="0" * 64), streamed=True)
    with pytest.raises(DomainError) as caught:
        list(ticket.stream(60))
    assert caught.value.code == "voice_outdated"
    with pytest.raises(DomainError) as late:
        list(owner.submit(ask(TEXT * 8), streamed=True).stream(0.001))
    assert late.value.code == "speech_timeout"


def test_what_was_not_asked_to_be_streamed_is_not(make_owner, ask):
    with pytest.raises(ValueError, match="not submitted to be streamed"):
        next(make_owner().submit(ask("Hello.")).stream())

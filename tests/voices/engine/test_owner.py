"""The owner of the loaded models, with the real engine on a small model."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time

import numpy as np
import pytest

from tests.voices.engine.conftest import until
from voices.engine.owner import OwnerState
from voices.engine.requests import ModelChoice
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.types import Speech

LONG = "The quick brown fox jumps over the lazy dog, and then it does so again. " * 12


def test_requests_of_several_threads_each_get_what_they_get_alone(make_owner, ask, engine, voice):
    from xttsproject.xtts.conditioning import Conditioning

    owner = make_owner()
    requests = [ask(f"This is the sentence of person {number}.", seed=number) for number in range(4)]
    answers: dict[int, Speech] = {}

    def speak(number: int) -> None:
        speech = owner.submit(requests[number]).wait(60)
        assert speech is not None
        answers[number] = speech

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, request in enumerate(requests):
        (piece,) = request.pieces
        alone = engine.speak(piece.text, "en", Conditioning.load(voice), piece.sampling)
        assert [sentence.codes for sentence in answers[number].sentences] == [s.codes for s in alone.sentences]
        # A matrix library rounds rows that are multiplied together otherwise than one: -80 dB below full scale.
        np.testing.assert_allclose(answers[number].audio.samples, alone.audio.samples, atol=1e-4)
    lengths = {answers[number].audio.samples.tobytes() for number in range(4)}
    assert len(lengths) == 4


def test_it_loads_when_first_asked_and_says_so(make_owner, ask):
    owner = make_owner()
    before = owner.status()
    assert (before.state, before.models, before.speaking) == (OwnerState.UNLOADED, 0, 0)
    owner.submit(ask("Hello there.")).wait(60)
    after = owner.status()
    assert (after.state, after.models) == (OwnerState.READY, 1)
    assert after.since > before.since
    assert after.memory_bytes is None or after.memory_bytes > 50_000_000


def test_it_loads_ahead_when_told_to(make_owner, random_bundle):
    owner = make_owner()
    assert owner.submit(ModelChoice(random_bundle)).wait(60) is None
    assert owner.status().state == OwnerState.READY


def test_models_leave_memory_after_the_idle_time_and_come_back(make_owner, ask):
    owner = make_owner(idle_seconds=0.2)
    first = owner.submit(ask("Hello there.")).wait(60)
    until(lambda: owner.status().state == OwnerState.UNLOADED)
    assert owner.status().models == 0
    again = owner.submit(ask("Hello there.")).wait(60)
    np.testing.assert_array_equal(first.audio.samples, again.audio.samples)


def test_quantised_weights_are_kept_for_the_next_load(make_owner, ask, tmp_path):
    owner = make_owner(precision="int8", packed_dir=tmp_path, idle_seconds=0.2)
    first = owner.submit(ask("Hello there.")).wait(60)
    [file] = tmp_path.iterdir()
    made = file.stat().st_ino
    until(lambda: owner.status().state == OwnerState.UNLOADED)
    again = owner.submit(ask("Hello there.")).wait(60)
    assert [kept.stat().st_ino for kept in tmp_path.iterdir()] == [made]
    np.testing.assert_array_equal(first.audio.samples, again.audio.samples)


def test_zero_idle_seconds_mean_that_models_stay(make_owner, ask):
    owner = make_owner(idle_seconds=0)
    owner.submit(ask("Hello there.")).wait(60)
    time.sleep(0.3)
    assert owner.status().state == OwnerState.READY


def test_too_long_a_line_is_refused_and_those_in_it_are_served(make_owner, ask, random_bundle):
    owner = make_owner(together=1, queue_limit=2)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    speaking = owner.submit(ask(LONG))
    until(lambda: owner.status().speaking and owner.status().waiting == 0)
    waiting = [owner.submit(ask("Hello there.", seed=seed)) for seed in (1, 2)]
    with pytest.raises(DomainError) as caught:
        owner.submit(ask("One too many."))
    assert caught.value.code == "busy"
    assert not caught.value.permanent
    assert owner.status().waiting == 2
    assert all(ticket.wait(60) is not None for ticket in (speaking, *waiting))


def test_a_person_with_many_requests_in_the_line_leaves_room_for_others(make_owner, ask, random_bundle):
    owner = make_owner(together=1, queue_limit=8, asker_limit=2)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    owner.submit(ask(LONG), "anna")
    until(lambda: owner.status().speaking and owner.status().waiting == 0)
    tickets = [owner.submit(ask("Hello there.", seed=seed), "anna") for seed in (1, 2)]
    with pytest.raises(DomainError) as caught:
        owner.submit(ask("One too many."), "anna")
    assert caught.value.code == "busy"
    others = [owner.submit(ask("Hello there."), "ben"), owner.submit(ask("Hello there."))]
    tickets[0].abandon()
    others.append(owner.submit(ask("Room again."), "anna"))
    assert all(ticket.wait(60) is not None for ticket in (tickets[1], *others))


def test_a_model_that_is_replaced_under_its_name_is_loaded_anew(make_owner, ask, random_bundle, tmp_path):
    bundle = tmp_path / "model"
    shutil.copytree(random_bundle, bundle)
    owner, manifest = make_owner(), bundle / "manifest.json"
    owner.submit(ask("Hello there.", model=ModelChoice(bundle))).wait(60)
    since = owner.status().since
    owner.submit(ask("Hello there.", model=ModelChoice(bundle))).wait(60)
    assert owner.status().since == since
    # Brought along with its time, as an archive is unpacked: the size tells.
    before = manifest.stat()
    facts = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**facts, "notice": facts["notice"] + " Replaced."}), encoding="utf-8")
    os.utime(manifest, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert manifest.stat().st_mtime_ns == before.st_mtime_ns
    owner.submit(ask("Hello there.", model=ModelChoice(bundle))).wait(60)
    assert owner.status().since > since
    assert owner.status().models == 1


def test_an_abandoned_request_stops_and_the_next_one_is_served(make_owner, ask, random_bundle):
    owner = make_owner()
    owner.submit(ModelChoice(random_bundle)).wait(60)
    long = owner.submit(ask(LONG * 2))
    until(lambda: long.fraction > 0)
    skipped = owner.submit(ask("Nobody waits for me."))
    following = owner.submit(ask("But somebody waits for me."))
    skipped.abandon()
    with pytest.raises(Cancelled):
        long.wait(60, gone=lambda: True)
    assert following.wait(60) is not None
    # What had run to its end would give its speech now: both were really stopped, and far from the end.
    for ticket in (long, skipped):
        with pytest.raises(Cancelled):
            ticket.wait(5)
    assert long.fraction < 1
    assert skipped.fraction == 0


def test_a_request_that_takes_too_long_is_given_up_with_a_sentence(make_owner, ask, random_bundle):
    owner = make_owner()
    owner.submit(ModelChoice(random_bundle)).wait(60)
    ticket = owner.submit(ask(LONG))
    with pytest.raises(DomainError) as caught:
        ticket.wait(0.05)
    assert caught.value.code == "speech_timeout"
    assert ticket.abandoned
    assert owner.submit(ask("Still alive.")).wait(60) is not None


def test_an_error_reaches_the_one_who_asked_and_no_other(make_owner, ask, tmp_path):
    owner = make_owner()
    lost = owner.submit(ask("Hello.", conditioning=tmp_path / "none.safetensors"))
    unreadable = owner.submit(ask("§§§"))
    fine = owner.submit(ask("Hello there."))
    for ticket in (lost, unreadable):
        with pytest.raises(DomainError):
            ticket.wait(60)
    assert fine.wait(60) is not None
    assert owner.status().last_error == ""


def test_a_missing_model_is_an_error_and_shows_in_the_state(make_owner, ask, tmp_path):
    owner = make_owner()
    with pytest.raises(DomainError) as caught:
        owner.submit(ask("Hello.", model=ModelChoice(tmp_path / "nothing"))).wait(60)
    assert caught.value.code.startswith("model_")
    status = owner.status()
    assert status.state == OwnerState.UNLOADED
    assert status.last_error == caught.value.message


def test_latents_of_another_model_are_refused(make_owner, ask):
    with pytest.raises(DomainError) as caught:
        make_owner().submit(ask("Hello.", model_key="0" * 64)).wait(60)
    assert caught.value.code == "voice_outdated"


def test_a_closed_owner_refuses(make_owner, ask):
    owner = make_owner()
    owner.submit(ask("Hello there.")).wait(60)
    owner.close()
    assert owner.status().models == 0
    with pytest.raises(DomainError) as caught:
        owner.submit(ask("Hello again."))
    assert caught.value.code == "speech_stopped"

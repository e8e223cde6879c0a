"""Speech that is past its time or its room goes, the oldest first; the rest stays."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from tests.voices.factories import SynthesisFactory
from voices.models import IdempotentRequest, Synthesis
from voices.services import synthesis_pin
from voices.services.pruning import speech_prune
from voices.tasks import prune
from xttsproject.jobs.registry import all_housekeeping

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 48_044


def spoken(owner: Any, days: float) -> Synthesis:
    made: Synthesis = SynthesisFactory(owner=owner, created_at=timezone.now() - timedelta(days=days))
    return made


def left() -> list[Any]:
    return list(Synthesis.objects.values_list("pk", flat=True))


def test_nothing_goes_unless_the_settings_say_so(people):
    old = spoken(people.anna, 4000)
    assert speech_prune().count == 0
    assert old.audio_path.is_file()


def test_what_is_too_old_goes_with_its_sound(people, settings):
    settings.SPEECH_KEEP_DAYS = 30
    new, old = spoken(people.anna, 29.9), spoken(people.ben, 30.1)
    dry = speech_prune(dry_run=True)
    assert (dry.aged, dry.crowded, dry.bytes) == (1, 0, SIZE)
    assert old.audio_path.is_file()
    assert speech_prune() == dry
    assert left() == [new.pk]
    assert (new.audio_path.is_file(), old.audio_path.is_file()) == (True, False)


def test_what_is_pinned_stays_and_has_its_room_first(people, settings, monkeypatch):
    settings.SPEECH_KEEP_DAYS = 30
    old, pinned = spoken(people.anna, 40), spoken(people.anna, 50)
    synthesis_pin(synthesis=pinned, pinned=True)
    assert speech_prune().aged == 1
    assert left() == [pinned.pk]
    settings.SPEECH_KEEP_GB = 1
    monkeypatch.setattr("voices.services.pruning._GB", 2 * SIZE)
    new, older = spoken(people.anna, 1), spoken(people.anna, 2)
    assert speech_prune().crowded == 1
    assert left() == [new.pk, pinned.pk]
    synthesis_pin(synthesis=pinned, pinned=False)
    assert speech_prune().aged == 1
    assert not any(gone.audio_path.is_file() for gone in (old, older, pinned))


def test_people_pin_their_own_on_page_and_api_and_administrators_in_the_admin(people, page_for, api_for):
    mine, other = spoken(people.anna, 1), spoken(people.anna, 2)
    pin = reverse("voices:synthesis-pin", args=[mine.pk])
    there = f"/api/v1/syntheses/{mine.pk}/"
    assert page_for(people.ben).post(pin, {"pinned": "1"}).status_code == 404
    assert api_for(people.ben).patch(there, {"pinned": True}, format="json").status_code == 404
    anna, client = page_for(people.anna), api_for(people.anna)
    assert anna.post(pin, {"pinned": "1"}).status_code == 302
    assert client.get(there).json()["pinned"] is True
    assert [row["id"] for row in client.get("/api/v1/syntheses/?pinned=true").json()["results"]] == [str(mine.pk)]
    shown = anna.get("/speak/?pinned=1").content.decode()
    assert str(mine.pk) in shown
    assert str(other.pk) not in shown
    assert client.patch(there, {"pinned": False}, format="json").json()["pinned"] is False
    assert client.patch(there, {}, format="json").json()["error"]["param"] == "pinned"
    assert "Nothing that you have had spoken is pinned" in anna.get("/speak/?pinned=1").content.decode()

    changelist = reverse("admin:voices_synthesis_changelist")
    both = {"action": "pin", "_selected_action": [mine.pk, other.pk]}
    page_for(people.root).post(changelist, both)
    assert Synthesis.objects.filter(pinned=True).count() == 2
    page_for(people.root).post(changelist, {**both, "action": "unpin"})
    assert not Synthesis.objects.filter(pinned=True).exists()


def test_the_oldest_beyond_the_room_go(people, settings, monkeypatch):
    settings.SPEECH_KEEP_GB = 1
    monkeypatch.setattr("voices.services.pruning._GB", 2 * SIZE)
    three = [spoken(people.anna, days) for days in (1, 2, 3)]
    assert speech_prune().crowded == 1
    assert left() == [three[0].pk, three[1].pk]
    assert speech_prune().count == 0


def test_sound_that_nobody_knows_goes_after_a_day(people):
    known = spoken(people.anna, 3)
    folder = known.audio_path.parent
    broken, fresh = Path(folder, ".half-written.wav"), Path(folder, f"{'0' * 8}-0000-4000-8000-{'0' * 12}.wav")
    for path in (broken, fresh):
        path.write_bytes(b"x")
    day_ago = time.time() - 25 * 3600
    os.utime(broken, (day_ago, day_ago))
    os.utime(known.audio_path, (day_ago, day_ago))
    assert speech_prune().unknown == 1
    assert (broken.exists(), fresh.exists(), known.audio_path.exists()) == (False, True, True)


def test_files_are_asked_about_together(people, django_assert_num_queries):
    day_ago = time.time() - 25 * 3600
    for days in range(2, 12):
        os.utime(spoken(people.anna, days).audio_path, (day_ago, day_ago))
    with django_assert_num_queries(3):
        assert speech_prune().count == 0


def long_one(owner: Any, days: float, state: str) -> Synthesis:
    made = spoken(owner, days)
    Synthesis.objects.filter(pk=made.pk).update(asked={"language": ""}, state=state)
    made.refresh_from_db()
    made.folder.mkdir()
    (made.folder / "000001-1.wav").write_bytes(b"x" * 1000)
    return made


def test_long_texts_go_with_their_sentences_but_not_while_they_are_spoken(people, settings):
    settings.SPEECH_KEEP_DAYS = 1
    running, waiting, ended = (long_one(people.anna, 3, state) for state in ("running", "queued", "cancelled"))
    assert speech_prune(dry_run=True).bytes == SIZE + 1000
    assert speech_prune().aged == 1
    assert {running.pk, waiting.pk} == set(left())
    assert [each.folder.is_dir() for each in (running, waiting, ended)] == [True, True, False]


def test_what_is_being_spoken_has_its_room_before_others(people, settings, monkeypatch):
    settings.SPEECH_KEEP_GB = 1
    monkeypatch.setattr("voices.services.pruning._GB", 2 * SIZE)
    running = long_one(people.anna, 3, "running")
    new = spoken(people.anna, 1)
    assert speech_prune().crowded == 1
    assert left() == [running.pk]
    assert not new.audio_path.exists()


def test_folders_and_half_written_sentences_that_nobody_knows_go_after_a_day(people):
    known = long_one(people.anna, 3, "running")
    half = known.folder / ".000002-1-x.wav"
    unknown = known.folder.parent / f"{'0' * 8}-0000-4000-8000-{'0' * 12}"
    unknown.mkdir()
    day_ago = time.time() - 25 * 3600
    half.write_bytes(b"x")
    for path in (half, unknown, known.folder / "000001-1.wav", known.folder):
        os.utime(path, (day_ago, day_ago))
    assert speech_prune().unknown == 2
    assert (half.exists(), unknown.exists(), (known.folder / "000001-1.wav").exists()) == (False, False, True)


def test_the_command_shows_and_does_it(people, settings):
    settings.SPEECH_KEEP_DAYS = 1
    spoken(people.anna, 2)
    out = StringIO()
    call_command("prune", "--dry-run", stdout=out)
    assert "1 older than 1 days" in out.getvalue()
    assert "would be deleted" in out.getvalue()
    assert len(left()) == 1
    call_command("prune", stdout=out)
    assert left() == []


def test_the_hourly_sweep_prunes_and_forgets_keys(people, settings):
    settings.SPEECH_KEEP_DAYS = 1
    spoken(people.anna, 2)
    now = timezone.now()
    for key, hours in (("old", 25), ("new", 23)):
        IdempotentRequest.objects.create(
            owner=people.anna, key=key, fingerprint="", created_at=now - timedelta(hours=hours)
        )
    assert ("speech", prune) in all_housekeeping()
    assert prune() == 2
    assert [row.key for row in IdempotentRequest.objects.all()] == ["new"]

"""Speech in another form is encoded once for all the stretches that a player asks for, and kept for a while."""

from __future__ import annotations

import os
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.voices.factories import SynthesisFactory, speechlike
from voices.engine.encoding import Output, encode, require_format
from voices.models import Synthesis
from voices.services import output, synthesis_delete
from voices.services.converting import converted_prune
from voices.services.output import synthesis_file
from xttsproject import storage
from xttsproject.lib.audio import write_wav

# Deleting a speech deletes its files once that is committed.
pytestmark = pytest.mark.django_db(transaction=True)

MP3 = Output(require_format("mp3"))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Output]:
    """Every output that has really been encoded."""
    made: list[Output] = []

    def counting(audio: Any, wanted: Any, tags: Any) -> bytes:
        made.append(wanted)
        return encode(audio, wanted, tags)

    monkeypatch.setattr(output, "encode", counting)
    return made


def kept() -> list[Path]:
    return sorted(storage.converted_root().rglob("*.*"))


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_stretches_of_another_form_are_of_one_encoding(people, api_for, page_for, encoded):
    synthesis = SynthesisFactory(owner=people.anna)
    where = f"/api/v1/syntheses/{synthesis.pk}/audio/?format=mp3"
    anna = api_for(people.anna)
    whole = anna.get(where)
    size = len(whole.content)
    parts = [
        anna.get(where, headers={"Range": stretch, "If-Range": whole["ETag"]})
        for stretch in ("bytes=0-99", f"bytes=100-{size - 2}", "bytes=-1")
    ]
    assert [part.status_code for part in parts] == [206, 206, 206]
    assert b"".join(part.content for part in parts) == whole.content
    page = page_for(people.anna).get(f"/speak/{synthesis.pk}/audio/?format=mp3", headers={"Range": "bytes=0-99"})
    assert (page.status_code, page.content) == (206, whole.content[:100])
    assert page["Content-Disposition"].startswith("attachment")
    assert len(encoded) == 1
    # Another form, rate or loudness is another file.
    for more in ("format=opus", "format=mp3&sample_rate=8000", "format=mp3&loudness=-20"):
        assert anna.get(f"/api/v1/syntheses/{synthesis.pk}/audio/?{more}").status_code == 200
    assert len(encoded) == len(kept()) == 4
    # Nobody else's business.
    assert api_for(people.ben).get(where).status_code == 404


def test_other_sound_is_another_file(people, encoded):
    synthesis = SynthesisFactory(owner=people.anna)
    first = synthesis_file(synthesis=synthesis, output=MP3)
    write_wav(synthesis.audio_path, speechlike(1.0, seed=5))
    second = synthesis_file(synthesis=synthesis, output=MP3)
    assert (len(encoded), first != second) == (2, True)
    # What a file says of itself is part of it.
    Synthesis.objects.filter(pk=synthesis.pk).update(text="Other words.")
    assert b"Other words." in synthesis_file(synthesis=Synthesis.objects.get(), output=MP3)


def test_a_form_goes_with_its_speech(people):
    synthesis, other = (SynthesisFactory(owner=people.anna) for _ in range(2))
    for each in (synthesis, other):
        synthesis_file(synthesis=each, output=MP3)
    synthesis_delete(synthesis=synthesis)
    assert [path.parent.name for path in kept()] == [str(other.pk)]
    # A row that went another way: with its owner.
    other.delete()
    assert converted_prune()[0] == 1
    assert not list(storage.converted_root().iterdir())


def test_what_was_not_asked_for_the_longest_makes_room(people, settings, encoded):
    speeches = [SynthesisFactory(owner=people.anna) for _ in range(3)]
    size = len(synthesis_file(synthesis=speeches[0], output=MP3))
    settings.SPEECH_CONVERTED_MB = 2.5 * size / 1000**2
    aged(kept()[0], 600)
    synthesis_file(synthesis=speeches[1], output=MP3)
    aged(next(path for path in kept() if path.parent.name == str(speeches[1].pk)), 300)
    # Asked for again, so that the second is the one that goes.
    synthesis_file(synthesis=speeches[0], output=MP3)
    synthesis_file(synthesis=speeches[2], output=MP3)
    assert {path.parent.name for path in kept()} == {str(speeches[0].pk), str(speeches[2].pk)}
    assert len(encoded) == 3
    settings.SPEECH_CONVERTED_MB = 0
    assert converted_prune(dry_run=True) == (2, 2 * size)
    assert converted_prune() == (2, 2 * size)
    synthesis_file(synthesis=speeches[0], output=MP3)
    assert kept() == []


def test_what_nobody_asks_for_goes_after_a_day_and_so_does_what_is_half(people):
    synthesis = SynthesisFactory(owner=people.anna)
    synthesis_file(synthesis=synthesis, output=MP3)
    (file,) = kept()
    half = file.with_name(f".{file.stem}-half.mp3")
    half.write_bytes(b"ID3")
    assert converted_prune()[0] == 0
    aged(half, 2 * 3600)
    aged(file, 23 * 3600)
    assert converted_prune()[0] == 1
    aged(file, 25 * 3600)
    out = StringIO()
    call_command("prune", stdout=out)
    assert "1 files of speech in other forms deleted" in out.getvalue()
    assert not file.exists()


def test_where_nothing_can_be_kept_it_is_encoded_and_sent_all_the_same(people, settings, encoded):
    synthesis = SynthesisFactory(owner=people.anna)
    settings.CACHE_DIR.parent.mkdir(parents=True, exist_ok=True)
    settings.CACHE_DIR.write_text("no folder", encoding="utf-8")
    first, second = (synthesis_file(synthesis=synthesis, output=MP3) for _ in range(2))
    assert first == second
    assert len(encoded) == 2


def test_an_answer_that_nobody_can_ask_for_again_is_not_kept(people, encoded):
    synthesis = SynthesisFactory(owner=people.anna)
    synthesis_file(synthesis=synthesis, output=MP3, kept=False)
    assert kept() == []
    synthesis.audio_path.unlink()
    with pytest.raises(FileNotFoundError):
        synthesis_file(synthesis=synthesis, output=MP3)

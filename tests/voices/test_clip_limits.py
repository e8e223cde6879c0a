"""Reference clips are bounded in size, length and number, and never decoded all at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.voices.factories import SpeakerFactory, speechlike
from voices.engine.references import MAX_FILE_BYTES
from voices.models import Voice
from voices.services import Upload, upload_clips, voice_create
from xttsproject import storage
from xttsproject.lib.audio import write_wav
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db


def long_clip(folder: Path, seconds: float) -> Path:
    path = folder / f"{seconds:g}.wav"
    write_wav(path, speechlike(seconds, rate=8000))
    return path


def refusal(owner: Any, uploads: list[Upload]) -> DomainError:
    with pytest.raises(DomainError) as caught:
        voice_create(owner=owner, name="Vera", speaker=SpeakerFactory(owner=owner), language="en", uploads=uploads)
    assert not Voice.objects.exists()
    folder = storage.voice_dir(Voice().pk).parent
    assert not folder.is_dir() or not list(folder.iterdir())
    return caught.value


def test_a_file_over_the_limit_is_refused_before_anything_is_decoded(people: Any, tmp_path: Path) -> None:
    undecodable, large = tmp_path / "first", tmp_path / "second"
    undecodable.write_bytes(b"no sound at all" * 100)
    large.touch()
    # Sparse: it takes no room on the disk.
    os.truncate(large, MAX_FILE_BYTES + 1)
    error = refusal(people.anna, [Upload("notes.txt", undecodable), Upload("film.mp4", large)])
    assert (error.code, error.field) == ("too_large", "clips")
    assert "“film.mp4”" in error.message
    assert "200 MB" in error.message


def test_a_clip_of_more_than_two_minutes_is_refused_with_its_name(people: Any, tmp_path: Path) -> None:
    error = refusal(people.anna, [Upload("lecture.wav", long_clip(tmp_path, 130))])
    assert (error.code, error.field) == ("media_too_long", "clips")
    assert "lecture.wav" in error.message


def test_more_than_five_minutes_together_are_refused_and_nothing_is_left(people: Any, tmp_path: Path) -> None:
    path = long_clip(tmp_path, 110)
    error = refusal(people.anna, [Upload(f"part {number}.wav", path) for number in range(3)])
    assert (error.code, error.field) == ("clips_too_long", "clips")
    assert "5 minutes" in error.message


def test_a_clip_is_decoded_when_its_turn_comes(people: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"no sound at all" * 100)
    clips = upload_clips([Upload("good.wav", long_clip(tmp_path, 2)), Upload("broken.wav", broken)])
    assert next(clips).name == "good.wav"
    with pytest.raises(DomainError) as caught:
        next(clips)
    assert "broken.wav" in caught.value.message

"""Speech that cannot be kept is refused in words, before it is spoken where that can be known."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from voices.models import Synthesis
from voices.services.runtime import speech_status

pytestmark = pytest.mark.django_db


def full(*_args: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_of_and_leaves_nothing_behind(people, api_for, make_voice, settings, monkeypatch):
    voice, anna = make_voice(people.anna), api_for(people.anna)
    body = {"voice": str(voice.pk), "text": "Hello there."}
    with monkeypatch.context() as patch:
        patch.setattr("xttsproject.lib.disk.free_bytes", lambda path: 0)
        before = anna.post("/api/v1/speech/", body, format="json")
    assert (before.status_code, before.json()["error"]["code"]) == (503, "disk_full")
    assert speech_status() is None
    with monkeypatch.context() as patch:
        # It fills up while the sound is written.
        patch.setattr("voices.services.speech.tag_wav", full)
        after = anna.post("/api/v1/speech/", body, format="json")
    assert (after.status_code, after.json()["error"]["code"]) == (503, "disk_full")
    assert not Synthesis.objects.exists()
    assert not list(Path(settings.MEDIA_ROOT, "speech").rglob("*.wav"))
    assert anna.post("/api/v1/speech/", body, format="json").status_code == 200

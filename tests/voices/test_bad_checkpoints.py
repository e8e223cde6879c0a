"""Checkpoints that cannot be used: each is refused with a sentence that names it, by whatever would have used it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.voices.factories import make_checkpoint
from training.models import Checkpoint
from voices.choices import VoiceState
from voices.models import Voice
from voices.services import Upload, voice_create
from xttsproject.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(people: Any, speaking: Path) -> list[Checkpoint]:
    """Two checkpoints of one run of tom's, with real adapters."""
    first = make_checkpoint(people.tom, speaking)
    shutil.copytree(first.folder, first.run.folder / "checkpoints/epoch-0002")
    second = Checkpoint.objects.create(
        run=first.run, epoch=2, step=8, path="checkpoints/epoch-0002", bytes=first.bytes, sha256=first.sha256
    )
    return [first, second]


def cut_short(checkpoint: Checkpoint) -> str:
    checkpoint.weights_path.write_bytes(checkpoint.weights_path.read_bytes()[:-100])
    return f"has {checkpoint.bytes - 100} of its {checkpoint.bytes} bytes"


def one_bit_other(checkpoint: Checkpoint) -> str:
    data = bytearray(checkpoint.weights_path.read_bytes())
    data[-1] ^= 1
    checkpoint.weights_path.write_bytes(data)
    return "is not the one that was written"


def gone(checkpoint: Checkpoint) -> str:
    checkpoint.weights_path.unlink()
    return "is gone from the run's folder"


@pytest.mark.parametrize("harm", [cut_short, one_bit_other, gone])
def test_a_voice_and_an_average_of_a_damaged_checkpoint_fail_before_a_model_is_loaded(
    people: Any,
    two: list[Checkpoint],
    clip: Path,
    work: Callable[[], list[str]],
    api_for: Any,
    page_for: Any,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Checkpoint], str],
) -> None:
    first, _ = two
    what = harm(first)
    monkeypatch.setattr("xttsproject.xtts.engine.XttsEngine.load", None)
    monkeypatch.setattr("training.engine.soup.average_checkpoints", None)
    voice = voice_create(owner=people.tom, name="Vera", checkpoint=first, uploads=[Upload("mum.wav", clip)])
    answer = api_for(people.tom).post(
        f"/api/v1/training-runs/{first.run_id}/average/", {"epochs": [1, 2]}, format="json"
    )
    assert answer.status_code == 202
    assert work() == ["failed", "failed"]
    code = "checkpoint_missing" if harm is gone else "checkpoint_damaged"
    for job in Job.objects.all():
        assert job.error_code == code
        assert f"The file adapter_model.safetensors of {first} {what}" in job.error
    voice.refresh_from_db()
    assert voice.state == VoiceState.FAILED
    for address in (f"/voices/{voice.pk}/", f"/runs/{first.run_id}/"):
        assert what.replace("'", "&#x27;") in page_for(people.tom).get(address).content.decode(), address


def test_a_base_model_that_does_not_match_its_adapter_is_told_apart(
    people: Any, two: list[Checkpoint], clip: Path, work: Callable[[], list[str]], settings: Any, random_bundle: Path
) -> None:
    """Another model was put in the place of the one that the run trained."""
    first, _ = two
    settings.MODELS_DIR, settings.XTTS_BUNDLE = random_bundle.parent, random_bundle.name
    first.run.bundle = random_bundle.name
    first.run.save()
    voice_create(owner=people.tom, name="Vera", checkpoint=first, uploads=[Upload("mum.wav", clip)])
    assert work() == ["failed"]
    job = Job.objects.get()
    assert job.error_code == "adapter_mismatch"
    assert "gpt.h.0.attn.c_attn" in job.error
    assert Voice.objects.get().state == VoiceState.FAILED

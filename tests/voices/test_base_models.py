"""A voice without a checkpoint speaks with any XTTS model of the installation."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.voices.factories import SpeakerFactory, make_checkpoint
from voices.models import Voice
from voices.services import Upload, voice_create
from xttsproject.bundles.manifest import write_manifest
from xttsproject.lib.errors import DomainError


@pytest.fixture
def imported(settings: Any, tmp_path: Path, speaking: Path) -> Path:
    """A second model beside the portal's own, which speaks German alone; their weights are the same."""
    settings.MODELS_DIR = tmp_path / "models"
    for name in (speaking.name, "imported"):
        shutil.copytree(speaking, settings.MODELS_DIR / name, copy_function=os.link)
    folder = Path(settings.MODELS_DIR / "imported")
    raw = json.loads((folder / "config.json").read_text())
    for name in ("config.json", "manifest.json"):
        (folder / name).unlink()
    (folder / "config.json").write_text(json.dumps({**raw, "languages": ["de"]}))
    about = {"licence": "MIT", "licence_url": "", "notice": "", "source": "a test"}
    write_manifest(folder, name="imported", kind="xtts", **about)  # type: ignore[arg-type]
    return folder


def test_a_voice_of_a_chosen_model_is_prepared_with_it(people, imported, clip, work):
    voice = voice_create(
        owner=people.anna,
        name="Vera",
        bundle="imported",
        speaker=SpeakerFactory(owner=people.anna),
        language="de",
        uploads=[Upload("mum.wav", clip)],
    )
    assert work() == ["succeeded"]
    voice.refresh_from_db()
    assert (voice.bundle, voice.is_ready, voice.bundle_path) == ("imported", True, imported)


@pytest.mark.parametrize(
    ("changes", "code", "field", "said"),
    [
        ({"language": "en"}, "language_unsupported", "language", "“imported” does not speak English; it speaks German"),
        ({"bundle": "nowhere"}, "model_missing", None, "There is no model “nowhere”"),
        ({"bundle": "../imported"}, "bundle_unsuitable", "bundle", "folder's name"),
    ],
)
def test_a_model_that_cannot_speak_it_is_refused(people, imported, clip, changes, code, field, said):
    fields: dict[str, Any] = {"bundle": "imported", "language": "de", **changes}
    with pytest.raises(DomainError) as caught:
        voice_create(
            owner=people.anna,
            name="Vera",
            speaker=SpeakerFactory(owner=people.anna),
            uploads=[Upload("mum.wav", clip)],
            **fields,
        )
    assert (caught.value.code, caught.value.field) == (code, field)
    assert said in caught.value.message
    assert not Voice.objects.exists()


def test_a_checkpoint_speaks_with_the_model_it_was_trained_on_alone(people, imported, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    with pytest.raises(DomainError) as caught:
        voice_create(owner=people.anna, name="Vera", checkpoint=checkpoint, bundle="imported")
    assert (caught.value.code, caught.value.field) == ("model_mismatch", "bundle")
    assert voice_create(owner=people.anna, name="Vera", checkpoint=checkpoint, bundle=speaking.name).bundle == "tiny"


def test_the_page_and_the_api_offer_every_model(people, imported, clip, page_for, api_for):
    page = page_for(people.anna).get(reverse("voices:voice-add")).content.decode()
    assert '<option value="imported">' in page
    sent = {
        "name": "Vera",
        "bundle": "imported",
        "speaker": SpeakerFactory(owner=people.anna).pk,
        "language": "de",
        "visibility": "private",
    }
    files = [SimpleUploadedFile("mum.wav", clip.read_bytes()) for _ in range(2)]
    assert page_for(people.anna).post(reverse("voices:voice-add"), {**sent, "clips": [files[0]]}).status_code == 302
    answer = api_for(people.anna).post(
        "/api/v1/voices/", {**sent, "name": "Vera 2", "clips": [files[1]]}, format="multipart"
    )
    assert (answer.status_code, answer.data["bundle"]) == (201, "imported")
    assert set(Voice.objects.values_list("bundle", flat=True)) == {"imported"}

"""What cannot be trained on is refused when it is asked for, on the page and over the API, in one clear sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.factories import DatasetFactory
from tests.training.factories import frozen_version
from tests.training.test_pages import form_of
from training.models import TrainingRun
from xttsproject.bundles.manifest import open_bundle, write_manifest
from xttsproject.jobs.models import Job

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/training-runs/"


def refusals(person: Any, page_for: Any, api_for: Any, version: Any, **changes: Any) -> tuple[str, str, dict[str, Any]]:
    """What the form, the pre-flight beside it, and the API say; none of them starts anything."""
    page = page_for(person)
    form = page.post("/runs/new/", form_of(version, **changes))
    assert form.status_code == 400
    preflight = page.get("/runs/new/preflight/", form_of(version, **changes)).content.decode()
    answer = api_for(person).post(RUNS, {"name": "Run", "version": str(version.pk), **changes}, format="json")
    assert 400 <= answer.status_code < 500, answer.content
    assert not TrainingRun.objects.exists()
    assert not Job.objects.filter(kind="training.run").exists()
    return form.content.decode(), preflight, answer.json()["error"]


def test_a_dataset_without_approved_clips_is_not_frozen(people: Any, page_for: Any, api_for: Any) -> None:
    dataset = DatasetFactory(owner=people.tom)
    answer = api_for(people.tom).post(f"/api/v1/datasets/{dataset.pk}/freeze/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "dataset_empty")
    sentence = answer.json()["error"]["message"]
    page = page_for(people.tom).post(f"/datasets/{dataset.pk}/freeze/", follow=True).content.decode()
    assert sentence.split(";")[0] in page.replace("&quot;", '"').replace("&#x27;", "'")
    assert not dataset.versions.exists()


def test_one_clip_can_be_trained_on_and_the_preflight_says_what_that_lacks(
    tiny: Path, people: Any, page_for: Any
) -> None:
    version = frozen_version(people.tom, clips=1)
    html = page_for(people.tom).get("/runs/new/preflight/", form_of(version)).content.decode()
    assert "1 to train on, 0 to validate with" in html
    assert "Without validation clips" in html
    assert page_for(people.tom).post("/runs/new/", form_of(version)).status_code == 302


def test_a_rank_of_0(tiny: Path, people: Any, page_for: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    sentence = "must be a whole number at least 1 and at most 1024, got 0."
    form, preflight, error = refusals(people.tom, page_for, api_for, version, lora_rank=0)
    assert (error["code"], error["param"], error["message"]) == ("spec_invalid", "lora_rank", f"lora_rank {sentence}")
    # A page calls it by its label.
    assert f"LoRA rank {sentence}" in form
    assert f"LoRA rank {sentence}" in preflight


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("epochs", 10**399, "Epochs must be a whole number at least 1 and at most 100000, got 100000"),
        (
            "seed",
            2**63,
            "Seed must be a whole number at least 0 and at most 9223372036854775807, got 9223372036854775808.",
        ),
        ("early_stopping_min_delta", "x", "Better by at least: Enter a number."),
    ],
)
def test_numbers_beyond_any_limit_and_none_at_all(
    tiny: Path, people: Any, page_for: Any, api_for: Any, field: str, value: Any, said: str
) -> None:
    version = frozen_version(people.tom, clips=2)
    form, preflight, error = refusals(people.tom, page_for, api_for, version, **{field: value})
    assert said in preflight
    assert said.partition(": ")[2] in form
    assert error["param"] == field
    # Of hundreds of digits no more than tell what was meant.
    assert len(error["message"]) < 200


def test_a_language_that_the_model_lacks(
    people: Any, page_for: Any, api_for: Any, settings: Any, tiny_bundle: Path, tmp_path: Path
) -> None:
    """A model whose config says that it speaks German alone."""
    model = tmp_path / "german"
    model.mkdir()
    for name in open_bundle(tiny_bundle).files:
        (model / name).symlink_to(tiny_bundle / name)
    config = json.loads((tiny_bundle / "config.json").read_text())
    (model / "config.json").unlink()
    (model / "config.json").write_text(json.dumps({**config, "languages": ["de"]}))
    write_manifest(model, name="german", kind="xtts", licence="MIT", licence_url="", notice="", source="here")
    settings.MODELS_DIR, settings.XTTS_BUNDLE = tmp_path, "german"
    version = frozen_version(people.tom, clips=2)
    form, preflight, error = refusals(people.tom, page_for, api_for, version, bundle="german")
    assert (error["code"], error["param"]) == ("language_unsupported", "version")
    for said in (form, preflight, error["message"]):
        assert "“german” does not speak English" in said
        assert "it speaks German" in said


def test_a_clip_that_vanished_from_the_frozen_version(tiny: Path, people: Any, page_for: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    rows = [json.loads(line) for line in version.manifest_path.read_text(encoding="utf-8").splitlines()]
    clip = version.folder / next(row["audio"] for row in rows if row["split"] == "train")
    clip.unlink()
    form, preflight, error = refusals(people.tom, page_for, api_for, version)
    assert (error["code"], error["param"]) == ("version_damaged", "version")
    for said in (form, preflight, error["message"]):
        assert f"The clip {clip.name} of " in said
        assert "is gone from its folder" in said

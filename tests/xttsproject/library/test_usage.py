"""A model is deleted when nothing uses it; otherwise it is said what does."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.training.factories import RunFactory, VersionFactory
from tests.voices.factories import VoiceFactory
from training.models import Sweep
from xttsproject.lib.errors import DomainError
from xttsproject.library.models import ModelImport
from xttsproject.library.services import usage
from xttsproject.library.services.usage import bundle_delete, bundle_uses

pytestmark = pytest.mark.django_db


def refusal(name: str, user: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        bundle_delete(name=name, user=user)
    return caught.value


def test_what_uses_a_model_is_named_to_those_who_may_see_it(
    models_dir: Any, people: SimpleNamespace, staff: Any, settings: Any
) -> None:
    settings.XTTS_BUNDLE = "base"
    VoiceFactory(owner=staff, name="Mine", bundle="base")
    VoiceFactory(owner=people.anna, name="Secret", bundle="base")
    run = RunFactory(owner=people.anna, name="Night", bundle="base")
    assert bundle_uses(name="base", user=staff) == [
        "the setting XTTS_BUNDLE",
        "the voice “Mine” and 1 more",
        "1 training run of other people",
    ]
    assert bundle_uses(name="base", user=people.root)[1:] == [
        "the voices “Mine” and “Secret”",
        "the training run “Night”",
    ]
    assert bundle_uses(name="base", user=people.cora) == ["the setting XTTS_BUNDLE"]
    assert bundle_uses(name="other", user=people.root) == []
    error = refusal("base", people.root)
    assert (error.code, error.message.startswith("“base” is still used by the setting XTTS_BUNDLE, the voices")) == (
        "in_use",
        True,
    )
    assert run.bundle == "base"
    assert (models_dir / "base" / "manifest.json").is_file()


def test_more_models_ask_no_more_queries(
    models_dir: Any, people: SimpleNamespace, staff: Any, page_for: Any, api_for: Any
) -> None:
    for name in "ABCDE":
        VoiceFactory(owner=people.anna, name=name, bundle="base")
    counted = []
    for number in range(2):
        shutil.copytree(models_dir / "base", models_dir / f"more-{number}")
        VoiceFactory(owner=staff, bundle=f"more-{number}")
        with CaptureQueriesContext(connection) as asked:
            rows = api_for(staff).get("/api/v1/models/").json()
        counted.append(len(asked))
        with CaptureQueriesContext(connection) as asked:
            assert page_for(staff).get("/models/").status_code == 200
        counted.append(len(asked))
    assert counted[:2] == counted[2:]
    used = {row["name"]: row["used_by"] for row in rows}
    assert used["base"] == ["5 voices of other people"]
    assert bundle_uses(name="base", user=people.anna) == ["the voices “A”, “B”, “C” and 2 more"]
    assert [len(uses) for uses in used.values()] == [1, 1, 1]


def test_a_sweep_between_two_trials_and_an_import_keep_the_model_that_they_need(
    models_dir: Any, people: SimpleNamespace, staff: Any
) -> None:
    owner = people.tom
    sweep = Sweep.objects.create(
        owner=owner, name="Rates", version=VersionFactory(dataset__owner=owner), bundle="base", method="grid",
        space={}, base={}, grace_epochs=3, state="running",
    )  # fmt: skip
    assert refusal("base", staff).message.startswith("“base” is still used by 1 sweep at work of other people;")
    assert bundle_uses(name="base", user=owner) == ["the sweep at work “Rates”"]
    assert sweep.mark_cancelled()
    assert bundle_uses(name="base", user=owner) == []
    ModelImport.objects.create(owner=staff, name="new", base="base", original_name="x.pth", licence="CPML")
    assert bundle_uses(name="base", user=staff) == ["the import of “new” that is under way"]
    # Imports are the business of those who run the portal.
    assert bundle_uses(name="base", user=owner) == []


def test_pages_and_the_api_delete_what_nothing_uses(
    models_dir: Any, people: SimpleNamespace, staff: Any, page_for: Any, api_for: Any
) -> None:
    address = reverse("library:bundle-delete", args=["base"])
    assert page_for(people.anna).post(address).status_code == 403
    assert api_for(people.anna).delete("/api/v1/models/base/").status_code == 403
    assert address not in page_for(people.anna).get(reverse("models")).content.decode()
    used = VoiceFactory(owner=people.anna, bundle="base")
    assert address not in page_for(staff).get(reverse("models")).content.decode()
    said = page_for(staff).post(address, follow=True).content.decode()
    assert "still used by 1 voice of other people" in said
    assert api_for(staff).delete("/api/v1/models/base/").status_code == 409
    used.delete()
    assert address in page_for(staff).get(reverse("models")).content.decode()
    assert api_for(staff).get("/api/v1/models/base/").data["bytes"] > 0
    assert page_for(staff).post(address).status_code == 302
    assert list(models_dir.iterdir()) == []
    assert api_for(staff).delete("/api/v1/models/base/").status_code == 404
    assert api_for(staff).get("/api/v1/models/base/").status_code == 404
    assert refusal("..", staff).code == "model_unknown"


def test_whoever_begins_to_use_a_model_that_is_being_deleted_keeps_it(
    models_dir: Any, people: SimpleNamespace, staff: Any, monkeypatch: Any
) -> None:
    looked = iter([[], ["the voice “Late”"]])
    monkeypatch.setattr(usage, "bundle_uses", lambda **_: next(looked))
    assert refusal("base", staff).code == "in_use"
    assert [path.name for path in models_dir.iterdir()] == ["base"]
    assert (models_dir / "base" / "manifest.json").is_file()

"""A frozen version does not change: by no way that the portal has, and not unnoticed on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.db import transaction

from datasets.choices import VersionState
from datasets.models import DatasetVersion
from datasets.pipeline.frozen import measure_clips
from datasets.querysets import FROZEN_FIELDS
from datasets.services.freezing import version_freeze, version_manifest
from datasets.services.segments import segment_edit
from tests.conftest import ROOT
from tests.datasets.factories import DatasetFactory, SpeakerFactory, reviewed_source
from xttsproject.lib.errors import DomainError

CHANGES: dict[str, Any] = {
    "number": 7,
    "state": VersionState.FAILED,
    "content_hash": "0" * 64,
    "selection_hash": "0" * 64,
    "manifest_sha256": "0" * 64,
    "clips_train": 99,
    "clips_validation": 99,
    "seconds_train": 99.0,
    "seconds_validation": 99.0,
    "left_out": [{"segment": 1}],
}


@pytest.fixture
def version(people: Any, work: Any) -> DatasetVersion:
    source = reviewed_source(people.anna, visibility="team")
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source], visibility="team")
    made, _job = version_freeze(dataset=dataset, owner=people.anna)
    assert work() == ["succeeded"]
    made.refresh_from_db()
    return made


def test_every_field_is_frozen_or_is_known_not_to_be() -> None:
    free = {"id", "error", "error_code", "created_by_id", "created_at", "health", "measured_at", "duplicate_of_id"}
    assert {field.attname for field in DatasetVersion._meta.concrete_fields} == free | set(FROZEN_FIELDS)
    assert {*CHANGES, "dataset_id"} == set(FROZEN_FIELDS)


@pytest.mark.parametrize("field", CHANGES)
def test_the_model_refuses_to_change_what_is_frozen(version: DatasetVersion, field: str) -> None:
    before = DatasetVersion.objects.filter(pk=version.pk).values().get()
    setattr(version, field, CHANGES[field])
    row = DatasetVersion.objects.get(pk=version.pk)
    setattr(row, field, CHANGES[field])
    attempts = (
        lambda: version.save(),
        lambda: version.save(update_fields=[field]),
        lambda: DatasetVersion.objects.filter(pk=version.pk).update(**{field: CHANGES[field]}),
        lambda: DatasetVersion.objects.bulk_update([row], [field]),
        lambda: version.dataset.versions.update(**{field: CHANGES[field]}),
    )
    for attempt in attempts:
        with pytest.raises(DomainError) as caught, transaction.atomic():
            attempt()
        assert caught.value.code == "version_frozen"
        assert field in caught.value.message
    assert DatasetVersion.objects.filter(pk=version.pk).values().get() == before


def test_a_version_does_not_move_to_another_dataset(version: DatasetVersion, people: Any) -> None:
    other = DatasetFactory(owner=people.anna)
    with pytest.raises(DomainError, match="frozen"):
        DatasetVersion.objects.filter(pk=version.pk).update(dataset=other)
    version.dataset = other
    with pytest.raises(DomainError, match="frozen"):
        version.save()


def test_a_version_that_is_still_being_written_may_change(people: Any) -> None:
    version = DatasetVersion.objects.create(dataset=DatasetFactory(owner=people.anna), number=1)
    version.clips_train = 3
    version.save()
    assert version.advance(VersionState.READY, since=(VersionState.FREEZING,), clips_train=4)
    assert not version.advance(VersionState.FAILED, since=(VersionState.FREEZING,))
    assert DatasetVersion.objects.get().clips_train == 4


@pytest.mark.parametrize("who", ["anna", "cora", "root"])
def test_neither_api_nor_admin_nor_pages_have_a_way_to_change_one(
    version: DatasetVersion, people: Any, api_for: Any, page_for: Any, who: str
) -> None:
    person = getattr(people, who)
    before = DatasetVersion.objects.filter(pk=version.pk).values().get()
    url = f"/api/v1/dataset-versions/{version.pk}/"
    api = api_for(person)
    for ask in (api.put, api.patch, api.post):
        assert ask(url, {"number": 9, "content_hash": "0" * 64}).status_code == 405
    assert api.delete(url).status_code == 405
    page = page_for(person)
    admin = f"/admin/datasets/datasetversion/{version.pk}"
    if person.is_staff or person.is_superuser:
        assert page.post(f"{admin}/change/", {"number": 9}).status_code == 403
        assert page.post(f"{admin}/delete/", {"post": "yes"}).status_code == 403
        body = {"action": "delete_selected", "_selected_action": [str(version.pk)], "post": "yes"}
        page.post("/admin/datasets/datasetversion/", body)
    for path in (f"/dataset-versions/{version.pk}/", f"/dataset-versions/{version.pk}/health/"):
        assert page.post(path, {"number": 9}).status_code == 405
    assert DatasetVersion.objects.filter(pk=version.pk).values().get() == before


def test_the_files_are_read_only(version: DatasetVersion) -> None:
    files = [path for path in version.folder.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o222 for path in files} == {0}


def test_a_changed_manifest_is_refused_by_name(
    version: DatasetVersion, people: Any, api_for: Any, page_for: Any
) -> None:
    rows = version.manifest_path.read_text(encoding="utf-8")
    version.manifest_path.chmod(0o644)
    version.manifest_path.write_text(rows.replace("number one", "number none"), encoding="utf-8")
    with pytest.raises(DomainError) as caught:
        version_manifest(version=version)
    assert caught.value.code == "version_damaged"
    assert str(version) in caught.value.message
    answer = api_for(people.anna).get(f"/api/v1/dataset-versions/{version.pk}/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "version_damaged")
    page = page_for(people.anna).get(f"/dataset-versions/{version.pk}/")
    assert page.status_code == 200
    assert "is not the one that was frozen" in page.content.decode()


@pytest.mark.parametrize(
    ("harm", "said"), [("other", "another sound"), ("gone", "gone from the disk"), ("cut", "not readable")]
)
def test_a_changed_clip_is_found_by_measuring(
    version: DatasetVersion, people: Any, api_for: Any, page_for: Any, work: Any, harm: str, said: str
) -> None:
    paths = sorted((version.folder / "clips").iterdir())
    paths[0].chmod(0o644)
    if harm == "other":
        paths[0].write_bytes(paths[1].read_bytes())
    elif harm == "gone":
        paths[0].unlink()
    else:
        paths[0].write_bytes(paths[0].read_bytes()[:20])
    clips = measure_clips(version.folder, version_manifest(version=version))
    assert [clip.problem[: len(said)] for clip in clips if clip.problem] == [said]
    url = f"/api/v1/dataset-versions/{version.pk}/health/"
    api = api_for(people.anna)
    assert "damaged" not in api.get(url).json()["health"]["findings"]
    assert api.post(url).status_code == 202
    assert work() == ["succeeded"]
    health = api.get(url).json()["health"]
    assert health["findings"]["damaged"] == {"clips": 1, "ids": [paths[0].stem]}
    assert health["advice"][0]["code"] == "damaged"
    assert (
        "1 clip not as frozen" in page_for(people.anna).get(f"/dataset-versions/{version.pk}/health/").content.decode()
    )


def test_the_same_clips_and_texts_give_the_same_hash_in_another_dataset_and_whatever_the_rows_are_called(
    people: Any, work: Any, django_user_model: Any
) -> None:
    """As on another portal: other keys, other order of recordings and segments, the same files and texts."""
    hashes = []
    for turn in (1, -1):
        speaker = SpeakerFactory(owner=people.anna, name=f"Speaker in turn {turn}")
        owner = (people.anna, people.ben)[turn < 0]
        sources = []
        for number in (1, 2, 3)[::turn]:
            source = reviewed_source(owner, speaker=speaker, segments=2 + number, sha256=str(number) * 64)
            source.master_path.write_bytes(_master(number))
            sources.append(source)
        dataset = DatasetFactory(owner=owner, speaker=speaker, sources=sources, validation_share=0.2)
        version, _job = version_freeze(dataset=dataset, owner=owner)
        assert work() == ["succeeded"]
        version.refresh_from_db()
        hashes.append((version.content_hash, version.clips_train, version.clips_validation))
    assert hashes[0] == hashes[1]
    segment_edit(segment=sources[0].segments.get(index=1), text="Another sentence.")
    other, _job = version_freeze(dataset=dataset, owner=owner)
    work()
    other.refresh_from_db()
    assert other.content_hash != hashes[0][0]


def _master(number: int) -> bytes:
    import io

    import numpy as np

    from xttsproject.lib.audio import Audio, write_wav

    buffer = io.BytesIO()
    samples = np.random.default_rng(number).normal(0, 0.05, 24_000 * 16).astype(np.float32)
    write_wav(buffer, Audio(samples, 24_000))
    return buffer.getvalue()


def test_the_hash_is_the_same_in_another_process_with_other_hash_seeds(tmp_path: Any) -> None:
    """Python's own hashes are drawn anew for every process; nothing may depend on them."""
    (tmp_path / "master.wav").write_bytes(_master(5))
    code = (
        "import sys; from pathlib import Path; from datasets.pipeline.manifest import Item, freeze;"
        "from datasets.pipeline.split import split_by_source; folder = Path(sys.argv[1]);"
        "master = folder / 'master.wav';"
        "items = [Item(f'c{n}', f's{n % 3}', master, n, n + 1, f'Text {n}.', 'en', 'A') for n in range(9)];"
        "print(freeze(split_by_source(items, 0.3), folder / sys.argv[2]).hash)"
    )
    hashes = set()
    for seed in ("1", "2", "777"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, str(tmp_path), f"out-{seed}"]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
        hashes.add(ran.stdout.strip())
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64


@pytest.mark.parametrize("clips", [1, 2, 3, 4, 5])
def test_a_handful_of_clips_is_frozen_measured_and_split(people: Any, work: Any, clips: int, page_for: Any) -> None:
    source = reviewed_source(people.anna, segments=clips)
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    version, _job = version_freeze(dataset=dataset, owner=people.anna)
    assert work() == ["succeeded"]
    version.refresh_from_db()
    assert (version.clips_train, version.clips_validation) == ((1, 0) if clips == 1 else (clips - 1, 1))
    assert version.health["clips"] == clips
    assert page_for(people.anna).get(f"/dataset-versions/{version.pk}/health/").status_code == 200
    rows = [json.loads(line) for line in version.manifest_path.read_text().splitlines()]
    assert [row["recording"] for row in rows] == [1] * clips

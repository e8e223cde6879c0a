"""What a run will use and leave out is told before it is made, by the limits that the engine holds to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db.models import QuerySet

from datasets.models import DatasetVersion
from tests.training.engine.material import manifest_line, voice, write_manifest
from tests.training.factories import frozen_version
from tests.training.test_pages import form_of
from training.engine.dataset import read_dataset
from training.engine.survey import survey, text_problems
from training.models import TrainingRun
from training.services import RunValues, run_preflight
from training.services.usable import NAMED, grounds_of
from xttsproject import storage
from xttsproject.jobs.models import Job
from xttsproject.lib.audio import write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent
from xttsproject.xtts.config import read_config
from xttsproject.xtts.limits import limits_of
from xttsproject.xtts.networks import load_tokenizer

pytestmark = pytest.mark.django_db
LONG = "The boat came in before the rain and nobody saw it. " * 60


def altered(version: DatasetVersion, change: Callable[[dict[str, Any]], None]) -> None:
    """The manifest with every row changed, as if it had been frozen so."""
    manifest = version.manifest_path
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        change(row)
    manifest.chmod(0o644)
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sha256 = hashlib.sha256(manifest.read_bytes()).hexdigest()
    # Past the row's own guard: it is as if it had never been otherwise.
    QuerySet(DatasetVersion).filter(pk=version.pk).update(manifest_sha256=sha256)
    version.refresh_from_db()


def test_what_is_told_beforehand_is_what_the_run_finds(tiny: Path, tmp_path: Path) -> None:
    lines = []
    for name, seconds, text, split in (
        ("good", 1.5, "The gate was open.", "train"),
        ("long", 11.7, "The gate was open.", "train"),
        ("longest", 11.6, "The gate was open.", "train"),
        ("short", 0.4, "The gate was open.", "train"),
        ("silent", 1.0, "", "train"),
        ("wordy", 1.0, LONG, "train"),
        ("foreign", 1.0, "A strange ☃ stood there.", "train"),
        ("held", 2.0, "The gate was open.", "validation"),
        ("gone", 1.0, "The gate was open.", "validation"),
    ):
        if name != "gone":
            write_wav(tmp_path / f"{name}.wav", voice(seconds))
        lines.append(manifest_line(name, f"{name}.wav", text, split, seconds))
    manifest = write_manifest(tmp_path, lines)
    tokenizer = load_tokenizer(tiny)
    limits = limits_of(read_config(tiny), tokenizer.unknown)
    found = read_dataset(manifest, "en", tokenizer.encode_sentence, limits, Silent())
    texts = text_problems(lines, "en", tokenizer.encode_sentence, limits)
    told = survey(tmp_path, lines, texts, limits.max_samples)
    assert told.left_out == found.left_out
    assert [clip.id for clip in found.train] == ["good", "longest"]
    assert (told.clips_train, told.clips_validation) == (len(found.train), len(found.validation))
    assert (told.seconds_train, told.seconds_validation) == (13.1, 2.0)
    codes = {clip.id: clip.code for clip in told.left_out}
    assert codes["long"] == "clip_too_long"
    assert codes["short"] == "clip_too_short"
    assert codes["wordy"] == "text_too_long"
    assert codes["foreign"] == "text_unknown"
    assert codes["gone"] == "clip_missing"


def test_the_preflight_counts_what_is_left_out_and_names_the_first(
    tiny: Path, people: Any, page_for: Any, api_for: Any
) -> None:
    version = frozen_version(people.tom, clips=12)
    everything = run_preflight(owner=people.tom, version=version, values=RunValues(epochs=3, batch_size=2))
    assert everything.left_out == ()

    def change(row: dict[str, Any]) -> None:
        if row["split"] == "train" and int(row["id"]) < 8:
            row["text"] = LONG

    altered(version, change)
    rows = [json.loads(line) for line in version.manifest_path.read_text(encoding="utf-8").splitlines()]
    kept = [row for row in rows if row["split"] == "train" and row["text"] != LONG]
    wordy = version.clips_train - len(kept)
    assert wordy > NAMED
    lost = next(row for row in rows if row["split"] == "validation")
    (version.folder / lost["audio"]).unlink()

    found = run_preflight(owner=people.tom, version=version, values=RunValues(epochs=3, batch_size=2))
    assert (found.clips_train, found.clips_validation) == (len(kept), version.clips_validation - 1)
    assert found.seconds_train == pytest.approx(sum(row["seconds"] for row in kept))
    assert found.steps_total == 3 * -(-len(kept) // 2)
    assert found.features_bytes < everything.features_bytes
    assert [(ground.code, ground.count) for ground in found.left_out_grounds] == [
        ("text_too_long", wordy),
        ("clip_missing", 1),
    ]

    html = page_for(people.tom).get("/runs/new/preflight/", form_of(version)).content.decode()
    assert f"{len(kept)} to train on" in html
    assert f"{wordy} clips with a text of too many tokens" in html
    assert f"and {wordy - NAMED} more" in html
    assert "1 clip gone from the disk" in html
    assert f"{lost['audio']} is not there" in html

    body = {"name": "Run", "version": str(version.pk), "epochs": 3, "batch_size": 2}
    answer = api_for(people.tom).post("/api/v1/training-runs/preflight/", body)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["clips_train"], told["steps_total"]) == (found.clips_train, found.steps_total)
    assert [(ground["code"], ground["count"], len(ground["first"])) for ground in told["left_out"]] == [
        ("text_too_long", wordy, NAMED),
        ("clip_missing", 1, 1),
    ]
    assert not TrainingRun.objects.exists()
    assert api_for(people.ben).post("/api/v1/training-runs/preflight/", body).status_code == 403


def test_a_version_of_which_nothing_can_be_used_starts_nothing(
    tiny: Path, people: Any, page_for: Any, api_for: Any
) -> None:
    version = frozen_version(people.tom, clips=3)
    altered(version, lambda row: row.update(text=LONG))
    html = page_for(people.tom).get("/runs/new/preflight/", form_of(version)).content.decode()
    answer = api_for(people.tom).post("/api/v1/training-runs/", {"name": "Run", "version": str(version.pk)})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "dataset_empty", "version")
    for said in (html, error["message"]):
        assert "No clip is left to train on: 3 of 3 were left out" in said
    assert not Job.objects.filter(kind="training.run").exists()


def test_texts_are_tokenised_once_for_a_version_and_model(
    tiny: Path, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = frozen_version(people.tom, clips=3)
    first = run_preflight(owner=people.tom, version=version, values=RunValues())
    [kept] = storage.texts_dir().iterdir()

    def never(*_: Any) -> None:
        raise AssertionError("the tokenizer was asked again")

    with monkeypatch.context() as patch:
        patch.setattr("xttsproject.xtts.networks.load_tokenizer", never)
        assert run_preflight(owner=people.tom, version=version, values=RunValues()).clips_train == first.clips_train
    # What cannot be read is found anew.
    kept.write_text("{", encoding="utf-8")
    assert run_preflight(owner=people.tom, version=version, values=RunValues()).clips_train == first.clips_train
    assert json.loads(kept.read_text(encoding="utf-8")) == {}


def test_early_stopping_needs_a_validation_clip_that_can_be_used(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=7)
    altered(version, lambda row: row.update(text=LONG) if row["split"] == "validation" else None)
    with pytest.raises(DomainError) as caught:
        run_preflight(owner=people.tom, version=version, values=RunValues(early_stopping_patience=3))
    assert (caught.value.code, caught.value.field) == ("validation_missing", "early_stopping_patience")
    assert grounds_of(()) == ()

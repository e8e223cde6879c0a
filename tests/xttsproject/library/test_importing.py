"""A model comes in from a page, the API or the inbox: whole, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from django.conf import settings as django_settings
from django.urls import reverse

from datasets.choices import ImportState
from tests.training.factories import frozen_version
from tests.xttsproject.library.conftest import upload
from xttsproject import storage
from xttsproject.bundles.manifest import list_bundles, open_bundle
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel, job_retry
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent
from xttsproject.library.models import ModelImport
from xttsproject.library.services.importing import model_import_delete, model_import_run, model_import_start
from xttsproject.library.services.sweeping import models_sweep

pytestmark = pytest.mark.django_db
API = "/api/v1/models/import/"

# What a worker does until its process is killed, as it is about to hash what it has written.
KILLED = """
import os, signal
from pathlib import Path
from xttsproject.bundles.convert import import_xtts
from xttsproject.bundles.describe import about_import
from xttsproject.bundles.sources import find_files, open_base
from xttsproject.lib.progress import Callback

def report(fraction, message):
    if message == "hashing":
        os.kill(os.getpid(), signal.SIGKILL)

files = find_files(Path("{weights}"), base=open_base(Path("{base}")))
import_xtts(files, Path("{target}"), about_import("mine", files), progress=Callback(report))
"""


def start(owner: Any, **given: Any) -> tuple[ModelImport, Job]:
    return model_import_start(owner=owner, **{"name": "mine", "base": "base", "accept_licence": True, **given})


def refused(owner: Any, **given: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        start(owner, **given)
    return caught.value


def put_in_inbox(settings: Any, path: Path, name: str = "run/best_model.pth") -> str:
    target = Path(settings.MODELS_INBOX, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return name


def test_an_upload_becomes_a_model_and_says_where_its_parts_came_from(
    models_dir, people, staff, trained, api_for, page_for, work
):
    answer = api_for(staff).post(
        API,
        {"name": "mine", "base": "base", "file": upload(trained), "accept_licence": True},
        format="multipart",
    )
    assert answer.status_code == 201
    assert answer.data["job"]["state"] == "queued"
    assert work() == ["succeeded"]
    importing = ModelImport.objects.get()
    assert (importing.state, importing.licence) == ("ready", "MIT")
    assert importing.notes[0].startswith("From the base model “base”: config.json, vocab.json, the DVAE")
    assert open_bundle(models_dir / "mine").source == "imported from best_model_77.pth, with parts of base"
    assert not importing.folder.exists()
    assert sorted(path.name for path in models_dir.iterdir()) == ["base", "mine"]
    page = page_for(staff).get(reverse("library:import-detail", args=[importing.pk])).content.decode()
    assert "the preset speakers" in page
    assert "accepted" in page
    listed = {row["name"]: row for row in api_for(staff).get("/api/v1/models/").data}
    assert listed["mine"]["used_by"] == []
    frozen_version(people.root)
    # Where models are chosen, the new one is offered.
    assert '<option value="mine">' in page_for(staff).get(reverse("voices:voice-add")).content.decode()
    assert '<option value="mine">' in page_for(people.root).get(reverse("training:run-add")).content.decode()


def test_a_model_in_the_inbox_is_named_by_its_path(models_dir, staff, trained, settings, page_for, work):
    name = put_in_inbox(settings, trained)
    (Path(settings.MODELS_INBOX) / "link.pth").symlink_to(trained)
    page = page_for(staff).get(reverse("library:import-add")).content.decode()
    assert re.search(rf'<option value="{name}">', page)
    assert '<option value="run">' in page
    sent = {"name": "mine", "base": "base", "path": name, "accept_licence": "on"}
    answer = page_for(staff).post(reverse("library:import-add"), sent)
    assert answer.status_code == 302
    assert work() == ["succeeded"]
    assert (models_dir / "mine" / "manifest.json").is_file()
    assert (Path(settings.MODELS_INBOX) / name).is_file()
    for outside in ("../base", "/etc/passwd", "link.pth", ".", "run/../../models/base"):
        assert refused(staff, name="other", path=outside).code == "path_outside"
    assert refused(staff, name="other", path="nothing.pth").code == "model_missing"
    assert refused(staff, name="other", path="a\0b").field == "path"
    settings.MODELS_INBOX = models_dir / "no-inbox"
    assert refused(staff, name="other", path=name).code == "inbox_missing"


def test_no_file_beside_a_model_in_the_inbox_leads_out_of_it(models_dir, staff, trained, settings, tmp_path):
    inbox = Path(settings.MODELS_INBOX)
    put_in_inbox(settings, trained)
    secret = tmp_path / "secret.json"
    secret.write_text("{}", encoding="utf-8")
    (inbox / "run" / "config.json").symlink_to(secret)
    for path in ("run", "run/best_model.pth"):
        error = refused(staff, name="other", base="base", path=path)
        assert (error.code, error.field) == ("path_outside", "path")
        assert error.message.startswith("config.json in")
    (inbox / "linked").mkdir()
    (inbox / "linked" / "model.pth").symlink_to(trained)
    assert refused(staff, name="other", base="base", path="linked").code == "path_outside"
    assert not ModelImport.objects.exists()


def test_a_folder_that_may_not_be_read_is_not_offered_and_spoils_nothing(
    models_dir, staff, trained, settings, page_for, monkeypatch
):
    put_in_inbox(settings, trained)
    closed = Path(settings.MODELS_INBOX, "closed")
    closed.mkdir()
    listed = Path.iterdir

    def refuse(self: Path) -> Any:
        # A superuser, as whom tests may run, may read every folder.
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    page = page_for(staff).get(reverse("library:import-add"))
    assert page.status_code == 200
    assert '<option value="run">' in page.content.decode()
    assert '<option value="closed">' not in page.content.decode()


def test_a_base_model_is_named_and_not_a_path(models_dir, staff, trained, tmp_path):
    shutil.copytree(models_dir / "base", tmp_path / "elsewhere")
    for path in ("../elsewhere", str(tmp_path / "elsewhere"), "..", "base/"):
        error = refused(staff, file=upload(trained), base=path)
        assert (error.code, error.field) == ("base_unsuitable", "base")


def test_only_those_who_run_the_portal_bring_models_in(models_dir, people, trained, client, api_for, page_for):
    address, page = reverse("library:import-add"), page_for(people.anna)
    assert client.get(address).status_code == 302
    for person in (people.anna, people.cora, people.tom):
        assert page_for(person).get(address).status_code == 403
        assert api_for(person).get(API).status_code == 403
        assert api_for(person).post(API, {"name": "x", "path": "y", "accept_licence": True}).status_code == 403
    assert page.post(address, {"name": "x", "file": upload(trained)}).status_code == 403
    assert client.post(API, {"name": "x"}).status_code in (401, 403)
    assert refused(people.tom, file=upload(trained)).code == "forbidden"
    assert address not in page.get(reverse("models")).content.decode()
    assert address in page_for(people.root).get(reverse("models")).content.decode()


def test_an_import_of_one_is_seen_by_all_who_run_the_portal_and_by_nobody_else(
    models_dir, people, staff, trained, page_for, api_for, django_capture_on_commit_callbacks
):
    importing, job = start(staff, file=upload(trained))
    address = reverse("library:import-detail", args=[importing.pk])
    assert page_for(people.root).get(address).status_code == 200
    assert page_for(people.anna).get(address).status_code == 403
    assert api_for(people.anna).get(f"{API}{importing.pk}/").status_code == 403
    assert api_for(staff).get(f"{API}{importing.pk}/").data["job"]["id"] == str(job.pk)
    assert page_for(people.root).get("/admin/library/modelimport/").status_code == 200
    assert page_for(people.anna).post(reverse("library:import-delete", args=[importing.pk])).status_code == 403
    with django_capture_on_commit_callbacks(execute=True):
        page_for(people.root).post(reverse("library:import-delete", args=[importing.pk]))
    assert not importing.folder.exists()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_what_can_be_known_before_the_work_is_refused_at_once(models_dir, staff, trained, tmp_path, page_for):
    whole = upload(trained)
    assert (refused(staff, file=whole, accept_licence=False).code, ModelImport.objects.count()) == (
        "licence_not_accepted",
        0,
    )
    assert "non-commercial" in refused(staff, file=whole, base="", accept_licence=False).message
    assert refused(staff, file=whole, name="base").code == "duplicate"
    assert refused(staff, file=whole, name="../up").code == "name_invalid"
    assert refused(staff, file=whole, base="nothing").code == "model_missing"
    assert refused(staff).code == "source_missing"
    assert refused(staff, file=whole, path="x").code == "source_ambiguous"
    half = tmp_path / "half.pth"
    half.write_bytes(trained.read_bytes()[:5000])
    sent = {"name": "mine", "base": "base", "file": upload(half), "accept_licence": "on"}
    page = page_for(staff).post(reverse("library:import-add"), sent)
    assert page.status_code == 400
    assert "half.pth was cut short" in page.content.decode()
    assert not storage.model_import_dir(ModelImport().pk).parent.exists() or not list(
        storage.model_import_dir(ModelImport().pk).parent.iterdir()
    )
    importing, _job = start(staff, file=upload(trained))
    assert "being imported" in refused(staff, file=upload(trained)).message
    model_import_delete(importing=importing)


def test_a_file_of_another_kind_is_the_senders_fault_over_the_api(models_dir, staff, tmp_path, api_for):
    photo = tmp_path / "photo.pth"
    photo.write_bytes(b"\x89PNG\r\n" + bytes(500))
    sent = {"name": "mine", "base": "base", "file": upload(photo), "accept_licence": "true"}
    answer = api_for(staff).post(reverse("model-import-list"), sent, format="multipart")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_unreadable")


def test_what_only_reading_shows_fails_the_job_with_its_sentence(models_dir, staff, tmp_path, work, page_for):
    path = tmp_path / "vits.pth"
    torch.save({"model": {"posterior_encoder.pre.weight": torch.zeros(2)}}, path)
    importing, job = start(staff, file=upload(path))
    assert work() == ["failed"]
    importing.refresh_from_db()
    assert (importing.state, importing.error_code) == ("failed", "model_foreign")
    assert importing.error.startswith("vits.pth is a VITS model;")
    assert not importing.folder.exists()
    assert [each.name for each in models_dir.iterdir()] == ["base"]
    page = page_for(staff).get(reverse("library:import-detail", args=[importing.pk])).content.decode()
    assert "vits.pth is a VITS model" in page
    job.refresh_from_db()
    with pytest.raises(DomainError, match="upload it anew"):
        job_retry(job=job, user=staff)


def test_a_cancelled_import_may_be_tried_again(models_dir, staff, trained, work):
    importing, job = start(staff, file=upload(trained))
    job_cancel(job=job)
    importing.refresh_from_db()
    assert importing.state == ImportState.CANCELLED
    assert importing.uploaded.is_file()
    job_retry(job=job, user=staff)
    importing.refresh_from_db()
    with pytest.raises(Cancelled):
        model_import_run(importing=importing, progress=Callback(should_stop=lambda: True))
    assert [each.name for each in models_dir.iterdir()] == ["base"]
    assert work() == ["succeeded"]


def test_whoever_takes_over_from_a_killed_worker_finds_its_way(models_dir, staff, trained):
    importing, _job = start(staff, file=upload(trained))
    # Killed while it wrote: nothing can be chosen, what it left is cleared away, and the work is begun anew.
    left = models_dir / f".importing-{importing.pk}-dead"
    left.mkdir()
    program = KILLED.format(weights=importing.uploaded, base=models_dir / "base", target=left / "bundle")
    killed = subprocess.run([sys.executable, "-c", program], cwd=django_settings.BASE_DIR, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in left.rglob("model.safetensors")] == ["model.safetensors"]
    assert [bundle.path.name for bundle in list_bundles(models_dir)] == ["base"]
    importing.advance(ImportState.READING, since=(ImportState.WAITING,))
    model_import_run(importing=importing, progress=Silent())
    assert sorted(path.name for path in models_dir.iterdir()) == ["base", "mine"]
    # Killed after the model was in its place and before the row said so: nothing is done twice.
    stamp = (models_dir / "mine" / "manifest.json").stat().st_mtime_ns
    ModelImport.objects.update(state=ImportState.READING)
    importing.refresh_from_db()
    model_import_run(importing=importing, progress=Silent())
    assert (importing.state, (models_dir / "mine" / "manifest.json").stat().st_mtime_ns) == ("ready", stamp)
    # Another model took the name meanwhile: it stays as it is.
    ModelImport.objects.update(state=ImportState.READING, fingerprint="")
    importing.refresh_from_db()
    with pytest.raises(DomainError) as caught:
        model_import_run(importing=importing, progress=Silent())
    assert caught.value.code == "duplicate"
    assert (models_dir / "mine" / "manifest.json").stat().st_mtime_ns == stamp


def test_what_killed_processes_left_is_swept_once_it_is_old(models_dir, staff, trained):
    importing, _job = start(staff, file=upload(trained))
    strays = [
        models_dir / ".importing-x",
        models_dir / ".deleted-y",
        storage.model_import_dir(importing.pk).parent / "z",
    ]
    for stray in strays:
        stray.mkdir()
    (models_dir / ".download-xtts-v2").mkdir()
    assert models_sweep() == []
    assert sorted(models_sweep(older_than=-1.0)) == sorted(strays)
    assert importing.uploaded.is_file()
    assert (models_dir / ".download-xtts-v2").is_dir()


@pytest.mark.parametrize("state", [ImportState.CANCELLED, ImportState.FAILED])
def test_uploads_of_an_import_that_ended_badly_are_kept_for_a_week(models_dir, staff, trained, state):
    importing, job = start(staff, file=upload(trained))
    assert models_sweep(older_than=-1.0, retry_within=-1.0) == []
    job_cancel(job=job)
    ModelImport.objects.update(state=state)
    assert models_sweep(older_than=-1.0) == []
    week = time.time() - 7 * 24 * 3600 - 60
    for path in (importing.folder, *importing.folder.rglob("*")):
        os.utime(path, (week, week))
    assert models_sweep() == [importing.folder]
    assert not importing.folder.exists()
    job.refresh_from_db()
    with pytest.raises(DomainError) as caught:
        job_retry(job=job, user=staff)
    assert caught.value.code == "upload_gone"


@pytest.mark.parametrize("address", ["/models/import/", API])
def test_a_model_may_be_larger_than_a_recording(settings, models_dir, client, address: str):
    settings.UPLOAD_MAX_BYTES, settings.MODEL_UPLOAD_MAX_BYTES = 1_000, 10_000_000

    def answered(length: int) -> Any:
        return client.post(address, data=b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=length)

    assert answered(9_000_000).status_code != 413
    over = answered(20_000_000)
    assert over.status_code == 413
    assert "inbox" in over.content.decode()


def test_files_of_people_who_do_not_run_the_portal_never_reach_the_disk(
    models_dir, people, staff, trained, page_for, monkeypatch
):
    from django.core.files import uploadhandler

    made: list[str] = []
    original: Callable[..., Any] = vars(uploadhandler)["TemporaryUploadedFile"]

    def spy(*args: Any, **kwargs: Any) -> Any:
        made.append(args[0])
        return original(*args, **kwargs)

    monkeypatch.setattr(uploadhandler, "TemporaryUploadedFile", spy)
    for person in (people.anna, people.tom):
        page_for(person).post(reverse("library:import-add"), {"file": upload(trained)})
    assert made == []
    page_for(staff).post(reverse("library:import-add"), {"file": upload(trained)})
    assert made == [trained.name]

"""What killed processes leave behind is cleared away, and nothing else."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

from django.core.management import call_command

from datasets.choices import ExportForm, ImportState
from datasets.models import DatasetExport, DatasetImport, DatasetVersion
from datasets.services.sweeping import imports_sweep, leftovers_sweep, recordings_sweep, versions_sweep
from tests.datasets.factories import DatasetFactory, SpeakerFactory, reviewed_source
from xttsproject import storage
from xttsproject.jobs import registry


def aged(path: Path, hours: float) -> Path:
    """Set the path and what is below it back by so many hours."""
    then = time.time() - 3600 * hours
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        os.utime(each, (then, then))
    return path


def folder_of_nobody() -> Path:
    folder = storage.recording_dir(uuid.uuid4())
    folder.mkdir(parents=True)
    (folder / "original.wav").write_bytes(b"sound")
    return folder


def test_a_folder_that_no_recording_owns_goes_after_a_day(people: Any) -> None:
    kept = reviewed_source(people.anna).folder
    aged(kept, 48)
    old, new = aged(folder_of_nobody(), 25), aged(folder_of_nobody(), 23)
    assert recordings_sweep() == [old]
    assert not old.exists()
    assert new.is_dir()
    assert (kept / "master.wav").is_file()
    assert recordings_sweep() == []


def test_a_folder_that_is_still_written_to_stays(people: Any) -> None:
    folder = aged(folder_of_nobody(), 48)
    part = folder / ".fetch-1" / "source.mp4.part"
    part.parent.mkdir()
    part.write_bytes(b"more")
    aged(folder, 48)
    os.utime(part)
    assert recordings_sweep() == []


def test_half_written_files_of_a_recording_and_forgotten_uploads_go(people: Any, data_root: Path) -> None:
    folder = reviewed_source(people.anna).folder
    fetch, master = folder / ".fetch-abc", folder / ".master-abc.wav"
    fetch.mkdir()
    (fetch / "source.mp4.part").write_bytes(b"half")
    master.write_bytes(b"half")
    upload, fresh = data_root / "uploads" / "tmp1.upload.mp4", data_root / "uploads" / "tmp2.upload.mp4"
    upload.write_bytes(b"half")
    fresh.write_bytes(b"half")
    for path in (folder, upload):
        aged(path, 25)
    assert set(recordings_sweep()) == {fetch, master, upload}
    assert [path.name for path in folder.iterdir()] == ["master.wav"]
    assert fresh.exists()


def test_what_is_not_named_like_a_recording_is_left_alone(db: None) -> None:
    folder = folder_of_nobody()
    other = aged(folder.rename(folder.with_name("lost+found")), 48)
    assert recordings_sweep() == []
    assert other.is_dir()


def test_half_written_prints_of_clips_go_and_whole_ones_stay(people: Any) -> None:
    source = reviewed_source(people.anna)
    prints = storage.recording_prints(source.pk)
    prints.mkdir()
    half, whole = prints / ".1-abc.npz", prints / "1.npz"
    for path in (half, whole):
        path.write_bytes(b"some")
        aged(path, 48)
    assert recordings_sweep() == [half]
    assert whole.is_file()


def importing(owner: Any, state: str) -> DatasetImport:
    """An import with its zip and unpacked parts, long ago."""
    row: DatasetImport = DatasetImport.objects.create(
        owner=owner, title=f"Import {state}", speaker=SpeakerFactory(owner=owner), language="en", state=state
    )
    (row.folder / "parts-1").mkdir(parents=True)
    (row.folder / "dataset.zip").write_bytes(b"zip")
    aged(row.folder, 48)
    return row


def test_of_imports_go_parts_that_nobody_reads_and_folders_that_nobody_needs(people: Any) -> None:
    reading, failed, ready = (
        importing(people.anna, state) for state in (ImportState.READING, ImportState.FAILED, ImportState.READY)
    )
    nobodys = importing(people.anna, ImportState.WAITING)
    forgotten = nobodys.folder
    nobodys.delete()
    fresh = storage.import_dir(uuid.uuid4())
    fresh.mkdir()
    assert set(imports_sweep()) == {failed.folder / "parts-1", ready.folder, forgotten}
    assert (failed.folder / "dataset.zip").is_file()
    assert (reading.folder / "parts-1").is_dir()
    assert fresh.is_dir()
    assert imports_sweep() == []


def test_half_exports_go_and_zips_that_nobody_can_ask_for(people: Any) -> None:
    version = DatasetVersion.objects.create(dataset=DatasetFactory(owner=people.anna), number=1, created_by=people.anna)
    export = DatasetExport.objects.create(version=version, form=ExportForm.LJSPEECH)
    export.path.parent.mkdir(parents=True)
    half, deleted = export.path.parent / ".ljspeech-abc.zip", export.path.parent / "coqui.zip"
    nobodys = storage.exports_dir(uuid.uuid4())
    nobodys.mkdir()
    frozen = storage.dataset_version_dir(uuid.uuid4())
    half_frozen = frozen.parent / f".{frozen.name}-abc"
    for folder in (frozen, half_frozen):
        folder.mkdir(parents=True)
    for path in (export.path, half, deleted, nobodys / "coqui.zip", frozen / "manifest.jsonl", half_frozen / "1.wav"):
        path.write_bytes(b"some")
    for folder in (export.path.parent, nobodys, frozen, half_frozen):
        aged(folder, 48)
    os.utime(half)
    assert set(versions_sweep()) == {deleted, nobodys, half_frozen}
    aged(half, 48)
    assert versions_sweep() == [half]
    assert export.path.is_file()
    assert frozen.is_dir()


def test_the_watch_over_the_workers_clears_away_what_they_left(people: Any, capsys: Any) -> None:
    upload = aged(folder_of_nobody(), 48)
    left = importing(people.anna, ImportState.READY).folder
    call_command("rescue", "--once")
    assert capsys.readouterr().out == "0 jobs rescued, 2 leftovers removed.\n"
    assert not upload.exists()
    assert not left.exists()
    assert leftovers_sweep() == []


def test_trouble_with_leftovers_does_not_keep_lost_jobs_waiting(
    db: None, monkeypatch: Any, capsys: Any, caplog: Any
) -> None:
    def broken() -> int:
        raise OSError("The disk is gone.")

    monkeypatch.setitem(registry._housekeeping, "datasets", broken)
    call_command("rescue", "--once")
    assert capsys.readouterr().out == "0 jobs rescued, 0 leftovers removed.\n"
    assert "leftovers of datasets could not be cleared away" in caplog.text

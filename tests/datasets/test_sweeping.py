"""What killed processes leave behind is cleared away, and nothing else."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

from datasets.services.sweeping import recordings_sweep
from tests.datasets.factories import reviewed_source
from xttsproject import storage


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

"""Freezing: the folder, the hash, and a split in which no recording is on both sides."""

from __future__ import annotations

import hashlib
import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.manifest import CLIP_RATE, Item, freeze
from datasets.pipeline.media import MASTER_RATE
from datasets.pipeline.split import split_by_source
from xttsproject.lib.audio import Audio, read_wav, write_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds in which each second is a tone of its own: 200 Hz, 250 Hz, …"""
    time = np.arange(20 * MASTER_RATE) / MASTER_RATE
    samples = 0.3 * np.sin(2 * np.pi * (200 + 50 * np.floor(time)) * time)
    path = tmp_path_factory.mktemp("master") / "master.wav"
    write_wav(path, Audio(samples.astype(np.float32), MASTER_RATE))
    return path


def item(recording: Path, number: int, /, **changes) -> Item:
    made = Item(
        id=f"clip-{number}",
        source="source-1",
        master=recording,
        start=number * 2.0,
        end=number * 2.0 + 2.0,
        text=f"Sentence number {number}.",
        language="en",
        speaker="Anna",
    )
    return replace(made, **changes)


def test_the_folder_holds_the_clips_and_a_line_for_each(master: Path, tmp_path: Path) -> None:
    items = split_by_source([item(master, number) for number in range(4)], validation_share=0.25)
    frozen = freeze(items, tmp_path / "v1")

    rows = [json.loads(line) for line in frozen.manifest.read_text(encoding="utf-8").splitlines()]
    sums = {key: rows[1].pop(key) for key in ("sound", "sha256")}
    assert rows[1] == {
        "id": "clip-1",
        "audio": "clips/clip-1.wav",
        "text": "Sentence number 1.",
        "raw": "Sentence number 1.",
        "language": "en",
        "split": "train",
        "speaker": "Anna",
        "seconds": 2.0,
        "recording": 1,
        "start": 2.0,
        "end": 4.0,
    }
    assert all(len(digest) == 64 for digest in sums.values())
    assert frozen.manifest_sha256 == hashlib.sha256(frozen.manifest.read_bytes()).hexdigest()
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "v1").rglob("*") if path.is_file()} == {0o444}
    assert [row["split"] for row in rows] == ["train", "train", "train", "validation"]
    assert (frozen.train_clips, frozen.validation_clips) == (3, 1)
    assert (frozen.train_seconds, frozen.validation_seconds) == (6.0, 2.0)
    files = {path.name for path in (tmp_path / "v1").rglob("*") if path.is_file()}
    assert files == {"manifest.jsonl", *(f"clip-{number}.wav" for number in range(4))}
    assert frozen.bytes == sum(path.stat().st_size for path in (tmp_path / "v1").rglob("*") if path.is_file())
    for row in rows:
        with wave.open(str(tmp_path / "v1" / row["audio"])) as wav:
            assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (CLIP_RATE, 1, 2)


def test_a_clip_is_the_stretch_that_was_approved(master: Path, tmp_path: Path) -> None:
    freeze([item(master, 0, start=7.0, end=8.0)], tmp_path / "v1")
    audio = read_wav(tmp_path / "v1" / "clips" / "clip-0.wav")

    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert audio.seconds == pytest.approx(1.0)
    assert np.argmax(spectrum) == pytest.approx(200 + 50 * 7, abs=1)
    assert np.max(np.abs(audio.samples)) == pytest.approx(0.3, abs=0.01)


def test_the_hash_knows_content_alone(master: Path, tmp_path: Path) -> None:
    items = [item(master, number) for number in range(4)]
    frozen = freeze(items, tmp_path / "v1")
    renamed = [replace(one, id=f"other-{n}", source="elsewhere", speaker="Ben") for n, one in enumerate(items)]

    assert len(frozen.hash) == 64
    assert freeze(renamed[::-1], tmp_path / "v2").hash == frozen.hash


@pytest.mark.parametrize(
    "change", [{"text": "Other words."}, {"language": "pt"}, {"split": "validation"}, {"start": 4.1}, {"end": 5.9}]
)
def test_the_hash_changes_with_any_content(master: Path, tmp_path: Path, change: dict) -> None:
    items = [item(master, number) for number in range(4)]
    changed = [*items[:2], replace(items[2], **change), items[3]]

    assert freeze(items, tmp_path / "v1").hash != freeze(changed, tmp_path / "v2").hash


def test_texts_that_change_places_give_another_hash(master: Path, tmp_path: Path) -> None:
    one, two = item(master, 0), item(master, 1)
    swapped = [replace(one, text=two.text), replace(two, text=one.text)]

    assert freeze([one, two], tmp_path / "v1").hash != freeze(swapped, tmp_path / "v2").hash


def test_nothing_approved_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        freeze([], tmp_path / "v1")

    assert caught.value.code == "dataset_empty"
    assert not (tmp_path / "v1").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"master": Path("/nowhere/master.wav")}, "clip_missing"),
        ({"master": Path(__file__)}, "clip_missing"),
        ({"start": 19.0, "end": 21.0}, "clip_missing"),
        ({"start": 25.0, "end": 26.0}, "clip_missing"),
        ({"text": "  "}, "text_missing"),
    ],
)
def test_a_clip_that_cannot_be_written_leaves_no_folder(master: Path, tmp_path: Path, change: dict, code: str) -> None:
    with pytest.raises(DomainError) as caught:
        freeze([item(master, 0), item(master, 1, **change)], tmp_path / "v1")

    assert caught.value.code == code
    assert "clip-1" in caught.value.message
    assert list(tmp_path.glob("*v1*")) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "../evil", "a\\b"])
def test_an_id_that_is_no_file_name_is_refused(master: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        freeze([item(master, 0, id=name)], tmp_path / "v1")


def test_ids_must_differ(master: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unique"):
        freeze([item(master, 0), item(master, 1, id="clip-0")], tmp_path / "v1")


def test_freezing_can_be_cancelled_and_leaves_nothing(master: Path, tmp_path: Path) -> None:
    done: list[float] = []
    stopping = Callback(lambda share, _: done.append(share), should_stop=lambda: bool(done))
    with pytest.raises(Cancelled):
        freeze([item(master, number) for number in range(4)], tmp_path / "v1", progress=stopping)

    assert done == [0.25]
    assert list(tmp_path.glob("*v1*")) == []

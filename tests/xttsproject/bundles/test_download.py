"""Models come from the hub whole and verified, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.xttsproject.bundles.hub_server import COMMIT, Hub, running
from xttsproject.bundles.catalog import CATALOG, XTTS_V2, Entry, find_entry
from xttsproject.bundles.download import download
from xttsproject.bundles.manifest import open_bundle, verify
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

WHISPER = CATALOG["whisper-tiny"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))


@pytest.fixture
def whisper_hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "remote"
    folder.mkdir()
    contents = {
        "config.json": b"{}",
        # More than two of the pieces of 10 MB in which the library writes: what breaks off within one is lost.
        "model.bin": bytes(range(256)) * 90_000,
        "tokenizer.json": b'{"model": {}}' * 1000,
        "vocabulary.txt": b"a\nb\n",
        "README.md": b"not wanted",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with running(Hub(WHISPER.repository, {name: folder / name for name in contents})) as hub:
        yield hub


@pytest.fixture
def xtts_hub(released: Path) -> Iterator[Hub]:
    with running(Hub(XTTS_V2.repository, {path.name: path for path in released.iterdir()})) as hub:
        yield hub


def fetch(hub: Hub, models_dir: Path, entry: Entry = WHISPER) -> Path:
    return download(entry, models_dir, hub.endpoint, True).path


def test_a_model_arrives_with_its_wanted_files_and_hashes(whisper_hub: Hub, tmp_path: Path) -> None:
    reports: list[float] = []
    bundle = download(
        WHISPER, tmp_path / "models", whisper_hub.endpoint, False, Callback(lambda share, _: reports.append(share))
    )
    assert set(bundle.files) == {"config.json", "model.bin", "tokenizer.json", "vocabulary.txt"}
    for name, fact in bundle.files.items():
        assert hashlib.sha256(whisper_hub.files[name].read_bytes()).hexdigest() == fact.sha256
    assert bundle.source == f"{WHISPER.repository}@{COMMIT}"
    verify(open_bundle(tmp_path / "models" / "whisper-tiny"))
    assert reports == sorted(reports)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["whisper-tiny"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(whisper_hub: Hub, tmp_path: Path) -> None:
    whisper_hub.cut_after["model.bin"] = [15_000_000]
    bundle = download(WHISPER, tmp_path / "models", whisper_hub.endpoint, True)
    verify(bundle)
    [(name, asked)] = whisper_hub.ranges
    assert name == "model.bin"
    assert 5_000_000 < int(asked.removeprefix("bytes=").rstrip("-")) <= 15_000_000


def test_a_download_that_died_goes_on_the_next_time(whisper_hub: Hub, tmp_path: Path) -> None:
    whisper_hub.cut_after["model.bin"] = [15_000_000] + [0] * 20
    with pytest.raises(DomainError) as caught:
        fetch(whisper_hub, tmp_path)
    assert (caught.value.code, caught.value.permanent) == ("download_failed", False)
    part = tmp_path / ".download-whisper-tiny" / "model.bin.part"
    got = part.stat().st_size
    assert 5_000_000 < got <= 15_000_000
    assert not (tmp_path / "whisper-tiny").exists()

    whisper_hub.cut_after.clear()
    whisper_hub.ranges.clear()
    verify(open_bundle(fetch(whisper_hub, tmp_path)))
    assert whisper_hub.ranges == [("model.bin", f"bytes={got}-")]


def test_cancelling_keeps_what_has_come(whisper_hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        download(WHISPER, tmp_path, whisper_hub.endpoint, True, Callback(should_stop=lambda: True))
    assert not (tmp_path / "whisper-tiny").exists()
    verify(open_bundle(fetch(whisper_hub, tmp_path)))


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_another_content_than_promised_is_thrown_away(whisper_hub: Hub, tmp_path: Path, name: str) -> None:
    whisper_hub.lies[name] = "0" * 64
    with pytest.raises(DomainError) as caught:
        fetch(whisper_hub, tmp_path)
    assert caught.value.code == "download_damaged"
    assert name in caught.value.message
    assert not (tmp_path / "whisper-tiny").exists()
    assert not list(tmp_path.glob(f".download-whisper-tiny/{name}*"))


def test_a_small_file_is_verified_by_its_git_name(
    whisper_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = whisper_hub.metadata

    def lying() -> dict[str, object]:
        said = true()
        for sibling in said["siblings"]:  # type: ignore[attr-defined]
            if sibling["rfilename"] == "config.json":
                sibling["blobId"] = "0" * 40
        return said

    monkeypatch.setattr(whisper_hub, "metadata", lying)
    with pytest.raises(DomainError, match="config.json") as caught:
        fetch(whisper_hub, tmp_path)
    assert caught.value.code == "download_damaged"


def test_without_accepting_the_licence_nothing_is_asked_of_the_hub(xtts_hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        download(XTTS_V2, tmp_path, xtts_hub.endpoint, False)
    assert caught.value.code == "licence_not_accepted"
    assert XTTS_V2.licence.url in caught.value.message
    assert xtts_hub.requests == 0
    assert list(tmp_path.iterdir()) == []


def test_xtts_becomes_a_bundle_that_speaks_as_the_weights_it_came_from(
    xtts_hub: Hub, tmp_path: Path, random_bundle: Path
) -> None:
    from safetensors.torch import load_file

    from xttsproject.xtts.engine import XttsEngine

    path = fetch(xtts_hub, tmp_path, XTTS_V2)
    for name in ("model.safetensors", "dvae.safetensors", "speakers.safetensors"):
        ours, theirs = load_file(path / name), load_file(random_bundle / name)
        assert ours.keys() == theirs.keys()
        assert all(bool((ours[key] == theirs[key]).all()) for key in ours)
    bundle = open_bundle(path)
    assert bundle.licence == XTTS_V2.licence.name
    assert not [file for file in bundle.files if file.endswith(".pth")]
    engine = XttsEngine.load(path)
    [first, *_] = engine.builtin_speakers().values()
    assert engine.speak("It works.", "en", first).audio.seconds > 0.5


def test_a_whole_model_is_not_fetched_again(whisper_hub: Hub, tmp_path: Path) -> None:
    fetch(whisper_hub, tmp_path)
    asked = whisper_hub.requests
    fetch(whisper_hub, tmp_path)
    assert whisper_hub.requests == asked


def test_a_hub_that_is_not_there_or_has_no_such_model_is_told_apart(whisper_hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as absent:
        download(replace(WHISPER, repository="nobody/nothing"), tmp_path, whisper_hub.endpoint, True)
    with pytest.raises(DomainError) as silent:
        download(WHISPER, tmp_path, "http://127.0.0.1:9", True)
    with pytest.raises(DomainError) as unknown:
        find_entry("whisper-enormous")
    assert (absent.value.code, silent.value.code, unknown.value.code) == (
        "download_refused",
        "download_failed",
        "model_unknown",
    )
    assert (absent.value.permanent, silent.value.permanent) == (True, False)


def test_a_full_disk_is_said_before_anything_is_fetched(
    whisper_hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("xttsproject.bundles.download.shutil.disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(DomainError) as caught:
        fetch(whisper_hub, tmp_path)
    assert caught.value.code == "disk_full"
    assert whisper_hub.requests == 1

"""A bundle is what its manifest says, and anything else is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xttsproject.bundles.manifest import Bundle, list_bundles, open_bundle, verify, write_manifest
from xttsproject.lib.errors import DomainError


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_bytes(b"{}")
    about: dict[str, Any] = {"licence": "MIT", "licence_url": "", "notice": "It hums.", "source": "here"}
    return write_manifest(folder, name="small-model", kind="xtts", **about)


def test_what_was_written_is_read_and_verified(bundle: Bundle, tmp_path: Path) -> None:
    opened = open_bundle(bundle.path)
    assert opened == bundle
    assert opened.bytes == 9
    verify(opened)
    assert list_bundles(tmp_path) == [bundle]
    assert list_bundles(tmp_path / "nowhere") == []


def test_a_file_of_another_size_or_missing_is_noticed_on_opening(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.path / "config.json").write_bytes(b"{ }")
    with pytest.raises(DomainError, match=r"config\.json has 3 bytes instead of 2") as changed:
        open_bundle(bundle.path)
    (bundle.path / "config.json").unlink()
    with pytest.raises(DomainError, match=r"config\.json is missing"):
        open_bundle(bundle.path)
    assert changed.value.code == "model_damaged"
    assert list_bundles(tmp_path) == []


def test_a_file_of_the_same_size_and_another_content_is_noticed_on_verifying(bundle: Bundle) -> None:
    (bundle.path / "model.safetensors").write_bytes(b"WEIGHTS")
    with pytest.raises(DomainError, match=r"model\.safetensors") as caught:
        verify(open_bundle(bundle.path))
    assert caught.value.code == "model_damaged"


def test_no_bundle_is_missing_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        open_bundle(tmp_path / "nothing")
    assert caught.value.code == "model_missing"


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"kind": "parrot"}, {"files": None}, {"files": {"../../x": {"sha256": "0", "bytes": 0}}}],
)
def test_a_manifest_that_cannot_be_is_refused(bundle: Bundle, change: dict[str, Any]) -> None:
    manifest = bundle.path / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    with pytest.raises(DomainError) as caught:
        open_bundle(bundle.path)
    assert caught.value.code == "model_damaged"

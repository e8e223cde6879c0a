"""What the tests of the portal-wide parts share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def small_bundle(tmp_path: Path, settings: Any) -> Path:
    """A bundle with a notice and one file, in a models folder of its own: enough for what reads manifests only."""
    settings.MODELS_DIR = tmp_path / "models"
    folder = tmp_path / "models" / "small"
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"1234")
    manifest = {
        "format": 1,
        "name": "small-one",
        "kind": "xtts",
        "licence": "Some licence",
        "licence_url": "https://licences.example.org/",
        "notice": "Speaks <noise> only.",
        "source": "made for a test",
        "files": {"weights.bin": {"sha256": "0" * 64, "bytes": 4}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder

"""The tiny model bundles, built once per test session (and per worker process)."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like MODELS_DIR: the bundles lie in it under their names."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def tiny_bundle(models_dir: Path) -> Path:
    from xttsproject.bundles.tiny import xtts

    path = models_dir / "tiny"
    xtts.build(path)
    return path


@pytest.fixture(scope="session")
def tiny_whisper_bundle(models_dir: Path) -> Path:
    from xttsproject.bundles.tiny import whisper

    path = models_dir / "tiny-whisper"
    whisper.build(path)
    return path

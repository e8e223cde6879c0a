"""What the tests of the training app share: the tiny model where the settings look for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def tiny(settings: Any, tiny_bundle: Path) -> Path:
    """The settings name the tiny model; training takes one thread."""
    settings.MODELS_DIR = tiny_bundle.parent
    settings.XTTS_BUNDLE = tiny_bundle.name
    settings.DEVICE = "cpu"
    settings.TRAINING_THREADS = 1
    return tiny_bundle

"""A small model of random weights, and a version that it can be trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import frozen_version


@pytest.fixture(autouse=True)
def model(settings: Any, random_bundle: Path) -> None:
    settings.MODELS_DIR, settings.XTTS_BUNDLE = random_bundle.parent, random_bundle.name


@pytest.fixture
def version(people: Any) -> Any:
    return frozen_version(people.tom, clips=5)

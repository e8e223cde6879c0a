"""A person on record, and recordings of theirs as people give them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.datasets.factories import SpeakerFactory
from tests.datasets.pipeline.given import ljspeech, zipped


@pytest.fixture
def speaker(people: Any) -> Any:
    return SpeakerFactory(owner=people.anna, name="Linda")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return zipped(ljspeech(tmp_path / "given"), tmp_path / "my_set.zip")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    top = ljspeech(tmp_path / "broken")
    (top / "wavs" / "LJ001-0002.wav").unlink()
    return zipped(top, tmp_path / "broken.zip")

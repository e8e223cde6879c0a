"""An installation with one model, and a second one that is to come in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile


@pytest.fixture
def models_dir(settings: Any, tmp_path: Path, random_bundle: Path) -> Path:
    """A folder of models with a “base” in it, whose files are links to the session's own, and an empty inbox."""
    settings.MODELS_DIR, settings.MODELS_INBOX = tmp_path / "models", tmp_path / "inbox"
    settings.XTTS_BUNDLE, settings.WHISPER_BUNDLE = "tiny", "tiny-whisper"
    settings.MODELS_INBOX.mkdir()
    shutil.copytree(random_bundle, settings.MODELS_DIR / "base", copy_function=os.link)
    return Path(settings.MODELS_DIR)


@pytest.fixture
def staff(people: SimpleNamespace) -> Any:
    """Runs the portal without being a superuser."""
    people.ben.is_staff = True
    people.ben.save()
    return people.ben


@pytest.fixture(scope="session")
def trained(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that holds the model alone."""
    import torch
    from safetensors.torch import load_file

    path = tmp_path_factory.mktemp("trained") / "best_model_77.pth"
    model = load_file(random_bundle / "model.safetensors")
    torch.save({"model": {f"xtts.{name}": value for name, value in model.items()}, "step": 77}, path)
    return path


def upload(path: Path) -> SimpleUploadedFile:
    return SimpleUploadedFile(path.name, path.read_bytes())

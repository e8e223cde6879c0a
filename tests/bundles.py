"""Model bundles for tests, built once per session and process."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny XTTS bundle. Read it, never write to it."""
    from xttsproject.bundles.tiny import TINY_XTTS, xtts

    return xtts.build(tmp_path_factory.mktemp("models") / TINY_XTTS).path


@pytest.fixture(scope="session")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small XTTS bundle of Coqui's own classes with random weights: for what depends on architecture, not on speech.

    Read it, never write to it.
    """
    from tests import random_bundle
    from xttsproject.bundles.tiny import TINY_XTTS

    return random_bundle.build(tmp_path_factory.mktemp("random") / TINY_XTTS).path


@pytest.fixture(scope="session")
def tiny_whisper_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Whisper bundle in CTranslate2's format. Read it, never write to it."""
    from xttsproject.bundles.tiny import TINY_WHISPER, whisper

    return whisper.build(tmp_path_factory.mktemp("models") / TINY_WHISPER).path


@pytest.fixture(scope="session")
def random_whisper_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Whisper bundle with random weights, which writes letters of any sound. Read it, never write to it."""
    from tests import random_whisper
    from xttsproject.bundles.tiny import TINY_WHISPER

    # Where the settings look for the tiny one, so that it can stand in for it.
    return random_whisper.build(tmp_path_factory.mktemp("random") / TINY_WHISPER).path

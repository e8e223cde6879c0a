"""Settings of transcription that cannot work are said at the start."""

from __future__ import annotations

from typing import Any

import pytest

from xttsproject.checks import bundles_present, speech_memory, transcription_precision


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, []),
        ({"WHISPER_DEVICE": "cuda:1", "WHISPER_COMPUTE_TYPE": "float16"}, []),
        ({"DEVICE": "gpu"}, ["portal.E002"]),
        ({"WHISPER_DEVICE": "cuda:x"}, ["portal.E002"]),
        ({"WHISPER_DEVICE": "cpu", "WHISPER_COMPUTE_TYPE": "float16"}, ["portal.E003"]),
        ({"DEVICE": "cpu", "WHISPER_COMPUTE_TYPE": "int8_bfloat16"}, ["portal.E003"]),
        ({"DEVICE": "cpu", "WHISPER_COMPUTE_TYPE": "int8"}, []),
        ({"WHISPER_BUNDLE": "a", "WHISPER_SECOND_BUNDLE": "a"}, ["portal.W005"]),
    ],
)
def test_devices_and_precisions_that_cannot_be_are_refused(settings: Any, values: dict, ids: list[str]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert [message.id for message in transcription_precision()] == ids


def test_a_model_that_is_loaded_ahead_and_not_kept_is_told(settings: Any) -> None:
    for preload, low, ids in ((True, True, ["portal.W006"]), (True, False, []), (False, True, [])):
        settings.SPEECH_PRELOAD, settings.SPEECH_LOW_MEMORY = preload, low
        assert [message.id for message in speech_memory()] == ids


def test_a_second_model_that_is_missing_is_named(settings: Any) -> None:
    settings.WHISPER_SECOND_BUNDLE = "whisper-nowhere"
    assert any("whisper-nowhere" in message.msg for message in bundles_present())

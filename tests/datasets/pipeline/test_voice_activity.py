"""Speech detection beside silero's own: the same network, the same law, many windows in one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.pipeline.media import decode_audio
from datasets.pipeline.voice_activity import (
    RATE,
    WINDOW,
    ActivitySettings,
    sound_blocks,
    speech_probabilities,
    stretches_from,
)
from tests.datasets.pipeline.recordings import DemoRecording
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.progress import Silent


def silero_probabilities(path: Path) -> list[float]:
    """One call for each window, the state kept inside silero's model."""
    import torch
    from silero_vad import load_silero_vad

    model = load_silero_vad()
    samples = torch.from_numpy(np.concatenate([block for block, _ in sound_blocks(path)]))
    with torch.no_grad():
        return [model(window, RATE).item() for window in samples.split(WINDOW)]


def test_many_windows_in_one_call_have_the_probabilities_of_one_after_another(
    demo_recording: DemoRecording, tmp_path: Path
) -> None:
    """Over several calls: what is carried from one to the next is the state and the context that silero carries."""
    path = tmp_path / "speech.wav"
    write_wav(path, decode_audio(demo_recording.path, 24_000).cut(0, 75))
    ours = list(speech_probabilities(path, Silent()))

    assert len(ours) > 2 * 1024
    assert max(ours) > 0.9
    assert min(ours) < 0.1
    assert ours == pytest.approx(silero_probabilities(path), abs=1e-3)


@pytest.mark.shared_data
def test_real_speech_has_the_probabilities_of_one_window_after_another(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    clips = [decode_audio(clip, 24_000).samples for clip in sorted((shared_data / "lj").glob("*.wav"))]
    noise = np.random.default_rng(5).normal(0, 0.003, sum(map(len, clips)))
    write_wav(path, Audio((np.concatenate(clips) + noise).astype(np.float32), 24_000))

    assert list(speech_probabilities(path, Silent())) == pytest.approx(silero_probabilities(path), abs=1e-3)


probabilities = st.lists(
    st.one_of(st.sampled_from([0.0, 0.2, 0.349, 0.35, 0.4, 0.499, 0.5, 0.9, 1.0]), st.floats(0, 1)), max_size=120
)


@settings(max_examples=300)
@given(
    probabilities,
    st.sampled_from([0.5, 0.3, 0.7]),
    st.sampled_from([0, 32, 64, 90, 96, 100, 160, 300]),
    st.sampled_from([0, 32, 200, 250, 500]),
)
def test_stretches_are_those_that_silero_makes_of_the_same_probabilities(
    heard: list[float], threshold: float, pause_ms: int, shortest_ms: int
) -> None:
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    expected = get_speech_timestamps_from_probs(
        heard,
        threshold=threshold,
        min_silence_duration_ms=pause_ms,
        min_speech_duration_ms=shortest_ms,
        speech_pad_ms=0,
    )
    rules = ActivitySettings(threshold, max(threshold - 0.15, 0.01), pause_ms / 1000, shortest_ms / 1000)
    found = [(round(start * RATE), round(end * RATE)) for start, end in stretches_from(heard, rules)]

    assert found == [(part["start"], part["end"]) for part in expected]

"""Finding speech in real sound: synthetic speech with known times, and real recordings."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.media import MASTER_RATE, decode_audio, decode_to_master
from datasets.pipeline.segment import find_segments, quietest_point
from datasets.pipeline.voice_activity import ActivitySettings, speech_probabilities, stretches_from
from tests.datasets.pipeline.makers import silence, tone
from tests.datasets.pipeline.recordings import DemoRecording
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent


def master(path: Path, samples: np.ndarray) -> Path:
    write_wav(path, Audio(samples.astype(np.float32), MASTER_RATE))
    return path


def test_no_sentence_of_a_known_recording_is_cut_or_lost(demo_recording: DemoRecording, tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    decode_to_master(demo_recording.path, path, max_seconds=600)
    said: list[float] = []
    result = find_segments(path, progress=Callback(lambda share, _: said.append(share)))

    assert result.left_out == ()
    for sentence in demo_recording.sentences:
        holders = [s for s in result.spans if s.start < sentence.start + 0.03 and s.end > sentence.end - 0.03]
        assert len(holders) == 1, f"{sentence} is whole in one segment"
    assert all(2 <= span.seconds <= 11.5 and not span.flags for span in result.spans)
    assert len(result.spans) > 15
    assert said == sorted(said)
    assert said[-1] == 1.0


@pytest.mark.shared_data
def test_real_sentences_with_pauses_between_are_found_again(shared_data: Path, tmp_path: Path) -> None:
    pieces, times, position = [silence(1, MASTER_RATE)], [], 1.0
    for clip in sorted((shared_data / "lj").glob("*.wav")):
        audio = decode_audio(clip, MASTER_RATE)
        times.append((position, position + audio.seconds))
        pieces += [audio.samples, silence(1.5, MASTER_RATE)]
        position += audio.seconds + 1.5
    result = find_segments(master(tmp_path / "lj.wav", np.concatenate(pieces)))

    for start, end in times:
        inside = [span for span in result.spans if span.start < end and span.end > start]
        assert inside, "each clip is found"
        assert inside[0].start < start + 0.15
        assert inside[-1].end > end - 0.25
        assert all(span.start > start - 0.5 and span.end < end + 0.5 for span in inside), "no segment spans two clips"


def test_silence_has_no_speech(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        find_segments(master(tmp_path / "silence.wav", silence(5, MASTER_RATE)))

    assert caught.value.code == "no_speech"
    assert "5 s" in caught.value.message


def test_a_tone_and_noise_are_no_speech(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(0, 0.05, 5 * MASTER_RATE)
    with pytest.raises(DomainError, match="No speech"):
        find_segments(master(tmp_path / "noise.wav", np.concatenate([tone(5, MASTER_RATE), noise])))


def test_finding_speech_can_be_cancelled(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        find_segments(
            master(tmp_path / "silence.wav", silence(5, MASTER_RATE)), progress=Callback(should_stop=lambda: True)
        )


def test_blocks_give_the_probabilities_of_the_whole(
    demo_recording: DemoRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network's state is carried over: where the blocks end must not show."""
    path = master(tmp_path / "part.wav", decode_audio(demo_recording.path, MASTER_RATE).cut(0, 20).samples)
    whole = list(speech_probabilities(path, Silent()))
    monkeypatch.setattr("datasets.pipeline.voice_activity.WINDOWS_PER_CALL", 7)

    assert list(speech_probabilities(path, Silent())) == pytest.approx(whole, abs=1e-4)
    with wave.open(str(path)) as wav:
        assert len(whole) == -(-wav.getnframes() * 16_000 // (MASTER_RATE * 512))


def test_two_thresholds_and_a_least_pause_make_stretches() -> None:
    rules = ActivitySettings(threshold=0.5, release=0.35, pause=0.064, shortest=0.096)
    windows = [0.1, 0.6, 0.9, 0.4, 0.9, 0.2, 0.2, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8]

    found = [(round(start / 0.032), round(end / 0.032)) for start, end in stretches_from(windows, rules)]
    assert found == [(1, 9), (17, 21)]


def test_the_quietest_point_is_found(tmp_path: Path) -> None:
    samples = tone(4, MASTER_RATE)
    samples[round(2.50 * MASTER_RATE) : round(2.58 * MASTER_RATE)] *= 0.01

    assert quietest_point(master(tmp_path / "tone.wav", samples), 1.0, 3.5) == pytest.approx(2.54, abs=0.02)

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.media import decode_audio, probe
from voices.engine.encoding import FORMATS, encode, require_format
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError


def tone(seconds: float = 1.5) -> Audio:
    time = np.arange(round(24_000 * seconds)) / 24_000
    return Audio((0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), 24_000)


def pitch(audio: Audio) -> float:
    """The strongest frequency in hertz."""
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(np.argmax(spectrum)) * audio.sample_rate / len(audio.samples)


def test_a_wav_says_24_000_hertz_mono_16_bit_and_how_long_it_is():
    sound = tone()
    with wave.open(io.BytesIO(encode(sound, FORMATS["wav"]))) as handle:
        assert (handle.getframerate(), handle.getnchannels(), handle.getsampwidth()) == (24_000, 1, 2)
        assert handle.getnframes() == len(sound.samples)


def test_pcm_is_the_wav_without_its_header():
    assert encode(tone(), FORMATS["wav"]).endswith(encode(tone(), FORMATS["pcm"]))
    assert len(encode(tone(), FORMATS["pcm"])) == 2 * len(tone().samples)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus", "aac"])
def test_what_is_encoded_decodes_to_the_same_length_and_pitch(name: str, tmp_path: Path):
    path = tmp_path / f"sound.{name}"
    path.write_bytes(encode(tone(), FORMATS[name]))
    back = decode_audio(path, 24_000)
    # Lossy encoders work in frames and may add a silent one or two; speech must not become shorter.
    assert tone().seconds - 0.01 <= back.seconds <= tone().seconds + 0.12
    assert pitch(back) == pytest.approx(440, abs=3)
    assert probe(path).channels == 1


def test_flac_loses_nothing(tmp_path: Path):
    path = tmp_path / "sound.flac"
    path.write_bytes(encode(tone(), FORMATS["flac"]))
    assert np.abs(decode_audio(path, 24_000).samples - tone().samples).max() <= 1.1 / 32767


def test_the_shortest_sound_is_encoded_too():
    for wanted in FORMATS.values():
        assert encode(tone(0.01), wanted)


def test_an_unknown_format_is_refused_with_the_names_of_the_others():
    with pytest.raises(DomainError) as caught:
        require_format("midi")
    assert caught.value.code == "format_unsupported"
    assert "midi" in caught.value.message
    assert "flac" in caught.value.message

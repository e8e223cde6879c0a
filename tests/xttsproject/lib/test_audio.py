import io
import wave

import numpy as np
import pytest

from xttsproject.lib.audio import Audio, read_wav, to_pcm16, write_wav


def tone(rate: int, seconds: float, hertz: float = 440.0) -> Audio:
    time = np.arange(round(rate * seconds)) / rate
    return Audio((0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate)


def peak_hertz(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(np.argmax(spectrum) * audio.sample_rate / len(audio.samples))


def test_the_header_carries_the_rate_of_the_sound():
    buffer = io.BytesIO()
    write_wav(buffer, tone(24_000, 0.5))
    buffer.seek(0)
    with wave.open(buffer) as handle:
        assert (handle.getframerate(), handle.getnchannels(), handle.getsampwidth()) == (24_000, 1, 2)
        assert handle.getnframes() == 12_000


def test_what_is_written_is_read_back_within_one_step(tmp_path):
    sound = tone(24_000, 0.25)
    write_wav(tmp_path / "a.wav", sound)
    back = read_wav(tmp_path / "a.wav")
    assert back.sample_rate == 24_000
    assert np.abs(back.samples - sound.samples).max() < 2 / 32768


def test_a_stretch_is_read_without_the_rest(tmp_path):
    ramp = Audio(np.linspace(-0.9, 0.9, 24_000, dtype=np.float32), 24_000)
    write_wav(tmp_path / "a.wav", ramp)
    part = read_wav(tmp_path / "a.wav", 0.25, 0.5)
    assert part.seconds == pytest.approx(0.25)
    assert np.allclose(part.samples, ramp.samples[6000:12000], atol=1e-4)
    assert read_wav(tmp_path / "a.wav", 2.0, 3.0).seconds == 0


def test_full_scale_does_not_wrap_around():
    pcm = np.frombuffer(to_pcm16(np.array([1.0, -1.0, 2.0, -2.0], dtype=np.float32)), dtype="<i2")
    assert pcm.tolist() == [32767, -32768, 32767, -32768]


def test_sixteen_bit_sound_survives_reading_and_writing_to_the_bit(tmp_path):
    steps = np.arange(-32768, 32768, dtype=np.int16).astype(np.float32) / np.float32(32768)
    write_wav(tmp_path / "all.wav", Audio(steps, 24_000))
    assert np.array_equal(read_wav(tmp_path / "all.wav").samples, steps)


def test_resampling_keeps_length_and_pitch():
    sound = tone(24_000, 1.0, 1000.0).at_rate(22_050)
    assert sound.seconds == pytest.approx(1.0, abs=0.001)
    assert peak_hertz(sound) == pytest.approx(1000.0, abs=2.0)


def test_sound_with_two_axes_is_refused():
    with pytest.raises(ValueError, match="mono"):
        Audio(np.zeros((2, 10), dtype=np.float32), 24_000)

"""Decoding: every common form comes out right, and everything else gives one clear sentence."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from datasets.pipeline.media import MASTER_RATE, decode_audio, decode_to_master, probe
from tests.datasets.pipeline import makers
from tests.datasets.pipeline.makers import silence, tone, write_media, write_silent_film
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}
FORMS = [
    # file, codec, FFmpeg's container, rate, layout, with a picture
    ("film.mp4", "aac", "mp4", 48_000, "stereo", True),
    ("surround.mp4", "aac", "mp4", 48_000, "5.1", True),
    ("film.mkv", "libopus", "matroska", 48_000, "stereo", True),
    ("sound.webm", "libopus", "webm", 48_000, "mono", False),
    ("sound.ogg", "vorbis", "ogg", 44_100, "stereo", False),
    ("sound.flac", "flac", "flac", 44_100, "mono", False),
    ("sound.mp3", "libmp3lame", "mp3", 44_100, "stereo", False),
    ("telephone.wav", "pcm_u8", "wav", 8_000, "mono", False),
    ("studio.wav", "pcm_s24le", "wav", 96_000, "stereo", False),
    ("surround.wav", "pcm_s16le", "wav", 48_000, "5.1", False),
    ("float.wav", "pcm_f32le", "wav", 22_050, "mono", False),
    ("stream.ts", "aac", "mpegts", 44_100, "stereo", True),
]


def refusal(path: Path, target: Path, *, max_seconds: float = 100) -> DomainError:
    with pytest.raises(DomainError) as caught:
        decode_to_master(path, target, max_seconds=max_seconds)
    assert not target.exists()
    assert [left for left in target.parent.iterdir() if left.name.startswith(".")] == []
    assert path.name in caught.value.message, "the sentence names the file"
    return caught.value


def level(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2))))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "master.wav"


@pytest.mark.parametrize(("name", "codec", "container", "rate", "layout", "video"), FORMS)
def test_every_form_keeps_its_length_and_level(
    tmp_path: Path, target: Path, name: str, codec: str, container: str, rate: int, layout: str, video: bool
) -> None:
    signal = np.stack([tone(3, rate)] * CHANNELS[layout])
    path = write_media(tmp_path / name, signal, rate, codec=codec, container=container, layout=layout, video=video)

    facts = decode_to_master(path, target, max_seconds=100)

    assert (facts.sample_rate, facts.channels, facts.has_video) == (rate, CHANNELS[layout], video)
    assert facts.seconds == pytest.approx(3, abs=0.05)
    assert facts.skipped_packets == 0
    assert facts.note == ""
    with wave.open(str(target)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (MASTER_RATE, 1, 2)
        assert wav.getnframes() / MASTER_RATE == facts.seconds
    middle = read_wav(target, 0.5, 2.5).samples
    # A sine at half of full scale; an MP3 encoder may take half a decibel off.
    assert level(middle) == pytest.approx(-9.03, abs=0.6)
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) * MASTER_RATE / len(middle) == pytest.approx(440, abs=1)

    probed = probe(path)
    assert probed.seconds == pytest.approx(3, abs=0.1)
    assert (probed.container, probed.audio_codec) == (facts.container, facts.audio_codec)


def test_loud_channels_do_not_clip_when_mixed(tmp_path: Path, target: Path) -> None:
    signal = np.stack([tone(1, 48_000, amplitude=0.95)] * 6)
    path = write_media(tmp_path / "loud.wav", signal, 48_000, codec="pcm_s16le", container="wav", layout="5.1")
    decode_to_master(path, target, max_seconds=100)

    peak = np.max(np.abs(read_wav(target, 0.2, 0.8).samples))
    assert 0.93 < peak < 0.97


def test_the_name_of_a_file_does_not_matter(tmp_path: Path, target: Path) -> None:
    path = write_media(tmp_path / "holiday.txt", tone(1, 44_100), 44_100, codec="flac", container="flac")

    assert decode_to_master(path, target, max_seconds=100).container == "flac"


def test_a_text_that_is_named_a_film_is_not_media(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("Dear diary, today I renamed a text file.\n" * 100)

    assert refusal(path, target).code == "not_media"


def test_random_bytes_are_not_media(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(np.random.default_rng(1).bytes(200_000))

    assert refusal(path, target).code in {"not_media", "media_damaged"}


def test_an_empty_file_is_called_empty(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()

    assert refusal(path, target).code == "media_empty"


def test_a_wav_without_samples_is_refused(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "header.wav"
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(16_000)

    assert refusal(path, target).code == "not_media"


def test_a_missing_file_is_called_missing(tmp_path: Path, target: Path) -> None:
    assert refusal(tmp_path / "gone.mp4", target).code == "media_missing"


def test_a_film_without_sound_says_so(tmp_path: Path, target: Path) -> None:
    path = write_silent_film(tmp_path / "silent.mp4", 3)

    assert refusal(path, target).code == "no_audio"
    with pytest.raises(DomainError, match="no sound"):
        probe(path)


def test_a_recording_over_the_limit_names_its_length_and_the_limit(tmp_path: Path, target: Path) -> None:
    path = write_media(tmp_path / "long.wav", silence(90, 8_000), 8_000, codec="pcm_u8", container="wav")

    error = refusal(path, target, max_seconds=60)
    assert error.code == "media_too_long"
    assert "1 min 30 s" in error.message
    assert "limit is 1 min" in error.message


def test_the_limit_holds_while_reading_when_the_header_lies(tmp_path: Path, target: Path) -> None:
    path = write_media(tmp_path / "live.mkv", silence(90, 8_000), 8_000, codec="pcm_u8", container="matroska")
    raw = path.read_bytes()
    # Matroska's Duration element (0x4489, an 8-byte float of milliseconds): claim one second.
    at = raw.index(b"\x44\x89\x88")
    path.write_bytes(raw[: at + 3] + np.array([1000.0], ">f8").tobytes() + raw[at + 11 :])

    assert probe(path).seconds == pytest.approx(1.0)
    assert refusal(path, target, max_seconds=60).code == "media_too_long"


def test_an_mp4_cut_off_before_its_index_is_incomplete(tmp_path: Path, target: Path) -> None:
    whole = write_media(tmp_path / "whole.mp4", tone(10, 44_100), 44_100, codec="aac", container="mp4", video=True)
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    error = refusal(path, target)
    assert error.code == "media_truncated"
    assert "incomplete" in error.message


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [("mp4", "aac", {"movflags": "faststart"}), ("matroska", "flac", {}), ("wav", "pcm_s16le", {})],
)
def test_a_file_that_ends_long_before_it_says_is_truncated(
    tmp_path: Path, target: Path, container: str, codec: str, options: dict[str, str]
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 20 * 44_100).astype(np.float32)
    whole = write_media(tmp_path / "whole", noise, 44_100, codec=codec, container=container, options=options)
    path = tmp_path / "cut"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    error = refusal(path, target)
    assert error.code == "media_truncated"
    assert "20 s" in error.message


def test_a_sound_track_shorter_than_the_film_is_no_truncation(tmp_path: Path, target: Path) -> None:
    """Only the file's end tells whether something is missing, and the picture runs on to it."""
    path = tmp_path / "tail.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        sound = out.add_stream("flac", rate=16_000, layout="mono")
        picture = makers._picture(out)
        frame = av.AudioFrame.from_ndarray(
            (tone(4, 16_000) * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = 16_000, 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
        makers._draw(out, picture, 60)
        out.mux(picture.encode(None))

    assert decode_to_master(path, target, max_seconds=100).seconds == pytest.approx(4, abs=0.05)


def test_single_damaged_packets_are_skipped_and_counted(tmp_path: Path, target: Path) -> None:
    path = write_media(tmp_path / "sound.flac", tone(60, 16_000), 16_000, codec="flac", container="matroska")
    raw = bytearray(path.read_bytes())
    # The frame header's sync code in the middle of the file: without it the packet is no FLAC frame.
    at = raw.index(b"\xff\xf8", len(raw) // 2)
    raw[at : at + 6] = b"\0" * 6
    path.write_bytes(raw)

    facts = decode_to_master(path, target, max_seconds=100)
    assert facts.skipped_packets == 1
    assert facts.note == "1 damaged packet was skipped while decoding; listen for clicks or gaps."
    assert facts.seconds == pytest.approx(60, abs=0.5)


def test_a_file_with_many_damaged_packets_is_refused(tmp_path: Path, target: Path) -> None:
    path = write_media(tmp_path / "sound.flac", tone(60, 16_000), 16_000, codec="flac", container="matroska")
    path.write_bytes(path.read_bytes()[:4096] + path.read_bytes()[4096:].replace(b"\xff\xf8", b"\0\0"))

    assert refusal(path, target).code in {"media_damaged", "not_media"}


def test_a_playlist_cannot_read_other_files(tmp_path: Path, target: Path, tone_wav: Path) -> None:
    listing = tmp_path / "list.m3u8"
    listing.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{tone_wav}\n#EXT-X-ENDLIST\n")
    script = tmp_path / "list.ffconcat"
    script.write_text(f"ffconcat version 1.0\nfile {tone_wav}\n")

    for path in (listing, script):
        assert refusal(path, target).code == "not_media"


def test_cancelling_stops_and_leaves_nothing(tmp_path: Path, target: Path) -> None:
    path = write_media(tmp_path / "long.wav", silence(60, 16_000), 16_000, codec="pcm_s16le", container="wav")
    said: list[float] = []
    with pytest.raises(Cancelled):
        decode_to_master(
            path,
            target,
            max_seconds=100,
            progress=Callback(lambda share, _: said.append(share), should_stop=lambda: len(said) >= 2),
        )

    assert 0 < said[-1] < 1
    assert list(target.parent.iterdir()) == []


def test_an_older_master_survives_a_failed_decode(tmp_path: Path, target: Path, tone_wav: Path) -> None:
    decode_to_master(tone_wav, target, max_seconds=10)
    before = target.read_bytes()
    with pytest.raises(DomainError):
        decode_to_master(tone_wav, target, max_seconds=1)

    assert target.read_bytes() == before


def test_a_clip_is_decoded_at_the_rate_asked_for(tone_wav: Path) -> None:
    audio = decode_audio(tone_wav, 22_050)

    assert audio.sample_rate == 22_050
    assert audio.seconds == pytest.approx(2, abs=0.01)
    assert audio.samples.dtype == np.float32
    with pytest.raises(DomainError, match="limit"):
        decode_audio(tone_wav, 22_050, max_seconds=1)


MEMORY = """
import resource, sys
from pathlib import Path
from datasets.pipeline.media import decode_to_master
source, target = map(Path, sys.argv[1:])
decode_to_master(source, target, max_seconds=10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode_to_master(source.with_name("long.flac"), target, max_seconds=10_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_length(tmp_path: Path, target: Path) -> None:
    """Twenty minutes are 58 MB as a master and twice that as float samples."""
    short = write_media(tmp_path / "short.flac", tone(1, 16_000), 16_000, codec="flac", container="flac")
    write_media(tmp_path / "long.flac", silence(1200, 16_000), 16_000, codec="flac", container="flac")
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, str(short), str(target)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(ran.stdout) < 16_000, "kilobytes"

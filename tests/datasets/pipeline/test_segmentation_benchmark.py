"""The segmentation benchmark: what it counts, and one short run of all of it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from datasets.pipeline.benchmark.long_recording import clips_in, write_long_recording
from datasets.pipeline.benchmark.segmentation import alike
from tests.datasets.pipeline.makers import tone, write_media
from tests.datasets.pipeline.recordings import DemoRecording
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError


def test_a_stretch_counts_where_both_ends_are_within_a_window() -> None:
    reference = [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0)]
    assert alike(reference, reference) == 1
    assert alike(reference, [(0.032, 0.968), *reference[1:]]) == 1
    assert alike(reference, [(0.064, 1.0), *reference[1:]]) == 0.75
    assert alike(reference, reference[:2]) == 0.5
    assert alike(reference, [*reference, (8.0, 9.0)]) == 0.8
    assert alike(reference, []) == 0
    assert alike([], []) == 1


def test_a_long_recording_has_the_length_asked_for_and_the_same_sound_every_time(
    tone_wav: Path, tmp_path: Path
) -> None:
    write_long_recording([tone_wav], 9.5, tmp_path / "one.wav")
    write_long_recording([tone_wav], 9.5, tmp_path / "two.wav")
    assert read_wav(tmp_path / "one.wav").seconds == 9.5
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=tmp_path.name):
        clips_in(tmp_path)
    write_media(tmp_path / "a.wav", tone(1, 16_000), 16_000, codec="pcm_s16le", container="wav")
    assert clips_in(tmp_path) == [tmp_path / "a.wav"] == clips_in(tmp_path / "a.wav")


@pytest.mark.slow
def test_detection_is_faster_than_silero_says_the_same_and_stays_small(demo_recording: DemoRecording) -> None:
    out = StringIO()
    call_command("benchmark", "segmentation", "--audio", str(demo_recording.path), "--seconds", "150", stdout=out)
    measured = json.loads(out.getvalue().splitlines()[-1])
    assert measured["seconds"]["sound"] == pytest.approx(150, abs=0.1)
    assert measured["boundaries_within_32ms"] >= 0.99
    assert measured["peak_growth_mb"] < 300
    # Over minutes starting up weighs more than it does over an hour, and tests share the machine.
    assert measured["speedup"] > 1
    assert measured["segments"] > 5

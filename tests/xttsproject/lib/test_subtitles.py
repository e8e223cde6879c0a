"""Subtitles that players read."""

from __future__ import annotations

from xttsproject.lib.subtitles import Cue, srt, vtt

CUES = [Cue(0.0, 1.2345, "Hello\n\nthere."), Cue(3661.5, 3662.9996, "R&D <now> --> later")]


def test_subrip_is_numbered_and_has_commas_in_its_times():
    assert srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:01,234\nHello there.\n\n2\n01:01:01,500 --> 01:01:03,000\nR&D <now> --> later\n\n"
    )


def test_webvtt_hides_what_would_be_markup():
    assert vtt(CUES) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.234\nHello there.\n\n"
        "01:01:01.500 --> 01:01:03.000\nR&amp;D &lt;now&gt; --&gt; later\n\n"
    )
    assert vtt([]) == "WEBVTT\n\n"

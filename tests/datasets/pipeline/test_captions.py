"""Captions files as sites and people write them, read as cues."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.pipeline.captions import Cue, file_name, keep_as_vtt, parse_file_name, read_captions, write_vtt
from datasets.pipeline.fetch_captions import choose_tracks
from tests.datasets.pipeline.server import SRT, VTT
from xttsproject.lib.errors import DomainError

# As a large video site writes what its machine heard: two lines on the screen, the upper one a repetition.
ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.470 align:start position:0%
\x20
hello<00:00:00.480><c> and</c><00:00:00.800><c> welcome</c>

00:00:02.470 --> 00:00:02.480 align:start position:0%
hello and welcome
\x20

00:00:02.480 --> 00:00:05.000 align:start position:0%
hello and welcome
to<00:00:02.900><c> this</c><00:00:03.200><c> talk</c>

00:00:05.000 --> 00:00:05.010 align:start position:0%
to this talk
\x20

00:00:09.000 --> 00:00:10.000 align:start position:0%
to this talk
"""


def test_markup_entities_and_line_breaks_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(VTT)
    assert read_captions(path) == [Cue(0.2, 1.0, "Hello & welcome."), Cue(1.0, 1.9, "To the talk.")]


def test_rolling_captions_say_each_line_once_where_it_was_first_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(ROLLING)
    assert [(round(cue.start, 2), round(cue.end, 2), cue.text) for cue in read_captions(path)] == [
        (0.16, 2.47, "hello and welcome"),
        (2.48, 5.0, "to this talk"),
        # Four seconds later the same words are new.
        (9.0, 10.0, "to this talk"),
    ]


def test_what_a_person_wrote_twice_was_said_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    cues = [Cue(0.0, 1.0, "No."), Cue(1.0, 2.0, "No."), Cue(2.0, 3.0, "I said <no>."), Cue(3.0, 4.0, "Really.")]
    write_vtt(path, cues)
    assert read_captions(path) == cues


def test_subrip_in_an_old_coding_becomes_webvtt(tmp_path: Path) -> None:
    given = tmp_path / "given.srt"
    given.write_bytes(SRT.encode("cp1252"))
    kept, count = keep_as_vtt(given, tmp_path, language="pt_BR", automatic=True)
    assert (kept.name, count) == ("captions.pt-BR.auto.vtt", 1)
    assert kept.read_text(encoding="utf-8").startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nOlá, como está?")
    assert read_captions(kept) == [Cue(0.5, 1.5, "Olá, como está?")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.vtt", b"WEBVTT\n\n"),
        ("page.vtt", b"<html><body>Too many requests</body></html>"),
        ("noise.srt", bytes(range(256)) * 8),
        ("list.vtt", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"),
        ("notes.txt", b"00:01 hello"),
        ("huge.vtt", b"WEBVTT\n\n" + b"0" * (9 << 20)),
    ],
)
def test_what_is_no_captions_file_is_refused_by_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DomainError) as caught:
        read_captions(path)
    assert caught.value.code == "captions_unreadable"
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "captions.en.vtt"), ("zh-Hans", "captions.zh-Hans.vtt"), ("../../etc", "captions.und.vtt")],
)
def test_a_language_makes_a_name_and_the_name_tells_the_language(language: str, name: str) -> None:
    assert file_name(language, automatic=False) == name
    assert parse_file_name(name) == (name.split(".")[1], False)
    assert parse_file_name(file_name(language, automatic=True)) == (name.split(".")[1], True)
    assert parse_file_name("original.vtt") is None


def offered(*languages: str, ext: str = "vtt") -> dict[str, list[dict[str, str]]]:
    return {
        language: [{"ext": "json3", "url": "https://a"}, {"ext": ext, "url": f"https://{language}"}]
        for language in languages
    }


def chosen(written: dict, heard: dict, language: str) -> list[tuple[str, bool]]:
    return [(track.key, track.automatic) for track in choose_tracks(written, heard, language)]


def test_people_are_believed_before_machines() -> None:
    assert chosen(offered("de", "en-GB"), offered("en", "en-orig"), "en") == [("en-GB", False), ("de", False)]


def test_what_a_machine_heard_is_taken_where_nobody_wrote_in_the_language() -> None:
    heard = offered("en", "en-orig", "fr", "pt")
    assert chosen(offered("de"), heard, "en") == [("de", False), ("en-orig", True)]
    assert choose_tracks({}, heard, "en")[0].language == "en"
    assert chosen({}, heard, "pt") == [("pt", True)]
    assert chosen({}, heard, "zh-cn") == []


def test_chats_and_formats_that_cannot_be_read_are_no_captions() -> None:
    assert chosen(offered("live_chat"), {}, "en") == []
    assert chosen(offered("en", ext="ttml"), {}, "en") == []
    assert chosen(offered("en", ext="srt"), {}, "en") == [("en", False)]


def test_of_very_many_languages_the_recordings_own_and_a_few_are_kept() -> None:
    names = [f"{a}{b}" for a in "abcdef" for b in "xyz"]
    kept = chosen(offered(*names, "pt-BR"), {}, "pt")
    assert kept[0] == ("pt-BR", False)
    assert len(kept) == 8

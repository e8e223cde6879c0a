"""Datasets from outside: what is read of them, and that a dataset with a fault is told row by row and not taken."""

from __future__ import annotations

import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.pipeline import archive
from datasets.pipeline.archive import ImportLimits, open_files, safe_name
from datasets.pipeline.importing import GAP_SECONDS, Incoming, chosen_text, read_dataset
from datasets.pipeline.tables import MAX_PROBLEMS, Row
from tests.datasets.pipeline.given import SPOKEN, TEXTS, clip, compressed, coqui, ljspeech, voice, zipped
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

LIMITS = ImportLimits(max_bytes=50_000_000, max_seconds=600.0)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return tmp_path / "given"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def do(path: Path, **options: Any) -> Incoming:
        target = tmp_path / "parts"
        target.mkdir(exist_ok=True)
        return read_dataset(path, target, language="en", **{"limits": LIMITS, **options})

    return do


def codes(incoming: Incoming) -> dict[int, str]:
    return {problem.row: problem.code for problem in incoming.problems}


@pytest.mark.parametrize("form", ["folder", "zip", "zip of a folder"])
def test_ljspeech_comes_in_clip_by_clip_in_the_order_of_its_table(
    given: Path, tmp_path: Path, read: Any, form: str
) -> None:
    ljspeech(given)
    path = given if form == "folder" else zipped(given, tmp_path / "x.zip", under="my set/" if "of" in form else "")
    incoming = read(path)
    assert (incoming.form, incoming.clips, incoming.problem_count) == ("ljspeech", 3, 0)
    (part,) = incoming.parts
    assert [each.name for each in part.clips] == ["LJ001-0001", "LJ001-0002", "LJ001-0003"]
    assert [each.text for each in part.clips] == list(TEXTS)
    assert part.seconds == pytest.approx(3 * 1.5 + 2 * GAP_SECONDS, abs=0.001)
    for number, each in enumerate(part.clips, start=1):
        heard = read_wav(part.master, each.start, each.end)
        assert len(heard.samples) == 36_000
        at_home = heard.at_rate(22_050).samples
        assert np.corrcoef(at_home, voice(seed=number)[: len(at_home)])[0, 1] > 0.9999
    between = read_wav(part.master, part.clips[0].end, part.clips[1].start)
    assert between.seconds == pytest.approx(GAP_SECONDS)
    assert not between.samples.any()


def test_clips_of_any_rate_and_format_are_decoded(given: Path, read: Any) -> None:
    ljspeech(given, TEXTS[:1], SPOKEN[:1])
    compressed(given / "wavs" / "b.flac", codec="flac", container="flac", rate=44_100, seed=2, layout="stereo")
    compressed(given / "wavs" / "c.mp3", codec="mp3", container="mp3", rate=16_000, seed=3)
    clip(given / "wavs" / "d.wav", seed=4, rate=8_000)
    with open(given / "metadata.csv", "a") as table:
        table.write("b|Two.|Two.\nc.mp3|Three.|Three.\nd.wav|Four.|Four.\n")
    incoming = read(given)
    assert incoming.problems == ()
    (part,) = incoming.parts
    for each, seed, rate in zip(part.clips[1:], (2, 3, 4), (44_100, 16_000, 8_000), strict=True):
        heard = read_wav(part.master, each.start, each.end).at_rate(8_000).samples
        wanted = read_wav_of(voice(seed=seed, rate=rate), rate)
        assert each.end - each.start == pytest.approx(1.5, abs=0.1)
        assert best_correlation(heard, wanted) > 0.98


def read_wav_of(samples: Any, rate: int) -> Any:
    from xttsproject.lib.audio import Audio

    return Audio(samples, rate).at_rate(8_000).samples


def best_correlation(heard: Any, wanted: Any) -> float:
    """At the best shift: encoders add some silence at the start."""
    count = min(len(heard), len(wanted)) - 800
    return max(float(np.corrcoef(heard[shift : shift + count], wanted[:count])[0, 1]) for shift in range(800))


def test_coquis_tables_of_training_and_evaluation_are_one_dataset(given: Path, read: Any) -> None:
    given.mkdir()
    first = [
        {"audio_file": "wavs/a.wav", "text": 'He said | "no".', "speaker_name": "ann"},
        {"audio_file": "wavs/b.wav", "text": '"Yes," he said.', "speaker_name": "ann"},
    ]
    coqui(given, first, table="metadata_train.csv")
    second = [{"audio_file": "other/c.wav", "text": "Maybe.", "speaker_name": "ann"}]
    coqui(given, second, table="metadata_eval.csv")
    incoming = read(given)
    assert (incoming.form, incoming.problem_count) == ("coqui", 0)
    texts = {each.name: each.text for each in incoming.parts[0].clips}
    assert texts == {"wavs/a.wav": 'He said | "no".', "wavs/b.wav": '"Yes," he said.', "other/c.wav": "Maybe."}


def test_a_table_of_several_speakers_asks_whose_rows_are_wanted(given: Path, read: Any) -> None:
    given.mkdir()
    rows = [{"audio_file": f"{n}.wav", "text": "Yes.", "speaker_name": "ann" if n < 3 else "bob"} for n in range(4)]
    coqui(given, rows)
    with pytest.raises(DomainError) as caught:
        read(given)
    assert caught.value.code == "speaker_unclear"
    assert "ann with 3, bob with 1" in caught.value.message
    incoming = read(given, speaker_name="bob")
    assert [each.name for each in incoming.parts[0].clips] == ["3.wav"]
    with pytest.raises(DomainError, match="carl") as unknown:
        read(given, speaker_name="carl")
    assert unknown.value.code == "speaker_unknown"


def test_every_broken_row_of_an_ljspeech_table_is_listed_and_nothing_comes_in(given: Path, read: Any) -> None:
    ljspeech(given)
    (given / "wavs" / "noise.wav").write_bytes(b"This is no sound.\n" * 40)
    (given / "wavs" / "empty.wav").write_bytes(b"")
    clip(given / "wavs" / "long.wav", seconds=61)
    clip(given / "wavs" / "blip.wav", seconds=0.05)
    clip(given / "wavs" / "silent.wav")
    lines = [
        b"LJ001-0001|Once more.|Once more.",
        b"gone|Not there.|Not there.",
        b"../../etc/passwd|Out.|Out.",
        b"/etc/passwd|Out.|Out.",
        b"C:\\secret|Out.|Out.",
        b"only one column",
        b"a|b|c|d",
        b"silent||",
        b"\xff\xfe|Caf\xe9|x",
        b"noise|No sound.|No sound.",
        b"empty|Empty.|Empty.",
        b"long|Long.|Long.",
        b"blip|Short.|Short.",
        b"|No name.|No name.",
        b"LJ001-0002.wav|Same file.|Same file.",
    ]
    with open(given / "metadata.csv", "ab") as table:
        table.write(b"\r\n".join(lines) + b"\r\n")
    incoming = read(given)
    assert incoming.parts == ()
    assert codes(incoming) == {
        4: "duplicate",
        5: "file_missing",
        6: "path_outside",
        7: "path_outside",
        8: "path_outside",
        9: "row_broken",
        10: "row_broken",
        11: "text_missing",
        12: "text_encoding",
        13: "not_media",
        14: "media_empty",
        15: "clip_long",
        16: "clip_short",
        17: "row_broken",
        18: "duplicate",
    }
    assert incoming.problem_count == 15
    reasons = {problem.row: problem.reason for problem in incoming.problems}
    assert "row 1" in reasons[4]
    assert "wavs/noise.wav" in reasons[13]
    assert all(problem.table == "metadata.csv" for problem in incoming.problems)


def test_every_broken_row_of_a_coqui_table_is_listed_by_its_line(given: Path, read: Any) -> None:
    given.mkdir()
    coqui(given, [{"audio_file": "a.wav", "text": "Yes.", "speaker_name": "ann"}])
    with open(given / "metadata.csv", "a") as table:
        table.write("b.wav|Too few\n")
        table.write("../b.wav|Out.|ann\n")
        table.write("a.wav|Twice.|ann\n")
        table.write('b.wav|"Never closed.|ann\nc.wav|Lost.|ann\n')
    assert codes(read(given)) == {3: "row_broken", 4: "path_outside", 5: "duplicate", 6: "row_broken"}


def test_a_zip_with_names_that_lead_out_links_or_passwords_is_refused(given: Path, tmp_path: Path, read: Any) -> None:
    path = zipped(ljspeech(given), tmp_path / "x.zip")
    link = zipfile.ZipInfo("wavs/LJ001-0001.flac")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("../../evil.wav", b"x")
        out.writestr("/abs.wav", b"x")
        out.writestr(link, "/etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate"):
            out.writestr("wavs/LJ001-0002.wav", b"again")
    incoming = read(path)
    found = {(problem.name, problem.code) for problem in incoming.problems}
    assert found == {
        ("../../evil.wav", "path_outside"),
        ("/abs.wav", "path_outside"),
        ("wavs/LJ001-0001.flac", "file_link"),
        ("wavs/LJ001-0002.wav", "duplicate"),
        ("LJ001-0002", "file_unusable"),
    }
    assert incoming.parts == ()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["given", "parts", "x.zip"]


def test_links_in_a_folder_are_not_followed(given: Path, tmp_path: Path, read: Any) -> None:
    ljspeech(given)
    outside = clip(tmp_path / "outside.wav")
    (given / "wavs" / "LJ001-0003.wav").unlink()
    (given / "wavs" / "LJ001-0003.wav").symlink_to(outside)
    (given / "more").symlink_to(tmp_path)
    incoming = read(given)
    assert {(problem.row, problem.code) for problem in incoming.problems} == {
        (0, "file_link"),
        (3, "file_unusable"),
    }
    assert {problem.name for problem in incoming.problems} == {"wavs/LJ001-0003.wav", "more", "LJ001-0003"}


def test_a_bomb_is_refused_by_what_it_says_and_a_liar_by_what_it_is(given: Path, tmp_path: Path, read: Any) -> None:
    ljspeech(given)
    bomb = zipped(given, tmp_path / "bomb.zip")
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as out:
        out.writestr("wavs/zeros.wav", bytes(60_000_000))
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(DomainError, match="Unpacked") as caught:
        read(bomb)
    assert caught.value.code == "too_large"
    # The same with a directory that says 44 bytes: no more than those are ever read of it.
    content = bytearray(bomb.read_bytes())
    at = content.rfind(b"PK\x01\x02", 0, content.rfind(b"wavs/zeros.wav"))
    content[at + 24 : at + 28] = struct.pack("<L", 44)
    liar = tmp_path / "liar.zip"
    liar.write_bytes(content)
    with open_files(liar, LIMITS) as files:
        assert files.sizes["wavs/zeros.wav"] == 44
        tracemalloc.start()
        with pytest.raises(archive.FileFault, match="damaged"), files.local("wavs/zeros.wav", tmp_path / "s", 200_000):
            pass
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()
    assert not (tmp_path / "s").exists()


def test_a_file_over_its_own_limit_is_a_problem_of_its_row(given: Path, read: Any) -> None:
    ljspeech(given)
    limits = ImportLimits(max_bytes=50_000_000, max_seconds=600.0, clip_bytes=60_000)
    assert codes(read(given, limits=limits)) == {1: "too_large", 2: "too_large", 3: "too_large"}


def test_an_archive_whose_directory_would_fill_the_memory_is_not_opened(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as out:
        for number in range(30):
            out.writestr(f"{number}.txt", b"")
    monkeypatch.setattr(archive, "_ENTRIES", 20)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(DomainError) as caught, open_files(path, LIMITS):
        pass
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06"])
def test_what_is_no_zip_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(DomainError) as caught, open_files(path, LIMITS):
        pass
    assert caught.value.code == "not_zip"


def test_a_damaged_clip_in_a_zip_is_a_problem_of_its_row(given: Path, tmp_path: Path, read: Any) -> None:
    path = zipped(ljspeech(given), tmp_path / "x.zip")
    content = bytearray(path.read_bytes())
    begin = content.find(b"wavs/LJ001-0002.wav")
    content[begin + 2000 : begin + 2100] = bytes(100)
    path.write_bytes(content)
    assert codes(read(path)) == {2: "file_damaged"}


def test_too_much_sound_is_refused_while_it_is_read(given: Path, read: Any) -> None:
    ljspeech(given)
    with pytest.raises(DomainError, match="4 s together") as caught:
        read(given, limits=ImportLimits(max_bytes=50_000_000, max_seconds=4.0))
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "table_missing"),
        ({"wavs/a.wav": b"x"}, "table_missing"),
        ({"metadata.csv": b"a|b|c\n"}, "table_missing"),
        ({"metadata.csv": b"\n\n", "wavs/a.wav": b"x"}, "dataset_empty"),
    ],
)
def test_what_is_no_dataset_is_told_in_one_sentence(given: Path, read: Any, files: Any, code: str) -> None:
    given.mkdir()
    for name, content in files.items():
        (given / name).parent.mkdir(exist_ok=True)
        (given / name).write_bytes(content)
    with pytest.raises(DomainError) as caught:
        read(given)
    assert caught.value.code == code


def test_after_a_thousand_problems_no_more_clips_are_decoded(given: Path, read: Any) -> None:
    ljspeech(given)
    with open(given / "metadata.csv", "a") as table:
        table.writelines(f"gone-{number}|Not there.|Not there.\n" for number in range(2000))
    incoming = read(given)
    assert (len(incoming.problems), incoming.problem_count) == (MAX_PROBLEMS, 2000)


def test_parts_hold_whole_clips_and_the_same_clips_make_the_same_digest(given: Path, tmp_path: Path, read: Any) -> None:
    ljspeech(given, TEXTS * 2, SPOKEN * 2)
    incoming = read(given, part_seconds=4.0)
    assert [len(part.clips) for part in incoming.parts] == [2, 2, 2]
    assert [part.clips[0].start for part in incoming.parts] == [0.0, 0.0, 0.0]
    again = read(zipped(given, tmp_path / "x.zip"), part_seconds=4.0)
    digests = [part.digest for part in incoming.parts]
    assert [part.digest for part in again.parts] == digests
    assert len(set(digests)) == 3
    table = (given / "metadata.csv").read_text()
    (given / "metadata.csv").write_text(table.replace("fine", "cold"))
    assert read(given, part_seconds=4.0).parts[0].digest != digests[0]


def test_reading_can_be_stopped_between_clips(given: Path, read: Any) -> None:
    ljspeech(given)
    seen: list[float] = []
    with pytest.raises(Cancelled):
        read(given, progress=Callback(lambda share, _: seen.append(share), lambda: len(seen) >= 2))
    assert seen == [0.0, pytest.approx(1 / 3)]


def test_memory_does_not_grow_with_the_number_of_clips(given: Path, read: Any) -> None:
    def peak(count: int) -> int:
        ljspeech(given, TEXTS[1:2] * count, SPOKEN[1:2] * count)
        tracemalloc.start()
        assert read(given).clips == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(3)
    # A clip decoded is 144 kB as float; what stays of one (its name, text and measures) may be a few.
    assert peak(83) - peak(3) < 80 * 8_000


@pytest.mark.parametrize(
    ("written", "spoken", "taken"),
    [
        ("Dr. Gray paid $5.", "Doctor Gray paid five dollars.", "Dr. Gray paid $5."),
        ("In 1234 it fell.", "In one two three four it fell.", "In one two three four it fell."),
        ("Plain.", "", "Plain."),
        ("", "Spoken only.", "Spoken only."),
        ("Hello\u200b  there", "hello there!", "Hello there"),
    ],
)
def test_what_was_written_is_kept_where_it_is_read_as_it_was_spoken(written: str, spoken: str, taken: str) -> None:
    assert chosen_text(Row("t", 1, "a", "a.wav", written, spoken), "en") == taken


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("wavs/a.wav", "wavs/a.wav"),
        (".\\wavs\\\\a.wav", "wavs/a.wav"),
        ("a/../b", None),
        ("..", None),
        ("/a", None),
        ("\\\\host\\share", None),
        ("c:/a", None),
        ("", None),
        ("a\0b", None),
    ],
)
def test_only_names_inside_the_dataset_are_names(given_name: str, name: str | None) -> None:
    assert safe_name(given_name) == name

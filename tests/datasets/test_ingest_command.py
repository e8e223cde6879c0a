"""``manage.py ingest``: folders become recordings, once, whatever interrupts it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from datasets.models import SourceVideo
from datasets.services import uploads
from datasets.services.captions import captions_of
from tests.datasets.factories import SpeakerFactory
from tests.datasets.pipeline.makers import tone, write_media
from tests.datasets.pipeline.server import SRT, VTT
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.files import sha256_of


@pytest.fixture
def folder(tmp_path: Path, media: Path) -> Path:
    """Two recordings, one of them in a folder below, between what else lies in such folders."""
    top = tmp_path / "talks"
    (top / "second day").mkdir(parents=True)
    (top / ".hidden").mkdir()
    shutil.copy(media / "tone.wav", top / "first_talk.wav")
    write_media(top / "second day" / "later.mp4", tone(2, 24_000, hertz=300), 24_000, codec="aac", container="mp4")
    shutil.copy(media / "tone.wav", top / ".hidden" / "secret.wav")
    (top / "notes.txt").write_text("who spoke when")
    (top / "empty.mp3").write_bytes(b"")
    (top / "circle").symlink_to(top)
    return top


def ingest(*paths: Path, owner: str = "anna", speaker: str = "Anna", language: str = "en") -> tuple[str, str]:
    """What the command printed, and the sentence that it ended with if it failed."""
    out = io.StringIO()
    try:
        call_command("ingest", *map(str, paths), owner=owner, speaker=speaker, language=language, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


@pytest.fixture(autouse=True)
def speaker(people: Any) -> Any:
    return SpeakerFactory(owner=people.anna, name="Anna")


def test_a_folder_is_taken_with_all_below_it_and_each_file_is_reported(folder: Path, people: Any, speaker: Any) -> None:
    out, failed = ingest(folder)
    first, later = SourceVideo.objects.order_by("title")
    assert (first.title, first.owner, first.speaker, first.language) == ("first talk", people.anna, speaker, "en")
    assert first.original_path.read_bytes() == (folder / "first_talk.wav").read_bytes()
    assert later.original_name == "later.mp4"
    assert later.sha256 == sha256_of(folder / "second day" / "later.mp4")
    assert Job.objects.about(first).get().kind == "datasets.prepare"
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert f"added    {folder}/first_talk.wav → {first.pk}" in out
    assert "notes.txt is neither an audio nor a video file" in lines["skipped"]
    assert "empty.mp3 is empty" in lines["refused"]
    assert "secret" not in out
    assert out.splitlines()[-1] == "2 added, 0 already here, 1 no recordings, 1 refused."
    assert "Not every file" in failed


def test_run_again_it_takes_only_what_is_new(folder: Path, media: Path) -> None:
    (folder / "empty.mp3").unlink()
    ingest(folder / "first_talk.wav")
    (first,) = SourceVideo.objects.all()
    out, failed = ingest(folder)
    assert f"here     {folder}/first_talk.wav → {first.pk}" in out
    assert out.endswith("1 added, 1 already here, 1 no recordings, 0 refused.\n")
    assert not failed
    shutil.copy(folder / "first_talk.wav", folder / "a copy.wav")
    out, _ = ingest(folder, folder / "a copy.wav")
    assert out.endswith("0 added, 3 already here, 1 no recordings, 0 refused.\n")
    assert SourceVideo.objects.count() == 2


def test_interrupted_it_leaves_nothing_half_done_and_goes_on_when_run_again(
    folder: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "empty.mp3").unlink()
    started: list[Any] = []

    def second_is_interrupted(**fields: Any) -> Any:
        if started:
            raise KeyboardInterrupt
        started.append(fields["subject"])
        return job_start(**fields)

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "job_start", second_is_interrupted)
        _out, failed = ingest(folder)
    assert failed == "Stopped: 1 added, 0 already here, 1 no recordings, 0 refused. Run it again to go on."
    assert SourceVideo.objects.count() == 1
    assert list((data_root / "uploads").iterdir()) == []
    assert len(list((data_root / "media" / "recordings").iterdir())) == 1
    out, failed = ingest(folder)
    assert out.endswith("1 added, 1 already here, 1 no recordings, 0 refused.\n")
    assert not failed


def test_captions_beside_a_recording_are_kept_with_it(folder: Path) -> None:
    (folder / "first_talk.vtt").write_text(VTT)
    (folder / "first_talk.pt-BR.srt").write_bytes(SRT.encode("cp1252"))
    (folder / "first_talk.de.vtt").write_text("not captions")
    (folder / "other.en.vtt").write_text(VTT)
    out, _ = ingest(folder)
    source = SourceVideo.objects.get(title="first talk")
    assert [track.language for track in captions_of(source)] == ["en", "pt-BR"]
    assert captions_of(source)[0].cues()[0].text == "Hello & welcome."
    assert "first_talk.de.vtt" in next(line for line in out.splitlines() if "first_talk.wav" in line)
    assert not captions_of(SourceVideo.objects.get(title="later"))


def test_a_file_that_is_named_itself_must_be_a_recording(folder: Path) -> None:
    out, failed = ingest(folder / "notes.txt")
    assert out.startswith("refused")
    assert failed


def test_the_files_stay_where_they_are(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ingest(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"owner": "nobody"}, "no user named nobody"),
        ({"speaker": "Ben"}, "There is no speaker “Ben” (anna sees Anna)"),
        ({"language": "xx"}, "xx"),
    ],
)
def test_what_is_wrong_with_the_options_is_said_before_anything_is_taken(
    folder: Path, wrong: dict[str, str], words: str
) -> None:
    out, failed = ingest(folder, **wrong)
    assert words in failed
    assert not out
    assert not SourceVideo.objects.exists()


def test_another_persons_private_speaker_cannot_be_used(folder: Path, people: Any) -> None:
    theirs = SpeakerFactory(owner=people.ben, name="Ben")
    for given in ("Ben", str(theirs.pk)):
        _out, failed = ingest(folder, speaker=given)
        assert "There is no speaker" in failed
    assert not SourceVideo.objects.exists()


def test_a_path_that_is_not_there_is_named(folder: Path) -> None:
    assert "no file or folder" in ingest(folder / "nothing.wav")[1]

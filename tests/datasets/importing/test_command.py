"""``manage.py import_dataset``."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from datasets.choices import ImportState
from datasets.models import DatasetImport, SourceVideo
from tests.datasets.importing.given import files_below
from tests.datasets.pipeline.given import coqui
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job


def test_the_command_takes_a_folder_and_leaves_it_as_it_is(
    people: Any, speaker: Any, tmp_path: Path, data_root: Path
) -> None:
    top = coqui(
        tmp_path / "Old set",
        [{"audio_file": f"clips/{n}.wav", "text": f"Number {n}.", "speaker_name": "x"} for n in range(3)],
    )
    before = files_below(top)
    out = io.StringIO()
    call_command("import_dataset", str(top), "--owner", "anna", "--speaker", "Linda", "--approve", stdout=out)
    assert "3 clips came in as “Old set” (1 recording, 3 clips approved)." in out.getvalue()
    assert "clip 1 of 3" in out.getvalue()
    importing = DatasetImport.objects.get()
    assert (importing.state, importing.form, importing.owner) == (ImportState.READY, "coqui", people.anna)
    assert files_below(top) == before
    job = Job.objects.get()
    assert (job.state, job.sent_at) == (JobState.SUCCEEDED, None)
    assert len(files_below(data_root / "media")) == 1


def test_the_command_lists_what_is_wrong_and_takes_nothing(people: Any, speaker: Any, broken: Path) -> None:
    err = io.StringIO()
    with pytest.raises(CommandError, match="nothing was imported"):
        call_command("import_dataset", str(broken), "--owner", "anna", "--speaker", "Linda", stderr=err)
    assert "metadata.csv, row 2: The file wavs/LJ001-0002.wav is not in the dataset." in err.getvalue()
    assert not SourceVideo.objects.exists()
    assert broken.is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--owner", "nobody", "--speaker", "Linda"), "no user named “nobody”"),
        (("--owner", "ben", "--speaker", "Linda"), "ben has no speaker named “Linda”"),
        (("--owner", "anna", "--speaker", "Linda"), "no file or folder nowhere"),
    ],
)
def test_the_command_says_what_it_cannot_find(people: Any, speaker: Any, options: Any, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("import_dataset", "/nowhere", *options)
    assert not DatasetImport.objects.exists()

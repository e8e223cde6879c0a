"""Eight real clips come in with their transcripts and are trained on; the scoreboard says what that did."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from training.models import TrainingRun
from training.services import run_scoreboard

pytestmark = [pytest.mark.django_db, pytest.mark.shared_data, pytest.mark.slow]

EPOCHS = 3
SENTENCE = "The printing of books was a slow and careful craft."


@pytest.fixture
def portal(settings: Any, tmp_path: Path, tiny_bundle: Path, tiny_whisper_bundle: Path) -> None:
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    for bundle in (tiny_bundle, tiny_whisper_bundle):
        (settings.MODELS_DIR / bundle.name).symlink_to(bundle)
    settings.XTTS_BUNDLE, settings.WHISPER_BUNDLE = tiny_bundle.name, tiny_whisper_bundle.name
    settings.TRAINING_THREADS = settings.WHISPER_THREADS = 1
    settings.DEVICE, settings.SCORE_RUNS = "cpu", True


@pytest.fixture
def archive(shared_data: Path, tmp_path: Path) -> Path:
    """The clips in LJSpeech's own form."""
    path = tmp_path / "LJ.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(shared_data / "lj" / "metadata.csv", "LJ/metadata.csv")
        for clip in sorted((shared_data / "lj").glob("*.wav")):
            packed.write(clip, f"LJ/wavs/{clip.name}")
    return path


@pytest.mark.timeout(300)
def test_training_on_real_clips_lowers_the_validation_loss_and_leaves_a_scoreboard(
    portal: None, archive: Path, people: Any, api_for: Any, page_for: Any, work: Any
) -> None:
    maker = api_for(people.tom)
    consent = {"consent_kind": "licence", "consent_statement": "The recordings are in the public domain."}
    speaker = maker.post("/api/v1/speakers/", {"name": "LJ", **consent}).json()

    # In with their transcripts, which are the reader's own, so approved; frozen.
    upload = SimpleUploadedFile(archive.name, archive.read_bytes())
    form = {"file": upload, "speaker": speaker["id"], "language": "en", "approve": True}
    assert maker.post("/api/v1/dataset-imports/", form, format="multipart").status_code == 201
    assert work() == ["succeeded"]
    (dataset,) = maker.get("/api/v1/datasets/").json()["results"]
    # Two clips are held out: how alike the speaker is to themselves takes two.
    assert maker.patch(f"/api/v1/datasets/{dataset['id']}/", {"validation_share": 0.25}).status_code == 200
    version_id = maker.post(f"/api/v1/datasets/{dataset['id']}/freeze/").json()["id"]
    assert work() == ["succeeded"]
    version = maker.get(f"/api/v1/dataset-versions/{version_id}/").json()
    assert (version["clips_train"] + version["clips_validation"], version["left_out"]) == (8, [])
    assert version["clips_validation"] >= 2

    # Trained and, in a job that follows by itself, scored.
    wanted = {"name": "LJ", "version": version_id, "epochs": EPOCHS, "batch_size": 2, "learning_rate": 4e-3}
    answer = maker.post("/api/v1/training-runs/", {**wanted, "prompts": [SENTENCE], "fixed_prompts": False})
    assert answer.status_code == 201, answer.json()
    assert work() == ["succeeded", "succeeded"]
    run = maker.get(f"/api/v1/training-runs/{answer.json()['id']}/").json()
    curve = maker.get(f"/api/v1/training-runs/{run['id']}/curves/").json()["epochs"]["validation_loss"]
    assert curve[-1] < 0.9 * run["base_validation_loss"]
    assert run["best_validation_loss"] == min(curve)

    # The board: the speaker, the base model and every epoch, each with what was measured of it.
    board = maker.get(f"/api/v1/training-runs/{run['id']}/scores/").json()
    names = ["The speaker", "Base model", *(f"Epoch {epoch}" for epoch in range(1, EPOCHS + 1))]
    assert [row["title"] for row in board["rows"]] == names
    assert board["counted"] == [figure["name"] for figure in board["figures"]]
    for row in board["rows"][1:]:
        assert 0 < row["composite"] < 1
        figures = {cell["name"]: cell["value"] for cell in row["figures"]}
        assert -1 < figures["similarity"] < 1
        assert figures["character_error_rate"] >= 0
        assert row["samples"][0]["heard"] is not None
    html = " ".join(page_for(people.tom).get(f"/runs/{run['id']}/").content.decode().split())
    shown = html.split('class="table align-middle scores stacked"')[1].split("</table>")[0]
    assert re.findall(r'<th scope="row">([^<]+?) ?<', shown) == names
    # What is recommended is what the board says is best.
    best = run_scoreboard(run=TrainingRun.objects.get(pk=run["id"])).best
    assert best is not None
    assert best.contender is not None
    assert run["recommended_checkpoint"] == best.contender.key == board["best"]
    assert f"Recommended: {best.contender.label}" in html

"""A checkpoint becomes a file that Coqui's unmodified code loads and speaks with as the portal does."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import TestCase

from tests.random_bundle import stock_sizes
from tests.training.factories import CheckpointFactory, RunFactory
from training.choices import ExportState
from training.models import Checkpoint, CheckpointExport
from training.models.export import EXPORT_DAYS
from training.services import checkpoints_prune, export_create, export_delete, export_write
from training.services.exporting import exports_expire
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Callback

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stock(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    yield stock_sizes(random_bundle, folder / "stock")
    shutil.rmtree(folder)


@pytest.fixture
def checkpoint(people: Any, settings: Any, stock: Path, request: pytest.FixtureRequest) -> Checkpoint:
    """The best of a run of tom's on a model of the released sizes but for a small GPT; what it learnt is random.

    A parameter is what the spec says of the method.
    """
    import torch

    from training.engine.model import open_base
    from training.engine.spec import LoraSpec, TrainSpec
    from training.engine.trained import Trained

    settings.MODELS_DIR = stock.parent
    settings.XTTS_BUNDLE = stock.name
    run = RunFactory(owner=people.tom, name="Evening voice", bundle=stock.name)
    row: Checkpoint = CheckpointFactory(run=run, epoch=2)
    gpt = open_base(stock).load_gpt()
    torch.manual_seed(7)
    method = getattr(request, "param", {})
    spec = TrainSpec(row.folder, stock, stock, "en", lora=LoraSpec(rank=4, alpha=8), **method)
    trained = Trained(gpt, spec)
    for name, parameter in trained.parameters.items():
        change = torch.randn_like(parameter) * (0.05 if "lora_" in name else 0.01)
        parameter.data = change if "lora_" in name else parameter.data + change
    row.folder.mkdir(parents=True)
    trained.save(row.folder)
    row.bytes, row.sha256 = row.weights_path.stat().st_size, sha256_of(row.weights_path)
    row.save()
    return row


def unpacked(export: CheckpointExport, target: Path) -> Path:
    with zipfile.ZipFile(export.path) as archive:
        assert archive.testzip() is None
        archive.extractall(target)
    return target / export.name


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint", [{}, {"method": "full"}], indirect=True, ids=["lora", "full"])
def test_coqui_loads_the_download_and_speaks_the_same_codes(
    people: Any, checkpoint: Checkpoint, stock: Path, page_for: Any, work: Any, tmp_path: Path
) -> None:
    import torch
    from TTS.config import load_config
    from TTS.tts.models.xtts import Xtts

    from xttsproject.xtts.config import read_config
    from xttsproject.xtts.decode import GptDecoder, Utterance
    from xttsproject.xtts.networks import load_tokenizer
    from xttsproject.xtts.sampling import Draw
    from xttsproject.xtts.weights import apply_adapter, read_state, read_tensors

    page = page_for(people.tom)
    assert "CPML" in page.get(f"/runs/checkpoints/{checkpoint.pk}/export/").content.decode()
    page.post(f"/runs/checkpoints/{checkpoint.pk}/export/")
    assert work() == ["succeeded"]
    export = CheckpointExport.objects.get()
    assert (export.state, export.sha256) == (ExportState.READY, sha256_of(export.path))
    assert [path.name for path in export.folder.iterdir()] == ["export.zip"]

    answer = page.get(f"/runs/exports/{export.pk}/download/")
    whole = b"".join(answer.streaming_content)
    assert hashlib.sha256(whole).hexdigest() == export.sha256
    assert "evening-voice-epoch-0002-xtts.zip" in answer.headers["Content-Disposition"]
    part = page.get(f"/runs/exports/{export.pk}/download/", headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert b"".join(part.streaming_content) == whole[100:200]
    del whole

    folder = unpacked(export, tmp_path)
    assert "CPML" in (folder / "LICENCE.txt").read_text()
    coqui_config = load_config(folder / "config.json")
    coqui = Xtts.init_from_config(coqui_config)
    coqui.load_checkpoint(coqui_config, checkpoint_dir=folder, strict=True)
    config = read_config(stock)
    voice = read_tensors(stock / "speakers.safetensors")["Amber/gpt_cond_latent"]
    tokens = tuple(load_tokenizer(stock).encode("the same words from both", "en"))
    utterance = Utterance(tokens, voice, 602, 0, Draw(repetition_penalty=2.0, greedy=True))
    merged = apply_adapter(read_state(stock, "gpt"), checkpoint.folder)
    ours = GptDecoder(merged, config.gpt, torch.device("cpu")).decode([utterance])[0]
    with torch.inference_mode():
        theirs = coqui.gpt.generate(
            cond_latents=voice,
            text_inputs=torch.tensor([tokens]),
            do_sample=False,
            num_beams=1,
            repetition_penalty=2.0,
        )
    assert len(ours.codes) > 10
    assert list(ours.codes) == theirs[0].tolist()
    shutil.rmtree(folder)
    # Asking again makes nothing anew.
    page.post(f"/runs/checkpoints/{checkpoint.pk}/export/")
    assert work() == []


def test_a_cancel_and_a_death_leave_nothing_and_it_can_be_done_again(people: Any, checkpoint: Checkpoint) -> None:
    export = export_create(checkpoint=checkpoint, user=people.tom)
    with pytest.raises(Cancelled):
        export_write(export=export, progress=Callback(should_stop=lambda: True))
    assert list(export.folder.iterdir()) == []
    # What a killed worker leaves: half a merge and half a zip.
    (export.folder / ".merged-x").mkdir()
    (export.folder / ".export-x.zip").write_bytes(b"half")
    said: list[float] = []
    export_write(export=export, progress=Callback(lambda share, _: said.append(share)))
    assert [path.name for path in export.folder.iterdir()] == ["export.zip"]
    assert said == sorted(said)
    assert CheckpointExport.objects.get().is_ready
    # The export goes with its checkpoint.
    run = checkpoint.run
    run.spec["keep_best"] = 1
    CheckpointFactory(run=run, epoch=3, validation_loss=1.0)
    checkpoints_prune(run=run)
    assert not CheckpointExport.objects.exists()


def test_a_full_disk_is_told_before_anything_is_written(
    people: Any, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, work: Any
) -> None:
    monkeypatch.setattr("xttsproject.lib.disk.free_bytes", lambda path: 1_000_000)
    export = export_create(checkpoint=checkpoint, user=people.tom)
    assert work() == ["failed"]
    export.refresh_from_db()
    job = Job.objects.get()
    assert (export.state, export.error_code, job.error_code) == (ExportState.FAILED, "disk_full", "disk_full")
    assert "1.0 MB (1000000 bytes) left" in export.error
    assert not export.path.exists()


def test_a_model_that_coqui_cannot_build_is_refused_in_a_sentence(tiny: Path, people: Any) -> None:
    checkpoint = CheckpointFactory(run=RunFactory(owner=people.tom, bundle=tiny.name))
    with pytest.raises(DomainError) as caught:
        export_create(checkpoint=checkpoint, user=people.tom)
    assert caught.value.code == "export_unsuitable"
    assert "decoder" in caught.value.message
    assert not CheckpointExport.objects.exists()


def test_a_page_says_before_the_button_is_pressed_that_a_model_cannot_be_exported(
    people: Any, checkpoint: Checkpoint, page_for: Any
) -> None:
    page = page_for(people.tom)
    answer = page.get(f"/runs/checkpoints/{checkpoint.pk}/export/")
    assert answer.context["problem"] == ""
    assert 'type="submit">Merge and export' in answer.content.decode()
    run = checkpoint.run
    run.bundle = "gone"
    run.save()
    html = page.get(f"/runs/checkpoints/{checkpoint.pk}/export/").content.decode()
    assert 'type="submit" disabled aria-describedby="export-problem">Merge and export' in html
    assert "“gone”" in html.partition('id="export-problem">')[2].partition("</p>")[0]


def test_the_shipped_tiny_model_has_a_button_that_cannot_be_pressed(tiny: Path, people: Any, page_for: Any) -> None:
    checkpoint = CheckpointFactory(run=RunFactory(owner=people.tom, bundle=tiny.name))
    html = page_for(people.tom).get(f"/runs/checkpoints/{checkpoint.pk}/export/").content.decode()
    assert 'type="submit" disabled aria-describedby="export-problem">Merge and export' in html
    assert "cannot be exported for Coqui" in html


def test_only_who_may_change_the_run_exports_and_strangers_see_nothing(
    people: Any, checkpoint: Checkpoint, page_for: Any, api_for: Any
) -> None:
    paths = (f"/runs/checkpoints/{checkpoint.pk}/export/", f"/api/v1/checkpoints/{checkpoint.pk}/export/")
    for path, client in zip(paths, (page_for(people.anna), api_for(people.anna)), strict=True):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404
    checkpoint.run.visibility = "team"
    checkpoint.run.save()
    for path, client in zip(paths, (page_for(people.anna), api_for(people.anna)), strict=True):
        assert client.post(path).status_code == 403
    assert page_for(people.anna).get(paths[0]).status_code == 200
    assert not CheckpointExport.objects.exists()

    api = api_for(people.tom)
    asked = api.post(paths[1])
    assert (asked.status_code, asked.json()["state"], asked.json()["download"]) == (202, "waiting", None)
    assert asked.json()["job"] == str(Job.objects.get().pk)
    export = CheckpointExport.objects.get()
    assert page_for(people.ben).get(f"/runs/exports/{export.pk}/download/").status_code == 404
    assert api.get(f"/api/v1/checkpoints/{checkpoint.pk}/exported/").status_code == 404
    assert api.delete(paths[1]).status_code == 204
    assert not CheckpointExport.objects.exists()


def test_the_admin_starts_exports(people: Any, checkpoint: Checkpoint, page_for: Any) -> None:
    body = {"action": "merge_and_export", "_selected_action": [str(checkpoint.pk)]}
    page = page_for(people.tom)
    page.post("/admin/training/checkpoint/", body)
    export = CheckpointExport.objects.get()
    assert export.made_by == people.tom
    assert "Evening voice" in page.get("/admin/training/checkpointexport/").content.decode()
    export_delete(export=export)
    assert Job.objects.get().state == "cancelled"


def test_a_packed_file_goes_after_two_weeks_and_can_be_made_again(people: Any, page_for: Any) -> None:
    checkpoint = CheckpointFactory(run=RunFactory(owner=people.tom))
    export = CheckpointExport.objects.create(checkpoint=checkpoint, made_by=people.tom, state=ExportState.READY)
    export.folder.mkdir(parents=True)
    export.path.write_bytes(b"PK")
    assert exports_expire() == 0
    page = page_for(people.tom)
    assert "Kept until" in page.get(f"/runs/checkpoints/{checkpoint.pk}/export/").content.decode()
    fortnight = time.time() - EXPORT_DAYS * 24 * 3600
    os.utime(export.path, (fortnight + 60, fortnight + 60))
    assert exports_expire() == 0
    os.utime(export.path, (fortnight - 60, fortnight - 60))
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert exports_expire() == 1
    assert not export.folder.exists()
    assert not CheckpointExport.objects.exists()
    assert "Merge and export" in page.get(f"/runs/checkpoints/{checkpoint.pk}/export/").content.decode()

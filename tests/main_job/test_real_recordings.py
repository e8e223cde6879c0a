"""Eight real clips of one reader go the whole way, through the API and the code that the workers run."""

import csv
import io
import wave

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from training.models import Checkpoint, TrainingRun

pytestmark = [pytest.mark.django_db, pytest.mark.shared_data, pytest.mark.slow]

SENTENCE = "The printing of books was a slow and careful craft."


@pytest.fixture
def portal(settings, tmp_path, tiny_bundle, tiny_whisper_bundle):
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    for bundle in (tiny_bundle, tiny_whisper_bundle):
        (settings.MODELS_DIR / bundle.name).symlink_to(bundle)
    settings.XTTS_BUNDLE, settings.WHISPER_BUNDLE = tiny_bundle.name, tiny_whisper_bundle.name
    settings.TRAINING_THREADS = 1


def transcripts(shared_data):
    with open(shared_data / "lj" / "metadata.csv", encoding="utf-8", newline="") as handle:
        return {row[0]: row[2] for row in csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE)}


def share_out(text, segments):
    """The transcript's words over a clip's segments, by their length: what a person would type, near enough."""
    words, total = text.split(), sum(segment["seconds"] for segment in segments)
    texts, taken, done = [], 0, 0.0
    for segment in segments:
        done += segment["seconds"] / total
        upto = round(done * len(words))
        texts.append(" ".join(words[taken:upto]))
        taken = upto
    return texts


def test_real_clips_become_a_voice_that_speaks(portal, shared_data, people, api_for, work):
    maker, reviewer = api_for(people.tom), api_for(people.cora)

    # 1 and 2: uploaded, decoded, cut.
    consent = {"consent_kind": "licence", "consent_statement": "The recordings are in the public domain."}
    speaker = maker.post("/api/v1/speakers/", {"name": "LJ", "visibility": "team", **consent}).json()
    spoken = transcripts(shared_data)
    for name in spoken:
        upload = SimpleUploadedFile(f"{name}.wav", (shared_data / "lj" / f"{name}.wav").read_bytes())
        form = {"file": upload, "speaker": speaker["id"], "language": "en", "title": name, "visibility": "team"}
        assert maker.post("/api/v1/recordings/", form, format="multipart").status_code == 201
    states = work()
    assert set(states) == {"succeeded"}

    # 3: transcribed, with word times inside the clip.
    recordings = maker.get("/api/v1/recordings/").json()["results"]
    assert {recording["state"] for recording in recordings} == {"ready"}
    for recording in recordings:
        segments = reviewer.get("/api/v1/segments/", {"source": recording["id"]}).json()["results"]
        assert segments
        for segment in segments:
            assert segment["transcribed_at"]
            assert all(0 <= word["start"] <= word["end"] <= segment["seconds"] + 0.05 for word in segment["words"])
        # What is kept of a clip is nearly all of it: these recordings are speech from end to end.
        assert sum(segment["seconds"] for segment in segments) >= 0.85 * recording["seconds"]
        # 4: corrected and approved, by another person than the owner.
        for segment, text in zip(segments, share_out(spoken[recording["title"]], segments), strict=True):
            change = {"text": text, "status": "approved"}
            answer = reviewer.patch(f"/api/v1/segments/{segment['id']}/", change)
            assert answer.status_code == 200, answer.json()

    # 5: frozen; no recording is on both sides.
    choice = {"name": "LJ", "speaker": speaker["id"], "language": "en", "sources": [row["id"] for row in recordings]}
    dataset = maker.post("/api/v1/datasets/", {**choice, "validation_share": 0.2}).json()
    version_id = maker.post(f"/api/v1/datasets/{dataset['id']}/freeze/").json()["id"]
    assert work() == ["succeeded"]
    version = maker.get(f"/api/v1/dataset-versions/{version_id}/").json()
    assert version["left_out"] == []
    assert version["clips_train"] >= 5
    assert version["clips_validation"] >= 1
    assert len(version["content_hash"]) == 64

    # 6: fine-tuned.
    wanted = {"name": "LJ", "version": version_id, "epochs": 2, "batch_size": 4, "learning_rate": 2e-3}
    run = maker.post("/api/v1/training-runs/", {**wanted, "prompts": [SENTENCE]}).json()
    assert work() == ["succeeded"]
    run = maker.get(f"/api/v1/training-runs/{run['id']}/").json()
    assert run["state"] == "succeeded", run["error"]
    assert run["best_validation_loss"] < run["base_validation_loss"]

    # 7: what training wrote is what is listed.
    checkpoints = maker.get("/api/v1/checkpoints/", {"run": run["id"]}).json()["results"]
    assert [row["epoch"] for row in checkpoints] == [1, 2]
    folder = TrainingRun.objects.get(pk=run["id"]).folder
    assert sorted(row["path"] for row in checkpoints) == sorted(
        str(path.relative_to(folder)) for path in (folder / "checkpoints").iterdir()
    )
    sounds = [maker.get(row["samples"][0]["audio"]) for row in checkpoints]
    sounds.append(maker.get(run["base_samples"][0]["audio"]))
    samples = [wav_of(b"".join(answer.streaming_content)) for answer in sounds]
    assert {rate for rate, _sound in samples} == {24_000}
    assert not np.array_equal(samples[1][1], samples[2][1]), "a checkpoint's sample must not be the base model's"

    # 8: a voice of the best checkpoint; its latents are computed once.
    best = next(row for row in checkpoints if row["is_best"])
    made = maker.post("/api/v1/voices/", {"name": "LJ's voice", "checkpoint": best["id"]})
    assert made.status_code == 201, made.json()
    assert work() == ["succeeded"]
    voice = maker.get(f"/api/v1/voices/{made.json()['id']}/").json()
    assert voice["state"] == "ready", voice["error"]
    assert Checkpoint.objects.get(pk=best["id"]).voices.get().conditioning_path.is_file()

    # 9: it speaks.
    wanted = {"model": "xtts", "voice": voice["id"], "input": SENTENCE, "seed": 3, "response_format": "wav"}
    wanted["stream"] = False
    answer = maker.post("/v1/audio/speech", wanted)
    assert answer.status_code == 200, answer.content
    rate, sound = wav_of(answer.content)
    assert rate == 24_000
    assert len(sound) > rate * 0.5
    assert 0.003 < np.sqrt(np.mean(sound**2)) < 0.7
    # The voice speaks as the sample did by which its checkpoint was chosen, up to rounding: the sample was spoken in a
    # batch with others, and training and speech may compute with other numbers of threads.
    sample = best["samples"][0]
    heard = b"".join(maker.get(sample["audio"]).streaming_content)
    repeated = maker.post("/v1/audio/speech", {**wanted, "seed": sample["seed"], "guard": "off"}).content
    np.testing.assert_allclose(wav_of(repeated)[1], wav_of(heard)[1], rtol=0, atol=1e-3)
    twice = [maker.post("/v1/audio/speech", {**wanted, "guard": "off"}).content for _ in range(2)]
    assert twice[0] == twice[1], "one seed, one sound"


def wav_of(data):
    with wave.open(io.BytesIO(data)) as handle:
        pcm = np.frombuffer(handle.readframes(handle.getnframes()), dtype="<i2")
        return handle.getframerate(), pcm.astype(np.float64) / 32768

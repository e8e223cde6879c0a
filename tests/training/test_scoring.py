"""Scoring a run: what is measured, what is not measured twice, and what page, admin and API tell of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.engine.material import voice
from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory, frozen_version
from training.choices import RunState, Scored
from training.models import Checkpoint, EpochSample, Scorecard, TrainingRun
from training.services import run_delete, run_score, run_scoreboard, scoring_follow, scoring_start
from training.services.scoreboard import BASE_NOT_BEATEN
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.models import Job
from xttsproject.lib.audio import write_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent

pytestmark = pytest.mark.django_db

TEXT = "The morning train was late again."


@pytest.fixture(autouse=True)
def quiet_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's database lives in one transaction, to which the heartbeat's thread cannot write."""
    monkeypatch.setattr("xttsproject.jobs.context.BEAT_SECONDS", 3600)


@pytest.fixture
def models(settings: Any, tmp_path: Path, tiny_bundle: Path, random_whisper_bundle: Path) -> Path:
    """The tiny XTTS model, and a Whisper model that writes letters of any sound."""
    for bundle in (tiny_bundle, random_whisper_bundle):
        (tmp_path / bundle.name).symlink_to(bundle)
    settings.MODELS_DIR = tmp_path
    settings.XTTS_BUNDLE, settings.WHISPER_BUNDLE = tiny_bundle.name, random_whisper_bundle.name
    settings.DEVICE = "cpu"
    settings.WHISPER_THREADS, settings.WHISPER_BEAM_SIZE = 1, 1
    return tmp_path


@pytest.fixture
def run(people: Any) -> TrainingRun:
    """A finished run of tom's: base model and two epochs with a sample each, of a version with held-out clips."""
    version = frozen_version(people.tom, clips=6)
    run = RunFactory(owner=people.tom, name="Evening", version=version, base_validation_loss=6.0)
    for epoch in range(3):
        checkpoint = CheckpointFactory(run=run, epoch=epoch) if epoch else None
        speak(run, checkpoint, epoch)
    return run


def speak(
    run: TrainingRun, checkpoint: Checkpoint | None, epoch: int, seconds: float = 1.5, folder: str = ""
) -> EpochSample:
    folder = folder or (f"epoch-{epoch:04d}" if epoch else "base")
    sample: EpochSample = SampleFactory(
        run=run, checkpoint=checkpoint, epoch=epoch, text=TEXT, path=f"samples/{folder}/prompt-0.wav"
    )
    sample.audio_path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(sample.audio_path, voice(seconds, pitch=120 + 30 * epoch, seed=epoch, rate=24_000))
    return sample


def card(run: TrainingRun, epoch: int, subject: Scored = Scored.CHECKPOINT) -> Scorecard:
    return run.scorecards.get(epoch=epoch, subject=subject)


# --- measuring ----------------------------------------------------------------------------------------------------


def test_every_checkpoint_the_base_model_and_the_speaker_get_a_card(
    models: Path, run: TrainingRun, work: Callable[[], list[str]]
) -> None:
    job = scoring_start(run=run, user=run.owner)
    assert (job.queue, job.subject_id) == ("gpu", str(run.pk))
    assert work() == ["succeeded"], Job.objects.get().error
    assert set(run.scorecards.values_list("subject", "epoch")) == {
        ("speaker", 0), ("base", 0), ("checkpoint", 1), ("checkpoint", 2)
    }  # fmt: skip
    own = card(run, 0, Scored.SPEAKER)
    assert own.facts["clips"] == run.version.clips_validation
    for each in run.scorecards.exclude(subject=Scored.SPEAKER):
        assert 0 <= (each.composite or -1) <= 1
        figures = each.figures
        assert figures["seconds_per_character"] == pytest.approx(1.5 / 27, abs=1e-4)
        assert figures["character_error_rate"] is not None
        assert [sample["prompt"] for sample in each.samples] == [0]
        assert "heard" in each.samples[0]
    job.refresh_from_db()
    assert (job.result["scored"], job.result["spoken"]) == (3, 0)
    # Six clips of one recording are cut so that one is held out.
    assert "One held-out clip" in job.result["notice"]


def test_only_what_is_missing_or_has_changed_is_measured(models: Path, run: TrainingRun) -> None:
    assert run_score(run=run, progress=Silent()).scored == 3
    before = {each.pk: each.measured_at for each in run.scorecards.all()}
    assert run_score(run=run, progress=Silent()).scored == 0
    assert {each.pk: each.measured_at for each in run.scorecards.all()} == before
    # Another sound of the same epoch, and a new epoch.
    sample = EpochSample.objects.get(run=run, epoch=1)
    write_wav(sample.audio_path, voice(3.0, rate=24_000))
    speak(run, CheckpointFactory(run=run, epoch=3), 3)
    assert run_score(run=run, progress=Silent()).scored == 2
    changed = {each.pk for each in run.scorecards.all() if before.get(each.pk) != each.measured_at}
    assert changed == {card(run, 1).pk, card(run, 3).pk}
    assert card(run, 1).figures["seconds_per_character"] == pytest.approx(3 / 27, abs=1e-4)


def test_an_average_is_scored_like_the_others(models: Path, run: TrainingRun) -> None:
    made = CheckpointFactory(
        run=run, kind="average", averaged=[1, 2], epoch=2, path="checkpoints/average-0001-0002", validation_loss=4.5
    )
    sample = speak(run, made, 2, folder="average-0001-0002")
    assert run_score(run=run, progress=Silent()).scored == 4
    board = run_scoreboard(run=run)
    assert [row.name for row in board.rows] == [
        "The speaker", "Base model", "Epoch 1", "Epoch 2", "Average of epochs 1, 2"
    ]  # fmt: skip
    assert board.unscored == 0
    # Of another sound it gets another card, and its last epoch keeps its own.
    before = run.scorecards.get(checkpoint__kind="epoch", epoch=2).measured_at
    write_wav(sample.audio_path, voice(3.0, rate=24_000))
    assert run_score(run=run, progress=Silent()).scored == 1
    assert run.scorecards.get(checkpoint=made).figures["seconds_per_character"] == pytest.approx(3 / 27, abs=1e-4)
    assert run.scorecards.get(checkpoint__kind="epoch", epoch=2).measured_at == before


def test_a_cancelled_scoring_keeps_its_cards_and_goes_on(models: Path, run: TrainingRun) -> None:
    with pytest.raises(Cancelled):
        run_score(run=run, progress=Callback(should_stop=lambda: run.scorecards.filter(epoch=1).exists()))
    assert set(run.scorecards.values_list("subject", "epoch")) == {("speaker", 0), ("base", 0), ("checkpoint", 1)}
    assert run_score(run=run, progress=Silent()).scored == 1


def test_without_a_transcription_model_the_rest_is_told(models: Path, run: TrainingRun, settings: Any) -> None:
    settings.WHISPER_BUNDLE = "not-there"
    found = run_score(run=run, progress=Silent())
    assert "character errors are not measured" in found.notice
    assert card(run, 1).figures["character_error_rate"] is None
    assert card(run, 1).composite is not None
    board = run_scoreboard(run=run)
    assert "character_error_rate" not in [figure.name for figure in board.counted]
    assert any("character errors are not measured" in remark for remark in board.remarks)
    # Installed later, it is asked.
    settings.WHISPER_BUNDLE = "tiny-whisper"
    assert run_score(run=run, progress=Silent()).scored == 3
    assert card(run, 1).figures["character_error_rate"] is not None


def test_a_version_without_held_out_clips_has_no_voice_to_compare_with(models: Path, people: Any) -> None:
    run = RunFactory(owner=people.tom, version=frozen_version(people.tom, clips=1))
    speak(run, CheckpointFactory(run=run, epoch=1), 1)
    assert "no validation clips" in run_score(run=run, progress=Silent()).notice
    assert card(run, 1).figures["similarity"] is None
    assert [figure.name for figure in run_scoreboard(run=run).counted] == [
        "character_error_rate",
        "seconds_per_character",
        "babble_rate",
    ]


def test_checkpoints_without_a_sample_or_with_a_lost_one_are_left_out(models: Path, run: TrainingRun) -> None:
    CheckpointFactory(run=run, epoch=7)
    EpochSample.objects.get(run=run, epoch=2).audio_path.unlink()
    assert run_score(run=run, progress=Silent()).scored == 2
    assert not run.scorecards.filter(epoch__in=(2, 7)).exists()
    assert run_scoreboard(run=run).unscored == 2


def test_what_this_device_cannot_speak_stays_missing_and_the_rest_is_scored(
    models: Path, run: TrainingRun, monkeypatch: pytest.MonkeyPatch, page_for: Any, work: Callable[[], list[str]]
) -> None:
    """The run was made where int8 could be spoken; its scoring comes to a machine that cannot."""
    run.spec |= {
        "language": "en",
        "speech_precision": "int8",
        "sample_prompts": [{"text": TEXT, "language": "en", "seed": 1}],
    }
    run.save()
    monkeypatch.setattr("xttsproject.xtts.projections._engines", lambda: ["none"])
    scoring_start(run=run, user=run.owner)
    assert work() == ["succeeded"], Job.objects.get().error
    assert "cannot be spoken" not in Job.objects.get().result["notice"]
    # One's sound is lost, and there it cannot be spoken again.
    lost = EpochSample.objects.get(run=run, epoch=2).audio_path
    sound = lost.read_bytes()
    lost.unlink()
    run.scorecards.exclude(subject=Scored.SPEAKER).delete()
    found = run_score(run=run, progress=Silent())
    assert (found.scored, found.spoken) == (2, 0)
    assert not run.scorecards.filter(epoch=2).exists()
    said = "Samples are missing and cannot be spoken here (epoch 2). This run speaks its samples in int8"
    assert said in found.notice
    assert said in page_for(run.owner).get(f"/runs/{run.pk}/").content.decode()
    # There again, nothing is missing any more, and nothing is said.
    lost.write_bytes(sound)
    assert run_score(run=run, progress=Silent()).scored == 1
    assert said not in page_for(run.owner).get(f"/runs/{run.pk}/").content.decode()
    # Where nothing was ever spoken there is nothing to score.
    for sample in EpochSample.objects.filter(run=run):
        sample.audio_path.unlink()
    with pytest.raises(DomainError, match="base model, epoch 1, epoch 2") as caught:
        run_score(run=run, progress=Silent())
    assert caught.value.code == "precision_unsupported"


def test_a_broken_sample_is_named(models: Path, run: TrainingRun, work: Callable[[], list[str]]) -> None:
    EpochSample.objects.get(run=run, epoch=2).audio_path.write_bytes(b"RIFF")
    scoring_start(run=run, user=run.owner)
    assert work() == ["failed"]
    job = Job.objects.get()
    assert (job.error_code, "epoch-0002" in job.error) == ("clip_unreadable", True)
    assert card(run, 1)


def test_a_run_that_is_deleted_takes_its_scoring_along(models: Path, run: TrainingRun, people: Any) -> None:
    job = scoring_start(run=run, user=run.owner)
    held = TrainingRun.objects.get(pk=run.pk)
    run_delete(run=run, user=people.tom)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    with pytest.raises(DomainError):
        run_score(run=held, progress=Silent())
    assert not Scorecard.objects.exists()


# --- when ---------------------------------------------------------------------------------------------------------


def test_a_run_is_scored_when_it_has_finished_unless_that_is_switched_off(run: TrainingRun, settings: Any) -> None:
    assert scoring_follow(run=run) is None
    settings.SCORE_RUNS = True
    job = scoring_follow(run=run)
    assert job is not None
    assert (job.kind, job.owner) == ("training.score", run.owner)
    # A training job that is delivered again asks for no second scoring.
    assert scoring_follow(run=run) == job


def test_there_must_be_something_to_score(people: Any) -> None:
    with pytest.raises(DomainError) as caught:
        scoring_start(run=RunFactory(owner=people.tom), user=people.tom)
    assert caught.value.code == "nothing_to_score"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_trained_run_is_scored_and_missing_samples_are_spoken(
    models: Path, people: Any, work: Callable[[], list[str]], settings: Any
) -> None:
    from training.services import RunValues, run_create

    settings.SCORE_RUNS, settings.TRAINING_THREADS = True, 1
    values = RunValues(epochs=2, batch_size=3, learning_rate=2e-3, prompts=("A short line.",), fixed_prompts=False)
    run = run_create(owner=people.tom, version=frozen_version(people.tom), name="Whole", values=values)
    assert work() == ["succeeded", "succeeded"]
    assert run.scorecards.count() == 4
    run.refresh_from_db()
    # One is lost: it is spoken again by its checkpoint, to the same sound, and measured as it was.
    sample = run.samples.get(epoch=2)
    sound, key = sample.audio_path.read_bytes(), card(run, 2).key
    sample.audio_path.unlink()
    assert run_score(run=run, progress=Silent()).spoken == 1
    assert sample.audio_path.read_bytes() == sound
    assert card(run, 2).key == key
    # What was never spoken at all, as of a checkpoint that was put there later.
    run.samples.filter(epoch=0).delete()
    assert run_score(run=run, progress=Silent()).spoken == 1
    assert run.samples.get(epoch=0).checkpoint is None


# --- the scoreboard -----------------------------------------------------------------------------------------------


def with_card(
    run: TrainingRun, epoch: int, error_rate: float, loss: float | None = None, similarity: float = 0.8
) -> None:
    checkpoint = CheckpointFactory(run=run, epoch=epoch, validation_loss=loss) if epoch else None
    Scorecard.objects.create(
        run=run,
        subject=Scored.CHECKPOINT if epoch else Scored.BASE,
        checkpoint=checkpoint,
        epoch=epoch,
        figures={"similarity": 0.8, "character_error_rate": error_rate},
        key="k",
    )


def with_speaker(run: TrainingRun) -> None:
    Scorecard.objects.create(run=run, subject=Scored.SPEAKER, figures={"similarity": 0.9}, key="k")


def test_the_best_is_named_with_its_reasons(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    with_speaker(run)
    for epoch, rate in ((0, 0.5), (1, 0.3), (2, 0.1), (3, 0.2)):
        with_card(run, epoch, rate, loss=5.0 - (3 if epoch == 2 else 0))
    board = run_scoreboard(run=run)
    assert board.best is not None
    assert board.best.name == "Epoch 2"
    assert board.best.composite == pytest.approx((0.8 + 0.9) / 2)
    assert board.remarks == ("Epoch 2 has the best score, 0.85 of 1, by similarity, character errors.",)
    assert board.doubtful is None
    assert [row.name for row in board.rows] == ["The speaker", "Base model", "Epoch 1", "Epoch 2", "Epoch 3"]


def test_it_is_said_when_loss_and_score_disagree(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    with_speaker(run)
    with_card(run, 0, 0.1)
    with_card(run, 1, 0.2, loss=4.5)
    with_card(run, 2, 0.6, loss=4.0)
    board = run_scoreboard(run=run)
    assert board.doubtful is not None
    assert [each.label for each in board.doubtful] == ["epoch 1", "epoch 2"]
    assert "Score and loss disagree: epoch 2 has the lowest validation loss, 4.000, but a score of 0.60." in " ".join(
        board.remarks
    )
    assert BASE_NOT_BEATEN in board.remarks


def test_nothing_measured_is_an_empty_board(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    CheckpointFactory(run=run, epoch=1)
    board = run_scoreboard(run=run)
    assert (board.rows, board.best, board.remarks, board.unscored) == ((), None, (), 1)


# --- page, admin, API ---------------------------------------------------------------------------------------------


@pytest.fixture
def scored(people: Any) -> TrainingRun:
    run = RunFactory(owner=people.tom, name="Evening", visibility="team")
    with_speaker(run)
    with_card(run, 0, 0.5)
    with_card(run, 1, 0.2, loss=4.5)
    with_card(run, 2, 0.6, loss=4.0)
    SampleFactory(checkpoint=Checkpoint.objects.get(run=run, epoch=1))
    return run


def test_the_page_shows_the_board_and_its_button(people: Any, scored: TrainingRun, page_for: Any) -> None:
    page = page_for(people.tom)
    html = page.get(f"/runs/{scored.pk}/").content.decode()
    first, second = scored.checkpoints.in_order()
    doubt = f"?among={first.pk}&amp;among={second.pk}"
    for word in ("best score", "Score and loss disagree", doubt, "Character errors", "0.20"):
        assert word in html
    assert page.post(f"/runs/{scored.pk}/score/").headers["Location"] == f"/runs/{scored.pk}/#scores"
    assert Job.objects.get().kind == "training.score"
    html = page.get(f"/runs/{scored.pk}/").content.decode()
    assert "Score the checkpoints of" in html
    assert f'action="/runs/{scored.pk}/score/"' not in html
    page.post(f"/runs/{scored.pk}/score/")
    assert Job.objects.count() == 1


def test_the_button_says_what_it_would_do(people: Any, scored: TrainingRun, page_for: Any) -> None:
    page = page_for(people.tom)
    assert "Score anew what has changed" in page.get(f"/runs/{scored.pk}/").content.decode()
    CheckpointFactory(run=scored, epoch=3)
    assert "Score what is missing" in page.get(f"/runs/{scored.pk}/").content.decode()
    scored.scorecards.all().delete()
    assert "Score the checkpoints" in page.get(f"/runs/{scored.pk}/").content.decode()


def test_those_who_may_only_look_start_nothing(people: Any, scored: TrainingRun, page_for: Any, api_for: Any) -> None:
    page = page_for(people.anna)
    assert "best score" in page.get(f"/runs/{scored.pk}/").content.decode()
    assert f'action="/runs/{scored.pk}/score/"' not in page.get(f"/runs/{scored.pk}/").content.decode()
    assert page.post(f"/runs/{scored.pk}/score/").status_code == 403
    assert api_for(people.anna).post(f"/api/v1/training-runs/{scored.pk}/score/").status_code == 403
    TrainingRun.objects.update(visibility="private")
    assert page.post(f"/runs/{scored.pk}/score/").status_code == 404
    assert api_for(people.anna).get(f"/api/v1/training-runs/{scored.pk}/scores/").status_code == 404
    assert not Job.objects.exists()


def test_a_job_is_not_tried_again_by_whom_the_run_no_longer_belongs_to(
    people: Any, scored: TrainingRun, api_for: Any
) -> None:
    TrainingRun.objects.update(owner=people.root)
    job = scoring_start(run=scored, user=people.anna)
    api = api_for(people.anna)
    assert api.post(f"/api/v1/jobs/{job.pk}/cancel/").status_code == 200
    assert api.post(f"/api/v1/jobs/{job.pk}/retry/").status_code == 403


def test_the_scores_over_the_api(people: Any, scored: TrainingRun, api_for: Any) -> None:
    api = api_for(people.tom)
    told = api.get(f"/api/v1/training-runs/{scored.pk}/scores/").json()
    first, second = scored.checkpoints.in_order()
    assert told["best"] == first.pk
    assert [each["checkpoint"] for each in told["disagreement"]] == [first.pk, second.pk]
    assert told["counted"] == ["similarity", "character_error_rate"]
    row = next(row for row in told["rows"] if row["epoch"] == 2)
    assert (row["subject"], row["title"]) == ("checkpoint", "Epoch 2")
    assert {cell["name"]: cell["value"] for cell in row["figures"]}["character_error_rate"] == 0.6
    assert {figure["name"]: figure["direction"] for figure in told["figures"]}["similarity"] == "higher"
    answer = api.post(f"/api/v1/training-runs/{scored.pk}/score/")
    assert (answer.status_code, answer.json()["kind"]) == (202, "training.score")
    empty = RunFactory(owner=people.tom)
    refused = api.post(f"/api/v1/training-runs/{empty.pk}/score/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing_to_score")


def test_the_admin_lists_the_scores(people: Any, scored: TrainingRun, page_for: Any) -> None:
    hidden = RunFactory(owner=people.ben, name="Secret")
    with_card(hidden, 1, 0.2)
    html = page_for(people.tom).get("/admin/training/scorecard/").content.decode()
    assert "character errors 0.600" in html
    assert "Secret" not in html


def test_the_worker_scores_by_the_registered_task(models: Path, run: TrainingRun) -> None:
    from training.tasks import score

    job = scoring_start(run=run, user=run.owner)
    assert job.claim()
    done = score(JobContext(job))
    assert done is not None
    assert done["scored"] == 3
    assert run.state == RunState.SUCCEEDED

"""A run that stops on the score measures its samples as they are spoken, and never twice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.pipeline.transcribe import Listening
from tests.training.engine.conftest import Finished, SpecMaker, execute
from training.engine.figures import judge
from training.engine.scoring import Scorer, Utterance
from training.engine.spec import TrainSpec
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent
from xttsproject.xtts.likeness import SpeakerEar

ON_SCORE = {"early_stopping_on": "score", "early_stopping_patience": 1, "early_stopping_min_delta": 1.0}


@pytest.fixture(scope="module")
def stopped(make_spec: SpecMaker, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """No epoch can be better by all there is: it ends with the second."""
    return execute(make_spec(tmp_path_factory.mktemp("runs") / "stopped", **ON_SCORE))


def test_every_epoch_and_the_base_model_are_measured_and_the_run_ends(stopped: Finished) -> None:
    scores = stopped.of("score")
    assert [score["epoch"] for score in scores] == [0, 1, 2]
    (end,) = stopped.of("finished")
    assert end["stopped_early_at"] == 2
    kinds = [event.kind for event in stopped.events if event.kind not in ("features", "step", "usage")]
    assert kinds == ["started", "sample", "score", *["epoch", "checkpoint", "sample", "score"] * 2, "finished"]
    assert all(0 < score["score"] < 1 for score in scores)


def test_they_are_the_figures_of_the_scoring_of_a_finished_run(stopped: Finished, dataset_dir: Path) -> None:
    spec, told = stopped.spec, stopped.of("score")[-1]
    scorer = Scorer(SpeakerEar.load(spec.bundle), None, Listening(), "en")
    held_out = [
        Utterance(dataset_dir / "clips" / f"{number:03d}.wav", text)
        for number, text in ((9, "Nobody knew where the road would end."), (10, "She closed the door behind her."))
    ]
    speaker = scorer.speaker(held_out, told["own"]["seconds_per_character"], Silent())
    spoken = [Utterance(spec.run_dir / stopped.of("sample")[-1]["path"], spec.sample_prompts[0].text)]
    assert dict(scorer.samples(spoken, speaker, Silent()).figures) == told["figures"]
    assert dict(speaker.figures) == told["own"]
    assert told["figures"]["similarity"] is not None
    assert told["figures"]["character_error_rate"] is None
    assert judge({0: told["figures"]}, speaker.figures)[0].composite == told["score"]


def test_what_was_measured_is_not_measured_again_when_the_run_goes_on(stopped: Finished, tmp_path: Path) -> None:
    shutil.copytree(stopped.spec.run_dir, tmp_path / "again")
    spec = replace(stopped.spec, run_dir=tmp_path / "again")
    again = execute(spec)
    assert [event.kind for event in again.events if event.kind not in ("features", "usage")] == ["started", "finished"]
    assert again.of("finished") == stopped.of("finished")
    # With more patience it goes on, by what it measured before and now.
    patient = execute(replace(spec, early_stopping_patience=2))
    assert [score["epoch"] for score in patient.of("score")] == [3]
    assert patient.of("finished")[0]["stopped_early_at"] == 3


def test_a_score_needs_something_to_measure(make_spec: SpecMaker, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        make_spec(tmp_path, sample_prompts=(), **ON_SCORE)
    assert (caught.value.code, caught.value.field) == ("spec_invalid", "early_stopping_on")
    with pytest.raises(DomainError, match="must be one of loss, score, got 'ears'"):
        make_spec(tmp_path, early_stopping_on="ears")
    # Without patience nothing is watched, so nothing is missing.
    assert not make_spec(tmp_path, sample_prompts=(), early_stopping_on="score").stops_on_score


def test_the_choice_survives_its_file(make_spec: SpecMaker, tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "run", **ON_SCORE)
    assert TrainSpec.from_dict(spec.to_dict()) == spec

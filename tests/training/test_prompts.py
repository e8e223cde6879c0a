"""The sentences that every run of a language speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory, frozen_version
from training.prompts import FIXED_PROMPTS, prompt_kind, prompts_for
from training.services import RunValues, run_create
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.normaliser import normalise


def test_every_language_of_the_model_has_its_four() -> None:
    assert FIXED_PROMPTS.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("language", sorted(FIXED_PROMPTS))
def test_they_are_what_they_are_called(language: str) -> None:
    short, long, numbers, question = FIXED_PROMPTS[language]
    assert len(set(FIXED_PROMPTS[language])) == 4
    assert 2 * len(short) < len(long)
    assert any(sign.isdigit() for sign in numbers)
    assert not any(sign.isdigit() for sign in short + long + question)
    assert question[-1] in "?？؟"
    for kind, text in FIXED_PROMPTS[language]._asdict().items():
        assert prompt_kind(text, language) == kind


@pytest.mark.parametrize("language", sorted(set(FIXED_PROMPTS) - {"ja", "ko", "zh-cn"}))
def test_their_numbers_are_read_out_in_words(language: str) -> None:
    spoken = normalise(FIXED_PROMPTS[language].numbers, language)
    assert not any(sign.isdigit() for sign in spoken)


def test_a_persons_own_come_first_and_nothing_is_said_twice() -> None:
    short = FIXED_PROMPTS["en"].short
    assert prompts_for("en", ["Mine.", short], fixed=True) == ["Mine.", *FIXED_PROMPTS["en"]]
    assert prompts_for("en", ["Mine."], fixed=False) == ["Mine."]
    assert prompts_for("en", [], fixed=False) == [FIXED_PROMPTS["en"].long]
    assert prompt_kind("Mine.", "en") == prompt_kind("Mine.", "xx") == ""


@pytest.mark.django_db
def test_a_run_speaks_them_with_its_seed(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=3)
    run = run_create(owner=people.tom, version=version, name="Fixed", values=RunValues(seed=7, prompts=["Mine."]))
    assert run.spec["sample_prompts"] == [
        {"text": text, "language": "en", "seed": 7} for text in ("Mine.", *FIXED_PROMPTS["en"])
    ]


@pytest.mark.django_db
def test_the_page_names_the_kinds_and_plays_the_recording(people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=3)
    run = RunFactory(owner=people.tom, version=version, visibility="team", spec={"language": "en", "epochs": 1})
    checkpoint = CheckpointFactory(run=run, epoch=1)
    for index, text in enumerate(("Mine.", FIXED_PROMPTS["en"].question)):
        SampleFactory(checkpoint=checkpoint, prompt_index=index, text=text)
    html = page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    assert f"Question: {FIXED_PROMPTS['en'].question[:20]}" in html
    assert "Reference recording 1" in html
    heard = page_for(people.tom).get(f"/runs/{run.pk}/references/0/audio/")
    assert b"".join(heard.streaming_content)[:4] == b"RIFF"
    assert page_for(people.tom).get(f"/runs/{run.pk}/references/99/audio/").status_code == 404
    # The run is shared with the team, the recordings are not.
    assert "Reference recording" not in page_for(people.anna).get(f"/runs/{run.pk}/").content.decode()
    assert page_for(people.anna).get(f"/runs/{run.pk}/references/0/audio/").status_code == 404

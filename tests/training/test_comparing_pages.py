"""Blind comparisons on pages, over the API and in the admin."""

from __future__ import annotations

import wave
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from tests.training.comparisons import judge_all, keys, sound_of, spoken_run
from tests.training.factories import RunFactory
from training.engine.levels import levelled
from training.models import Preference, TrainingRun
from training.services import comparison_next
from training.views import comparing
from xttsproject.lib.audio import read_wav

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: Any) -> TrainingRun:
    """A shared run of tom's: the base model and two epochs, each saying two sentences; no sound on the disk."""
    return spoken_run(people.tom)


# --- pages --------------------------------------------------------------------------------------------------------


def test_the_page_plays_a_pair_without_telling_which_is_which(people: Any, run: TrainingRun, page_for: Any) -> None:
    sound_of(run)
    page = page_for(people.anna)
    response = page.get(f"/runs/{run.pk}/compare/")
    html = response.content.decode()
    preference = Preference.objects.get()
    assert f"/runs/comparisons/{preference.pk}/1/" in html
    card = html.partition('id="compare"')[2].partition("</section>")[0]
    for word in ("epoch", "base", "sample/", "samples/", "best"):
        assert word not in card.lower()
    assert "no-store" in response.headers["Cache-Control"]
    for place in ("1", "2"):
        heard = page.get(f"/runs/comparisons/{preference.pk}/{place}/")
        sample = preference.sample(place)
        played, written = read_wav(BytesIO(heard.content)), read_wav(sample.audio_path)
        assert played.seconds == written.seconds
        # At the level of all others, and not at its own.
        assert np.allclose(played.samples, levelled(written).samples, atol=1e-4)
        assert not np.allclose(played.samples, written.samples, atol=1e-2)
        assert heard.headers["Content-Disposition"] == f'inline; filename="{place}.wav"'
        assert not {"Last-Modified", "X-Accel-Redirect", "Link"} & set(heard.headers)
        # It is of what is heard, and tells no more: that of the sample's own file is another.
        assert heard.headers["ETag"] != page.get(f"/runs/samples/{sample.pk}/audio/").headers["ETag"]
    assert page.get(f"/runs/comparisons/{preference.pk}/3/").status_code == 404


def test_a_vote_leads_to_the_next_pair_and_a_second_sending_changes_nothing(
    people: Any, run: TrainingRun, page_for: Any
) -> None:
    page = page_for(people.anna)
    page.get(f"/runs/{run.pk}/compare/")
    first = Preference.objects.get()
    answer = page.post(f"/runs/comparisons/{first.pk}/vote/", {"vote": "1"})
    assert answer.headers["Location"] == f"/runs/{run.pk}/compare/"
    html = page.get(answer.headers["Location"]).content.decode()
    assert "1 of 6 pairs judged" in html
    assert str(first.pk) not in html
    # The button pressed twice, or the page gone back to.
    again = page.post(f"/runs/comparisons/{first.pk}/vote/", {"vote": "2"}, follow=True)
    assert "your first vote stands" in again.content.decode()
    first.refresh_from_db()
    assert first.vote == "1"
    assert Preference.objects.given().count() == 1


def test_a_choice_of_epochs_goes_along(people: Any, run: TrainingRun, page_for: Any) -> None:
    page = page_for(people.anna)
    key = keys(run, 2)[0]
    html = page.get(f"/runs/{run.pk}/compare/?among=0&among={key}").content.decode()
    assert "0 of 2 pairs judged" in html
    assert f'<input type="hidden" name="among" value="{key}">' in html
    answer = page.post(f"/runs/comparisons/{Preference.objects.get().pk}/vote/", {"vote": "0", "among": ["0", key]})
    assert answer.headers["Location"].endswith(f"/compare/?among=0&among={key}")
    refused = page.get(f"/runs/{run.pk}/compare/?among=0&among=987654")
    assert refused.status_code == 400
    assert "no samples of a checkpoint 987654" in refused.content.decode()
    odd = page.get(f"/runs/{run.pk}/compare/?among=x&among=%00&among=-1")
    assert odd.status_code == 200


def test_nonsense_is_answered_with_a_sentence(people: Any, run: TrainingRun, page_for: Any) -> None:
    page = page_for(people.anna)
    page.get(f"/runs/{run.pk}/compare/")
    answer = page.post(f"/runs/comparisons/{Preference.objects.get().pk}/vote/", {"vote": "best"}, follow=True)
    assert "not “best”" in answer.content.decode()
    assert Preference.objects.get().is_open


def test_strangers_hear_nothing_and_vote_on_nothing(people: Any, run: TrainingRun, page_for: Any, client: Any) -> None:
    sound_of(run)
    page_for(people.anna).get(f"/runs/{run.pk}/compare/")
    pk = Preference.objects.get().pk
    ben = page_for(people.ben)
    assert ben.get(f"/runs/comparisons/{pk}/1/").status_code == 404
    assert ben.post(f"/runs/comparisons/{pk}/vote/", {"vote": "1"}).status_code == 404
    # A run that is no longer shared is gone for its voters too.
    TrainingRun.objects.update(visibility="private")
    anna = page_for(people.anna)
    assert anna.get(f"/runs/{run.pk}/compare/").status_code == 404
    assert anna.get(f"/runs/{run.pk}/compare/outcome/").status_code == 404
    assert anna.get(f"/runs/comparisons/{pk}/1/").status_code == 404
    assert anna.post(f"/runs/comparisons/{pk}/vote/", {"vote": "1"}).status_code == 404
    assert Preference.objects.get().is_open
    for path in (f"/runs/{run.pk}/compare/", f"/runs/comparisons/{pk}/1/"):
        assert client.get(path).status_code == 302


def test_the_outcome_lists_its_pairs_page_by_page(
    people: Any, run: TrainingRun, page_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_PAIRS", 2)
    judge_all(run, people.anna, lambda earlier, later: later)
    page = page_for(people.ben)
    first, last = (page.get(f"/runs/{run.pk}/compare/outcome/", {"page": number}).content.decode() for number in (1, 2))
    assert first.count(" against ") == 2
    assert last.count(" against ") == 1
    assert "Page 1 of 2" in first
    # The order is that of all pairs, on every page.
    orders = [html.split('id="order-head"')[1].split('id="pairs-head"')[0] for html in (first, last)]
    assert orders[0] == orders[1]


def test_the_outcome_is_shown_to_whoever_sees_the_run(people: Any, run: TrainingRun, page_for: Any) -> None:
    page = page_for(people.ben)
    assert "Nobody has compared" in page.get(f"/runs/{run.pk}/compare/outcome/").content.decode()
    judge_all(run, people.anna, lambda earlier, later: later)
    html = " ".join(page.get(f"/runs/{run.pk}/compare/outcome/").content.decode().split())
    assert "6 votes by 1 person" in html
    assert "Epoch 2 against the base model" in html
    # Two of two: Wilson's interval is 34 % to 100 %.
    assert "34 % to 100 %" in html
    assert "no difference shown" in html


def test_a_sample_that_is_gone_is_not_there(people: Any, run: TrainingRun, page_for: Any, api_for: Any) -> None:
    page_for(people.anna).get(f"/runs/{run.pk}/compare/")
    pk = Preference.objects.get().pk
    assert page_for(people.anna).get(f"/runs/comparisons/{pk}/1/").status_code == 404
    answer = api_for(people.anna).get(f"/api/v1/comparisons/{pk}/audio/1/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "sample_gone")


def test_the_run_leads_there_once_there_is_something_to_compare(people: Any, run: TrainingRun, page_for: Any) -> None:
    address = f"/runs/{run.pk}/compare/"
    assert address in page_for(people.anna).get(f"/runs/{run.pk}/").content.decode()
    empty = RunFactory(owner=people.tom)
    page = page_for(people.tom)
    assert "/compare/" not in page.get(f"/runs/{empty.pk}/").content.decode()
    assert "wait for its first checkpoints" in page.get(f"/runs/{empty.pk}/compare/").content.decode()


# --- API and admin ------------------------------------------------------------------------------------------------


def test_comparing_over_the_api(people: Any, run: TrainingRun, api_for: Any) -> None:
    sound_of(run)
    api = api_for(people.anna)
    turn = api.post(f"/api/v1/training-runs/{run.pk}/compare/", {"among": keys(run, 0, 1)}).json()
    assert (turn["done"], turn["total"]) == (0, 2)
    pair = turn["comparison"]
    assert set(pair) == {"id", "run", "text", "first", "second", "vote", "dealt_at", "voted_at"}
    with wave.open(BytesIO(api.get(pair["second"]).content)) as heard:
        assert heard.getframerate() == 24_000
    path = f"/api/v1/comparisons/{pair['id']}/"
    assert api.post(f"{path}vote/", {"vote": "x"}).json()["error"]["code"] == "vote_unknown"
    for _ in range(2):
        assert api.post(f"{path}vote/", {"vote": "2"}).json()["vote"] == "2"
    refused = api.post(f"{path}vote/", {"vote": "1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "vote_given")
    api.post(f"/api/v1/training-runs/{run.pk}/compare/", {"among": keys(run, 0, 1)})
    assert api.get("/api/v1/comparisons/", {"open": "true"}).json()["count"] == 1
    assert api.get("/api/v1/comparisons/", {"open": "false"}).json()["count"] == 1
    told = api.get(f"/api/v1/training-runs/{run.pk}/preferences/").json()
    assert (told["votes"], told["voters"], len(told["standings"])) == (1, 1, 2)
    won = Preference.objects.get(pk=pair["id"]).winner
    assert won is not None
    assert told["standings"][0] == {
        "place": 1,
        "checkpoint": won.checkpoint_id,
        "epoch": won.epoch,
        "title": won.checkpoint.label if won.checkpoint else "base model",
        "share": told["standings"][0]["share"],
        "votes": 1,
    }
    assert told["pairs"][0]["earlier"] == {"checkpoint": None, "epoch": 0, "title": "base model"}


def test_the_api_keeps_comparisons_apart(people: Any, run: TrainingRun, api_for: Any) -> None:
    pair = api_for(people.anna).post(f"/api/v1/training-runs/{run.pk}/compare/").json()["comparison"]
    for stranger in (people.ben, people.root):
        api = api_for(stranger)
        assert api.get(f"/api/v1/comparisons/{pair['id']}/").status_code == 404
        assert api.post(f"/api/v1/comparisons/{pair['id']}/vote/", {"vote": "1"}).status_code == 404
        assert api.get(f"/api/v1/comparisons/{pair['id']}/audio/1/").status_code == 404
        assert api.get("/api/v1/comparisons/").json()["count"] == 0
    hidden = RunFactory(owner=people.tom)
    for action in ("compare", "preferences"):
        path = f"/api/v1/training-runs/{hidden.pk}/{action}/"
        call = api_for(people.anna).post if action == "compare" else api_for(people.anna).get
        assert call(path).status_code == 404
    refused = api_for(people.tom).post(f"/api/v1/training-runs/{hidden.pk}/compare/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing_to_compare")


def test_the_admin_lists_ones_own_given_votes(people: Any, run: TrainingRun, page_for: Any) -> None:
    judge_all(run, people.tom, lambda earlier, later: later, among=(0, 2))
    comparison_next(run=run, voter=people.tom)
    judge_all(run, people.anna, lambda earlier, later: None)
    html = page_for(people.tom).get("/admin/training/preference/").content.decode()
    assert html.count("epoch 2, base model") == 2
    assert "anna" not in html
    html = page_for(people.root).get("/admin/training/preference/").content.decode()
    assert html.count("epoch 2, base model") == 4
    assert html.count("epoch 1, base model") == 2
    assert "anna" in html

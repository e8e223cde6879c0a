"""Looking for the values with which a voice speaks best: the tiny model speaks, is measured, the voice is changed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.choices import RunState
from training.engine.search import DECODING, Space
from training.prompts import FIXED_PROMPTS
from voices.engine.decoding import Said, survivors
from voices.models import Candidate, DecodingSearch, Voice
from voices.services import decoding_create, decoding_table, voice_delete
from voices.services.decoding import _candidates, _hear, decoding_delete, decoding_run, decoding_sweep, decoding_use
from voices.services.measuring import Measure
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent

pytestmark = pytest.mark.django_db

SPACE = {"temperature": {"values": [0.3, 0.9]}, "speed": {"low": 0.9, "high": 1.1}}


@pytest.fixture(autouse=True)
def quiet_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's database lives in one transaction, to which the heartbeat's thread cannot write."""
    monkeypatch.setattr("xttsproject.jobs.context.BEAT_SECONDS", 3600)


@pytest.fixture
def ears(settings: Any, tmp_path: Path, speaking: Path, random_whisper_bundle: Path) -> None:
    """The tiny model, and a Whisper model that writes letters of any sound."""
    folder = tmp_path / "models"
    folder.mkdir()
    for bundle in (speaking, random_whisper_bundle):
        (folder / bundle.name).symlink_to(bundle)
    settings.MODELS_DIR = folder
    settings.WHISPER_BUNDLE = random_whisper_bundle.name
    settings.WHISPER_THREADS, settings.WHISPER_BEAM_SIZE = 1, 1


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One short sentence instead of the four: what is tested here does not depend on how many there are."""
    texts = [FIXED_PROMPTS["en"].short]
    monkeypatch.setattr("voices.services.decoding.prompts_for", lambda language, own, fixed: [*own, *texts])
    return texts


@pytest.fixture
def search(people: Any, make_voice: Callable[..., Voice], ears: None, short: list[str]) -> DecodingSearch:
    """A search among three candidates for a voice of anna's, waiting."""
    voice = make_voice(people.anna)
    return decoding_create(voice=voice, user=people.anna, space=Space.from_dict(SPACE, DECODING), count=3)


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Each time that a job gives memory back: whether no model that it loaded is held any more."""
    from xttsproject.xtts.engine import XttsEngine

    load: Any = vars(XttsEngine)["load"].__func__
    loaded: list[weakref.ref[XttsEngine]] = []
    told: list[bool] = []

    def remembered(*given: Any, **more: Any) -> XttsEngine:
        engine: XttsEngine = load(*given, **more)
        loaded.append(weakref.ref(engine))
        return engine

    monkeypatch.setattr(XttsEngine, "load", classmethod(remembered))
    monkeypatch.setattr("voices.tasks.give_back_memory", lambda: told.append(all(each() is None for each in loaded)))
    return told


@given(count=st.integers(1, 100), present=st.integers(0, 99))
def test_a_third_is_heard_again_and_the_voice_as_it_is_always(count: int, present: int) -> None:
    ranked = list(range(count))
    chosen = survivors(ranked, present)
    assert len(set(chosen)) == len(chosen)
    assert chosen[: min(count, 2)] == ranked[: min(count, 2)]
    assert (present in chosen) == (present < count)
    assert len(chosen) <= max(2, -(-count // 3)) + 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_candidates_speak_are_measured_and_one_is_taken_by_a_click(
    people: Any, search: DecodingSearch, work: Callable[[], list[str]], page_for: Any, api_for: Any, gone: list[bool]
) -> None:
    assert (search.state, search.job.queue if search.job else "") == (RunState.QUEUED, "gpu")
    assert work() == ["succeeded"], Job.objects.values_list("error", flat=True)
    # The model has left before memory is given back to the device.
    assert gone == [True]
    search.refresh_from_db()
    assert search.state == RunState.SUCCEEDED
    rows = list(search.candidates.order_by("index"))
    assert [row.index for row in rows] == [0, 1, 2, 3]
    assert rows[0].values == {}
    assert all({"temperature", "speed"} == set(row.values) for row in rows[1:])
    # All were heard once; the best two and the voice as it is with three seeds.
    assert sorted(row.seeds for row in rows)[:1] == [1]
    assert rows[0].seeds == 3
    assert sum(row.seeds == 3 for row in rows) in (2, 3)
    for row in rows:
        assert len(row.samples) == row.seeds
        assert 0 <= (row.composite or -1) <= 1
        assert {"similarity", "character_error_rate", "seconds_per_character"} <= set(row.figures)
        for number, sample in enumerate(row.samples):
            assert row.audio_path(number).is_file()
            assert sample["heard"] is not None
    # A voice without a dataset: how fast its speaker is was heard in the reference clip.
    assert search.speaker["figures"]["seconds_per_character"] > 0
    table = decoding_table(search=search)
    assert table[0].is_best
    assert [row.candidate.seeds for row in table] == sorted((row.seeds for row in rows), reverse=True)

    page = page_for(people.anna)
    html = page.get(f"/voices/{search.voice_id}/settings/").content.decode()
    assert html.count("Use these values") == 3
    assert "in use" in html
    chosen = rows[1]
    heard = page.get(f"/voices/candidates/{chosen.pk}/0/audio/")
    assert b"".join(heard) == chosen.audio_path(0).read_bytes()
    assert f"with the voice “{search.voice.name}”." in chosen.audio_path(0).read_bytes().decode(errors="ignore")
    # Nothing is written until somebody says so.
    assert Voice.objects.get().defaults == {}
    page.post(f"/voices/candidates/{chosen.pk}/use/")
    assert Voice.objects.get().defaults == chosen.values
    assert "temperature" in page.get(f"/voices/{search.voice_id}/").content.decode()

    api = api_for(people.anna)
    told = api.get(f"/api/v1/decoding-searches/{search.pk}/").json()
    assert told["best"] == table[0].candidate.index
    assert [row["index"] for row in told["candidates"]] == [0, 1, 2, 3]
    assert b"".join(api.get(told["candidates"][1]["samples"][0]["audio"])) == chosen.audio_path(0).read_bytes()
    api.post(f"/api/v1/decoding-searches/{search.pk}/use/", {"candidate": 2})
    assert Voice.objects.get().defaults == rows[2].values
    page.post(f"/voices/{search.voice_id}/settings/forget/")
    assert Voice.objects.get().defaults == {}

    page.post(f"/voices/searches/{search.pk}/delete/")
    assert not DecodingSearch.objects.exists()
    assert not Candidate.objects.exists()


def test_what_is_not_searched_stays_as_the_voice_has_it_its_seed_too(people: Any, search: DecodingSearch) -> None:
    Voice.objects.update(defaults={"seed": 123_456_789, "top_k": 40})
    search.voice.refresh_from_db()
    present, first, *_ = _candidates(search)
    assert present.values == {"seed": 123_456_789, "top_k": 40}
    assert set(first.values) == {"seed", "top_k", "temperature", "speed"}
    decoding_use(candidate=first)
    assert Voice.objects.get().defaults == first.values
    assert first.values["seed"] == 123_456_789
    row = next(row for row in decoding_table(search=search) if row.candidate.index == 1)
    assert row.is_used
    assert ("seed", "123456789") in row.values


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_search_that_was_stopped_goes_on_where_it_was(
    search: DecodingSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Cancelled):
        decoding_run(
            search=search,
            progress=Callback(should_stop=lambda: Candidate.objects.filter(index=1, seeds=1).exists()),
        )
    before = {row.index: row.samples for row in search.candidates.filter(seeds=1)}
    assert set(before) == {0, 1}
    spoken: list[tuple[int, int]] = []
    speak = Measure.speak

    def counted(self: Measure, candidate: Candidate, seeds: Any, progress: Any) -> Any:
        spoken.extend((candidate.index, seed) for seed in seeds)
        return speak(self, candidate, seeds, progress)

    monkeypatch.setattr(Measure, "speak", counted)
    DecodingSearch.objects.update(write_winner=True)
    search.refresh_from_db()
    best = decoding_run(search=search, progress=Silent())
    # Nothing was said twice, and what had been said stands.
    assert len(set(spoken)) == len(spoken)
    assert not {(0, 1), (1, 1)} & set(spoken)
    for index, samples in before.items():
        assert search.candidates.get(index=index).samples[0]["path"] == samples[0]["path"]
    # The winner was to be written at once.
    winner = search.candidates.get(index=best)
    assert Voice.objects.get().defaults == winner.values
    # A second delivery of the job does nothing.
    spoken.clear()
    assert decoding_run(search=search, progress=Silent()) == best
    assert spoken == []


def test_the_sounds_of_a_voices_latest_searches_are_kept_and_the_figures_of_all(
    people: Any, search: DecodingSearch, page_for: Any
) -> None:
    DecodingSearch.objects.update(state=RunState.SUCCEEDED)
    voice = search.voice
    made = [search]
    for number in range(4):
        state = RunState.CANCELLED if number == 0 else RunState.SUCCEEDED
        made.append(DecodingSearch.objects.create(voice=voice, space=SPACE, count=3, texts=["A line."], state=state))
    for each in made:
        each.folder.mkdir(parents=True)
        (each.folder / "x.wav").write_bytes(b"RIFF")
    oldest, cancelled, *latest = made
    sample = {"text": "A line.", "seed": 1, "path": "x.wav", "finished": True}
    Candidate.objects.create(search=oldest, index=0, seeds=1, samples=[sample], composite=0.5)
    assert decoding_sweep() == 2
    assert all(each.has_sounds for each in latest)
    assert not oldest.folder.exists()
    assert oldest.candidates.get().composite == 0.5
    assert not DecodingSearch.objects.filter(pk=cancelled.pk).exists()
    assert decoding_sweep() == 0
    DecodingSearch.objects.exclude(pk=oldest.pk).delete()
    html = page_for(people.anna).get(f"/voices/{voice.pk}/settings/").content.decode()
    assert "The sounds of older searches are not kept" in html


@pytest.mark.parametrize("voice_too", [False, True])
def test_what_is_said_after_a_search_was_deleted_leaves_no_file(search: DecodingSearch, voice_too: bool) -> None:
    candidate = Candidate.objects.create(search=search, index=0)
    said = search.folder / "candidate-000" / "sentence-0-seed-1.wav"
    gone = search.voice.folder if voice_too else search.folder

    class Late:
        """Somebody deletes the search while it speaks."""

        def speak(self, *_: Any) -> list[Said]:
            if voice_too:
                voice_delete(voice=Voice.objects.get())
            else:
                decoding_delete(search=DecodingSearch.objects.get())
            said.parent.mkdir(parents=True)
            said.write_bytes(b"RIFF")
            return [Said("A line.", 1, "candidate-000/sentence-0-seed-1.wav", 1.0, True)]

        def score(self, samples: Any, *_: Any) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
            return {}, ({},) * len(samples)

    with pytest.raises(DomainError) as caught:
        _hear(search, candidate, 1, cast(Measure, Late()), Silent())
    assert caught.value.code == "subject_gone"
    assert not gone.exists()


@pytest.mark.parametrize(
    ("space", "count", "code", "field"),
    [
        ({"temperature": {"values": [9.0]}}, 3, "space_invalid", "space.temperature"),
        ({"top_p": {"low": 0.0, "high": 0.9}}, 3, "space_invalid", "space.top_p"),
        ({"temperature": {"values": [0.5]}}, 1, "count_invalid", "count"),
        ({"temperature": {"values": [0.5]}}, 1000, "count_invalid", "count"),
    ],
)
def test_what_no_voice_can_speak_with_is_refused_before_anything_speaks(
    people: Any, make_voice: Callable[..., Voice], space: Any, count: int, code: str, field: str
) -> None:
    voice = make_voice(people.anna)
    with pytest.raises(DomainError) as caught:
        decoding_create(voice=voice, user=people.anna, space=Space.from_dict(space, DECODING), count=count)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert not DecodingSearch.objects.exists()


def test_pages_and_api_start_cancel_and_refuse(
    people: Any, make_voice: Callable[..., Voice], page_for: Any, api_for: Any, work: Callable[[], list[str]]
) -> None:
    voice = make_voice(people.anna)
    page, api = page_for(people.anna), api_for(people.anna)
    where = f"/voices/{voice.pk}/settings/"
    html = page.get(where).content.decode()
    assert 'value="0.5 to 0.95"' in html
    assert "Find settings" in page.get(f"/voices/{voice.pk}/").content.decode()
    form = {"searched_temperature": "0.5 to 0.9", "count": "3", "seed": "1", "text": "Mine."}
    refused = page.post(where, {**form, "searched_temperature": "0.9 to 0.5"})
    assert refused.status_code == 400
    assert "is empty" in refused.content.decode()
    assert page.post(where, form).status_code == 302
    made = DecodingSearch.objects.get()
    assert made.texts[0] == "Mine."
    assert len(made.texts) == 5
    again = page.post(where, form)
    assert "being looked for already" in again.content.decode()
    wrong = api.post(
        "/api/v1/decoding-searches/", {"voice": str(voice.pk), "space": {"learning_rate": {"values": [1]}}}
    )
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "space_invalid")
    page.post(f"/voices/searches/{made.pk}/cancel/")
    made.refresh_from_db()
    assert made.state == RunState.CANCELLED
    third = api.post("/api/v1/decoding-searches/", {"voice": str(voice.pk), "count": 2})
    assert third.status_code == 201, third.json()
    assert set(third.json()["space"]) == {"temperature", "repetition_penalty", "top_p", "speed"}
    assert api.post(f"/api/v1/decoding-searches/{third.json()['id']}/cancel/").json()["state"] == "cancelled"
    assert page_for(people.root).get("/admin/voices/decodingsearch/").status_code == 200
    # A voice that is deleted takes its searches along.
    api.post("/api/v1/decoding-searches/", {"voice": str(voice.pk), "count": 2})
    voice_delete(voice=voice)
    assert not DecodingSearch.objects.exists()
    assert work() == []


def test_a_stranger_neither_sees_nor_hears_nor_changes(
    people: Any, make_voice: Callable[..., Voice], page_for: Any, api_for: Any
) -> None:
    voice = make_voice(people.anna)
    search = decoding_create(voice=voice, user=people.anna, space=Space.from_dict(SPACE, DECODING), count=2)
    candidate = Candidate.objects.create(search=search, index=0, samples=[{"path": "x.wav", "text": "x", "seed": 1}])
    page, api = page_for(people.ben), api_for(people.ben)
    for shared in (False, True):
        # Whom it is shared with may look, listen and use the voice, and change nothing.
        Voice.objects.update(visibility="team" if shared else "private")
        seen, changed = (200, 403) if shared else (404, 404)
        assert page.get(f"/voices/{voice.pk}/settings/").status_code == seen
        assert api.get(f"/api/v1/decoding-searches/{search.pk}/").status_code == seen
        assert page.post(f"/voices/{voice.pk}/settings/", {}).status_code == changed
        for path in (
            f"/voices/{voice.pk}/settings/forget/",
            f"/voices/searches/{search.pk}/cancel/",
            f"/voices/searches/{search.pk}/delete/",
            f"/voices/candidates/{candidate.pk}/use/",
        ):
            assert page.post(path).status_code == changed
        for path in ("cancel/", "use/"):
            assert api.post(f"/api/v1/decoding-searches/{search.pk}/{path}").status_code == changed
        assert api.delete(f"/api/v1/decoding-searches/{search.pk}/").status_code == changed
        asked = api.post("/api/v1/decoding-searches/", {"voice": str(voice.pk)})
        assert asked.status_code == (403 if shared else 400)
    Voice.objects.update(visibility="private")
    assert page.get(f"/voices/candidates/{candidate.pk}/0/audio/").status_code == 404
    assert api.get("/api/v1/decoding-searches/").json()["results"] == []
    assert DecodingSearch.objects.get().state == RunState.QUEUED

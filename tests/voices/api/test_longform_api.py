"""Long texts over the API: asked for, followed, heard, changed, taken along; by their owner alone."""

from __future__ import annotations

import io
import wave
import zipfile
from typing import Any

import numpy as np
import pytest

from voices.engine.loudness import loudness_of
from voices.models import Synthesis
from xttsproject.lib.audio import Audio

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/api/v1/syntheses/"
TEXT = "[chapter: Morning] The old house by the sea was quiet.\n\n[chapter: Evening] Then rain fell on all the roofs."


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.fixture
def asked(people, api_for, make_voice):
    make_voice(people.anna)
    anna = api_for(people.anna)
    answer = anna.post(ADDRESS, {"voice": "Vera", "text": TEXT, "seed": 3})
    assert answer.status_code == 202, answer.json()
    return anna, answer


def test_a_long_text_is_accepted_followed_and_heard(asked, work):
    anna, answer = asked
    address = answer["Location"]
    told = answer.json()
    assert address.endswith(f"{ADDRESS}{told['id']}/")
    assert (told["state"], told["audio"], told["is_long"]) == ("queued", None, True)
    assert told["job"]["queue"] == "speech"
    assert told["progress"] == {"sentences": 0, "spoken": 0, "pending": 0, "seconds": 0.0}
    for part in ("audio", "so-far", "subtitles", "chapters"):
        early = anna.get(f"{address}{part}/")
        assert (early.status_code, early.json()["error"]["code"]) == (409, "speech_unfinished"), part

    assert work() == ["succeeded"]
    told = anna.get(address).json()
    assert (told["state"], told["job"]["state"]) == ("succeeded", "succeeded")
    assert told["progress"]["spoken"] == told["progress"]["sentences"] == 2
    assert [chapter["title"] for chapter in told["chapters"]] == ["Morning", "Evening"]
    page = anna.get(f"{address}sentences/", {"page_size": 1}).json()
    assert (page["count"], len(page["results"])) == (2, 1)
    first = page["results"][0]
    assert (first["number"], first["take"], first["is_pending"]) == (1, 1, False)
    with wave.open(io.BytesIO(body(anna.get(first["audio"])))) as handle:
        assert handle.getnframes() / handle.getframerate() == pytest.approx(first["seconds"])
    with wave.open(io.BytesIO(body(anna.get(told["audio"])))) as handle:
        assert handle.getnframes() / handle.getframerate() == pytest.approx(told["seconds"])
    listed = anna.get(ADDRESS).json()["results"][0]
    assert (listed["id"], listed["state"]) == (told["id"], "succeeded")


def test_it_is_taken_along_with_its_chapters(asked, work):
    import av

    anna, answer = asked
    work()
    address, told = answer["Location"], anna.get(answer["Location"]).json()
    starts = [chapter["start"] for chapter in told["chapters"]]
    for name in ("mp3", "m4b", "flac", "opus", "aac"):
        sent = anna.get(f"{address}audio/", {"format": name})
        opened: Any = av.open(io.BytesIO(body(sent)))
        with opened as sound:
            marks = [(mark["metadata"]["title"], float(mark["start"] * mark["time_base"])) for mark in sound.chapters()]
            seconds = sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))
            tags = {**sound.metadata, **sound.streams.audio[0].metadata}
        assert [title for title, _start in marks] == ["Morning", "Evening"], name
        assert [start for _title, start in marks] == pytest.approx(starts, abs=0.002), name
        assert seconds == pytest.approx(told["seconds"], abs=0.2), name
        assert "Synthetic" in {key.lower(): value for key, value in tags.items()}["comment"], name
    whole = body(anna.get(f"{address}audio/"))
    assert b"cue " in whole
    assert b"Evening\0" in whole

    packed = zipfile.ZipFile(io.BytesIO(body(anna.get(f"{address}chapters/"))))
    assert packed.namelist() == ["001 morning.wav", "002 evening.wav"]
    assert packed.testzip() is None
    lengths = []
    for name in packed.namelist():
        with wave.open(io.BytesIO(packed.read(name))) as handle:
            lengths.append(handle.getnframes() / handle.getframerate())
    alone = body(anna.get(f"{address}chapters/2/audio/"))
    assert alone == packed.read("002 evening.wav")
    pause = anna.get(f"{address}sentences/").json()["results"][1]["pause"]
    assert sum(lengths) + pause == pytest.approx(told["seconds"], abs=1e-3)
    missing = anna.get(f"{address}chapters/3/audio/")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "chapter_unknown")

    written = anna.get(f"{address}subtitles/", {"format": "json"}).json()
    assert written["chapters"] == told["chapters"]
    assert len(written["sentences"]) == 2
    assert "Evening" in body(anna.get(f"{address}subtitles/", {"format": "chapters"})).decode()


def test_it_comes_as_loud_as_wanted_and_its_chapters_too(asked, work):
    anna, answer = asked
    address = answer["Location"]
    early = anna.get(f"{address}so-far/", {"loudness": -20})
    assert early.json()["error"]["code"] == "speech_unfinished"
    work()
    loudness = []
    for path, rate in (
        ("audio", 24_000),
        ("audio", 44_100),
        ("chapters/1/audio", 24_000),
        ("chapters/2/audio", 24_000),
    ):
        sent = body(anna.get(f"{address}{path}/", {"format": "wav", "loudness": -24, "sample_rate": rate}))
        plain = body(anna.get(f"{address}{path}/", {"format": "flac" if path == "audio" else "wav"}))
        loudness.append((_loudness(sent), _loudness(plain)))
    assert [loud for loud, _plain in loudness[:2]] == pytest.approx([-24, -24], abs=0.3)
    gains = [loud - plain for loud, plain in loudness]
    assert gains == pytest.approx([gains[0]] * 4, abs=0.3)


def _loudness(data: bytes) -> float:
    path = io.BytesIO(data)
    import av

    opened: Any = av.open(path)
    with opened as sound:
        rate = sound.streams.audio[0].rate
        frames = [frame.to_ndarray().reshape(-1) for frame in sound.decode(audio=0)]
    samples: Any = np.concatenate(frames).astype(np.float32) / np.float32(32768)
    measured = loudness_of(Audio(samples, rate))
    assert measured is not None
    return measured


def test_a_sentence_is_said_anew_and_what_was_there_stays_till_then(asked, work):
    anna, answer = asked
    work()
    address = answer["Location"]
    again = anna.post(f"{address}sentences/2/regenerate/", {"seed": 77})
    assert (again.status_code, again.json()["is_pending"], again.json()["take"]) == (202, True, 1)
    told = anna.get(address).json()
    assert (told["state"], told["progress"]["pending"]) == ("queued", 1)
    assert told["audio"] is not None
    assert anna.get(f"{address}so-far/").status_code == 200
    work()
    row = anna.get(f"{address}sentences/").json()["results"][1]
    assert (row["seed"], row["take"], row["is_pending"]) == (77, 2, False)
    long = anna.post(f"{address}sentences/2/regenerate/", {"text": "One. " * 80})
    assert (long.status_code, long.json()["error"]["param"]) == (400, "text")
    assert anna.post(f"{address}sentences/9/regenerate/", {}).status_code == 404


def test_it_is_stopped_and_gone_on_with(asked, work):
    anna, answer = asked
    address = answer["Location"]
    stopped = anna.post(f"{address}cancel/")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    assert anna.post(f"{address}cancel/").json()["error"]["code"] == "speech_ended"
    assert anna.post(f"{address}resume/").json()["state"] == "queued"
    assert anna.post(f"{address}resume/").status_code == 409
    assert work() == ["succeeded"]


def test_the_same_request_under_the_same_key_is_spoken_once(people, api_for, make_voice):
    make_voice(people.anna)
    anna = api_for(people.anna)
    wanted = {"voice": "Vera", "text": TEXT}
    first, again = (anna.post(ADDRESS, wanted, HTTP_IDEMPOTENCY_KEY="a-key") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert again["Idempotent-Replayed"] == "true"
    assert Synthesis.objects.count() == 1
    other = anna.post(ADDRESS, {**wanted, "seed": 5}, HTTP_IDEMPOTENCY_KEY="a-key")
    assert other.json()["error"]["code"] == "idempotency_key_reused"


def test_nobody_else_sees_or_changes_it(asked, api_for, people, work):
    _anna, answer = asked
    work()
    ben, address = api_for(people.ben), answer["Location"]
    for path in ("", "audio/", "so-far/", "sentences/", "sentences/1/audio/", "chapters/", "chapters/1/audio/"):
        assert ben.get(f"{address}{path}").status_code == 404, path
    for path in ("cancel/", "resume/", "sentences/1/regenerate/"):
        assert ben.post(f"{address}{path}").status_code == 404, path
    assert ben.delete(address).status_code == 404
    assert ben.get(ADDRESS).json()["count"] == 0


def test_deleting_it_stops_it_and_takes_its_sounds(asked, work):
    anna, answer = asked
    work()
    synthesis = Synthesis.objects.get()
    path, folder = synthesis.audio_path, synthesis.folder
    assert (path.is_file(), folder.is_dir()) == (True, True)
    anna.post(f"{answer['Location']}sentences/1/regenerate/")
    assert anna.delete(answer["Location"]).status_code == 204
    assert work() == []
    assert (path.exists(), folder.exists()) == (False, False)


def test_what_is_refused_names_the_field_and_the_limit(people, api_for, make_voice, settings):
    settings.SPEECH_LONG_CHARACTERS = 30
    make_voice(people.anna)
    refused = api_for(people.anna).post(ADDRESS, {"voice": "Vera", "text": "x" * 31})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, "text_too_long", "text")
    assert "31" in error["message"]
    assert "30" in error["message"]
